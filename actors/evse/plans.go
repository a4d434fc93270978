package evse

import (
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal/si"
)

// plans are what site and CSMS let the vehicle draw in the time ahead.
type plans struct {
	heard bool // the CSMS has answered what the vehicle asked last
	of    [2]*dated
}

// dated is a plan and the instant at which its times begin.
type dated struct {
	msg.VehiclePlan
	made time.Time
}

func (p *plans) take(m msg.VehiclePlan, now time.Time) {
	if m.Source > msg.PlanOfCSMS {
		return
	}
	p.of[m.Source] = &dated{m, now}
	if m.Source == msg.PlanOfCSMS {
		p.heard = true
	}
}

// offer is what the vehicle may choose from: the CSMS's schedules, no higher than the site's plan. ok is false when nobody has
// planned anything.
func (p *plans) offer() (out msg.SessionPlan, ok bool) {
	site, csms := p.of[msg.PlanOfSite], p.of[msg.PlanOfCSMS]
	lead := csms
	if lead == nil {
		lead = site
	}
	if lead == nil {
		return out, false
	}
	out = msg.SessionPlan{Made: lead.made, Tuples: lead.Tuples, Signature: lead.Signature, More: !p.heard}
	if csms != nil && site != nil && len(site.Tuples) > 0 {
		out.Tuples = nil
		for _, t := range csms.Tuples {
			t.Entries = lower(t.Entries, site.Tuples[0], site.made.Sub(csms.made))
			out.Tuples = append(out.Tuples, t)
		}
	}
	return out, true
}

// lower is the lower of the step function a and b's, whose times begin later by shift. Before its first entry and after its
// end b says nothing.
func lower(a []msg.PlanEntry, b msg.PlanTuple, shift time.Duration) []msg.PlanEntry {
	if len(a) == 0 {
		return nil
	}
	steps := []time.Duration{b.End + shift}
	for _, e := range a {
		steps = append(steps, e.Start)
	}
	for _, e := range b.Entries {
		steps = append(steps, e.Start+shift)
	}
	slices.Sort(steps)
	var out []msg.PlanEntry
	for _, at := range steps {
		most, ok := valueAt(a, at)
		if !ok {
			continue
		}
		if w, ok := valueAt(b.Entries, at-shift); ok && at < b.End+shift {
			most = min(most, w)
		}
		switch n := len(out); {
		case n > 0 && out[n-1].Start == at:
			out[n-1].Max = most
		case n == 0 || out[n-1].Max != most:
			out = append(out, msg.PlanEntry{Start: at, Max: most})
		}
	}
	return out
}

// valueAt is the value of a step function; ok is false before its first step.
func valueAt(entries []msg.PlanEntry, at time.Duration) (w si.Watts, ok bool) {
	for _, e := range entries {
		if e.Start > at {
			break
		}
		w, ok = e.Max, true
	}
	return w, ok
}

// tellPlan offers the session what there is.
func (e *EVSE) tellPlan(ctx actor.Context) {
	if p, ok := e.plans.offer(); ok {
		p.Gen = e.gen
		e.tellSession(ctx, p)
	}
}
