package plan

import (
	"fmt"
	"math"
	"time"

	"github.com/voltyard/voltyard/hal/si"
)

// Tariff is what energy and power cost. Prices are in the tariff's currency; the zero value is free of charge.
type Tariff struct {
	Currency string         // ISO 4217, for display
	Zone     *time.Location // of Periods; nil means UTC
	Base     float64        // per kWh imported, where no period applies
	Periods  []Period       // the first that applies counts
	FeedIn   float64        // per kWh exported
	Demand   float64        // per kW of the highest quarter-hour average of a month; 0: none
	Wear     float64        // per kWh that a vehicle's battery gives back
	Value    float64        // what a kWh in time is worth to a driver; 0 means three times the highest price
}

// Period is a part of days or weeks with a price of its own.
type Period struct {
	Days     [7]bool // by time.Weekday; all false means every day
	From, To time.Duration
	Price    float64
}

// Check reports what is wrong with a tariff.
func (t *Tariff) Check() error {
	if !finite(t.Base, t.FeedIn, t.Demand, t.Wear, t.Value) || t.Demand < 0 || t.Wear < 0 || t.Value < 0 {
		return fmt.Errorf("tariff: a price is no number, or demand, wear or value is below 0")
	}
	for i, p := range t.Periods {
		if !finite(p.Price) {
			return fmt.Errorf("tariff: the price of period %d is no number", i+1)
		}
		if p.From < 0 || p.To < 0 || p.From >= 24*time.Hour || p.To > 24*time.Hour {
			return fmt.Errorf("tariff: period %d must lie within 00:00 and 24:00", i+1)
		}
	}
	return nil
}

func finite(v ...float64) bool {
	for _, x := range v {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return false
		}
	}
	return true
}

// Price is the price of a kWh imported at an instant of the wall clock.
func (t *Tariff) Price(at time.Time) float64 {
	zone := t.Zone
	if zone == nil {
		zone = time.UTC
	}
	at = at.In(zone)
	day := time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute + time.Duration(at.Second())*time.Second
	for i := range t.Periods {
		if t.Periods[i].covers(at.Weekday(), day) {
			return t.Periods[i].Price
		}
	}
	return t.Base
}

// covers reports whether a time of day lies in the period. A period whose end is not after its begin runs past midnight and
// belongs to the day on which it begins.
func (p *Period) covers(day time.Weekday, at time.Duration) bool {
	on := func(d time.Weekday) bool { return p.Days == [7]bool{} || p.Days[d] }
	if p.From < p.To {
		return on(day) && at >= p.From && at < p.To
	}
	return on(day) && at >= p.From || on((day+6)%7) && at < p.To
}

// Worth is what a kWh in time is worth to a driver.
func (t *Tariff) Worth() float64 {
	if t.Value > 0 {
		return t.Value
	}
	top := t.Base
	for i := range t.Periods {
		top = math.Max(top, t.Periods[i].Price)
	}
	if top <= 0 {
		return 1
	}
	return 3 * top
}

// Flat reports whether the price never changes and power is free, so that there is nothing to wait for.
func (t *Tariff) Flat() bool {
	for i := range t.Periods {
		if t.Periods[i].Price != t.Base {
			return false
		}
	}
	return true
}

// Cost is the price of energy taken evenly from one instant to a later one.
func (t *Tariff) Cost(from time.Time, d time.Duration, e si.WattHours) float64 {
	const step = 5 * time.Minute
	if d <= 0 {
		return float64(e) / 1000 * t.Price(from)
	}
	sum, n := 0.0, 0
	for at := time.Duration(0); at < d; at += step {
		sum += t.Price(from.Add(at))
		n++
	}
	return float64(e) / 1000 * sum / float64(n)
}
