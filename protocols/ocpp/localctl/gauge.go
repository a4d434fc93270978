package localctl

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/voltyard/voltyard/hal/si"
)

// Whether a station follows its limit shows in the current that it reports. One that reports none is judged by its power, and without
// that by the growth of its energy registers over their own timestamps. No honest station may be accused, so everything speaks for it:
// a tenth of voltage above the nominal, an ampere for its meter and its own needs, all phases where it is not known that a vehicle uses
// one, the highest limit that it had at any time between two readings and for some seconds before, a step of the register, and time
// for clocks that are set and for readings that wait. Only a station whose readings are late by more than lagged, or by more than slack
// while its clock is set, may be wronged, until its next ones: to wait longer for all would leave fuses overloaded longer. A vehicle on
// one phase of a station that does not say so may draw three times as much before that shows.

const (
	swell      = 1.1              // of the voltage, by which power may be more than it says
	meterError = 1.005            // of an energy register
	lagged     = 15 * time.Second // after a limit was settled, a reading may be from before
	slack      = 10 * time.Second // added to the time between two readings
	shortest   = 20 * time.Second // between two readings that tell something
	maxMarks   = 16               // readings of a register that are kept
)

// mark is a reading of an energy register.
type mark struct {
	at    time.Time // when it was true, by our clock, at the latest
	heard time.Time
	ts    time.Time // by the station's
	wh    float64
	most  si.Amps // the highest limit since then
}

// gauge is what registers tell of a station.
type gauge struct {
	over  bool
	from  time.Time // the readings that showed it
	watts float64   // that it drew then, at the least
}

// watts is the most that a station draws which keeps to a limit.
func (r *Relay) watts(a si.Amps) float64 {
	volts := float64(r.cfg.Volts)
	if volts <= 0 {
		volts = 230
	}
	return volts * swell * float64(a+1) * float64(r.phases())
}

// phases is on how many the station may draw.
func (r *Relay) phases() int {
	if len(r.seen.evses) == 1 {
		for _, e := range r.seen.evses {
			if e.phases == 1 {
				return 1
			}
		}
	}
	return r.cfg.Phases
}

// over tells whether the station was last seen to draw more than it accepted, with a tolerance for its meter.
func (r *Relay) over() bool {
	s, l := &r.seen, &r.limit
	switch {
	case !l.hasLimit:
		return false
	case s.measured():
		return s.highest() > l.inForce+1
	case s.powered():
		return float64(s.last.Power) > r.watts(l.inForce)
	}
	return r.gauge.over
}

// draws says what the station was seen to draw.
func (r *Relay) draws() string {
	switch {
	case r.seen.measured():
		return fmt.Sprint(r.seen.highest())
	case r.seen.powered():
		return fmt.Sprint(r.seen.last.Power)
	}
	return "more, by its energy register"
}

func (s *seen) powered() bool {
	for _, e := range s.evses {
		if e.powered {
			return true
		}
	}
	return false
}

// allow notes that the station may draw as much from now on.
func (r *Relay) allow(a si.Amps) {
	for _, e := range r.seen.evses {
		for i := range e.marks {
			e.marks[i].most = max(e.marks[i].most, a)
		}
	}
}

// allowed is the most that a station that follows may have drawn when a reading of now was true.
func (r *Relay) allowed(age time.Duration) si.Amps {
	l := &r.limit
	most := l.inForce
	if l.stage == sending {
		most = max(most, l.amps)
	}
	if r.now.Add(-age).Before(l.wasTo) {
		most = max(most, l.was)
	}
	return most
}

// lowered remembers from which limit the station is on its way down.
func (l *limiter) lowered(now time.Time, from si.Amps) {
	if now.Before(l.wasTo) {
		from = max(from, l.was)
	}
	l.was, l.wasTo = from, now.Add(l.settle+lagged)
}

// register takes in a live reading of an EVSE's energy register.
func (r *Relay) register(e *evseSeen, ts time.Time, wh float64, age time.Duration) {
	if !r.limit.hasLimit || e.measured || e.powered || ts.IsZero() {
		return
	}
	if n := len(e.marks); n > 0 && (wh < e.marks[n-1].wh || !ts.After(e.marks[n-1].ts)) {
		if wh < e.marks[n-1].wh {
			e.marks = nil // another register
		}
		return
	}
	if g := grain(wh); len(e.marks) == 0 || g < e.grain {
		e.grain = g
	}
	if n := len(e.marks); n > 2 && e.marks[n-1].ts.Sub(e.marks[n-2].ts) < shortest { // the ones kept have to reach far enough
		e.marks[n-2].most = max(e.marks[n-2].most, e.marks[n-1].most)
		e.marks = e.marks[:n-1]
	}
	e.marks = append(e.marks, mark{at: r.now.Add(-age), heard: r.now, ts: ts, wh: wh, most: r.allowed(age)})
	e.marks = e.marks[max(0, len(e.marks)-maxMarks):]
	r.seen.heard = r.now
	for i := range e.marks {
		switch over, clear, watts := r.excess(e, i); {
		case over:
			r.gauge = gauge{true, r.now, watts}
			for _, x := range r.seen.evses { // what comes from now on says whether it follows
				x.marks = x.marks[max(0, len(x.marks)-1):]
			}
			return
		case clear && r.gauge.over && !e.marks[i].heard.Before(r.gauge.from):
			r.gauge.over = false
			return
		}
	}
}

// excess looks at what was drawn since a reading. Over: more than any limit since then allows, namely watts at the least; clear: no more
// than the limit in force, in a time that would have shown it had the station gone on as when it was noticed.
func (r *Relay) excess(e *evseSeen, i int) (over, clear bool, watts float64) {
	from := &e.marks[i]
	var grown, grains float64
	span := r.now.Sub(from.at)
	most := from.most
	if from.ts.Add(shortest).After(e.marks[len(e.marks)-1].ts) {
		return false, false, 0
	}
	for _, x := range r.seen.evses {
		k := slices.IndexFunc(x.marks, func(m mark) bool { return !m.at.Before(from.at) })
		if k < 0 || k == len(x.marks)-1 {
			continue
		}
		a, b := &x.marks[k], &x.marks[len(x.marks)-1]
		grown += (b.wh - a.wh) / meterError
		grains += x.grain
		span = max(span, b.ts.Sub(a.ts))
		for _, m := range x.marks[k:] {
			most = max(most, m.most)
		}
	}
	may := r.watts(most) * (span + slack).Hours()
	before := r.gauge.watts
	tells := before <= r.watts(r.limit.inForce) || before*span.Hours()-grains > may
	return grown-grains > may, tells && most <= r.limit.inForce && may > 2*grains && grown+grains <= may, grown / span.Hours()
}

// grain is by which steps a register may count that shows this.
func grain(wh float64) float64 {
	for _, g := range []float64{1000, 100, 10} {
		if d := math.Abs(math.Mod(wh, g)); d < 1e-6 || g-d < 1e-6 {
			return g
		}
	}
	return 1
}

// rests is when an EVSE draws nothing, as the station says.
func (r *Relay) rests(e *evseSeen) {
	e.amps, e.power, e.marks = si.Phases{}, 0, nil
	for _, x := range r.seen.evses {
		if len(x.marks) > 0 {
			return
		}
	}
	r.gauge.over = false
}
