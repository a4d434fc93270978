package si

import (
	"math"
	"testing"
)

func TestRotationMapsBothWays(t *testing.T) {
	for _, name := range []string{"", "RST", "STR", "TRS", "RTS", "SRT", "TSR"} {
		r, err := ParseRotation(name)
		if err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		own := Phases{1, 2, 3}
		if back := r.ToOwn(r.ToGrid(own)); back != own {
			t.Errorf("%q: %v went to the grid and came back as %v", name, own, back)
		}
		if name != "" && r.String() != name {
			t.Errorf("%q prints as %q", name, r)
		}
	}
	if r, _ := ParseRotation("STR"); r.ToGrid(Phases{16, 0, 0}) != (Phases{0, 16, 0}) {
		t.Error("STR must put the EVSE's L1 on the grid's L2")
	}
	for _, bad := range []string{"RRT", "rst", "RS", "ABC", "RSTR"} {
		if _, err := ParseRotation(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestFinite(t *testing.T) {
	if !Finite(Amps(0), Amps(-1)) || Finite(Watts(1), Watts(math.NaN())) || Finite(Volts(math.Inf(-1))) {
		t.Error("Finite is wrong about NaN or infinities")
	}
}

func TestPowerAndCurrent(t *testing.T) {
	if got := (Phases{10, 10, 10}).Power(230); got != 6900 {
		t.Errorf("power = %v", got)
	}
	if got := Watts(2300).At(230); got != 10 {
		t.Errorf("current = %v", got)
	}
	if got := Watts(2300).At(0); got != 0 {
		t.Errorf("current at 0 V = %v, want 0 and no infinity", got)
	}
}
