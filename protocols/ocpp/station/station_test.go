package station

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/ocpp/profile"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

var t0 = time.Date(2024, 3, 1, 10, 0, 0, 0, time.UTC)

// world is a station with a CSMS that answers at once and a database that commits at once, unless told otherwise.
type world struct {
	t        *testing.T
	s        *Station
	now      time.Time
	disk     map[string][]byte
	answers  map[string]func(rpc.Message) rpc.Message // by action
	requests []rpc.Message                            // what the CSMS got
	raw      []string
	effects  []Effect // what is not handled here
	results  map[string]string
	deadline time.Time
	ids      int
	noCommit bool
	saves    []Save
	mute     bool
	refuse   string // an action that the CSMS answers with an error
	cfg      Config
	inbox    []Event
	busy     bool
}

func newWorld(t *testing.T, change func(*Config)) *world {
	w := &world{t: t, now: t0, disk: map[string][]byte{}, answers: map[string]func(rpc.Message) rpc.Message{}, results: map[string]string{}}
	w.cfg = Config{Identity: "CS1", Vendor: "Voltyard", Model: "Test", NewID: func() string { w.ids++; return fmt.Sprintf("id%d", w.ids) },
		EVSEs: []EVSEConfig{{ConnectorType: "cType2", Rating: profile.Rating{Phases: 3, Volts: 230, Max: 32}},
			{ConnectorType: "cCCS2", DC: true, Rating: profile.Rating{Phases: 3, Volts: 230, Power: 50000}}}}
	if change != nil {
		change(&w.cfg)
	}
	w.answers["BootNotification"] = func(rpc.Message) rpc.Message {
		return &v201.BootNotificationResponse{CurrentTime: w.now, Interval: 300, Status: v201.RegistrationStatusAccepted}
	}
	w.answers["Authorize"] = func(q rpc.Message) rpc.Message {
		st := v201.AuthorizationStatusAccepted
		if strings.HasPrefix(q.(*v201.AuthorizeRequest).IdToken.IdToken, "BAD") {
			st = v201.AuthorizationStatusInvalid
		}
		return &v201.AuthorizeResponse{IdTokenInfo: v201.IdTokenInfo{Status: st}}
	}
	w.start()
	return w
}

func (w *world) start() {
	s, err := New(w.cfg, w.disk, w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	w.s = s
}

// do feeds an event and what follows from its effects, one after the other.
func (w *world) do(ev Event) {
	w.t.Helper()
	w.inbox = append(w.inbox, ev)
	if w.busy {
		return
	}
	w.busy = true
	for len(w.inbox) > 0 {
		ev := w.inbox[0]
		w.inbox = w.inbox[1:]
		w.step(ev)
	}
	w.busy = false
}

func (w *world) step(ev Event) {
	w.t.Helper()
	for _, e := range w.s.Step(w.now, ev, nil) {
		switch e := e.(type) {
		case Write:
			w.got(e.Raw)
		case Save:
			if w.noCommit {
				w.saves = append(w.saves, e)
				continue
			}
			w.commit(e)
		case Deadline:
			w.deadline = e.At
		default:
			w.effects = append(w.effects, e)
		}
	}
}

func (w *world) commit(e Save) {
	for _, op := range e.Ops {
		if op.Value == nil {
			delete(w.disk, op.Key)
		} else {
			w.disk[op.Key] = op.Value
		}
	}
	w.do(Stored{Token: e.Token})
}

// got is the CSMS: it checks each frame against the schema and answers requests.
func (w *world) got(raw []byte) {
	w.t.Helper()
	w.raw = append(w.raw, string(raw))
	f, err := rpc.Parse(raw)
	if err != nil {
		w.t.Fatalf("the station sent %s: %v", raw, err)
	}
	switch f.Type {
	case rpc.CallResult:
		w.results[f.ID] = string(f.Payload)
	case rpc.CallError:
		w.results[f.ID] = string(f.Code)
	case rpc.Call:
		info := v201.Actions[f.Action]
		q := info.Request()
		if err := q.UnmarshalJSON(f.Payload); err != nil || info.Direction&rpc.FromStation == 0 {
			w.t.Fatalf("the station sent %s: %v", raw, err)
		}
		w.requests = append(w.requests, q)
		if w.mute {
			return
		}
		if f.Action == w.refuse {
			w.do(Message{rpc.AppendError(nil, rpc.V201, f.ID, rpc.InternalError, "")})
			return
		}
		res := info.Response()
		if a := w.answers[f.Action]; a != nil {
			res = a(q)
		} else if f.Action == "Heartbeat" {
			res = &v201.HeartbeatResponse{CurrentTime: w.now}
		}
		w.do(Message{rpc.AppendResult(nil, f.ID, res.AppendJSON(nil))})
	}
}

// ask sends a request of the CSMS and returns the answer, "" when there is none yet.
func (w *world) ask(q rpc.Message) string {
	w.t.Helper()
	if err := q.Check(); err != nil {
		w.t.Fatal(err)
	}
	w.ids++
	id := fmt.Sprintf("csms%d", w.ids)
	w.do(Message{rpc.AppendCall(nil, id, q.ActionName(), q.AppendJSON(nil))})
	return w.results[id]
}

// wait lets time pass, with all deadlines.
func (w *world) wait(d time.Duration) {
	w.t.Helper()
	end := w.now.Add(d)
	for !w.deadline.IsZero() && !w.deadline.After(end) {
		w.now = w.deadline
		w.deadline = time.Time{}
		w.do(Tick{})
	}
	w.now = end
}

// events lists the transaction events that the CSMS got, in short.
func (w *world) events() []string {
	var out []string
	for _, q := range w.requests {
		if e, ok := q.(*v201.TransactionEventRequest); ok {
			line := fmt.Sprintf("%s %s %d %s", e.EventType, e.TriggerReason, e.SeqNo, e.TransactionInfo.ChargingState)
			if e.TransactionInfo.StoppedReason != "" {
				line += " " + string(e.TransactionInfo.StoppedReason)
			}
			if e.Offline != nil {
				line += " offline"
			}
			out = append(out, line)
		}
	}
	return out
}

func (w *world) lastEvent() *v201.TransactionEventRequest {
	for _, q := range slices.Backward(w.requests) {
		if e, ok := q.(*v201.TransactionEventRequest); ok {
			return e
		}
	}
	w.t.Fatal("no transaction event")
	return nil
}

func (w *world) wantEvents(want ...string) {
	w.t.Helper()
	if got := w.events(); !slices.Equal(got, want) {
		w.t.Fatalf("events:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func (w *world) permit(evse int) (Permit, bool) {
	for _, e := range slices.Backward(w.effects) {
		if p, ok := e.(Permit); ok && p.EVSE == evse {
			return p, true
		}
	}
	return Permit{}, false
}

func (w *world) limit(evse int) profile.Limit {
	for _, e := range slices.Backward(w.effects) {
		if p, ok := e.(Limit); ok && p.EVSE == evse {
			return p.Limit
		}
	}
	w.t.Fatal("no limit was told")
	return profile.Limit{}
}

func card(id string) v201.IdToken { return v201.IdToken{IdToken: id, Type: v201.IdTokenISO14443} }

func (w *world) energy(evse int, wh float64) {
	w.do(Reading{EVSE: evse, Energy: si.WattHours(wh), Power: 6900, Amps: si.Same(10), Volts: [3]si.Volts{230, 230, 230}, SoC: -1})
}

func TestOneWholeTransaction(t *testing.T) {
	w := newWorld(t, nil)
	w.do(Connected{})
	w.do(Plugged{1})
	w.energy(1, 1000)
	w.do(Presented{1, card("ABC")})
	if p, _ := w.permit(1); !p.Allowed {
		t.Fatal("not permitted")
	}
	w.do(Flow{1, v201.ChargingStateCharging, 3})
	w.wait(61 * time.Second)
	w.energy(1, 1100)
	w.do(Flow{1, v201.ChargingStateSuspendedEV, 3})
	w.do(Presented{1, card("abc")}) // the same card
	w.do(Unplugged{1})
	w.wantEvents("Started Authorized 0 EVConnected", "Updated ChargingStateChanged 1 Charging", "Updated MeterValuePeriodic 2 Charging",
		"Updated ChargingStateChanged 3 SuspendedEV", "Ended StopAuthorized 4 EVConnected Local")
	var kinds []string
	for _, q := range w.requests {
		if _, ok := q.(*v201.TransactionEventRequest); !ok {
			kinds = append(kinds, q.ActionName())
		}
	}
	if got := strings.Join(kinds, " "); got != "BootNotification StatusNotification StatusNotification SecurityEventNotification StatusNotification Authorize StatusNotification" {
		t.Errorf("also sent: %s", got)
	}
	last := w.lastEvent()
	if last.MeterValue[1].SampledValue[0].Value != 1100 || last.MeterValue[1].SampledValue[0].Context != v201.ReadingContextTransactionEnd {
		t.Errorf("last reading: %+v", last.MeterValue)
	}
	if w.s.Unacknowledged() != 0 || len(w.disk) != 2 { // the cache entry and the security log stay
		t.Errorf("%d unacknowledged, left on disk: %v", w.s.Unacknowledged(), w.disk)
	}
}

func TestRefusedTokenAndRemoteStartAndStop(t *testing.T) {
	w := newWorld(t, nil)
	w.do(Connected{})
	w.do(Plugged{2})
	w.do(Presented{2, card("BAD1")})
	if p, ok := w.permit(2); !ok || p.Allowed {
		t.Fatal("a refused token must be told")
	}
	got := w.ask(&v201.RequestStartTransactionRequest{EvseId: new(2), RemoteStartId: 9, IdToken: card("R"), ChargingProfile: &v201.ChargingProfile{Id: 4,
		ChargingProfilePurpose: v201.ChargingProfilePurposeTxProfile, ChargingProfileKind: v201.ChargingProfileKindRelative,
		ChargingSchedule: []v201.ChargingSchedule{{Id: 1, ChargingRateUnit: v201.ChargingRateUnitW, ChargingSchedulePeriod: []v201.ChargingSchedulePeriod{{Limit: 11000}}}}}})
	if got != `{"status":"Accepted"}` {
		t.Fatal(got)
	}
	if l := w.limit(2); l.Watts != 11000 {
		t.Errorf("limit %v", l)
	}
	start := w.lastEvent()
	if start.TransactionInfo.RemoteStartId == nil || *start.TransactionInfo.RemoteStartId != 9 || start.IdToken == nil {
		t.Errorf("%+v", start)
	}
	if got := w.ask(&v201.GetTransactionStatusRequest{TransactionId: start.TransactionInfo.TransactionId}); got != `{"ongoingIndicator":true,"messagesInQueue":false}` {
		t.Error(got)
	}
	if got := w.ask(&v201.RequestStopTransactionRequest{TransactionId: "nope"}); !strings.Contains(got, "Rejected") {
		t.Error(got)
	}
	if got := w.ask(&v201.RequestStopTransactionRequest{TransactionId: start.TransactionInfo.TransactionId}); got != `{"status":"Accepted"}` {
		t.Error(got)
	}
	w.wantEvents("Started RemoteStart 0 EVConnected", "Ended RemoteStop 1 EVConnected Remote")
	if l := w.limit(2); l.Watts != 50000 { // the TxProfile went with the transaction, K02.FR.05
		t.Errorf("limit %v", l)
	}
}

func TestOfflineEventsAreDeliveredMarkedAndInOrder(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Variables = map[string]string{"AuthCtrlr.OfflineTxForUnknownIdEnabled": "true"} })
	w.do(Connected{})
	w.do(Plugged{1})
	w.do(Presented{1, card("A")})
	w.do(Disconnected{})
	w.do(Flow{1, v201.ChargingStateCharging, 3})
	w.do(Plugged{2})
	w.do(Presented{2, card("UNKNOWN")})
	w.do(Unplugged{1})
	w.wantEvents("Started Authorized 0 EVConnected")
	w.now = w.now.Add(time.Hour)
	w.answers["TransactionEvent"] = func(q rpc.Message) rpc.Message {
		r := &v201.TransactionEventResponse{}
		if e := q.(*v201.TransactionEventRequest); e.IdToken != nil {
			r.IdTokenInfo = &v201.IdTokenInfo{Status: v201.AuthorizationStatusInvalid}
		}
		return r
	}
	w.do(Connected{})
	w.wantEvents("Started Authorized 0 EVConnected", "Updated ChargingStateChanged 1 Charging offline", "Started Authorized 0 EVConnected offline",
		"Ended EVCommunicationLost 2 Idle EVDisconnected offline", "Ended Deauthorized 1 EVConnected DeAuthorized")
}

func TestRestartContinuesTheTransaction(t *testing.T) {
	w := newWorld(t, nil)
	w.do(Connected{})
	w.do(Plugged{1})
	w.energy(1, 500)
	w.do(Presented{1, card("A")})
	w.do(Flow{1, v201.ChargingStateCharging, 3})
	w.energy(1, 700)
	w.wait(time.Minute)
	w.mute = true
	w.do(Flow{1, v201.ChargingStateSuspendedEV, 3}) // sent, never answered
	w.mute = false
	w.start()
	w.do(Connected{})
	w.do(Plugged{1})
	if p, _ := w.permit(1); !p.Allowed || p.Token.IdToken != "A" {
		t.Fatalf("the restored transaction is not permitted: %+v", p)
	}
	w.energy(1, 10) // the meter began anew
	w.do(Flow{1, v201.ChargingStateCharging, 3})
	w.energy(1, 60)
	w.do(Unplugged{1})
	w.wantEvents("Started Authorized 0 EVConnected", "Updated ChargingStateChanged 1 Charging", "Updated MeterValuePeriodic 2 Charging",
		"Updated ChargingStateChanged 3 SuspendedEV", "Updated ChargingStateChanged 3 SuspendedEV", "Updated ChargingStateChanged 4 Charging",
		"Ended EVCommunicationLost 5 Idle EVDisconnected")
	var sent []string
	for _, r := range w.raw {
		if strings.Contains(r, `"seqNo":3`) {
			sent = append(sent, r[strings.Index(r, "TransactionEvent"):])
		}
	}
	if len(sent) != 2 || sent[0] != sent[1] {
		t.Errorf("the repeat differs:\n%s", strings.Join(sent, "\n"))
	}
	end := w.lastEvent()
	if v := end.MeterValue[len(end.MeterValue)-1].SampledValue[0].Value; v != 750 {
		t.Errorf("register %v at the end, want 750", v)
	}
}

func TestVehicleGoneDuringAnOutageOfOurOwn(t *testing.T) {
	w := newWorld(t, nil)
	w.do(Connected{})
	w.do(Plugged{1})
	w.do(Presented{1, card("A")})
	w.start()
	w.do(Connected{})
	w.do(Unplugged{1})
	w.wantEvents("Started Authorized 0 EVConnected", "Ended EVCommunicationLost 1 Idle PowerLoss")
}

func TestNothingIsPromisedBeforeTheCommit(t *testing.T) {
	w := newWorld(t, nil)
	w.do(Connected{})
	w.noCommit = true
	set := &v201.SetChargingProfileRequest{EvseId: 0, ChargingProfile: v201.ChargingProfile{Id: 1, StackLevel: 3,
		ChargingProfilePurpose: v201.ChargingProfilePurposeChargingStationMaxProfile, ChargingProfileKind: v201.ChargingProfileKindAbsolute,
		ChargingSchedule: []v201.ChargingSchedule{{Id: 1, StartSchedule: t0, ChargingRateUnit: v201.ChargingRateUnitA, ChargingSchedulePeriod: []v201.ChargingSchedulePeriod{{Limit: 10}}}}}}
	if got := w.ask(set); got != "" {
		t.Fatalf("answered %s before the commit", got)
	}
	w.commit(w.saves[0])
	if !slices.ContainsFunc(w.raw, func(r string) bool { return strings.Contains(r, `{"status":"Accepted"}`) }) {
		t.Error("no answer after the commit")
	}
	w.do(Plugged{1})
	before := len(w.events())
	w.do(Presented{1, card("A")})
	if len(w.events()) != before {
		t.Error("an event was sent before it was durable")
	}
	w.do(Stored{Token: w.saves[len(w.saves)-1].Token, Err: fmt.Errorf("disk full")})
	if p, _ := w.permit(1); !p.Allowed {
		t.Error("a full disk must not stop charging")
	}
	w.noCommit = false
	w.wait(6 * time.Second)
	w.wantEvents("Started Authorized 0 EVConnected")
	if l := w.limit(1); l.Amps != 10 {
		t.Errorf("limit %v", l)
	}
	w.start() // K01.FR.27
	w.do(Connected{})
	if l := w.limit(1); l.Amps != 10 {
		t.Errorf("limit after the restart %v", l)
	}
}

func TestBootIsRepeatedUntilAccepted(t *testing.T) {
	w := newWorld(t, nil)
	status := v201.RegistrationStatusRejected
	w.answers["BootNotification"] = func(rpc.Message) rpc.Message {
		return &v201.BootNotificationResponse{CurrentTime: w.now, Interval: 20, Status: status}
	}
	w.do(Connected{})
	w.do(Plugged{1})
	if got := w.ask(&v201.GetVariablesRequest{GetVariableData: []v201.GetVariableData{{Component: v201.Component{Name: "a"}, Variable: v201.Variable{Name: "b"}}}}); got != "SecurityError" {
		t.Error(got)
	}
	w.wait(19 * time.Second)
	if len(w.requests) != 1 {
		t.Fatalf("%d requests", len(w.requests))
	}
	status = v201.RegistrationStatusPending
	w.wait(time.Second)
	if got := w.ask(&v201.TriggerMessageRequest{RequestedMessage: v201.MessageTriggerBootNotification}); got != `{"status":"Accepted"}` {
		t.Error(got)
	}
	status = v201.RegistrationStatusAccepted
	w.wait(20 * time.Second)
	if n := len(w.requests); n != 7 { // 4 boots, 2 states of connectors, the security event of the start
		t.Errorf("%d requests", n)
	}
	w.wait(301 * time.Second)
	if w.requests[len(w.requests)-1].ActionName() != "BootNotification" && w.s.Accepted() == false {
		t.Error("not accepted")
	}
}
