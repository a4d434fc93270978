package flex

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/voltyard/voltyard/hal/si"
)

var t0 = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

func TestWhatAVehicleCanDo(t *testing.T) {
	v := Vehicle{Plan: [Hours]si.Watts{8000, 8000}, Max: 11000, Export: 10000, Need: 16000, Spare: 20000, Stay: 4 * time.Hour}
	o := New(Site{Now: t0, Vehicles: []Vehicle{v}, Headroom: 2000, Feed: 6000, Worth: 1, Wear: 0.1})
	h := o.Hours[0]
	if h.Lower != 8000 || h.LowerWh != 8000 || h.LowerCost != 0 { // it catches up later
		t.Errorf("lower %+v", h)
	}
	if h.Raise != 2000 || h.RaiseWh != 2000 { // 3000 by its own maximum, 2000 by the limits
		t.Errorf("raise %+v", h)
	}
	if h.Discharge != 6000 || h.DischargeWh != 6000 || math.Abs(h.DischargeCost-0.6) > 1e-9 {
		t.Errorf("discharge %+v", h)
	}
	if gone := o.Hours[5]; gone.Lower != 0 || gone.Raise != 0 || gone.Discharge != 0 {
		t.Errorf("after it left: %+v", gone)
	}
	v.Stay = time.Hour // nothing can be made up for
	if h := New(Site{Now: t0, Vehicles: []Vehicle{v}, Worth: 1}).Hours[0]; h.LowerCost != 8 {
		t.Errorf("%+v", h)
	}
}

func TestOffersAreSane(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := func(name string) float64 { return rapid.Float64().Draw(t, name) }
		s := Site{Now: t0, Headroom: si.Watts(rapid.Float64Range(0, 1e6).Draw(t, "headroom")), Feed: si.Watts(rapid.Float64Range(0, 1e6).Draw(t, "feed")), Worth: 0.5, Wear: 0.1}
		for range rapid.IntRange(0, 4).Draw(t, "n") {
			v := Vehicle{Max: si.Watts(rapid.Float64Range(-1, 50000).Draw(t, "max")), Export: si.Watts(rapid.Float64Range(-1, 50000).Draw(t, "export")),
				Need: si.WattHours(rapid.Float64Range(-1, 1e5).Draw(t, "need")), Spare: si.WattHours(f("spare")), Stay: time.Duration(rapid.Int64Range(-1, int64(10*time.Hour)).Draw(t, "stay"))}
			for i := range v.Plan {
				v.Plan[i] = si.Watts(rapid.Float64Range(-20000, 20000).Draw(t, "plan"))
			}
			s.Vehicles = append(s.Vehicles, v)
		}
		for _, h := range New(s).Hours {
			for _, x := range []float64{float64(h.Lower), float64(h.LowerWh), h.LowerCost, float64(h.Raise), float64(h.RaiseWh), float64(h.Discharge), float64(h.DischargeWh), h.DischargeCost} {
				if !(x >= 0) || math.IsInf(x, 0) {
					t.Fatalf("%+v", h)
				}
			}
			if h.Raise > s.Headroom || h.Discharge > s.Feed || float64(h.RaiseWh) > float64(h.Raise)+1e-6 {
				t.Fatalf("%+v", h)
			}
		}
	})
}
