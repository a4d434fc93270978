// Package building is the actor that answers to the building's energy management over MQTT: it publishes the state of the
// site, takes limits and passes them to the balancer, and acknowledges each of them, once when it is applied and once when
// it is reached.
//
// Only /ems spawns it.
package building

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/mqtt"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/building"
	"github.com/voltyard/voltyard/site/limits"
)

// Times of the interface.
const (
	heartbeat = time.Second
	refresh   = 500 * time.Millisecond // at most this late a change is published
)

// Building is the actor.
type Building struct {
	env     *kit.Env
	site    string
	broker  mqtt.Config
	metrics *mqtt.Metrics
	view    *kit.Cell[msg.SiteView]
	log     zerolog.Logger

	topics building.Topics
	timers *kit.Timers
	client *mqtt.Client
	up     bool
	failed string            // why the broker could not be reached, as far as it is logged
	sent   map[string]string // retained topics and what they hold
	beats  uint64
	last   *msg.SiteView
}

// New returns the producer of the actor.
func New(env *kit.Env, site string, broker mqtt.Config, view *kit.Cell[msg.SiteView]) func() actor.Actor {
	m := mqtt.NewMetrics(env)
	t := building.For(site)
	broker.WillTopic, broker.WillText = t.State(), "lost"
	broker.Subscribe = []string{t.LimitSets()}
	return func() actor.Actor {
		return &Building{env: env, site: site, broker: broker, metrics: m, view: view, topics: t, sent: map[string]string{},
			log: env.Log.With().Str("actor", "building").Logger()}
	}
}

// Receive handles one message.
func (b *Building) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		b.timers = kit.NewTimers(ctx)
		b.client = mqtt.Open(b.env, b.broker, b.metrics, ctx.Self())
		b.timers.Set("heartbeat", heartbeat)
		b.timers.Set("refresh", refresh)
	case mqtt.Up:
		b.log.Info().Str("broker", b.broker.URL).Msg("connected to the building's broker")
		b.up, b.last, b.failed = true, nil, ""
		clear(b.sent) // the broker may have forgotten everything
		b.retain(b.topics.State(), "ready")
		b.refresh()
	case mqtt.Down:
		b.log.Warn().Err(m.Err).Msg("the building's broker is gone; limits that expire now fall back to their failsafe")
		b.up = false
	case mqtt.Failed:
		if text := m.Err.Error(); text != b.failed { // it tries again and again
			b.failed = text
			b.log.Warn().Str("broker", b.broker.URL).Err(m.Err).Msg("the building's broker does not serve this site")
		}
	case mqtt.Message:
		b.client.Done()
		b.command(ctx, m)
	case msg.LimitAnswer:
		b.acknowledge(m)
	case kit.Fired:
		if !b.timers.Due(m) {
			return
		}
		switch m.Key {
		case "heartbeat":
			b.timers.Set("heartbeat", heartbeat)
			b.beat()
		case "refresh":
			b.timers.Set("refresh", refresh)
			b.refresh()
		}
	case *actor.Stopping:
		b.timers.StopAll()
		if b.up {
			b.retain(b.topics.State(), "disconnected")
		}
		b.client.Close()
	}
}

// command handles what came in on a set topic.
func (b *Building) command(ctx actor.Context, m mqtt.Message) {
	source, ok := b.topics.LimitSource(m.Topic)
	if !ok {
		return
	}
	s, err := building.ParseLimit(m.Payload)
	switch {
	case len(m.Payload) == 0: // somebody clears a retained message
		return
	case err != nil:
		b.env.Metrics.BadInput.WithLabelValues("mqtt", building.Malformed).Inc()
		b.log.Warn().Str("topic", m.Topic).Err(err).Msg("malformed limit")
		b.publishAck(source, building.Ack{ID: s.ID, Code: building.Malformed, Text: err.Error()})
	case s.Release:
		ctx.Send(b.env.At(msg.Balancer), msg.ReleaseLimit{Source: source, ID: s.ID, Issued: s.TS, Retained: m.Retained, Received: m.At, Reply: ctx.Self()})
	default:
		ctx.Send(b.env.At(msg.Balancer), msg.ApplyLimit{Received: m.At, Reply: ctx.Self(), Limit: limits.Limit{Source: source, ID: s.ID, Node: s.Node,
			Values: limits.Values{ImportW: s.ImportW, ExportW: s.ExportW, CurrentA: s.CurrentA},
			Issued: s.TS, Validity: s.Validity, Priority: s.Priority, Retained: m.Retained}})
	}
}

func (b *Building) acknowledge(m msg.LimitAnswer) {
	a := building.Ack{ID: m.ID, Accepted: m.Accepted, Code: string(m.Code), Text: m.Text}
	if !m.AppliedAt.IsZero() {
		t := m.AppliedAt.UTC()
		a.AppliedAt = &t
	}
	if !m.ReachedAt.IsZero() {
		t := m.ReachedAt.UTC()
		a.ReachedAt = &t
	}
	b.publishAck(m.Source, a)
}

// publishAck answers a source, also one whose message was there before Up. A name that could not be part of a topic is not
// answered.
func (b *Building) publishAck(source string, a building.Ack) {
	if !strings.ContainsAny(source, "+#/\x00") {
		b.client.Publish(b.topics.LimitAck(source), 1, false, a.JSON())
	}
}

func (b *Building) beat() {
	if !b.up {
		return
	}
	b.beats++
	age := time.Duration(0)
	if v := b.view.Load(); v != nil {
		age = time.Since(v.At)
	}
	text, err := json.Marshal(map[string]any{"ts": time.Now().UTC(), "seq": b.beats, "cycle_ms": age.Milliseconds()})
	if err == nil {
		b.client.Publish(b.topics.Heartbeat(), 0, false, text)
	}
}

// retain publishes a retained value if it differs from what the topic holds.
func (b *Building) retain(topic, value string) {
	if old, ok := b.sent[topic]; ok && old == value {
		return
	}
	b.sent[topic] = value
	b.client.Publish(topic, 1, true, []byte(value))
}

// refresh publishes what has changed in the picture of the site.
func (b *Building) refresh() {
	v := b.view.Load()
	if !b.up || v == nil || v == b.last {
		return
	}
	if b.last == nil {
		b.describe(v)
	}
	b.last = v
	for _, n := range v.Nodes {
		put := func(name, value string) { b.retain(b.topics.Node(n.ID, name), value) }
		put("power", watts(n.Power))
		phases(put, "current", n.Current)
		put("limit_power", optional(n.LimitW))
		for i, a := range n.LimitA {
			put("limit_current/l"+strconv.Itoa(i+1), optional(a))
		}
		put("limited_by", n.LimitBy)
	}
	for _, e := range v.EVSEs {
		put := func(name, value string) { b.retain(b.topics.EVSE(e.ID, name), value) }
		put("status", e.State)
		put("power", watts(e.Power))
		phases(put, "current", e.Current)
		put("limit_current", number(float64(e.Limit), 1))
		put("limit_power", watts(e.LimitW))
		put("energy_session", number(float64(e.Energy), 0))
		put("protocol", string(e.Protocol))
		put("limited_by", e.LimitedBy)
		soc := ""
		if e.SoC != nil {
			soc = number(float64(*e.SoC), 0)
		}
		put("soc", soc)
	}
	for _, s := range v.Stations {
		put := func(name, value string) { b.retain(b.topics.Station(s.ID, name), value) }
		put("connected", strconv.FormatBool(s.Connected))
		put("power", watts(s.Power))
		phases(put, "current", s.Current)
		put("limit_current", number(float64(s.Limit), 1))
		put("limited_by", s.LimitedBy)
	}
	if text, err := json.Marshal(v.Limits); err == nil {
		b.retain(b.topics.ActiveLimit(), string(text))
	}
}

// describe publishes what there is, in which unit.
func (b *Building) describe(v *msg.SiteView) {
	d := map[string]any{"site": b.site, "version": 1, "sign": "import and charging positive",
		"units": map[string]string{"power": "W", "limit_power": "W", "current/l1..l3": "A", "limit_current": "A", "energy_session": "Wh", "soc": "%"},
		"set":   map[string]string{"limit/<source>/set": `{"id","node","import_w","export_w","current_a":[l1,l2,l3],"valid_s","ts"} or {"id","release":true,"ts"}`}}
	nodes, evses, stations := []string{}, []string{}, []string{} // none is [], not null
	for _, n := range v.Nodes {
		nodes = append(nodes, n.ID)
	}
	for _, e := range v.EVSEs {
		evses = append(evses, e.ID)
	}
	for _, s := range v.Stations {
		stations = append(stations, s.ID)
	}
	d["nodes"], d["evses"], d["stations"] = nodes, evses, stations
	if text, err := json.Marshal(d); err == nil {
		b.retain(b.topics.Description(), string(text))
	}
}

func phases(put func(name, value string), name string, p si.Phases) {
	for i, a := range p {
		put(name+"/l"+strconv.Itoa(i+1), number(float64(a), 1))
	}
}

func watts(w si.Watts) string { return number(float64(w), 0) }

func optional(v *float64) string {
	if v == nil {
		return ""
	}
	return number(*v, 1)
}

// number writes a value with at most so many decimals, and never as -0.
func number(v float64, decimals int) string {
	s := strconv.FormatFloat(v, 'f', decimals, 64)
	if decimals > 0 {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	if s == "-0" {
		return "0"
	}
	return s
}
