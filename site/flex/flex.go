// Package flex says how flexible a site is: what it could draw less, draw more, and give back now and over the next hours, and
// what that would cost its drivers. It is an offer for an aggregator; a call on it is a limit or a set-point with validity
// like any other, and keeps every limit of the site. Pure; the balancer computes it and the building's interface publishes it.
package flex

import (
	"math"
	"time"

	"github.com/voltyard/voltyard/hal/si"
)

// Hours is how far an offer looks ahead.
const Hours = 6

// Vehicle is one connected vehicle.
type Vehicle struct {
	Plan   [Hours]si.Watts // average power by the present plan, hour by hour, negative when giving back
	Max    si.Watts        // it can draw
	Export si.Watts        // it can give back, >= 0
	Need   si.WattHours    // it still wants
	Spare  si.WattHours    // in its battery above the driver's reserve; 0 when unknown
	Stay   time.Duration   // it is expected to stay; 0 when unknown: then one hour
}

// Site is what an offer is made from.
type Site struct {
	Now      time.Time
	Vehicles []Vehicle
	Headroom si.Watts // that the limits leave for drawing more; +Inf when nothing limits
	Feed     si.Watts // that the limits leave for giving back
	Worth    float64  // of a kWh in time, to a driver
	Wear     float64  // per kWh given back
	Currency string
}

// Hour is what is possible in one hour, counted from the present. Powers are changes against the plan, all >= 0. Costs are
// those of a call of the whole power for the whole hour, to the drivers.
type Hour struct {
	From          time.Time    `json:"from"`
	Planned       si.Watts     `json:"planned_w"`
	Lower         si.Watts     `json:"lower_w"`
	LowerWh       si.WattHours `json:"lower_wh"`
	LowerCost     float64      `json:"lower_cost"`
	Raise         si.Watts     `json:"raise_w"`
	RaiseWh       si.WattHours `json:"raise_wh"`
	Discharge     si.Watts     `json:"discharge_w"`
	DischargeWh   si.WattHours `json:"discharge_wh"`
	DischargeCost float64      `json:"discharge_cost"`
}

// Offer is the site's flexibility.
type Offer struct {
	At       time.Time `json:"at"`
	Currency string    `json:"currency,omitempty"`
	Hours    []Hour    `json:"hours"`
}

// New makes an offer. Values that are no numbers count as 0.
func New(s Site) *Offer {
	o := &Offer{At: s.Now.UTC(), Currency: s.Currency, Hours: make([]Hour, Hours)}
	for h := range o.Hours {
		x := &o.Hours[h]
		x.From = o.At.Add(time.Duration(h) * time.Hour)
		for i := range s.Vehicles {
			x.add(&s, clean(s.Vehicles[i]), h)
		}
		x.Raise = max(0, min(x.Raise, s.Headroom))
		x.RaiseWh = min(x.RaiseWh, si.WattHours(x.Raise))
		if feed := max(0, s.Feed); x.Discharge > feed {
			if x.Discharge > 0 {
				x.DischargeCost *= float64(feed / x.Discharge)
			}
			x.Discharge = feed
		}
		x.DischargeWh = min(x.DischargeWh, si.WattHours(x.Discharge))
	}
	return o
}

func clean(v Vehicle) Vehicle {
	for _, w := range []*si.Watts{&v.Max, &v.Export} {
		if !si.Finite(*w) || *w < 0 {
			*w = 0
		}
	}
	for _, e := range []*si.WattHours{&v.Need, &v.Spare} {
		if !si.Finite(*e) || *e < 0 {
			*e = 0
		}
	}
	for i := range v.Plan {
		if !si.Finite(v.Plan[i]) {
			v.Plan[i] = 0
		}
	}
	if v.Stay <= 0 {
		v.Stay = time.Hour
	}
	return v
}

func (x *Hour) add(s *Site, v Vehicle, h int) {
	begin := time.Duration(h) * time.Hour
	part := min(1, (v.Stay - begin).Hours()) // of the hour that it is there
	if part <= 0 {
		return
	}
	x.Planned += v.Plan[h]
	later := max(0, v.Stay-begin-time.Hour).Hours() // to make up for it
	// What the plan has in store before this hour comes first; what it has later can give way.
	before := 0.0
	after := 0.0
	for k, w := range v.Plan {
		if k < h {
			before += float64(w)
		} else if k > h {
			after += max(0, float64(w))
		}
	}
	if w := max(0, v.Plan[h]); w > 0 {
		x.Lower += w
		x.LowerWh += si.WattHours(float64(w) * part)
		spare := max(0, float64(v.Max)*later-after) // room to catch up
		x.LowerCost += max(0, float64(w)*part-spare) / 1000 * s.Worth
	}
	if left := max(0, float64(v.Need)-before-float64(max(0, v.Plan[h]))*part); left > 0 && v.Max > v.Plan[h] {
		w := math.Min(float64(v.Max-max(0, v.Plan[h])), left/part)
		x.Raise += si.Watts(w)
		x.RaiseWh += si.WattHours(w * part)
	}
	if spare := float64(v.Spare) + before; v.Export > 0 && spare > 0 {
		w := math.Min(float64(v.Export), spare/part)
		e := w * part
		x.Discharge += si.Watts(w)
		x.DischargeWh += si.WattHours(e)
		lack := max(0, e+float64(v.Need)-before-float64(v.Max)*later) // that cannot be charged again in time
		x.DischargeCost += e/1000*s.Wear + min(e, lack)/1000*s.Worth
	}
}
