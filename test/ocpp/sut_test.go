package ocpp

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/ocpp/profile"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/station"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

var sutFlag = flag.String("sut", "station", "what is tested: station, or mute (a station that says nothing, to show that every test can fail)")

var start = time.Date(2024, 3, 1, 10, 0, 0, 0, time.UTC)

// sut is a charging station under test in virtual time, with the CSMS that the test plays. Every frame of the station is
// checked against the schema.
type sut struct {
	*testing.T
	st       *station.Station
	cfg      station.Config
	now      time.Time
	deadline time.Time
	disk     map[string][]byte
	inbox    []station.Event
	busy     bool
	ids      int
	online   bool
	mute     bool // the CSMS does not answer
	got      []rpc.Message
	read     int // of got, by next
	answers  map[string]rpc.Message
	faults   map[string]string
	reply    map[string]func(rpc.Message) rpc.Message
	refuse   map[string]int // by action: how many calls the CSMS answers with an error
	permits  map[int]bool
	limits   map[int]profile.Limit
	effects  []station.Effect
}

func newSUT(t *testing.T, vars ...string) *sut {
	s := &sut{T: t, now: start, disk: map[string][]byte{}, answers: map[string]rpc.Message{}, faults: map[string]string{}, reply: map[string]func(rpc.Message) rpc.Message{},
		refuse: map[string]int{}, permits: map[int]bool{}, limits: map[int]profile.Limit{}}
	ac := profile.Rating{Phases: 3, Volts: 230, Max: 32}
	s.cfg = station.Config{Identity: "CS1", Vendor: "Voltyard", Model: "SUT", NewID: func() string { s.ids++; return fmt.Sprintf("id-%d", s.ids) },
		EVSEs: []station.EVSEConfig{{ConnectorType: "cType2", Rating: ac}, {ConnectorType: "cType2", Rating: ac}}, Variables: map[string]string{}}
	for i := 0; i+1 < len(vars); i += 2 {
		s.cfg.Variables[vars[i]] = vars[i+1]
	}
	s.start()
	return s
}

func (s *sut) start() {
	s.Helper()
	st, err := station.New(s.cfg, s.disk, s.now)
	if err != nil {
		s.Fatal(err)
	}
	s.st, s.online, s.deadline = st, false, time.Time{}
}

// reboot restarts the station from what it has stored, and connects it.
func (s *sut) reboot() {
	s.Helper()
	s.start()
	s.connect()
}

func (s *sut) do(ev station.Event) {
	s.Helper()
	if *sutFlag == "mute" {
		return
	}
	s.inbox = append(s.inbox, ev)
	if s.busy {
		return
	}
	s.busy = true
	defer func() { s.busy = false }()
	for len(s.inbox) > 0 {
		ev := s.inbox[0]
		s.inbox = s.inbox[1:]
		for _, e := range s.st.Step(s.now, ev, nil) {
			s.effect(e)
		}
	}
}

func (s *sut) effect(e station.Effect) {
	s.Helper()
	switch e := e.(type) {
	case station.Write:
		s.frame(e.Raw)
	case station.Deadline:
		s.deadline = e.At
	case station.Save:
		for _, op := range e.Ops {
			if op.Value == nil {
				delete(s.disk, op.Key)
			} else {
				s.disk[op.Key] = op.Value
			}
		}
		s.do(station.Stored{Token: e.Token})
	case station.Permit:
		s.permits[e.EVSE] = e.Allowed
	case station.Limit:
		s.limits[e.EVSE] = e.Limit
	case station.Unlock:
		s.do(station.Unlocked{EVSE: e.EVSE, OK: true})
	case station.ClaimUpdate:
		s.do(station.UpdateClaimed{Request: e.Request})
	default:
		s.effects = append(s.effects, e)
	}
}

func (s *sut) frame(raw []byte) {
	s.Helper()
	f, err := rpc.Parse(raw)
	if err != nil {
		s.Fatalf("the station sent %s: %v", raw, err)
	}
	switch f.Type {
	case rpc.CallResult:
		action := strings.SplitN(f.ID, ":", 2)[0]
		res := v201.Actions[action].Response()
		if err := res.UnmarshalJSON(f.Payload); err != nil {
			s.Fatalf("the station answered %s: %v", raw, err)
		}
		s.answers[f.ID] = res
	case rpc.CallError:
		s.faults[f.ID] = string(f.Code)
	case rpc.Call:
		info := v201.Actions[f.Action]
		q := info.Request()
		if err := q.UnmarshalJSON(f.Payload); err != nil {
			s.Fatalf("the station sent %s: %v", raw, err)
		}
		s.got = append(s.got, q)
		if s.mute || !s.online {
			return
		}
		if s.refuse[f.Action] > 0 {
			s.refuse[f.Action]--
			s.do(station.Message{Raw: []byte(fmt.Sprintf(`[4,%q,"InternalError","",{}]`, f.ID))})
			return
		}
		s.do(station.Message{Raw: rpc.AppendResult(nil, f.ID, s.response(q, info).AppendJSON(nil))})
	}
}

func (s *sut) response(q rpc.Message, info rpc.ActionInfo) rpc.Message {
	if r := s.reply[q.ActionName()]; r != nil {
		return r(q)
	}
	switch q.(type) {
	case *v201.BootNotificationRequest:
		return &v201.BootNotificationResponse{CurrentTime: s.now, Interval: 300, Status: v201.RegistrationStatusAccepted}
	case *v201.HeartbeatRequest:
		return &v201.HeartbeatResponse{CurrentTime: s.now}
	case *v201.AuthorizeRequest:
		return &v201.AuthorizeResponse{IdTokenInfo: v201.IdTokenInfo{Status: v201.AuthorizationStatusAccepted}}
	}
	return info.Response()
}

func (s *sut) connect() { s.online = true; s.do(station.Connected{}) }

func (s *sut) disconnect() { s.online = false; s.do(station.Disconnected{}) }

// boot connects the station and reads what it says at first.
func (s *sut) boot() *sut {
	s.Helper()
	s.connect()
	next[*v201.BootNotificationRequest](s)
	next[*v201.StatusNotificationRequest](s)
	next[*v201.StatusNotificationRequest](s)
	return s
}

// wait lets time pass.
func (s *sut) wait(d time.Duration) {
	s.Helper()
	end := s.now.Add(d)
	for !s.deadline.IsZero() && !s.deadline.After(end) {
		s.now, s.deadline = s.deadline, time.Time{}
		s.do(station.Tick{})
	}
	s.now = end
}

// next returns the next request of this type that the station sent; others are passed over.
func next[T rpc.Message](s *sut) T {
	s.Helper()
	for s.read < len(s.got) {
		m := s.got[s.read]
		s.read++
		if v, ok := m.(T); ok {
			return v
		}
	}
	var none T
	s.Fatalf("the station did not send %s", none.ActionName())
	return none
}

// none fails when an unread request of this type is there.
func none[T rpc.Message](s *sut) {
	s.Helper()
	for _, m := range s.got[s.read:] {
		if v, ok := m.(T); ok {
			s.Fatalf("the station sent %s", v.AppendJSON(nil))
		}
	}
}

// ask sends a request of the CSMS and returns the response of type P.
func ask[P rpc.Message](s *sut, q rpc.Message) P {
	s.Helper()
	res, ok := s.answers[s.send(q)].(P)
	if !ok {
		s.Fatalf("no answer to %s; errors: %v", q.ActionName(), s.faults)
	}
	return res
}

// fault sends a request and returns the code of the CALLERROR.
func (s *sut) fault(q rpc.Message) string {
	s.Helper()
	return s.faults[s.send(q)]
}

func (s *sut) send(q rpc.Message) string {
	s.Helper()
	s.ids++
	id := fmt.Sprintf("%s:%d", q.ActionName(), s.ids)
	if len(id) > rpc.MaxID {
		s.Fatal("id too long")
	}
	s.do(station.Message{Raw: rpc.AppendCall(nil, id, q.ActionName(), q.AppendJSON(nil))})
	return id
}

func (s *sut) want(what string, ok bool, got ...any) {
	s.Helper()
	if !ok {
		s.Fatalf("%s: %+v", what, got)
	}
}

func token(id string) v201.IdToken { return v201.IdToken{IdToken: id, Type: v201.IdTokenISO14443} }

func (s *sut) plug(n int)            { s.Helper(); s.do(station.Plugged{EVSE: n}) }
func (s *sut) unplug(n int)          { s.Helper(); s.do(station.Unplugged{EVSE: n}) }
func (s *sut) card(n int, id string) { s.Helper(); s.do(station.Presented{EVSE: n, Token: token(id)}) }
func (s *sut) charge(n int)          { s.flow(n, v201.ChargingStateCharging) }

func (s *sut) flow(n int, state v201.ChargingStateEnum) {
	s.Helper()
	s.do(station.Flow{EVSE: n, State: state, Phases: 3})
}

func (s *sut) meter(n int, wh float64) {
	s.Helper()
	s.do(station.Reading{EVSE: n, Energy: si.WattHours(wh), Power: 6900, Amps: si.Same(10), Volts: [3]si.Volts{230, 230, 230}, SoC: -1})
}

// begin starts a transaction at EVSE n and returns its id.
func (s *sut) begin(n int) string {
	s.Helper()
	s.meter(n, 1000)
	s.plug(n)
	s.card(n, "TAG")
	e := s.event(v201.TransactionEventStarted, "")
	s.charge(n)
	return e.TransactionInfo.TransactionId
}

// event returns the next transaction event, which must be of this kind and (if given) reason.
func (s *sut) event(kind v201.TransactionEventEnum, why v201.TriggerReasonEnum) *v201.TransactionEventRequest {
	s.Helper()
	for {
		e := next[*v201.TransactionEventRequest](s)
		if e.EventType == kind && (why == "" || e.TriggerReason == why) {
			return e
		}
	}
}

func (s *sut) status(want v201.ConnectorStatusEnum) {
	s.Helper()
	if n := next[*v201.StatusNotificationRequest](s); n.ConnectorStatus != want {
		s.Fatalf("status %s, want %s", n.ConnectorStatus, want)
	}
}

func variable(c, v string) (v201.Component, v201.Variable) {
	name, inst, _ := strings.Cut(v, "/")
	return v201.Component{Name: c}, v201.Variable{Name: name, Instance: inst}
}

func (s *sut) get(c, v string) v201.GetVariableResult {
	s.Helper()
	comp, va := variable(c, v)
	return ask[*v201.GetVariablesResponse](s, &v201.GetVariablesRequest{GetVariableData: []v201.GetVariableData{{Component: comp, Variable: va}}}).GetVariableResult[0]
}

func (s *sut) set(c, v, value string) v201.SetVariableStatusEnum {
	s.Helper()
	comp, va := variable(c, v)
	return ask[*v201.SetVariablesResponse](s, &v201.SetVariablesRequest{SetVariableData: []v201.SetVariableData{{Component: comp, Variable: va, AttributeValue: value}}}).SetVariableResult[0].AttributeStatus
}

// testCase is one of the Open Charge Alliance's test cases, written from the requirements that it cites.
type testCase struct {
	id  string
	run func(t *testing.T)
}

// runCases runs test cases as subtests named by their ids.
func runCases(t *testing.T, cases []testCase) {
	var seen []string
	for _, c := range cases {
		if slices.Contains(seen, c.id) {
			t.Fatalf("%s is there twice", c.id)
		}
		seen = append(seen, c.id)
		results[c.id] = t.Run(c.id, c.run)
	}
}
