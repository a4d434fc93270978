package ocpp

import (
	"testing"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// prof makes a profile with one flat limit.
func prof(id, stack int, purpose v201.ChargingProfilePurposeEnum, limit float64, change ...func(*v201.ChargingProfile)) v201.ChargingProfile {
	p := v201.ChargingProfile{Id: id, StackLevel: stack, ChargingProfilePurpose: purpose, ChargingProfileKind: v201.ChargingProfileKindAbsolute,
		ChargingSchedule: []v201.ChargingSchedule{{Id: id, StartSchedule: start, ChargingRateUnit: v201.ChargingRateUnitA,
			ChargingSchedulePeriod: []v201.ChargingSchedulePeriod{{Limit: limit}}}}}
	for _, f := range change {
		f(&p)
	}
	return p
}

func (s *sut) profile(evse int, p v201.ChargingProfile) v201.ChargingProfileStatusEnum {
	s.Helper()
	return ask[*v201.SetChargingProfileResponse](s, &v201.SetChargingProfileRequest{EvseId: evse, ChargingProfile: p}).Status
}

func (s *sut) clear(q *v201.ClearChargingProfileRequest) v201.ClearChargingProfileStatusEnum {
	s.Helper()
	return ask[*v201.ClearChargingProfileResponse](s, q).Status
}

func (s *sut) amps(evse int, want float64) {
	s.Helper()
	s.want("limit", float64(s.limits[evse].Amps) == want, s.limits[evse], want)
}

func (s *sut) composite(evse, seconds int) *v201.GetCompositeScheduleResponse {
	s.Helper()
	return ask[*v201.GetCompositeScheduleResponse](s, &v201.GetCompositeScheduleRequest{Duration: seconds, EvseId: evse, ChargingRateUnit: v201.ChargingRateUnitA})
}

func TestCasesK(t *testing.T) {
	txDefault, tx, maxProfile := v201.ChargingProfilePurposeTxDefaultProfile, v201.ChargingProfilePurposeTxProfile, v201.ChargingProfilePurposeChargingStationMaxProfile
	ok, no := v201.ChargingProfileStatusAccepted, v201.ChargingProfileStatusRejected
	cleared, unknown := v201.ClearChargingProfileStatusAccepted, v201.ClearChargingProfileStatusUnknown
	of := func(id string) func(*v201.ChargingProfile) {
		return func(p *v201.ChargingProfile) { p.TransactionId = id }
	}
	find := func(evse *int, c v201.ChargingProfileCriterion, want ...int) func(*testing.T) {
		return func(t *testing.T) {
			s := newSUT(t).boot()
			s.want("set", s.profile(0, prof(1, 0, maxProfile, 30)) == ok && s.profile(1, prof(2, 1, txDefault, 20)) == ok && s.profile(2, prof(3, 2, txDefault, 10)) == ok)
			r := ask[*v201.GetChargingProfilesResponse](s, &v201.GetChargingProfilesRequest{RequestId: 9, EvseId: evse, ChargingProfile: c})
			s.want("accepted", r.Status == v201.GetChargingProfileStatusAccepted, r)
			var got []int
			for more := true; more; {
				n := next[*v201.ReportChargingProfilesRequest](s)
				s.want("request", n.RequestId == 9)
				for _, p := range n.ChargingProfile {
					got = append(got, p.Id)
				}
				more = *n.Tbc
			}
			s.want("profiles", len(got) == len(want) && func() bool {
				for i := range got {
					if got[i] != want[i] {
						return false
					}
				}
				return true
			}(), got)
		}
	}
	csoOnly := []v201.ChargingLimitSourceEnum{v201.ChargingLimitSourceCSO}
	runCases(t, []testCase{
		{"TC_K_01_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.want("accepted", s.profile(1, prof(1, 0, txDefault, 10)) == ok)
			s.amps(1, 10)
			s.amps(2, 32)
		}},
		{"TC_K_02_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.want("rejected", s.profile(1, prof(1, 0, tx, 10, of("none"))) == no)
		}},
		{"TC_K_03_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.want("accepted", s.profile(0, prof(1, 0, maxProfile, 10)) == ok)
			s.amps(1, 10)
		}},
		{"TC_K_04_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.profile(1, prof(1, 0, txDefault, 10))
			s.want("accepted", s.profile(1, prof(1, 0, txDefault, 12)) == ok)
			s.amps(1, 12)
		}},
		{"TC_K_05_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.profile(1, prof(1, 0, txDefault, 10))
			s.want("cleared", s.clear(&v201.ClearChargingProfileRequest{ChargingProfileId: new(1)}) == cleared)
			s.amps(1, 32)
		}},
		{"TC_K_06_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.profile(1, prof(1, 3, txDefault, 10))
			s.want("cleared", s.clear(&v201.ClearChargingProfileRequest{ChargingProfileCriteria: &v201.ClearChargingProfile{StackLevel: new(3), ChargingProfilePurpose: txDefault}}) == cleared)
		}},
		{"TC_K_07_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.profile(1, prof(1, 3, txDefault, 10))
			s.want("unknown", s.clear(&v201.ClearChargingProfileRequest{ChargingProfileCriteria: &v201.ClearChargingProfile{StackLevel: new(4), ChargingProfilePurpose: txDefault}}) == unknown)
			s.amps(1, 10)
		}},
		{"TC_K_08_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.want("unknown", s.clear(&v201.ClearChargingProfileRequest{ChargingProfileId: new(1)}) == unknown)
		}},
		{"TC_K_09_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.profile(1, prof(1, 0, txDefault, 10))
			s.begin(1)
			s.want("cleared", s.clear(&v201.ClearChargingProfileRequest{ChargingProfileId: new(1)}) == cleared)
			s.amps(1, 32)
			s.want("goes on", s.st.Transaction(1) != "")
		}},
		{"TC_K_10_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.want("accepted", s.profile(0, prof(1, 0, txDefault, 10)) == ok)
			s.amps(1, 10)
			s.amps(2, 10)
		}},
		{"TC_K_11_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			id := s.begin(1)
			s.want("rejected", s.profile(0, prof(1, 0, tx, 10, of(id))) == no)
		}},
		{"TC_K_13_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.profile(1, prof(1, 0, txDefault, 10))
			s.limits[1] = s.limits[2]
			s.reboot()
			s.amps(1, 10)
		}},
		{"TC_K_14_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.want("rejected", s.profile(9, prof(1, 0, txDefault, 10)) == no)
		}},
		{"TC_K_15_CS", func(t *testing.T) {
			s := newSUT(t, "SmartChargingCtrlr.Enabled", "false").boot()
			s.want("not supported", s.fault(&v201.SetChargingProfileRequest{EvseId: 1, ChargingProfile: prof(1, 0, txDefault, 10)}) == "NotSupported", s.faults)
		}},
		{"TC_K_16_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.begin(1)
			s.want("rejected", s.profile(1, prof(1, 0, tx, 10, of("other"))) == no)
		}},
		{"TC_K_19_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.want("accepted", s.profile(1, prof(1, 0, txDefault, 10, func(p *v201.ChargingProfile) {
				p.ChargingProfileKind, p.RecurrencyKind = v201.ChargingProfileKindRecurring, v201.RecurrencyKindDaily
				p.ChargingSchedule[0].Duration = new(3600)
			})) == ok)
			s.amps(1, 10)
			s.wait(time.Hour)
			s.amps(1, 32)
			s.wait(23 * time.Hour)
			s.amps(1, 10)
		}},
		{"TC_K_21_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.profile(1, prof(1, 0, txDefault, 10, func(p *v201.ChargingProfile) { p.ValidFrom = start.Add(time.Minute) }))
			s.amps(1, 32)
			s.wait(time.Minute)
			s.amps(1, 10)
		}},
		{"TC_K_22_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.profile(1, prof(1, 0, txDefault, 10, func(p *v201.ChargingProfile) { p.ValidTo = start.Add(time.Minute) }))
			s.amps(1, 10)
			s.wait(time.Minute)
			s.amps(1, 32)
		}},
		{"TC_K_23_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.profile(1, prof(1, 0, txDefault, 10, func(p *v201.ChargingProfile) { p.ChargingSchedule[0].StartSchedule = start.Add(time.Minute) }))
			s.amps(1, 32)
			s.wait(time.Minute)
			s.amps(1, 10)
		}},
		{"TC_K_24_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.profile(1, prof(1, 3, txDefault, 10))
			s.profile(2, prof(2, 3, txDefault, 10))
			s.want("cleared", s.clear(&v201.ClearChargingProfileRequest{ChargingProfileCriteria: &v201.ClearChargingProfile{StackLevel: new(3), ChargingProfilePurpose: txDefault}}) == cleared)
			s.amps(1, 32)
			s.amps(2, 32)
		}},
		{"TC_K_28_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.begin(1)
			s.want("accepted", s.profile(1, prof(1, 0, txDefault, 10)) == ok)
			s.amps(1, 10)
			s.event(v201.TransactionEventUpdated, v201.TriggerReasonChargingRateChanged)
		}},
		{"TC_K_29_CS", find(new(0), v201.ChargingProfileCriterion{ChargingLimitSource: csoOnly}, 1)},
		{"TC_K_30_CS", find(new(1), v201.ChargingProfileCriterion{ChargingLimitSource: csoOnly}, 2)},
		{"TC_K_31_CS", find(nil, v201.ChargingProfileCriterion{ChargingLimitSource: csoOnly}, 1, 2, 3)},
		{"TC_K_32_CS", find(nil, v201.ChargingProfileCriterion{ChargingProfileId: []int{3}}, 3)},
		{"TC_K_33_CS", find(new(2), v201.ChargingProfileCriterion{StackLevel: new(2)}, 3)},
		{"TC_K_34_CS", find(new(2), v201.ChargingProfileCriterion{ChargingLimitSource: csoOnly}, 3)},
		{"TC_K_35_CS", find(new(1), v201.ChargingProfileCriterion{ChargingProfilePurpose: txDefault}, 2)},
		{"TC_K_36_CS", find(new(1), v201.ChargingProfileCriterion{ChargingProfilePurpose: txDefault, StackLevel: new(1)}, 2)},
		{"TC_K_60_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			id := s.begin(1)
			s.want("accepted", s.profile(1, prof(1, 0, tx, 10, of(id))) == ok)
			s.amps(1, 10)
			s.unplug(1)
			s.amps(1, 32)
		}},
		{"TC_K_37_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			p := prof(1, 0, tx, 9)
			r := ask[*v201.RequestStartTransactionResponse](s, &v201.RequestStartTransactionRequest{EvseId: new(1), RemoteStartId: 1, IdToken: token("R"), ChargingProfile: &p})
			s.want("accepted", r.Status == v201.RequestStartStopStatusAccepted)
			s.plug(1)
			s.event(v201.TransactionEventStarted, "")
			s.amps(1, 9)
		}},
		{"TC_K_39_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			r := s.composite(1, 300)
			s.want("what it can", r.Status == v201.GenericStatusAccepted && r.Schedule.ChargingSchedulePeriod[0].Limit == 32, r)
			s.want("both", s.composite(0, 300).Schedule.ChargingSchedulePeriod[0].Limit == 64)
		}},
		{"TC_K_40_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.profile(1, prof(1, 0, txDefault, 10))
			s.profile(1, prof(2, 1, txDefault, 20, func(p *v201.ChargingProfile) { p.ChargingSchedule[0].Duration = new(100) }))
			p := s.composite(1, 300).Schedule.ChargingSchedulePeriod
			s.want("two periods", len(p) == 2 && p[0].Limit == 20 && p[1].StartPeriod == 100 && p[1].Limit == 10, p)
		}},
		{"TC_K_41_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.profile(0, prof(1, 0, maxProfile, 15))
			s.profile(1, prof(2, 0, txDefault, 20, func(p *v201.ChargingProfile) {
				p.ChargingSchedule[0].ChargingSchedulePeriod = []v201.ChargingSchedulePeriod{{Limit: 8}, {StartPeriod: 60, Limit: 20}}
			}))
			p := s.composite(1, 300).Schedule.ChargingSchedulePeriod
			s.want("the lower one", len(p) == 2 && p[0].Limit == 8 && p[1].Limit == 15, p)
		}},
		{"TC_K_47_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.want("rejected", s.composite(9, 300).Status == v201.GenericStatusRejected)
		}},
	})
}
