package plan

import (
	"time"

	"github.com/voltyard/voltyard/hal/si"
)

// Estimate is when a battery will have reached a state of charge, and what the energy until then costs.
type Estimate struct {
	SoC  si.Percent `json:"soc"`
	At   time.Time  `json:"at"`
	Cost *float64   `json:"cost,omitempty"` // in the tariff's currency; absent without a tariff
}

// Goals are the states of charge that drivers are told about.
var Goals = []si.Percent{50, 80, 100}

// taper is the share of its power that a battery takes above 80 %, on average.
const taper = 0.45

// farthest is how far ahead an estimate looks.
const farthest = 48 * time.Hour

// Expect returns an estimate for each of Goals that lies ahead and will be reached: from a state of charge, with power(at)
// taken from the grid at an instant, of which efficiency arrives. Above 80 % batteries take less; an average of that is
// counted in. Nothing is said about a battery of unknown size or state.
func Expect(now time.Time, soc si.Percent, capacity si.WattHours, efficiency float64, power func(at time.Time) si.Watts, t *Tariff) []Estimate {
	if !si.Finite(soc) || !si.Finite(capacity) || soc < 0 || soc >= 100 || capacity <= 0 || efficiency <= 0 {
		return nil
	}
	var out []Estimate
	goals := Goals
	for len(goals) > 0 && goals[0] <= soc {
		goals = goals[1:]
	}
	cost := 0.0
	for at := time.Duration(0); at < farthest && len(goals) > 0; at += Slot {
		w := float64(power(now.Add(at)))
		if !(w > 0) { // also true for NaN
			continue
		}
		if soc >= 80 {
			w *= taper
		}
		price := 0.0
		if t != nil {
			price = t.Price(now.Add(at))
		}
		gain := si.Percent(w * efficiency * Slot.Hours() / float64(capacity) * 100)
		for len(goals) > 0 && soc+gain >= goals[0] {
			part := float64((goals[0] - soc) / gain)
			e := Estimate{SoC: goals[0], At: now.Add(at + time.Duration(part*float64(Slot))).UTC().Round(time.Second)}
			if t != nil {
				c := cost + part*w*Slot.Hours()/1000*price
				e.Cost = &c
			}
			out = append(out, e)
			goals = goals[1:]
		}
		soc += gain
		cost += w * Slot.Hours() / 1000 * price
	}
	return out
}
