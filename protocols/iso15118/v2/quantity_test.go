package v2

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/voltyard/voltyard/hal/si"
)

func TestQuantitiesNeverGrow(t *testing.T) {
	for w, want := range map[si.Watts]PhysicalValue{
		0: {0, UnitSymbolW, 0}, 32767: {0, UnitSymbolW, 32767}, 50000: {1, UnitSymbolW, 5000}, 350000: {2, UnitSymbolW, 3500},
		-11000: {0, UnitSymbolW, -11000}, si.Watts(math.NaN()): {0, UnitSymbolW, 0}, 1e12: {3, UnitSymbolW, math.MaxInt16},
	} {
		if got := Watts(w); got != want {
			t.Errorf("%v: %+v, want %+v", float64(w), got, want)
		}
	}
	if got := Amps(16.3); got != (PhysicalValue{-1, UnitSymbolA, 163}) {
		t.Errorf("16.3 A: %+v", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.Float64Range(0, 1e7).Draw(t, "a")
		got := Amps(si.Amps(a)).Float()
		if got > a+1e-5 || got < a-math.Max(0.11, a/1000) {
			t.Fatalf("%v became %v", a, got)
		}
	})
}
