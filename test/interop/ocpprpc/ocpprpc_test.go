package ocpprpc

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/voltyard/voltyard/actors/controller"
	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/ocppstat"
	"github.com/voltyard/voltyard/actors/kit/ws"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/actors/sim/csms"
	simstation "github.com/voltyard/voltyard/actors/sim/station"
	"github.com/voltyard/voltyard/actors/station"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/ocpp/profile"
	role "github.com/voltyard/voltyard/protocols/ocpp/station"
	"github.com/voltyard/voltyard/site/lease"
)

// library skips unless node and the library are here.
func library(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is not here")
	}
	if _, err := os.Stat(filepath.Join("node_modules", "ocpp-rpc")); err != nil {
		t.Skip("ocpp-rpc is not here; run npm install in test/interop/ocpprpc")
	}
}

type line struct {
	Listening int    `json:"listening"`
	Station   string `json:"station"`
	Got       string `json:"got"`
	Answer    string `json:"answer"`
	Refused   string `json:"refused"`
	Fault     string `json:"fault"`
	Done      any    `json:"done"`
	raw       string
}

// script runs a script and collects what it prints.
type script struct {
	mu    sync.Mutex
	lines []line
}

func run(t *testing.T, args ...string) *script {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &script{}
	var wg sync.WaitGroup
	wg.Go(func() {
		sc := bufio.NewScanner(out)
		sc.Buffer(nil, 1<<20)
		for sc.Scan() {
			l := line{raw: sc.Text()}
			if json.Unmarshal(sc.Bytes(), &l) != nil {
				l.Fault = l.raw
			}
			s.mu.Lock()
			s.lines = append(s.lines, l)
			s.mu.Unlock()
		}
	})
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		wg.Wait()
		_ = cmd.Wait()
	})
	return s
}

func (s *script) count(is func(line) bool) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, l := range s.lines {
		if is(l) {
			n++
		}
	}
	return n
}

func (s *script) faults() (out []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lines {
		if l.Fault != "" {
			out = append(out, l.raw)
		}
	}
	return out
}

func until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	end := time.Now().Add(30 * time.Second)
	for !cond() {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// recorder commits at once, into nothing.
func recorder(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case msg.Save:
		if m.Reply != nil {
			ctx.Send(m.Reply, msg.Saved{Token: m.Token})
		}
	case msg.Load:
		ctx.Send(m.Reply, msg.Loaded{Bucket: m.Bucket, Token: m.Token})
	}
}

type bench struct {
	t      *testing.T
	env    *kit.Env
	stats  *ocppstat.Stats
	listen string
}

func newBench(t *testing.T, csmsURL string, own ...string) *bench {
	b := &bench{t: t, env: kit.NewEnv(zerolog.Nop())}
	b.stats = ocppstat.New(b.env)
	b.spawn(msg.EMS, func() actor.Actor { return actor.ReceiveFunc(func(actor.Context) {}) })
	b.spawn(msg.Recorder, func() actor.Actor { return actor.ReceiveFunc(recorder) })
	b.spawn(msg.Balancer, func() actor.Actor { return actor.ReceiveFunc(func(actor.Context) {}) })
	opened := make(chan net.Addr, 1)
	b.spawn(msg.Controller, controller.New(b.env, controller.Config{Listen: "127.0.0.1:0", Opened: func(a net.Addr) { opened <- a }, Path: "/ocpp",
		CSMS: &controller.CSMS{URL: csmsURL}, Stay: true, Volts: 230, NewID: ws.NewID, Stats: b.stats, Own: own, Deflate: true,
		Stations: []controller.Station{{ID: "CS-A", Fallback: 6, MaxAmps: 32, Phases: 3, Levels: 2}}}))
	b.listen = (<-opened).String()
	return b
}

func (b *bench) spawn(name string, make func() actor.Actor) {
	b.t.Helper()
	pid, err := b.env.System.Root.SpawnNamed(b.env.Props("test", make), name)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = b.env.System.Root.StopFuture(pid).Wait() })
}

func (b *bench) grant(amps si.Amps) {
	g := lease.Grant{EVSE: "CS-A", Seq: 1, Import: si.Same(amps), Phases: 3, Until: time.Now().Add(15 * time.Minute)}
	b.env.Send(msg.Controller, msg.StationGrant{Grant: g, Hold: lease.Hold{Import: g.Import, Until: g.Until}})
}

func TestStrictCSMS(t *testing.T) {
	library(t)
	js := run(t, "csms.js")
	port := 0
	until(t, "the CSMS listens", func() bool {
		return js.count(func(l line) bool { port = max(port, l.Listening); return l.Listening > 0 }) > 0
	})
	b := newBench(t, fmt.Sprintf("ws://127.0.0.1:%d", port), "OWN-1", "LC-1")
	b.spawn(msg.StationName("LC-1"), station.New(b.env, station.Config{Cloud: true, Stats: b.stats,
		Role: role.Config{Identity: "LC-1", Vendor: "Voltyard", Model: "Controller", NewID: ws.NewID, Control: true, Chain: []string{"CS-A"}}}))
	b.spawn(msg.StationName("OWN-1"), station.New(b.env, station.Config{Cloud: true, Stats: b.stats, EVSEs: []string{"ac1"},
		Role: role.Config{Identity: "OWN-1", Vendor: "Voltyard", Model: "Own", NewID: ws.NewID, Variables: map[string]string{"SampledDataCtrlr.TxUpdatedInterval": "1",
			"SampledDataCtrlr.TxUpdatedMeasurands": "Energy.Active.Import.Register,Energy.Active.Export.Register,Power.Active.Import,Power.Active.Export,Current.Import,Current.Export,Voltage,SoC,Current.Offered,Power.Offered"},
			EVSEs: []role.EVSEConfig{{ConnectorType: "cType2", Rating: profile.Rating{Phases: 3, Volts: 230, Max: 32}}}}}))
	b.spawn("sim", simstation.New(b.env, simstation.Config{URL: "ws://" + b.listen + "/ocpp", Identity: "CS-A", Speed: 100, NewID: ws.NewID, Deflate: true,
		Visits: []simstation.Visit{{Token: "A1", Stay: 8 * time.Second}}, Variables: map[string]string{"SampledDataCtrlr.TxUpdatedInterval": "1"}}))
	b.grant(16)
	r := msg.EVSEReport{EVSE: "ac1", Seq: 1, Plugged: true, SoC: 42}
	r.Meter.Import, r.Meter.Voltage, r.Meter.Current = 1000.123456, [3]si.Volts{230.1234, 229, 231}, si.Phases{15.98765, 16, 16}
	b.env.Send(msg.StationName("OWN-1"), r)
	b.env.Send(msg.StationName("OWN-1"), msg.Authorize{EVSE: "ac1", Token: "A1", Kind: "ISO14443"})
	until(t, "the token is authorised", func() bool {
		return js.count(func(l line) bool { return l.Got == "Authorize" && l.Station == "OWN-1" }) > 0
	})
	r.Seq, r.Auth, r.Charging, r.Limit, r.Meter.Power = 2, true, true, 16, 11000
	b.env.Send(msg.StationName("OWN-1"), r)
	until(t, "all stations have answered all requests", func() bool { return js.count(func(l line) bool { return l.Done != nil }) == 3 })
	until(t, "the third-party station's session is over", func() bool { return b.stats.Sums().Completed == 1 })
	r.Seq, r.Plugged = 3, false
	b.env.Send(msg.StationName("OWN-1"), r)
	until(t, "all is delivered", func() bool {
		return b.stats.Unacknowledged() == 0 && js.count(func(l line) bool { return l.Got == "TransactionEvent" && l.Station == "OWN-1" }) >= 5
	})
	for _, f := range js.faults() {
		t.Error(f)
	}
	t.Logf("%d frames taken, %d requests answered, %d refused as not supported", js.count(func(l line) bool { return l.Got != "" }),
		js.count(func(l line) bool { return l.Answer != "" }), js.count(func(l line) bool { return l.Refused != "" }))
}

func TestStrictStation(t *testing.T) {
	library(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	env := kit.NewEnv(zerolog.Nop())
	rec := csms.NewRecord(1000, nil)
	pid := env.System.Root.Spawn(env.Props("csms", csms.New(env, csms.Config{Listener: l, Path: "/ocpp", Record: rec})))
	t.Cleanup(func() { _ = env.System.Root.StopFuture(pid).Wait() })
	b := newBench(t, "ws://"+l.Addr().String()+"/ocpp")
	b.grant(16)
	js := run(t, "station.js", "ws://"+b.listen+"/ocpp", "CS-A", "0123456789abcdef")
	until(t, "the station is through", func() bool { return js.count(func(l line) bool { return l.Done != nil }) == 1 || len(js.faults()) > 0 })
	for _, f := range append(js.faults(), rec.Faults()...) {
		t.Error(f)
	}
	if n := js.count(func(l line) bool { return l.Got == "SetChargingProfile" }); n < 2 {
		t.Errorf("%d profiles of the controller reached the station, want fallback and lease", n)
	}
	for _, w := range rec.CheckTransactions("CS-A", true) {
		t.Error(w)
	}
}
