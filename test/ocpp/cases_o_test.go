package ocpp

import (
	"testing"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/station"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

func newDisplay(t *testing.T) *sut {
	s := newSUT(t)
	s.cfg.Display = true
	s.start()
	return s.boot()
}

func message(id int, change ...func(*v201.MessageInfo)) v201.MessageInfo {
	m := v201.MessageInfo{Id: id, Priority: v201.MessagePriorityNormalCycle, Message: v201.MessageContent{Format: v201.MessageFormatUTF8, Content: "Hello"}}
	for _, f := range change {
		f(&m)
	}
	return m
}

func (s *sut) display(m v201.MessageInfo) v201.DisplayMessageStatusEnum {
	s.Helper()
	return ask[*v201.SetDisplayMessageResponse](s, &v201.SetDisplayMessageRequest{Message: m}).Status
}

func (s *sut) displayed(m v201.MessageInfo) {
	s.Helper()
	st := s.display(m)
	s.want("accepted", st == v201.DisplayMessageStatusAccepted, st)
}

// shows is what the display of EVSE n shows in turn.
func (s *sut) shows(n int) (ids []int) {
	for _, e := range s.effects {
		if v, ok := e.(station.Show); ok && v.EVSE == n {
			ids = nil
			for _, m := range v.Messages {
				ids = append(ids, m.Id)
			}
		}
	}
	return ids
}

func (s *sut) wantShown(n int, want ...int) {
	s.Helper()
	got := s.shows(n)
	same := len(got) == len(want)
	for i := range got {
		same = same && got[i] == want[i]
	}
	s.want("shown", same, got, want)
}

// messages asks for messages and returns the ids told, nil when there are none.
func (s *sut) messages(q *v201.GetDisplayMessagesRequest) (ids []int) {
	s.Helper()
	q.RequestId = 8
	if ask[*v201.GetDisplayMessagesResponse](s, q).Status == v201.GetDisplayMessagesStatusUnknown {
		none[*v201.NotifyDisplayMessagesRequest](s)
		return nil
	}
	for {
		n := next[*v201.NotifyDisplayMessagesRequest](s)
		s.want("request", n.RequestId == 8, n)
		for _, m := range n.MessageInfo {
			ids = append(ids, m.Id)
		}
		if n.Tbc == nil || !*n.Tbc {
			return ids
		}
	}
}

func TestCasesO(t *testing.T) {
	priority := func(p v201.MessagePriorityEnum) func(*v201.MessageInfo) {
		return func(m *v201.MessageInfo) { m.Priority = p }
	}
	state := func(st v201.MessageStateEnum) func(*v201.MessageInfo) {
		return func(m *v201.MessageInfo) { m.State = st }
	}
	of := func(tx string) func(*v201.MessageInfo) { return func(m *v201.MessageInfo) { m.TransactionId = tx } }
	get := func() *v201.GetDisplayMessagesRequest { return &v201.GetDisplayMessagesRequest{} }
	front, always := priority(v201.MessagePriorityInFront), priority(v201.MessagePriorityAlwaysFront)
	// transaction gives a message to a transaction, or leaves it to all.
	type made func(s *sut, tx bool) []func(*v201.MessageInfo)
	var opts made = func(s *sut, tx bool) []func(*v201.MessageInfo) {
		if !tx {
			return nil
		}
		return []func(*v201.MessageInfo){of(s.begin(1))}
	}
	starts := func(tx bool) func(*testing.T) { // O01.FR.06, O02.FR.06
		return func(t *testing.T) {
			s := newDisplay(t)
			m := message(1, opts(s, tx)...)
			m.StartDateTime = s.now.Add(time.Minute)
			s.displayed(m)
			s.wantShown(1)
			s.wait(time.Minute)
			s.wantShown(1, 1)
		}
	}
	ends := func(tx bool) func(*testing.T) { // O01.FR.07, O02.FR.07
		return func(t *testing.T) {
			s := newDisplay(t)
			m := message(1, opts(s, tx)...)
			m.EndDateTime = s.now.Add(time.Minute)
			s.displayed(m)
			s.wantShown(1, 1)
			s.wait(time.Minute)
			s.wantShown(1)
			s.want("removed", s.messages(get()) == nil)
		}
	}
	cycled := func(tx bool) func(*testing.T) { // O01.FR.14, O02.FR.16
		return func(t *testing.T) {
			s := newDisplay(t)
			o := opts(s, tx)
			s.displayed(message(1))
			s.displayed(message(2, append(o, front)...))
			s.displayed(message(3, append(o, front)...))
			s.wantShown(1, 2, 3)
		}
	}
	newest := func(tx bool) func(*testing.T) { // O01.FR.16, O02.FR.18
		return func(t *testing.T) {
			s := newDisplay(t)
			o := opts(s, tx)
			s.displayed(message(1, front))
			s.displayed(message(2, append(o, always)...))
			s.displayed(message(3, append(o, always)...))
			s.wantShown(1, 3)
		}
	}
	in := func(st v201.MessageStateEnum, enter func(*sut)) func(*testing.T) {
		return func(t *testing.T) {
			s := newDisplay(t)
			s.displayed(message(1, state(st)))
			s.wantShown(1)
			enter(s)
			s.wantShown(1, 1)
			s.wantShown(2)
		}
	}
	runCases(t, []testCase{
		{"TC_O_01_CS", func(t *testing.T) { // O01.FR.12
			s := newDisplay(t)
			s.displayed(message(1))
			s.wantShown(1, 1)
			s.wantShown(2, 1)
		}},
		{"TC_0_02_CS", func(t *testing.T) { // O03.FR.01 to FR.05
			s := newDisplay(t)
			s.displayed(message(1))
			s.displayed(message(2, front))
			s.want("both", len(s.messages(get())) == 2)
			for i := range 20 {
				s.displayed(message(10 + i))
			}
			s.want("in parts", len(s.messages(get())) == 22)
		}},
		{"TC_O_03_CS", func(t *testing.T) { // O03.FR.06
			s := newDisplay(t)
			s.want("none", s.messages(get()) == nil)
		}},
		{"TC_O_04_CS", func(t *testing.T) { // O05.FR.01
			s := newDisplay(t)
			s.displayed(message(1))
			s.want("accepted", ask[*v201.ClearDisplayMessageResponse](s, &v201.ClearDisplayMessageRequest{Id: 1}).Status == v201.ClearMessageStatusAccepted)
			s.wantShown(1)
			s.want("gone", s.messages(get()) == nil)
		}},
		{"TC_O_05_CS", func(t *testing.T) { // O05.FR.02
			s := newDisplay(t)
			s.want("unknown", ask[*v201.ClearDisplayMessageResponse](s, &v201.ClearDisplayMessageRequest{Id: 1}).Status == v201.ClearMessageStatusUnknown)
		}},
		{"TC_0_06_CS", func(t *testing.T) { // O02.FR.02, FR.14
			s := newDisplay(t)
			s.displayed(message(1, of(s.begin(1))))
			s.wantShown(1, 1)
			s.wantShown(2)
			s.unplug(1)
			s.wantShown(1)
			s.want("gone with it", s.messages(get()) == nil)
		}},
		{"TC_0_07_CS", func(t *testing.T) { // O04.FR.01
			s := newDisplay(t)
			s.displayed(message(1))
			s.displayed(message(2))
			q := get()
			q.Id = []int{2}
			ids := s.messages(q)
			s.want("that one", len(ids) == 1 && ids[0] == 2, ids)
		}},
		{"TC_O_08_CS", func(t *testing.T) {
			s := newDisplay(t)
			s.displayed(message(1))
			s.displayed(message(2, front))
			q := get()
			q.Priority = v201.MessagePriorityInFront
			ids := s.messages(q)
			s.want("that one", len(ids) == 1 && ids[0] == 2, ids)
		}},
		{"TC_O_09_CS", func(t *testing.T) {
			s := newDisplay(t)
			s.displayed(message(1, state(v201.MessageStateIdle)))
			s.displayed(message(2, state(v201.MessageStateCharging)))
			q := get()
			q.State = v201.MessageStateCharging
			ids := s.messages(q)
			s.want("that one", len(ids) == 1 && ids[0] == 2, ids)
		}},
		{"TC_0_10_CS", func(t *testing.T) { // O02.FR.01
			s := newDisplay(t)
			s.want("unknown", s.display(message(1, of("nothing"))) == v201.DisplayMessageStatusUnknownTransaction)
		}},
		{"TC_0_11_CS", func(t *testing.T) { // O04.FR.02
			s := newDisplay(t)
			s.displayed(message(1))
			q := get()
			q.Id, q.Priority = []int{5}, v201.MessagePriorityInFront
			s.want("none", s.messages(q) == nil)
		}},
		{"TC_O_12_CS", func(t *testing.T) { // O06.FR.01
			s := newDisplay(t)
			s.displayed(message(1))
			s.displayed(message(1, func(m *v201.MessageInfo) { m.Message.Content = "Other" }))
			s.wantShown(1, 1)
			show := s.effects[len(s.effects)-1].(station.Show)
			s.want("replaced", show.Messages[0].Message.Content == "Other", show)
		}},
		{"TC_0_13_CS", starts(false)},
		{"TC_0_14_CS", ends(false)},
		{"TC_O_19_CS", func(t *testing.T) { // O01.FR.03
			s := newDisplay(t)
			for _, f := range []v201.MessageFormatEnum{v201.MessageFormatHTML, v201.MessageFormatURI} {
				st := s.display(message(1, func(m *v201.MessageInfo) { m.Message.Format = f }))
				s.want("not supported", st == v201.DisplayMessageStatusNotSupportedMessageFormat, st)
			}
			s.wantShown(1)
			s.want("not kept", s.messages(get()) == nil)
		}},
		{"TC_0_20_CS", func(t *testing.T) { // O01.FR.10
			s := newDisplay(t)
			s.displayed(message(1))
			s.effects = nil
			s.reboot()
			s.wantShown(1, 1)
			s.want("there", len(s.messages(get())) == 1)
		}},
		{"TC_0_22_CS", cycled(false)},
		{"TC_0_24_CS", newest(false)},
		{"TC_0_27_CS", starts(true)},
		{"TC_O_28_CS", ends(true)},
		{"TC_0_30_CS", cycled(true)},
		{"TC_0_32_CS", newest(true)},
		{"TC_O_33_CS", func(t *testing.T) { // O04.FR.07
			s := newDisplay(t)
			q := get()
			q.Id = []int{1}
			s.want("none", s.messages(q) == nil)
		}},
		{"TC_O_34_CS", func(t *testing.T) { // O04.FR.02
			s := newDisplay(t)
			s.displayed(message(1, state(v201.MessageStateIdle)))
			q := get()
			q.Id, q.State = []int{1}, v201.MessageStateCharging
			s.want("none", s.messages(q) == nil)
		}},
		{"TC_0_35_CS", func(t *testing.T) { // O04.FR.02
			s := newDisplay(t)
			s.displayed(message(1))
			q := get()
			q.Id, q.Priority = []int{1}, v201.MessagePriorityAlwaysFront
			s.want("none", s.messages(q) == nil)
		}},
		{"TC_0_36_CS", in(v201.MessageStateCharging, func(s *sut) { s.begin(1) })},
		{"TC_0_37_CS", func(t *testing.T) {
			s := newDisplay(t)
			s.displayed(message(1, state(v201.MessageStateIdle)))
			s.wantShown(1, 1)
			s.begin(1)
			s.wantShown(1)
			s.wantShown(2, 1)
		}},
		{"TC_O_38_CS", in(v201.MessageStateUnavailable, func(s *sut) {
			ask[*v201.ChangeAvailabilityResponse](s, &v201.ChangeAvailabilityRequest{Evse: &v201.EVSE{Id: 1}, OperationalStatus: v201.OperationalStatusInoperative})
		})},
		{"TC_O_39_CS", in(v201.MessageStateFaulted, func(s *sut) { s.do(station.Fault{EVSE: 1, Code: "GroundFault"}) })},
	})
}
