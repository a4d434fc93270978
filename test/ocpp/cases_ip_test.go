package ocpp

import (
	"testing"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/station"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// priced answers transaction events with a cost.
func priced(s *sut, total float64) {
	s.reply[v201.ActionTransactionEvent] = func(rpc.Message) rpc.Message { return &v201.TransactionEventResponse{TotalCost: &total} }
}

// cost is what the driver was told last.
func (s *sut) cost() (c station.Cost) {
	for _, e := range s.effects {
		if v, ok := e.(station.Cost); ok {
			c = v
		}
	}
	return c
}

func TestCasesI(t *testing.T) {
	runCases(t, []testCase{
		{"TC_I_02_CS", func(t *testing.T) { // I03.FR.01, FR.03
			s := newSUT(t).boot()
			tx := s.begin(1)
			priced(s, 3.25)
			s.unplug(1)
			s.event(v201.TransactionEventEnded, "")
			s.want("total", s.cost() == station.Cost{EVSE: 1, Tx: tx, Total: 3.25, Currency: "EUR", Final: true}, s.cost())
		}},
		{"TC_I_07_CS", func(t *testing.T) { // I02.FR.04
			s := newSUT(t).boot()
			tx := s.begin(1)
			priced(s, 1.5)
			s.flow(1, v201.ChargingStateSuspendedEV)
			s.want("running", s.cost() == station.Cost{EVSE: 1, Tx: tx, Total: 1.5, Currency: "EUR"}, s.cost())
		}},
	})
}

func TestCasesP(t *testing.T) {
	runCases(t, []testCase{
		{"TC_P_04_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			custom := []byte(`{"vendorId":"x","free":[1,{"a":null}]}`)
			r := ask[*v201.SetChargingProfileResponse](s, &v201.SetChargingProfileRequest{EvseId: 0, ChargingProfile: v201.ChargingProfile{Id: 1, CustomData: custom, StackLevel: 1,
				ChargingProfilePurpose: v201.ChargingProfilePurposeChargingStationMaxProfile, ChargingProfileKind: v201.ChargingProfileKindAbsolute,
				ChargingSchedule: []v201.ChargingSchedule{{Id: 1, CustomData: custom, StartSchedule: s.now, ChargingRateUnit: v201.ChargingRateUnitA,
					ChargingSchedulePeriod: []v201.ChargingSchedulePeriod{{CustomData: custom, Limit: 10}}}}}})
			s.want("accepted", r.Status == v201.ChargingProfileStatusAccepted, r)
			s.want("in force", s.limits[1].Amps == 10, s.limits)
		}},
	})
}
