package station

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

const (
	keyMessage   = "message/"
	mostMessages = 64
)

// Show is what the display of an EVSE shows in turn, on every change.
type Show struct {
	EVSE     int
	Messages []v201.MessageInfo // the first is the newest of the highest priority
}

func (Show) effect() {}

// display holds the messages of the CSMS (O01, O02).
type display struct {
	byID  map[int]v201.MessageInfo
	shown map[int][]int // ids last told, by EVSE
}

var noDisplay = &rpc.Error{Code: rpc.NotSupported, What: "this station has no display"}

func setDisplayMessage(s *Station, q *v201.SetDisplayMessageRequest) (rpc.Message, error) {
	status := func(st v201.DisplayMessageStatusEnum) (rpc.Message, error) {
		return &v201.SetDisplayMessageResponse{Status: st}, nil
	}
	m := q.Message
	if !s.cfg.Display || !s.model.flag("DisplayMessageCtrlr", "Enabled") {
		return nil, noDisplay
	}
	if m.Message.Format != v201.MessageFormatASCII && m.Message.Format != v201.MessageFormatUTF8 { // O01.FR.03, O02.FR.05
		return status(v201.DisplayMessageStatusNotSupportedMessageFormat)
	}
	if m.TransactionId != "" && s.evseOf(m.TransactionId) == nil { // O02.FR.01
		return status(v201.DisplayMessageStatusUnknownTransaction)
	}
	_, replaces := s.disp.byID[m.Id] // O06.FR.01
	ended := !m.EndDateTime.IsZero() && !m.EndDateTime.After(s.now)
	if ended || !replaces && len(s.disp.byID) >= mostMessages || m.Display != nil && !s.hasDisplay(m.Display) {
		return status(v201.DisplayMessageStatusRejected)
	}
	if m.Priority == v201.MessagePriorityAlwaysFront { // O01.FR.16, O02.FR.18: the newest one alone
		for _, id := range slices.Sorted(maps.Keys(s.disp.byID)) {
			if o := s.disp.byID[id]; o.Priority == m.Priority && o.TransactionId == m.TransactionId {
				s.dropMessage(id)
			}
		}
	}
	s.disp.byID[m.Id] = m
	s.save(keyMessage+itoa(m.Id), m) // O01.FR.10
	s.redraw()
	return status(v201.DisplayMessageStatusAccepted)
}

func (s *Station) evseOf(tx string) *evse {
	for _, e := range s.evses {
		if e.tx != nil && e.tx.ID == tx {
			return e
		}
	}
	return nil
}

// hasDisplay knows the displays of the whole station and of each EVSE.
func (s *Station) hasDisplay(c *v201.Component) bool {
	return c.Evse == nil || s.evse(c.Evse.Id) != nil
}

func (s *Station) dropMessage(id int) {
	delete(s.disp.byID, id)
	s.saves.put(keyMessage+itoa(id), nil)
}

// redraw forgets what was shown, as a message may have changed under its id.
func (s *Station) redraw() { s.disp.shown = map[int][]int{} }

func clearDisplayMessage(s *Station, q *v201.ClearDisplayMessageRequest) (rpc.Message, error) {
	if !s.cfg.Display {
		return nil, noDisplay
	}
	if _, ok := s.disp.byID[q.Id]; !ok { // O05.FR.02
		return &v201.ClearDisplayMessageResponse{Status: v201.ClearMessageStatusUnknown}, nil
	}
	s.dropMessage(q.Id)
	return &v201.ClearDisplayMessageResponse{Status: v201.ClearMessageStatusAccepted}, nil
}

func getDisplayMessages(s *Station, q *v201.GetDisplayMessagesRequest) (rpc.Message, error) {
	if !s.cfg.Display {
		return nil, noDisplay
	}
	var found []v201.MessageInfo
	for _, id := range slices.Sorted(maps.Keys(s.disp.byID)) {
		m := s.disp.byID[id]
		if (len(q.Id) == 0 || slices.Contains(q.Id, id)) && (q.Priority == "" || q.Priority == m.Priority) && (q.State == "" || q.State == m.State) {
			found = append(found, m)
		}
	}
	if found == nil { // O03.FR.06, O04.FR.02, O04.FR.07
		return &v201.GetDisplayMessagesResponse{Status: v201.GetDisplayMessagesStatusUnknown}, nil
	}
	s.then(func() {
		const most = 10
		sent := 0
		for part := range slices.Chunk(found, most) {
			sent += len(part)
			s.call(&v201.NotifyDisplayMessagesRequest{MessageInfo: part, RequestId: q.RequestId, Tbc: new(sent < len(found))}, nil)
		}
	})
	return &v201.GetDisplayMessagesResponse{Status: v201.GetDisplayMessagesStatusAccepted}, nil
}

// draw removes messages whose time is over and tells each EVSE's display what changed.
func (s *Station) draw() {
	for _, id := range slices.Sorted(maps.Keys(s.disp.byID)) {
		m := s.disp.byID[id]
		ended := !m.EndDateTime.IsZero() && !s.now.Before(m.EndDateTime) // O01.FR.07
		if ended || m.TransactionId != "" && s.evseOf(m.TransactionId) == nil {
			s.dropMessage(id) // O02.FR.02: with its transaction
		}
	}
	for _, e := range s.evses {
		list := s.visible(e)
		var ids []int
		for _, m := range list {
			ids = append(ids, m.Id)
		}
		if !slices.Equal(ids, s.disp.shown[e.n]) {
			s.disp.shown[e.n] = ids
			s.emit(Show{e.n, list})
		}
	}
}

// visible are the messages for an EVSE now: of the highest priority that is there.
func (s *Station) visible(e *evse) (list []v201.MessageInfo) {
	rank := []v201.MessagePriorityEnum{v201.MessagePriorityNormalCycle, v201.MessagePriorityInFront, v201.MessagePriorityAlwaysFront}
	best := 0
	for _, id := range slices.Sorted(maps.Keys(s.disp.byID)) {
		m := s.disp.byID[id]
		switch {
		case s.now.Before(m.StartDateTime): // O01.FR.06
		case m.State != "" && m.State != e.messageState():
		case m.TransactionId != "" && (e.tx == nil || e.tx.ID != m.TransactionId):
		case m.Display != nil && m.Display.Evse != nil && m.Display.Evse.Id != e.n:
		default:
			if r := slices.Index(rank, m.Priority); r > best {
				best, list = r, nil
			} else if r < best {
				continue
			}
			list = append(list, m)
		}
	}
	return e.understood(list)
}

// speak takes over the languages that the driver prefers, and shows what the CSMS says about the tariff (I01).
func (s *Station) speak(e *evse, info v201.IdTokenInfo) {
	if info.Status != v201.AuthorizationStatusAccepted {
		return
	}
	if l := [2]string{info.Language1, info.Language2}; l != e.languages && l[0] != "" {
		e.languages = l
		if e.tx != nil {
			e.tx.Languages = l
			s.save(keyTx+itoa(e.n), e.tx)
		}
	}
	if info.PersonalMessage != nil {
		s.emit(Personal{EVSE: e.n, Message: *info.PersonalMessage})
	}
}

// understood leaves out messages in other languages, when there are some in the driver's first or second, or else in English
// (C01.FR.08, C01.FR.09, C01.FR.13). What is in no language is for everyone, and without a driver everything is.
func (e *evse) understood(list []v201.MessageInfo) []v201.MessageInfo {
	if e.languages[0] == "" {
		return list
	}
	for _, want := range []string{e.languages[0], e.languages[1], "en"} {
		in := func(m v201.MessageInfo) bool { return want != "" && speaks(m.Message.Language, want) }
		if !slices.ContainsFunc(list, in) {
			continue
		}
		return slices.DeleteFunc(list, func(m v201.MessageInfo) bool { return m.Message.Language != "" && !in(m) })
	}
	return list
}

// speaks compares language tags by their language, de-AT is understood by who prefers de.
func speaks(tag, want string) bool {
	a, _, _ := strings.Cut(tag, "-")
	b, _, _ := strings.Cut(want, "-")
	return a != "" && strings.EqualFold(a, b)
}

func (e *evse) messageState() v201.MessageStateEnum {
	switch {
	case e.faulted != "":
		return v201.MessageStateFaulted
	case !e.serves():
		return v201.MessageStateUnavailable
	case e.tx != nil:
		return v201.MessageStateCharging
	}
	return v201.MessageStateIdle
}

// due is when a message begins or ends next.
func (d *display) due(now time.Time) (at time.Time) {
	for _, m := range d.byID {
		for _, t := range []time.Time{m.StartDateTime, m.EndDateTime} {
			if t.After(now) && (at.IsZero() || t.Before(at)) {
				at = t
			}
		}
	}
	return at
}
