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

	sources   []string
	discovery string                // prefix of Home Assistant's discovery; "": none
	planned   *msg.PlanView         // that is published
	offered   any                   // flexibility that is published
	evseOf    map[string]*evseState // what is published of each EVSE
}

// Options are what a site publishes besides its state.
type Options struct {
	Sources   []string // of limits, for the description
	Discovery string   // prefix for Home Assistant's discovery; "": none
}

// New returns the producer of the actor.
func New(env *kit.Env, site string, broker mqtt.Config, view *kit.Cell[msg.SiteView], o Options) func() actor.Actor {
	m := mqtt.NewMetrics(env)
	t := building.For(site)
	broker.WillTopic, broker.WillText = t.State(), "lost"
	broker.Subscribe = t.Sources()
	if o.Discovery != "" {
		broker.Subscribe = append(broker.Subscribe, building.BirthTopic(o.Discovery))
	}
	return func() actor.Actor {
		return &Building{env: env, site: site, broker: broker, metrics: m, view: view, topics: t, sent: map[string]string{},
			sources: o.Sources, discovery: o.Discovery, evseOf: map[string]*evseState{}, log: env.Log.With().Str("actor", "building").Logger()}
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
		b.up, b.last, b.failed, b.planned, b.offered = true, nil, "", nil, nil
		clear(b.evseOf)
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
	case msg.CommandAnswer:
		b.answered(m)
	case msg.Event:
		b.event(m)
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
	if m.Source == setpointSource {
		b.client.Publish(b.topics.SetpointAck(), 1, false, a.JSON())
		return
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
		put("stale", strconv.FormatBool(n.Stale))
		if n.Import != nil && n.Export != nil {
			put("energy_import", number(float64(*n.Import), 0))
			put("energy_export", number(float64(*n.Export), 0))
		}
		for i, a := range n.LimitA {
			left := ""
			if a != nil {
				left = number(*a-float64(n.Current[i]), 1)
			}
			put("headroom/l"+strconv.Itoa(i+1), left)
		}
	}
	for i := range v.EVSEs {
		b.publishEVSE(&v.EVSEs[i])
	}
	b.publishAhead(v)
	for _, s := range v.Stations {
		put := func(name, value string) { b.retain(b.topics.Station(s.ID, name), value) }
		put("connected", strconv.FormatBool(s.Connected))
		put("status", s.State)
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
	var nodes, evses, stations []string
	root := ""
	for _, n := range v.Nodes {
		nodes = append(nodes, n.ID)
		if n.Parent == "" {
			root = n.ID
		}
	}
	for _, e := range v.EVSEs {
		evses = append(evses, e.ID)
	}
	for _, s := range v.Stations {
		stations = append(stations, s.ID)
	}
	b.retain(b.topics.Description(), string(building.Tree(b.site, nodes, evses, stations, b.sources).JSON()))
	if b.discovery != "" {
		for _, d := range building.HomeAssistant(b.discovery, b.site, root, evses) {
			b.retain(d.Topic, string(d.Payload))
		}
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
