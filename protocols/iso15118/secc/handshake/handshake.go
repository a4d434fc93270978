// Package handshake is the first part of every vehicle session: supportedAppProtocol, in which vehicle and EVSE agree on a
// protocol (ISO 15118-2, 8.2). Its machine then hands over to the machine of that protocol and passes everything on.
//
// The session actor creates it, one for each connection.
package handshake

import (
	"fmt"
	"slices"
	"time"

	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/appproto"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
	seccdin "github.com/voltyard/voltyard/protocols/iso15118/secc/din"
	secc2 "github.com/voltyard/voltyard/protocols/iso15118/secc/v2"
)

// Namespaces of the protocols that are served.
const (
	NamespaceDIN = "urn:din:70121:2012:MsgDef"
	NamespaceV2  = "urn:iso:15118:2:2013:MsgDef"
)

// supported is a protocol that is served.
type supported struct {
	name         string // as in secc.Config.Without
	namespace    string
	major, minor uint32
	dc           bool // DC only
	begin        func(m *Machine, now time.Time, out []secc.Effect) (secc.Machine, []secc.Effect)
}

var protocols = []supported{
	{"din70121", NamespaceDIN, 2, 0, true, func(m *Machine, now time.Time, out []secc.Effect) (secc.Machine, []secc.Effect) {
		next := seccdin.New(m.cfg, m.start, m.present, now)
		if p := m.plan; p != nil {
			p.Age = now.Sub(m.planned)
			out = next.Step(now, *p, out)
		}
		return next, next.Begin(out)
	}},
	{"iso15118-2", NamespaceV2, 2, 0, false, func(m *Machine, now time.Time, out []secc.Effect) (secc.Machine, []secc.Effect) {
		next := secc2.New(m.cfg, m.start, m.present, now)
		if p := m.plan; p != nil {
			p.Age = now.Sub(m.planned)
			out = next.Step(now, *p, out)
		}
		return next, next.Begin(out)
	}},
}

// Machine is a session from its first byte on.
type Machine struct {
	cfg     secc.Config
	timing  secc.Timing
	start   secc.Started
	present secc.Present
	plan    *secc.Plan // for the machine that is yet to come
	planned time.Time
	next    secc.Machine
	began   time.Time
	ended   bool
}

// New makes the machine of a connection.
func New(cfg secc.Config) *Machine {
	return &Machine{cfg: cfg, timing: cfg.Timing.Filled()}
}

// Offer replaces what is offered of Plug & Charge; it counts until the protocol has been chosen.
func (m *Machine) Offer(c *secc.Contract) { m.cfg.Contract = c }

// Step handles one event.
func (m *Machine) Step(now time.Time, ev secc.Event, out []secc.Effect) []secc.Effect {
	if m.next != nil {
		return m.next.Step(now, ev, out)
	}
	if m.ended {
		return out
	}
	switch ev := ev.(type) {
	case secc.Started:
		m.start, m.began = ev, now
		out = append(out, secc.SetDeadline{At: now.Add(m.timing.Setup)}, secc.Progress{Stage: secc.StageSetup})
	case secc.Present:
		m.present = ev
	case secc.Plan:
		m.plan, m.planned = &ev, now.Add(-ev.Age)
	case secc.Received:
		out = m.negotiate(now, ev, out)
	case secc.Deadline:
		if !now.Before(m.began.Add(m.timing.Setup)) {
			out = m.end(out, secc.ClassTimeout, "the vehicle connected and offered no protocol in time")
		}
	case secc.Gone:
		out = m.end(out, secc.ClassConnection, "the vehicle closed the connection before it offered a protocol")
	}
	return out
}

func (m *Machine) end(out []secc.Effect, class secc.Class, why string) []secc.Effect {
	m.ended = true
	return append(out, secc.SetDeadline{}, secc.End{Class: class, Why: why})
}

func (m *Machine) negotiate(now time.Time, ev secc.Received, out []secc.Effect) []secc.Effect {
	if ev.Payload != secc.PayloadEXI {
		return m.end(out, secc.ClassEXI, fmt.Sprintf("payload type %#04x where supportedAppProtocol is due", ev.Payload))
	}
	msg, err := appproto.Decode(ev.EXI)
	if err != nil {
		return m.end(out, secc.ClassEXI, err.Error())
	}
	req, ok := msg.(*appproto.SupportedAppProtocolReq)
	if !ok {
		return m.end(out, secc.ClassSequence, fmt.Sprintf("%T where a request is due", msg))
	}
	proto, offer, code := m.choose(req.AppProtocol)
	res := &appproto.SupportedAppProtocolRes{ResponseCode: code}
	if proto != nil {
		res.SchemaID = exi.Some(offer.SchemaID)
	}
	b, err := res.AppendEXI(nil)
	if err != nil {
		return m.end(out, secc.ClassEXI, err.Error())
	}
	out = append(out, secc.Send{Payload: secc.PayloadEXI, EXI: b})
	if proto == nil {
		return m.end(out, secc.ClassNegotiation, "no protocol in common: the vehicle offers "+list(req.AppProtocol))
	}
	m.next, out = proto.begin(m, m.began, out)
	return out
}

// choose takes, among what is served, what the vehicle likes best: priority 1 is the highest ([V2G2-170]). The major version
// must agree; another minor version is a deviation that both sides tolerate ([V2G2-172]). Namespaces that nobody here knows,
// such as a manufacturer's own, are passed over.
func (m *Machine) choose(offers []appproto.AppProtocol) (*supported, appproto.AppProtocol, appproto.ResponseCode) {
	var best *supported
	var offer appproto.AppProtocol
	for _, o := range offers {
		for i := range protocols {
			p := &protocols[i]
			if p.dc && !m.cfg.DC || slices.Contains(m.cfg.Without, p.name) {
				continue
			}
			if o.ProtocolNamespace == p.namespace && o.VersionNumberMajor == p.major && (best == nil || o.Priority < offer.Priority) {
				best, offer = p, o
			}
		}
	}
	switch {
	case best == nil:
		return nil, offer, appproto.ResponseCodeFailedNoNegotiation
	case offer.VersionNumberMinor != best.minor:
		return best, offer, appproto.ResponseCodeOKSuccessfulNegotiationWithMinorDeviation
	}
	return best, offer, appproto.ResponseCodeOKSuccessfulNegotiation
}

func list(offers []appproto.AppProtocol) string {
	s := ""
	for i, o := range offers {
		if i > 0 {
			s += ", "
		}
		s += fmt.Sprintf("%.100q %d.%d", o.ProtocolNamespace, o.VersionNumberMajor, o.VersionNumberMinor)
	}
	return s
}
