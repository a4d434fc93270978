package e2e

import (
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/evse"
	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/kittest"
	"github.com/voltyard/voltyard/actors/kit/network"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/actors/port"
	"github.com/voltyard/voltyard/actors/session"
	"github.com/voltyard/voltyard/actors/sim/ev"
	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/hal/sim"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
	"github.com/voltyard/voltyard/site/lease"
)

// tree is a root actor with whatever children a test gives it.
type tree struct {
	kit.Nursery
	env   *kit.Env
	spawn func(n *kit.Nursery, ctx actor.Context)
}

func (r *tree) Receive(ctx actor.Context) {
	if _, ok := ctx.Message().(*actor.Started); ok {
		r.Init(r.env, ctx, nil)
		r.spawn(&r.Nursery, ctx)
		return
	}
	r.Handle(ctx)
}

// granting is a balancer that grants each EVSE that wants something the same, and a station role that accepts every token.
func granting(env *kit.Env, amps si.Amps, watts si.Watts) (balancer, station func(actor.Context)) {
	var seq uint64
	return func(ctx actor.Context) {
			if r, ok := ctx.Message().(msg.EVSEReport); ok {
				seq++
				g := lease.Grant{EVSE: r.EVSE, Seq: seq, Phases: 3, Until: time.Now().Add(10 * time.Second)}
				if r.Wants {
					g.Import, g.ImportW = si.Same(amps), watts
				}
				if seq%5 == 1 || r.Wants != (r.Limit > 0) {
					ctx.Send(env.At(msg.EVSEName(r.EVSE)), msg.Grant{Grant: g})
				}
			}
		}, func(ctx actor.Context) {
			if a, ok := ctx.Message().(msg.Authorize); ok {
				ctx.Send(env.At(msg.EVSEName(a.EVSE)), msg.Authorized{EVSE: a.EVSE, Accepted: true, Token: a.Token})
			}
		}
}

func TestVehiclesChargeOverISO15118(t *testing.T) {
	kittest.Run(t, func(t *testing.T, env *kit.Env) {
		net := network.NewMemory()
		sessions := session.NewFactory(env, net)
		module := hal.ModuleLimits{MinVolts: 150, MaxVolts: 500, MaxAmps: 125, MaxWatts: 50e3, Efficiency: 0.95}
		outlets := map[string]*sim.Outlet{
			"ac": sim.NewOutlet(sim.Config{Speed: 60}),
			"dc": sim.NewOutlet(sim.Config{Speed: 60, DC: true, Module: module}),
		}
		balancer, station := granting(env, 16, 30e3)
		kittest.Spawn(t, env, msg.EMS, func() actor.Actor {
			return &tree{env: env, spawn: func(n *kit.Nursery, ctx actor.Context) {
				n.Keep(ctx, "balancer", "balancer", func() actor.Actor { return &kittest.Probe{Answer: balancer} })
				n.Keep(ctx, "station", "station-S", func() actor.Actor { return &kittest.Probe{Answer: station} })
				for id, o := range outlets {
					auth := evse.AuthFree
					if id == "ac" {
						auth = evse.AuthRFID
					}
					cfg := evse.Config{ID: id, Station: "S", DC: id == "dc", Phases: 3, MaxAmps: 32, MaxWatts: 53e3, Volts: 230, Auth: auth}
					p := port.Config{EVSE: id, Interface: network.Loopback, SDPPort: outletPort[id]}
					s := session.Config{EVSE: id, Interface: network.Loopback, SECC: secc.Config{DC: cfg.DC, EVSEID: "DE*VYD*E" + id, Volts: 230}}
					n.Keep(ctx, "evse", "evse-"+id, evse.New(env, cfg, o.HAL(), evse.Children{
						Port:    func(gen uint64, pid *actor.PID) func() actor.Actor { return port.New(env, net, p, gen, pid) },
						Session: func(gen uint64, pid *actor.PID) func() actor.Actor { return sessions.Make(s, gen, pid) },
					}))
				}
			}}
		})
		time.Sleep(time.Second)
		place := func(id string) ev.Place {
			return ev.Place{EVSE: id, Outlet: outlets[id], DC: id == "dc", ISO15118: true, Interface: network.Loopback, SDPPort: outletPort[id], Reader: id == "ac"}
		}
		var stats kit.Cell[ev.Stats]
		car := ev.Model{Name: "car", ISO15118: true, Phases: 3, MaxAmps: 32, Volts: 230,
			Battery: sim.Battery{Capacity: 60e3, Energy: 20e3, MaxPower: 45e3, Nominal: 400}}
		old := car
		old.DIN = true
		arrivals := []ev.Arrival{
			{After: 0, Visit: ev.Visit{ID: "a", Model: car, Place: place("ac"), Energy: 4000, Card: "04AABB"}},
			{After: 0, Visit: ev.Visit{ID: "d", Model: car, Place: place("dc"), Energy: 10000}},
			{After: time.Second, Visit: ev.Visit{ID: "d2", Model: old, Place: place("dc"), Energy: 5000}},
			{After: time.Second, Visit: ev.Visit{ID: "a2", Model: car, Place: place("ac"), Energy: 40000, Stay: 20 * time.Second, Card: "04AABB"}},
		}
		kittest.Spawn(t, env, ev.Name, ev.NewFleet(env, net, arrivals, &stats))
		time.Sleep(2 * time.Minute)
		s := stats.Load()
		if s.Completed != 4 || s.Failed != 0 || s.Protocols[msg.ProtocolV2AC] != 2 || s.Protocols[msg.ProtocolV2DC] != 1 || s.Protocols[msg.ProtocolDIN] != 1 {
			t.Fatalf("%+v", s)
		}
		if s.Energy < 19000 || s.Energy > 30000 {
			t.Errorf("charged %v", s.Energy)
		}
		for id, o := range outlets {
			if in := o.HAL().Board.Read(); in.Closed || in.Pilot != hal.PilotA {
				t.Errorf("%s at the end: %+v", id, in)
			}
		}
	})
}

var outletPort = map[string]int{"ac": 15119, "dc": 15120}
