package plan

import (
	"math"
	"time"
)

// profileSlots is how many values a week has: quarter hours.
const profileSlots = 7 * 96

// Profile learns the usual power of something over the week, in quarter hours of UTC, from its own past. What was long ago
// fades. The zero value knows nothing.
type Profile struct {
	Mean  [profileSlots]float64 // W
	Weeks [profileSlots]uint8   // how many weeks a value rests on, at most memory

	slot  int // the quarter hour being measured, plus one; 0: none
	sum   float64
	count int
}

// memory is the number of weeks over which a value is averaged.
const memory = 6

// slotOf is the quarter hour of the week.
func slotOf(at time.Time) int {
	at = at.UTC()
	return int(at.Weekday())*96 + at.Hour()*4 + at.Minute()/15
}

// Add takes a measurement, W. It reports whether a quarter hour ended, so that the profile is worth storing.
func (p *Profile) Add(at time.Time, w float64) bool {
	if !finite(w) {
		return false
	}
	s, done := slotOf(at)+1, false
	if p.slot != 0 && p.slot != s && p.count > 0 {
		p.learn(p.slot-1, p.sum/float64(p.count))
		done = true
	}
	if p.slot != s {
		p.slot, p.sum, p.count = s, 0, 0
	}
	p.sum += w
	p.count++
	return done
}

func (p *Profile) learn(slot int, w float64) {
	if p.Weeks[slot] < memory {
		p.Weeks[slot]++
	}
	p.Mean[slot] += (w - p.Mean[slot]) / float64(p.Weeks[slot])
}

// At is the power expected at an instant; while this hour of the week is not known, that of the same time on other days.
func (p *Profile) At(at time.Time) (float64, bool) {
	s := slotOf(at)
	if p.Weeks[s] > 0 {
		return p.Mean[s], true
	}
	sum, n := 0.0, 0
	for d := range 7 {
		if k := d*96 + s%96; p.Weeks[k] > 0 {
			sum += p.Mean[k]
			n++
		}
	}
	if n == 0 {
		return 0, false
	}
	return sum / float64(n), true
}

// Sound reports whether a profile that was read from storage can be believed.
func (p *Profile) Sound() bool {
	for i, v := range p.Mean {
		if math.IsNaN(v) || math.IsInf(v, 0) || p.Weeks[i] > memory {
			return false
		}
	}
	return true
}
