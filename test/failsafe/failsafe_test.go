package failsafe

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/ems"
	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/kittest"
	"github.com/voltyard/voltyard/actors/kit/network"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/actors/sim/ev"
	"github.com/voltyard/voltyard/configs"
	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/hal/sim"
	"github.com/voltyard/voltyard/site/limits"
	"github.com/voltyard/voltyard/storage/bolt"
)

const siteFile = `
site: {id: fs}
nodes:
  - {id: root, fuse_a: 100, max_import_w: 50000, meter: grid, background_a: 30}
meters: [{id: grid, driver: sim}]
inputs: [{id: di1, driver: sim}]
evses:
  - {id: a1, node: root, type: ac, max_a: 32, floor_a: 6, hal: sim}
  - {id: a2, node: root, type: ac, max_a: 32, floor_a: 6, hal: sim}
  - {id: a3, node: root, type: ac, max_a: 32, hal: sim}
limits:
  - {source: bems, silence_s: 4, failsafe: {import_w: 20000}}
  - {source: dso, failsafe: {import_w: 15000}}
  - {source: smgw, lpc: {failsafe_w: 12000}}
  - {source: receiver, contacts: [{input: di1, import_w: 10000}]}
`

const buildingLoad = 5 // A on each phase

// memory is a database that keeps everything in memory.
type memory struct {
	mu   sync.Mutex
	rows map[string]map[string][]byte
}

func (m *memory) Apply(ops []bolt.Op) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, o := range ops {
		if m.rows[o.Bucket] == nil {
			m.rows[o.Bucket] = map[string][]byte{}
		}
		if o.Value == nil {
			delete(m.rows[o.Bucket], string(o.Key))
		} else {
			m.rows[o.Bucket][string(o.Key)] = o.Value
		}
	}
	return nil
}

func (m *memory) Scan(bucket string, _ []byte) (out []bolt.KV, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range slices.Sorted(maps.Keys(m.rows[bucket])) {
		out = append(out, bolt.KV{Key: []byte(k), Value: m.rows[bucket][k]})
	}
	return out, nil
}

func (m *memory) Size() int64 { return 0 }

// breakable is a meter that can fail.
type breakable struct {
	hal.Meter
	broken atomic.Bool
}

func (b *breakable) Read(ctx context.Context) (hal.MeterReading, error) {
	if b.broken.Load() {
		return hal.MeterReading{}, errors.New("the meter is dead")
	}
	return b.Meter.Read(ctx)
}

type site struct {
	t     *testing.T
	env   *kit.Env
	wires *sim.Wires
	outs  map[string]*sim.Outlet
	meter *breakable
	input *sim.Input
	view  kit.Cell[msg.SiteView]
	quiet atomic.Bool            // the building says nothing
	mute  atomic.Bool            // the energy guard says nothing
	dead  atomic.Pointer[string] // the actor that fails as soon as it begins
	ear   *kittest.Probe
}

func run(t *testing.T, f func(s *site)) {
	kittest.Run(t, func(t *testing.T, env *kit.Env) {
		cfg, err := configs.Parse([]byte(siteFile), ".")
		if err != nil {
			t.Fatal(err)
		}
		s := &site{t: t, env: env, outs: map[string]*sim.Outlet{}, input: &sim.Input{}, wires: sim.NewWires(230, 1, map[string]string{"root": ""})}
		s.wires.Connect("root", si.Straight, sim.Fixed(si.Same(buildingLoad)))
		s.meter = &breakable{Meter: s.wires.Meter("root")}
		parts := ems.Parts{Net: network.NewMemory(), Outlets: map[string]hal.Outlet{}, Meters: map[string]hal.Meter{"root": s.meter},
			Inputs: map[string]hal.DigitalInput{"di1": s.input}, Store: &memory{rows: map[string]map[string][]byte{}}, View: &s.view}
		for _, e := range cfg.EVSEs {
			o := sim.NewOutlet(sim.Config{Speed: 1, Phases: 3, Watchdog: 3 * time.Second})
			s.outs[e.ID] = o
			s.wires.Connect("root", si.Straight, o)
			parts.Outlets[e.ID] = o.HAL()
		}
		children, err := ems.Assemble(env, cfg, parts)
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range children {
			children[i].Make = func() actor.Actor {
				if dead := s.dead.Load(); dead != nil && *dead == msg.EMS+"/"+c.Name {
					return actor.ReceiveFunc(func(actor.Context) { panic("test") })
				}
				return c.Make()
			}
		}
		for _, e := range cfg.EVSEs {
			children = append(children, ems.Child{Kind: "station", Name: "station-" + e.Station, Make: func() actor.Actor {
				return &kittest.Probe{Answer: func(ctx actor.Context) {
					if a, ok := ctx.Message().(msg.Authorize); ok {
						ctx.Send(env.At(msg.EVSEName(a.EVSE)), msg.Authorized{EVSE: a.EVSE, Accepted: true})
					}
				}}
			}})
		}
		s.ear = kittest.NewProbe(t, env, "ear", nil)
		root, err := ems.Spawn(env, msg.EMS, children, func(bool) {})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		car := ev.Model{Name: "car", Phases: 3, MaxAmps: 32, Volts: 230, Battery: sim.Battery{Capacity: 500e3, Energy: 10e3, MaxPower: 120e3, Nominal: 400}}
		var arrivals []ev.Arrival
		for _, e := range cfg.EVSEs {
			arrivals = append(arrivals, ev.Arrival{Visit: ev.Visit{ID: e.ID, Model: car, Place: ev.Place{EVSE: e.ID, Outlet: s.outs[e.ID]}, Energy: 400e3}})
		}
		var stats kit.Cell[ev.Stats]
		kittest.Spawn(t, env, ev.Name, ev.NewFleet(env, network.NewMemory(), arrivals, &stats))
		s.pass(40 * time.Second)
		f(s)
		env.System.Root.Send(root, ems.Stop{})
		time.Sleep(10 * time.Second)
	})
}

func (s *site) send(m any) { s.env.Send(msg.Balancer, m) }

func (s *site) limit(source string, w si.Watts, valid time.Duration) {
	s.send(msg.ApplyLimit{Reply: s.ear.PID, Limit: limits.Limit{Source: source, ID: "1", Issued: time.Now(), Validity: valid, Values: limits.Values{ImportW: &w}}})
}

// power is what the site draws from the grid.
func (s *site) power() si.Watts { return s.wires.Current("root").Power(230) }

// pass lets time pass, with heartbeats of those who are not quiet, and returns the highest and the last power.
func (s *site) pass(d time.Duration) (top, last si.Watts) {
	for i := range d / (100 * time.Millisecond) {
		if i%10 == 0 && !s.quiet.Load() {
			s.send(msg.SourceAlive{Source: "bems"})
		}
		if i%300 == 0 && !s.mute.Load() {
			s.send(msg.SourceAlive{Source: "smgw"}) // and states that no limit is needed: to a new balancer, too
			s.send(msg.ReleaseLimit{Source: "smgw", ID: "r", Reply: s.ear.PID})
		}
		time.Sleep(100 * time.Millisecond)
		last = s.power()
		top = max(top, last)
	}
	return top, last
}

const buildingW = buildingLoad * 3 * 230

func TestSafeStates(t *testing.T) {
	for _, c := range []struct {
		name   string
		before func(s *site)
		fail   func(s *site)
		within time.Duration // until the set-points; vehicles have followed a second later
		most   si.Watts      // of the whole site from then on
		least  si.Watts      // it is a safe state, not the end: 0 where it is
	}{
		{"the building falls silent", nil, func(s *site) { s.quiet.Store(true) }, 4 * time.Second, 20000, 17000},
		{"a limit of the grid operator expires", func(s *site) { s.limit("dso", 18000, 15*time.Second) }, nil, 15 * time.Second, 15000, 12000},
		{"the energy guard falls silent", nil, func(s *site) { s.mute.Store(true) }, 120 * time.Second, 12000, 9000},
		{"the wire of an input breaks", nil, func(s *site) { s.input.Break(true) }, 5 * time.Second, 10000, 7000},
		{"the relay closes", nil, func(s *site) { s.input.Set(true) }, time.Second, 10000, 7000},
		// 50 kW less the worst case of 30 A a phase are 29.3 kW for the vehicles; the building really draws 5 A.
		{"the meter dies", nil, func(s *site) { s.meter.broken.Store(true) }, 5 * time.Second, 50000 - 3*230*(30-buildingLoad), 28000},
		{"the planner dies again and again", nil, func(s *site) { s.kill(msg.Planner, 10*time.Second) }, 0, 50000, 44000},
		// A new balancer holds the energy guard's failsafe until the guard has spoken, as after every start.
		{"the balancer dies once", nil, func(s *site) { s.env.Send(msg.Balancer, kit.Crash{Why: "test"}) }, 0, 50000, 44000},
		{"the CSMS is gone", func(s *site) {
			a := si.Amps(10)
			for id := range s.outs {
				s.send(msg.Cap{EVSE: id, Source: "csms", Current: &a})
			}
		}, nil, 10 * time.Second, 3*10*690 + buildingW, 20000},
		{"an EVSE's actor dies", nil, func(s *site) { s.env.Send(msg.EVSEName("a1"), kit.Crash{Why: "test"}) }, 0, 50000, 30000},
	} {
		t.Run(c.name, func(t *testing.T) {
			run(t, func(s *site) {
				top, start := s.pass(10 * time.Second)
				if top > 50001 || start < 44000 {
					t.Fatalf("%v before, at most %v", start, top)
				}
				if c.before != nil {
					c.before(s)
				}
				if c.fail != nil {
					c.fail(s)
				}
				if top, _ := s.pass(c.within + time.Second); top > start+100 {
					t.Errorf("silence raised the power from %v to %v", start, top)
				}
				top, last := s.pass(10 * time.Minute)
				if top > c.most+1 || last < c.least {
					t.Errorf("%v at most, %v at the end; want %v to %v", top, last, c.least, c.most)
				}
			})
		})
	}
}

// What was said before the balancer died holds afterwards: a limit, and a failsafe that had begun.
func TestLimitsOutliveTheBalancer(t *testing.T) {
	for name, c := range map[string]struct {
		say  func(s *site)
		most si.Watts
	}{
		"a limit":                    {func(s *site) { s.limit("dso", 16000, 0) }, 16000},
		"a limit with an end":        {func(s *site) { s.limit("dso", 16000, time.Hour) }, 16000},
		"a failsafe":                 {func(s *site) { s.limit("dso", 18000, 5*time.Second) }, 15000},
		"one that expires meanwhile": {func(s *site) { s.limit("dso", 14000, 12*time.Second) }, 15000},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(s *site) {
				c.say(s)
				s.pass(11 * time.Second)
				s.kill(msg.Balancer, 2*time.Second)
				s.pass(5 * time.Second)
				if top, last := s.pass(2 * time.Minute); top > c.most+1 || last < c.most-3500 {
					t.Errorf("%v at most, %v at the end, want %v", top, last, c.most)
				}
				s.send(msg.ReleaseLimit{Source: "dso", ID: "1", Issued: time.Now(), Reply: s.ear.PID})
				s.pass(time.Minute)
				s.kill(msg.Balancer, 2*time.Second)
				if _, last := s.pass(2 * time.Minute); last < 44000 {
					t.Errorf("%v after the release", last)
				}
			})
		})
	}
}

// kill has an actor fail for so long, each time that it is started anew.
func (s *site) kill(name string, d time.Duration) {
	s.dead.Store(&name)
	s.env.Send(name, kit.Crash{Why: "test"})
	time.Sleep(d)
	s.dead.Store(nil)
}

// Without a balancer every EVSE goes to its floor with the end of its lease, and opens after the floor's time. When it is
// back, charging goes on.
func TestWithoutABalancer(t *testing.T) {
	run(t, func(s *site) {
		_, start := s.pass(10 * time.Second)
		s.kill(msg.Balancer, 4*time.Second)
		if p := s.power(); p > start+1 {
			t.Errorf("%v without a balancer, %v before", p, start)
		}
		s.kill(msg.Balancer, 2*time.Second)
		if p, want := s.power(), si.Watts(2*6*690+buildingW); p > want+1 || p < want-200 {
			t.Errorf("%v without a balancer for 6 s; the floors are %v", p, want)
		}
		s.kill(msg.Balancer, 5*time.Minute)
		if p := s.power(); p > buildingW+1 {
			t.Errorf("%v after the floor's time", p)
		}
		for id, o := range s.outs {
			if o.HAL().Board.Read().Closed {
				t.Errorf("%s is closed after the floor's time", id)
			}
		}
		if top, last := s.pass(2 * time.Minute); top > 50001 || last < 44000 {
			t.Errorf("%v at most, %v at the end with a balancer again", top, last)
		}
	})
}
