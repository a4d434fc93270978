package ocpp

import (
	"slices"
	"testing"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/station"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// listed puts tokens into the local list, each with a status and a group ("" for none).
func (s *sut) listed(entries ...[3]string) {
	s.Helper()
	q := &v201.SendLocalListRequest{VersionNumber: 1, UpdateType: v201.UpdateFull}
	for _, e := range entries {
		i := &v201.IdTokenInfo{Status: v201.AuthorizationStatusEnum(e[1])}
		if e[2] != "" {
			i.GroupIdToken = &v201.IdToken{IdToken: e[2], Type: v201.IdTokenCentral}
		}
		q.LocalAuthorizationList = append(q.LocalAuthorizationList, v201.AuthorizationData{IdToken: token(e[0]), IdTokenInfo: i})
	}
	s.want("list accepted", ask[*v201.SendLocalListResponse](s, q).Status == v201.SendLocalListStatusAccepted)
}

// cachedAs presents a token once, so that the cache knows it, and forgets what was said.
func (s *sut) cachedAs(id string, status v201.AuthorizationStatusEnum, group string) {
	s.Helper()
	authorizes(s, status, group)
	s.plug(2)
	s.card(2, id)
	next[*v201.AuthorizeRequest](s)
	s.unplug(2)
	s.read = len(s.got)
}

func (s *sut) stopped(n int) bool {
	return slices.ContainsFunc(s.effects, func(e station.Effect) bool { v, ok := e.(station.Stop); return ok && v.EVSE == n })
}

// suspended expects that EVSE 1 gets no more energy while its transaction goes on.
func (s *sut) suspended() {
	s.Helper()
	for {
		e := s.event(v201.TransactionEventUpdated, v201.TriggerReasonChargingStateChanged)
		if e.TransactionInfo.ChargingState == v201.ChargingStateSuspendedEVSE {
			break
		}
	}
	s.want("energy stopped, the transaction not", s.stopped(1) && s.st.Transaction(1) != "")
}

func TestCasesLocalDecisions(t *testing.T) {
	pre := func(t *testing.T, more ...string) *sut {
		return newSUT(t, append([]string{"AuthCtrlr.LocalPreAuthorize", "true"}, more...)...).boot()
	}
	cachedBad := func(status v201.AuthorizationStatusEnum) func(*testing.T) { // C10.FR.03, C12.FR.05
		return func(t *testing.T) {
			s := pre(t)
			s.cachedAs("TAG", status, "")
			s.plug(1)
			s.card(1, "TAG")
			next[*v201.AuthorizeRequest](s)
			s.want("no permission", !s.permits[1])
			none[*v201.TransactionEventRequest](s)
		}
	}
	listedBad := func(status, csms v201.AuthorizationStatusEnum) func(*testing.T) { // C14.FR.03
		return func(t *testing.T) {
			s := pre(t)
			s.listed([3]string{"TAG", string(status)})
			authorizes(s, csms, "")
			s.plug(1)
			s.card(1, "TAG")
			next[*v201.AuthorizeRequest](s)
			s.want("as the CSMS says", s.permits[1] == (csms == v201.AuthorizationStatusAccepted))
			if s.permits[1] {
				s.event(v201.TransactionEventStarted, "")
			}
		}
	}
	accepted, invalid, blocked, expired := v201.AuthorizationStatusAccepted, v201.AuthorizationStatusInvalid, v201.AuthorizationStatusBlocked, v201.AuthorizationStatusExpired
	runCases(t, []testCase{
		{"TC_C_10_CS", cachedBad(blocked)},
		{"TC_C_11_CS", cachedBad(expired)},
		{"TC_C_13_CS", func(t *testing.T) { // C12.FR.02, FR.04
			s := pre(t)
			s.cachedAs("TAG", accepted, "")
			s.card(1, "TAG")
			s.want("permitted", s.permits[1])
			none[*v201.AuthorizeRequest](s)
			s.plug(1)
			e := s.event(v201.TransactionEventStarted, "")
			s.want("token", e.IdToken != nil && e.IdToken.IdToken == "TAG", e)
			none[*v201.AuthorizeRequest](s)
		}},
		{"TC_C_14_CS", func(t *testing.T) { // C12.FR.09, C16.FR.03
			s := pre(t, "AuthCtrlr.MasterPassGroupId", "MASTER")
			s.cachedAs("TAG", accepted, "MASTER")
			s.plug(1)
			s.card(1, "TAG")
			s.want("no start", !s.permits[1])
			none[*v201.TransactionEventRequest](s)
			s.cachedAs("OTHER", accepted, "")
			s.card(1, "OTHER")
			s.want("another one starts", s.permits[1])
		}},
		{"TC_C_16_CS", func(t *testing.T) {
			s := pre(t, "TxCtrlr.StopTxOnInvalidId", "true")
			s.cachedAs("TAG", accepted, "")
			authorizes(s, invalid, "")
			s.plug(1)
			s.card(1, "TAG")
			e := s.event(v201.TransactionEventEnded, v201.TriggerReasonDeauthorized)
			s.want("reason", e.TransactionInfo.StoppedReason == v201.ReasonDeAuthorized, e)
			none[*v201.AuthorizeRequest](s)
		}},
		{"TC_C_18_CS", func(t *testing.T) { // E05.FR.10: no energy is left to it
			s := pre(t, "TxCtrlr.StopTxOnInvalidId", "true", "TxCtrlr.MaxEnergyOnInvalidId", "500")
			s.cachedAs("TAG", accepted, "")
			authorizes(s, invalid, "")
			s.plug(1)
			s.card(1, "TAG")
			s.event(v201.TransactionEventEnded, v201.TriggerReasonDeauthorized)
		}},
		{"TC_C_17_CS", func(t *testing.T) { // E05.FR.02
			s := pre(t, "TxCtrlr.StopTxOnInvalidId", "false")
			s.cachedAs("TAG", accepted, "")
			authorizes(s, invalid, "")
			s.effects = nil
			s.plug(1)
			s.card(1, "TAG")
			s.suspended()
		}},
		{"TC_C_15_CS", func(t *testing.T) { // E05.FR.03
			s := pre(t, "TxCtrlr.StopTxOnInvalidId", "false", "TxCtrlr.MaxEnergyOnInvalidId", "500")
			s.cachedAs("TAG", accepted, "")
			authorizes(s, invalid, "")
			s.effects = nil
			s.begin(1)
			s.meter(1, 1499)
			s.want("may draw it", !s.stopped(1))
			s.meter(1, 1500)
			s.suspended()
			s.effects = nil
			s.meter(1, 1501)
			s.want("once", !s.stopped(1))
		}},
		{"TC_C_57_CS", func(t *testing.T) {
			s := pre(t, "AuthCacheCtrlr.DisablePostAuthorize", "true")
			s.cachedAs("TAG", blocked, "")
			authorizes(s, accepted, "")
			s.plug(1)
			s.card(1, "TAG")
			none[*v201.AuthorizeRequest](s)
			s.want("no permission", !s.permits[1])
			s.card(1, "OTHER")
			next[*v201.AuthorizeRequest](s)
		}},
		{"TC_C_28_CS", listedBad(invalid, invalid)},
		{"TC_C_29_CS", listedBad(blocked, blocked)},
		{"TC_C_30_CS", listedBad(expired, expired)},
		{"TC_C_31_CS", listedBad(invalid, accepted)},
		{"TC_C_28_CS/DisablePostAuthorize", func(t *testing.T) { // the second case of this id
			s := pre(t, "LocalAuthListCtrlr.DisablePostAuthorize", "true")
			s.listed([3]string{"TAG", "Invalid"})
			s.plug(1)
			s.card(1, "TAG")
			none[*v201.AuthorizeRequest](s)
			s.want("no permission", !s.permits[1])
			s.card(1, "OTHER")
			next[*v201.AuthorizeRequest](s)
		}},
		{"TC_C_33_CS", func(t *testing.T) { // C10.FR.04, C12.FR.06
			s := pre(t)
			s.cachedAs("TAG", blocked, "")
			s.cachedAs("TAG", accepted, "")
			s.plug(1)
			s.card(1, "TAG")
			none[*v201.AuthorizeRequest](s)
			s.event(v201.TransactionEventStarted, "")
		}},
		{"TC_C_36_CS", func(t *testing.T) {
			s := newSUT(t, "AuthCtrlr.LocalPreAuthorize", "false").boot()
			s.cachedAs("TAG", accepted, "")
			s.plug(1)
			s.card(1, "TAG")
			next[*v201.AuthorizeRequest](s)
		}},
		{"TC_C_40_CS", func(t *testing.T) { // C09.FR.03, FR.07
			s := pre(t)
			s.listed([3]string{"TAG", "Accepted", "GROUP"}, [3]string{"FRIEND", "Accepted", "GROUP"})
			s.begin(1)
			s.card(1, "FRIEND")
			s.event(v201.TransactionEventEnded, v201.TriggerReasonStopAuthorized)
			for _, m := range s.got {
				s.want("nobody is asked", m.ActionName() != v201.ActionAuthorize)
			}
		}},
		{"TC_C_41_CS", func(t *testing.T) {
			s := pre(t)
			s.cachedAs("FRIEND", accepted, "GROUP")
			s.cachedAs("TAG", accepted, "GROUP")
			s.begin(1)
			s.card(1, "FRIEND")
			s.event(v201.TransactionEventEnded, v201.TriggerReasonStopAuthorized)
			asked := 0
			for _, m := range s.got {
				if m.ActionName() == v201.ActionAuthorize {
					asked++
				}
			}
			s.want("asked only to fill the cache", asked == 2, asked)
		}},
		{"TC_C_43_CS", func(t *testing.T) {
			s := pre(t)
			s.listed([3]string{"TAG", "Accepted", "GROUP"}, [3]string{"FRIEND", "Invalid", "GROUP"})
			s.begin(1)
			authorizes(s, invalid, "GROUP")
			s.card(1, "FRIEND")
			next[*v201.AuthorizeRequest](s)
			s.want("goes on", s.permits[1] && s.st.Transaction(1) != "")
		}},
		{"TC_C_44_CS", func(t *testing.T) {
			s := pre(t)
			s.cachedAs("FRIEND", invalid, "GROUP")
			s.cachedAs("TAG", accepted, "GROUP")
			s.begin(1)
			authorizes(s, invalid, "GROUP")
			s.card(1, "FRIEND")
			next[*v201.AuthorizeRequest](s)
			s.want("goes on", s.permits[1] && s.st.Transaction(1) != "")
		}},
		{"TC_E_52_CS", func(t *testing.T) {
			s := pre(t, "AuthCtrlr.DisableRemoteAuthorization", "true")
			s.listed([3]string{"TAG", "Accepted"})
			s.plug(1)
			s.card(1, "OTHER")
			s.want("unknown", !s.permits[1])
			s.card(1, "TAG")
			s.want("listed", s.permits[1])
			none[*v201.AuthorizeRequest](s)
		}},
	})
}

func TestCasesRest(t *testing.T) {
	const started, updated, ended = v201.TransactionEventStarted, v201.TransactionEventUpdated, v201.TransactionEventEnded
	leaves := func(charging bool) func(*testing.T) { // E06.FR.02
		return func(t *testing.T) {
			s := newSUT(t, "TxCtrlr.TxStopPoint", "EVConnected").boot()
			s.meter(1, 1000)
			s.plug(1)
			s.card(1, "TAG")
			s.event(started, "")
			if charging {
				s.charge(1)
			}
			s.unplug(1)
			e := s.event(ended, v201.TriggerReasonEVCommunicationLost)
			s.want("reason", e.TransactionInfo.StoppedReason == v201.ReasonEVDisconnected, e)
		}
	}
	refusals := func(n int, delivered bool) func(*testing.T) { // E13.FR.02 to FR.04
		return func(t *testing.T) {
			s := newSUT(t, "OCPPCommCtrlr.MessageAttempts", "3", "OCPPCommCtrlr.MessageAttemptInterval", "10").boot()
			tries := 0
			s.reply[v201.ActionTransactionEvent] = func(q rpc.Message) rpc.Message {
				tries++
				return &v201.TransactionEventResponse{}
			}
			s.refuse[v201.ActionTransactionEvent] = n
			s.plug(1)
			s.card(1, "TAG")
			sent := 0
			s.wait(10 * time.Minute)
			for _, m := range s.got {
				if e, ok := m.(*v201.TransactionEventRequest); ok && e.EventType == started {
					sent++
				}
			}
			s.want("tries", sent == min(n+1, 3) && (tries > 0) == delivered, sent, tries)
			s.want("nothing left", s.st.Unacknowledged() == 0)
		}
	}
	runCases(t, []testCase{
		{"TC_E_20_CS", leaves(true)},
		{"TC_E_54_CS", leaves(false)},
		{"TC_E_22_CS", func(t *testing.T) { // E06.FR.07
			s := newSUT(t, "TxCtrlr.TxStopPoint", "EnergyTransfer").boot()
			s.begin(1)
			s.flow(1, v201.ChargingStateSuspendedEV)
			e := s.event(ended, v201.TriggerReasonChargingStateChanged)
			s.want("reason and state", e.TransactionInfo.StoppedReason == v201.ReasonStoppedByEV && e.TransactionInfo.ChargingState == v201.ChargingStateSuspendedEV, e)
			s.want("no permission", !s.permits[1])
		}},
		{"TC_E_27_CS", func(t *testing.T) { // E10.FR.02
			s := newSUT(t, "TxCtrlr.TxStopPoint", "Authorized", "TxCtrlr.StopTxOnEVSideDisconnect", "false", "TxCtrlr.EVConnectionTimeOut", "30").boot()
			s.begin(1)
			s.unplug(1)
			s.event(updated, v201.TriggerReasonEVCommunicationLost)
			s.wait(29 * time.Second)
			s.want("waits", s.st.Transaction(1) != "")
			s.wait(2 * time.Second)
			e := s.event(ended, v201.TriggerReasonEVConnectTimeout)
			s.want("reason", e.TransactionInfo.StoppedReason == v201.ReasonTimeout, e)
		}},
		{"TC_E_38_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.plug(1)
			s.card(1, "TAG")
			s.event(started, "")
			s.flow(1, v201.ChargingStateSuspendedEV)
			e := s.event(updated, v201.TriggerReasonChargingStateChanged)
			s.want("state", e.TransactionInfo.ChargingState == v201.ChargingStateSuspendedEV, e)
		}},
		{"TC_E_50_CS", refusals(3, false)},
		{"TC_E_51_CS", refusals(2, true)},
		{"TC_B_24_CS", func(t *testing.T) { // B11.FR.05
			s := newSUT(t).boot()
			s.want("reserved", s.reserve(7, new(1)) == v201.ReserveNowStatusAccepted)
			s.want("accepted", ask[*v201.ResetResponse](s, &v201.ResetRequest{Type: v201.ResetImmediate}).Status == v201.ResetStatusAccepted)
			s.read = len(s.got)
			s.reboot()
			s.status(v201.ConnectorStatusReserved)
			s.card(1, "OTHER")
			s.want("not for others", !s.permits[1])
			s.card(1, "TAG")
			s.want("for its own", s.permits[1])
		}},
		{"TC_H_13_CS", func(t *testing.T) { // H01.FR.19
			s := newSUT(t, "ReservationCtrlr.NonEvseSpecific", "false").boot()
			s.want("rejected", s.reserve(7, nil) == v201.ReserveNowStatusRejected)
			s.want("a certain one", s.reserve(7, new(1)) == v201.ReserveNowStatusAccepted)
		}},
		{"TC_H_14_CS", func(t *testing.T) { // H01.FR.20
			s := newSUT(t).boot()
			for id := 1; id <= 2; id++ {
				s.want("accepted", s.reserve(id, nil) == v201.ReserveNowStatusAccepted)
			}
			for range 2 {
				s.status(v201.ConnectorStatusReserved)
			}
			s.want("no more", s.reserve(3, nil) == v201.ReserveNowStatusOccupied)
		}},
		{"TC_H_21_CS", func(t *testing.T) { // H01.FR.17
			s := newSUT(t).boot()
			s.reserve(7, new(1))
			ask[*v201.ChangeAvailabilityResponse](s, &v201.ChangeAvailabilityRequest{Evse: &v201.EVSE{Id: 1}, OperationalStatus: v201.OperationalStatusInoperative})
			n := next[*v201.ReservationStatusUpdateRequest](s)
			s.want("removed", n.ReservationId == 7 && n.ReservationUpdateStatus == v201.ReservationUpdateStatusRemoved, n)
			s.want("unknown from then on", ask[*v201.CancelReservationResponse](s, &v201.CancelReservationRequest{ReservationId: 7}).Status == v201.CancelReservationStatusRejected)
		}},
		{"TC_H_24_CS", func(t *testing.T) { // H03.FR.06
			s := newSUT(t).boot()
			s.reserve(7, nil, func(q *v201.ReserveNowRequest) {
				q.GroupIdToken = &v201.IdToken{IdToken: "GROUP", Type: v201.IdTokenCentral}
			})
			authorizes(s, v201.AuthorizationStatusAccepted, "GROUP")
			s.plug(1)
			s.card(1, "FRIEND")
			e := s.event(started, "")
			s.want("reservation", e.ReservationId != nil && *e.ReservationId == 7, e)
		}},
		{"TC_J_06_CS", func(t *testing.T) {
			s := newSUT(t, "AlignedDataCtrlr.Interval", "900", "AlignedDataCtrlr.SendDuringIdle", "true", "SampledDataCtrlr.TxUpdatedInterval", "0").boot()
			s.meter(2, 5)
			s.begin(1)
			s.wait(15 * time.Minute)
			for _, m := range s.got {
				e, ok := m.(*v201.TransactionEventRequest)
				s.want("not in the transaction", !ok || e.TriggerReason != v201.TriggerReasonMeterValueClock)
				v, ok := m.(*v201.MeterValuesRequest)
				s.want("not of its EVSE", !ok || v.EvseId != 1)
			}
			s.unplug(1)
			s.wait(15 * time.Minute)
			next[*v201.MeterValuesRequest](s)
		}},
		{"TC_K_38_CS", func(t *testing.T) { // F01.FR.12
			s := newSUT(t, "SmartChargingCtrlr.Enabled", "false").boot()
			s.plug(1)
			r := ask[*v201.RequestStartTransactionResponse](s, &v201.RequestStartTransactionRequest{EvseId: new(1), RemoteStartId: 1, IdToken: token("TAG"),
				ChargingProfile: &v201.ChargingProfile{Id: 1, StackLevel: 1, ChargingProfilePurpose: v201.ChargingProfilePurposeTxProfile, ChargingProfileKind: v201.ChargingProfileKindRelative,
					ChargingSchedule: []v201.ChargingSchedule{{Id: 1, ChargingRateUnit: v201.ChargingRateUnitA, ChargingSchedulePeriod: []v201.ChargingSchedulePeriod{{Limit: 6}}}}}})
			s.want("accepted", r.Status == v201.RequestStartStopStatusAccepted, r)
			s.event(started, "")
			s.want("not limited", s.limits[1].Amps == 32, s.limits)
		}},
	})
}
