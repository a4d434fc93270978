// Package secc holds what the supply equipment's communication controller has in common over all protocols of a vehicle
// session: the events that come to its machines, the effects that they ask for, and their times.
//
// The machines stand in the packages beneath: handshake chooses the protocol and hands over, din is DIN SPEC 70121, v2 is
// ISO 15118-2, and base is what these two share. Each is deterministic and has no clock, socket or goroutine: Step takes the time and one event and appends effects. The session
// actor feeds them and carries the effects out; tests let them meet the machines of package evcc without sockets.
package secc

import (
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/v2gtp"
)

// Machine is one side of a session. out is appended to and returned, so that a caller can reuse it.
type Machine interface {
	Step(now time.Time, ev Event, out []Effect) []Effect
}

// Event is what happens to a machine.
type Event interface{ event() }

// PayloadEXI is the V2GTP payload type of SupportedAppProtocol, DIN 70121 and ISO 15118-2 messages.
const PayloadEXI = uint16(v2gtp.EXI)

// Started is the first event: a vehicle has connected.
type Started struct {
	TLS bool
	// SessionID is eight random octets, not all zero, for a new session (at least 58 bits of entropy).
	SessionID [8]byte
	// Challenge is sixteen random octets, fresh for this connection, for the vehicle to sign (at least 120 bits of entropy).
	Challenge [16]byte
	// Resume is the session that was paused at this EVSE; nil when there is none.
	Resume *Paused
}

// Paused is what a paused session leaves behind (ISO 15118-2, 8.4.2).
type Paused struct {
	SessionID [8]byte
	EVCCID    string
}

// Received is a whole V2GTP message. EXI is only read during Step.
type Received struct {
	Payload uint16
	EXI     []byte
}

// Deadline says that the instant of the last SetDeadline has come.
type Deadline struct{}

// Present is what the EVSE measures and may give. It comes before everything else and then with every change.
type Present struct {
	PilotWants bool // control pilot in state C or D
	Connected  bool // control pilot in state B, C or D
	Closed     bool // contactor feedback
	Ready      bool // no fault; the module can deliver
	Volts      si.Volts
	Amps       si.Amps
	Isolation  Isolation
	Energy     si.WattHours // meter register
	MaxAmps    si.Amps      // granted now: AC per phase, DC total; 0 is a pause
	MaxWatts   si.Watts     // granted now
	MaxVolts   si.Volts
	MinVolts   si.Volts
	MinAmps    si.Amps
	RatedAmps  si.Amps // what the hardware can do
	RatedWatts si.Watts
	Phases     int
	Stop       bool // the vehicle shall end its charging
	Emergency  bool // it shall end it at once; the contactor is opened without waiting for it
}

// Authorized answers Authorize.
type Authorized struct {
	Accepted bool
	Refusal  Refusal // why a contract was refused
}

// Renegotiate asks the vehicle to negotiate its schedule anew (EVSENotification ReNegotiation).
type Renegotiate struct{}

// Gone says that the connection of the vehicle has ended.
type Gone struct{}

func (Started) event()     {}
func (Received) event()    {}
func (Deadline) event()    {}
func (Present) event()     {}
func (Authorized) event()  {}
func (Renegotiate) event() {}
func (Gone) event()        {}

// Isolation is the state of the insulation test.
type Isolation uint8

// Insulation states.
const (
	IsolationUnknown Isolation = iota
	IsolationTesting
	IsolationValid
	IsolationFault
)

// Effect is what a machine asks for.
type Effect interface{ effect() }

// Send sends a V2GTP message to the vehicle. EXI belongs to the receiver of the effect.
type Send struct {
	Payload uint16
	EXI     []byte
}

// SetDeadline asks for Deadline at this instant instead of any earlier asked one; zero asks for none.
type SetDeadline struct{ At time.Time }

// Authorize asks whether the vehicle may charge. Contract is nil for external identification.
type Authorize struct{ Contract *ContractClaim }

// Contactor asks for the contactor to be closed or opened. Present tells the outcome.
type Contactor struct{ Close bool }

// DCMode is what the power module shall do.
type DCMode uint8

// Modes of the power module.
const (
	DCOff DCMode = iota
	DCCableCheck
	DCPreCharge
	DCCharge
)

// DC asks the power module for a voltage and a current, at most.
type DC struct {
	Mode  DCMode
	Volts si.Volts
	Amps  si.Amps
}

// Stage names how far the session is.
type Stage string

// Stages of a session.
const (
	StageSetup     Stage = "setup"
	StageAuth      Stage = "authorization"
	StageParams    Stage = "parameters"
	StageCable     Stage = "cable-check"
	StagePreCharge Stage = "pre-charge"
	StageCharging  Stage = "charging"
	StageWelding   Stage = "welding-detection"
	StageStopped   Stage = "stopped"
)

// Progress tells how far the session is, with whom and in what.
type Progress struct {
	Protocol string // "din70121-dc", "iso15118-2-ac", "iso15118-2-dc"; empty until known
	Stage    Stage
	EVCCID   string // upper-case hexadecimal
}

// Needs is what the vehicle said about itself; zero values mean that it did not say, SoC is then -1.
type Needs struct {
	Phases    int
	MinAmps   si.Amps // AC per phase, DC total
	MaxAmps   si.Amps
	MaxWatts  si.Watts
	MaxVolts  si.Volts
	Energy    si.WattHours
	Capacity  si.WattHours
	SoC       si.Percent
	Departure time.Duration // from now
}

// ScheduleAsked says that the vehicle, after its Needs, asks for a schedule. Plan answers it, within Config.PlanWait.
type ScheduleAsked struct {
	Again   bool // because it was asked to negotiate anew
	Entries int  // how many the vehicle can hold; 0 when it does not say
}

// ScheduleChosen is the schedule that the vehicle has chosen, from now on, with the entries of its own charging profile if it
// has sent one. End is when the schedule ends.
type ScheduleChosen struct {
	ID      uint8
	Entries []PlanEntry
	End     time.Duration
}

// Pause leaves a session to be resumed.
type Pause struct{ Paused Paused }

// End is the last effect: the connection shall be closed after what was sent.
type End struct {
	OK    bool
	Class Class
	Why   string
}

// Class is a stable code for a kind of failure; it stands in log, API and metric.
type Class string

// Failure classes.
const (
	ClassNone        Class = ""
	ClassDiscovery   Class = "discovery"   // the vehicle asked for the SECC and never connected
	ClassTLS         Class = "tls"         // the handshake failed
	ClassCertificate Class = "certificate" // a certificate or signature that does not hold
	ClassEXI         Class = "exi"         // a message that cannot be read
	ClassSequence    Class = "sequence"    // a message at the wrong time
	ClassTimeout     Class = "timeout"     // nothing came in time
	ClassParameter   Class = "parameter"   // a message with values that cannot be served
	ClassHardware    Class = "hardware"    // contactor, module, insulation
	ClassAuth        Class = "auth"        // not authorised
	ClassNegotiation Class = "negotiation" // no protocol in common
	ClassConnection  Class = "connection"  // the vehicle left without a word
)

func (Send) effect()           {}
func (SetDeadline) effect()    {}
func (Authorize) effect()      {}
func (Contactor) effect()      {}
func (DC) effect()             {}
func (Progress) effect()       {}
func (Needs) effect()          {}
func (ScheduleAsked) effect()  {}
func (ScheduleChosen) effect() {}
func (Pause) effect()          {}
func (End) effect()            {}

// Timing holds the times of a session. The zero value is completed with the standard's (ISO 15118-2, tables 109 and 111).
type Timing struct {
	Setup      time.Duration // connection to SessionSetupReq, 18 s
	Sequence   time.Duration // response to next request, 60 s
	CPState    time.Duration // until state C is seen after PowerDeliveryReq, 1.5 s
	Contactor  time.Duration // to close or open, 3 s
	CableCheck time.Duration // 38 s
	PreCharge  time.Duration // 5 s
	AuthEIM    time.Duration // waiting for external identification, 300 s
	AuthPnC    time.Duration // waiting for the answer about a contract, 55 s
	Exchange   time.Duration // relay of a certificate installation or update, 4.5 s
	Stop       time.Duration // a vehicle that was asked to stop and goes on charging is failed, 60 s
}

// Filled returns t with the standard's value for each that is zero.
func (t Timing) Filled() Timing {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&t.Setup, 18*time.Second)
	set(&t.Sequence, 60*time.Second)
	set(&t.CPState, 1500*time.Millisecond)
	set(&t.Contactor, 3*time.Second)
	set(&t.CableCheck, 38*time.Second)
	set(&t.PreCharge, 5*time.Second)
	set(&t.AuthEIM, 300*time.Second)
	set(&t.AuthPnC, 55*time.Second)
	set(&t.Exchange, 4500*time.Millisecond)
	set(&t.Stop, 60*time.Second)
	return t
}

// Config is what a machine needs to know about its EVSE.
type Config struct {
	DC     bool
	EVSEID string // as the standard writes it, 7 to 37 characters, such as DE*VYD*E1
	// DIN91286 is the EVSEID in DIN 70121, hexadecimal digits as octets; nil says that there is none (one octet of 0).
	DIN91286 []byte
	Volts    si.Volts // AC: nominal, phase to neutral
	Timing   Timing
	// Without are protocols that are not served, by their name in Progress before the dash of the current: "din70121".
	Without []string
	// Contract is how Plug & Charge is served; nil offers external payment only. It needs TLS in any case.
	Contract *Contract
	// Services are offered beside charging (ISO 15118-2, table 105).
	Services []Service
	// PlanWait is how long a vehicle is told to wait for a Plan; 0 offers at once what there is.
	PlanWait time.Duration
	// Receipts has the vehicle sign meter readings in a Plug & Charge session; 0 asks for none.
	Receipts time.Duration
}
