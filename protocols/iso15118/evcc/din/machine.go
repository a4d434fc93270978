package din

import (
	"errors"
	"fmt"
	"time"

	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/din"
	"github.com/voltyard/voltyard/protocols/iso15118/evcc"
	"github.com/voltyard/voltyard/protocols/iso15118/evcc/base"
)

// namespace is what the vehicle offers in supportedAppProtocol.
const namespace = "urn:din:70121:2012:MsgDef"

// Machine is the vehicle's side of one connection.
type Machine struct {
	base.Base
	session exi.ShortBytes
	state   state
	since   time.Time // when the first request of this state was sent
	began   time.Time // when the session was set up; zero once energy flows
}

// state is one step of the dialogue: what is asked, and what follows from the answer. handle returns the next state; the
// same state again repeats the request after pause.
type state interface {
	request(m *Machine) din.BodyElement
	handle(m *Machine, res din.BodyElement) (next state, pause time.Duration, err error)
	// patience is how long a response, and how long this state as a whole, may take.
	patience(m *Machine) (message, whole time.Duration)
}

// New makes the machine of a connection.
func New(cfg evcc.Config) *Machine { return &Machine{Base: base.New(cfg)} }

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
	return fmt.Sprintf("%T", m.state)[4:]
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
	msg, err := din.Decode(ev.EXI)
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
	next, pause, err := m.state.handle(m, msg.Body.BodyElement)
	if m.Ended || err != nil {
		return err
	}
	m.enter(next, pause)
	return nil
}

// enter goes to a state, or stays in it, and sends its request at once or after a pause.
func (m *Machine) enter(next state, pause time.Duration) {
	if next != m.state {
		m.state, m.since = next, m.Now
		m.Out = append(m.Out, evcc.Progress{State: m.name()})
	}
	if pause > 0 {
		m.SetDeadline(m.Now.Add(pause))
		return
	}
	m.ask()
}

func (m *Machine) ask() {
	msg := din.V2GMessage{Header: din.MessageHeader{SessionID: m.session}, Body: din.Body{BodyElement: m.state.request(m)}}
	if m.session.Len() == 0 {
		msg.Header.SessionID = exi.MakeShortBytes(make([]byte, 8))
	}
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
	case !m.began.IsZero() && m.Now.Sub(m.began) > m.Timing.ReadyToCharge:
		m.Fail("the EVSE did not become ready to charge in time, in " + m.name())
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
func wrong(res din.BodyElement) error { return fmt.Errorf("%T is no answer to it", res) }

// check turns a failure code into an error.
func check(code din.ResponseCode) error {
	if code >= din.ResponseCodeFailed {
		return fmt.Errorf("the SECC answers %v", code)
	}
	return nil
}
