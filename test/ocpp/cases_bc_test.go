package ocpp

import (
	"testing"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/station"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

func bootAnswers(s *sut, status ...v201.RegistrationStatusEnum) {
	n := 0
	s.reply["BootNotification"] = func(rpc.Message) rpc.Message {
		st := status[min(n, len(status)-1)]
		n++
		return &v201.BootNotificationResponse{CurrentTime: s.now, Interval: 10, Status: st}
	}
}

// authorizes has the CSMS answer Authorize and TransactionEvent with a status and, if given, a group.
func authorizes(s *sut, status v201.AuthorizationStatusEnum, group string) {
	i := v201.IdTokenInfo{Status: status}
	if group != "" {
		i.GroupIdToken = &v201.IdToken{IdToken: group, Type: v201.IdTokenCentral}
	}
	s.reply["Authorize"] = func(rpc.Message) rpc.Message { return &v201.AuthorizeResponse{IdTokenInfo: i} }
	s.reply["TransactionEvent"] = func(q rpc.Message) rpc.Message {
		r := &v201.TransactionEventResponse{}
		if q.(*v201.TransactionEventRequest).IdToken != nil {
			r.IdTokenInfo = &i
		}
		return r
	}
}

func refusedBy(status v201.AuthorizationStatusEnum) func(*testing.T) {
	return func(t *testing.T) {
		s := newSUT(t).boot()
		authorizes(s, status, "")
		s.plug(1)
		s.card(1, "X")
		s.want("the token is sent", next[*v201.AuthorizeRequest](s).IdToken.IdToken == "X")
		s.want("no permission", !s.permits[1])
		none[*v201.TransactionEventRequest](s)
	}
}

func report(base v201.ReportBaseEnum) func(*testing.T) {
	return func(t *testing.T) {
		s := newSUT(t).boot()
		r := ask[*v201.GetBaseReportResponse](s, &v201.GetBaseReportRequest{RequestId: 7, ReportBase: base})
		s.want("accepted", r.Status == v201.GenericDeviceModelStatusAccepted, r)
		for seq := 0; ; seq++ {
			n := next[*v201.NotifyReportRequest](s)
			s.want("request and sequence", n.RequestId == 7 && n.SeqNo == seq && len(n.ReportData) > 0, n.RequestId, n.SeqNo)
			if !*n.Tbc {
				break
			}
		}
	}
}

func TestCasesB(t *testing.T) {
	accepted, rejected := v201.SetVariableStatusAccepted, v201.SetVariableStatusRejected
	runCases(t, []testCase{
		{"TC_B_01_CS", func(t *testing.T) { // B01.FR.01, FR.05, FR.09
			s := newSUT(t)
			s.connect()
			b := next[*v201.BootNotificationRequest](s)
			s.want("reason and maker", b.Reason == v201.BootReasonPowerUp && b.ChargingStation.VendorName != "", b)
			s.status(v201.ConnectorStatusAvailable)
			s.status(v201.ConnectorStatusAvailable)
			s.wait(301 * time.Second)
			next[*v201.HeartbeatRequest](s)
		}},
		{"TC_B_02_CS", func(t *testing.T) { // B02
			s := newSUT(t)
			bootAnswers(s, v201.RegistrationStatusPending, v201.RegistrationStatusAccepted)
			s.connect()
			next[*v201.BootNotificationRequest](s)
			none[*v201.StatusNotificationRequest](s)
			s.want("variables while pending", s.set("OCPPCommCtrlr", "HeartbeatInterval", "60") == accepted)
			r := ask[*v201.RequestStartTransactionResponse](s, &v201.RequestStartTransactionRequest{RemoteStartId: 1, IdToken: token("A")})
			s.want("no start while pending", r.Status == v201.RequestStartStopStatusRejected)
			s.wait(11 * time.Second)
			next[*v201.BootNotificationRequest](s)
			next[*v201.StatusNotificationRequest](s)
		}},
		{"TC_B_03_CS", func(t *testing.T) { // B03.FR.02, FR.04, FR.06
			s := newSUT(t)
			bootAnswers(s, v201.RegistrationStatusRejected, v201.RegistrationStatusAccepted)
			s.connect()
			next[*v201.BootNotificationRequest](s)
			s.wait(9 * time.Second)
			s.want("silence", len(s.got) == 1, len(s.got))
			s.wait(2 * time.Second)
			next[*v201.BootNotificationRequest](s)
			next[*v201.StatusNotificationRequest](s)
		}},
		{"TC_B_30_CS", func(t *testing.T) { // B03.FR.08
			s := newSUT(t)
			bootAnswers(s, v201.RegistrationStatusRejected)
			s.connect()
			s.want("security error", s.fault(&v201.ClearCacheRequest{}) == "SecurityError", s.faults)
		}},
		{"TC_B_06_CS", func(t *testing.T) {
			r := newSUT(t).boot().get("OCPPCommCtrlr", "OfflineThreshold")
			if r.AttributeStatus != v201.GetVariableStatusAccepted || r.AttributeValue == "" || r.AttributeType != v201.AttributeActual {
				t.Fatalf("%+v", r)
			}
		}},
		{"TC_B_07_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			c1, v1 := variable("OCPPCommCtrlr", "OfflineThreshold")
			c2, v2 := variable("AuthCtrlr", "AuthorizeRemoteStart")
			r := ask[*v201.GetVariablesResponse](s, &v201.GetVariablesRequest{GetVariableData: []v201.GetVariableData{{Component: c1, Variable: v1}, {Component: c2, Variable: v2}}})
			s.want("two in order", len(r.GetVariableResult) == 2 && r.GetVariableResult[1].Variable.Name == "AuthorizeRemoteStart", r)
		}},
		{"TC_B_32_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.want("unknown component", s.get("Unknown", "X").AttributeStatus == v201.GetVariableStatusUnknownComponent)
		}},
		{"TC_B_33_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.want("unknown variable", s.get("OCPPCommCtrlr", "X").AttributeStatus == v201.GetVariableStatusUnknownVariable)
		}},
		{"TC_B_34_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			c, v := variable("OCPPCommCtrlr", "OfflineThreshold")
			r := ask[*v201.GetVariablesResponse](s, &v201.GetVariablesRequest{GetVariableData: []v201.GetVariableData{{Component: c, Variable: v, AttributeType: v201.AttributeTarget}}})
			s.want("attribute type", r.GetVariableResult[0].AttributeStatus == v201.GetVariableStatusNotSupportedAttributeType, r)
		}},
		{"TC_B_09_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.want("accepted", s.set("OCPPCommCtrlr", "OfflineThreshold", "123") == accepted)
			s.want("in force", s.get("OCPPCommCtrlr", "OfflineThreshold").AttributeValue == "123")
		}},
		{"TC_B_10_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			c1, v1 := variable("OCPPCommCtrlr", "OfflineThreshold")
			c2, v2 := variable("AuthCtrlr", "AuthorizeRemoteStart")
			r := ask[*v201.SetVariablesResponse](s, &v201.SetVariablesRequest{SetVariableData: []v201.SetVariableData{{Component: c1, Variable: v1, AttributeValue: "9"}, {Component: c2, Variable: v2, AttributeValue: "true"}}})
			s.want("both", len(r.SetVariableResult) == 2 && r.SetVariableResult[0].AttributeStatus == accepted && r.SetVariableResult[1].AttributeStatus == accepted, r)
		}},
		{"TC_B_35_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.want("unknown component", s.set("Unknown", "X", "1") == v201.SetVariableStatusUnknownComponent)
		}},
		{"TC_B_36_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.want("unknown variable", s.set("OCPPCommCtrlr", "X", "1") == v201.SetVariableStatusUnknownVariable)
		}},
		{"TC_B_37_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			c, v := variable("OCPPCommCtrlr", "OfflineThreshold")
			r := ask[*v201.SetVariablesResponse](s, &v201.SetVariablesRequest{SetVariableData: []v201.SetVariableData{{Component: c, Variable: v, AttributeType: v201.AttributeTarget, AttributeValue: "1"}}})
			s.want("attribute type", r.SetVariableResult[0].AttributeStatus == v201.SetVariableStatusNotSupportedAttributeType, r)
		}},
		{"TC_B_11_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.want("negative", s.set("OCPPCommCtrlr", "OfflineThreshold", "-1") == rejected)
			s.want("no number", s.set("OCPPCommCtrlr", "OfflineThreshold", "abc") == rejected)
			s.want("no boolean", s.set("AuthCtrlr", "AuthorizeRemoteStart", "maybe") == rejected)
		}},
		{"TC_B_39_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.want("read only", s.set("SmartChargingCtrlr", "RateUnit", "A") == rejected)
		}},
		{"TC_B_12_CS", report(v201.ReportBaseConfigurationInventory)},
		{"TC_B_13_CS", report(v201.ReportBaseFullInventory)},
		{"TC_B_14_CS", report(v201.ReportBaseSummaryInventory)},
		{"TC_B_16_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			r := ask[*v201.GetReportResponse](s, &v201.GetReportRequest{RequestId: 1, ComponentCriteria: []v201.ComponentCriterionEnum{v201.ComponentCriterionAvailable}})
			s.want("accepted", r.Status == v201.GenericDeviceModelStatusAccepted)
			next[*v201.NotifyReportRequest](s)
		}},
		{"TC_B_17_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			c, v := variable("OCPPCommCtrlr", "OfflineThreshold")
			ask[*v201.GetReportResponse](s, &v201.GetReportRequest{RequestId: 1, ComponentVariable: []v201.ComponentVariable{{Component: c, Variable: &v}}})
			n := next[*v201.NotifyReportRequest](s)
			s.want("that one only", len(n.ReportData) == 1 && n.ReportData[0].Variable.Name == "OfflineThreshold", n)
		}},
		{"TC_B_18_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			c, v := variable("AuthCtrlr", "Enabled")
			r := ask[*v201.GetReportResponse](s, &v201.GetReportRequest{RequestId: 1, ComponentCriteria: []v201.ComponentCriterionEnum{v201.ComponentCriterionEnabled},
				ComponentVariable: []v201.ComponentVariable{{Component: c, Variable: &v}}})
			s.want("accepted", r.Status == v201.GenericDeviceModelStatusAccepted)
			next[*v201.NotifyReportRequest](s)
		}},
		{"TC_B_54_CS", func(t *testing.T) { // without an instance: all of them
			s := newSUT(t).boot()
			c, v := variable("DeviceDataCtrlr", "ItemsPerMessage")
			ask[*v201.GetReportResponse](s, &v201.GetReportRequest{RequestId: 1, ComponentVariable: []v201.ComponentVariable{{Component: c, Variable: &v}}})
			s.want("three instances", len(next[*v201.NotifyReportRequest](s).ReportData) == 3)
		}},
		{"TC_B_55_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			c, v := variable("DeviceDataCtrlr", "ItemsPerMessage/GetReport")
			ask[*v201.GetReportResponse](s, &v201.GetReportRequest{RequestId: 1, ComponentVariable: []v201.ComponentVariable{{Component: c, Variable: &v}}})
			s.want("one instance", len(next[*v201.NotifyReportRequest](s).ReportData) == 1)
		}},
		{"TC_B_56_CS", func(t *testing.T) { // without an EVSE: all of them
			s := newSUT(t).boot()
			c, v := variable("EVSE", "AvailabilityState")
			ask[*v201.GetReportResponse](s, &v201.GetReportRequest{RequestId: 1, ComponentVariable: []v201.ComponentVariable{{Component: c, Variable: &v}}})
			s.want("two EVSEs", len(next[*v201.NotifyReportRequest](s).ReportData) == 2)
		}},
		{"TC_B_20_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.want("accepted", ask[*v201.ResetResponse](s, &v201.ResetRequest{Type: v201.ResetOnIdle}).Status == v201.ResetStatusAccepted)
			s.want("restarts", len(s.effects) > 0 && s.effects[len(s.effects)-1] == station.Effect(station.Reboot{}), s.effects)
		}},
		{"TC_B_21_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.begin(1)
			s.want("scheduled", ask[*v201.ResetResponse](s, &v201.ResetRequest{Type: v201.ResetOnIdle}).Status == v201.ResetStatusScheduled)
			s.unplug(1)
			s.want("restarts", s.effects[len(s.effects)-1] == station.Effect(station.Reboot{}), s.effects)
		}},
		{"TC_B_22_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.begin(1)
			s.want("accepted", ask[*v201.ResetResponse](s, &v201.ResetRequest{Type: v201.ResetImmediate}).Status == v201.ResetStatusAccepted)
			e := s.event(v201.TransactionEventEnded, v201.TriggerReasonResetCommand)
			s.want("reason", e.TransactionInfo.StoppedReason == v201.ReasonImmediateReset, e)
		}},
		{"TC_B_23_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			ask[*v201.ChangeAvailabilityResponse](s, &v201.ChangeAvailabilityRequest{Evse: &v201.EVSE{Id: 1}, OperationalStatus: v201.OperationalStatusInoperative})
			s.read = len(s.got)
			s.reboot()
			s.status(v201.ConnectorStatusUnavailable)
		}},
		{"TC_B_41_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.begin(1)
			s.begin(2)
			s.want("scheduled", ask[*v201.ResetResponse](s, &v201.ResetRequest{Type: v201.ResetOnIdle}).Status == v201.ResetStatusScheduled)
			s.unplug(1)
			for _, e := range s.effects {
				_, early := e.(station.Reboot)
				s.want("not with one transaction left", !early)
			}
			s.unplug(2)
			s.want("restarts", s.effects[len(s.effects)-1] == station.Effect(station.Reboot{}), s.effects)
		}},
		{"TC_B_25_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.want("accepted", ask[*v201.ResetResponse](s, &v201.ResetRequest{Type: v201.ResetOnIdle, EvseId: new(1)}).Status == v201.ResetStatusAccepted)
		}},
		{"TC_B_26_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.begin(1)
			s.want("scheduled", ask[*v201.ResetResponse](s, &v201.ResetRequest{Type: v201.ResetOnIdle, EvseId: new(1)}).Status == v201.ResetStatusScheduled)
		}},
		{"TC_B_27_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.begin(1)
			s.want("accepted", ask[*v201.ResetResponse](s, &v201.ResetRequest{Type: v201.ResetImmediate, EvseId: new(1)}).Status == v201.ResetStatusAccepted)
			s.event(v201.TransactionEventEnded, v201.TriggerReasonResetCommand)
		}},
		{"TC_B_51_CS", func(t *testing.T) { // B04.FR.01
			s := newSUT(t, "OCPPCommCtrlr.OfflineThreshold", "60").boot()
			s.disconnect()
			s.plug(1)
			s.wait(61 * time.Second)
			s.connect()
			s.status(v201.ConnectorStatusOccupied)
			s.status(v201.ConnectorStatusAvailable)
		}},
		{"TC_B_52_CS", func(t *testing.T) { // B04.FR.02
			s := newSUT(t, "OCPPCommCtrlr.OfflineThreshold", "60").boot()
			s.disconnect()
			s.plug(1)
			s.wait(10 * time.Second)
			s.connect()
			s.status(v201.ConnectorStatusOccupied)
			none[*v201.StatusNotificationRequest](s)
		}},
		{"TC_B_57_CS", func(t *testing.T) { // no new boot on a mere reconnection
			s := newSUT(t).boot()
			s.disconnect()
			s.wait(time.Minute)
			s.connect()
			none[*v201.BootNotificationRequest](s)
			s.want("alive", ask[*v201.GetLocalListVersionResponse](s, &v201.GetLocalListVersionRequest{}).VersionNumber == 0)
		}},
	})
}

func TestCasesC(t *testing.T) {
	start := func(s *sut) { s.plug(1); s.card(1, "TAG") }
	offline := func(status v201.AuthorizationStatusEnum, expired bool, allowed bool) func(*testing.T) {
		return func(t *testing.T) {
			s := newSUT(t).boot()
			i := &v201.IdTokenInfo{Status: status}
			if expired {
				i.CacheExpiryDateTime = s.now.Add(time.Second)
			}
			ask[*v201.SendLocalListResponse](s, &v201.SendLocalListRequest{VersionNumber: 1, UpdateType: v201.UpdateFull,
				LocalAuthorizationList: []v201.AuthorizationData{{IdToken: token("TAG"), IdTokenInfo: i}}})
			s.disconnect()
			s.wait(2 * time.Second)
			start(s)
			s.want("permission", s.permits[1] == allowed, s.permits)
			s.connect()
			if allowed {
				e := s.event(v201.TransactionEventStarted, "")
				s.want("offline", e.Offline != nil && *e.Offline)
			} else {
				none[*v201.TransactionEventRequest](s)
			}
		}
	}
	runCases(t, []testCase{
		{"TC_C_02_CS", refusedBy(v201.AuthorizationStatusInvalid)},
		{"TC_C_06_CS", refusedBy(v201.AuthorizationStatusBlocked)},
		{"TC_C_07_CS", refusedBy(v201.AuthorizationStatusExpired)},
		{"TC_C_56_CS", refusedBy(v201.AuthorizationStatusUnknown)},
		{"TC_C_04_CS", func(t *testing.T) { // C01.FR.03
			s := newSUT(t).boot()
			s.begin(1)
			s.card(1, "OTHER")
			for _, m := range s.got {
				e, ok := m.(*v201.TransactionEventRequest)
				s.want("goes on", !ok || e.EventType != v201.TransactionEventEnded)
			}
			s.want("still permitted", s.permits[1])
		}},
		{"TC_C_08_CS", func(t *testing.T) { // C12.FR.02, FR.04
			s := newSUT(t, "AuthCtrlr.LocalPreAuthorize", "true").boot()
			start(s)
			next[*v201.AuthorizeRequest](s)
			s.card(1, "TAG")
			s.unplug(1)
			s.read = len(s.got)
			start(s)
			none[*v201.AuthorizeRequest](s)
			s.event(v201.TransactionEventStarted, "")
		}},
		{"TC_C_09_CS", func(t *testing.T) { // C12.FR.05: an entry that is not accepted is asked for again
			s := newSUT(t, "AuthCtrlr.LocalPreAuthorize", "true").boot()
			authorizes(s, v201.AuthorizationStatusInvalid, "")
			start(s)
			next[*v201.AuthorizeRequest](s)
			s.card(1, "TAG")
			next[*v201.AuthorizeRequest](s)
			s.want("no permission", !s.permits[1])
		}},
		{"TC_C_12_CS", func(t *testing.T) {
			s := newSUT(t, "AuthCtrlr.LocalPreAuthorize", "true").boot()
			authorizes(s, v201.AuthorizationStatusInvalid, "")
			start(s)
			authorizes(s, v201.AuthorizationStatusAccepted, "")
			s.card(1, "TAG")
			s.event(v201.TransactionEventStarted, "")
		}},
		{"TC_C_27_CS", func(t *testing.T) { // C14.FR.02
			s := newSUT(t, "AuthCtrlr.LocalPreAuthorize", "true").boot()
			ask[*v201.SendLocalListResponse](s, &v201.SendLocalListRequest{VersionNumber: 1, UpdateType: v201.UpdateFull,
				LocalAuthorizationList: []v201.AuthorizationData{{IdToken: token("TAG"), IdTokenInfo: &v201.IdTokenInfo{Status: v201.AuthorizationStatusAccepted}}}})
			start(s)
			none[*v201.AuthorizeRequest](s)
			s.event(v201.TransactionEventStarted, "")
		}},
		{"TC_C_21_CS", offline(v201.AuthorizationStatusAccepted, false, true)},
		{"TC_C_22_CS", offline(v201.AuthorizationStatusInvalid, false, false)},
		{"TC_C_23_CS", offline(v201.AuthorizationStatusNotAllowedTypeEVSE, false, false)},
		{"TC_C_24_CS", offline(v201.AuthorizationStatusAccepted, true, false)},
		{"TC_C_25_CS", func(t *testing.T) { // C13.FR.01: the list goes before the cache
			s := newSUT(t).boot()
			start(s)
			s.card(1, "TAG")
			s.unplug(1)
			ask[*v201.SendLocalListResponse](s, &v201.SendLocalListRequest{VersionNumber: 1, UpdateType: v201.UpdateFull,
				LocalAuthorizationList: []v201.AuthorizationData{{IdToken: token("TAG"), IdTokenInfo: &v201.IdTokenInfo{Status: v201.AuthorizationStatusBlocked}}}})
			s.disconnect()
			start(s)
			s.want("no permission", !s.permits[1])
		}},
		{"TC_C_26_CS", func(t *testing.T) { // C15.FR.02
			s := newSUT(t, "AuthCtrlr.OfflineTxForUnknownIdEnabled", "true").boot()
			s.disconnect()
			start(s)
			s.want("permission", s.permits[1])
			s.connect()
			e := s.event(v201.TransactionEventStarted, "")
			s.want("offline, with the token", e.Offline != nil && e.IdToken != nil, e)
		}},
		{"TC_C_32_CS", func(t *testing.T) { // C10.FR.02
			s := newSUT(t, "AuthCtrlr.LocalPreAuthorize", "true").boot()
			s.begin(1)
			s.unplug(1)
			s.reboot()
			s.read = len(s.got)
			start(s)
			none[*v201.AuthorizeRequest](s)
			s.event(v201.TransactionEventStarted, "")
		}},
		{"TC_C_34_CS", func(t *testing.T) { // C10.FR.05
			s := newSUT(t, "AuthCtrlr.LocalPreAuthorize", "true", "TxCtrlr.StopTxOnInvalidId", "false").boot()
			s.reply["TransactionEvent"] = func(q rpc.Message) rpc.Message {
				return &v201.TransactionEventResponse{IdTokenInfo: &v201.IdTokenInfo{Status: v201.AuthorizationStatusBlocked}}
			}
			s.begin(1)
			s.unplug(1)
			s.read = len(s.got)
			start(s)
			next[*v201.AuthorizeRequest](s)
		}},
		{"TC_C_37_CS", func(t *testing.T) {
			s := newSUT(t, "AuthCtrlr.LocalPreAuthorize", "true").boot()
			s.begin(1)
			s.unplug(1)
			s.want("accepted", ask[*v201.ClearCacheResponse](s, &v201.ClearCacheRequest{}).Status == v201.ClearCacheStatusAccepted)
			s.read = len(s.got)
			start(s)
			next[*v201.AuthorizeRequest](s)
		}},
		{"TC_C_38_CS", func(t *testing.T) {
			s := newSUT(t, "AuthCacheCtrlr.Enabled", "false").boot()
			s.want("rejected", ask[*v201.ClearCacheResponse](s, &v201.ClearCacheRequest{}).Status == v201.ClearCacheStatusRejected)
		}},
		{"TC_C_39_CS", func(t *testing.T) { // C09.FR.03
			s := newSUT(t).boot()
			authorizes(s, v201.AuthorizationStatusAccepted, "GROUP")
			s.begin(1)
			s.card(1, "FRIEND")
			s.event(v201.TransactionEventEnded, v201.TriggerReasonStopAuthorized)
		}},
		{"TC_C_42_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			authorizes(s, v201.AuthorizationStatusAccepted, "GROUP")
			s.begin(1)
			authorizes(s, v201.AuthorizationStatusAccepted, "OTHERS")
			s.card(1, "STRANGER")
			next[*v201.AuthorizeRequest](s)
			s.want("goes on", s.permits[1] && s.st.Transaction(1) != "")
		}},
		{"TC_C_45_CS", func(t *testing.T) { // C16.FR.03
			s := newSUT(t, "AuthCtrlr.MasterPassGroupId", "MASTER").boot()
			authorizes(s, v201.AuthorizationStatusAccepted, "MASTER")
			start(s)
			next[*v201.AuthorizeRequest](s)
			s.want("no start", !s.permits[1])
		}},
		{"TC_C_46_CS", func(t *testing.T) { // C10.FR.08
			s := newSUT(t, "AuthCtrlr.LocalPreAuthorize", "true", "AuthCacheCtrlr.LifeTime", "10").boot()
			s.begin(1)
			s.unplug(1)
			s.wait(11 * time.Second)
			s.read = len(s.got)
			start(s)
			next[*v201.AuthorizeRequest](s)
		}},
		{"TC_C_49_CS", func(t *testing.T) { // C16.FR.02
			s := newSUT(t, "AuthCtrlr.MasterPassGroupId", "MASTER").boot()
			s.begin(1)
			authorizes(s, v201.AuthorizationStatusAccepted, "MASTER")
			s.card(1, "CHIEF")
			e := s.event(v201.TransactionEventEnded, v201.TriggerReasonStopAuthorized)
			s.want("reason", e.TransactionInfo.StoppedReason == v201.ReasonMasterPass, e)
		}},
	})
}
