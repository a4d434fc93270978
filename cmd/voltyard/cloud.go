package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"

	crand "crypto/rand"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/sim/csms"
	simstation "github.com/voltyard/voltyard/actors/sim/station"
	"github.com/voltyard/voltyard/hal/si"
)

// demoCloud is what stands around the site of the demo on the OCPP side: the operator's cloud, and the third-party stations.
// They have an actor system of their own; nothing of the site's can see them but through sockets.
type demoCloud struct {
	env      *kit.Env
	url      string
	record   *csms.Record
	csms     *actor.PID
	stations []*actor.PID
}

// keepFrames is how many frames the demo's cloud keeps to look for what is missing or doubled.
const keepFrames = 200000

func startCloud(d *demo) (*demoCloud, error) {
	if d.flags.csms != "" {
		return &demoCloud{env: kit.NewEnv(d.log), url: d.flags.csms, record: csms.NewRecord(1, nil)}, nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("demo CSMS: %w", err)
	}
	c := &demoCloud{env: kit.NewEnv(d.log), url: "ws://" + l.Addr().String() + "/ocpp", record: csms.NewRecord(keepFrames, nil)}
	c.csms, err = c.env.System.Root.SpawnNamed(c.env.Props("csms", csms.New(c.env, csms.Config{Listener: l, Path: "/ocpp", Heartbeat: 60, Record: c.record})), "csms")
	if err != nil {
		return nil, fmt.Errorf("demo CSMS: %w", err)
	}
	return c, nil
}

// cabled is a station's end of its supply: what it draws.
type cabled struct{ now atomic.Pointer[si.Phases] }

// Draw returns what the station last said.
func (c *cabled) Draw() si.Phases {
	if p := c.now.Load(); p != nil {
		return *p
	}
	return si.Phases{}
}

// connectStations starts the stations and hangs them on the wires. They connect when the controller listens.
func (c *demoCloud) connectStations(d *demo) error {
	if d.cfg.Stations == nil {
		return nil
	}
	seed := d.flags.seed
	if seed == 0 {
		seed = rand.Uint64()
	}
	rng := rand.New(rand.NewPCG(seed, 0xca1))
	for i, s := range d.cfg.Stations.List {
		supply := &cabled{}
		turn, err := si.ParseRotation(s.Rotation)
		if err != nil {
			return fmt.Errorf("station %s: %w", s.ID, err)
		}
		d.world.wires.Connect(s.Node, turn, supply)
		cfg := simstation.Config{URL: "ws://" + d.cfg.Stations.Listen + d.cfg.Stations.Path, Identity: s.ID, MaxAmps: si.Amps(s.MaxA), Phases: s.Phases,
			Volts: si.Volts(d.cfg.Site.VoltageV), Speed: d.flags.speed, NewID: crand.Text,
			Variables: map[string]string{"SampledDataCtrlr.TxUpdatedInterval": "2"},
			Load:      func(p si.Phases) { supply.now.Store(&p) },
			Visits:    c.visits(rng, d, i)}
		pid, err := c.env.System.Root.SpawnNamed(c.env.Props("sim-station", simstation.New(c.env, cfg)), "station-"+s.ID)
		if err != nil {
			return fmt.Errorf("station %s: %w", s.ID, err)
		}
		c.stations = append(c.stations, pid)
	}
	return nil
}

// visits plans the vehicles of one station.
func (c *demoCloud) visits(rng *rand.Rand, d *demo, station int) []simstation.Visit {
	var out []simstation.Visit
	n := 2
	if d.flags.duration == 0 {
		n = 500
	}
	for i := range n {
		secs := 12 + 10*rng.Float64()
		power := 16 * 3 * d.cfg.Site.VoltageV
		out = append(out, simstation.Visit{After: time.Duration(float64(i)*30+1+float64(station)+2*rng.Float64()) * time.Second, EVSE: 1,
			Car:   simstation.Car{MaxAmps: 16, Phases: 3, Wanted: si.WattHours(power * secs / 3600 * d.flags.speed)},
			Token: fmt.Sprintf("04D5E6F7%02X%04X", station, i)})
	}
	return out
}

// floor is what the demo's building draws by itself, W.
func (c *demoCloud) floor() float64 { return 31 * 230 }

// leave lets the vehicles at the stations go.
func (c *demoCloud) leave() {
	for _, s := range c.stations {
		c.env.System.Root.Send(s, simstation.Leave{EVSE: 1})
	}
}

// addUp adds what was seen of OCPP.
func (c *demoCloud) addUp(d *demo, s *summary) {
	sums := d.site.ocpp.Sums()
	s.SessionsStarted += sums.Started
	s.SessionsCompleted += sums.Completed
	s.SessionsFailed += sums.Stopped
	s.EnergyCharged += sums.EnergyWh
	if sums.Completed > 0 {
		s.Protocols["ocpp-station"] = sums.Completed
	}
	s.OCPPCalls, s.OCPPErrors, s.Unacknowledged = sums.Calls, sums.Errors, d.site.ocpp.Unacknowledged()
	for _, f := range c.record.Faults() {
		s.OCPPErrors++
		d.log.Error().Str("fault", f).Msg("the CSMS found a fault")
	}
}

func (c *demoCloud) closeStations(*demo) {
	for _, s := range c.stations {
		_ = c.env.System.Root.StopFuture(s).Wait()
	}
}

func (c *demoCloud) close() {
	if c.csms != nil {
		_ = c.env.System.Root.StopFuture(c.csms).Wait()
	}
}
