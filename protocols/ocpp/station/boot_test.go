package station

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// booting has the CSMS answer the station's boots with a status.
func (w *world) booting(status v201.RegistrationStatusEnum, interval int) {
	w.answers["BootNotification"] = func(rpc.Message) rpc.Message {
		return &v201.BootNotificationResponse{CurrentTime: w.now, Interval: interval, Status: status}
	}
}

// actions are the requests of the station since the last time.
func (w *world) actions() string {
	var out []string
	for _, q := range w.requests {
		out = append(out, q.ActionName())
	}
	w.requests = nil
	return strings.Join(out, " ")
}

// A station that is not accepted says what it is asked for, and nothing else (B02.FR.02, B02.FR.05).
func TestPendingSaysOnlyWhatItIsAskedFor(t *testing.T) {
	w := newWorld(t, nil)
	w.booting(v201.RegistrationStatusPending, 600)
	w.do(Connected{})
	w.ask(&v201.ReserveNowRequest{Id: 1, EvseId: new(2), ExpiryDateTime: w.now.Add(time.Minute), IdToken: card("A")})
	w.do(Plugged{1})
	w.do(Presented{1, v201.IdToken{}})
	w.do(EVNeeds{EVSE: 1, Again: true})
	w.do(EVSchedule{EVSE: 1, From: w.now, Schedule: v201.ChargingSchedule{Id: 1, ChargingRateUnit: v201.ChargingRateUnitA,
		ChargingSchedulePeriod: []v201.ChargingSchedulePeriod{{Limit: 6}}}})
	w.do(Fault{2, "E1"})
	w.do(Flow{1, v201.ChargingStateCharging, 3})
	w.energy(1, 100)
	w.wait(2 * time.Minute)
	if got := w.actions(); got != "BootNotification" {
		t.Errorf("by itself: %s", got)
	}
	tx := w.s.Transaction(1)
	if got := w.ask(&v201.RequestStopTransactionRequest{TransactionId: tx}); !strings.Contains(got, "Rejected") || w.s.Transaction(1) != tx {
		t.Errorf("a stop: %s", got)
	}
	for _, x := range []struct {
		q    rpc.Message
		want string
	}{
		{&v201.TriggerMessageRequest{RequestedMessage: v201.MessageTriggerHeartbeat, Evse: &v201.EVSE{Id: 99}}, "Heartbeat"}, // F06.FR.03
		{&v201.TriggerMessageRequest{RequestedMessage: v201.MessageTriggerStatusNotification, Evse: &v201.EVSE{Id: 1, ConnectorId: new(1)}}, "StatusNotification"},
		{&v201.TriggerMessageRequest{RequestedMessage: v201.MessageTriggerStatusNotification, Evse: &v201.EVSE{Id: 99, ConnectorId: new(1)}}, ""},
		{&v201.TriggerMessageRequest{RequestedMessage: v201.MessageTriggerMeterValues, Evse: &v201.EVSE{Id: 1}}, "MeterValues"},
		{&v201.TriggerMessageRequest{RequestedMessage: v201.MessageTriggerTransactionEvent}, ""}, // what waits goes first
		{&v201.TriggerMessageRequest{RequestedMessage: v201.MessageTriggerBootNotification}, "BootNotification"},
		{&v201.GetReportRequest{RequestId: 1, ComponentVariable: []v201.ComponentVariable{{Component: v201.Component{Name: "ClockCtrlr"}}}}, "NotifyReport"},
	} {
		res := w.ask(x.q)
		if got := w.actions(); got != x.want || strings.Contains(res, "Accepted") != (x.want != "") {
			t.Errorf("%+v: %s, %q, want %q", x.q, res, got, x.want)
		}
	}
}

// The interval of the CSMS counts over a connection that breaks (B02.FR.04, B03.FR.02), and what it asks meanwhile is refused
// (B03.FR.08).
func TestTheIntervalOutlastsTheConnection(t *testing.T) {
	w := newWorld(t, nil)
	w.booting(v201.RegistrationStatusRejected, 600)
	w.do(Connected{})
	w.do(Message{rpc.AppendCall(nil, "x", "Nonsense", []byte("{}"))})
	if w.results["x"] != string(rpc.SecurityError) {
		t.Errorf("an unknown action is answered %s", w.results["x"])
	}
	w.wait(10 * time.Second)
	w.do(Disconnected{})
	w.wait(10 * time.Second)
	w.do(Connected{})
	w.wait(579 * time.Second)
	if got := w.actions(); got != "BootNotification" {
		t.Errorf("before its time: %s", got)
	}
	w.wait(2 * time.Second)
	if got := w.actions(); got != "BootNotification" {
		t.Errorf("in its time: %s", got)
	}
}

// A CSMS that accepts the station hears of every connector (B01.FR.05), also one that takes over within the offline threshold.
func TestANewCSMSHearsOfEveryConnector(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Network = &Network{URL: "ws://one/", Security: 1} })
	w.do(Connected{})
	w.ask(&v201.SetNetworkProfileRequest{ConfigurationSlot: 2, ConnectionData: v201.NetworkConnectionProfile{OcppVersion: v201.OCPPVersionOCPP20,
		OcppTransport: v201.OCPPTransportJSON, OcppCsmsUrl: "ws://two/", MessageTimeout: 30, SecurityProfile: 1, OcppInterface: v201.OCPPInterfaceWired0}})
	w.put("OCPPCommCtrlr", "NetworkConfigurationPriority", "1,2")
	w.start()
	w.do(Connected{})
	w.do(Disconnected{})
	for range 3 {
		w.do(DialFailed{})
	}
	w.requests = nil
	w.do(Connected{})
	if got := w.actions(); got != "BootNotification StatusNotification StatusNotification" {
		t.Error(got)
	}
}

// A state that the CSMS may not have heard of is told again, however short the connection was gone (B04.FR.02).
func TestAStatusThatWasNotAnsweredIsToldAgain(t *testing.T) {
	w := newWorld(t, nil)
	w.do(Connected{})
	w.mute = true
	w.do(Plugged{2})
	w.wait(time.Second)
	w.do(Disconnected{})
	w.requests, w.mute = nil, false
	w.wait(time.Second)
	w.do(Connected{})
	got := requests[*v201.StatusNotificationRequest](w)
	if len(got) != 1 || got[0].EvseId != 2 || got[0].ConnectorStatus != v201.ConnectorStatusOccupied {
		t.Errorf("%+v", got)
	}
}

// Each level keeps what it was set to (G03.FR.07, G04.FR.08), over a restart (G03.FR.08, G04.FR.09), which goes for what is to follow
// a transaction, too.
func TestAvailabilityOfEachLevel(t *testing.T) {
	w := newWorld(t, nil)
	w.do(Connected{})
	set := func(on bool, e *v201.EVSE) string {
		q := &v201.ChangeAvailabilityRequest{OperationalStatus: v201.OperationalStatusInoperative, Evse: e}
		if on {
			q.OperationalStatus = v201.OperationalStatusOperative
		}
		return strings.Trim(strings.TrimPrefix(w.ask(q), `{"status":`), `"}`)
	}
	want := func(a, b v201.ConnectorStatusEnum) {
		t.Helper()
		if x, y := w.s.evses[0].status(), w.s.evses[1].status(); x != a || y != b {
			t.Errorf("%s and %s, want %s and %s", x, y, a, b)
		}
	}
	free, off, used := v201.ConnectorStatusAvailable, v201.ConnectorStatusUnavailable, v201.ConnectorStatusOccupied
	station, evse, connector := (*v201.EVSE)(nil), &v201.EVSE{Id: 1}, &v201.EVSE{Id: 1, ConnectorId: new(1)}
	set(false, evse)
	set(false, connector)
	want(off, free)
	set(false, station)
	want(off, off)
	w.start()
	w.do(Connected{})
	want(off, off)
	if got := set(false, station); got != "Accepted" { // G04.FR.04
		t.Error(got)
	}
	set(true, station)
	want(off, free)
	set(true, evse)
	want(off, free)
	set(true, connector)
	want(free, free)
	w.do(Plugged{1})
	w.do(Presented{1, card("A")})
	if got := set(false, station); got != "Scheduled" {
		t.Error(got)
	}
	want(used, off)
	w.start()
	w.do(Connected{})
	w.do(Plugged{1})
	want(used, off)
	w.do(Presented{1, card("A")})
	want(off, off)
	w.do(Unplugged{1})
	if got := w.ask(&v201.RequestStartTransactionRequest{EvseId: new(1), RemoteStartId: 1, IdToken: card("A")}); !strings.Contains(got, "Rejected") {
		t.Error(got)
	}
	set(true, station)
	want(free, free)
}

// A reset that waits lets nothing new begin, and follows when the end of the transactions is stored and told (B12.FR.01 to FR.05); one
// of an EVSE gives it back.
func TestAResetWaitsForTheEndToBeTold(t *testing.T) {
	w := newWorld(t, nil)
	w.do(Connected{})
	reboots := func() int { _, n := last[Reboot](w); return n }
	w.do(Plugged{1})
	w.do(Presented{1, card("A")})
	w.ask(&v201.ResetRequest{Type: v201.ResetOnIdle})
	w.do(Plugged{2})
	w.do(Presented{2, card("B")})
	if p, _ := w.permit(2); p.Allowed || w.s.evses[1].status() != v201.ConnectorStatusUnavailable {
		t.Error("another one begins")
	}
	w.mute = true
	w.do(Presented{1, card("A")})
	if w.s.evses[0].tx != nil || reboots() != 0 {
		t.Errorf("%d resets before the end is told", reboots())
	}
	w.wait(31 * time.Second) // B12.FR.05
	if reboots() != 1 {
		t.Errorf("%d resets", reboots())
	}
	w.start()
	w.mute, w.requests = false, nil
	w.do(Connected{})
	if w.lastEvent().EventType != v201.TransactionEventEnded || w.s.evses[0].tx != nil {
		t.Error("the end is not told after the reset")
	}

	w.effects = nil
	w.do(Plugged{1})
	w.do(Presented{1, card("A")})
	w.noCommit = true
	w.ask(&v201.ResetRequest{Type: v201.ResetImmediate, EvseId: new(1)})
	w.do(Disconnected{}) // nothing can be told any more, but it is not stored yet
	if reboots() != 0 {
		t.Error("reset before the end is stored")
	}
	w.noCommit = false
	for _, s := range w.saves {
		w.commit(s)
	}
	w.do(Connected{})
	if e := w.lastEvent(); e.TransactionInfo.StoppedReason != v201.ReasonImmediateReset || !slices.Contains(w.effects, Effect(Reboot{1})) {
		t.Errorf("%+v, %d resets", e, reboots())
	}
	w.do(Presented{1, card("A")})
	if p, _ := w.permit(1); !p.Allowed {
		t.Error("the EVSE stays closed")
	}
}
