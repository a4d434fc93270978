package grid

import "time"

// Bounds of the randomised delay of the UK's smart charge point regulations (SI 2021/1467): at least up to 10 minutes by
// default; a driver or operator may shorten a single one.
const (
	DefaultDelay = 10 * time.Minute
	LongestDelay = 30 * time.Minute
)

// Delay spreads what many sites would do at the same instant (the start and the end of a cheap period, the return of the
// mains) over up to Longest.
type Delay struct {
	Longest time.Duration // 0 means 10 minutes; more than 30 minutes counts as 30
	until   time.Time
}

// Start begins a delay. random is uniform in [0, 1); values outside count as the nearest in it.
func (d *Delay) Start(now time.Time, random float64) {
	longest := d.Longest
	if longest <= 0 {
		longest = DefaultDelay
	}
	longest = min(longest, LongestDelay)
	if !(random >= 0) { // also true for NaN
		random = 0
	}
	d.until = now.Add(time.Duration(min(random, 1) * float64(longest)).Round(time.Second))
}

// Skip ends a running delay.
func (d *Delay) Skip() { d.until = time.Time{} }

// Waiting reports whether the change must still wait, and until when. A limit or reduction for safety never waits.
func (d *Delay) Waiting(now time.Time) (until time.Time, waiting bool) {
	if d.until.IsZero() || !now.Before(d.until) {
		return time.Time{}, false
	}
	return d.until, true
}
