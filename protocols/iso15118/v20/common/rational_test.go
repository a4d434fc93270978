package common

import (
	"math"
	"testing"
)

func TestRational(t *testing.T) {
	for _, c := range []struct {
		v      float64
		digits int
		want   RationalNumber
	}{
		{0, 1, RationalNumber{Exponent: -1}},
		{402.1, 1, RationalNumber{Exponent: -1, Value: 4021}},
		{16.3, 1, RationalNumber{Exponent: -1, Value: 163}},
		{-150000, 0, RationalNumber{Exponent: 1, Value: -15000}},
		{32767, 0, RationalNumber{Value: 32767}},
		{32768, 0, RationalNumber{Exponent: 1, Value: 3276}},
		{math.NaN(), 2, RationalNumber{}},
		{math.Inf(1), 0, RationalNumber{Exponent: 30, Value: 32767}},
	} {
		if got := Rational(c.v, c.digits); got != c.want {
			t.Errorf("%v with %d digits: %+v, want %+v", c.v, c.digits, got, c.want)
		}
	}
	if got := (RationalNumber{Exponent: 2, Value: 1500}).Float(); got != 150000 {
		t.Error(got)
	}
}
