package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/ems"
	"github.com/voltyard/voltyard/actors/kit/kittest"
	"github.com/voltyard/voltyard/actors/kit/network"
	"github.com/voltyard/voltyard/actors/sim/csms"
	"github.com/voltyard/voltyard/actors/sim/ev"
	"github.com/voltyard/voltyard/hal/sim"
	"github.com/voltyard/voltyard/protocols/iso15118/evcc"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

const scheduled = `
site: {id: bench}
nodes: [{id: root, fuse_a: 200}]
evses: [{id: a1, node: root, type: ac, max_a: 16, hal: sim, station: bench-a1, port: {interface: lo, sdp_port: 15119, vehicle: external, plan_wait_s: 10}}]
csms: {url: "ws://cloud.invalid/ocpp", identity: LC}
`

// A vehicle's needs go to the cloud, whose schedule the vehicle is offered; a new one of the cloud is negotiated in the running
// session, and the cloud hears each time what the vehicle chose (OCPP 2.0.1 part 2, K15 and K16).
func TestTheCloudSchedulesAVehicle(t *testing.T) {
	var k *cloud
	runSiteIn(t, scheduled, t.TempDir(), func(p *ems.Parts) { k = newCloud(t); p.DialCSMS = k.dial }, func(s *site) {
		record := csms.NewRecord(10000, nil)
		var transaction string
		profile := func(id int, watts float64) {
			s.env.Send("csms", csms.Request{Station: "bench-a1", Action: v201.ActionSetChargingProfile, Payload: (&v201.SetChargingProfileRequest{EvseId: 1, ChargingProfile: v201.ChargingProfile{
				Id: 5, StackLevel: 1, ChargingProfilePurpose: v201.ChargingProfilePurposeTxProfile, ChargingProfileKind: v201.ChargingProfileKindAbsolute, TransactionId: transaction,
				ChargingSchedule: []v201.ChargingSchedule{{Id: id, StartSchedule: time.Now().Add(-time.Minute), ChargingRateUnit: v201.ChargingRateUnitW,
					ChargingSchedulePeriod: []v201.ChargingSchedulePeriod{{Limit: watts}}}}}}).AppendJSON(nil)})
		}
		decide := func(_ string, q rpc.Message) rpc.Message {
			switch q := q.(type) {
			case *v201.TransactionEventRequest:
				transaction = q.TransactionInfo.TransactionId
			case *v201.NotifyEVChargingNeedsRequest:
				go func() { // the cloud thinks for a while
					time.Sleep(3 * time.Second)
					profile(70, 6000)
				}()
				return &v201.NotifyEVChargingNeedsResponse{Status: v201.NotifyEVChargingNeedsStatusAccepted}
			case *v201.NotifyEVChargingScheduleRequest:
				return &v201.NotifyEVChargingScheduleResponse{Status: v201.GenericStatusAccepted}
			}
			return nil
		}
		kittest.Spawn(t, s.env, "csms", csms.New(s.env, csms.Config{Listener: k.listener, Path: "/ocpp", Record: record, Decide: decide}))
		kittest.Spawn(t, s.env, "standin", func() actor.Actor { return ev.StandIn(s.place("a1"), &s.view)() })
		time.Sleep(10 * time.Second)
		var first, second float64
		go func() {
			time.Sleep(15 * time.Second)
			first = float64(s.view.Load().EVSEs[0].Power)
			profile(71, 9000)
			time.Sleep(10 * time.Second)
			second = float64(s.view.Load().EVSEs[0].Power)
		}()
		trip := ev.Trip{Net: s.net, Interface: network.Loopback, SDPPort: 15119, EVCC: evcc.Config{EVCCID: [6]byte{2, 0, 0, 0, 0, 9}, Phases: 3},
			Battery: sim.Battery{Capacity: 60e3, Energy: 20e3, MaxPower: 22e3}, MaxAmps: 16, Volts: 230, Charge: 40 * time.Second}
		r := trip.Run(context.Background())
		if !r.OK || r.Negotiated != 2 {
			t.Errorf("%+v", r)
		}
		time.Sleep(10 * time.Second)
		if first < 5000 || first > 6100 || second < 8000 || second > 9100 {
			t.Errorf("the vehicle drew %v W and then %v W, want up to 6000 and 9000", first, second)
		}
		if n := record.Requests("bench-a1", v201.ActionNotifyEVChargingNeeds); len(n) != 1 || !strings.Contains(string(n[0]), `"requestedEnergyTransfer":"AC_three_phase"`) {
			t.Errorf("needs %s", n)
		}
		chosen := record.Requests("bench-a1", v201.ActionNotifyEVChargingSchedule)
		for i, want := range []string{`"id":70`, `"id":71`} {
			if len(chosen) != 2 || !strings.Contains(string(chosen[i]), want) {
				t.Errorf("chosen %s, want %s", chosen, want)
			}
		}
		if w := record.Faults(); len(w) > 0 {
			t.Errorf("faults: %v", w)
		}
	})
}
