// Package si holds the typed physical quantities that every other package of Voltyard uses.
//
// Sign convention, everywhere: import from the grid, and charging of a vehicle, are positive; export and discharge
// are negative. Alternating currents are RMS amperes per phase. All values are SI units, energy in watt-hours.
// The package is pure data; every layer may import it.
package si

import (
	"fmt"
	"math"
)

// Amps is an electric current in A. For alternating current it is the RMS value of one phase.
type Amps float64

// Volts is an electric potential in V. For alternating current it is the RMS value phase to neutral.
type Volts float64

// Watts is active power in W, positive when the site or the vehicle consumes.
type Watts float64

// WattHours is energy in Wh, positive when consumed.
type WattHours float64

// Percent is a share in %, 0 to 100 unless the field says otherwise.
type Percent float64

// Ohms is a resistance in Ω.
type Ohms float64

// Hertz is a frequency in Hz.
type Hertz float64

// Celsius is a temperature in °C.
type Celsius float64

// Duty is a PWM duty cycle in %, 0 (constant low) to 100 (constant high), of the IEC 61851-1 control pilot.
type Duty float64

// Times returns the power of current a at voltage v in one phase (or on a DC line).
func (a Amps) Times(v Volts) Watts { return Watts(float64(a) * float64(v)) }

// At returns the current that power w means at voltage v in one phase (or on a DC line); 0 for v <= 0.
func (w Watts) At(v Volts) Amps {
	if v <= 0 {
		return 0
	}
	return Amps(float64(w) / float64(v))
}

// String formats a in A with two decimals.
func (a Amps) String() string { return fmt.Sprintf("%.2f A", float64(a)) }

// String formats v in V with one decimal.
func (v Volts) String() string { return fmt.Sprintf("%.1f V", float64(v)) }

// String formats w in W without decimals.
func (w Watts) String() string { return fmt.Sprintf("%.0f W", float64(w)) }

// String formats e in Wh with one decimal.
func (e WattHours) String() string { return fmt.Sprintf("%.1f Wh", float64(e)) }

// String formats p in % with one decimal.
func (p Percent) String() string { return fmt.Sprintf("%.1f %%", float64(p)) }

// Finite reports whether every value is neither infinite nor NaN. Values from outside are checked with it before use,
// because NaN compares false with every limit.
func Finite[T ~float64](values ...T) bool {
	for _, v := range values {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return false
		}
	}
	return true
}
