package plan

import (
	"math"
	"slices"
)

// Stays learns how long vehicles really stay from those that have left, given what their drivers had said. Everything is in
// slots. Estimates use past stays only; an exponential prior stands in while there are few.
type Stays struct {
	PerDay int // slots per day
	past   []stay
}

type stay struct {
	phase  float64 // arrival within the day, 0 to 1
	said   float64 // logarithm of the stated stay, or noStatement
	length int
}

// Parameters of the estimate.
const (
	saidWidth  = 0.5  // of the kernel over the logarithm of the stated stay
	phaseWidth = 0.06 // of the kernel over the time of day, in days
	priorMean  = 0.25 // mean stay of the prior, in days
	priorStays = 2.0  // number of stays the prior is worth
	mostStays  = 4000 // older ones are forgotten
)

const noStatement = -1

func saidOf(stated int) float64 {
	if stated <= 0 {
		return noStatement
	}
	return math.Log(float64(stated))
}

// Add takes a finished stay: arrival slot, stated stay (0: none) and true stay.
func (s *Stays) Add(arrival, stated, length int) {
	if len(s.past) >= mostStays {
		s.past = s.past[len(s.past)-mostStays/2:]
	}
	s.past = append(s.past, stay{s.phase(arrival), saidOf(stated), max(1, length)})
}

func (s *Stays) phase(arrival int) float64 {
	return float64(((arrival%s.PerDay)+s.PerDay)%s.PerDay) / float64(s.PerDay)
}

// Survival is the estimated chance that a stay is longer than a number of slots.
type Survival struct {
	sum []float64 // sum[i] of the chances of 0..i-1
}

// Estimate returns the survival of a stay that begins at arrival with a stated length (0: none), up to horizon slots.
func (s *Stays) Estimate(arrival, stated, horizon int) Survival {
	phase, said := s.phase(arrival), saidOf(stated)
	type sample struct {
		length int
		weight float64
	}
	var near []sample
	total := 0.0
	for _, p := range s.past {
		d := math.Abs(p.phase - phase)
		d = math.Min(d, 1-d) / phaseWidth
		e := (p.said - said) / saidWidth
		if w := math.Exp(-0.5 * (d*d + e*e)); w > 1e-4 {
			near = append(near, sample{p.length, w})
			total += w
		}
	}
	slices.SortFunc(near, func(a, b sample) int { return a.length - b.length })
	v := Survival{sum: make([]float64, horizon+2)}
	left, next := total, 0
	for t := range horizon + 1 {
		for ; next < len(near) && near[next].length <= t; next++ {
			left -= near[next].weight
		}
		prior := math.Exp(-float64(t) / (priorMean * float64(s.PerDay)))
		v.sum[t+1] = v.sum[t] + (math.Max(0, left)+priorStays*prior)/(total+priorStays)
	}
	return v
}

// at is the chance of slot t.
func (v *Survival) at(t int) float64 { return v.sum[t+1] - v.sum[t] }

// Mean returns the average chance over the slots [from, to) from now that a vehicle that has been there for elapsed slots
// is still there.
func (v *Survival) Mean(elapsed, from, to int) float64 {
	last := len(v.sum) - 2
	if elapsed >= last {
		return math.Exp(-float64(from+to) / 2 * 0.02)
	}
	now := v.at(elapsed)
	a, b := min(last, elapsed+from), min(last, elapsed+to)
	if now <= 0 || to <= from {
		return 0
	}
	return math.Min(1, (v.sum[b]-v.sum[a])/now/float64(to-from))
}
