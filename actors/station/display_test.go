package station

import (
	"crypto/rand"
	"slices"
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

// A limit goes to the balancer as what is stricter than what the EVSE can do, with both bounds where both are.
func TestWhatALimitBounds(t *testing.T) {
	ac := &role.EVSEConfig{Rating: profile.Rating{Phases: 3, Volts: 230, Max: 32}}
	one := &role.EVSEConfig{Rating: profile.Rating{Phases: 1, Volts: 230, Max: 32}}
	dc := &role.EVSEConfig{DC: true, Rating: profile.Rating{Phases: 3, Volts: 230, Power: 50000}}
	for _, x := range []struct {
		evse  *role.EVSEConfig
		limit profile.Limit
		amps  si.Amps // -1 for none
		watts si.Watts
	}{
		{ac, ac.Rating.Limit(), -1, -1}, {ac, profile.Limit{Amps: 16, Watts: 11040, Phases: 3}, 16, -1}, {ac, profile.Limit{Amps: 16, Watts: 3680, Phases: 1}, 16, 3680},
		{ac, profile.Limit{Amps: 32, Watts: 7000, Phases: 3}, -1, 7000}, {ac, profile.Limit{Phases: 3}, 0, -1},
		{one, profile.Limit{Amps: 16, Watts: 3680, Phases: 1}, 16, -1}, {one, profile.Limit{Amps: 32, Watts: 3000, Phases: 1}, -1, 3000},
		{dc, dc.Rating.Limit(), -1, -1}, {dc, profile.Limit{Amps: 10, Watts: 20000, Phases: 3}, -1, 20000}, {dc, profile.Limit{Phases: 3}, -1, 0},
	} {
		c := capOf("e", x.evse, x.limit)
		if (c.Current == nil) != (x.amps < 0) || c.Current != nil && *c.Current != x.amps || (c.Power == nil) != (x.watts < 0) || c.Power != nil && *c.Power != x.watts {
			t.Errorf("%+v: %v A, %v W", x.limit, c.Current, c.Power)
		}
	}
}

// What a driver who was authorised before plugging in was told about the tariff stays when the vehicle comes, and goes with it.
func TestTheTariffStaysWhileItsDriverIsThere(t *testing.T) {
	kittest.Run(t, func(t *testing.T, env *kit.Env) {
		kittest.NewProbe(t, env, msg.Recorder, func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case msg.Load:
				ctx.Send(m.Reply, msg.Loaded{Bucket: m.Bucket, Token: m.Token})
			case msg.Save:
				ctx.Send(m.Reply, msg.Saved{Token: m.Token})
			}
		})
		kittest.NewProbe(t, env, msg.Balancer, nil)
		var seen []string
		kittest.NewProbe(t, env, msg.EVSEName("e1"), func(ctx actor.Context) {
			if m, ok := ctx.Message().(msg.Show); ok {
				text := ""
				for _, x := range m.Screen.Messages {
					text += x.Text
				}
				seen = append(seen, text)
			}
		})
		var station *actor.PID
		kittest.NewProbe(t, env, msg.Controller, func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case msg.UplinkOpen:
				station = m.Reply
				ctx.Send(station, msg.UplinkIs{Station: "CS", Gen: 1, Up: true})
			case msg.UplinkFrame:
				f, err := rpc.Parse(m.Raw)
				if err != nil || f.Type != rpc.Call {
					return
				}
				res := `{}`
				if f.Action == v201.ActionBootNotification {
					res = `{"currentTime":"2000-01-01T00:00:00Z","interval":300,"status":"Accepted"}`
				}
				ctx.Send(station, msg.UplinkFrame{Station: "CS", Gen: 1, Raw: rpc.AppendResult(nil, f.ID, []byte(res))})
			}
		})
		pid := kittest.Spawn(t, env, msg.StationName("CS"), New(env, Config{Cloud: true, Stats: ocppstat.New(env), EVSEs: []string{"e1"},
			Role: role.Config{Identity: "CS", Vendor: "v", Model: "m", NewID: rand.Text, Display: true, Variables: map[string]string{"TariffCostCtrlr.TariffFallbackMessage": "0.50"},
				EVSEs: []role.EVSEConfig{{ConnectorType: "cType2", Rating: profile.Rating{Phases: 3, Volts: 230, Max: 32}}}}}))
		time.Sleep(time.Second)
		q := &v201.RequestStartTransactionRequest{EvseId: new(1), RemoteStartId: 1, IdToken: v201.IdToken{IdToken: "A", Type: v201.IdTokenCentral}}
		env.System.Root.Send(pid, msg.UplinkFrame{Station: "CS", Gen: 1, Raw: rpc.AppendCall(nil, "1", q.ActionName(), q.AppendJSON(nil))})
		time.Sleep(time.Second)
		for i, plugged := range []bool{true, false} {
			env.System.Root.Send(pid, msg.EVSEReport{EVSE: "e1", Seq: uint64(i + 1), Plugged: plugged})
			time.Sleep(5 * time.Second)
			synctest.Wait()
			if got := seen[len(seen)-1]; (got == "0.50") != plugged {
				t.Errorf("with a vehicle %v: %q of %q", plugged, got, slices.Clone(seen))
			}
		}
	})
}
