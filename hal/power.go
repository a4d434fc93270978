package hal

import (
	"context"
	"time"

	"github.com/voltyard/voltyard/hal/si"
)

// ModuleMode is what a DC power module is asked to do.
type ModuleMode uint8

// Modes of a DC power module.
const (
	ModuleOff        ModuleMode = iota
	ModuleCableCheck            // apply the insulation test voltage, no current
	ModulePreCharge             // match the vehicle's voltage at no more than 2 A
	ModuleCharge                // deliver (or, with negative Amps, take back) energy
)

// String names the mode.
func (m ModuleMode) String() string {
	return [...]string{"off", "cable-check", "pre-charge", "charge"}[min(m, ModuleCharge)]
}

// Isolation is the result of an insulation test (IEC 61851-23).
type Isolation uint8

// Results of an insulation test.
const (
	IsolationUnknown Isolation = iota
	IsolationTesting
	IsolationValid // at or over 100 kΩ
	IsolationFault
)

// ModuleSetpoint is what a DC power module is told.
type ModuleSetpoint struct {
	Mode  ModuleMode
	Volts si.Volts // target, at most
	Amps  si.Amps  // target, at most; negative takes energy back from the vehicle
	Watts si.Watts // cap on the delivered power, 0 is a cap
}

// ModuleState is what a DC power module reports.
type ModuleState struct {
	At        time.Time
	Volts     si.Volts // at the outlet
	Amps      si.Amps  // at the outlet, positive into the vehicle
	Isolation Isolation
	Fault     Fault
}

// ModuleLimits is what a DC power module can do.
type ModuleLimits struct {
	MinVolts, MaxVolts si.Volts
	MinAmps, MaxAmps   si.Amps
	MaxWatts           si.Watts
	MaxExportWatts     si.Watts // 0 when it cannot take energy back
	Efficiency         float64  // DC power out over AC power in at full load, over 0 to 1
}

// PowerModule is the DC side of a DC EVSE, with its insulation monitor.
type PowerModule interface {
	// Set applies a set-point and renews the module's watchdog (the same interval as the board's).
	Set(ModuleSetpoint) error
	// Read returns what is measured at the outlet.
	Read(ctx context.Context) (ModuleState, error)
	Limits() ModuleLimits
	// Close switches the module off and releases it.
	Close() error
}

// Outlet is all the hardware of one EVSE. Module is nil for AC, Display where there is none.
type Outlet struct {
	Board   Board
	Meter   Meter
	Module  PowerModule
	Display Display
}
