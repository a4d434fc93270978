package din

import (
	"fmt"
	"time"

	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/din"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
	"github.com/voltyard/voltyard/protocols/iso15118/secc/base"
)

// Machine is one session with one vehicle.
type Machine struct {
	base.Turns[din.BodyElement, state]
	session exi.ShortBytes

	auth    authState
	began   time.Time // of the running cable check or pre-charge
	asked   time.Time // when the vehicle's needs were told, for a plan
	plan    *secc.Plan
	offered int16 // PMax of the schedule
}

type authState uint8

const (
	authNone authState = iota
	authAsked
	authYes
)

// state handles the requests that may come next. It returns the response and the next state; a nil response means that it
// waits (see Wait). accepts is asked first, so that everything else is a sequence error.
type state interface {
	accepts(din.BodyElement) bool
	handle(m *Machine, req din.BodyElement) (din.BodyElement, state)
}

type waiting = base.Waiting[din.BodyElement, state]

// New makes the machine of a session that has agreed on DIN 70121. now is when the vehicle connected.
func New(cfg secc.Config, start secc.Started, present secc.Present, now time.Time) *Machine {
	m := &Machine{session: exi.MakeShortBytes(start.SessionID[:])}
	m.Base, m.State, m.Send = base.New(cfg, "din70121-dc", present, now), waitSessionSetup{}, m.send
	return m
}

// Step handles one event.
func (m *Machine) Step(now time.Time, ev secc.Event, out []secc.Effect) []secc.Effect {
	if m.Ended {
		return out
	}
	m.Now, m.Out = now, out
	switch ev := ev.(type) {
	case secc.Received:
		m.receive(ev)
	case secc.Present:
		m.Measure(ev)
		m.Resolve()
	case secc.Authorized:
		m.auth = authAsked // a refused vehicle may wait for another token
		if ev.Accepted {
			m.auth = authYes
		}
	case secc.Plan:
		m.plan = &ev
	case secc.Deadline:
		m.TimeUp()
	case secc.Gone:
		m.End(secc.ClassConnection, "the vehicle closed the connection in "+string(m.Stage))
	}
	out, m.Out = m.Out, nil
	return out
}

func (m *Machine) receive(ev secc.Received) {
	if ev.Payload != secc.PayloadEXI {
		m.End(secc.ClassEXI, fmt.Sprintf("payload type %#04x in a DIN 70121 session", ev.Payload))
		return
	}
	msg, err := din.Decode(ev.EXI)
	if err != nil {
		m.End(secc.ClassEXI, err.Error())
		return
	}
	req := msg.Body.BodyElement
	_, first := m.State.(waitSessionSetup)
	code := din.ResponseCodeOK
	switch {
	case m.Wait != nil: // a second request before the response to the first
		m.Wait = nil
		code = din.ResponseCodeFailedSequenceError
	case !m.State.accepts(req) && !m.mayStop(req):
		code = din.ResponseCodeFailedSequenceError
	case !first && msg.Header.SessionID != m.session:
		code = din.ResponseCodeFailedUnknownSession
	}
	if code != din.ResponseCodeOK {
		m.refuse(req, code, secc.ClassSequence, fmt.Sprintf("%T in %T: %v", req, m.State, code))
		return
	}
	if err := msg.Validate(); err != nil {
		m.refuse(req, din.ResponseCodeFailed, secc.ClassParameter, err.Error())
		return
	}
	st := m.State
	if m.mayStop(req) {
		st = waitSessionStop{}
		if p, ok := req.(*din.PowerDeliveryReq); ok {
			m.Respond(m.stopPower(p))
			return
		}
	}
	res, next := st.handle(m, req)
	m.Respond(res, next)
}

// mayStop reports whether a request ends the session early but harmlessly, while no energy flows: SessionStop, or PowerDelivery
// without readiness, with which vehicles give up before the pre-charge.
func (m *Machine) mayStop(req din.BodyElement) bool {
	if m.Closed {
		return false
	}
	switch r := req.(type) {
	case *din.SessionStop:
		_, first := m.State.(waitSessionSetup)
		return !first
	case *din.PowerDeliveryReq:
		_, check := m.State.(waitCableCheck)
		_, pre := m.State.(waitPreCharge)
		return !r.ReadyToChargeState && (check || pre)
	}
	return false
}

// refuse answers a request with a failure code in the matching type of response, and ends the session.
func (m *Machine) refuse(req din.BodyElement, code din.ResponseCode, class secc.Class, why string) {
	m.Shut()
	if res := m.failure(req, code); res != nil {
		m.Send(res)
	}
	m.End(class, why)
}

// fail is refuse for handlers: it returns what they return.
func (m *Machine) fail(req din.BodyElement, code din.ResponseCode, class secc.Class, why string) (din.BodyElement, state) {
	m.refuse(req, code, class, why)
	return nil, nil
}

func (m *Machine) send(res din.BodyElement) {
	msg := din.V2GMessage{Header: din.MessageHeader{SessionID: m.session}, Body: din.Body{BodyElement: res}}
	b, err := msg.AppendEXI(make([]byte, 0, 96))
	if err != nil {
		m.End(secc.ClassEXI, fmt.Sprintf("encode %T: %v", res, err))
		return
	}
	m.Out = append(m.Out, secc.Send{Payload: secc.PayloadEXI, EXI: b})
}
