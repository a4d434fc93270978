package evse

import (
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/kittest"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/hal/sim"
	"github.com/voltyard/voltyard/site/lease"
)

// rig is an EVSE with a balancer and a station role that only listen, and a vehicle of simulated hardware.
type rig struct {
	t       *testing.T
	env     *kit.Env
	outlet  *sim.Outlet
	bal     *kittest.Probe
	station *kittest.Probe
	pid     *actor.PID
	seq     uint64
	last    uint64 // acknowledged
}

// holder actors give the probes the names that the EVSE sends to.
type root struct {
	kit.Nursery
	env   *kit.Env
	spawn func(n *kit.Nursery, ctx actor.Context)
}

func (r *root) Receive(ctx actor.Context) {
	if _, ok := ctx.Message().(*actor.Started); ok {
		r.Init(r.env, ctx, nil)
		r.spawn(&r.Nursery, ctx)
		return
	}
	r.Handle(ctx)
}

func withRig(t *testing.T, cfg Config, accept bool, f func(r *rig)) {
	kittest.Run(t, func(t *testing.T, env *kit.Env) {
		r := &rig{t: t, env: env, bal: &kittest.Probe{}, outlet: sim.NewOutlet(sim.Config{Socket: cfg.Socket})}
		r.station = &kittest.Probe{Answer: func(ctx actor.Context) {
			if a, ok := ctx.Message().(msg.Authorize); ok {
				ctx.Send(env.At(msg.EVSEName(a.EVSE)), msg.Authorized{EVSE: a.EVSE, Accepted: accept, Token: a.Token})
			}
		}}
		cfg.ID, cfg.Station, cfg.Phases, cfg.MaxAmps = "1", "S", 3, 32
		kittest.Spawn(t, env, msg.EMS, func() actor.Actor {
			return &root{env: env, spawn: func(n *kit.Nursery, ctx actor.Context) {
				n.Keep(ctx, "balancer", "balancer", func() actor.Actor { return r.bal })
				n.Keep(ctx, "station", "station-S", func() actor.Actor { return r.station })
				r.pid = n.Keep(ctx, "evse", "evse-1", New(env, cfg, r.outlet.HAL(), Children{}))
			}}
		})
		r.bal.Take()
		f(r)
	})
}

func (r *rig) grant(a si.Amps, d time.Duration) uint64 {
	r.seq++
	r.env.Send(msg.EVSEName("1"), msg.Grant{Grant: lease.Grant{EVSE: "1", Seq: r.seq, Import: si.Same(a), Phases: 3, Until: time.Now().Add(d)}})
	return r.seq
}

func (r *rig) closed() bool { return r.outlet.HAL().Board.Read().Closed }

func (r *rig) acked(seq uint64) bool {
	if a, ok := kittest.Last[msg.GrantAck](r.bal.Take()); ok {
		r.last = a.Seq
	}
	return r.last == seq
}

func TestBasicChargingFollowsGrants(t *testing.T) {
	withRig(t, Config{Auth: AuthFree, Floor: 6, FloorFor: time.Minute}, true, func(r *rig) {
		car := r.outlet.Cable()
		car.Plug(nil)
		time.Sleep(time.Second)
		rep, _ := kittest.Last[msg.EVSEReport](r.bal.Take())
		if !rep.Plugged || !rep.Auth || !rep.Wants || rep.Protocol != msg.ProtocolPilot {
			t.Fatalf("report after plugging in: %+v", rep)
		}
		seq := r.grant(16, 20*time.Second)
		r.acked(seq)
		if o := car.Offer(); o.Drive != hal.DrivePWM || o.Duty != si.Duty(16/0.6) {
			t.Fatalf("offer %+v", o)
		}
		car.Pilot(hal.PilotC)
		car.Draw(si.Same(16))
		time.Sleep(2 * time.Second)
		if !r.closed() || !r.acked(seq) {
			t.Fatal("the contactor is not closed, or the grant is not acknowledged")
		}
		seq = r.grant(8, 20*time.Second)
		time.Sleep(3 * time.Second)
		if r.acked(seq) {
			t.Fatal("a lowering was acknowledged while the vehicle still draws 16 A")
		}
		car.Draw(si.Same(8))
		time.Sleep(time.Second)
		if !r.acked(seq) {
			t.Fatal("the lowering was not acknowledged")
		}
		time.Sleep(20 * time.Second) // the lease is over: the floor
		if o := car.Offer(); o.Duty != 10 {
			t.Fatalf("offer without a lease: %+v", o)
		}
		car.Draw(si.Same(6))
		time.Sleep(61 * time.Second)
		if r.closed() {
			t.Fatal("the contactor is closed long after the last grant")
		}
	})
}

func TestVehicleThatDoesNotFollowIsCutOff(t *testing.T) {
	withRig(t, Config{Auth: AuthFree}, true, func(r *rig) {
		car := r.outlet.Cable()
		car.Plug(nil)
		time.Sleep(time.Second)
		r.grant(32, time.Hour)
		car.Pilot(hal.PilotC)
		car.Draw(si.Same(32))
		time.Sleep(2 * time.Second)
		seq := r.grant(10, time.Hour)
		time.Sleep(5 * time.Second)
		if !r.closed() {
			t.Fatal("cut off before its time")
		}
		time.Sleep(2 * time.Second)
		if r.closed() || !r.acked(seq) {
			t.Fatal("a vehicle that keeps drawing 32 A of 10 A is still connected after 7 s, or its lowering is not acknowledged")
		}
		r.grant(32, time.Hour)
		time.Sleep(5 * time.Second)
		if r.closed() {
			t.Fatal("it got power again without leaving")
		}
		car.Unplug()
		time.Sleep(time.Second)
		car.Plug(nil)
		car.Pilot(hal.PilotC)
		time.Sleep(2 * time.Second)
		if !r.closed() {
			t.Fatal("the next vehicle gets nothing")
		}
	})
}

func TestRefusedAndMissingTokensGetNothing(t *testing.T) {
	withRig(t, Config{Auth: AuthRFID}, false, func(r *rig) {
		car := r.outlet.Cable()
		car.Plug(nil)
		car.Pilot(hal.PilotC)
		r.grant(32, time.Hour)
		time.Sleep(time.Second)
		if r.closed() || len(kittest.Of[msg.Authorize](r.station.Take())) != 0 {
			t.Fatal("charging, or asking, without a token")
		}
		r.env.Send(msg.EVSEName("1"), msg.Token{EVSE: "1", ID: "04AABBCC", Kind: "ISO14443"})
		time.Sleep(time.Second)
		if r.closed() || len(kittest.Of[msg.Authorize](r.station.Take())) != 1 {
			t.Fatal("a refused token charges, or was not asked for")
		}
		r.env.Send(msg.EVSEName("1"), msg.Authorized{EVSE: "1", Accepted: true, Remote: true})
		time.Sleep(time.Second)
		if !r.closed() {
			t.Fatal("a remote start does not charge")
		}
		r.env.Send(msg.EVSEName("1"), msg.StopCharging{EVSE: "1", Why: "remote"})
		time.Sleep(time.Second)
		if r.closed() {
			t.Fatal("a remote stop does not stop")
		}
	})
}

func TestFailureOpensTheContactorAndTheEVSEComesBack(t *testing.T) {
	withRig(t, Config{Auth: AuthFree}, true, func(r *rig) {
		car := r.outlet.Cable()
		car.Plug(nil)
		car.Pilot(hal.PilotC)
		time.Sleep(time.Second)
		r.grant(16, time.Hour)
		time.Sleep(time.Second)
		if !r.closed() {
			t.Fatal("not charging")
		}
		r.env.Send(msg.EVSEName("1"), kit.Crash{Why: "test"})
		r.bal.Take()
		if r.closed() {
			t.Fatal("the contactor is closed after the actor failed")
		}
		time.Sleep(5 * time.Second)
		if r.closed() {
			t.Fatal("the contactor closed again without a new grant")
		}
		r.grant(16, time.Hour)
		time.Sleep(time.Second)
		if !r.closed() {
			t.Fatal("the EVSE did not come back")
		}
	})
}
