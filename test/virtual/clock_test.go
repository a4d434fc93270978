package virtual_test

import (
	"testing"
	"time"

	"github.com/voltyard/voltyard/test/virtual"
)

func TestTheClockJumps(t *testing.T) {
	virtual.Test(t, func(t *testing.T) {
		c := virtual.NewClock()
		for _, d := range []time.Duration{5 * time.Hour, -7 * time.Hour} {
			c.Set(0)
			a := c.Now()
			time.Sleep(time.Second)
			c.Set(d)
			if b := c.Now(); b.Sub(a) != time.Second || b.Round(0).Sub(a.Round(0)) != d+time.Second || a.Round(0).Year() != 2000 {
				t.Fatalf("%v: monotonic %v, wall %v", d, b.Sub(a), b.Round(0).Sub(a.Round(0)))
			}
		}
	})
}
