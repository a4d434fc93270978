package chaos

import (
	crand "crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/rs/zerolog"

	"github.com/voltyard/voltyard/actors/api"
	"github.com/voltyard/voltyard/actors/building"
	"github.com/voltyard/voltyard/actors/ems"
	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/mqtt"
	"github.com/voltyard/voltyard/actors/kit/network"
	"github.com/voltyard/voltyard/actors/kit/ocppstat"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/actors/sim/csms"
	"github.com/voltyard/voltyard/actors/sim/ev"
	"github.com/voltyard/voltyard/actors/sim/station"
	"github.com/voltyard/voltyard/configs"
	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/hal/sim"
	"github.com/voltyard/voltyard/storage/bolt"
)

const sixSite = `
site: {id: six}
nodes:
  - {id: root, fuse_a: 100, meter: grid, background_a: 10}
  - {id: row, parent: root, fuse_a: 63}
meters: [{id: grid, driver: sim}]
evses:
  - {id: a1, node: row, type: ac, max_a: 32, floor_a: 6, hal: sim, station: SIX, port: {interface: lo, sdp_port: 15710}}
  - {id: a2, node: row, type: ac, max_a: 32, floor_a: 6, hal: sim, station: SIX, port: {interface: lo, sdp_port: 15711}}
  - {id: a3, node: row, type: ac, max_a: 32, floor_a: 6, hal: sim, station: SIX, port: {interface: lo, sdp_port: 15712}}
  - {id: a4, node: row, type: ac, max_a: 32, floor_a: 6, hal: sim, station: SIX}
  - {id: d1, node: root, type: dc, max_w: 53000, hal: sim, station: SIX, port: {interface: lo, sdp_port: 15713}}
  - {id: d2, node: root, type: dc, max_w: 53000, hal: sim, station: SIX, port: {interface: lo, sdp_port: 15714}}
stations: {listen: "%s", accept: any, node: root, max_others: 1, max_a: 16, fallback_a: 6}
csms: {url: "%s", identity: SIX-LC}
`

// drawing is what the third-party station last said it draws.
type drawing struct{ atomic.Pointer[si.Phases] }

func (d *drawing) Draw() si.Phases {
	if p := d.Load(); p != nil {
		return *p
	}
	return si.Phases{}
}

// site is a whole site in this process, on real sockets.
type site struct {
	t       *testing.T
	env     *kit.Env
	view    kit.Cell[msg.SiteView]
	outlets map[string]*sim.Outlet
	wires   *sim.Wires
	stats   kit.Cell[ev.Stats]
	ended   chan bool
	over    atomic.Int64 // samples in which the connection was over its fuse
}

func startSite(t *testing.T) *site {
	s := &site{t: t, env: kit.NewEnv(testLog()), outlets: map[string]*sim.Outlet{}, ended: make(chan bool, 1)}
	around := kit.NewEnv(zerolog.Nop())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cloud, err := around.System.Root.SpawnNamed(around.Props("csms", csms.New(around, csms.Config{Listener: l, Path: "/ocpp"})), "csms")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = around.System.Root.StopFuture(cloud).Wait() })
	listen := free(t)
	cfg, err := configs.Parse(fmt.Appendf(nil, sixSite, listen, "ws://"+l.Addr().String()+"/ocpp"), ".")
	if err != nil {
		t.Fatal(err)
	}
	s.wires = sim.NewWires(230, 60, map[string]string{"root": "", "row": "root"})
	parts := ems.Parts{Net: network.Real{}, Outlets: map[string]hal.Outlet{}, View: &s.view, OCPP: ocppstat.New(s.env), Firmware: "test",
		Meters: map[string]hal.Meter{"root": s.wires.Meter("root")}}
	for _, e := range cfg.EVSEs {
		o := sim.NewOutlet(sim.Config{Speed: 60, DC: e.Type == "dc", Module: hal.ModuleLimits{MinVolts: 150, MaxVolts: 500, MaxAmps: 125, MaxWatts: 50e3, Efficiency: 0.95}})
		s.outlets[e.ID] = o
		s.wires.Connect(e.Node, si.Straight, o)
		parts.Outlets[e.ID] = o.HAL()
	}
	db, err := bolt.Open(filepath.Join(t.TempDir(), "site.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	parts.Store = db
	children, err := ems.Assemble(s.env, cfg, parts)
	if err != nil {
		t.Fatal(err)
	}
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = web.Close() })
	children = append(children,
		ems.Child{Kind: "building", Name: "building", Make: building.New(s.env, "six", mqtt.Config{URL: broker(t), ClientID: "six"}, &s.view, building.Options{})},
		ems.Child{Kind: "api", Name: "api", Make: api.New(s.env, api.Config{Listener: web, View: &s.view})})
	if _, err := ems.Spawn(s.env, msg.EMS, children, func(failed bool) { s.ended <- failed }); err != nil {
		t.Fatal(err)
	}
	var drawn drawing
	s.wires.Connect("root", si.Straight, &drawn)
	third, err := around.System.Root.SpawnNamed(around.Props("sim-station", station.New(around, station.Config{URL: "ws://" + listen + "/ocpp", Identity: "OTHER",
		MaxAmps: 16, Speed: 1, NewID: crand.Text, Load: func(p si.Phases) { drawn.Store(&p) },
		Visits: []station.Visit{{EVSE: 1, Token: "04D5E6F7", Car: station.Car{MaxAmps: 16, Phases: 3}}}})), "OTHER")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = around.System.Root.StopFuture(third).Wait() })
	var all []ev.Arrival
	for i, e := range cfg.EVSEs {
		p := ev.Place{EVSE: e.ID, Outlet: s.outlets[e.ID], DC: e.Type == "dc"}
		if e.Port != nil {
			p.ISO15118, p.Interface, p.SDPPort = true, e.Port.Interface, e.Port.SDPPort
		}
		all = append(all, ev.Arrival{After: time.Duration(i) * 200 * time.Millisecond, Visit: ev.Visit{ID: "car-" + e.ID, Place: p, Energy: 200e3,
			Model: ev.Model{ISO15118: e.Port != nil, Phases: 3, MaxAmps: 32, Volts: 230, Battery: sim.Battery{Capacity: 300e3, MaxPower: 120e3, Nominal: 400}}}})
	}
	fleet, err := s.env.System.Root.SpawnNamed(s.env.Props("fleet", ev.NewFleet(s.env, network.Real{}, all, &s.stats)), ev.Name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.env.System.Root.StopFuture(fleet).Wait() })
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
				if s.wires.Current("root").Highest() > 100.01 || s.wires.Current("row").Highest() > 63.01 {
					s.over.Add(1)
				}
			}
		}
	}()
	return s
}

func broker(t *testing.T) string {
	b := mochi.New(&mochi.Options{Logger: slog.New(slog.DiscardHandler)})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.AddHook(new(auth.AllowHook), nil); err != nil {
		t.Fatal(err)
	}
	if err := b.AddListener(listeners.NewNet("test", l)); err != nil {
		t.Fatal(err)
	}
	if err := b.Serve(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return "tcp://" + l.Addr().String()
}

func (s *site) closed(evse string) bool { return s.outlets[evse].HAL().Board.Read().Closed }

// crash makes an actor fail as by a programming error.
func (s *site) crash(name string) { s.env.Send(name, kit.Crash{Why: "test"}) }

// until waits on the wall clock for something to come true.
func (s *site) until(what string, ok func() bool) {
	s.t.Helper()
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); {
		if ok() {
			return
		}
		pause(20 * time.Millisecond)
	}
	s.t.Fatalf("%s did not come true within 60 s", what)
}

func (s *site) allCharging() bool {
	for id := range s.outlets {
		if !s.closed(id) || s.outlets[id].Draw().Highest() < 1 {
			return false
		}
	}
	return true
}

// Each kind of actor fails while six vehicles charge: the site keeps its limits, and the others do not notice.
func TestEveryKindOfActorMayFail(t *testing.T) {
	t.Parallel()
	s := startSite(t)
	s.until("all six charging", s.allCharging)
	for _, c := range []struct {
		kind string
		name string
		evse string // whose contactor opens; "" for none
	}{
		{"recorder", msg.Recorder, ""},
		{"meter", msg.EMS + "/meter-root", ""},
		{"api", msg.API, ""},
		{"building", msg.Building, ""},
		{"controller", msg.Controller, ""},
		{"uplink", msg.Controller + "/uplink-SIX", ""},
		{"stationlink", msg.Controller + "/stationlink-OTHER", ""},
		{"station", msg.StationName("SIX"), ""},
		{"balancer", msg.Balancer, ""},
		{"port", msg.EVSEName("a1") + "/port-1", "a1"},
		{"session", msg.EVSEName("a2") + "/session-1", "a2"},
		{"evse", msg.EVSEName("d1"), "d1"},
		{"evse", msg.EVSEName("a4"), "a4"},
	} {
		t.Run(c.kind+" "+c.name, func(t *testing.T) {
			s.t = t
			var opened atomic.Bool
			others := map[string]bool{}
			before := gather(s.env, "voltyard_actor_panics_total")
			s.crash(c.name)
			for end := time.Now().Add(3 * time.Second); time.Now().Before(end); pause(5 * time.Millisecond) {
				for id := range s.outlets {
					switch {
					case s.closed(id):
					case id == c.evse:
						opened.Store(true)
					default:
						others[id] = true
					}
				}
			}
			if gather(s.env, "voltyard_actor_panics_total") == before {
				t.Fatalf("no actor %s failed", c.name)
			}
			if c.evse != "" && !opened.Load() {
				t.Errorf("the contactor of %s did not open", c.evse)
			}
			if len(others) > 0 {
				t.Errorf("the contactors of %v opened", others)
			}
			s.until("all six charging again", s.allCharging)
		})
	}
	s.t = t
	if n := s.over.Load(); n > 0 {
		t.Errorf("a fuse was exceeded in %d samples", n)
	}
	if st := s.stats.Load(); st.Failed > 0 {
		t.Errorf("%d visits failed: %v", st.Failed, st.Failures)
	}

	s.crash(msg.EMS)
	if failed := <-s.ended; !failed {
		t.Error("the death of the root is not reported as a failure")
	}
	for id := range s.outlets {
		if s.closed(id) {
			t.Errorf("the contactor of %s is closed after the death of the root", id)
		}
	}
}

// testLog shows the log with VOLTYARD_TEST_LOG=1.
func testLog() zerolog.Logger {
	if os.Getenv("VOLTYARD_TEST_LOG") == "" {
		return zerolog.Nop()
	}
	return zerolog.New(os.Stderr).With().Timestamp().Logger()
}

func gather(env *kit.Env, name string) float64 {
	total := 0.0
	families, _ := env.Metrics.Registry.Gather()
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				total += m.GetCounter().GetValue()
			}
		}
	}
	return total
}
