package hal

import (
	"context"
	"time"

	"github.com/voltyard/voltyard/hal/si"
)

// MeterReading is one reading of an energy meter. Registers never run backwards.
type MeterReading struct {
	At      time.Time
	Import  si.WattHours // register, consumed
	Export  si.WattHours // register, delivered back
	Power   si.Watts     // now, positive when consuming
	Current si.Phases    // at the meter's own terminals, positive when consuming; DC meters use entry 0
	Voltage [3]si.Volts
	Signed  string // signed reading in the meter's own format, empty where the meter does not sign
}

// Meter reads energy, power and currents. An EVSE's meter measures at its own terminals.
type Meter interface {
	// Read takes a reading; it returns within ctx. A reading is current as of its At.
	Read(ctx context.Context) (MeterReading, error)
	Close() error
}
