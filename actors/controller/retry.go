package controller

import (
	"math/rand/v2"
	"time"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/msg"
)

// mostWait bounds a wait, whatever is configured.
const mostWait = 24 * time.Hour

// retry counts attempts to connect in vain, for the wait before the next one (OCPP 2.0.1 part 4, 5.3, with its errata).
type retry struct {
	failed int
	other  kit.Backoff // for a station that leaves it to the controller
}

// next is the wait before the next attempt, after one that failed or a connection that was lost.
func (r *retry) next(by msg.Retry) time.Duration {
	if by.Minimum <= 0 {
		return r.other.Next()
	}
	d := by.Minimum
	for range min(r.failed, by.Times) {
		d = min(2*d, mostWait)
	}
	r.failed++
	if by.Range > 0 {
		d += rand.N(by.Range + 1)
	}
	return min(d, mostWait)
}

// reset begins with the shortest wait again, after a connection.
func (r *retry) reset() {
	r.failed = 0
	r.other.Reset()
}
