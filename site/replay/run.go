// Package replay plays recorded charging sessions through allocation policies: five-minute periods, the exact phasor limits
// of a network file, and what was delivered, to whom, at the end. The command line and the benchmarks use it; so do tests
// that compare with published results. It is pure: files are read by the caller, time is measured with the caller's clock.
package replay

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/voltyard/voltyard/site/plan"
)

// What a policy is told about departures.
const (
	TrueDeparture   = "true"
	StatedDeparture = "stated"
	NoDeparture     = "none"
)

// Case is one run.
type Case struct {
	Site      *Site
	Sessions  []Session
	Capacity  float64 // kW
	Policy    string
	Departure string               // TrueDeparture, StatedDeparture or NoDeparture
	Clock     func() time.Time     // for the decision time; nil: not measured
	Progress  func(done, of int)   // called now and then with periods; may be nil
	Watch     func(period *Period) // called for every period with vehicles; may be nil
}

// Period is what happened in one period.
type Period struct {
	Number int
	Cars   []*Car
	KW     float64 // delivered
}

// Outcome is the result of a Case.
type Outcome struct {
	CapacityKW       float64 `json:"capacity_kw"`
	Policy           string  `json:"policy"`
	Departure        string  `json:"departure"`
	DeliveredPercent float64 `json:"delivered_pct"` // of the energy asked for
	MetPercent       float64 `json:"met_pct"`       // sessions that lack less than 0.1 kWh
	Violations       int     `json:"violations"`    // periods with a limit exceeded or a value that is not finite
	ShareP5          float64 `json:"share_p5"`      // 5th percentile over sessions of delivered over asked for
	MeanMS           float64 `json:"decision_ms_mean"`
	P99MS            float64 `json:"decision_ms_p99"`
	Decisions        int     `json:"decisions"`

	Delivered []float64 `json:"-"` // kWh per session
}

// Run plays a case.
func Run(c Case) (Outcome, error) {
	out := Outcome{CapacityKW: c.Capacity, Policy: c.Policy, Departure: c.Departure}
	net, err := c.Site.At(c.Capacity)
	if err != nil {
		return out, err
	}
	if c.Departure != TrueDeparture && c.Departure != StatedDeparture && c.Departure != NoDeparture {
		return out, fmt.Errorf("departure %q: want true, stated or none", c.Departure)
	}
	policy := NewPolicy(c.Policy, c.Departure == TrueDeparture)
	if policy == nil {
		return out, fmt.Errorf("policy %q: want one of %v", c.Policy, PolicyNames())
	}
	perPeriod := c.Site.Volts / 1000 * 24 / PeriodsPerDay // kWh of 1 A for one period
	cars := make([]Car, len(c.Sessions))
	end := 0
	for i := range c.Sessions {
		s := &c.Sessions[i]
		parts := c.Site.Parts(s.EVSE)
		if parts == nil {
			return out, fmt.Errorf("session %s: the network file has no EVSE %s", s.ID, s.EVSE)
		}
		cars[i] = Car{ID: i, Arrival: s.Arrival, Departure: plan.Never, Parts: parts, Left: s.KWh / perPeriod,
			Max: math.Min(c.Site.MaxAmps(), s.MaxKW*1000/c.Site.Volts)}
		switch c.Departure {
		case TrueDeparture:
			cars[i].Departure = s.Departure
		case StatedDeparture:
			if s.Stated != 0 {
				cars[i].Departure = s.Stated
			}
		}
		end = max(end, s.Departure)
	}
	out.Delivered = make([]float64, len(cars))
	var here []*Car
	var times []float64
	next := 0
	start := 0
	if len(cars) > 0 {
		start = cars[0].Arrival
	}
	for now := start; now < end; now++ {
		if c.Progress != nil && now%PeriodsPerDay == 0 {
			c.Progress(now-start, end-start)
		}
		here = slices.DeleteFunc(here, func(car *Car) bool {
			if c.Sessions[car.ID].Departure > now {
				return false
			}
			policy.Gone(now, car)
			return true
		})
		for ; next < len(cars) && cars[next].Arrival <= now; next++ {
			if c.Sessions[next].Departure > now {
				here = append(here, &cars[next])
			}
		}
		active := make([]*Car, 0, len(here))
		for _, car := range here {
			car.Rate = 0
			if car.Left > 1e-9 && car.Max > 0 {
				active = append(active, car)
			}
		}
		if len(active) == 0 {
			continue
		}
		var began time.Time
		if c.Clock != nil {
			began = c.Clock()
		}
		policy.Decide(now, net, active)
		if c.Clock != nil {
			times = append(times, float64(c.Clock().Sub(began))/1e6)
		}
		out.Decisions++
		bad := false
		period := Period{Number: now, Cars: active}
		for _, car := range active {
			if !(car.Rate >= 0 && car.Rate <= car.Cap()+1e-6) { // also true for NaN
				bad = true
				car.Rate = 0
				continue
			}
			car.Left = math.Max(0, car.Left-car.Rate)
			out.Delivered[car.ID] += car.Rate * perPeriod
			period.KW += car.Rate * c.Site.Volts / 1000
		}
		if bad || net.Violation(plan.Sums(net, active)) > 1e-6 {
			out.Violations++
		}
		if c.Watch != nil {
			c.Watch(&period)
		}
	}
	out.score(c.Sessions, times)
	return out, nil
}

func (o *Outcome) score(sessions []Session, times []float64) {
	asked, got, met := 0.0, 0.0, 0
	var shares []float64
	for i := range sessions {
		asked += sessions[i].KWh
		got += o.Delivered[i]
		if sessions[i].KWh-o.Delivered[i] < 0.1 {
			met++
		}
		if sessions[i].KWh > 0 {
			shares = append(shares, o.Delivered[i]/sessions[i].KWh)
		}
	}
	if asked > 0 {
		o.DeliveredPercent = 100 * got / asked
	}
	if len(sessions) > 0 {
		o.MetPercent = 100 * float64(met) / float64(len(sessions))
	}
	o.ShareP5 = quantile(shares, 0.05)
	o.P99MS = quantile(times, 0.99)
	for _, t := range times {
		o.MeanMS += t / float64(len(times))
	}
}

// quantile sorts x and returns its q-quantile (nearest rank), 0 for none.
func quantile(x []float64, q float64) float64 {
	if len(x) == 0 {
		return 0
	}
	slices.Sort(x)
	return x[min(len(x)-1, max(0, int(math.Ceil(q*float64(len(x))))-1))]
}
