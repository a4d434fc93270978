package balancer

import (
	"math"
	"time"

	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/flex"
	"github.com/voltyard/voltyard/site/plan"
	"github.com/voltyard/voltyard/site/topology"
)

// aheadEvery is how often what lies ahead is worked out anew for those who look at it.
const aheadEvery = 10 * time.Second

// efficiency is the share of what is taken from the grid that arrives in a vehicle's battery.
const efficiency = 0.9

// lookAhead works out plans, estimates and flexibility for display.
func (b *Balancer) lookAhead(now time.Time) {
	b.aheadAt = now
	site := flex.Site{Now: now, Headroom: b.headroom(), Feed: b.feed(), Worth: 1}
	if t := b.cfg.Tariff; t != nil {
		site.Worth, site.Wear, site.Currency = t.Worth(), t.Wear, t.Currency
	}
	for i := range b.tree.EVSEs() {
		t := b.tree.EVSE(i)
		e := b.evses[t.ID]
		if e == nil {
			continue
		}
		e.steps, e.estimates = nil, nil
		if !e.report.Plugged || !b.wants(e) {
			continue
		}
		a := b.advices[t.ID]
		if a != nil && !a.Since.Equal(e.report.Since) {
			a = nil
		}
		if a != nil {
			for _, s := range a.Steps[:len(a.Steps)-1] {
				e.steps = append(e.steps, msg.StepView{From: s.From.UTC().Round(time.Second), Power: roundW(b.powerOf(t, e, s))})
			}
		}
		power := b.expected(t, e, a, now)
		e.estimates = plan.Expect(now, e.report.SoC, e.report.Capacity, efficiency, power, b.cfg.Tariff)
		site.Vehicles = append(site.Vehicles, b.flexible(t, e, a, now, power))
	}
	b.flex = flex.New(site)
}

// expected is the power that a vehicle is expected to draw at an instant: what it may draw now, until the plan says
// otherwise, and the plan's figure from then on.
func (b *Balancer) expected(t *topology.EVSE, e *evse, a *plan.Advice, now time.Time) func(time.Time) si.Watts {
	granted := b.powerOf(t, e, plan.Step{Import: e.granted.Import.Highest()})
	return func(at time.Time) si.Watts {
		if a == nil || len(a.Steps) < 2 || at.Before(a.Steps[1].From) {
			return granted
		}
		if s, ok := a.At(at); ok {
			return b.powerOf(t, e, s)
		}
		return granted
	}
}

func (b *Balancer) flexible(t *topology.EVSE, e *evse, a *plan.Advice, now time.Time, power func(time.Time) si.Watts) flex.Vehicle {
	r := &e.report
	v := flex.Vehicle{Max: b.maxPower(t, e), Need: r.Wanted}
	v.Export = max(0, -b.powerOf(t, e, plan.Step{Export: b.canExport(t, e)}))
	if r.SoC >= 0 && r.Capacity > 0 {
		v.Spare = si.WattHours(max(0, float64(r.SoC-b.cfg.Reserve)/100*float64(r.Capacity)))
	}
	if a != nil && a.Need > 0 {
		v.Need = a.Need
	}
	if d := b.departure(e); !d.IsZero() {
		v.Stay = d.Sub(now)
	}
	const n = 12
	for h := range v.Plan {
		for k := range n {
			v.Plan[h] += power(now.Add(time.Duration(h)*time.Hour+time.Duration(k)*time.Hour/n)) / n
		}
	}
	return v
}

// headroom is what the limits of the grid connection leave for drawing more, W; +Inf when nothing limits.
func (b *Balancer) headroom() si.Watts {
	return b.room(b.result.ImportBound, func(e *evse) si.Phases { return e.granted.Import })
}

// feed is the same for giving back.
func (b *Balancer) feed() si.Watts {
	return b.room(b.result.ExportBound, func(e *evse) si.Phases { return e.granted.Export })
}

func (b *Balancer) room(bounds []float64, granted func(*evse) si.Phases) si.Watts {
	x := make([]si.Phases, b.tree.EVSEs())
	for i := range x {
		if e := b.evses[b.tree.EVSE(i).ID]; e != nil {
			x[i] = granted(e)
		}
	}
	least := math.Inf(1)
	for _, r := range b.tree.RowsAt(b.tree.Root()) {
		if r >= len(bounds) || math.IsInf(bounds[r], 1) {
			continue
		}
		left := bounds[r] - b.tree.Load(r, x)
		if b.tree.Rows()[r].Quantity == topology.Current {
			left *= 3 * float64(b.tree.Voltage())
		}
		least = math.Min(least, left)
	}
	if math.IsInf(least, 1) {
		return si.Watts(math.Inf(1))
	}
	return si.Watts(math.Max(0, least))
}

func roundW(w si.Watts) si.Watts { return si.Watts(math.Round(float64(w))) }
