package station

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

func TestVariablesAndReports(t *testing.T) {
	w := newWorld(t, nil)
	w.do(Connected{})
	get := func(c, v string) string {
		return w.ask(&v201.GetVariablesRequest{GetVariableData: []v201.GetVariableData{{Component: v201.Component{Name: c}, Variable: v201.Variable{Name: v}}}})
	}
	for _, c := range [][3]string{{"HeartbeatInterval", "OCPPCommCtrlr", `"attributeValue":"300"`}, {"Nope", "OCPPCommCtrlr", "UnknownVariable"},
		{"Nope", "Nope", "UnknownComponent"}, {"BasicAuthPassword", "SecurityCtrlr", "Rejected"}} {
		if got := get(c[1], c[0]); !strings.Contains(got, c[2]) {
			t.Errorf("%v: %s", c, got)
		}
	}
	set := func(c, v, value string) string {
		return w.ask(&v201.SetVariablesRequest{SetVariableData: []v201.SetVariableData{{Component: v201.Component{Name: c}, Variable: v201.Variable{Name: v}, AttributeValue: value}}})
	}
	for _, c := range [][4]string{{"OCPPCommCtrlr", "HeartbeatInterval", "10", "Accepted"}, {"OCPPCommCtrlr", "HeartbeatInterval", "x", "Rejected"},
		{"OCPPCommCtrlr", "HeartbeatInterval", "0", "ValueTooLow"}, {"TxCtrlr", "TxStartPoint", "EVConnected,Nonsense", "Rejected"},
		{"SmartChargingCtrlr", "RateUnit", "A", "ReadOnly"}} {
		if got := set(c[0], c[1], c[2]); !strings.Contains(got, c[3]) {
			t.Errorf("%v: %s", c, got)
		}
	}
	n := len(w.requests)
	w.wait(11 * time.Second)
	if w.requests[n].ActionName() != "Heartbeat" {
		t.Error("the new heartbeat interval has no effect")
	}
	w.start()
	w.do(Connected{})
	n = len(w.requests)
	if got := w.ask(&v201.GetBaseReportRequest{RequestId: 5, ReportBase: v201.ReportBaseFullInventory}); !strings.Contains(got, "Accepted") {
		t.Fatal(got)
	}
	seen := 0
	for i, q := range w.requests[n:] {
		r := q.(*v201.NotifyReportRequest)
		if r.SeqNo != i || r.RequestId != 5 || *r.Tbc != (i < len(w.requests)-n-1) {
			t.Errorf("report %d: %+v", i, r)
		}
		seen += len(r.ReportData)
	}
	if seen != len(w.s.model.vars) {
		t.Errorf("%d variables were reported, there are %d", seen, len(w.s.model.vars))
	}
	if got := w.ask(&v201.GetReportRequest{RequestId: 6, ComponentCriteria: []v201.ComponentCriterionEnum{v201.ComponentCriterionProblem}}); !strings.Contains(got, "EmptyResultSet") {
		t.Error(got)
	}
}

// Every action gets an answer: none of them may leave the CSMS waiting, but UnlockConnector, which asks the EVSE first.
func TestEveryRequestIsAnswered(t *testing.T) {
	w := newWorld(t, nil)
	w.do(Connected{})
	for name, a := range v201.Actions {
		w.ids++
		id := fmt.Sprintf("q%d", w.ids)
		w.do(Message{[]byte(fmt.Sprintf(`[2,%q,%q,{}]`, id, name))})
		got := w.results[id]
		if got == "" {
			t.Errorf("%s was not answered", name)
		}
		if a.Direction == rpc.FromStation && got != "NotImplemented" {
			t.Errorf("%s: %s", name, got)
		}
	}
	w.do(Plugged{1})
	if w.ask(&v201.UnlockConnectorRequest{EvseId: 1, ConnectorId: 1}) != "" {
		t.Error("answered before the EVSE did")
	}
	w.do(Unlocked{1, true})
	if !strings.Contains(w.raw[len(w.raw)-1], "Unlocked") {
		t.Error(w.raw[len(w.raw)-1])
	}
}

func TestAvailabilityAndReset(t *testing.T) {
	w := newWorld(t, nil)
	w.do(Connected{})
	w.do(Plugged{1})
	w.do(Presented{1, card("A")})
	if got := w.ask(&v201.ChangeAvailabilityRequest{OperationalStatus: v201.OperationalStatusInoperative}); !strings.Contains(got, "Scheduled") {
		t.Error(got)
	}
	if got := w.ask(&v201.ResetRequest{Type: v201.ResetOnIdle}); !strings.Contains(got, "Scheduled") {
		t.Error(got)
	}
	w.do(Unplugged{1})
	if !slices.Contains(w.effects, Effect(Operative{1, false})) || !slices.Contains(w.effects, Effect(Reboot{0})) {
		t.Errorf("%+v", w.effects)
	}
	w.start()
	if w.s.evses[0].status() != v201.ConnectorStatusUnavailable {
		t.Error("out of service must survive a restart")
	}
}

func TestReservation(t *testing.T) {
	w := newWorld(t, nil)
	w.do(Connected{})
	q := &v201.ReserveNowRequest{Id: 3, EvseId: new(1), ExpiryDateTime: t0.Add(time.Hour), IdToken: card("MINE")}
	if got := w.ask(q); !strings.Contains(got, "Accepted") {
		t.Fatal(got)
	}
	w.do(Presented{1, card("OTHER")})
	if p, ok := w.permit(1); !ok || p.Allowed {
		t.Error("a reserved EVSE was given to another token")
	}
	w.do(Presented{1, card("mine")})
	w.do(Plugged{1})
	start := w.lastEvent()
	if start.ReservationId == nil || *start.ReservationId != 3 {
		t.Errorf("%+v", start)
	}
	if got := w.ask(&v201.CancelReservationRequest{ReservationId: 3}); !strings.Contains(got, "Rejected") {
		t.Error(got)
	}
	q.Id, q.EvseId = 4, new(2)
	w.ask(q)
	w.wait(time.Hour)
	if r, ok := w.requests[len(w.requests)-2].(*v201.ReservationStatusUpdateRequest); !ok || r.ReservationId != 4 {
		t.Errorf("%+v", w.requests[len(w.requests)-2:])
	}
}

// How often a refused event is sent again, and how long after, counts from when the CSMS sets it (E13.FR.02, E13.FR.03); and nobody
// is woken in vain meanwhile.
func TestAttemptsAreThoseOfNow(t *testing.T) {
	w := newWorld(t, nil)
	w.do(Connected{})
	w.ask(&v201.SetVariablesRequest{SetVariableData: []v201.SetVariableData{
		{Component: v201.Component{Name: "OCPPCommCtrlr"}, Variable: v201.Variable{Name: "MessageAttempts", Instance: "TransactionEvent"}, AttributeValue: "2"},
		{Component: v201.Component{Name: "OCPPCommCtrlr"}, Variable: v201.Variable{Name: "MessageAttemptInterval", Instance: "TransactionEvent"}, AttributeValue: "7"}}})
	w.refuse = "TransactionEvent"
	w.do(Plugged{1})
	w.do(Presented{1, card("A")})
	sent := func() int { return len(requests[*v201.TransactionEventRequest](w)) }
	if w.wait(6 * time.Second); sent() != 1 {
		t.Errorf("%d transmissions", sent())
	}
	if w.wait(2 * time.Second); sent() != 2 || w.s.queue.Len() != 0 {
		t.Errorf("%d transmissions, %d wait", sent(), w.s.queue.Len())
	}
	if !w.deadline.After(w.now.Add(time.Second)) {
		t.Errorf("to be woken at %v, now is %v", w.deadline, w.now)
	}
}

// Numbers are written as the standard has them (B05.FR.07).
func TestNumbersThatAreNone(t *testing.T) {
	whole, broken := &variable{kind: v201.DataInteger}, &variable{kind: v201.DataDecimal}
	for text, want := range map[string][2]bool{"0": {true, true}, "12": {true, true}, "1.5": {false, true}, "0.5": {false, true}, "NaN": {}, "inf": {}, "+1": {}, "01": {},
		"0x1p4": {}, "1e3": {}, "1_0": {}, ".5": {}, "5.": {}, "": {}, " 1": {}, "-": {}, "99999999999": {false, true}} {
		if a, b := whole.accepts(text) == "", broken.accepts(text) == ""; a != want[0] || b != want[1] {
			t.Errorf("%q: integer %v, decimal %v", text, a, b)
		}
	}
}

// A component without the variable Active counts as active, one without Problem as without (B08.FR.07, B08.FR.10).
func TestReportsByCriterion(t *testing.T) {
	w := newWorld(t, nil)
	w.do(Connected{})
	ask := func(c v201.ComponentCriterionEnum) string {
		return w.ask(&v201.GetReportRequest{RequestId: 1, ComponentCriteria: []v201.ComponentCriterionEnum{c},
			ComponentVariable: []v201.ComponentVariable{{Component: v201.Component{Name: "EVSE", Evse: &v201.EVSE{Id: 1}}}}})
	}
	for c, want := range map[v201.ComponentCriterionEnum]string{v201.ComponentCriterionActive: "Accepted", v201.ComponentCriterionEnabled: "Accepted",
		v201.ComponentCriterionAvailable: "Accepted", v201.ComponentCriterionProblem: "EmptyResultSet"} {
		if got := ask(c); got != `{"status":"`+want+`"}` {
			t.Errorf("%s: %s", c, got)
		}
	}
	w.do(Fault{1, "E"})
	if got := ask(v201.ComponentCriterionProblem); got != `{"status":"Accepted"}` {
		t.Error(got)
	}
}

// The station as a whole is in the state of the best of its EVSEs.
func TestTheStateOfTheStation(t *testing.T) {
	w := newWorld(t, twoAC)
	w.do(Connected{})
	is := func(want string) {
		t.Helper()
		if got, _ := w.get("ChargingStation", "AvailabilityState"); got != want {
			t.Errorf("%s, not %s", got, want)
		}
	}
	is("Available")
	w.do(Plugged{1})
	is("Available")
	w.do(Plugged{2})
	is("Occupied")
	w.do(Fault{1, "x"})
	is("Occupied")
	w.do(Fault{2, "x"})
	is("Faulted")
	w.do(Fault{2, ""})
	w.do(Unplugged{2})
	w.ask(&v201.ChangeAvailabilityRequest{OperationalStatus: v201.OperationalStatusInoperative, Evse: &v201.EVSE{Id: 2}})
	is("Unavailable")
}
