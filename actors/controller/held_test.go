package controller_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/controller"
	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/kittest"
	"github.com/voltyard/voltyard/actors/kit/ocppstat"
	"github.com/voltyard/voltyard/actors/kit/ws"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/ocpp/localctl"
	"github.com/voltyard/voltyard/site/lease"
)

// A new balancer hears what a station may hold: what is stored, for as long as was left then, whatever the wall clock says, and a
// grant that waits for the station.
func TestANewBalancerHearsWhatAStationMayHold(t *testing.T) {
	kittest.Run(t, func(t *testing.T, env *kit.Env) {
		stored, err := json.Marshal(lease.Hold{Import: si.Same(9), Until: time.Now().Add(-time.Hour), Left: 9 * time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		balancer := kittest.NewProbe(t, env, msg.Balancer, nil)
		kittest.NewProbe(t, env, msg.Recorder, func(ctx actor.Context) {
			if m, ok := ctx.Message().(msg.Load); ok {
				ctx.Send(m.Reply, msg.Loaded{Bucket: m.Bucket, Pairs: []msg.KV{{Key: append(m.Prefix, localctl.HoldKey...), Value: stored}}})
			}
		})
		kittest.Spawn(t, env, msg.Controller, controller.New(env, controller.Config{NewID: ws.NewID, Stats: ocppstat.New(env),
			Stations: []controller.Station{{ID: "CS-1", Fallback: 6, MaxAmps: 32, Phases: 3}}}))
		time.Sleep(time.Second)
		held := func() lease.Hold {
			h, ok := kittest.Last[msg.StationHeld](balancer.Take())
			if !ok {
				t.Fatal("the balancer heard nothing")
			}
			return h.Hold
		}
		if h := held(); h.Import != si.Same(9) || time.Until(h.Until) < 8*time.Minute || time.Until(h.Until) > 9*time.Minute {
			t.Errorf("stored: %+v", h)
		}
		g := lease.Grant{EVSE: "CS-1", Seq: 1, Import: si.Same(20), Until: time.Now().Add(15 * time.Minute)}
		env.Send(msg.Controller, msg.StationGrant{Grant: g, Hold: lease.Hold{Import: si.Same(20), Until: g.Until}})
		env.Send(msg.Controller, msg.Introduce{Token: 1})
		time.Sleep(time.Second)
		if h := held(); h.Import != si.Same(20) || h.Until.Before(g.Until) {
			t.Errorf("with a grant that waits: %+v", h)
		}
	})
}
