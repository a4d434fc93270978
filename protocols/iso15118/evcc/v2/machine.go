package v2

import (
	"errors"
	"fmt"
	"time"

	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/evcc"
	"github.com/voltyard/voltyard/protocols/iso15118/evcc/base"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
	"github.com/voltyard/voltyard/protocols/iso15118/xmlsig"
)

// namespace is what the vehicle offers in supportedAppProtocol.
const namespace = "urn:iso:15118:2:2013:MsgDef"

// Machine is the vehicle's side of one connection.
type Machine struct {
	base.Base
	session exi.ShortBytes
	state   state
	since   time.Time // when the first request of this state was sent

	msg       *v2.V2GMessage // the response at hand, during its handler
	contract  *evcc.Contract // nil: external identification
	challenge []byte
	signing   *signing
	again     bool // negotiate anew
	tuple     uint8
	schedule  []v2.PMaxScheduleEntry
}

// signing is a request that waits for its signature.
type signing struct {
	msg     v2.V2GMessage
	pending *xmlsig.Pending
}

// state is one step of the dialogue: what is asked, and what follows from the answer. handle returns the next state; the
// same state again repeats the request after pause; none waits for something else than a message.
type state interface {
	request(m *Machine) v2.BodyElement
	handle(m *Machine, res v2.BodyElement) (next state, pause time.Duration, err error)
	// patience is how long a response, and how long this state as a whole, may take.
	patience(m *Machine) (message, whole time.Duration)
}

// New makes the machine of a connection.
func New(cfg evcc.Config) *Machine {
	return &Machine{Base: base.New(cfg), contract: cfg.Contract, tuple: 1}
}

// Step handles one event.
func (m *Machine) Step(now time.Time, ev evcc.Event, out []evcc.Effect) []evcc.Effect {
	if m.Ended {
		return out
	}
	m.Now, m.Out = now, out
	switch ev := ev.(type) {
	case evcc.Vehicle:
		m.See(ev)
	case evcc.Connected:
		m.Offer(namespace)
	case evcc.Received:
		if err := m.receive(ev); err != nil && !m.Ended {
			m.Fail(m.name() + ": " + err.Error())
		}
	case evcc.Deadline:
		m.late()
	case evcc.Renegotiate:
		m.again = true
	case evcc.Signed:
		m.signed(ev.Signature)
	case evcc.Opened:
		m.opened(ev)
	case evcc.Gone:
		m.Fail("the SECC closed the connection in " + m.name())
	}
	out, m.Out = m.Out, nil
	return out
}

func (m *Machine) name() string {
	if m.state == nil {
		return "supportedAppProtocol"
	}
	return fmt.Sprintf("%T", m.state)[3:]
}

func (m *Machine) receive(ev evcc.Received) error {
	if err := m.Expect(ev.Payload); err != nil {
		return err
	}
	if m.state == nil {
		if err := m.Agreed(ev.EXI); err != nil {
			return err
		}
		m.enter(sessionSetup{}, 0)
		return nil
	}
	msg, err := v2.Decode(ev.EXI)
	if err == nil {
		err = msg.Validate()
	}
	if err != nil {
		return err
	}
	if _, setup := m.state.(sessionSetup); setup {
		m.session = msg.Header.SessionID
	} else if msg.Header.SessionID != m.session {
		return errors.New("a response of another session")
	}
	m.msg = msg
	next, pause, err := m.state.handle(m, msg.Body.BodyElement)
	m.msg = nil
	if m.Ended || err != nil || next == nil {
		return err
	}
	m.enter(next, pause)
	return nil
}

// joined reports whether the EVSE has joined the session that was paused.
func (m *Machine) joined() bool {
	return len(m.Cfg.Session) > 0 && m.session == exi.MakeShortBytes(m.Cfg.Session)
}

// enter goes to a state, or stays in it, and sends its request at once or after a pause.
func (m *Machine) enter(next state, pause time.Duration) {
	if next != m.state {
		m.state, m.since = next, m.Now
		m.Out = append(m.Out, evcc.Progress{State: m.name(), Joined: m.joined()})
	}
	if pause > 0 {
		m.SetDeadline(m.Now.Add(pause))
		return
	}
	m.ask()
}

func (m *Machine) ask() {
	msg := v2.V2GMessage{Header: v2.MessageHeader{SessionID: m.session}, Body: v2.Body{BodyElement: m.state.request(m)}}
	switch {
	case m.session.Len() > 0:
	case len(m.Cfg.Session) > 0: // back to the session that was paused ([V2G2-740])
		msg.Header.SessionID = exi.MakeShortBytes(m.Cfg.Session)
	default:
		msg.Header.SessionID = exi.MakeShortBytes(make([]byte, 8)) // zero asks for a new session ([V2G2-750])
	}
	if s, ok := m.state.(signer); ok && s.key(m) != "" {
		p, err := xmlsig.PrepareISO2(&msg)
		if err != nil {
			m.Fail(err.Error())
			return
		}
		m.signing = &signing{msg, p}
		m.Out = append(m.Out, evcc.Sign{Key: s.key(m), Digest: p.Digest})
		return
	}
	m.deliver(&msg)
}

// signer is a state whose request is signed; an empty key says that it is not this time.
type signer interface {
	key(m *Machine) evcc.Key
}

// signed puts the signature in the request that waits for it.
func (m *Machine) signed(der []byte) {
	s := m.signing
	if s == nil {
		return
	}
	m.signing = nil
	sig, err := s.pending.Finish(der)
	if err != nil {
		m.Fail(err.Error())
		return
	}
	s.msg.Header.Signature = sig
	m.deliver(&s.msg)
}

func (m *Machine) deliver(msg *v2.V2GMessage) {
	b, err := msg.AppendEXI(make([]byte, 0, 128))
	if err != nil {
		m.Fail(err.Error())
		return
	}
	timeout, _ := m.state.patience(m)
	m.Send(b, timeout)
}

func (m *Machine) late() {
	switch {
	case !m.Late():
	case m.Waiting:
		m.Fail("no response in time in " + m.name())
	case m.state != nil:
		if _, whole := m.state.patience(m); whole > 0 && m.Now.Sub(m.since) > whole {
			m.Fail(m.name() + " takes too long")
			return
		}
		m.ask()
	}
}

// wrong is the error for a response of another type.
func wrong(res v2.BodyElement) error { return fmt.Errorf("%T is no answer to it", res) }

// check turns a failure code into an error.
func check(code v2.ResponseCode) error {
	if code >= v2.ResponseCodeFailed {
		return fmt.Errorf("the SECC answers %v", code)
	}
	return nil
}
