package msg

import (
	"time"

	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/lease"
)

// EVSEReport is the whole state of one own EVSE. EVSE to balancer and to its station role, on every change and at least
// once a second while a vehicle is connected.
type EVSEReport struct {
	EVSE       string
	Seq        uint64 // counts the reports of this incarnation
	Pilot      hal.Pilot
	Plugged    bool
	Charging   bool // the contactor is closed and the vehicle may draw
	Fault      string
	Protocol   Protocol
	Stage      SessionStage
	EVCCID     string
	Token      string   // who pays, for display
	Auth       bool     // authorised to charge
	Wants      bool     // it would charge if it were allowed to
	Done       bool     // the vehicle wants nothing more
	Operative  bool     // in service
	Phases     int      // phases the vehicle loads, 0 when unknown
	Min, Max   si.Amps  // AC: per phase, what the vehicle can take
	MaxPower   si.Watts // DC: what the vehicle can take now
	SoC        si.Percent
	Wanted     si.WattHours
	Departure  time.Time    // zero when unknown
	Capacity   si.WattHours // of the battery; 0 when unknown
	MaxExport  si.Watts     // that vehicle and EVSE can give back now; 0: cannot
	Meter      hal.MeterReading
	Energy     si.WattHours // of this session
	Stopped    bool         // the charging was ended from outside, until the vehicle leaves
	Cable      bool         // a plug is in the EVSE's own socket
	LockFailed bool         // the lock of the socket does not follow
	Screen     *hal.Screen  // what drivers are shown; nil for nothing. Not to be changed
	Stale      bool         // the meter does not answer; Meter and Draw are old
	Draw       si.Phases    // taken from the grid now, at its own terminals; with the losses of a power module
	Limit      si.Amps      // permitted now, per phase
	LimitW     si.Watts     // permitted now, from the grid
	Setpoint   si.Amps      // what the EVSE has told the vehicle, per phase (AC) or total (DC)
	Introduced uint64       // the token of the Introduce that this report answers; 0: none
	Grant      lease.Grant  // in force, or the last one
	GrantSeq   uint64       // last grant in force
	Since      time.Time    // when the vehicle came
}

// Introduce asks an EVSE, or the controller, to say at once what it has and holds: EVSEReport with the token, StationHeld
// and StationReport for each station. The answer comes after whatever was sent to it before. Balancer, at its start.
type Introduce struct{ Token uint64 }

// Authorize asks a station role whether a token may charge at an EVSE. EVSE to station.
type Authorize struct {
	EVSE  string
	Token string // RFID or eMAID; empty where the site charges without authorisation
	Kind  string // OCPP idToken type, or "NoAuthorization"
	// Contract comes with the kind eMAID: what the vehicle has shown of its contract.
	Contract *Contract
}

// Token is a card or code that was shown at an EVSE's reader. Reader to EVSE.
type Token struct {
	EVSE string
	ID   string
	Kind string // OCPP idToken type, such as ISO14443
}

// Authorized answers Authorize, and comes unasked for a remote start. Station to EVSE.
type Authorized struct {
	EVSE     string
	Accepted bool
	Token    string
	Remote   bool
	Refusal  Refusal // of a contract
}

// StopCharging asks an EVSE to end the session of the vehicle: a remote stop, a revoked token, a reset.
type StopCharging struct {
	EVSE string
	Why  string
}

// Unlock asks an EVSE to release its connector; Unlocked answers. Station to EVSE.
type Unlock struct{ EVSE string }

// LockCable asks an EVSE with a socket to hold the plug, or to let it go as soon as no energy can flow. Station to EVSE.
type LockCable struct {
	EVSE string
	On   bool
}

// Show has the drivers at an EVSE see this from now on. Station to EVSE.
type Show struct {
	EVSE   string
	Screen hal.Screen // belongs to the receivers, who do not change it
}

// Unlocked answers Unlock. EVSE to station.
type Unlocked struct {
	EVSE string
	OK   bool
}

// SignMeter asks an EVSE to have its meter take and sign a reading; MeterSigned answers. Station to EVSE.
type SignMeter struct {
	EVSE   string
	Token  uint64
	Moment hal.Moment
}

// MeterSigned answers SignMeter. Without Reading.Signed the meter has not signed. EVSE to station.
type MeterSigned struct {
	EVSE    string
	Token   uint64
	Reading hal.MeterReading
}

// Operative sets an EVSE in or out of service. Station to EVSE.
type Operative struct {
	EVSE string
	On   bool
}
