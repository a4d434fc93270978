package din

import (
	"math"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/exi"
)

// Float returns the value in the unit of its symbol: Value times ten to the power of Multiplier.
func (p PhysicalValue) Float() float64 { return float64(p.Value) * math.Pow10(int(p.Multiplier)) }

// Amps returns a current for the wire, rounded toward zero so that a limit never grows on the way.
func Amps(a si.Amps) PhysicalValue { return physical(float64(a), UnitSymbolA, 1) }

// Volts returns a voltage for the wire.
func Volts(v si.Volts) PhysicalValue { return physical(float64(v), UnitSymbolV, 1) }

// Watts returns a power for the wire, rounded toward zero so that a limit never grows on the way.
func Watts(w si.Watts) PhysicalValue { return physical(float64(w), UnitSymbolW, 0) }

// WattHours returns an energy for the wire.
func WattHours(e si.WattHours) PhysicalValue { return physical(float64(e), UnitSymbolWh, 0) }

// physical chooses the smallest multiplier, from -digits to 3 as the schema allows, with which the value fits 16 bits.
// Values that no multiplier fits are held at the largest; what is no number becomes 0.
func physical(v float64, unit UnitSymbol, digits int) PhysicalValue {
	if math.IsNaN(v) {
		v = 0
	}
	for m := -digits; m <= 3; m++ {
		scaled := math.Trunc(v/math.Pow10(m) + math.Copysign(1e-6, v))
		if math.Abs(scaled) <= math.MaxInt16 {
			return PhysicalValue{Multiplier: int8(m), Unit: exi.Some(unit), Value: int16(scaled)}
		}
	}
	return PhysicalValue{Multiplier: 3, Unit: exi.Some(unit), Value: int16(math.Copysign(math.MaxInt16, v))}
}
