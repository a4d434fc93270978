package din

import (
	"testing"

	"github.com/voltyard/voltyard/hal/si"
)

func TestQuantities(t *testing.T) {
	for _, c := range []struct {
		got  PhysicalValue
		want float64
		m    int8
		unit UnitSymbol
	}{
		{Amps(si.Amps(16.3)), 16.3, -1, UnitSymbolA},
		{Volts(si.Volts(402.1)), 402.1, -1, UnitSymbolV},
		{Watts(si.Watts(150000)), 150000, 1, UnitSymbolW},
		{WattHours(si.WattHours(60000)), 60000, 1, UnitSymbolWh},
		{Watts(si.Watts(1e9)), 32767000, 3, UnitSymbolW},
	} {
		if diff := c.got.Float() - c.want; diff > 1e-9 || diff < -1e-9 || c.got.Multiplier != c.m || c.got.Unit.Value != c.unit {
			t.Errorf("%+v, want %v", c.got, c.want)
		}
	}
}
