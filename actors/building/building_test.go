package building

import (
	"encoding/json"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
	"github.com/rs/zerolog"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/mqtt"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/flex"
	"github.com/voltyard/voltyard/site/limits"
	"github.com/voltyard/voltyard/site/plan"
)

// rig is a building actor at a broker of the test's own, with the test in place of the balancer.
type rig struct {
	t      *testing.T
	env    *kit.Env
	broker *mochi.Server
	view   kit.Cell[msg.SiteView]
	asked  chan any // what the balancer is told
	heard  chan packets.Packet
	pid    *actor.PID
}

func newRig(t *testing.T, v *msg.SiteView) *rig {
	t.Helper()
	r := &rig{t: t, env: kit.NewEnv(zerolog.Nop()), asked: make(chan any, 100), heard: make(chan packets.Packet, 2000),
		broker: mochi.New(&mochi.Options{InlineClient: true, Logger: slog.New(slog.DiscardHandler)})}
	if err := r.broker.AddHook(new(auth.AllowHook), nil); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.broker.AddListener(listeners.NewNet("test", l)); err != nil {
		t.Fatal(err)
	}
	if err := r.broker.Serve(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.broker.Close() })
	if err := r.broker.Subscribe("#", 1, func(_ *mochi.Client, _ packets.Subscription, p packets.Packet) { r.heard <- p }); err != nil {
		t.Fatal(err)
	}
	_, err = r.env.System.Root.SpawnNamed(actor.PropsFromFunc(func(c actor.Context) {
		switch c.Message().(type) {
		case *actor.Started, *actor.Stopping, *actor.Stopped:
		default:
			r.asked <- c.Message()
		}
	}), msg.Balancer)
	if err != nil {
		t.Fatal(err)
	}
	r.view.Store(v)
	r.pid, err = r.env.System.Root.SpawnNamed(r.env.Props("building", New(r.env, "yard", mqtt.Config{URL: "tcp://" + l.Addr().String(), ClientID: "yard"}, &r.view,
		Options{Sources: []string{"dso"}, Discovery: "homeassistant"})), msg.Building)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.env.System.Root.PoisonFuture(r.pid).Wait() })
	return r
}

const patience = 20 * time.Second

// topic waits for a message on a topic for which ok holds, and returns its payload.
func (r *rig) topic(name string, ok func(payload string) bool) packets.Packet {
	r.t.Helper()
	end := time.After(patience)
	for {
		select {
		case p := <-r.heard:
			if p.TopicName == name && ok(string(p.Payload)) {
				return p
			}
		case <-end:
			r.t.Fatalf("nothing as expected on %s", name)
		}
	}
}

func is(want string) func(string) bool { return func(got string) bool { return got == want } }

func holds(part string) func(string) bool {
	return func(got string) bool { return strings.Contains(got, part) }
}

func picture() *msg.SiteView {
	now, soc, limit := time.Now(), si.Percent(55), 32.0
	return &msg.SiteView{Site: "yard", At: now, Plan: &msg.PlanView{Made: now, Fresh: true}, Flex: &flex.Offer{At: now, Hours: []flex.Hour{{Lower: 4000}}},
		Nodes: []msg.NodeView{{ID: "root", Current: si.Phases{10, 0, 0}, LimitA: [3]*float64{&limit, nil, nil}}},
		EVSEs: []msg.EVSEView{{ID: "a1", State: "charging", Since: &now, Power: 7000, SoC: &soc, LimitedBy: "fuse root phase L1 32 A, shared with 3", Rotation: "STR",
			Plan:      []msg.StepView{{From: now, Power: 7000}, {From: now.Add(time.Hour), Power: 11000}},
			Estimates: []plan.Estimate{{SoC: 80, At: now.Add(time.Hour)}}},
			{ID: "a2", State: "unreachable", Plan: []msg.StepView{{From: now, Power: 1000}}}}}
}

func TestWhatASitePublishes(t *testing.T) {
	r := newRig(t, picture())
	for _, x := range []struct{ topic, part string }{
		{"voltyard/yard/$state", "ready"},
		{"voltyard/yard/$description", `"sources":["dso"]`},
		{"homeassistant/switch/yard_a1_pause/config", `"command_topic":"voltyard/yard/evse/a1/pause/set"`},
		{"voltyard/yard/node/root/headroom/l1", "22"},
		{"voltyard/yard/evse/a1/$state", "ready"},
		{"voltyard/yard/evse/a1/power", "7000"},
		{"voltyard/yard/evse/a1/limited_by", "fuse root phase L1 32 A, shared with 3"},
		{"voltyard/yard/plan/evse/a1", `"power_w":11000`},
		{"voltyard/yard/evse/a1/estimates", `"soc":80`},
		{"voltyard/yard/evse/a2/$state", "lost"},
		{"voltyard/yard/flexibility", `"lower_w":4000`},
		{"voltyard/yard/plan/power", `"power_w":8000`}, // both EVSEs together
	} {
		if p := r.topic(x.topic, holds(x.part)); !p.FixedHeader.Retain {
			t.Errorf("%s is not retained", x.topic)
		}
	}
	if p := r.topic("voltyard/yard/heartbeat", holds(`"seq":1`)); p.FixedHeader.Retain {
		t.Error("the heartbeat is retained")
	}
	// What did not change is not published again; what changed is.
	next := picture()
	next.EVSEs[0].Power = 6000
	r.view.Store(next)
	r.topic("voltyard/yard/evse/a1/power", is("6000"))
	r.env.System.Root.Send(r.pid, msg.Event{At: time.Now(), Kind: "meter", ID: "grid", Text: "gone"})
	if p := r.topic("voltyard/yard/event", holds(`"kind":"meter"`)); p.FixedHeader.Retain {
		t.Error("events are retained")
	}
	if err := r.broker.Publish("homeassistant/status", []byte("online"), false, 1); err != nil {
		t.Fatal(err)
	}
	r.topic("homeassistant/number/yard_a2_priority/config", holds("priority"))
	_ = r.env.System.Root.PoisonFuture(r.pid).Wait()
	r.topic("voltyard/yard/$state", is("disconnected"))
}

func TestWhatASiteTakes(t *testing.T) {
	r := newRig(t, picture())
	r.topic("voltyard/yard/$state", is("ready"))
	ts := `"ts":` + time.Now().Format("20060102") // any Unix time
	for _, c := range []struct {
		topic, payload string
		ack            string // "" when the balancer is asked
		want           func(m any) bool
	}{
		{"limit/dso/set", `{"id":"1","import_w":0,` + ts + `}`, "", func(m any) bool {
			l, ok := m.(msg.ApplyLimit)
			return ok && l.Limit.Source == "dso" && *l.Limit.ImportW == 0 && l.Reply != nil
		}},
		{"limit/dso/set", `{"id":"1","release":true,` + ts + `}`, "", func(m any) bool { l, ok := m.(msg.ReleaseLimit); return ok && l.ID == "1" }},
		{"limit/dso/set", `[]`, "limit/dso/ack", nil},
		{"limit/dso/heartbeat", `x`, "", func(m any) bool { l, ok := m.(msg.SourceAlive); return ok && l.Source == "dso" }},
		{"limit/dso/failsafe/set", `{"id":"1","power_w":4200,"duration_s":7200,` + ts + `}`, "", func(m any) bool {
			l, ok := m.(msg.SetFailsafe)
			return ok && l.Power == 4200 && l.Duration == 2*time.Hour
		}},
		{"limit/dso/failsafe/set", `{`, "limit/dso/ack", nil},
		{"setpoint/set", `{"id":"1","power_w":-5000,"valid_s":60,` + ts + `}`, "", func(m any) bool {
			l, ok := m.(msg.Setpoint)
			return ok && l.Power == -5000 && l.Validity == time.Minute
		}},
		{"setpoint/set", `5000`, "setpoint/ack", nil},
		{"frequency/set", `49.9`, "", func(m any) bool { l, ok := m.(msg.GridFrequency); return ok && l.Hz == 49.9 }},
		{"evse/a1/pause/set", `true`, "", func(m any) bool {
			l, ok := m.(msg.EVSECommand)
			return ok && l.Verb == msg.Pause && l.On && l.EVSE == "a1"
		}},
		{"evse/a1/departure/set", `{"id":"1","value":1893456000,` + ts + `}`, "", func(m any) bool {
			l, ok := m.(msg.EVSECommand)
			return ok && l.Verb == msg.Departure && l.At.Unix() == 1893456000
		}},
		{"evse/a1/pause/set", `perhaps`, "evse/a1/pause/ack", nil},
		{"evse/a1/jump/set", `{"id":"1",` + ts + `}`, "evse/a1/jump/ack", nil},
	} {
		if err := r.broker.Publish("voltyard/yard/"+c.topic, []byte(c.payload), false, 1); err != nil {
			t.Fatal(err)
		}
		if c.ack != "" {
			r.topic("voltyard/yard/"+c.ack, holds(`"malformed"`))
			continue
		}
		select {
		case m := <-r.asked:
			if !c.want(m) {
				t.Errorf("%s %s: the balancer is told %+v", c.topic, c.payload, m)
			}
		case <-time.After(patience):
			t.Fatalf("%s %s: the balancer is told nothing", c.topic, c.payload)
		}
	}
	// Answers go back where the question came from.
	for _, a := range []struct {
		m     any
		topic string
	}{
		{msg.LimitAnswer{Source: "dso", ID: "7", Accepted: true, Code: limits.Accepted, AppliedAt: time.Now(), ReachedAt: time.Now()}, "limit/dso/ack"},
		{msg.LimitAnswer{Source: setpointSource, ID: "7", Accepted: true, Code: limits.Accepted}, "setpoint/ack"},
		{msg.CommandAnswer{EVSE: "a1", Verb: msg.Stop, ID: "7", Accepted: true, Code: limits.Accepted}, "evse/a1/stop/ack"},
	} {
		r.env.System.Root.Send(r.pid, a.m)
		p := r.topic("voltyard/yard/"+a.topic, holds(`"id":"7"`))
		if !json.Valid(p.Payload) || p.FixedHeader.Retain {
			t.Errorf("%s: %s", a.topic, p.Payload)
		}
	}
	r.env.System.Root.Send(r.pid, msg.CommandAnswer{EVSE: "#", Verb: "+", ID: "7"}) // no topic can be made of it
	r.env.System.Root.Send(r.pid, msg.LimitAnswer{Source: "dso", ID: "8"})
	r.topic("voltyard/yard/limit/dso/ack", holds(`"id":"8"`))
}
