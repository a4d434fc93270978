package sim

import (
	"math"

	"github.com/voltyard/voltyard/hal/si"
)

// Battery is a traction battery: constant power up to a knee, then a taper, at a voltage that rises with the state of
// charge. It is a plain value without a clock; whoever owns it adds energy.
type Battery struct {
	Capacity si.WattHours
	Energy   si.WattHours // now, 0 to Capacity
	MaxPower si.Watts     // under the knee
	Knee     si.Percent   // where the taper begins; 0 means 80
	Nominal  si.Volts     // at half charge; 0 means 400
}

// SoC is the state of charge, 0 to 100 %.
func (b *Battery) SoC() si.Percent {
	if b.Capacity <= 0 {
		return 0
	}
	return si.Percent(100 * float64(b.Energy/b.Capacity))
}

// Add puts energy in, or takes it out when negative, within what fits. It returns what went in.
func (b *Battery) Add(e si.WattHours) si.WattHours {
	before := b.Energy
	b.Energy = max(0, min(b.Capacity, b.Energy+e))
	return b.Energy - before
}

// Accepts is the most power the battery takes now: MaxPower up to the knee, from there in a straight line down to a
// twentieth of it at 100 %, and nothing when full.
func (b *Battery) Accepts() si.Watts {
	knee, soc := float64(b.Knee), float64(b.SoC())
	if knee <= 0 || knee >= 100 {
		knee = 80
	}
	switch {
	case soc >= 100:
		return 0
	case soc <= knee:
		return b.MaxPower
	}
	left := (100 - soc) / (100 - knee)
	return si.Watts(float64(b.MaxPower) * math.Max(0.05, left))
}

// Volts is the voltage at the terminals: the nominal one, ten percent less when empty and more when full.
func (b *Battery) Volts() si.Volts {
	n := float64(b.Nominal)
	if n <= 0 {
		n = 400
	}
	return si.Volts(n * (0.9 + 0.2*float64(b.SoC())/100))
}
