package iso15118

import (
	"crypto/ecdsa"
	"crypto/rand"
	"testing"
	"time"

	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/appproto"
	"github.com/voltyard/voltyard/protocols/iso15118/din"
	"github.com/voltyard/voltyard/protocols/iso15118/pki"
	"github.com/voltyard/voltyard/protocols/iso15118/pki/testpki"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
	"github.com/voltyard/voltyard/protocols/iso15118/secc/handshake"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
	"github.com/voltyard/voltyard/protocols/iso15118/xmlsig"
)

var epoch = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// sessionID is what the rig gives every new session.
var sessionID = [8]byte{1, 2, 3, 4, 5, 6, 7, 8}

var challenge = [16]byte{0xc0, 0xff, 0xee}

// rig is a SECC machine with the hardware around it, which follows at once unless it is told not to.
type rig struct {
	t       testing.TB
	m       secc.Machine
	now     time.Time
	present secc.Present
	session exi.ShortBytes
	at      time.Time // deadline

	contactor bool // asked to be closed
	stuck     bool // the contactor does not follow
	noIMD     bool // the insulation monitor says nothing
	dc        secc.DC
	sent      [][]byte
	end       *secc.End
	asked     []secc.Authorize
	exchange  *secc.CertificateExchange
	paused    *secc.Paused
	closings  int
	// started is whether energy may flow: between an accepted PowerDelivery(Start) and whatever ends it.
	check func(r *rig)
}

// set is the certificates of all tests; making them takes a moment.
var set = func() *testpki.Set {
	s, err := testpki.New(pki.ISO2, epoch)
	if err != nil {
		panic(err)
	}
	return s
}()

func config(dc bool) secc.Config {
	return secc.Config{DC: dc, EVSEID: "DE*VYD*E1", Volts: 230, Receipts: time.Second, Services: []secc.Service{secc.Internet("http")},
		Contract: &secc.Contract{Trust: set.Trust(), Install: true, Update: true}}
}

func newRig(t testing.TB, cfg secc.Config, start secc.Started) *rig {
	r := &rig{t: t, m: handshake.New(cfg), now: epoch}
	r.present = secc.Present{Connected: true, Ready: true, MaxAmps: 16, MaxWatts: 20000, MaxVolts: 500, MinVolts: 150, RatedAmps: 32, RatedWatts: 50000, Phases: 3}
	if cfg.DC {
		r.present.MaxAmps, r.present.RatedAmps = 100, 125
	}
	start.SessionID, start.Challenge = sessionID, challenge
	r.session = exi.MakeShortBytes(sessionID[:])
	r.feed(r.present)
	r.feed(start)
	return r
}

// offer agrees on a protocol.
func (r *rig) offer(namespace string) {
	b, err := (&appproto.SupportedAppProtocolReq{AppProtocol: []appproto.AppProtocol{{ProtocolNamespace: namespace, VersionNumberMajor: 2, SchemaID: 1, Priority: 1}}}).AppendEXI(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	r.feed(secc.Received{Payload: secc.PayloadEXI, EXI: b})
}

func (r *rig) feed(ev secc.Event) {
	ended := false
	for _, e := range r.m.Step(r.now, ev, nil) {
		if ended {
			r.t.Errorf("%T comes after the end", e)
		}
		switch e := e.(type) {
		case secc.Send:
			r.sent = append(r.sent, e.EXI)
		case secc.SetDeadline:
			r.at = e.At
		case secc.Contactor:
			if e.Close && !r.contactor {
				r.closings++
			}
			r.contactor = e.Close
		case secc.DC:
			if e.Mode == secc.DCCableCheck && r.dc.Mode != e.Mode {
				r.present.Isolation = secc.IsolationTesting
			}
			r.dc = e
		case secc.Authorize:
			r.asked = append(r.asked, e)
		case secc.CertificateExchange:
			r.exchange = &e
		case secc.Pause:
			r.paused = &e.Paused
		case secc.End:
			r.end, ended = &e, true
		}
	}
	if r.check != nil {
		r.check(r)
	}
	r.follow()
}

// follow moves contactor, monitor and module.
func (r *rig) follow() {
	if r.end != nil {
		return
	}
	p := r.present
	if !r.stuck {
		p.Closed = r.contactor && p.PilotWants
	}
	switch r.dc.Mode {
	case secc.DCCableCheck:
		if p.Volts = r.dc.Volts; !r.noIMD && p.Isolation != secc.IsolationFault {
			p.Isolation = secc.IsolationValid
		}
	case secc.DCPreCharge:
		p.Volts, p.Amps = r.dc.Volts, 0
	case secc.DCCharge:
		p.Volts, p.Amps = 400, r.dc.Amps
	default:
		p.Amps = 0
	}
	if p != r.present {
		r.present = p
		r.feed(p)
	}
}

// change makes the hardware report something else.
func (r *rig) change(f func(p *secc.Present)) {
	f(&r.present)
	r.feed(r.present)
}

// pass lets time go by, with the deadlines in it.
func (r *rig) pass(d time.Duration) {
	for end := r.now.Add(d); ; {
		if r.end == nil && !r.at.IsZero() && !r.at.After(end) {
			r.now = r.at
			r.at = time.Time{}
			r.feed(secc.Deadline{})
			continue
		}
		r.now = end
		return
	}
}

// safe fails the test when something is left energised.
func (r *rig) safe() {
	r.t.Helper()
	if r.contactor || r.dc.Mode != secc.DCOff {
		r.t.Errorf("energised at the end: contactor %v, module %+v, %+v", r.contactor, r.dc, r.end)
	}
}

// ask2 sends a request of ISO 15118-2 and returns the response; nil when there was none (yet).
func (r *rig) ask2(body v2.BodyElement, key *ecdsa.PrivateKey) v2.BodyElement {
	r.t.Helper()
	r.now = r.now.Add(100 * time.Millisecond)
	msg := &v2.V2GMessage{Header: v2.MessageHeader{SessionID: r.session}, Body: v2.Body{BodyElement: body}}
	if key != nil {
		if err := xmlsig.SignISO2(rand.Reader, key, msg); err != nil {
			r.t.Fatal(err)
		}
	}
	b, err := msg.AppendEXI(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.raw2(b)
}

func (r *rig) raw2(b []byte) v2.BodyElement {
	r.t.Helper()
	r.sent = nil
	r.feed(secc.Received{Payload: secc.PayloadEXI, EXI: b})
	return r.last2()
}

func (r *rig) last2() v2.BodyElement {
	r.t.Helper()
	if len(r.sent) == 0 {
		return nil
	}
	msg, err := v2.Decode(r.sent[len(r.sent)-1])
	if err == nil {
		err = msg.Validate()
	}
	if err != nil {
		r.t.Fatalf("the response is not valid: %v", err)
	}
	return msg.Body.BodyElement
}

// askDIN sends a request of DIN 70121.
func (r *rig) askDIN(body din.BodyElement) din.BodyElement {
	r.t.Helper()
	r.now = r.now.Add(100 * time.Millisecond)
	b, err := (&din.V2GMessage{Header: din.MessageHeader{SessionID: r.session}, Body: din.Body{BodyElement: body}}).AppendEXI(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.rawDIN(b)
}

func (r *rig) rawDIN(b []byte) din.BodyElement {
	r.t.Helper()
	r.sent = nil
	r.feed(secc.Received{Payload: secc.PayloadEXI, EXI: b})
	return r.lastDIN()
}

func (r *rig) lastDIN() din.BodyElement {
	r.t.Helper()
	if len(r.sent) == 0 {
		return nil
	}
	msg, err := din.Decode(r.sent[len(r.sent)-1])
	if err == nil {
		err = msg.Validate()
	}
	if err != nil {
		r.t.Fatalf("the response is not valid: %v", err)
	}
	return msg.Body.BodyElement
}
