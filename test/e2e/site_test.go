package e2e

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/ems"
	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/kittest"
	"github.com/voltyard/voltyard/actors/kit/network"
	"github.com/voltyard/voltyard/actors/kit/ocppstat"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/actors/sim/ev"
	"github.com/voltyard/voltyard/configs"
	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/hal/sim"
	"github.com/voltyard/voltyard/site/limits"
	"github.com/voltyard/voltyard/site/topology"
	"github.com/voltyard/voltyard/storage/bolt"
)

// nowhere is a store that keeps nothing.
type nowhere struct{}

func (nowhere) Apply([]bolt.Op) error                  { return nil }
func (nowhere) Scan(string, []byte) ([]bolt.KV, error) { return nil, nil }
func (nowhere) Size() int64                            { return 0 }

// site is a whole site in virtual time. Without a CSMS in its file it has no OCPP: a station role that accepts every token stands
// in for it.
type site struct {
	t       *testing.T
	env     *kit.Env
	cfg     *configs.Site
	view    kit.Cell[msg.SiteView]
	outlets map[string]*sim.Outlet
	wires   *sim.Wires
	net     *network.Memory
	stats   kit.Cell[ev.Stats]
	pid     *actor.PID
	ended   []bool
}

func runSite(t *testing.T, text string, f func(s *site)) {
	runSiteIn(t, text, ".", func(*ems.Parts) {}, f)
}

// runSiteIn is runSite for a site file in a folder, with parts of its own.
func runSiteIn(t *testing.T, text, dir string, change func(*ems.Parts), f func(s *site)) {
	runSiteWith(t, text, dir, change, nil, f)
}

// runSiteWith is runSiteIn with another station role than one that accepts every token.
func runSiteWith(t *testing.T, text, dir string, change func(*ems.Parts), station func(actor.Context), f func(s *site)) {
	kittest.Run(t, func(t *testing.T, env *kit.Env) {
		cfg, err := configs.Parse([]byte(text), dir)
		if err != nil {
			t.Fatal(err)
		}
		s := &site{t: t, env: env, cfg: cfg, net: network.NewMemory(), outlets: map[string]*sim.Outlet{}}
		above := map[string]string{}
		for _, n := range cfg.Nodes {
			above[n.ID] = n.Parent
		}
		s.wires = sim.NewWires(230, 60, above)
		parts := ems.Parts{Net: s.net, Outlets: map[string]hal.Outlet{}, Meters: map[string]hal.Meter{}, Store: nowhere{}, View: &s.view}
		roles := map[string]bool{}
		for _, e := range cfg.EVSEs {
			o := sim.NewOutlet(sim.Config{Speed: 60, DC: e.Type == "dc", Phases: e.Phases,
				Module: hal.ModuleLimits{MinVolts: 150, MaxVolts: 500, MaxAmps: 125, MaxWatts: 50e3, Efficiency: 0.95}})
			turn, _ := si.ParseRotation(e.Rotation)
			s.outlets[e.ID] = o
			s.wires.Connect(e.Node, turn, o)
			parts.Outlets[e.ID] = o.HAL()
			roles[e.Station] = true
		}
		for _, n := range cfg.Nodes {
			if n.Meter != "" {
				parts.Meters[n.ID] = s.wires.Meter(n.ID)
			}
		}
		if cfg.CSMS != nil {
			parts.OCPP = ocppstat.New(env)
		}
		change(&parts)
		children, err := ems.Assemble(env, cfg, parts)
		if err != nil {
			t.Fatal(err)
		}
		if station == nil {
			_, station = granting(env, 0, 0)
		}
		for id := range roles {
			if parts.OCPP != nil {
				break
			}
			children = append(children, ems.Child{Kind: "station", Name: "station-" + id, Make: func() actor.Actor { return &kittest.Probe{Answer: station} }})
		}
		if s.pid, err = ems.Spawn(env, msg.EMS, children, func(failed bool) { s.ended = append(s.ended, failed) }); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		f(s)
		env.System.Root.Send(s.pid, ems.Stop{})
		time.Sleep(5 * time.Second)
	})
}

func (s *site) arrive(arrivals ...ev.Arrival) {
	kittest.Spawn(s.t, s.env, ev.Name, ev.NewFleet(s.env, s.net, arrivals, &s.stats))
}

func (s *site) place(id string) ev.Place {
	for _, e := range s.cfg.EVSEs {
		if e.ID == id {
			p := ev.Place{EVSE: id, Outlet: s.outlets[id], DC: e.Type == "dc", Reader: e.Auth == "rfid"}
			if e.Port != nil {
				p.ISO15118, p.Interface, p.SDPPort = true, e.Port.Interface, e.Port.SDPPort
			}
			return p
		}
	}
	s.t.Fatalf("no evse %s", id)
	return ev.Place{}
}

// watch looks at a node every 20 ms for a while and reports the highest current and power.
func (s *site) watch(node string, d time.Duration) (top si.Phases) {
	for range d / (20 * time.Millisecond) {
		time.Sleep(20 * time.Millisecond)
		top = top.Max(s.wires.Current(node))
	}
	return top
}

var car = ev.Model{Name: "car", ISO15118: true, Phases: 3, MaxAmps: 32, Volts: 230, Battery: sim.Battery{Capacity: 80e3, Energy: 10e3, MaxPower: 120e3, Nominal: 400}}

const sixEVSEs = `
site: {id: six}
nodes:
  - {id: root, fuse_a: 80, meter: grid, background_a: 10}
  - {id: row, parent: root, fuse_a: 63}
meters: [{id: grid, driver: sim}]
evses:
  - {id: a1, node: row, type: ac, max_a: 32, floor_a: 6, hal: sim, port: {interface: lo, sdp_port: 15119}}
  - {id: a2, node: row, type: ac, max_a: 32, floor_a: 6, hal: sim, port: {interface: lo, sdp_port: 15120}}
  - {id: a3, node: row, type: ac, max_a: 32, floor_a: 6, hal: sim, port: {interface: lo, sdp_port: 15121}}
  - {id: a4, node: row, type: ac, max_a: 32, floor_a: 6, hal: sim}
  - {id: d1, node: root, type: dc, max_w: 53000, hal: sim, port: {interface: lo, sdp_port: 15122}}
  - {id: d2, node: root, type: dc, max_w: 53000, hal: sim, port: {interface: lo, sdp_port: 15123}}
`

func (s *site) sixCars(energy si.WattHours) {
	var all []ev.Arrival
	for i, id := range []string{"a1", "a2", "a3", "a4", "d1", "d2"} {
		all = append(all, ev.Arrival{After: time.Duration(i) * 300 * time.Millisecond,
			Visit: ev.Visit{ID: fmt.Sprintf("car%d", i), Model: car, Place: s.place(id), Energy: energy}})
	}
	s.arrive(all...)
}

func TestSixVehiclesShareTheFusesAndALimitFromOutsideIsKept(t *testing.T) {
	runSite(t, sixEVSEs, func(s *site) {
		s.sixCars(25000)
		if top := s.watch("root", 20*time.Second); top.Highest() > 80.01 || top.Highest() < 70 {
			t.Errorf("at the 80 A fuse %v", top)
		}
		w := si.Watts(20000)
		bems := kittest.NewProbe(t, s.env, "bems", nil)
		s.env.Send(msg.Balancer, msg.ApplyLimit{Limit: limits.Limit{Source: "bems", ID: "1", Values: limits.Values{ImportW: &w}}, Received: time.Now(), Reply: bems.PID})
		s.watch("root", 5*time.Second)
		if top := s.watch("root", 10*time.Second); top.Power(230) > 20001 || top.Power(230) < 15000 {
			t.Errorf("under a limit of 20 kW %v, %v", top, top.Power(230))
		}
		// The car that only knows the duty cycle has 5 s to follow (IEC 61851-1); unless it is seen to, that is when it is known
		// to obey, and a reading later the balancer hears it.
		const longest = 5*time.Second + 300*time.Millisecond
		answers := kittest.Of[msg.LimitAnswer](bems.Take())
		if len(answers) != 2 || !answers[0].Accepted || answers[1].ReachedAt.IsZero() || answers[1].ReachedAt.Sub(answers[1].AppliedAt) > longest {
			t.Errorf("answers %+v", answers)
		}
		s.env.Send(msg.Balancer, msg.ReleaseLimit{Source: "bems", ID: "1", Received: time.Now(), Reply: bems.PID})
		s.watch("root", 10*time.Second)
		if top := s.watch("root", 5*time.Second); top.Highest() > 80.01 || top.Highest() < 70 {
			t.Errorf("after the release %v", top)
		}
		if v := s.view.Load(); len(v.EVSEs) != 6 || v.EVSEs[0].LimitedBy == "" {
			t.Errorf("view %+v", v)
		}
		time.Sleep(5 * time.Minute)
		if st := s.stats.Load(); st.Completed != 6 || st.Failed != 0 {
			t.Errorf("%+v", st)
		}
	})
}

func TestDeathOfTheRootOpensEveryContactor(t *testing.T) {
	runSite(t, sixEVSEs, func(s *site) {
		s.sixCars(60000)
		time.Sleep(20 * time.Second)
		closed := 0
		for _, o := range s.outlets {
			if o.HAL().Board.Read().Closed {
				closed++
			}
		}
		if closed != 6 {
			t.Fatalf("%d of 6 charging", closed)
		}
		s.env.Send(msg.EMS, kit.Crash{Why: "test"})
		synctest.Wait()
		for id, o := range s.outlets {
			if o.HAL().Board.Read().Closed {
				t.Errorf("%s is still closed", id)
			}
		}
		if len(s.ended) != 1 || !s.ended[0] {
			t.Errorf("ended %v", s.ended)
		}
	})
}

func TestANewFuseIsTakenOverWithoutDroppingASession(t *testing.T) {
	runSite(t, sixEVSEs, func(s *site) {
		s.sixCars(25000)
		s.watch("root", 20*time.Second)
		cfg, err := configs.Parse([]byte(strings.Replace(sixEVSEs, "fuse_a: 80", "fuse_a: 50", 1)), ".")
		if err != nil {
			t.Fatal(err)
		}
		desc, err := cfg.Topology()
		if err != nil {
			t.Fatal(err)
		}
		tree, err := topology.New(desc)
		if err != nil {
			t.Fatal(err)
		}
		s.env.Send(msg.Balancer, msg.Retune{Tree: tree})
		s.watch("root", 3*time.Second)
		if top := s.watch("root", 20*time.Second); top.Highest() > 50.01 || top.Highest() < 45 {
			t.Errorf("at the new fuse of 50 A: %v", top)
		}
		for id, o := range s.outlets {
			if !o.HAL().Board.Read().Closed {
				t.Errorf("%s was dropped", id)
			}
		}
		time.Sleep(8 * time.Minute)
		if st := s.stats.Load(); st.Completed != 6 || st.Failed != 0 {
			t.Errorf("%+v", st)
		}
	})
}
