package station

import (
	"strings"
	"testing"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// What a vehicle has said that it will draw counts in composite schedules once the CSMS has accepted it, until it negotiates anew
// or leaves (K15.FR.14, K08.FR.03). It limits nothing.
func TestCompositesFollowTheVehiclesSchedule(t *testing.T) {
	w := newWorld(t, twoAC)
	w.do(Connected{})
	w.charges(1, "A")
	w.do(EVNeeds{EVSE: 1, Again: true})
	plan := v201.ChargingSchedule{Id: 1, ChargingRateUnit: v201.ChargingRateUnitW, Duration: new(3600),
		ChargingSchedulePeriod: []v201.ChargingSchedulePeriod{{Limit: 6900}, {StartPeriod: 600, Limit: 0}}}
	status := v201.GenericStatusRejected
	w.answers["NotifyEVChargingSchedule"] = func(rpc.Message) rpc.Message { return &v201.NotifyEVChargingScheduleResponse{Status: status} }
	composite := func(evse int, want string) {
		t.Helper()
		if got := w.ask(&v201.GetCompositeScheduleRequest{EvseId: evse, Duration: 7200, ChargingRateUnit: v201.ChargingRateUnitA}); !strings.Contains(got, want) {
			t.Errorf("EVSE %d: %s, want %s", evse, got, want)
		}
	}
	all := `[{"startPeriod":0,"limit":32,"numberPhases":3}]`
	w.do(EVSchedule{1, w.now, plan})
	composite(1, all)
	status = v201.GenericStatusAccepted
	w.do(EVSchedule{1, w.now, plan})
	composite(1, `[{"startPeriod":0,"limit":10,"numberPhases":3},{"startPeriod":600,"limit":0,"numberPhases":3},{"startPeriod":3600,"limit":32,"numberPhases":3}]`)
	composite(0, `[{"startPeriod":0,"limit":42,`)
	w.amps(1, 32)
	w.wait(time.Second)
	w.profile(1, limited(1, 0, v201.ChargingProfilePurposeTxDefaultProfile, 16), "Accepted") // it has to negotiate anew
	composite(1, `[{"startPeriod":0,"limit":16,"numberPhases":3}]`)
	w.do(EVSchedule{1, w.now, plan})
	composite(1, `[{"startPeriod":0,"limit":10,`)
	for _, starts := range [][]int{{5}, {0, 60, 30}} {
		bad := v201.ChargingSchedule{Id: 1, ChargingRateUnit: v201.ChargingRateUnitW}
		for _, at := range starts {
			bad.ChargingSchedulePeriod = append(bad.ChargingSchedulePeriod, v201.ChargingSchedulePeriod{StartPeriod: at, Limit: 2300})
		}
		w.do(EVSchedule{1, w.now, bad})
		composite(1, `[{"startPeriod":0,"limit":16,"numberPhases":3}]`)
	}
	w.do(EVSchedule{1, w.now, plan})
	w.do(Unplugged{1})
	composite(1, `[{"startPeriod":0,"limit":16,"numberPhases":3}]`)
}
