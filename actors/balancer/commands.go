package balancer

import (
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/limits"
)

// needs is what the building or a person has said about the vehicle at an EVSE. Priority stays; the rest is forgotten with
// the vehicle.
type needs struct {
	priority  int
	pause     bool
	departure time.Time
	energy    *si.WattHours // of the visit
	setpoint  *si.Watts
	until     time.Time // of the set-point
	issued    map[msg.Verb]time.Time
}

// Bounds of commands.
const (
	highestPriority = 100
	longestStay     = 60 * 24 * time.Hour
	longestSetpoint = 24 * time.Hour
)

// command carries out what is asked of an EVSE, and answers.
func (b *Balancer) command(ctx actor.Context, now time.Time, m msg.EVSECommand) {
	err := b.obey(ctx, now, &m)
	a := msg.CommandAnswer{EVSE: m.EVSE, Verb: m.Verb, ID: m.ID, Accepted: err == nil, Code: limits.Accepted, At: now}
	if err != nil {
		a.Code, a.Text = err.Code, err.Text
		b.env.Metrics.BadInput.WithLabelValues("command", string(err.Code)).Inc()
	}
	if m.Reply != nil {
		ctx.Send(m.Reply, a)
	}
	if err == nil {
		b.tell(now, "command", m.EVSE, fmt.Sprintf("%s: %s", m.EVSE, m.Verb))
		b.log.Info().Str("evse", m.EVSE).Str("verb", string(m.Verb)).Str("id", m.ID).Msg("command")
		b.decide(ctx, now)
		b.replan()
	}
}

func (b *Balancer) obey(ctx actor.Context, now time.Time, m *msg.EVSECommand) *limits.Refusal {
	no := func(c limits.Code, format string, args ...any) *limits.Refusal {
		return &limits.Refusal{Code: c, Text: fmt.Sprintf(format, args...)}
	}
	e := b.evses[m.EVSE]
	switch {
	case m.Retained:
		return no(limits.Retained, "set topics take no retained messages; publish it without retain")
	case m.ID == "":
		return no(limits.NoID, "give the command an id")
	case e == nil:
		return no(limits.UnknownEVSE, "there is no EVSE %q of the site's own", m.EVSE)
	case !si.Finite(si.Watts(m.Number)):
		return no(limits.NotFinite, "the value is not finite")
	}
	if !m.Issued.IsZero() {
		if ahead := m.Issued.Sub(now.Round(0)); ahead > time.Minute {
			return no(limits.FromFuture, "its time is %v ahead of this site's clock; set both clocks by NTP", ahead.Round(time.Second))
		}
		if last := e.needs.issued[m.Verb]; !m.Issued.After(last) {
			return no(limits.OutOfOrder, "a command %q from %v is already known", m.Verb, last.UTC().Format(time.RFC3339Nano))
		}
	}
	if !e.report.Plugged && m.Verb != msg.InService && m.Verb != msg.Priority {
		return no(limits.NoVehicle, "no vehicle is connected to %s", m.EVSE)
	}
	at := b.env.At(msg.EVSEName(m.EVSE))
	switch m.Verb {
	case msg.Start:
		token := m.Text
		if token == "" {
			token = "building"
		}
		ctx.Send(at, msg.Token{EVSE: m.EVSE, ID: token, Kind: "Central"})
	case msg.Stop:
		why := m.Text
		if why == "" {
			why = "stopped by the building"
		}
		ctx.Send(at, msg.StopCharging{EVSE: m.EVSE, Why: why})
	case msg.InService:
		ctx.Send(at, msg.Operative{EVSE: m.EVSE, On: m.On})
	case msg.Pause:
		e.needs.pause = m.On
	case msg.Priority:
		if m.Number != float64(int(m.Number)) || m.Number < -highestPriority || m.Number > highestPriority {
			return no(limits.NotAble, "a priority is a whole number from -%d to %d", highestPriority, highestPriority)
		}
		e.needs.priority = int(m.Number)
	case msg.Departure:
		d := m.At.Sub(now.Round(0))
		if d <= 0 {
			return no(limits.Expired, "the departure lies in the past")
		}
		if d > longestStay {
			return no(limits.NotAble, "the departure lies more than %v ahead", longestStay)
		}
		e.needs.departure = now.Add(d)
	case msg.TargetEnergy:
		if m.Number < 0 {
			return no(limits.Negative, "an energy is 0 or more")
		}
		w := si.WattHours(m.Number)
		e.needs.energy = &w
	case msg.EVSESetpoint:
		return b.setpointOf(now, e, m, no)
	default:
		return no(limits.NotAble, "there is no command %q", m.Verb)
	}
	e.heardCommand(m)
	return nil
}

func (b *Balancer) setpointOf(now time.Time, e *evse, m *msg.EVSECommand, no func(limits.Code, string, ...any) *limits.Refusal) *limits.Refusal {
	if m.Validity <= 0 || m.Validity > longestSetpoint {
		return no(limits.Expired, "a set-point needs valid_s, above 0 and at most %v", longestSetpoint)
	}
	i, _ := b.tree.FindEVSE(m.EVSE)
	if m.Number < 0 && b.canExport(b.tree.EVSE(i), e) <= 0 {
		return no(limits.NotAble, "EVSE or vehicle cannot give energy back, or its battery is at the driver's reserve")
	}
	w := si.Watts(m.Number)
	e.needs.setpoint, e.needs.until = &w, now.Add(m.Validity)
	e.heardCommand(m)
	return nil
}

func (e *evse) heardCommand(m *msg.EVSECommand) {
	if e.needs.issued == nil {
		e.needs.issued = map[msg.Verb]time.Time{}
	}
	if !m.Issued.IsZero() {
		e.needs.issued[m.Verb] = m.Issued
	}
}

// forget drops what was said about a vehicle that has left.
func (e *evse) forget() {
	e.scheduled = nil
	e.needs = needs{priority: e.needs.priority, issued: e.needs.issued}
}

// wants reports whether an EVSE's vehicle would charge and nobody has said that it should not.
func (b *Balancer) wants(e *evse) bool {
	r := &e.report
	return r.Wants && !e.needs.pause && (e.needs.energy == nil || r.Energy < *e.needs.energy)
}

// asked returns the set-point of an EVSE that is in force.
func (e *evse) askedPower(now time.Time) *si.Watts {
	if e.needs.setpoint == nil || !now.Before(e.needs.until) {
		return nil
	}
	return e.needs.setpoint
}
