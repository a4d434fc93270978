package kit

import "time"

// Rate is a token bucket: Burst at once, and one more each Every. It belongs to one goroutine.
type Rate struct {
	Burst int
	Every time.Duration

	used int
	at   time.Time
}

// Wait takes one and returns how long the taker has to wait for it; 0 when there was one.
func (r *Rate) Wait(now time.Time) time.Duration {
	if back := int(now.Sub(r.at) / r.Every); r.used > 0 && back > 0 {
		r.used = max(0, r.used-back)
		r.at = r.at.Add(time.Duration(back) * r.Every)
	}
	if r.used == 0 {
		r.at = now
	}
	r.used++
	if over := r.used - r.Burst; over > 0 {
		return max(0, r.at.Add(time.Duration(over)*r.Every).Sub(now))
	}
	return 0
}

// Allow takes one if there is one.
func (r *Rate) Allow(now time.Time) bool {
	if r.Wait(now) > 0 {
		r.used--
		return false
	}
	return true
}
