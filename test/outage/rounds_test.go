package outage

import "testing"

// rounds is how often something is done: a fifth of n with the race detector, which makes all of it some ten times slower, and with
// -short.
func rounds(t *testing.T, n int) int {
	t.Helper()
	if !raceEnabled && !testing.Short() {
		return n
	}
	few := max(n/5, 2)
	t.Logf("%d rounds in place of %d: run it without -race and -short for all", few, n)
	return few
}
