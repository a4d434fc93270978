package balancer

import (
	"fmt"
	"math"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/allocate"
	"github.com/voltyard/voltyard/site/limits"
	"github.com/voltyard/voltyard/site/plan"
	"github.com/voltyard/voltyard/site/topology"
)

// Times of planning.
const (
	planEvery = time.Minute
	planSoon  = 2 * time.Second // after an event, so that what comes together is planned together
	planFresh = 5 * time.Minute // after this a plan orders nothing that could cost: no vehicle is discharged by it
)

// The plan is advice for the fast layer. It can order who comes first, and have a vehicle wait for a cheaper hour; it never
// lifts a limit, and nothing waits for it. When the planner is late or dead, its last schedule is followed to its end, because
// dropping it would raise power on silence; vehicles that came later get their even share.

// replan has a plan made soon.
func (b *Balancer) replan() {
	if !b.cfg.PlanOff && !b.planAt.IsZero() && b.planAt.Sub(b.clock()) > planSoon {
		b.planAt = b.clock().Add(planSoon)
		b.timers.Set("plan", planSoon)
	}
}

// askForPlan sends the planner what it needs to know.
func (b *Balancer) askForPlan(ctx actor.Context, now time.Time) {
	if b.cfg.PlanOff {
		return
	}
	b.planAt = now.Add(planEvery)
	b.timers.Set("plan", planEvery)
	if b.result.ImportBound == nil {
		return
	}
	t := msg.PlanTask{Task: plan.Task{Now: now, Tree: b.tree, Bounds: b.result.ImportBound, Visits: b.visits(now), Tariff: b.cfg.Tariff}}
	root := b.tree.Node(b.tree.Root()).ID
	if b.meters[root] != nil && !b.stale(root, now) {
		w := b.meters[root].background().Power(b.tree.Voltage())
		t.Load = &w
	}
	if pv, ok := b.pv(now); ok {
		t.PV = &pv
	}
	if q := b.quarters[root]; q != nil && q.full != nil {
		t.Average, t.Quarter = q.full, q.fullAt
		q.full = nil
	}
	ctx.Send(b.env.At(msg.Planner), t)
}

// visits are the vehicles as the planner sees them.
func (b *Balancer) visits(now time.Time) []plan.Visit {
	var out []plan.Visit
	for i := range b.tree.EVSEs() {
		t := b.tree.EVSE(i)
		e := b.evses[t.ID]
		if e == nil || !e.report.Plugged || e.lost || !b.wants(e) {
			continue
		}
		r := &e.report
		v := plan.Visit{EVSE: t.ID, Since: r.Since, Stay: now.Sub(r.Since), Wanted: r.Wanted, Delivered: r.Energy, Max: t.Max, Phases: r.Phases,
			SoC: r.SoC, Reserve: b.cfg.Reserve, Capacity: r.Capacity, Export: b.canExport(t, e)}
		if a := b.accepts(t, e); a != nil {
			v.Max = min(v.Max, *a)
		}
		if d := b.departure(e); !d.IsZero() {
			v.Departure = max(time.Minute, d.Sub(now))
		}
		if e.needs.energy != nil {
			v.Wanted = max(1, *e.needs.energy-r.Energy)
		}
		out = append(out, v)
	}
	return out
}

// departure is what the driver, else the vehicle, says; zero when nobody does.
func (b *Balancer) departure(e *evse) time.Time {
	if !e.needs.departure.IsZero() {
		return e.needs.departure
	}
	return e.report.Departure
}

// canExport is what an EVSE's vehicle can give back now, per phase. Whose state of charge is at its driver's reserve, or not
// known, gives nothing.
func (b *Balancer) canExport(t *topology.EVSE, e *evse) si.Amps {
	r := &e.report
	if e.lost || t.MaxExport <= 0 || r.MaxExport <= 0 || r.SoC < 0 || r.SoC <= b.cfg.Reserve || r.Stopped || r.Fault != "" || !r.Auth {
		return 0
	}
	phases := t.Phases
	if r.Phases == 1 {
		phases = 1
	}
	return min(t.MaxExport, si.Amps(float64(r.MaxExport)/float64(b.perAmp(t))/float64(phases)))
}

// mostEntries bounds the schedule that a vehicle is told.
const mostEntries = 24

// tellVehicles has vehicles that are to wait know their schedule, so that they may sleep meanwhile. One whose schedule has
// changed negotiates anew. A vehicle that need not wait is told nothing, except that an older schedule is no longer meant.
func (b *Balancer) tellVehicles(ctx actor.Context, now time.Time) {
	for i := range b.tree.EVSEs() {
		t := b.tree.EVSE(i)
		e := b.evses[t.ID]
		if e == nil || !e.report.Plugged {
			continue
		}
		a := b.advices[t.ID]
		if a == nil || !a.Since.Equal(e.report.Since) || !a.Waits || len(a.Steps) < 2 {
			if e.scheduled != nil {
				e.scheduled = nil
				all := []msg.PlanTuple{{ID: 1, End: 24 * time.Hour, Entries: []msg.PlanEntry{{Max: b.powerOf(t, e, plan.Step{Import: t.Max})}}}}
				ctx.Send(b.env.At(msg.EVSEName(t.ID)), msg.VehiclePlan{EVSE: t.ID, Tuples: all, Renegotiate: true})
			}
			continue
		}
		var entries []msg.PlanEntry
		for _, s := range a.Steps[:len(a.Steps)-1] {
			w := max(0, roundW(b.powerOf(t, e, plan.Step{Import: s.Import})))
			if !(s.Import >= t.Min) { // also for what is no number
				w = 0
			}
			if n := len(entries); (n == 0 || entries[n-1].Max != w) && n < mostEntries {
				entries = append(entries, msg.PlanEntry{Start: max(0, s.From.Sub(now)), Max: w})
			}
		}
		again := e.scheduled != nil && (entries[0].Max > 0) != (e.scheduled[0].Max > 0)
		e.scheduled = entries
		end := max(time.Minute, a.Steps[len(a.Steps)-1].From.Sub(now))
		ctx.Send(b.env.At(msg.EVSEName(t.ID)), msg.VehiclePlan{EVSE: t.ID, Tuples: []msg.PlanTuple{{ID: 1, Entries: entries, End: end}}, Renegotiate: again})
	}
}

// planned takes in a plan.
func (b *Balancer) planned(ctx actor.Context, now time.Time, m msg.Planned) {
	if m.Made.Before(b.plan.Made) {
		return
	}
	b.plan = m.Schedule
	b.advices = map[string]*plan.Advice{}
	for i := range m.Advices {
		b.advices[m.Advices[i].EVSE] = &m.Advices[i]
	}
	b.tellVehicles(ctx, now)
	b.lookAhead(now)
}

// follow puts what the plan says about an EVSE into the snapshot.
func (b *Balancer) follow(x *allocate.EVSE, t *topology.EVSE, e *evse, now time.Time) {
	e.waits, e.planCap = time.Time{}, 0
	a := b.advices[t.ID]
	if a == nil || !a.Since.Equal(e.report.Since) {
		return
	}
	step, ok := a.At(now)
	if !ok || !si.Finite(step.Import, step.Export) {
		return
	}
	switch {
	case step.Export > 0 && now.Sub(b.plan.Made) < planFresh && x.Discharge == 0:
		x.Discharge = min(step.Export, b.canExport(t, e))
	case !a.Waits:
		x.Plan = &step.Import
		return
	}
	if x.Accepts == nil || *x.Accepts > step.Import {
		x.Accepts, e.planCap = &step.Import, step.Import
		if step.Import < t.Min {
			e.waits = a.Next(now, func(s plan.Step) bool { return s.Import >= t.Min })
		}
	}
}

// peak enters the power that the plan keeps the site under for the sake of the demand charge.
func (b *Balancer) peak(s *allocate.Snapshot) {
	if b.plan.Peak <= 0 || !si.Finite(b.plan.Peak) {
		return
	}
	root, w := b.tree.Node(b.tree.Root()).ID, b.plan.Peak
	bound := limits.Bound{Source: "plan", ID: "peak", React: topology.DefaultContractReact}
	for i := range s.Limits {
		if s.Limits[i].Node == root {
			s.Limits[i].Tighten(limits.Values{ImportW: &w}, bound)
			return
		}
	}
	e := limits.Effective{Node: root}
	e.Tighten(limits.Values{ImportW: &w}, bound)
	s.Limits = append(s.Limits, e)
}

// why puts in words what binds an EVSE.
func (b *Balancer) why(t *topology.EVSE, e *evse, bind allocate.Binding) string {
	switch {
	case bind.Kind == allocate.Own:
		says := func(a si.Amps) string {
			if t.Kind == topology.DC {
				return fmt.Sprintf("%.4g kW", float64(b.powerOf(t, e, plan.Step{Import: a}))/1000)
			}
			return fmt.Sprintf("%.4g A", float64(a))
		}
		if e.planCap > 0 {
			return fmt.Sprintf("plan: %s now, the rest in a better hour", says(e.planCap))
		}
		if most := b.accepts(t, e); most != nil && *most < t.Max {
			return fmt.Sprintf("%s: no more than %s", e.acceptsBy, says(*most))
		}
		return "the EVSE's own maximum of " + says(t.Max)
	case e.needs.pause:
		return "paused by command"
	case !e.waits.IsZero() && bind.Kind == allocate.Nothing:
		return fmt.Sprintf("plan: waits for a better hour, %s", e.waits.UTC().Format("15:04 UTC"))
	}
	return bind.String()
}

// powerOf is the power from the grid of a step of an EVSE's plan, negative when giving back.
func (b *Balancer) powerOf(t *topology.EVSE, e *evse, s plan.Step) si.Watts {
	n := t.Phases
	if e.report.Phases == 1 {
		n = 1
	}
	return si.Watts(float64(s.Import-s.Export) * float64(n) * float64(b.perAmp(t)))
}

// maxPower is the most that an EVSE's vehicle can take from the grid.
func (b *Balancer) maxPower(t *topology.EVSE, e *evse) si.Watts {
	a := t.Max
	if x := b.accepts(t, e); x != nil {
		a = min(a, *x)
	}
	return max(0, b.powerOf(t, e, plan.Step{Import: a}))
}

// pv is what the generators of the site deliver, >= 0; false without a fresh reading.
func (b *Balancer) pv(now time.Time) (si.Watts, bool) {
	sum, any := si.Watts(0), false
	for node, kind := range b.cfg.Kinds {
		if kind == "pv" && !b.stale(node, now) {
			sum -= b.meters[node].reading.Power
			any = true
		}
	}
	return max(0, sum), any && !math.IsNaN(float64(sum))
}
