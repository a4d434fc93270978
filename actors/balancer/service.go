package balancer

import (
	"fmt"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/allocate"
	"github.com/voltyard/voltyard/site/frequency"
	"github.com/voltyard/voltyard/site/limits"
)

// service is what all vehicles together do for the grid: they follow a set-point, or the frequency. It can only lower what
// they draw, and have those give back that can; the limits hold as ever. Silence ends it, which gives back what the service
// took, along its ramp and within the limits.
type service struct {
	follow   frequency.Follower
	id       string
	source   string
	setpoint *si.Watts
	until    time.Time
	issued   time.Time
	hz       si.Hertz
	heard    time.Time // of the frequency
	base     si.Watts  // drawn when the frequency response began
	by       string    // what is followed; "": nothing
	fleet    si.Watts  // to be exchanged
}

// longestService is the longest validity of a set-point for all vehicles.
const longestService = 24 * time.Hour

func (b *Balancer) setpoint(ctx actor.Context, now time.Time, m msg.Setpoint) {
	err := b.takeSetpoint(now, m)
	a := msg.LimitAnswer{Source: m.Source, ID: m.ID, Accepted: err == nil, Code: limits.Accepted, AppliedAt: now}
	if err != nil {
		a.Code, a.Text, a.AppliedAt = err.Code, err.Text, time.Time{}
		b.env.Metrics.BadInput.WithLabelValues("setpoint", string(err.Code)).Inc()
	}
	if m.Reply != nil {
		ctx.Send(m.Reply, a)
	}
	if err == nil {
		b.audit(ctx, now, "setpoint", m.Source, m.ID, limits.Values{})
		b.decide(ctx, now)
	}
}

func (b *Balancer) takeSetpoint(now time.Time, m msg.Setpoint) *limits.Refusal {
	no := func(c limits.Code, format string, args ...any) *limits.Refusal {
		return &limits.Refusal{Code: c, Text: fmt.Sprintf(format, args...)}
	}
	s := &b.service
	age := now.Round(0).Sub(m.Issued)
	switch {
	case m.Retained:
		return no(limits.Retained, "set topics take no retained messages; publish it without retain")
	case m.ID == "":
		return no(limits.NoID, "give the set-point an id")
	case age < -time.Minute:
		return no(limits.FromFuture, "its time is %v ahead of this site's clock; set both clocks by NTP", -age.Round(time.Second))
	case !m.Issued.After(s.issued):
		return no(limits.OutOfOrder, "a set-point from %v is already known", s.issued.UTC().Format(time.RFC3339Nano))
	case m.Release:
		if s.setpoint == nil {
			return no(limits.NotFound, "no set-point is in force")
		}
		s.setpoint, s.issued = nil, m.Issued
		return nil
	case !si.Finite(m.Power):
		return no(limits.NotFinite, "the power is not finite")
	case m.Validity <= 0 || m.Validity > longestService:
		return no(limits.NoValue, "a set-point needs valid_s, above 0 and at most %v", longestService)
	case m.Validity <= age:
		return no(limits.Expired, "it was valid for %v and is %v old", m.Validity, age.Round(time.Second))
	}
	s.setpoint, s.id, s.source, s.until, s.issued = &m.Power, m.ID, m.Source, now.Add(m.Validity-max(0, age)), m.Issued
	return nil
}

func (b *Balancer) frequencyIs(now time.Time, m msg.GridFrequency) {
	if !si.Finite(m.Hz) || m.Hz <= 0 {
		b.env.Metrics.BadInput.WithLabelValues("frequency", "not_finite").Inc()
		return
	}
	b.service.hz, b.service.heard = m.Hz, now
}

// serve works out what the vehicles together should exchange now, and enters it in the snapshot.
func (b *Balancer) serve(s *allocate.Snapshot, now time.Time) {
	v := &b.service
	if v.setpoint != nil && !now.Before(v.until) {
		v.setpoint = nil
		b.tell(now, "expired", v.source, "set-point "+v.id+" has expired")
	}
	drawn, most := b.fleet()
	wanted, by := most, ""
	response := si.Watts(0)
	if b.cfg.Response != nil && !v.heard.IsZero() && now.Sub(v.heard) < frequency.Stale {
		response = b.cfg.Response.Response(v.hz)
	}
	switch {
	case v.setpoint != nil:
		wanted, by = *v.setpoint, "setpoint"
		if response < 0 {
			wanted += response
		}
	case response < 0:
		if v.by != "frequency" {
			v.base = drawn
		}
		wanted, by = v.base+response, "frequency"
	}
	if by == "" && v.by == "" {
		return
	}
	if v.by == "" {
		v.follow = frequency.Follower{Ramp: b.cfg.Ramp, DeadBand: b.cfg.DeadBand}
		if v.follow.Ramp == 0 {
			v.follow.Ramp = most / 10
		}
		v.follow.Begin(now, drawn)
	}
	v.fleet = v.follow.Step(now, wanted)
	if by == "" && v.fleet >= most-1 { // all is given back
		v.by = ""
		return
	}
	if by != "" {
		v.by = by
	}
	fleet := v.fleet
	s.Fleet, s.FleetBy = &fleet, v.by
	if fleet < 0 {
		b.giveBack(s, -fleet)
	}
}

// fleet is what all vehicles draw, and the most they could.
func (b *Balancer) fleet() (drawn, most si.Watts) {
	for i := range b.tree.EVSEs() {
		t := b.tree.EVSE(i)
		if e := b.evses[t.ID]; e != nil {
			drawn += si.Watts(float64(e.report.Draw.Sum()) * float64(b.perAmp(t)))
			if b.wants(e) {
				most += b.maxPower(t, e)
			}
		} else if s := b.station[t.ID]; s != nil && s.report.Wants {
			if s.report.Current != nil {
				drawn += si.Watts(float64(s.report.Current.Sum()) * float64(b.perAmp(t)))
			}
			most += si.Watts(float64(t.Max) * float64(t.Phases) * float64(b.perAmp(t)))
		}
	}
	return drawn, most
}

// giveBack divides a power among the vehicles that can give it, evenly, none more than it can.
func (b *Balancer) giveBack(s *allocate.Snapshot, power si.Watts) {
	type giver struct {
		x    *allocate.EVSE
		amps si.Amps
		unit si.Watts // per ampere
	}
	var all []giver
	for k := range s.EVSEs {
		x := &s.EVSEs[k]
		i, _ := b.tree.FindEVSE(x.ID)
		t, e := b.tree.EVSE(i), b.evses[x.ID]
		if e == nil || x.Reserved != nil {
			continue
		}
		if can := b.canExport(t, e); can > 0 {
			n := t.Phases
			if x.Phases == 1 {
				n = 1
			}
			all = append(all, giver{x, can, si.Watts(float64(n) * float64(b.perAmp(t)))})
		}
	}
	slices.SortStableFunc(all, func(p, q giver) int { // the smallest first, so that the rest is divided once
		switch x, y := float64(p.amps)*float64(p.unit), float64(q.amps)*float64(q.unit); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	for i, g := range all {
		share := power / si.Watts(len(all)-i)
		a := min(g.amps, si.Amps(float64(share)/float64(g.unit)))
		g.x.Discharge = a
		power -= si.Watts(float64(a) * float64(g.unit))
	}
}
