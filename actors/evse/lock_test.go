package evse

import (
	"testing"
	"time"

	"github.com/voltyard/voltyard/actors/kit/kittest"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/si"
)

func TestNoEnergyBeforeThePlugIsLocked(t *testing.T) {
	withRig(t, Config{Auth: AuthFree, Socket: true}, true, func(r *rig) {
		car := r.outlet.Cable()
		r.outlet.JamLock(true)
		car.Plug(nil)
		car.Pilot(hal.PilotC)
		car.Draw(si.Same(10))
		r.grant(16, time.Hour)
		time.Sleep(5 * time.Second)
		rep, _ := kittest.Last[msg.EVSEReport](r.station.Take())
		if r.closed() || !rep.LockFailed || !rep.Cable || !rep.Plugged {
			t.Fatalf("closed %v, %+v", r.closed(), rep)
		}
		r.outlet.JamLock(false)
		time.Sleep(2 * time.Second)
		if rep, _ = kittest.Last[msg.EVSEReport](r.station.Take()); !r.closed() || rep.LockFailed {
			t.Fatalf("the lock holds now: %+v", rep)
		}
		r.env.Send(msg.EVSEName("1"), msg.LockCable{EVSE: "1"}) // never under load
		time.Sleep(time.Second)
		if in := r.outlet.HAL().Board.Read(); !in.Closed || !in.Locked {
			t.Fatalf("%+v", in)
		}
		r.env.Send(msg.EVSEName("1"), msg.StopCharging{EVSE: "1", Why: "test"})
		time.Sleep(2 * time.Second)
		if in := r.outlet.HAL().Board.Read(); in.Closed || in.Locked {
			t.Fatalf("%+v after the end", in)
		}
	})
}

// The vehicle is taken off while the plug is locked: it stays so until the station role lets go, or is asked to unlock.
func TestPlugStaysLockedWithoutAVehicle(t *testing.T) {
	withRig(t, Config{Auth: AuthFree, Socket: true}, true, func(r *rig) {
		car := r.outlet.Cable()
		locked := func() bool { return r.outlet.HAL().Board.Read().Locked }
		for _, jammed := range []bool{false, true} {
			car.Plug(nil)
			time.Sleep(time.Second)
			car.Detach()
			time.Sleep(time.Minute)
			rep, _ := kittest.Last[msg.EVSEReport](r.station.Take())
			if !locked() || rep.Plugged || !rep.Cable {
				t.Fatalf("locked %v, %+v", locked(), rep)
			}
			r.outlet.JamLock(jammed)
			r.env.Send(msg.EVSEName("1"), msg.Unlock{EVSE: "1"})
			time.Sleep(unlockTime + time.Second)
			u := kittest.Of[msg.Unlocked](r.station.Take())
			if locked() != jammed || len(u) != 1 || u[0].OK == jammed {
				t.Fatalf("locked %v, answered %+v", locked(), u)
			}
			car.Unplug()
		}
	})
}
