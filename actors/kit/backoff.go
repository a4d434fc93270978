package kit

import (
	"math/rand/v2"
	"time"
)

// Backoff is a capped exponential wait with jitter: attempt n waits between half of Min*2^n and all of it, at most Max.
// The zero value waits 100 ms to 30 s.
type Backoff struct {
	Min, Max time.Duration
	attempt  int
}

// Next returns the next wait.
func (b *Backoff) Next() time.Duration {
	lo, hi := b.Min, b.Max
	if lo <= 0 {
		lo = 100 * time.Millisecond
	}
	if hi <= 0 {
		hi = 30 * time.Second
	}
	d := lo
	for i := 0; i < b.attempt && d < hi; i++ {
		d *= 2
	}
	b.attempt++
	d = min(d, hi)
	return d/2 + rand.N(d/2+1)
}

// Reset begins again with the shortest wait.
func (b *Backoff) Reset() { b.attempt = 0 }
