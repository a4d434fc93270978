// Package base is what the vehicle's machines of all protocols share: supportedAppProtocol, patience, and what is switched
// off when a session ends. The packages evcc/din and evcc/v2 embed it; nothing else uses it.
package base

import (
	"errors"
	"fmt"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/iso15118/appproto"
	"github.com/voltyard/voltyard/protocols/iso15118/evcc"
	"github.com/voltyard/voltyard/protocols/v2gtp"
)

// Payload is the V2GTP payload type of supportedAppProtocol, DIN 70121 and ISO 15118-2.
const Payload = uint16(v2gtp.EXI)

// schemaID is the vehicle's to choose.
const schemaID = 10

// Base is the part of a machine that does not depend on the wording of its protocol.
type Base struct {
	Cfg     evcc.Config
	Timing  evcc.Timing
	Vehicle evcc.Vehicle
	Stop    bool    // the EVSE asked to stop, or the vehicle is done
	Ready   bool    // state C is shown
	Rated   si.Amps // AC: what the EVSE said it can do
	Waiting bool    // for a response
	Ended   bool

	Now time.Time
	Out []evcc.Effect

	joined   bool // the relays are closed
	draw     evcc.Draw
	deadline time.Time
}

// New makes the base of a connection.
func New(cfg evcc.Config) Base { return Base{Cfg: cfg, Timing: cfg.Timing.Filled()} }

// See takes what the vehicle measures and wants now.
func (b *Base) See(v evcc.Vehicle) {
	b.Vehicle = v
	b.Stop = b.Stop || v.Done
}

// Offer sends supportedAppProtocolReq with one protocol.
func (b *Base) Offer(namespace string) {
	req := &appproto.SupportedAppProtocolReq{AppProtocol: []appproto.AppProtocol{{ProtocolNamespace: namespace,
		VersionNumberMajor: 2, VersionNumberMinor: 0, SchemaID: schemaID, Priority: 1}}}
	exi, err := req.AppendEXI(nil)
	if err != nil {
		b.Fail(err.Error())
		return
	}
	b.Send(exi, b.Timing.Message)
}

// Agreed reads supportedAppProtocolRes.
func (b *Base) Agreed(exi []byte) error {
	msg, err := appproto.Decode(exi)
	if err != nil {
		return err
	}
	res, ok := msg.(*appproto.SupportedAppProtocolRes)
	switch {
	case !ok:
		return fmt.Errorf("%T where supportedAppProtocolRes is due", msg)
	case res.ResponseCode == appproto.ResponseCodeFailedNoNegotiation:
		return errors.New("the SECC speaks no protocol of this vehicle")
	case res.SchemaID.Or(schemaID) != schemaID:
		return fmt.Errorf("the SECC chose schema %d, which was not offered", res.SchemaID.Value)
	}
	return nil
}

// Send sends a request, whose response is due within patience.
func (b *Base) Send(exi []byte, patience time.Duration) {
	b.Waiting = true
	b.Out = append(b.Out, evcc.Send{Payload: Payload, EXI: exi})
	b.SetDeadline(b.Now.Add(patience))
}

// Expect reports whether a message may come now, and takes it as the response that was waited for.
func (b *Base) Expect(payload uint16) error {
	if payload != Payload || !b.Waiting {
		return fmt.Errorf("unexpected message of payload type %#04x", payload)
	}
	b.Waiting = false
	return nil
}

// Late reports whether the deadline in force has come.
func (b *Base) Late() bool { return !b.deadline.IsZero() && !b.Now.Before(b.deadline) }

// SetDeadline asks for the next deadline.
func (b *Base) SetDeadline(at time.Time) {
	b.deadline = at
	b.Out = append(b.Out, evcc.SetDeadline{At: at})
}

// Fail ends the session with an error.
func (b *Base) Fail(why string) {
	b.shutdown()
	b.Out = append(b.Out, evcc.End{Why: why})
}

// Finish ends the session in good order.
func (b *Base) Finish() {
	b.shutdown()
	b.Out = append(b.Out, evcc.End{OK: true})
}

// Pause ends the connection of a session to come back to.
func (b *Base) Pause(session []byte) {
	b.shutdown()
	b.Out = append(b.Out, evcc.End{OK: true, Paused: append([]byte(nil), session...)})
}

// shutdown leaves the vehicle without energy.
func (b *Base) shutdown() {
	b.Ended = true
	b.SetDraw(evcc.Draw{})
	b.SetRelays(false)
	b.SetPilot(false)
	b.SetDeadline(time.Time{})
}

// SetPilot asks for state C, or B.
func (b *Base) SetPilot(ready bool) {
	if b.Ready != ready {
		b.Ready = ready
		b.Out = append(b.Out, evcc.Pilot{Ready: ready})
	}
}

// SetRelays asks for the vehicle's relays.
func (b *Base) SetRelays(closed bool) {
	if b.joined != closed {
		b.joined = closed
		b.Out = append(b.Out, evcc.Relays{Close: closed})
	}
}

// SetDraw says how much the vehicle may draw.
func (b *Base) SetDraw(d evcc.Draw) {
	if b.draw != d {
		b.draw = d
		b.Out = append(b.Out, d)
	}
}

// CloseEnough is how far the EVSE's voltage may be from the battery's when the relays close.
const CloseEnough si.Volts = 20
