//go:build race

package virtual

import (
	"runtime"
	"sync"
)

// Race tells whether the race detector is on.
const Race = true

var running struct {
	sync.Mutex
	bubbles, processors int
}

// serialise lets one processor run Go code until the last of the functions it returned is called. All timers of a bubble share
// one context of the race detector; two of them that fire at the same moment on two processors crash the detector
// (golang/go#78156, Go 1.26). The detector goes by what orders two accesses, not by whether they met in time, so it finds on
// one processor what it would find on two.
func serialise() func() {
	running.Lock()
	defer running.Unlock()
	if running.bubbles++; running.bubbles == 1 {
		running.processors = runtime.GOMAXPROCS(1)
	}
	return sync.OnceFunc(func() {
		running.Lock()
		defer running.Unlock()
		if running.bubbles--; running.bubbles == 0 {
			runtime.GOMAXPROCS(running.processors)
		}
	})
}
