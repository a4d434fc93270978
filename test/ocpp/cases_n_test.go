package ocpp

import (
	"testing"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/ocpp/station"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

func newLogging(t *testing.T) *sut {
	s := newSUT(t)
	s.cfg.Logs = true
	s.start()
	return s.boot()
}

// watch is a monitor on a variable of an EVSE (0 for the station's).
func watch(evse int, c, v string, kind v201.MonitorEnum, value float64, severity int) v201.SetMonitoringData {
	comp, va := variable(c, v)
	if evse > 0 {
		comp.Evse = &v201.EVSE{Id: evse}
	}
	return v201.SetMonitoringData{Component: comp, Variable: va, Type: kind, Value: value, Severity: severity}
}

func (s *sut) monitor(d ...v201.SetMonitoringData) []v201.SetMonitoringResult {
	s.Helper()
	r := ask[*v201.SetVariableMonitoringResponse](s, &v201.SetVariableMonitoringRequest{SetMonitoringData: d}).SetMonitoringResult
	s.want("a result for each", len(r) == len(d), r)
	for i := range r {
		s.want("of the same variable", r[i].Component.Name == d[i].Component.Name && r[i].Variable.Name == d[i].Variable.Name && r[i].Type == d[i].Type, r[i])
	}
	return r
}

// installed sets a monitor, which must be accepted, and returns its id.
func (s *sut) installed(d v201.SetMonitoringData) int {
	s.Helper()
	r := s.monitor(d)[0]
	s.want("accepted with an id", r.Status == v201.SetMonitoringStatusAccepted && r.Id != nil, r)
	return *r.Id
}

func (s *sut) monitors(q *v201.GetMonitoringReportRequest) (all []v201.VariableMonitoring) {
	s.Helper()
	q.RequestId = 77
	r := ask[*v201.GetMonitoringReportResponse](s, q)
	if r.Status == v201.GenericDeviceModelStatusEmptyResultSet {
		return nil
	}
	s.want("accepted", r.Status == v201.GenericDeviceModelStatusAccepted, r)
	for seq := 0; ; seq++ {
		n := next[*v201.NotifyMonitoringReportRequest](s)
		s.want("request and number", n.RequestId == 77 && n.SeqNo == seq, n)
		for _, m := range n.Monitor {
			all = append(all, m.VariableMonitoring...)
		}
		if n.Tbc == nil || !*n.Tbc {
			return all
		}
	}
}

func (s *sut) has(id int) bool {
	s.Helper()
	for _, m := range s.monitors(&v201.GetMonitoringReportRequest{}) {
		if m.Id == id {
			return true
		}
	}
	return false
}

func (s *sut) base(b v201.MonitoringBaseEnum) {
	s.Helper()
	r := ask[*v201.SetMonitoringBaseResponse](s, &v201.SetMonitoringBaseRequest{MonitoringBase: b})
	s.want("base accepted", r.Status == v201.GenericDeviceModelStatusAccepted, r)
}

func (s *sut) level(n int) v201.GenericStatusEnum {
	s.Helper()
	return ask[*v201.SetMonitoringLevelResponse](s, &v201.SetMonitoringLevelRequest{Severity: n}).Status
}

func (s *sut) unmonitor(id int) v201.ClearMonitoringStatusEnum {
	s.Helper()
	r := ask[*v201.ClearVariableMonitoringResponse](s, &v201.ClearVariableMonitoringRequest{Id: []int{id}}).ClearMonitoringResult
	s.want("one result of that id", len(r) == 1 && r[0].Id == id, r)
	return r[0].Status
}

// notice is the next event, alone in its report.
func (s *sut) notice() v201.EventData {
	s.Helper()
	n := next[*v201.NotifyEventRequest](s)
	s.want("number 0, one event", n.SeqNo == 0 && len(n.EventData) == 1, n)
	return n.EventData[0]
}

func (s *sut) power(n int, w float64) {
	s.Helper()
	s.do(station.Reading{EVSE: n, Energy: 1000, Power: si.Watts(w), SoC: -1})
}

func TestCasesN(t *testing.T) {
	const ok, no = v201.SetMonitoringStatusAccepted, v201.SetMonitoringStatusRejected
	upper := func(evse int, value float64, severity int) v201.SetMonitoringData {
		return watch(evse, "EVSE", "Power", v201.MonitorUpperThreshold, value, severity)
	}
	threshold := watch(0, "OCPPCommCtrlr", "OfflineThreshold", v201.MonitorUpperThreshold, 500, 5)
	delta := func(c, v string) v201.SetMonitoringData { return watch(0, c, v, v201.MonitorDelta, 1, 5) }
	criteria := func(c ...v201.MonitoringCriterionEnum) *v201.GetMonitoringReportRequest {
		return &v201.GetMonitoringReportRequest{MonitoringCriteria: c}
	}
	runCases(t, []testCase{
		{"TC_N_01_CS", func(t *testing.T) { // N02.FR.01, FR.06, FR.12 to FR.14
			s := newSUT(t).boot()
			s.base(v201.MonitoringBaseHardWiredOnly)
			own := len(s.monitors(criteria(v201.MonitoringCriterionThresholdMonitoring)))
			s.installed(threshold)
			s.installed(delta("AuthCtrlr", "Enabled"))
			s.installed(watch(0, "ClockCtrlr", "DateTime", v201.MonitorPeriodic, 900, 6))
			s.want("thresholds", len(s.monitors(criteria(v201.MonitoringCriterionThresholdMonitoring))) == own+1)
			s.want("delta", len(s.monitors(criteria(v201.MonitoringCriterionDeltaMonitoring))) == 1)
			s.want("periodic", len(s.monitors(criteria(v201.MonitoringCriterionPeriodicMonitoring))) == 1)
			s.want("two", len(s.monitors(criteria(v201.MonitoringCriterionDeltaMonitoring, v201.MonitoringCriterionPeriodicMonitoring))) == 2)
			s.want("all", len(s.monitors(criteria(v201.MonitoringCriterionThresholdMonitoring, v201.MonitoringCriterionDeltaMonitoring, v201.MonitoringCriterionPeriodicMonitoring))) == own+3)
		}},
		{"TC_N_02_CS", func(t *testing.T) { // N02.FR.08
			s := newSUT(t).boot()
			id := s.installed(threshold)
			s.installed(delta("AuthCtrlr", "Enabled"))
			got := s.monitors(&v201.GetMonitoringReportRequest{ComponentVariable: []v201.ComponentVariable{{Component: threshold.Component, Variable: &threshold.Variable}}})
			s.want("that one", len(got) == 1 && got[0].Id == id && got[0].Value == 500 && got[0].Severity == 5, got)
			got = s.monitors(&v201.GetMonitoringReportRequest{ComponentVariable: []v201.ComponentVariable{{Component: threshold.Component}}})
			s.want("without a variable", len(got) == 1 && got[0].Id == id, got)
		}},
		{"TC_N_03_CS", func(t *testing.T) { // N02.FR.05, FR.10
			s := newSUT(t).boot()
			s.installed(threshold)
			d := watch(0, "OCPPCommCtrlr", "OfflineThreshold", v201.MonitorDelta, 1, 5)
			id := s.installed(d)
			q := criteria(v201.MonitoringCriterionDeltaMonitoring)
			q.ComponentVariable = []v201.ComponentVariable{{Component: d.Component, Variable: &d.Variable}}
			got := s.monitors(q)
			s.want("both restrict", len(got) == 1 && got[0].Id == id, got)
			q.MonitoringCriteria = []v201.MonitoringCriterionEnum{v201.MonitoringCriterionPeriodicMonitoring}
			s.want("empty", s.monitors(q) == nil)
		}},
		{"TC_N_05_CS", func(t *testing.T) { // N03.FR.01, FR.03 to FR.05
			s := newSUT(t).boot()
			factory := len(s.monitors(criteria()))
			for _, b := range []v201.MonitoringBaseEnum{v201.MonitoringBaseAll, v201.MonitoringBaseFactoryDefault, v201.MonitoringBaseHardWiredOnly} {
				s.base(b)
				s.want("active", s.get("MonitoringCtrlr", "ActiveMonitoringBase").AttributeValue == string(b))
			}
			s.want("fewer", len(s.monitors(criteria())) < factory)
			s.base(v201.MonitoringBaseAll)
			s.want("preconfigured ones again", len(s.monitors(criteria())) == factory)
		}},
		{"TC_N_06_CS", func(t *testing.T) { // N03.FR.05
			s := newSUT(t).boot()
			id := s.installed(threshold)
			s.base(v201.MonitoringBaseAll)
			s.want("All leaves it", s.has(id))
			s.base(v201.MonitoringBaseHardWiredOnly)
			s.want("gone", !s.has(id))
			id = s.installed(threshold)
			s.base(v201.MonitoringBaseFactoryDefault)
			s.want("gone, too", !s.has(id))
		}},
		{"TC_N_08_CS", func(t *testing.T) { // N04.FR.08, FR.11
			s := newSUT(t).boot()
			s.want("there", s.has(s.installed(threshold)))
		}},
		{"TC_N_09_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			r := s.monitor(threshold, delta("AuthCtrlr", "Enabled"))
			s.want("both", r[0].Status == ok && r[1].Status == ok && *r[0].Id != *r[1].Id, r)
		}},
		{"TC_N_10_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			low := threshold
			low.Type, low.Value = v201.MonitorLowerThreshold, 5
			r := s.monitor(threshold, low)
			s.want("both", r[0].Status == ok && r[1].Status == ok && *r[0].Id != *r[1].Id, r)
		}},
		{"TC_N_11_CS", func(t *testing.T) { // N04.FR.03
			s := newSUT(t).boot()
			s.want("unknown", s.monitor(delta("Unknown", "Enabled"))[0].Status == v201.SetMonitoringStatusUnknownComponent)
		}},
		{"TC_N_12_CS", func(t *testing.T) { // N04.FR.14
			s := newSUT(t).boot()
			s.want("negative", s.monitor(watch(0, "OCPPCommCtrlr", "OfflineThreshold", v201.MonitorDelta, -1, 5))[0].Status == no)
		}},
		{"TC_N_13_CS", func(t *testing.T) { // N04.FR.06
			s := newSUT(t).boot()
			d := threshold
			d.Value = 86401
			s.want("too high", s.monitor(d)[0].Status == no)
			d.Value = -1
			s.want("too low", s.monitor(d)[0].Status == no)
		}},
		{"TC_N_15_CS", func(t *testing.T) { // N04.FR.10
			s := newSUT(t).boot()
			s.installed(threshold)
			d := threshold
			d.Value = 600
			s.want("duplicate", s.monitor(d)[0].Status == v201.SetMonitoringStatusDuplicate)
			d.Severity = 6
			s.installed(d)
		}},
		{"TC_N_16_CS", func(t *testing.T) { // N05.FR.03, N07.FR.15
			s := newSUT(t).boot()
			s.want("accepted", s.level(4) == v201.GenericStatusAccepted)
			s.installed(upper(1, 1000, 5))
			id := s.installed(upper(2, 1000, 2))
			s.power(1, 2000)
			none[*v201.NotifyEventRequest](s)
			s.power(2, 2000)
			s.want("severe enough", *s.notice().VariableMonitoringId == id)
		}},
		{"TC_N_17_CS", func(t *testing.T) { // N05.FR.02
			s := newSUT(t).boot()
			s.want("too high", s.level(10) == v201.GenericStatusRejected)
			s.want("too low", s.level(-1) == v201.GenericStatusRejected)
		}},
		{"TC_N_18_CS", func(t *testing.T) { // N06.FR.01
			s := newSUT(t).boot()
			id := s.installed(threshold)
			s.want("accepted", s.unmonitor(id) == v201.ClearMonitoringStatusAccepted)
			s.want("gone", !s.has(id))
		}},
		{"TC_N_19_CS", func(t *testing.T) { // N06.FR.02
			s := newSUT(t).boot()
			s.want("not found", s.unmonitor(4711) == v201.ClearMonitoringStatusNotFound)
		}},
		{"TC_N_20_CS", func(t *testing.T) { // N07.FR.02, FR.06, FR.16, FR.17
			s := newSUT(t).boot()
			id := s.installed(upper(1, 1000, 5))
			s.power(1, 1000)
			none[*v201.NotifyEventRequest](s)
			s.power(1, 1010)
			e := s.notice()
			s.want("alert", e.Trigger == v201.EventTriggerAlerting && *e.VariableMonitoringId == id && e.ActualValue == "1010" && e.Variable.Name == "Power" && e.Component.Evse.Id == 1 &&
				e.EventNotificationType == v201.EventNotificationCustomMonitor, e)
			s.power(1, 1020)
			none[*v201.NotifyEventRequest](s)
			s.power(1, 500)
			e = s.notice()
			s.want("cleared", e.Cleared != nil && *e.Cleared, e)
			low := upper(1, 100, 5)
			low.Type = v201.MonitorLowerThreshold
			s.installed(low)
			s.power(1, 50)
			s.want("below", s.notice().Trigger == v201.EventTriggerAlerting)
		}},
		{"TC_N_21_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.do(station.Fault{EVSE: 1, Code: "GroundFault"})
			e := s.notice()
			s.want("notification", e.EventNotificationType == v201.EventNotificationHardWiredNotification && e.Variable.Name == "Problem" && e.ActualValue == "true" && e.TechCode == "GroundFault", e)
			s.do(station.Fault{EVSE: 1})
			e = s.notice()
			s.want("cleared", e.Cleared != nil && *e.Cleared, e)
		}},
		{"TC_N_22_CS", func(t *testing.T) { // N07.FR.04
			s := newSUT(t, "MonitoringCtrlr.OfflineQueuingSeverity", "5").boot()
			s.installed(upper(1, 1000, 5))
			s.disconnect()
			s.power(1, 2000)
			s.wait(time.Minute)
			s.connect()
			e := s.notice()
			s.want("as it was", e.ActualValue == "2000" && e.Timestamp.Equal(start), e)
		}},
		{"TC_N_23_CS", func(t *testing.T) { // N07.FR.04
			s := newSUT(t, "MonitoringCtrlr.OfflineQueuingSeverity", "4").boot()
			s.installed(upper(1, 1000, 5))
			s.disconnect()
			s.power(1, 2000)
			s.connect()
			none[*v201.NotifyEventRequest](s)
			s.power(1, 0)
			s.notice()
		}},
		{"TC_N_24_CS", func(t *testing.T) { // N08.FR.05 to FR.07
			s := newSUT(t).boot()
			s.power(1, 10)
			id := s.installed(watch(1, "EVSE", "Power", v201.MonitorPeriodic, 60, 8))
			s.wait(59 * time.Second)
			none[*v201.NotifyEventRequest](s)
			for range 2 {
				s.wait(60 * time.Second)
				e := s.notice()
				s.want("periodic", e.Trigger == v201.EventTriggerPeriodic && *e.VariableMonitoringId == id, e)
			}
			s.unmonitor(id)
			s.installed(watch(1, "EVSE", "Power", v201.MonitorPeriodicClockAligned, 900, 8))
			s.wait(15 * time.Minute)
			s.want("on the clock", s.notice().Timestamp.Unix()%900 == 0)
		}},
		{"TC_N_25_CS", upload(v201.LogDiagnosticsLog, v201.UploadLogStatusUploaded)},
		{"TC_N_26_CS", upload(v201.LogDiagnosticsLog, v201.UploadLogStatusUploadFailure)},
		{"TC_N_35_CS", upload(v201.LogSecurityLog, v201.UploadLogStatusUploaded)},
		{"TC_N_34_CS", func(t *testing.T) { // N01.FR.05
			s := newSUT(t).boot()
			s.want("rejected", ask[*v201.GetLogResponse](s, logRequest(1, v201.LogDiagnosticsLog)).Status == v201.LogStatusRejected)
		}},
		{"TC_N_36_CS", func(t *testing.T) { // N01.FR.12, FR.20
			s := newLogging(t)
			ask[*v201.GetLogResponse](s, logRequest(1, v201.LogSecurityLog))
			next[*v201.LogStatusNotificationRequest](s)
			s.want("cancelled", ask[*v201.GetLogResponse](s, logRequest(2, v201.LogSecurityLog)).Status == v201.LogStatusAcceptedCanceled)
			n := next[*v201.LogStatusNotificationRequest](s)
			s.want("the first", n.Status == v201.UploadLogStatusAcceptedCanceled && *n.RequestId == 1, n)
			n = next[*v201.LogStatusNotificationRequest](s)
			s.want("the second", n.Status == v201.UploadLogStatusUploading && *n.RequestId == 2, n)
			s.do(station.Uploaded{Request: 1, Status: v201.UploadLogStatusUploadFailure})
			s.do(station.Uploaded{Request: 2, Status: v201.UploadLogStatusUploaded})
			n = next[*v201.LogStatusNotificationRequest](s)
			s.want("uploaded", n.Status == v201.UploadLogStatusUploaded && *n.RequestId == 2, n)
		}},
		{"TC_F_16_CS", func(t *testing.T) { // F06.FR.14
			s := newLogging(t)
			ask[*v201.GetLogResponse](s, logRequest(5, v201.LogDiagnosticsLog))
			next[*v201.LogStatusNotificationRequest](s)
			ask[*v201.TriggerMessageResponse](s, &v201.TriggerMessageRequest{RequestedMessage: v201.MessageTriggerLogStatusNotification})
			n := next[*v201.LogStatusNotificationRequest](s)
			s.want("uploading", n.Status == v201.UploadLogStatusUploading && *n.RequestId == 5, n)
		}},
		{"TC_N_27_CS", func(t *testing.T) { // N09.FR.05
			s := newSUT(t).boot()
			s.knows("TAG")
			s.want("accepted", s.customer("TAG", true, false) == v201.CustomerInformationStatusAccepted)
			s.want("data", s.told() != "no data found")
		}},
		{"TC_N_28_CS", func(t *testing.T) { // N09.FR.06
			s := newSUT(t).boot()
			s.want("accepted", s.customer("NOBODY", true, false) == v201.CustomerInformationStatusAccepted)
			s.want("nothing", s.told() == "no data found")
		}},
		{"TC_N_29_CS", func(t *testing.T) { // N09.FR.03, FR.07
			s := newSUT(t).boot()
			s.want("rejected", s.customer("TAG", false, false) == v201.CustomerInformationStatusRejected)
			none[*v201.NotifyCustomerInformationRequest](s)
		}},
		{"TC_N_30_CS", func(t *testing.T) { // N10.FR.03
			s := newSUT(t).boot()
			s.knows("TAG")
			s.customer("TAG", true, true)
			s.want("data", s.told() != "no data found")
			s.customer("TAG", true, false)
			s.want("forgotten", s.told() == "no data found")
		}},
		{"TC_N_31_CS", func(t *testing.T) { // N10.FR.04
			s := newSUT(t).boot()
			s.want("accepted", s.customer("NOBODY", true, true) == v201.CustomerInformationStatusAccepted)
			s.want("nothing", s.told() == "no data found")
		}},
		{"TC_N_32_CS", func(t *testing.T) { // N10.FR.06
			s := newSUT(t).boot()
			s.knows("TAG")
			s.customer("TAG", false, true)
			s.want("cleared", s.told() == "cleared")
			none[*v201.NotifyCustomerInformationRequest](s)
			s.customer("TAG", true, false)
			s.want("forgotten", s.told() == "no data found")
		}},
		{"TC_N_33_CS", func(t *testing.T) { // N09.FR.09: whose?
			s := newSUT(t).boot()
			r := ask[*v201.CustomerInformationResponse](s, &v201.CustomerInformationRequest{RequestId: 1, Report: true, Clear: true})
			s.want("invalid", r.Status == v201.CustomerInformationStatusInvalid, r)
			id := token("TAG")
			r = ask[*v201.CustomerInformationResponse](s, &v201.CustomerInformationRequest{RequestId: 1, Report: true, Clear: true, IdToken: &id, CustomerIdentifier: "TAG"})
			s.want("invalid", r.Status == v201.CustomerInformationStatusInvalid, r)
		}},
		{"TC_N_62_CS", func(t *testing.T) { // N10.FR.03
			s := newSUT(t).boot()
			s.knows("TAG")
			for _, want := range []bool{true, false} {
				ask[*v201.CustomerInformationResponse](s, &v201.CustomerInformationRequest{RequestId: 1, Report: true, Clear: true, CustomerIdentifier: "TAG"})
				s.want("data, once", s.told() != "no data found" == want)
			}
		}},
		{"TC_N_37_CS", func(t *testing.T) { // N04.FR.04
			s := newSUT(t).boot()
			s.want("unknown", s.monitor(delta("AuthCtrlr", "Unknown"))[0].Status == v201.SetMonitoringStatusUnknownVariable)
		}},
		{"TC_N_38_CS", func(t *testing.T) { // N04.FR.05
			s := newSUT(t).boot()
			d := delta("AuthCtrlr", "Enabled")
			d.Type = v201.MonitorUpperThreshold
			s.want("unsupported", s.monitor(d)[0].Status == v201.SetMonitoringStatusUnsupportedMonitorType)
		}},
		{"TC_N_39_CS", func(t *testing.T) { // N04.FR.16
			s := newSUT(t).boot()
			id := s.installed(threshold)
			d := upper(1, 1000, 3)
			d.Id = &id
			s.want("rejected", s.monitor(d)[0].Status == no)
			got := s.monitors(&v201.GetMonitoringReportRequest{ComponentVariable: []v201.ComponentVariable{{Component: threshold.Component, Variable: &threshold.Variable}}})
			s.want("as it was", len(got) == 1 && got[0].Value == 500, got)
		}},
		{"TC_N_40_CS", func(t *testing.T) { // N04.FR.12
			s := newSUT(t).boot()
			id := s.installed(threshold)
			d := threshold
			d.Id, d.Value = &id, 700
			s.want("same id", s.installed(d) == id)
			got := s.monitors(&v201.GetMonitoringReportRequest{ComponentVariable: []v201.ComponentVariable{{Component: d.Component, Variable: &d.Variable}}})
			s.want("replaced", len(got) == 1 && got[0].Value == 700, got)
		}},
		{"TC_N_41_CS", func(t *testing.T) { // N03.FR.04, N04.FR.15
			s := newSUT(t).boot()
			at := func(id int) float64 {
				for _, m := range s.monitors(criteria()) {
					if m.Id == id {
						return m.Value
					}
				}
				return 0
			}
			s.base(v201.MonitoringBaseFactoryDefault)
			d := upper(1, 1000, 4)
			var was float64
			for _, m := range s.monitors(criteria()) { // the preconfigured one: it may be replaced
				d.Id, was = new(m.Id), m.Value
				if s.monitor(d)[0].Status == ok {
					break
				}
			}
			s.want("replaced", at(*d.Id) == 1000)
			s.base(v201.MonitoringBaseAll)
			s.want("All leaves it", at(*d.Id) == 1000)
			s.base(v201.MonitoringBaseFactoryDefault)
			s.want("as delivered", at(*d.Id) == was && was != 1000, was)
		}},
		{"TC_N_43_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			bad := upper(1, 1e9, 5)
			r := s.monitor(threshold, bad, upper(2, 1000, 5))
			s.want("each for itself", r[0].Status == ok && r[1].Status == no && r[2].Status == ok, r)
		}},
		{"TC_N_44_CS", func(t *testing.T) { // N06.FR.03
			s := newSUT(t).boot()
			s.base(v201.MonitoringBaseHardWiredOnly)
			hard := s.monitors(criteria())
			s.want("there are some", len(hard) > 0)
			s.want("rejected", s.unmonitor(hard[0].Id) == v201.ClearMonitoringStatusRejected)
			s.want("still there", s.has(hard[0].Id))
		}},
		{"TC_N_45_CS", func(t *testing.T) { // N07.FR.18
			s := newSUT(t).boot()
			s.power(1, 1000)
			id := s.installed(watch(1, "EVSE", "Power", v201.MonitorDelta, 100, 5))
			s.power(1, 1100)
			none[*v201.NotifyEventRequest](s)
			s.power(1, 890)
			e := s.notice()
			s.want("delta", e.Trigger == v201.EventTriggerDelta && *e.VariableMonitoringId == id && e.ActualValue == "890", e)
			s.power(1, 950)
			none[*v201.NotifyEventRequest](s)
		}},
		{"TC_N_47_CS", func(t *testing.T) { // N02.FR.11
			s := newSUT(t).boot()
			before := len(s.monitors(criteria()))
			s.installed(threshold)
			s.installed(delta("AuthCtrlr", "Enabled"))
			s.want("all", before > 0 && len(s.monitors(criteria())) == before+2)
		}},
		{"TC_N_48_CS", func(t *testing.T) { // N07.FR.10
			s := newSUT(t).boot()
			id := s.installed(delta("SecurityCtrlr", "BasicAuthPassword"))
			s.set("SecurityCtrlr", "BasicAuthPassword", "new-password-0123456789")
			e := s.notice()
			s.want("no value", *e.VariableMonitoringId == id && e.ActualValue == "", e)
		}},
		{"TC_N_61_CS", func(t *testing.T) { // N07.FR.18
			s := newSUT(t, "OCPPCommCtrlr.OfflineThreshold", "60").boot()
			s.installed(watch(0, "OCPPCommCtrlr", "OfflineThreshold", v201.MonitorDelta, 10, 5))
			s.set("OCPPCommCtrlr", "OfflineThreshold", "70")
			none[*v201.NotifyEventRequest](s)
			s.set("OCPPCommCtrlr", "OfflineThreshold", "71")
			s.want("value", s.notice().ActualValue == "71")
		}},
		{"TC_N_51_CS", func(t *testing.T) { // N07.FR.11
			s := newSUT(t).boot()
			s.power(1, 1500)
			d := upper(1, 2000, 5)
			id := s.installed(d)
			none[*v201.NotifyEventRequest](s)
			d.Id, d.Value = &id, 1000
			s.installed(d)
			s.want("exceeded", s.notice().Trigger == v201.EventTriggerAlerting)
			d.Value = 3000
			s.installed(d)
			e := s.notice()
			s.want("cleared", e.Cleared != nil && *e.Cleared, e)
		}},
		{"TC_N_52_CS", func(t *testing.T) { // N07.FR.12
			s := newSUT(t).boot()
			id := s.installed(upper(1, 1000, 5))
			s.power(1, 2000)
			s.notice()
			s.want("accepted", s.unmonitor(id) == v201.ClearMonitoringStatusAccepted)
			s.power(1, 0)
			none[*v201.NotifyEventRequest](s)
		}},
		{"TC_N_53_CS", func(t *testing.T) { // N07.FR.13, FR.14
			s := newSUT(t).boot()
			id := s.installed(upper(1, 1000, 5))
			s.power(1, 2000)
			s.notice()
			s.reboot()
			s.want("still there", s.has(id))
			s.power(1, 10)
			e := next[*v201.NotifyEventRequest](s).EventData[0]
			s.want("cleared", *e.VariableMonitoringId == id && e.Cleared != nil && *e.Cleared, e)
		}},
		{"TC_N_56_CS", func(t *testing.T) { // N07.FR.19
			s := newSUT(t).boot()
			id := s.installed(watch(1, "EVSE", "AvailabilityState", v201.MonitorDelta, 1, 5))
			s.plug(1)
			e := s.notice()
			s.want("delta", e.Trigger == v201.EventTriggerDelta && *e.VariableMonitoringId == id && e.ActualValue == "Occupied", e)
		}},
	})
}

func logRequest(id int, kind v201.LogEnum) *v201.GetLogRequest {
	return &v201.GetLogRequest{LogType: kind, RequestId: id, Retries: new(2), RetryInterval: new(5), Log: v201.LogParameters{RemoteLocation: "https://logs.example/put"}}
}

// upload: N01.FR.01 to FR.04, FR.07 to FR.10, FR.13.
func upload(kind v201.LogEnum, end v201.UploadLogStatusEnum) func(*testing.T) {
	return func(t *testing.T) {
		s := newLogging(t)
		r := ask[*v201.GetLogResponse](s, logRequest(9, kind))
		s.want("accepted with a name", r.Status == v201.LogStatusAccepted && r.Filename != "", r)
		n := next[*v201.LogStatusNotificationRequest](s)
		s.want("uploading", n.Status == v201.UploadLogStatusUploading && *n.RequestId == 9, n)
		u, ok := s.effects[len(s.effects)-1].(station.Upload)
		s.want("asked for", ok && u.Request == 9 && u.Security == (kind == v201.LogSecurityLog) && u.Name == r.Filename && u.URL == "https://logs.example/put" && u.Retries == 2 && u.Every == 5*time.Second, u)
		s.do(station.Uploaded{Request: 9, Status: end})
		n = next[*v201.LogStatusNotificationRequest](s)
		s.want("ended", n.Status == end && *n.RequestId == 9, n)
	}
}

// knows makes the station remember a token.
func (s *sut) knows(id string) {
	s.Helper()
	s.plug(1)
	s.card(1, id)
	s.unplug(1)
}

func (s *sut) customer(id string, report, clear bool) v201.CustomerInformationStatusEnum {
	s.Helper()
	tok := token(id)
	return ask[*v201.CustomerInformationResponse](s, &v201.CustomerInformationRequest{RequestId: 3, Report: report, Clear: clear, IdToken: &tok}).Status
}

func (s *sut) told() (text string) {
	s.Helper()
	for seq := 0; ; seq++ {
		n := next[*v201.NotifyCustomerInformationRequest](s)
		s.want("number", n.SeqNo == seq, n)
		text += n.Data
		if n.Tbc == nil || !*n.Tbc {
			return text
		}
	}
}
