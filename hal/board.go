package hal

import (
	"time"

	"github.com/voltyard/voltyard/hal/si"
)

// Pilot is the state of the control pilot line that the vehicle determines (IEC 61851-1, Table A.4).
type Pilot uint8

// Control pilot states. PilotC and PilotD mean that the vehicle wants energy.
const (
	PilotUnknown Pilot = iota
	PilotA             // +12 V: no vehicle
	PilotB             // +9 V: vehicle connected, not ready
	PilotC             // +6 V: vehicle ready
	PilotD             // +3 V: vehicle ready, ventilation required
	PilotE             // 0 V: short circuit or supply lost
	PilotF             // -12 V: EVSE not available
)

// String returns the letter of the state, "?" when unknown.
func (p Pilot) String() string {
	if p > PilotF {
		return "?"
	}
	return string("?ABCDEF"[p])
}

// Connected reports whether a vehicle is plugged in.
func (p Pilot) Connected() bool { return p == PilotB || p == PilotC || p == PilotD }

// Wants reports whether the vehicle asks for energy.
func (p Pilot) Wants() bool { return p == PilotC || p == PilotD }

// Drive says what the EVSE puts on the control pilot line.
type Drive uint8

// Drives of the control pilot.
const (
	DriveX1  Drive = iota // constant +12 V: no energy offered
	DrivePWM              // 1 kHz with the duty of the Output
	DriveF                // constant -12 V: out of service
	DriveE                // 0 V, where the board can
)

// Output is everything a board is told at once. It is idempotent: setting it again renews the watchdog.
type Output struct {
	Drive   Drive
	Duty    si.Duty // with DrivePWM; 5 % means digital communication, 10 to 96 % a current (IEC 61851-1, Table A.7)
	Close   bool    // permit the contactor
	Phases3 bool    // switch three phases, where the board can choose; else one
	Lock    bool    // hold the plug in the outlet's socket (retention lock); without a socket it does nothing
}

// Fault names what a board found. Empty is healthy. Values follow the names charging networks use.
type Fault string

// Faults of a board.
const (
	FaultNone       Fault = ""
	FaultDiode      Fault = "DiodeFault"
	FaultWelded     Fault = "ContactorWelded"
	FaultRCD        Fault = "GroundFault"
	FaultOvertemp   Fault = "OverTemperature"
	FaultEmergency  Fault = "EmergencyStop"
	FaultWatchdog   Fault = "WatchdogExpired"
	FaultComm       Fault = "CommunicationFault"
	FaultLock       Fault = "ConnectorLockFailure"
	FaultOvervolt   Fault = "OverVoltage"
	FaultPilot      Fault = "PilotFault"
	FaultNotClosing Fault = "ContactorNotClosing"
)

// Input is everything a board reports at once.
type Input struct {
	At     time.Time
	Pilot  Pilot
	Closed bool    // mirror contact of the contactor
	Locked bool    // feedback of the retention lock
	Cable  si.Amps // rating of the plug in the socket by its proximity resistor; 0 without a plug, and for an attached cable
	Fault  Fault
}

// Board drives one outlet: pilot, contactor, connector lock. Its methods are safe for concurrent use and never block
// longer than a bus transaction.
type Board interface {
	// Set applies an output and renews the watchdog. An error means that the output may not be in force.
	Set(Output) error
	// Read returns the last known input.
	Read() Input
	// Notify has f called with each change of the input, from the driver's goroutine; f must not block. One f at a time;
	// nil stops it, and no call is under way when Notify(nil) returns.
	Notify(f func(Input))
	// Watchdog is the interval in which Set must be called; later, the board opens the contactor by itself.
	Watchdog() time.Duration
	// Close puts the board in its safe state, contactor open and state F, and releases it.
	Close() error
}
