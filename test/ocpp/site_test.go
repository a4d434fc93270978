package ocpp

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
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

// site is a local controller with a CSMS above and stations below, on loopback sockets. The database is a map that
// survives the actors; the balancer and the EVSEs are played by the test.
type site struct {
	t      *testing.T
	env    *kit.Env
	record *csms.Record
	csmsAt string
	stats  *ocppstat.Stats
	disk   *disk
	listen string
	pids   map[string]*actor.PID
	inbox  *inbox
}

// disk is the recorder's stand-in.
type disk struct {
	mu   sync.Mutex
	data map[string][]byte
	full bool
}

func (d *disk) Receive(ctx actor.Context) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch m := ctx.Message().(type) {
	case msg.Save:
		if d.full {
			ctx.Send(m.Reply, msg.Saved{Token: m.Token, Err: fmt.Errorf("no space left on device")})
			return
		}
		for _, op := range m.Ops {
			key := op.Bucket + "\x00" + string(op.Key)
			if op.Value == nil {
				delete(d.data, key)
			} else {
				d.data[key] = op.Value
			}
		}
		if m.Reply != nil {
			ctx.Send(m.Reply, msg.Saved{Token: m.Token})
		}
	case msg.Load:
		out := msg.Loaded{Bucket: m.Bucket, Token: m.Token}
		prefix := m.Bucket + "\x00" + string(m.Prefix)
		for k, v := range d.data {
			if len(k) >= len(prefix) && k[:len(prefix)] == prefix {
				out.Pairs = append(out.Pairs, msg.KV{Key: []byte(k[len(m.Bucket)+1:]), Value: v})
			}
		}
		ctx.Send(m.Reply, out)
	}
}

// inbox keeps what the balancer and the EVSEs are told.
type inbox struct {
	mu  sync.Mutex
	got []any
}

func (b *inbox) Receive(ctx actor.Context) {
	switch ctx.Message().(type) {
	case *actor.Started, *actor.Stopping, *actor.Stopped:
		return
	}
	b.mu.Lock()
	b.got = append(b.got, ctx.Message())
	b.mu.Unlock()
}

func of[T any](b *inbox) []T {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []T
	for _, m := range b.got {
		if v, ok := m.(T); ok {
			out = append(out, v)
		}
	}
	return out
}

func last[T any](b *inbox) (v T) {
	if all := of[T](b); len(all) > 0 {
		return all[len(all)-1]
	}
	return v
}

func newSite(t *testing.T) *site {
	t.Helper()
	log := zerolog.Nop()
	if os.Getenv("VOLTYARD_TEST_LOG") != "" {
		log = zerolog.New(zerolog.ConsoleWriter{Out: os.Stderr, TimeFormat: "05.000"}).With().Timestamp().Logger()
	}
	s := &site{t: t, env: kit.NewEnv(log), disk: &disk{data: map[string][]byte{}}, pids: map[string]*actor.PID{}, inbox: &inbox{},
		record: csms.NewRecord(1000000, nil)}
	s.stats = ocppstat.New(s.env)
	t.Cleanup(func() {
		for name := range s.pids {
			s.stop(name)
		}
	})
	s.spawn(msg.EMS, func() actor.Actor { return actor.ReceiveFunc(func(actor.Context) {}) })
	s.spawn(msg.Recorder, func() actor.Actor { return s.disk })
	s.spawn(msg.Balancer, func() actor.Actor { return s.inbox })
	s.csms("127.0.0.1:0")
	return s
}

func (s *site) spawn(name string, make func() actor.Actor) {
	s.t.Helper()
	pid, err := s.env.System.Root.SpawnNamed(s.env.Props("test", make), name)
	if err != nil {
		s.t.Fatal(err)
	}
	s.pids[name] = pid
}

func (s *site) stop(name string) {
	if pid := s.pids[name]; pid != nil {
		_ = s.env.System.Root.StopFuture(pid).Wait()
		delete(s.pids, name)
	}
}

func (s *site) csms(at string) {
	s.t.Helper()
	l, err := net.Listen("tcp", at)
	if err != nil {
		s.t.Fatal(err)
	}
	s.csmsAt = l.Addr().String()
	s.spawn("csms", csms.New(s.env, csms.Config{Listener: l, Path: "/ocpp", Record: s.record}))
}

func (s *site) controller(stay bool, own ...string) {
	s.t.Helper()
	opened := make(chan net.Addr, 1)
	listen := "127.0.0.1:0"
	if s.listen != "" {
		listen = s.listen
	}
	s.spawn(msg.Controller, controller.New(s.env, controller.Config{Listen: listen, Opened: func(a net.Addr) { opened <- a }, Path: "/ocpp",
		CSMS: &controller.CSMS{URL: "ws://" + s.csmsAt + "/ocpp"}, Stay: stay, Volts: 230, NewID: ws.NewID, Stats: s.stats, Own: own,
		Stations: []controller.Station{{ID: "CS-A", Fallback: 6, MaxAmps: 32, Phases: 3, Levels: 2}, {ID: "CS-B", Fallback: 6, MaxAmps: 32, Phases: 3, Levels: 2, Password: "0123456789abcdef"}},
		Backoff:  kit.Backoff{Min: 10 * time.Millisecond, Max: 50 * time.Millisecond}}))
	select {
	case a := <-opened:
		s.listen = a.String()
	case <-time.After(10 * time.Second):
		s.t.Fatal("the controller does not listen")
	}
}

func (s *site) station(id, password string, visits ...simstation.Visit) {
	s.spawn("sim-"+id, simstation.New(s.env, simstation.Config{URL: "ws://" + s.listen + "/ocpp", Identity: id, Password: password, Speed: 600,
		NewID: ws.NewID, Visits: visits, Variables: map[string]string{"SampledDataCtrlr.TxUpdatedInterval": "1"}}))
}

// own starts the station role of one AC EVSE that the test plays.
func (s *site) own(id string) {
	s.spawn(msg.StationName(id), station.New(s.env, station.Config{Cloud: true, Stats: s.stats, EVSEs: []string{"ac1"},
		Role: role.Config{Identity: id, Vendor: "Voltyard", Model: "Own", NewID: ws.NewID,
			EVSEs: []role.EVSEConfig{{ConnectorType: "cType2", Rating: profile.Rating{Phases: 3, Volts: 230, Max: 32}}}}}))
}

func (s *site) send(name string, m any) { s.env.System.Root.Send(s.pids[name], m) }

// until waits for a condition that must come true.
func (s *site) until(what string, cond func() bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.t.Fatalf("waited in vain: %s", what)
		}
	}
}

func (s *site) grant(seq uint64, id string, amps si.Amps) {
	g := lease.Grant{EVSE: id, Seq: seq, Import: si.Same(amps), Phases: 3, Until: time.Now().Add(15 * time.Minute)}
	s.send(msg.Controller, msg.StationGrant{Grant: g, Hold: lease.Hold{Import: g.Import, Until: g.Until}})
}

func TestStationIsRelayedLimitedAndSeen(t *testing.T) {
	s := newSite(t)
	s.controller(true)
	s.station("CS-A", "", simstation.Visit{Car: simstation.Car{MaxAmps: 20}})
	s.until("the station is reported", func() bool { return last[msg.StationReport](s.inbox).Connected })
	s.grant(1, "CS-A", 16)
	s.until("it charges at its limit", func() bool {
		r := last[msg.StationReport](s.inbox)
		return r.Current != nil && r.Current[0] == 16 && r.Wants
	})
	s.until("the grant is acknowledged", func() bool { return slices.Contains(of[msg.GrantAck](s.inbox), msg.GrantAck{EVSE: "CS-A", Seq: 1}) })
	s.grant(2, "CS-A", 8)
	s.until("it follows the lower limit", func() bool { return last[msg.StationReport](s.inbox).Current[0] == 8 })
	s.send("sim-CS-A", simstation.Leave{EVSE: 1})
	s.until("the session is counted", func() bool { return s.stats.Sums().Completed == 1 })
	s.until("the CSMS has it all", func() bool { return len(s.record.CheckTransactions("CS-A", true)) == 0 })
	if w := s.record.Faults(); len(w) > 0 || s.stats.Sums().Errors > 0 {
		t.Errorf("faults: %v, %+v", w, s.stats.Sums())
	}
}

func TestStationMustShowItsPassword(t *testing.T) {
	s := newSite(t)
	s.controller(true)
	for password, ok := range map[string]bool{"wrong-password-00": false, "0123456789abcdef": true} {
		p, err := ws.Dial(t.Context(), ws.Target{URL: "ws://" + s.listen + "/ocpp", Identity: "CS-B", Subprotocols: []string{"ocpp2.0.1"}, Authorization: ws.Basic("CS-B", password)})
		if (err == nil) != ok {
			t.Errorf("%q: %v", password, err)
		}
		if p != nil {
			p.Close(1000, "")
		}
	}
	if _, err := ws.Dial(t.Context(), ws.Target{URL: "ws://" + s.listen + "/ocpp", Identity: "CS-NOT", Subprotocols: []string{"ocpp2.0.1"}}); err == nil {
		t.Error("an unknown station was let in")
	}
}

func TestOwnStation(t *testing.T) {
	s := newSite(t)
	evse := &inbox{}
	s.spawn(msg.EVSEName("ac1"), func() actor.Actor { return evse })
	s.own("OWN-1")
	s.controller(true, "OWN-1")
	report := msg.EVSEReport{EVSE: "ac1", SoC: -1}
	tell := func() {
		report.Seq++
		s.send(msg.StationName("OWN-1"), report)
	}
	report.Plugged = true
	report.Meter.Import = 1000
	tell()
	s.send(msg.StationName("OWN-1"), msg.Authorize{EVSE: "ac1", Token: "CARD", Kind: "ISO14443"})
	s.until("the EVSE is authorised", func() bool { return last[msg.Authorized](evse).Accepted })
	report.Auth, report.Charging, report.Limit = true, true, 16
	report.Meter.Power, report.Meter.Import = 11000, 1200
	tell()
	s.until("the CSMS hears of it", func() bool { return len(s.record.Requests("OWN-1", "TransactionEvent")) >= 2 })
	set := `{"evseId":1,"chargingProfile":{"id":5,"stackLevel":0,"chargingProfilePurpose":"TxDefaultProfile","chargingProfileKind":"Absolute","chargingSchedule":[{"id":1,"startSchedule":"2024-01-01T00:00:00Z","chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":10}]}]}}`
	answer := make(chan string, 1)
	s.send("csms", csms.Request{Station: "OWN-1", Action: "SetChargingProfile", Payload: []byte(set), Done: func(p []byte, fault string) { answer <- string(p) + fault }})
	if got := <-answer; got != `{"status":"Accepted"}` {
		t.Fatal(got)
	}
	s.until("the balancer has the cap", func() bool { c := last[msg.Cap](s.inbox); return c.Current != nil && *c.Current == 10 })
	s.stop(msg.StationName("OWN-1")) // dies; what it has done is on disk
	s.own("OWN-1")
	tell()
	s.until("the cap is back", func() bool { return len(of[msg.Cap](s.inbox)) >= 3 && last[msg.Cap](s.inbox).Current != nil })
	report.Plugged, report.Charging = false, false
	tell()
	s.until("the transaction ended", func() bool { return len(s.record.CheckTransactions("OWN-1", true)) == 0 })
	if n := len(s.record.Requests("OWN-1", "TransactionEvent")); n < 3 {
		t.Errorf("%d events", n)
	}
	if w := s.record.Faults(); len(w) > 0 {
		t.Errorf("faults: %v", w)
	}
}

// The CSMS goes away again and again, at any moment: afterwards it has each event, in order, repeats identical.
func TestOutages(t *testing.T) {
	for _, stay := range []bool{true, false} {
		t.Run(fmt.Sprintf("stay=%v", stay), func(t *testing.T) {
			s := newSite(t)
			s.controller(stay)
			for i := range 4 {
				s.grant(uint64(i+1), "CS-A", 32)
			}
			var visits []simstation.Visit
			for range 5 {
				visits = append(visits, simstation.Visit{Stay: 1200 * time.Millisecond})
			}
			s.station("CS-A", "")
			s.until("connected", func() bool { return last[msg.StationReport](s.inbox).Connected })
			s.grant(9, "CS-A", 32)
			cuts := 0
			for _, v := range visits {
				s.send("sim-CS-A", simstation.Arrive{Visit: v})
				before := s.stats.Sums().Completed + s.stats.Sums().Stopped
				s.until("a session", func() bool {
					time.Sleep(20 * time.Millisecond)
					if cuts < 100 {
						cuts++
						s.send("csms", csms.Cut{})
					}
					return s.stats.Sums().Completed+s.stats.Sums().Stopped > before
				})
			}
			s.until("everything is delivered", func() bool {
				return s.stats.Unacknowledged() == 0 && len(s.record.CheckTransactions("CS-A", true)) == 0
			})
			t.Logf("%d cuts, %d frames", cuts, len(s.record.Frames("")))
		})
	}
}
