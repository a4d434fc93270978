// Package benchkit is what benches share: percentiles and the lateness of an idle ticker. Only test/bench calls it.
package benchkit

import (
	"math"
	"slices"
	"sync"
	"time"
)

// Quantile returns the q-quantile of durations in ms (nearest rank), 0 for none.
func Quantile(d []time.Duration, q float64) float64 {
	if len(d) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(d))
	return Millis(s[min(len(s)-1, max(0, int(math.Ceil(q*float64(len(s))))-1))])
}

// Millis is d in ms, in steps of a microsecond.
func Millis(d time.Duration) float64 {
	return float64(d.Round(time.Microsecond)) / float64(time.Millisecond)
}

// Lateness measures how late an idle 10 ms ticker is until the returned function is called; that gives the 99th percentile
// in ms.
func Lateness() (stop func() float64) {
	const period = 10 * time.Millisecond
	var late []time.Duration
	quit := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		next := time.Now().Add(period)
		for {
			timer := time.NewTimer(time.Until(next))
			select {
			case <-quit:
				timer.Stop()
				return
			case <-timer.C:
			}
			now := time.Now()
			late = append(late, max(0, now.Sub(next)))
			for !next.After(now) {
				next = next.Add(period)
			}
		}
	})
	return func() float64 {
		close(quit)
		done.Wait()
		return Quantile(late, 0.99)
	}
}

// Site says how a bench's site is made.
type Site struct {
	EVSEs int
	Seed  uint64
}
