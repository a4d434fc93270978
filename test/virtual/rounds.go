package virtual

import "testing"

// Rounds is how often something is done: a fifth of n where Fewer says so.
func Rounds(t *testing.T, n int) int {
	t.Helper()
	if !Fewer() {
		return n
	}
	few := max(n/5, 2)
	t.Logf("%d rounds in place of %d: run it without -race and -short for all", few, n)
	return few
}

// Fewer tells whether long tests do less: with the race detector, which makes all of it some ten times slower, and with -short.
func Fewer() bool { return Race || testing.Short() }
