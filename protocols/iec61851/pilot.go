// Package iec61851 holds the rules of IEC 61851-1 for basic charging by pilot duty cycle: how a current becomes a duty
// cycle at the EVSE, and what a vehicle reads from a duty cycle. It is pure; the EVSE actor and the simulated vehicle use it.
package iec61851

import "github.com/voltyard/voltyard/hal/si"

// MinCurrent is the smallest current a duty cycle can offer, in A per phase; less is a pause.
const MinCurrent si.Amps = 6

// MaxCurrent is the largest current a duty cycle can offer, in A per phase.
const MaxCurrent si.Amps = 80

// Digital is the duty cycle that announces digital communication (ISO 15118, DIN 70121).
const Digital si.Duty = 5

// Duty returns the duty cycle an EVSE sets to offer a per phase. ok is false under 6 A: the EVSE then offers no energy
// (constant +12 V, state x1). Over 80 A it offers 80 A. The formula leaves a gap between 51 A and 52.5 A, where the lower
// branch ends; there the lower current is offered (Table A.7).
func Duty(a si.Amps) (d si.Duty, ok bool) {
	switch {
	case !(a >= MinCurrent): // also NaN
		return 0, false
	case a <= 51:
		return si.Duty(a / 0.6), true
	case a < 52.5:
		return 85, true
	default:
		return si.Duty(min(a, MaxCurrent)/2.5 + 64), true
	}
}

// Offer is what a vehicle reads from a duty cycle.
type Offer struct {
	Current si.Amps // per phase; 0 when no energy is offered
	Digital bool    // the vehicle shall use digital communication
}

// Read returns what a vehicle may draw at duty cycle d (Table A.8).
func Read(d si.Duty) Offer {
	switch {
	case d >= 3 && d <= 7:
		return Offer{Digital: true}
	case d >= 8 && d < 10:
		return Offer{Current: 6}
	case d >= 10 && d <= 85:
		return Offer{Current: si.Amps(d) * 0.6}
	case d > 85 && d <= 96:
		return Offer{Current: (si.Amps(d) - 64) * 2.5}
	case d > 96 && d <= 97:
		return Offer{Current: MaxCurrent}
	default:
		return Offer{}
	}
}
