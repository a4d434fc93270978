package sim

import (
	"testing"

	"github.com/voltyard/voltyard/hal/haltest"
)

func TestInputConformance(t *testing.T) {
	in := &Input{}
	haltest.Input(t, in, in.Set, func() { in.Break(true) })
}
