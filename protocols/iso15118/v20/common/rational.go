package common

import "math"

// Float returns the value: Value times ten to the power of Exponent.
func (r RationalNumber) Float() float64 { return float64(r.Value) * math.Pow10(int(r.Exponent)) }

// Rational returns the number nearest to v towards zero that the wire can hold, with at most digits decimal places.
// What no exponent fits is held at the largest; what is no number becomes 0.
func Rational(v float64, digits int) RationalNumber {
	if math.IsNaN(v) {
		return RationalNumber{}
	}
	for e := -digits; e <= 30; e++ {
		// The small addition keeps 16.3 from becoming 16.2 because it is 162.99999 tenths.
		scaled := math.Trunc(v/math.Pow10(e) + math.Copysign(1e-6, v))
		if math.Abs(scaled) <= math.MaxInt16 {
			return RationalNumber{Exponent: int8(e), Value: int16(scaled)}
		}
	}
	return RationalNumber{Exponent: 30, Value: int16(math.Copysign(math.MaxInt16, v))}
}
