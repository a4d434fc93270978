// Package virtual runs tests in virtual time, and says whether the race detector makes them slow. Only tests and the packages that help them import it.
package virtual

import (
	"testing"
	"testing/synctest"
)

// Test is synctest.Test, made safe for the race detector: see serialise.
func Test(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	defer serialise()()
	synctest.Test(t, f)
}
