package iec61851

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/voltyard/voltyard/hal/si"
)

func TestDutyTable(t *testing.T) {
	for _, c := range []struct {
		a    si.Amps
		d    si.Duty
		ok   bool
		name string
	}{
		{0, 0, false, "zero is a pause"},
		{5.99, 0, false, "under the minimum"},
		{6, 10, true, "minimum"},
		{16, 26.666666666666668, true, "16 A"},
		{32, 53.333333333333336, true, "32 A"},
		{51, 85, true, "end of the lower branch"},
		{52, 85, true, "the gap offers the lower current"},
		{63, 89.2, true, "upper branch"},
		{80, 96, true, "maximum"},
		{200, 96, true, "over the maximum"},
		{si.Amps(math.NaN()), 0, false, "not a number"},
	} {
		d, ok := Duty(c.a)
		if ok != c.ok || math.Abs(float64(d-c.d)) > 1e-9 {
			t.Errorf("%s: Duty(%v) = %v, %v; want %v, %v", c.name, c.a, d, ok, c.d, c.ok)
		}
	}
}

func TestReadTable(t *testing.T) {
	for d, want := range map[si.Duty]Offer{
		0: {}, 2.9: {}, 5: {Digital: true}, 7: {Digital: true}, 7.5: {}, 8: {Current: 6}, 9.9: {Current: 6},
		10: {Current: 6}, 50: {Current: 30}, 90: {Current: 65}, 96.5: {Current: 80}, 98: {}, 100: {},
	} {
		if got := Read(d); math.Abs(float64(got.Current-want.Current)) > 1e-9 || got.Digital != want.Digital {
			t.Errorf("Read(%v) = %+v, want %+v", d, got, want)
		}
	}
}

// A vehicle must never read more than the EVSE meant to offer.
func TestVehicleNeverReadsMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := si.Amps(rapid.Float64Range(0, 120).Draw(t, "a"))
		d, ok := Duty(a)
		if !ok {
			return
		}
		if got := Read(d).Current; got > min(a, MaxCurrent)+1e-9 && a >= MinCurrent {
			t.Fatalf("offered %v as %v %%, the vehicle reads %v", a, d, got)
		}
	})
}
