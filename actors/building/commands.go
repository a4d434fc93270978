package building

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/kit/mqtt"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/protocols/building"
	"github.com/voltyard/voltyard/site/limits"
)

// setpointSource names the origin of set-points for all vehicles.
const setpointSource = "setpoint"

// command handles what came in on a topic that the building writes.
func (b *Building) command(ctx actor.Context, m mqtt.Message) {
	if b.discovery != "" && m.Topic == building.BirthTopic(b.discovery) {
		if string(m.Payload) == "online" { // it has started and knows nothing
			b.rediscover()
		}
		return
	}
	if len(m.Payload) == 0 && m.Retained {
		return
	}
	if source, ok := b.topics.HeartbeatSource(m.Topic); ok {
		if !m.Retained { // a retained one says nothing about now
			ctx.Send(b.env.At(msg.Balancer), msg.SourceAlive{Source: source})
		}
		return
	}
	if m.Topic == b.topics.FrequencySet() {
		hz, err := building.ParseFrequency(m.Payload)
		if err != nil || m.Retained {
			b.bad(m.Topic, building.Malformed, err)
			return
		}
		ctx.Send(b.env.At(msg.Balancer), msg.GridFrequency{Hz: hz})
		return
	}
	if len(m.Payload) == 0 { // somebody clears a retained message
		return
	}
	if source, ok := b.topics.LimitSource(m.Topic); ok {
		b.limit(ctx, m, source)
	} else if source, ok := b.topics.FailsafeSource(m.Topic); ok {
		b.failsafe(ctx, m, source)
	} else if m.Topic == b.topics.SetpointSet() {
		b.setpoint(ctx, m)
	} else if evse, verb, ok := b.topics.EVSECommand(m.Topic); ok {
		b.tellEVSE(ctx, m, evse, verb)
	}
}

func (b *Building) bad(topic, code string, err error) {
	b.env.Metrics.BadInput.WithLabelValues("mqtt", code).Inc()
	b.log.Warn().Str("topic", topic).Err(err).Msg("a message of the building is not taken")
}

func (b *Building) limit(ctx actor.Context, m mqtt.Message, source string) {
	s, err := building.ParseLimit(m.Payload)
	switch {
	case err != nil:
		b.bad(m.Topic, building.Malformed, err)
		b.publishAck(source, building.Ack{ID: s.ID, Code: building.Malformed, Text: err.Error()})
	case s.Release:
		ctx.Send(b.env.At(msg.Balancer), msg.ReleaseLimit{Source: source, ID: s.ID, Issued: s.TS, Retained: m.Retained, Received: m.At, Reply: ctx.Self()})
	default:
		ctx.Send(b.env.At(msg.Balancer), msg.ApplyLimit{Received: m.At, Reply: ctx.Self(), Limit: limits.Limit{Source: source, ID: s.ID, Node: s.Node,
			Values: limits.Values{ImportW: s.ImportW, ExportW: s.ExportW, CurrentA: s.CurrentA},
			Issued: s.TS, Validity: s.Validity, Priority: s.Priority, Retained: m.Retained}})
	}
}

// failsafe passes an energy guard's failsafe value on; the answer comes on the source's own topic for limits.
func (b *Building) failsafe(ctx actor.Context, m mqtt.Message, source string) {
	f, err := building.ParseFailsafe(m.Payload)
	if err != nil {
		b.bad(m.Topic, building.Malformed, err)
		b.publishAck(source, building.Ack{ID: f.ID, Code: building.Malformed, Text: err.Error()})
		return
	}
	ctx.Send(b.env.At(msg.Balancer), msg.SetFailsafe{Source: source, ID: f.ID, Power: f.PowerW, Duration: f.Duration, Issued: f.TS, Retained: m.Retained, Reply: ctx.Self()})
}

func (b *Building) setpoint(ctx actor.Context, m mqtt.Message) {
	p, err := building.ParsePower(m.Payload)
	if err != nil {
		b.bad(m.Topic, building.Malformed, err)
		b.client.Publish(b.topics.SetpointAck(), 1, false, building.Ack{ID: p.ID, Code: building.Malformed, Text: err.Error()}.JSON())
		return
	}
	ctx.Send(b.env.At(msg.Balancer), msg.Setpoint{Source: setpointSource, ID: p.ID, Power: p.PowerW, Validity: p.Validity, Release: p.Release,
		Issued: p.TS, Retained: m.Retained, Reply: ctx.Self()})
}

func (b *Building) tellEVSE(ctx actor.Context, m mqtt.Message, evse, verb string) {
	c, err := building.ParseCommand(verb, m.Payload)
	if err != nil {
		b.bad(m.Topic, building.Malformed, err)
		b.publishEVSEAck(evse, verb, building.Ack{ID: c.ID, Code: building.Malformed, Text: err.Error()})
		return
	}
	ctx.Send(b.env.At(msg.Balancer), msg.EVSECommand{EVSE: evse, ID: c.ID, Verb: msg.Verb(verb), On: c.On, Number: c.Number, At: c.At,
		Validity: c.Validity, Text: c.Text, Issued: c.TS, Retained: m.Retained, Reply: ctx.Self()})
}

// answered tells the building what became of a command.
func (b *Building) answered(m msg.CommandAnswer) {
	a := building.Ack{ID: m.ID, Accepted: m.Accepted, Code: string(m.Code), Text: m.Text}
	if m.Accepted {
		t := m.At.UTC()
		a.AppliedAt = &t
	}
	b.publishEVSEAck(m.EVSE, string(m.Verb), a)
}

func (b *Building) publishEVSEAck(evse, verb string, a building.Ack) {
	if !strings.ContainsAny(evse+verb, "+#/\x00") {
		b.client.Publish(b.topics.EVSEAck(evse, verb), 1, false, a.JSON())
	}
}

// event passes on what happens.
func (b *Building) event(e msg.Event) {
	if !b.up {
		return
	}
	e.At = e.At.UTC().Round(time.Millisecond)
	if text, err := json.Marshal(e); err == nil {
		b.client.Publish(b.topics.Event(), 1, false, text)
	}
}
