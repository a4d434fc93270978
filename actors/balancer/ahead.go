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

// estimatesAtOnce bounds how many vehicles' estimates are worked out in one decision, so that none takes long.
const estimatesAtOnce = 8

// estimate works out what drivers are told, for a few EVSEs in turn.
func (b *Balancer) estimate(now time.Time) {
	n := b.tree.EVSEs()
	for range min(n, estimatesAtOnce) {
		b.nextEstimate = (b.nextEstimate + 1) % n
		t := b.tree.EVSE(b.nextEstimate)
		e := b.evses[t.ID]
		if e == nil {
			continue
		}
		if !e.report.Plugged || !b.wants(e) || e.report.SoC < 0 || e.report.Capacity <= 0 {
			e.estimates = nil
			continue
		}
		e.estimates = plan.Expect(now, e.report.SoC, e.report.Capacity, efficiency, b.expected(t, e, b.adviceOf(t, e)), b.cfg.Tariff)
	}
}

// adviceOf is the plan for the vehicle that is at an EVSE, nil when there is none.
func (b *Balancer) adviceOf(t *topology.EVSE, e *evse) *plan.Advice {
	if a := b.advices[t.ID]; a != nil && a.Since.Equal(e.report.Since) {
		return a
	}
	return nil
}

// lookAhead works out plans and flexibility for display.
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
		e.steps = nil
		if !e.report.Plugged || !b.wants(e) {
			continue
		}
		a := b.adviceOf(t, e)
		if a != nil {
			for _, s := range a.Steps[:len(a.Steps)-1] {
				e.steps = append(e.steps, msg.StepView{From: s.From.UTC().Round(time.Second), Power: roundW(b.powerOf(t, e, s))})
			}
		}
		site.Vehicles = append(site.Vehicles, b.flexible(t, e, a, now, b.expected(t, e, a)))
	}
	b.flex = flex.New(site)
}

// expected is the power that a vehicle is expected to draw at an instant: what it may draw now, until the plan says
// otherwise, and the plan's figure from then on. It must be asked for instants in order.
func (b *Balancer) expected(t *topology.EVSE, e *evse, a *plan.Advice) func(time.Time) si.Watts {
	granted := b.powerOf(t, e, plan.Step{Import: e.granted.Import.Highest()})
	if a == nil || len(a.Steps) < 2 {
		return func(time.Time) si.Watts { return granted }
	}
	next, now := 1, granted
	return func(at time.Time) si.Watts {
		for next < len(a.Steps) && !a.Steps[next].From.After(at) {
			if now = granted; next+1 < len(a.Steps) { // the last step is the plan's end
				now = b.powerOf(t, e, a.Steps[next])
			}
			next++
		}
		return now
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
