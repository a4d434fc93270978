package ocpp

import (
	"testing"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/station"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// needs is a vehicle that states by ISO 15118 what it needs.
func (s *sut) needs(again bool) {
	s.Helper()
	s.do(station.EVNeeds{EVSE: 1, Tuples: 12, Again: again, Needs: v201.ChargingNeeds{RequestedEnergyTransfer: v201.EnergyTransferModeACThreePhase,
		AcChargingParameters: &v201.ACChargingParameters{EnergyAmount: 30000, EvMinCurrent: 6, EvMaxCurrent: 32, EvMaxVoltage: 400}}})
}

// csmsSays lets the CSMS answer the needs.
func (s *sut) csmsSays(status v201.NotifyEVChargingNeedsStatusEnum) {
	s.reply["NotifyEVChargingNeeds"] = func(rpc.Message) rpc.Message {
		return &v201.NotifyEVChargingNeedsResponse{Status: status}
	}
	s.reply["NotifyEVChargingSchedule"] = func(rpc.Message) rpc.Message {
		return &v201.NotifyEVChargingScheduleResponse{Status: v201.GenericStatusAccepted}
	}
}

// offers are what the vehicle was offered since the last look.
func (s *sut) offers() (out []station.Offer) {
	for _, e := range s.effects {
		if o, ok := e.(station.Offer); ok {
			out = append(out, o)
		}
	}
	s.effects = nil
	return out
}

// offered wants one offer whose first schedule begins with this current.
func (s *sut) offered(amps si.Amps, schedules int, again bool) {
	s.Helper()
	o := s.offers()
	s.want("one offer", len(o) == 1 && len(o[0].Schedules) == schedules && o[0].Renegotiate == again, o)
	s.want("limit", o[0].Schedules[0].Pieces[0].Limit.Amps == amps, o)
}

// follows lets the vehicle choose a schedule, of which the CSMS hears.
func (s *sut) follows(id int) {
	s.Helper()
	s.do(station.EVSchedule{EVSE: 1, From: s.now, Schedule: v201.ChargingSchedule{Id: id, ChargingRateUnit: v201.ChargingRateUnitW,
		ChargingSchedulePeriod: []v201.ChargingSchedulePeriod{{Limit: 6900}}}})
	n := next[*v201.NotifyEVChargingScheduleRequest](s)
	s.want("the vehicle's schedule", n.EvseId == 1 && n.TimeBase.Equal(s.now) && n.ChargingSchedule.Id == id && n.ChargingSchedule.ChargingSchedulePeriod[0].Limit == 6900, n)
}

func TestCasesKWithVehicles(t *testing.T) {
	txDefault, tx := v201.ChargingProfilePurposeTxDefaultProfile, v201.ChargingProfilePurposeTxProfile
	ok := v201.ChargingProfileStatusAccepted
	of := func(id string) func(*v201.ChargingProfile) {
		return func(p *v201.ChargingProfile) { p.TransactionId = id }
	}
	runCases(t, []testCase{
		{"TC_K_52_CS", func(t *testing.T) { // K12.FR.05
			s := newSUT(t).boot()
			s.do(station.Outside{Limits: map[v201.ChargingLimitSourceEnum]si.Watts{v201.ChargingLimitSourceSO: 6900}})
			n := next[*v201.NotifyChargingLimitRequest](s)
			s.want("source", n.ChargingLimit.ChargingLimitSource == v201.ChargingLimitSourceSO)
			external := v201.ChargingProfilePurposeChargingStationExternalConstraints
			r := ask[*v201.GetChargingProfilesResponse](s, &v201.GetChargingProfilesRequest{RequestId: 4, ChargingProfile: v201.ChargingProfileCriterion{ChargingProfilePurpose: external}})
			s.want("accepted", r.Status == v201.GetChargingProfileStatusAccepted, r)
			p := next[*v201.ReportChargingProfilesRequest](s)
			s.want("the limit", p.RequestId == 4 && p.ChargingLimitSource == v201.ChargingLimitSourceSO && p.EvseId == 0 && len(p.ChargingProfile) == 1 &&
				p.ChargingProfile[0].ChargingProfilePurpose == external && p.ChargingProfile[0].Id < 0 &&
				p.ChargingProfile[0].ChargingSchedule[0].ChargingSchedulePeriod[0].Limit == 6900, p)
			s.do(station.Outside{})
			next[*v201.ClearedChargingLimitRequest](s)
			r = ask[*v201.GetChargingProfilesResponse](s, &v201.GetChargingProfilesRequest{RequestId: 5, ChargingProfile: v201.ChargingProfileCriterion{ChargingProfilePurpose: external}})
			s.want("gone", r.Status == v201.GetChargingProfileStatusNoProfiles, r)
		}},
		{"TC_K_53_CS", func(t *testing.T) { // K15.FR.01, 06, 09, 10
			s := newSUT(t).boot()
			s.csmsSays(v201.NotifyEVChargingNeedsStatusAccepted)
			id := s.begin(1)
			s.needs(false)
			n := next[*v201.NotifyEVChargingNeedsRequest](s)
			s.want("the needs", n.EvseId == 1 && n.MaxScheduleTuples != nil && *n.MaxScheduleTuples == 12 && n.ChargingNeeds.AcChargingParameters.EnergyAmount == 30000 &&
				n.ChargingNeeds.DcChargingParameters == nil, n)
			s.want("it waits for the profile", len(s.offers()) == 0)
			p := prof(7, 0, tx, 10, of(id))
			second := p.ChargingSchedule[0]
			second.Id, second.ChargingSchedulePeriod = 8, []v201.ChargingSchedulePeriod{{Limit: 20}}
			p.ChargingSchedule = append(p.ChargingSchedule, second)
			s.want("accepted", s.profile(1, p) == ok)
			o := s.offers()
			s.want("both schedules", len(o) == 1 && len(o[0].Schedules) == 2 && o[0].Schedules[0].ID == 7 && o[0].Schedules[1].ID == 8 &&
				o[0].Schedules[0].Pieces[0].Limit.Amps == 10 && o[0].Schedules[1].Pieces[0].Limit.Amps == 20, o)
			s.follows(7)
		}},
		{"TC_K_54_CS", func(t *testing.T) { // K15.FR.01, K17.FR.04
			s := newSUT(t).boot()
			s.csmsSays(v201.NotifyEVChargingNeedsStatusRejected)
			s.want("set", s.profile(1, prof(1, 0, txDefault, 12)) == ok)
			s.begin(1)
			s.needs(false)
			next[*v201.NotifyEVChargingNeedsRequest](s)
			s.offered(12, 1, false)
			s.csmsSays(v201.NotifyEVChargingNeedsStatusAccepted) // and then says nothing more
			s.needs(false)
			s.wait(59 * time.Second)
			s.want("it waits", len(s.offers()) == 0)
			s.wait(2 * time.Second)
			s.offered(12, 1, false)
		}},
		{"TC_K_56_CS", func(t *testing.T) { // K15.FR.15, K17.FR.15
			s := newSUT(t).boot()
			s.want("set", s.profile(1, prof(1, 0, txDefault, 9)) == ok)
			s.begin(1)
			s.disconnect()
			s.offers()
			s.needs(false)
			s.offered(9, 1, false)
			none[*v201.NotifyEVChargingNeedsRequest](s)
		}},
		{"TC_K_57_CS", func(t *testing.T) { // K17.FR.01, 06, 09, 10
			s := newSUT(t).boot()
			s.csmsSays(v201.NotifyEVChargingNeedsStatusAccepted)
			id := s.begin(1)
			for i, amps := range []float64{10, 14} { // the vehicle asks, and asks again while it charges
				s.needs(false)
				n := next[*v201.NotifyEVChargingNeedsRequest](s)
				s.want("parameters of AC", n.ChargingNeeds.AcChargingParameters != nil)
				s.want("accepted", s.profile(1, prof(20+i, 0, tx, amps, of(id), func(p *v201.ChargingProfile) { p.StackLevel = i })) == ok)
				s.offered(si.Amps(amps), 1, true)
				s.follows(20 + i)
			}
		}},
		{"TC_K_58_CS", func(t *testing.T) { // K16.FR.01, 02, 03, 05, 09
			s := newSUT(t).boot()
			s.csmsSays(v201.NotifyEVChargingNeedsStatusAccepted)
			id := s.begin(1)
			s.needs(false)
			next[*v201.NotifyEVChargingNeedsRequest](s)
			s.want("accepted", s.profile(1, prof(7, 0, tx, 10, of(id))) == ok)
			s.follows(7)
			s.offers()
			s.want("another one is accepted", s.profile(1, prof(7, 0, tx, 16, of(id))) == ok)
			s.offered(16, 1, true)
			s.needs(true) // the vehicle negotiates anew, as it was asked to
			none[*v201.NotifyEVChargingNeedsRequest](s)
			s.offered(16, 1, false)
			s.follows(7)
		}},
	})
}
