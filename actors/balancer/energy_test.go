package balancer

import (
	"errors"
	"testing"
	"time"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/kittest"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/hal/sim"
	"github.com/voltyard/voltyard/site/frequency"
	"github.com/voltyard/voltyard/site/limits"
	"github.com/voltyard/voltyard/site/limits/grid"
	"github.com/voltyard/voltyard/site/limits/guard"
	"github.com/voltyard/voltyard/site/limits/lpc"
	"github.com/voltyard/voltyard/site/topology"
)

func watt(w si.Watts) *si.Watts { return &w }

func (l *lot) total() si.Watts { return si.Watts(float64(l.sum()) * 690) }

func near(a, b si.Watts) bool { return a > b-80 && a < b+1 }

// An energy guard holds its failsafe from the start, its limit while it sends heartbeats, and its failsafe when it is silent.
func TestEnergyGuardInTheBalancer(t *testing.T) {
	kittest.Run(t, func(t *testing.T, env *kit.Env) {
		l := parking(t, env, 64, 2, func(c *Config, _ *topology.Site) {
			c.Sources = append(c.Sources, limits.Source{Name: "smgw"})
			c.Guards = []guard.Config{{Source: "smgw", Node: "grid", LPC: &lpc.Config{Failsafe: 15000}}}
		})
		time.Sleep(30 * time.Second)
		if w := l.total(); !near(w, 15000) {
			t.Errorf("before the guard has spoken: %v", w)
		}
		l.limit("smgw", "1", 9000)
		if a, _ := kittest.Last[msg.LimitAnswer](l.ear.Take()); a.Code != limits.Silent {
			t.Errorf("a limit without heartbeat: %+v", a)
		}
		beat := func(d time.Duration) {
			for range d / (30 * time.Second) {
				env.System.Root.Send(l.pid, msg.SourceAlive{Source: "smgw"})
				time.Sleep(30 * time.Second)
			}
		}
		beat(time.Minute)
		l.limit("smgw", "2", 9000)
		beat(2 * time.Minute)
		if w := l.total(); !near(w, 9000) {
			t.Errorf("limited: %v", w)
		}
		l.limit("smgw", "3", 0)
		beat(time.Minute)
		if w := l.total(); w != 0 {
			t.Errorf("0 W: %v", w)
		}
		env.System.Root.Send(l.pid, msg.ReleaseLimit{Source: "smgw", ID: "4", Issued: time.Now(), Reply: l.ear.PID})
		beat(time.Minute)
		if w := l.total(); !near(w, 64*690) {
			t.Errorf("released: %v", w)
		}
		if s := l.view.Load().Sources; len(s) != 1 || s[0].State != "unlimited/controlled" {
			t.Errorf("%+v", s)
		}
		time.Sleep(lpc.HeartbeatTimeout)
		if w := l.total(); !near(w, 15000) {
			t.Errorf("silent: %v", w)
		}
		if v := l.view.Load().Limits; len(v) != 1 || v[0].Source != "smgw" || *v[0].ImportW != 15000 {
			t.Errorf("%+v", v)
		}
	})
}

// A relay of the grid operator dims the site within a second; a broken wire is the strictest contact.
func TestRelayInTheBalancer(t *testing.T) {
	kittest.Run(t, func(t *testing.T, env *kit.Env) {
		relay := &sim.Input{}
		l := parking(t, env, 64, 2, func(c *Config, _ *topology.Site) {
			c.Sources = append(c.Sources, limits.Source{Name: "receiver"})
			c.Guards = []guard.Config{{Source: "receiver", Node: "grid", Contacts: []guard.Contact{
				{Input: "di1", Contact: grid.Contact{Name: "dimming", Values: limits.Values{ImportW: watt(grid.Guaranteed(2, 0))}}}}}}
		})
		kittest.Spawn(t, env, "input-di1", NewInputPoller(env, "di1", relay))
		step := func(what string, want si.Watts) {
			t.Helper()
			time.Sleep(10 * time.Second)
			if w := l.total(); !near(w, want) {
				t.Errorf("%s: %v, want %v", what, w, want)
			}
		}
		step("open", 64*690)
		relay.Set(true)
		l.watch(time.Second)
		if w := l.total(); w > grid.Guaranteed(2, 0)+1 {
			t.Errorf("a second after the relay has closed: %v", w)
		}
		step("closed", 11*690) // 7.56 kW are 10.95 A
		relay.Set(false)
		step("open again", 64*690)
		relay.Break(true)
		l.watch(5500 * time.Millisecond)
		if w := l.total(); w > grid.Guaranteed(2, 0)+1 {
			t.Errorf("5 s after the wire has broken: %v", w)
		}
	})
}

func TestCommands(t *testing.T) {
	kittest.Run(t, func(t *testing.T, env *kit.Env) {
		l := parking(t, env, 64, 2, nil)
		time.Sleep(10 * time.Second)
		n := 0
		do := func(m msg.EVSECommand) limits.Code {
			n++
			m.Reply, m.Issued = l.ear.PID, time.Now()
			if m.ID == "" {
				m.ID = "c"
			}
			if m.EVSE == "" {
				m.EVSE = "e0"
			}
			l.ear.Take()
			env.System.Root.Send(l.pid, m)
			time.Sleep(3 * time.Second)
			a, ok := kittest.Last[msg.CommandAnswer](l.ear.Take())
			if !ok || a.Accepted != (a.Code == limits.Accepted) || a.EVSE != m.EVSE || a.ID != m.ID {
				t.Errorf("%+v: answer %+v", m, a)
			}
			return a.Code
		}
		amps := func() si.Amps { a, _ := l.cars[0].allowed(); return a }
		nan := si.Watts(0)
		nan /= nan
		for i, c := range []struct {
			m    msg.EVSECommand
			want limits.Code
			amps si.Amps
		}{
			{msg.EVSECommand{Verb: msg.Pause, On: true}, limits.Accepted, 0},
			{msg.EVSECommand{Verb: msg.Pause}, limits.Accepted, 32},
			{msg.EVSECommand{Verb: msg.EVSESetpoint, Number: 6900, Validity: 8 * time.Second}, limits.Accepted, 10},
			{msg.EVSECommand{Verb: msg.EVSESetpoint, Number: 6900}, limits.Expired, 10},
			{msg.EVSECommand{Verb: msg.EVSESetpoint, Number: -6900, Validity: time.Minute}, limits.NotAble, 32}, // the other has expired
			{msg.EVSECommand{Verb: msg.EVSESetpoint, Number: float64(nan), Validity: time.Minute}, limits.NotFinite, 32},
			{msg.EVSECommand{Verb: msg.TargetEnergy, Number: 0}, limits.Accepted, 0},
			{msg.EVSECommand{Verb: msg.TargetEnergy, Number: 1e6}, limits.Accepted, 32},
			{msg.EVSECommand{Verb: msg.TargetEnergy, Number: -1}, limits.Negative, 32},
			{msg.EVSECommand{Verb: msg.Departure, At: time.Now().Add(time.Hour)}, limits.Accepted, 32},
			{msg.EVSECommand{Verb: msg.Departure, At: time.Now().Add(-time.Hour)}, limits.Expired, 32},
			{msg.EVSECommand{Verb: msg.Priority, Number: 5}, limits.Accepted, 32},
			{msg.EVSECommand{Verb: msg.Priority, Number: 1e9}, limits.NotAble, 32},
			{msg.EVSECommand{Verb: msg.Stop, Text: "why"}, limits.Accepted, 32},
			{msg.EVSECommand{Verb: msg.Start, Text: "token"}, limits.Accepted, 32},
			{msg.EVSECommand{Verb: msg.InService, On: false}, limits.Accepted, 32},
			{msg.EVSECommand{Verb: "jump"}, limits.NotAble, 32},
			{msg.EVSECommand{Verb: msg.Pause, On: true, Retained: true}, limits.Retained, 32},
			{msg.EVSECommand{Verb: msg.Pause, On: true, EVSE: "x"}, limits.UnknownEVSE, 32},
		} {
			if got := do(c.m); got != c.want {
				t.Errorf("%d, %s: %s, want %s", i, c.m.Verb, got, c.want)
			}
			if got := amps(); got != c.amps {
				t.Errorf("%d, %s: %v afterwards, want %v", i, c.m.Verb, got, c.amps)
			}
		}
		v := l.view.Load().EVSEs[0]
		if v.Priority != 5 || v.Departure == nil || v.Target == nil {
			t.Errorf("%+v", v)
		}
		var kinds []any
		l.cars[0].mu.Lock()
		kinds = append(kinds, l.cars[0].others...)
		l.cars[0].mu.Unlock()
		if len(kittest.Of[msg.StopCharging](kinds)) != 1 || len(kittest.Of[msg.Token](kinds)) != 1 || len(kittest.Of[msg.Operative](kinds)) != 1 {
			t.Errorf("the EVSE heard %+v", kinds)
		}
		l.cars[0].set(func(r *msg.EVSEReport) { r.Plugged, r.Wants = false, false })
		time.Sleep(3 * time.Second)
		if got := do(msg.EVSECommand{Verb: msg.Pause, On: true}); got != limits.NoVehicle {
			t.Error(got)
		}
		if v := l.view.Load().EVSEs[0]; v.Priority != 5 || v.Departure != nil || v.Target != nil {
			t.Errorf("the next vehicle inherits %+v", v)
		}
	})
}

// Vehicles follow a set-point and the frequency along a ramp; when that falls silent they go back to what the limits allow.
func TestServicesForTheGrid(t *testing.T) {
	kittest.Run(t, func(t *testing.T, env *kit.Env) {
		l := parking(t, env, 64, 2, func(c *Config, _ *topology.Site) {
			c.Ramp = 5000
			c.Response = &frequency.Curve{Range: 20000}
			if err := c.Response.Check(); err != nil {
				t.Fatal(err)
			}
		})
		for _, c := range l.cars {
			c.set(func(r *msg.EVSEReport) { r.SoC, r.MaxExport, r.Phases = 70, 11040, 3 })
		}
		power := func() (w si.Watts) {
			for _, c := range l.cars {
				i, e := c.allowed()
				w += si.Watts(float64(i-e) * 690)
			}
			return w
		}
		time.Sleep(10 * time.Second)
		full := power()
		ask := func(w si.Watts, valid time.Duration) {
			env.System.Root.Send(l.pid, msg.Setpoint{Source: "aggregator", ID: "s", Power: w, Validity: valid, Issued: time.Now(), Reply: l.ear.PID})
		}
		ask(10000, time.Minute)
		time.Sleep(2 * time.Second)
		if w := power(); w > full-8000 || w < full-13000 {
			t.Errorf("%v after 2 s at 5 kW a second from %v", w, full)
		}
		time.Sleep(20 * time.Second)
		if w := power(); !near(w, 10000) {
			t.Errorf("%v, wanted 10 kW", w)
		}
		ask(-12000, 30*time.Second)
		time.Sleep(20 * time.Second)
		if w := power(); !near(w, -12000+40) && !near(w, -12000+80) {
			t.Errorf("%v, wanted -12 kW", w)
		}
		time.Sleep(time.Minute) // its validity ends
		if w := power(); w < full-100 {
			t.Errorf("%v after the set-point, %v before", w, full)
		}
		for range 40 { // 49.3 Hz: 0.5 Hz beyond the dead-band of 2.5 Hz for the range: -4 kW
			env.System.Root.Send(l.pid, msg.GridFrequency{Hz: 49.3})
			time.Sleep(500 * time.Millisecond)
		}
		if w := power(); w > full-4000+50 || w < full-4200 {
			t.Errorf("%v at 49.3 Hz, %v before", w, full)
		}
		time.Sleep(30 * time.Second)
		if w := power(); w < full-100 {
			t.Errorf("%v after the frequency fell silent", w)
		}
		l.limit("dso", "x", 4140*2)
		time.Sleep(time.Second)
		ask(40000, time.Minute)
		time.Sleep(20 * time.Second)
		if w := power(); w > 4140*2+1 {
			t.Errorf("a set-point lifts a limit: %v", w)
		}
		for name, m := range map[limits.Code]msg.Setpoint{
			limits.Retained: {ID: "a", Retained: true}, limits.NoID: {}, limits.NoValue: {ID: "a"}, limits.OutOfOrder: {ID: "a", Issued: time.Now().Add(-time.Hour)},
			limits.FromFuture: {ID: "a", Issued: time.Now().Add(time.Hour)}} {
			if m.Issued.IsZero() {
				m.Issued = time.Now()
			}
			m.Reply = l.ear.PID
			l.ear.Take()
			env.System.Root.Send(l.pid, m)
			if a, _ := kittest.Last[msg.LimitAnswer](l.ear.Take()); a.Code != name {
				t.Errorf("%+v: %s, want %s", m, a.Code, name)
			}
		}
	})
}

// The average over each quarter hour stays at the contract although the fuse allows more.
func TestContractOverQuarterHours(t *testing.T) {
	kittest.Run(t, func(t *testing.T, env *kit.Env) {
		l := parking(t, env, 64, 2, func(_ *Config, s *topology.Site) { s.Nodes[0].Contract = watt(20000) })
		l.cars[1].set(func(r *msg.EVSEReport) { r.Wants = false })
		time.Sleep(time.Until(time.Now().Truncate(topology.ContractPeriod).Add(topology.ContractPeriod)) + 2*time.Second)
		l.cars[0].set(func(r *msg.EVSEReport) { r.Wants = false })
		time.Sleep(8 * time.Minute) // unused energy may be taken later in the quarter
		for _, c := range l.cars {
			c.set(func(r *msg.EVSEReport) { r.Wants = true })
		}
		energy, peak := 0.0, si.Watts(0)
		for range 410 {
			time.Sleep(time.Second)
			w := l.total()
			peak = max(peak, w)
			energy += float64(w) / 3600
		}
		if energy > 5000 || energy < 4500 || peak < 35000 {
			t.Errorf("%.0f Wh in the quarter of 5000, at most %v", energy, peak)
		}
		time.Sleep(30 * time.Second)
		energy = 0
		for range 13 * 60 {
			time.Sleep(time.Second)
			energy += float64(l.total()) / 3600
		}
		if energy > 5000 {
			t.Errorf("%.0f Wh in the next quarter", energy)
		}
	})
}

// The sun on the roof is relief where there is time for its loss, and none for the fuse.
func TestGenerationIsMeasuredByItself(t *testing.T) {
	kittest.Run(t, func(t *testing.T, env *kit.Env) {
		l := parking(t, env, 40, 2, func(c *Config, s *topology.Site) {
			s.Nodes[0].MaxImport, s.Nodes[0].Meter = watt(20*690), "m"
			s.Nodes = append(s.Nodes, topology.Node{ID: "roof", Parent: "grid", Meter: "r"})
			s.Nodes[0].React = 10 * time.Second
			c.Meters = map[string]time.Duration{"grid": 5 * time.Second, "roof": 5 * time.Second}
			c.Kinds = map[string]string{"roof": "pv"}
		})
		roof, load := si.Same(0), si.Same(4)
		dead := false
		read := func(d time.Duration) {
			for range d / (250 * time.Millisecond) {
				time.Sleep(250 * time.Millisecond)
				cars := si.Same(l.sum())
				all := cars.Add(roof).Add(load)
				env.System.Root.Send(l.pid, msg.NodeReading{Node: "grid", Reading: hal.MeterReading{Current: all, Power: all.Power(230)}})
				m := msg.NodeReading{Node: "roof", Reading: hal.MeterReading{Current: roof, Power: roof.Power(230)}}
				if dead {
					m.Err = errors.New("dead")
				}
				env.System.Root.Send(l.pid, m)
			}
		}
		read(20 * time.Second)
		if a := l.sum(); a < 15 || a > 16 {
			t.Errorf("at night: %v of 20 A less 4", a)
		}
		roof = si.Same(-15)
		read(30 * time.Second)
		if a := l.sum(); a < 29 || a > 31 {
			t.Errorf("by day: %v of 20 A less 4 and 15 from the roof", a)
		}
		dead = true // its meter; the sun still shines
		read(30 * time.Second)
		if a := l.sum(); a > 16 {
			t.Errorf("%v although nobody knows what the roof delivers", a)
		}
	})
}
