package v2

import (
	"fmt"
	"time"

	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
	"github.com/voltyard/voltyard/protocols/iso15118/secc/base"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
)

// Machine is one session with one vehicle.
type Machine struct {
	base.Turns[v2.BodyElement, state]
	session exi.ShortBytes
	resume  *secc.Paused
	tls     bool

	msg     *v2.V2GMessage // the request at hand, during its handler
	raw     []byte
	mode    v2.EnergyTransferMode
	auth    authState
	refused secc.Refusal
	began   time.Time // of the running cable check or pre-charge

	contract contract
	plan     *secc.Plan
	planned  time.Time // when the plan was made
	asked    time.Time // when the vehicle's needs were told, for a plan
	offered  schedules
	tuple    uint8 // the schedule that the vehicle chose
	again    bool  // the vehicle shall negotiate anew
	obeys    bool  // it does so because it was asked to
	current  bool  // the plan answers what the vehicle asked last
	receipt  receipt
}

type authState uint8

const (
	authNone authState = iota
	authAsked
	authYes
	authNo
)

// state handles the requests that may come next. It returns the response and the next state; a nil response means that it
// waits (see Wait). accepts is asked first, so that everything else is a sequence error.
type state interface {
	accepts(v2.BodyElement) bool
	handle(m *Machine, req v2.BodyElement) (v2.BodyElement, state)
}

type waiting = base.Waiting[v2.BodyElement, state]

// New makes the machine of a session that has agreed on ISO 15118-2. now is when the vehicle connected.
func New(cfg secc.Config, start secc.Started, present secc.Present, now time.Time) *Machine {
	protocol := "iso15118-2-ac"
	if cfg.DC {
		protocol = "iso15118-2-dc"
	}
	m := &Machine{resume: start.Resume, tls: start.TLS, session: exi.MakeShortBytes(start.SessionID[:]), tuple: firstTuple,
		contract: contract{challenge: start.Challenge}}
	m.Base, m.State, m.Send = base.New(cfg, protocol, present, now), waitSessionSetup{}, m.send
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
		m.auth, m.refused = authNo, ev.Refusal
		if ev.Accepted {
			m.auth = authYes
		}
	case secc.CertificateExchanged:
		m.exchanged(ev.EXI)
	case secc.Plan:
		m.plan, m.planned, m.current = &ev, now.Add(-ev.Age), !ev.More
	case secc.Renegotiate:
		m.again = true
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
		m.End(secc.ClassEXI, fmt.Sprintf("payload type %#04x in an ISO 15118-2 session", ev.Payload))
		return
	}
	msg, err := v2.Decode(ev.EXI)
	if err != nil {
		m.End(secc.ClassEXI, err.Error())
		return
	}
	req := msg.Body.BodyElement
	code := v2.ResponseCodeOK
	switch {
	case m.Wait != nil: // a second request before the response to the first
		m.Wait = nil
		code = v2.ResponseCodeFailedSequenceError
	case !m.State.accepts(req) && !m.mayStop(req):
		code = v2.ResponseCodeFailedSequenceError
	case !m.sameSession(msg.Header.SessionID):
		code = v2.ResponseCodeFailedUnknownSession
	}
	if code != v2.ResponseCodeOK {
		m.refuse(req, code, secc.ClassSequence, fmt.Sprintf("%T in %T: %v", req, m.State, code))
		return
	}
	if err := msg.Validate(); err != nil {
		m.refuse(req, v2.ResponseCodeFailed, secc.ClassParameter, err.Error())
		return
	}
	st := m.State
	if m.mayStop(req) {
		st = waitSessionStop{}
	}
	if p, ok := req.(*v2.PowerDeliveryReq); ok && m.mayStop(req) {
		m.Respond(m.stopPower(p))
		return
	}
	m.msg, m.raw = msg, ev.EXI
	res, next := st.handle(m, req)
	m.msg, m.raw = nil, nil
	m.Respond(res, next)
}

// sameSession compares the session id; before SessionSetup it may be zero, or that of a paused session ([V2G2-879]).
func (m *Machine) sameSession(id exi.ShortBytes) bool {
	if _, first := m.State.(waitSessionSetup); first {
		return true
	}
	return id == m.session
}

// mayStop reports whether a request ends the session early but harmlessly, while no energy flows: SessionStop in every state
// after SessionSetup, or PowerDelivery(Stop), with which vehicles give up before the pre-charge.
func (m *Machine) mayStop(req v2.BodyElement) bool {
	if m.Closed {
		return false
	}
	switch r := req.(type) {
	case *v2.SessionStopReq:
		_, first := m.State.(waitSessionSetup)
		return !first
	case *v2.PowerDeliveryReq:
		_, check := m.State.(waitCableCheck)
		_, pre := m.State.(waitPreCharge)
		return r.ChargeProgress == v2.ChargeProgressStop && (check || pre)
	}
	return false
}

// refuse answers a request with a failure code in the matching type of response, and ends the session.
func (m *Machine) refuse(req v2.BodyElement, code v2.ResponseCode, class secc.Class, why string) {
	m.Shut()
	if res := m.failure(req, code); res != nil {
		m.Send(res)
	}
	m.End(class, why)
}

// fail is refuse for handlers: it returns what they return.
func (m *Machine) fail(req v2.BodyElement, code v2.ResponseCode, class secc.Class, why string) (v2.BodyElement, state) {
	m.refuse(req, code, class, why)
	return nil, nil
}

func (m *Machine) send(res v2.BodyElement) {
	msg := v2.V2GMessage{Header: v2.MessageHeader{SessionID: m.session}, Body: v2.Body{BodyElement: res}}
	if p, ok := res.(*v2.ChargeParameterDiscoveryRes); ok && p.SAScheduleList.Present {
		msg.Header.Signature = m.offered.signature
	}
	b, err := msg.AppendEXI(make([]byte, 0, 160))
	if err != nil {
		m.End(secc.ClassEXI, fmt.Sprintf("encode %T: %v", res, err))
		return
	}
	m.Out = append(m.Out, secc.Send{Payload: secc.PayloadEXI, EXI: b})
}
