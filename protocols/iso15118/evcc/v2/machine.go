package v2

import (
	"fmt"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/appproto"
	"github.com/voltyard/voltyard/protocols/iso15118/evcc"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
	"github.com/voltyard/voltyard/protocols/v2gtp"
)

const (
	payloadEXI = uint16(v2gtp.EXI)
	namespace  = "urn:iso:15118:2:2013:MsgDef"
	schemaID   = 10 // ours to choose
)

// Machine is the vehicle's side of one connection.
type Machine struct {
	cfg     evcc.Config
	timing  evcc.Timing
	session exi.ShortBytes
	vehicle evcc.Vehicle

	state    state
	asked    time.Time // when the last request was sent
	since    time.Time // when the first request of this state was sent
	waiting  bool      // for a response
	deadline time.Time
	stop     bool // the EVSE asked to stop, or the vehicle is done
	ready    bool // state C is shown
	joined   bool // the relays are closed
	draw     evcc.Draw
	rated    si.Amps // AC: what the EVSE said it can do
	ended    bool

	now time.Time
	out []evcc.Effect
}

// state is one step of the dialogue: what is asked, and what follows from the answer. handle returns the next state; the
// same state again repeats the request after pause.
type state interface {
	request(m *Machine) v2.BodyElement
	handle(m *Machine, res v2.BodyElement) (next state, pause time.Duration, err error)
	// patience is how long a response, and how long this state as a whole, may take.
	patience(m *Machine) (message, whole time.Duration)
}

// New makes the machine of a connection.
func New(cfg evcc.Config) *Machine {
	return &Machine{cfg: cfg, timing: cfg.Timing.Filled()}
}

// Step handles one event.
func (m *Machine) Step(now time.Time, ev evcc.Event, out []evcc.Effect) []evcc.Effect {
	if m.ended {
		return out
	}
	m.now, m.out = now, out
	switch ev := ev.(type) {
	case evcc.Vehicle:
		m.vehicle = ev
		m.stop = m.stop || ev.Done
	case evcc.Connected:
		m.offer()
	case evcc.Received:
		m.receive(ev)
	case evcc.Deadline:
		m.late()
	case evcc.Gone:
		m.fail("the SECC closed the connection in " + m.name())
	}
	out, m.out = m.out, nil
	return out
}

func (m *Machine) name() string {
	if m.state == nil {
		return "supportedAppProtocol"
	}
	return fmt.Sprintf("%T", m.state)[3:]
}

// offer sends supportedAppProtocolReq.
func (m *Machine) offer() {
	req := &appproto.SupportedAppProtocolReq{AppProtocol: []appproto.AppProtocol{{ProtocolNamespace: namespace,
		VersionNumberMajor: 2, VersionNumberMinor: 0, SchemaID: schemaID, Priority: 1}}}
	b, err := req.AppendEXI(nil)
	if err != nil {
		m.fail(err.Error())
		return
	}
	m.waiting = true
	m.out = append(m.out, evcc.Send{Payload: payloadEXI, EXI: b})
	m.setDeadline(m.now.Add(m.timing.Message))
}

func (m *Machine) receive(ev evcc.Received) {
	if ev.Payload != payloadEXI || !m.waiting {
		m.fail(fmt.Sprintf("unexpected message of payload type %#04x in %s", ev.Payload, m.name()))
		return
	}
	m.waiting = false
	if m.state == nil {
		m.agreed(ev.EXI)
		return
	}
	msg, err := v2.Decode(ev.EXI)
	if err == nil {
		err = msg.Validate()
	}
	if err != nil {
		m.fail(err.Error())
		return
	}
	if _, setup := m.state.(sessionSetup); setup {
		m.session = msg.Header.SessionID
	} else if msg.Header.SessionID != m.session {
		m.fail("a response of another session")
		return
	}
	next, pause, err := m.state.handle(m, msg.Body.BodyElement)
	if m.ended {
		return
	}
	if err != nil {
		m.fail(m.name() + ": " + err.Error())
		return
	}
	m.enter(next, pause)
}

func (m *Machine) agreed(b []byte) {
	msg, err := appproto.Decode(b)
	if err != nil {
		m.fail(err.Error())
		return
	}
	res, ok := msg.(*appproto.SupportedAppProtocolRes)
	switch {
	case !ok:
		m.fail(fmt.Sprintf("%T where supportedAppProtocolRes is due", msg))
	case res.ResponseCode == appproto.ResponseCodeFailedNoNegotiation:
		m.fail("the SECC speaks no protocol of this vehicle")
	case res.SchemaID.Or(schemaID) != schemaID:
		m.fail(fmt.Sprintf("the SECC chose schema %d, which was not offered", res.SchemaID.Value))
	default:
		m.enter(sessionSetup{}, 0)
	}
}

// enter goes to a state, or stays in it, and sends its request at once or after a pause.
func (m *Machine) enter(next state, pause time.Duration) {
	if next != m.state {
		m.state, m.since = next, m.now
		m.out = append(m.out, evcc.Progress{State: m.name()})
	}
	if pause > 0 {
		m.setDeadline(m.now.Add(pause))
		return
	}
	m.ask()
}

func (m *Machine) ask() {
	body := m.state.request(m)
	msg := v2.V2GMessage{Header: v2.MessageHeader{SessionID: m.session}, Body: v2.Body{BodyElement: body}}
	if m.session.Len() == 0 {
		msg.Header.SessionID = exi.MakeShortBytes(make([]byte, 8)) // zero asks for a new session ([V2G2-750])
	}
	b, err := msg.AppendEXI(make([]byte, 0, 128))
	if err != nil {
		m.fail(err.Error())
		return
	}
	m.waiting, m.asked = true, m.now
	m.out = append(m.out, evcc.Send{Payload: payloadEXI, EXI: b})
	timeout, _ := m.state.patience(m)
	m.setDeadline(m.now.Add(timeout))
}

func (m *Machine) late() {
	if m.deadline.IsZero() || m.now.Before(m.deadline) {
		return // of an older deadline
	}
	switch {
	case m.waiting:
		m.fail("no response in time in " + m.name())
	case m.state != nil:
		if _, whole := m.state.patience(m); whole > 0 && m.now.Sub(m.since) > whole {
			m.fail(m.name() + " takes too long")
			return
		}
		m.ask()
	}
}

func (m *Machine) fail(why string) {
	m.shutdown()
	m.out = append(m.out, evcc.End{Why: why})
}

// finish ends a session in good order.
func (m *Machine) finish() {
	m.shutdown()
	m.out = append(m.out, evcc.End{OK: true})
}

// shutdown leaves the vehicle without energy.
func (m *Machine) shutdown() {
	m.ended = true
	m.setDraw(evcc.Draw{})
	m.setRelays(false)
	m.setPilot(false)
	m.setDeadline(time.Time{})
}

func (m *Machine) setDeadline(at time.Time) {
	m.deadline = at
	m.out = append(m.out, evcc.SetDeadline{At: at})
}

func (m *Machine) setPilot(ready bool) {
	if m.ready != ready {
		m.ready = ready
		m.out = append(m.out, evcc.Pilot{Ready: ready})
	}
}

func (m *Machine) setRelays(close bool) {
	if m.joined != close {
		m.joined = close
		m.out = append(m.out, evcc.Relays{Close: close})
	}
}

func (m *Machine) setDraw(d evcc.Draw) {
	if m.draw != d {
		m.draw = d
		m.out = append(m.out, d)
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
