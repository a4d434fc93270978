package station

import (
	"crypto/rand"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/kittest"
	"github.com/voltyard/voltyard/actors/kit/ocppstat"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/ocpp/profile"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	role "github.com/voltyard/voltyard/protocols/ocpp/station"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

func TestLimitsFromOutsideBySource(t *testing.T) {
	watts := func(w float64) *float64 { return &w }
	v := &msg.SiteView{Sources: []msg.SourceView{{Source: "relay", State: "limited"}}, Limits: []msg.LimitView{
		{Source: "building", ImportW: watts(20000)},
		{Source: "operator", Current: []float64{20, 16, 20}},
		{Source: "relay", ImportW: watts(4200)},
		{Source: "building", ExportW: watts(1)},
	}}
	want := map[v201.ChargingLimitSourceEnum]si.Watts{v201.ChargingLimitSourceEMS: 16 * 230 * 3, v201.ChargingLimitSourceSO: 4200}
	if got := outside(v, 230); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// The controller's own identity tells the CSMS when a limit in the picture of the site begins and ends.
func TestTheOwnIdentityTellsLimits(t *testing.T) {
	kittest.Run(t, func(t *testing.T, env *kit.Env) {
		var site kit.Cell[msg.SiteView]
		kittest.NewProbe(t, env, msg.Recorder, func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case msg.Load:
				ctx.Send(m.Reply, msg.Loaded{Bucket: m.Bucket, Token: m.Token})
			case msg.Save:
				ctx.Send(m.Reply, msg.Saved{Token: m.Token})
			}
		})
		var station *actor.PID
		var told []string
		kittest.NewProbe(t, env, msg.Controller, func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case msg.UplinkOpen:
				station = m.Reply
				ctx.Send(station, msg.UplinkIs{Station: m.Station, Gen: 1, Up: true})
			case msg.UplinkFrame:
				f, err := rpc.Parse(m.Raw)
				if err != nil || f.Type != rpc.Call {
					return
				}
				res := `{}`
				if f.Action == v201.ActionBootNotification {
					res = `{"currentTime":"2000-01-01T00:00:00Z","interval":300,"status":"Accepted"}`
				} else {
					told = append(told, f.Action)
				}
				ctx.Send(station, msg.UplinkFrame{Station: m.Station, Gen: 1, Raw: rpc.AppendResult(nil, f.ID, []byte(res))})
			}
		})
		kittest.Spawn(t, env, msg.StationName("LC"), New(env, Config{Cloud: true, Stats: ocppstat.New(env), Site: &site,
			Role: role.Config{Identity: "LC", Vendor: "v", Model: "m", NewID: rand.Text, Control: true, Rating: profile.Rating{Volts: 230}}}))
		time.Sleep(2 * time.Second)
		w := 5000.0
		site.Store(&msg.SiteView{Limits: []msg.LimitView{{Source: "building", ImportW: &w}}})
		time.Sleep(10 * time.Second)
		site.Store(&msg.SiteView{})
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := strings.Join(told, " "); got != "SecurityEventNotification NotifyChargingLimit ClearedChargingLimit" {
			t.Errorf("told %q", got)
		}
	})
}
