package ocpp

import (
	"testing"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/station"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

func entry(id string) v201.AuthorizationData {
	return v201.AuthorizationData{IdToken: token(id), IdTokenInfo: &v201.IdTokenInfo{Status: v201.AuthorizationStatusAccepted}}
}

// list sends a local list and checks the answer and the version after it.
func (s *sut) list(version int, kind v201.UpdateEnum, want v201.SendLocalListStatusEnum, after int, entries ...v201.AuthorizationData) {
	s.Helper()
	r := ask[*v201.SendLocalListResponse](s, &v201.SendLocalListRequest{VersionNumber: version, UpdateType: kind, LocalAuthorizationList: entries})
	s.want("status", r.Status == want, r.Status)
	v := ask[*v201.GetLocalListVersionResponse](s, &v201.GetLocalListVersionRequest{})
	s.want("version", v.VersionNumber == after, v.VersionNumber)
}

func TestCasesD(t *testing.T) {
	ok, full, diff := v201.SendLocalListStatusAccepted, v201.UpdateFull, v201.UpdateDifferential
	runCases(t, []testCase{
		{"TC_D_01_CS", func(t *testing.T) { newSUT(t).boot().list(1, full, ok, 1, entry("A"), entry("B")) }},
		{"TC_D_02_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.list(1, full, ok, 1, entry("A"))
			s.list(2, diff, ok, 2, entry("B"))
			s.want("two entries", s.get("LocalAuthListCtrlr", "Entries").AttributeValue == "2")
		}},
		{"TC_D_03_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.list(1, full, ok, 1, entry("A"), entry("B"))
			s.list(2, diff, ok, 2, v201.AuthorizationData{IdToken: token("A")})
			s.want("one entry", s.get("LocalAuthListCtrlr", "Entries").AttributeValue == "1")
		}},
		{"TC_D_04_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.list(1, full, ok, 1, entry("A"))
			s.list(2, full, ok, 2)
			s.want("none", s.get("LocalAuthListCtrlr", "Entries").AttributeValue == "0")
		}},
		{"TC_D_05_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.list(1, full, ok, 1, entry("A"))
			s.list(2, diff, ok, 2)
			s.want("kept", s.get("LocalAuthListCtrlr", "Entries").AttributeValue == "1")
		}},
		{"TC_D_06_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.list(5, full, ok, 5, entry("A"))
			s.list(4, diff, v201.SendLocalListStatusVersionMismatch, 5, entry("B"))
		}},
		{"TC_D_07_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.list(3, full, ok, 3, entry("A"))
			s.reboot()
			v := ask[*v201.GetLocalListVersionResponse](s, &v201.GetLocalListVersionRequest{})
			s.want("version", v.VersionNumber == 3, v)
		}},
		{"TC_D_08_CS", func(t *testing.T) { newSUT(t).boot().list(9, full, ok, 9, entry("A")) }},
		{"TC_D_10_CS", func(t *testing.T) {
			s := newSUT(t, "LocalAuthListCtrlr.Enabled", "false").boot()
			v := ask[*v201.GetLocalListVersionResponse](s, &v201.GetLocalListVersionRequest{})
			s.want("zero", v.VersionNumber == 0, v)
		}},
	})
}

func TestCasesE(t *testing.T) {
	started, updated, ended := v201.TransactionEventStarted, v201.TransactionEventUpdated, v201.TransactionEventEnded
	stop := func(points string, how func(*sut), why v201.TriggerReasonEnum, reason v201.ReasonEnum) func(*testing.T) {
		return func(t *testing.T) {
			s := newSUT(t, "TxCtrlr.TxStopPoint", points).boot()
			s.begin(1)
			how(s)
			e := s.event(ended, why)
			s.want("reason", e.TransactionInfo.StoppedReason == reason, e.TransactionInfo.StoppedReason)
		}
	}
	byCard := func(s *sut) { s.card(1, "TAG") }
	unplug := func(s *sut) { s.unplug(1) }
	remote := func(s *sut) {
		r := ask[*v201.RequestStopTransactionResponse](s, &v201.RequestStopTransactionRequest{TransactionId: s.st.Transaction(1)})
		s.want("accepted", r.Status == v201.RequestStartStopStatusAccepted)
	}
	txStatus := func(id string, ongoing *bool, queued, end, hold bool) func(*testing.T) {
		return func(t *testing.T) {
			s := newSUT(t).boot()
			tx := s.begin(1)
			if hold {
				s.mute = true
				s.flow(1, v201.ChargingStateSuspendedEV)
			}
			if end {
				s.unplug(1)
			}
			q := &v201.GetTransactionStatusRequest{TransactionId: tx}
			if id == "-" {
				q.TransactionId = ""
			} else if id != "" {
				q.TransactionId = id
			}
			r := ask[*v201.GetTransactionStatusResponse](s, q)
			s.want("answer", r.MessagesInQueue == queued && (r.OngoingIndicator == nil) == (ongoing == nil) && (ongoing == nil || *ongoing == *r.OngoingIndicator), r)
		}
	}
	yes, no := new(true), new(false)
	retry := func(failures int, dropped bool) func(*testing.T) {
		return func(t *testing.T) {
			s := newSUT(t, "OCPPCommCtrlr.MessageAttempts", "3", "OCPPCommCtrlr.MessageAttemptInterval", "10").boot()
			s.refuse["TransactionEvent"] = failures
			s.plug(1)
			s.card(1, "TAG")
			for i := range min(failures, 3) {
				s.event(started, "")
				none[*v201.TransactionEventRequest](s)
				s.wait(time.Duration(10*(i+1)) * time.Second) // E13.FR.03
			}
			s.charge(1)
			if !dropped {
				s.event(started, "")
			} else {
				none2 := next[*v201.TransactionEventRequest](s)
				s.want("the next one", none2.EventType == updated, none2)
			}
			s.want("all through", s.st.Unacknowledged() == 0)
		}
	}
	runCases(t, []testCase{
		{"TC_E_01_CS", func(t *testing.T) { // E01.FR.05
			s := newSUT(t, "TxCtrlr.TxStartPoint", "PowerPathClosed").boot()
			s.plug(1)
			none[*v201.TransactionEventRequest](s)
			s.card(1, "TAG")
			e := s.event(started, v201.TriggerReasonAuthorized)
			s.want("whole", e.SeqNo == 0 && e.IdToken != nil && e.Evse != nil && e.Evse.ConnectorId != nil, e)
		}},
		{"TC_E_02_CS", func(t *testing.T) { // E01.FR.06
			s := newSUT(t, "TxCtrlr.TxStartPoint", "EnergyTransfer").boot()
			s.plug(1)
			s.card(1, "TAG")
			none[*v201.TransactionEventRequest](s)
			s.charge(1)
			e := s.event(started, v201.TriggerReasonChargingStateChanged)
			s.want("state", e.TransactionInfo.ChargingState == v201.ChargingStateCharging && e.IdToken != nil, e)
		}},
		{"TC_E_09_CS", func(t *testing.T) { // E01.FR.02
			s := newSUT(t, "TxCtrlr.TxStartPoint", "EVConnected").boot()
			s.plug(1)
			s.event(started, v201.TriggerReasonCablePluggedIn)
			s.card(1, "TAG")
			s.want("token follows", s.event(updated, v201.TriggerReasonAuthorized).IdToken != nil)
		}},
		{"TC_E_10_CS", func(t *testing.T) { // E01.FR.03
			s := newSUT(t, "TxCtrlr.TxStartPoint", "Authorized").boot()
			s.card(1, "TAG")
			s.event(started, v201.TriggerReasonAuthorized)
			s.plug(1)
			e := s.event(updated, v201.TriggerReasonCablePluggedIn)
			s.want("connector", e.Evse != nil && e.Evse.ConnectorId != nil, e)
		}},
		{"TC_E_13_CS", func(t *testing.T) {
			s := newSUT(t, "TxCtrlr.TxStartPoint", "Authorized").boot()
			ask[*v201.RequestStartTransactionResponse](s, &v201.RequestStartTransactionRequest{EvseId: new(1), RemoteStartId: 5, IdToken: token("R")})
			e := s.event(started, v201.TriggerReasonRemoteStart)
			s.want("id", e.TransactionInfo.RemoteStartId != nil && *e.TransactionInfo.RemoteStartId == 5, e)
		}},
		{"TC_E_03_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.plug(1)
			s.status(v201.ConnectorStatusOccupied)
			s.card(1, "TAG")
			s.event(started, "")
			s.charge(1)
			e := s.event(updated, v201.TriggerReasonChargingStateChanged)
			s.want("charging, phases", e.TransactionInfo.ChargingState == v201.ChargingStateCharging && e.NumberOfPhasesUsed != nil, e)
		}},
		{"TC_E_04_CS", func(t *testing.T) {
			s := newSUT(t, "TxCtrlr.TxStartPoint", "Authorized").boot()
			s.card(1, "TAG")
			s.event(started, "")
			s.plug(1)
			s.charge(1)
			s.event(updated, v201.TriggerReasonChargingStateChanged)
		}},
		{"TC_E_05_CS", func(t *testing.T) { // E03.FR.05
			s := newSUT(t, "TxCtrlr.TxStartPoint", "Authorized", "TxCtrlr.EVConnectionTimeOut", "30").boot()
			s.card(1, "TAG")
			s.wait(31 * time.Second)
			e := s.event(ended, v201.TriggerReasonEVConnectTimeout)
			s.want("reason", e.TransactionInfo.StoppedReason == v201.ReasonTimeout, e)
			s.want("no permission", !s.permits[1])
		}},
		{"TC_E_06_CS", stop("Authorized", byCard, v201.TriggerReasonStopAuthorized, v201.ReasonLocal)},
		{"TC_E_07_CS", stop("PowerPathClosed", byCard, v201.TriggerReasonStopAuthorized, v201.ReasonLocal)},
		{"TC_E_35_CS", stop("PowerPathClosed", remote, v201.TriggerReasonRemoteStop, v201.ReasonRemote)},
		{"TC_E_37_CS", stop("PowerPathClosed", unplug, v201.TriggerReasonEVCommunicationLost, v201.ReasonEVDisconnected)},
		{"TC_E_08_CS", stop("EnergyTransfer", byCard, v201.TriggerReasonStopAuthorized, v201.ReasonLocal)},
		{"TC_E_14_CS", stop("EVConnected", unplug, v201.TriggerReasonEVCommunicationLost, v201.ReasonEVDisconnected)},
		{"TC_E_15_CS", stop("Authorized", byCard, v201.TriggerReasonStopAuthorized, v201.ReasonLocal)},
		{"TC_E_21_CS", stop("Authorized", remote, v201.TriggerReasonRemoteStop, v201.ReasonRemote)},
		{"TC_E_16_CS", func(t *testing.T) { // E06.FR.04, C15.FR.04
			s := newSUT(t, "TxCtrlr.TxStopPoint", "Authorized").boot()
			authorizes(s, v201.AuthorizationStatusInvalid, "")
			delete(s.reply, "Authorize") // accepted at first
			s.plug(1)
			s.card(1, "TAG")
			e := s.event(ended, v201.TriggerReasonDeauthorized)
			s.want("reason", e.TransactionInfo.StoppedReason == v201.ReasonDeAuthorized, e)
		}},
		{"TC_E_17_CS", func(t *testing.T) { // E09.FR.01
			s := newSUT(t, "TxCtrlr.TxStopPoint", "Authorized", "TxCtrlr.StopTxOnEVSideDisconnect", "true").boot()
			s.begin(1)
			s.unplug(1)
			s.event(ended, v201.TriggerReasonEVCommunicationLost)
		}},
		{"TC_E_39_CS", func(t *testing.T) {
			s := newSUT(t, "TxCtrlr.TxStartPoint", "Authorized", "TxCtrlr.TxStopPoint", "Authorized", "TxCtrlr.EVConnectionTimeOut", "5").boot()
			s.card(1, "TAG")
			s.event(started, "")
			s.wait(6 * time.Second)
			s.event(ended, v201.TriggerReasonEVConnectTimeout)
		}},
		{"TC_E_26_CS", func(t *testing.T) { // E10
			s := newSUT(t, "TxCtrlr.TxStopPoint", "Authorized", "TxCtrlr.StopTxOnEVSideDisconnect", "false").boot()
			s.begin(1)
			s.unplug(1)
			s.event(updated, v201.TriggerReasonEVCommunicationLost)
			s.plug(1)
			s.event(updated, v201.TriggerReasonCablePluggedIn)
			s.want("goes on", s.st.Transaction(1) != "")
		}},
		{"TC_E_28_CS", txStatus("unknown", no, false, false, false)},
		{"TC_E_29_CS", txStatus("", yes, true, false, true)},
		{"TC_E_30_CS", txStatus("", yes, false, false, false)},
		{"TC_E_31_CS", txStatus("", no, true, true, true)},
		{"TC_E_32_CS", txStatus("", no, false, true, false)},
		{"TC_E_33_CS", txStatus("-", nil, true, false, true)},
		{"TC_E_34_CS", txStatus("-", nil, false, false, false)},
		{"TC_E_40_CS", func(t *testing.T) { // E11
			s := newSUT(t).boot()
			s.begin(1)
			s.disconnect()
			s.flow(1, v201.ChargingStateSuspendedEV)
			s.read = len(s.got)
			s.connect()
			e := s.event(updated, v201.TriggerReasonChargingStateChanged)
			s.want("offline", e.Offline != nil && *e.Offline, e)
		}},
		{"TC_E_41_CS", retry(3, true)},
		{"TC_E_42_CS", retry(1, false)},
		{"TC_E_43_CS", func(t *testing.T) { // E12
			s := newSUT(t, "AuthCtrlr.OfflineTxForUnknownIdEnabled", "true").boot()
			s.disconnect()
			s.begin2()
			s.unplug(1)
			s.connect()
			for i, kind := range []v201.TransactionEventEnum{started, updated, ended} {
				e := next[*v201.TransactionEventRequest](s)
				s.want("in order, offline", e.EventType == kind && e.SeqNo == i && e.Offline != nil, e)
			}
		}},
		{"TC_E_44_CS", func(t *testing.T) { // E08
			s := newSUT(t).boot()
			s.begin(1)
			s.disconnect()
			s.card(1, "TAG")
			s.want("stopped", !s.permits[1])
			s.connect()
			e := s.event(ended, v201.TriggerReasonStopAuthorized)
			s.want("offline", e.Offline != nil, e)
		}},
		{"TC_E_45_CS", func(t *testing.T) { // E08.FR.02
			s := newSUT(t).boot()
			authorizes(s, v201.AuthorizationStatusAccepted, "GROUP")
			s.plug(2)
			s.card(2, "FRIEND")
			s.unplug(2)
			s.begin(1)
			s.disconnect()
			s.card(1, "FRIEND")
			s.connect()
			s.event(ended, v201.TriggerReasonStopAuthorized)
		}},
		{"TC_E_46_CS", func(t *testing.T) { // E15.FR.04
			s := newSUT(t).boot()
			s.begin(1)
			s.do(station.StoppedByEV{EVSE: 1})
			e := s.event(ended, v201.TriggerReasonStopAuthorized)
			s.want("reason", e.TransactionInfo.StoppedReason == v201.ReasonStoppedByEV, e)
		}},
	})
}

// begin2 starts a transaction that the CSMS does not hear of yet.
func (s *sut) begin2() {
	s.Helper()
	s.plug(1)
	s.card(1, "TAG")
	s.charge(1)
}

func TestCasesF(t *testing.T) {
	start := &v201.RequestStartTransactionRequest{EvseId: new(1), RemoteStartId: 5, IdToken: token("R")}
	accepted := v201.RequestStartStopStatusAccepted
	trigger := func(s *sut, m v201.MessageTriggerEnum, evse *v201.EVSE) v201.TriggerMessageStatusEnum {
		s.Helper()
		return ask[*v201.TriggerMessageResponse](s, &v201.TriggerMessageRequest{RequestedMessage: m, Evse: evse}).Status
	}
	good := v201.TriggerMessageStatusAccepted
	unlock := func(s *sut, evse int) v201.UnlockStatusEnum {
		s.Helper()
		return ask[*v201.UnlockConnectorResponse](s, &v201.UnlockConnectorRequest{EvseId: evse, ConnectorId: 1}).Status
	}
	runCases(t, []testCase{
		{"TC_F_01_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.plug(1)
			s.want("accepted", ask[*v201.RequestStartTransactionResponse](s, start).Status == accepted)
			e := s.event(v201.TransactionEventStarted, v201.TriggerReasonRemoteStart)
			s.want("token and id", e.IdToken != nil && *e.TransactionInfo.RemoteStartId == 5, e)
		}},
		{"TC_F_02_CS", func(t *testing.T) {
			s := newSUT(t, "AuthCtrlr.AuthorizeRemoteStart", "true").boot()
			s.want("accepted", ask[*v201.RequestStartTransactionResponse](s, start).Status == accepted)
			s.want("asks", next[*v201.AuthorizeRequest](s).IdToken.IdToken == "R")
			s.plug(1)
			s.event(v201.TransactionEventStarted, "")
		}},
		{"TC_F_03_CS", func(t *testing.T) {
			s := newSUT(t, "AuthCtrlr.AuthorizeRemoteStart", "false").boot()
			s.want("accepted", ask[*v201.RequestStartTransactionResponse](s, start).Status == accepted)
			none[*v201.AuthorizeRequest](s)
			s.plug(1)
			s.event(v201.TransactionEventStarted, "")
		}},
		{"TC_F_04_CS", func(t *testing.T) {
			s := newSUT(t, "TxCtrlr.TxStartPoint", "Authorized", "TxCtrlr.EVConnectionTimeOut", "9").boot()
			ask[*v201.RequestStartTransactionResponse](s, start)
			s.wait(10 * time.Second)
			s.event(v201.TransactionEventEnded, v201.TriggerReasonEVConnectTimeout)
		}},
		{"TC_F_05_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.begin(1)
			s.want("refused", unlock(s, 1) == v201.UnlockStatusOngoingAuthorizedTransaction)
		}},
		{"TC_F_06_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.plug(1)
			s.want("unlocked", unlock(s, 1) == v201.UnlockStatusUnlocked)
		}},
		{"TC_F_07_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.want("unlocked", unlock(s, 1) == v201.UnlockStatusUnlocked)
		}},
		{"TC_F_10_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.want("unknown", unlock(s, 9) == v201.UnlockStatusUnknownConnector)
		}},
		{"TC_F_08_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			tx := s.begin(1)
			s.want("accepted", ask[*v201.RequestStopTransactionResponse](s, &v201.RequestStopTransactionRequest{TransactionId: tx}).Status == accepted)
			e := s.event(v201.TransactionEventEnded, v201.TriggerReasonRemoteStop)
			s.want("reason", e.TransactionInfo.StoppedReason == v201.ReasonRemote, e)
		}},
		{"TC_F_09_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.begin(1)
			s.want("rejected", ask[*v201.RequestStopTransactionResponse](s, &v201.RequestStopTransactionRequest{TransactionId: "none"}).Status == v201.RequestStartStopStatusRejected)
		}},
		{"TC_F_11_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.meter(1, 5)
			s.meter(2, 6)
			s.want("accepted", trigger(s, v201.MessageTriggerMeterValues, &v201.EVSE{Id: 1}) == good)
			m := next[*v201.MeterValuesRequest](s)
			s.want("context", m.EvseId == 1 && m.MeterValue[0].SampledValue[0].Context == v201.ReadingContextTrigger, m)
			none[*v201.MeterValuesRequest](s)
		}},
		{"TC_F_12_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.meter(1, 5)
			s.meter(2, 6)
			s.want("accepted", trigger(s, v201.MessageTriggerMeterValues, nil) == good)
			next[*v201.MeterValuesRequest](s)
			next[*v201.MeterValuesRequest](s)
		}},
		{"TC_F_13_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.begin(1)
			s.want("accepted", trigger(s, v201.MessageTriggerTransactionEvent, &v201.EVSE{Id: 1}) == good)
			e := s.event(v201.TransactionEventUpdated, v201.TriggerReasonTrigger)
			s.want("state and values", e.TransactionInfo.ChargingState != "" && e.MeterValue != nil, e)
		}},
		{"TC_F_14_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.begin(1)
			s.begin(2)
			s.want("accepted", trigger(s, v201.MessageTriggerTransactionEvent, nil) == good)
			s.event(v201.TransactionEventUpdated, v201.TriggerReasonTrigger)
			s.event(v201.TransactionEventUpdated, v201.TriggerReasonTrigger)
		}},
		{"TC_F_15_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.want("accepted", trigger(s, v201.MessageTriggerLogStatusNotification, nil) == good)
			s.want("idle", next[*v201.LogStatusNotificationRequest](s).Status == v201.UploadLogStatusIdle)
		}},
		{"TC_F_18_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.want("accepted", trigger(s, v201.MessageTriggerFirmwareStatusNotification, nil) == good)
			s.want("idle", next[*v201.FirmwareStatusNotificationRequest](s).Status == v201.FirmwareStatusIdle)
		}},
		{"TC_F_17_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.want("accepted", trigger(s, v201.MessageTriggerFirmwareStatusNotification, &v201.EVSE{Id: 1}) == good)
			next[*v201.FirmwareStatusNotificationRequest](s)
		}},
		{"TC_F_20_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.want("accepted", trigger(s, v201.MessageTriggerHeartbeat, nil) == good)
			next[*v201.HeartbeatRequest](s)
		}},
		{"TC_F_23_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.want("accepted", trigger(s, v201.MessageTriggerStatusNotification, &v201.EVSE{Id: 1, ConnectorId: new(1)}) == good)
			s.status(v201.ConnectorStatusAvailable)
		}},
		{"TC_F_24_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.plug(1)
			s.status(v201.ConnectorStatusOccupied)
			s.want("accepted", trigger(s, v201.MessageTriggerStatusNotification, &v201.EVSE{Id: 1, ConnectorId: new(1)}) == good)
			s.status(v201.ConnectorStatusOccupied)
		}},
		{"TC_F_26_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.want("rejected", trigger(s, v201.MessageTriggerBootNotification, nil) == v201.TriggerMessageStatusRejected)
		}},
		{"TC_F_27_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.want("not implemented", trigger(s, v201.MessageTriggerPublishFirmwareStatusNotification, nil) == v201.TriggerMessageStatusNotImplemented)
		}},
	})
}
