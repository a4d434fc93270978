// Package grid has the grid operator's simpler ways to limit a site: the guaranteed power of § 14a EnWG, and relay contacts
// (dimming, ripple control). It turns them into limits.Values for a limits.Book. Pure, without clock or I/O; the balancer and the
// actor that reads the inputs call it.
package grid

import (
	"fmt"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/limits"
)

// PerDevice is what a dimmed device may draw in any case: BNetzA BK6-22-300.
const PerDevice = si.Watts(4200)

// factor is the simultaneity factor for 2 to 8 devices behind one energy management; from 9 on it is 0.45.
var factor = [...]float64{2: 0.80, 3: 0.75, 4: 0.70, 5: 0.65, 6: 0.60, 7: 0.55, 8: 0.50}

// Guaranteed returns the power that n controllable devices (EVSEs above 4.2 kW and the like) behind one energy management
// may draw together while the grid operator dims them: 4.2 kW + (n - 1) x factor x 4.2 kW. large is 0.4 times the connected
// power of heat pumps or of air conditioning above 11 kW, the larger of both; it replaces the first 4.2 kW if it is more.
// 0 for n < 1.
func Guaranteed(n int, large si.Watts) si.Watts {
	if n < 1 {
		return 0
	}
	f := 0.45
	if n < len(factor) {
		f = factor[n]
	}
	return max(PerDevice, large) + si.Watts(float64(n-1)*f)*PerDevice
}

// Contact is one relay contact and what it means.
type Contact struct {
	Name   string
	Opens  bool          // it is active while open; fail-safe wiring
	Values limits.Values // in force while it is active; empty means that this contact sets free (such as 100 %)
}

// Inputs are the contacts of one receiver.
type Inputs struct {
	Contacts []Contact
	Debounce time.Duration // a contact counts when it has been steady for this long; 0 means 100 ms
	Stale    time.Duration // without a reading for this long Failsafe holds; 0 means 5 s
	Failsafe limits.Values // empty means the strictest of all contacts
}

// Relays is the state of a receiver's contacts.
type Relays struct {
	in       Inputs
	raw      []bool
	since    []time.Time
	active   []bool
	read     time.Time
	everRead bool
}

// NewRelays returns the state at the start: until the first reading the failsafe holds.
func NewRelays(in Inputs) (*Relays, error) {
	if len(in.Contacts) == 0 {
		return nil, fmt.Errorf("relay inputs: no contact is described")
	}
	if in.Debounce == 0 {
		in.Debounce = 100 * time.Millisecond
	}
	if in.Stale == 0 {
		in.Stale = 5 * time.Second
	}
	if in.Debounce < 0 || in.Stale <= in.Debounce {
		return nil, fmt.Errorf("relay inputs: the time to staleness (%v) must be longer than the debouncing (%v)", in.Stale, in.Debounce)
	}
	n := len(in.Contacts)
	return &Relays{in: in, raw: make([]bool, n), since: make([]time.Time, n), active: make([]bool, n)}, nil
}

// Read takes a reading of all contacts, true for closed. A reading of another length is none.
func (r *Relays) Read(now time.Time, closed []bool) {
	if len(closed) != len(r.in.Contacts) {
		return
	}
	fresh := !r.everRead || now.Sub(r.read) >= r.in.Stale
	for i, c := range closed {
		on := c != r.in.Contacts[i].Opens
		if fresh || on != r.raw[i] {
			r.raw[i], r.since[i] = on, now
		}
		// An active contact counts at once when readings (re)start; between steady states only what was stable counts.
		if fresh && on {
			r.active[i] = true
		}
		if now.Sub(r.since[i]) >= r.in.Debounce {
			r.active[i] = on
		}
	}
	r.read, r.everRead = now, true
}

// Values returns what is in force at now, and why: names of the active contacts, "no contact", or "stale".
func (r *Relays) Values(now time.Time) (limits.Values, string) {
	if !r.everRead || now.Sub(r.read) >= r.in.Stale {
		return r.Failsafe(), "stale"
	}
	var v limits.Values
	why := ""
	for i, on := range r.active {
		if on {
			v = limits.Strictest(v, r.in.Contacts[i].Values)
			if why != "" {
				why += ", "
			}
			why += r.in.Contacts[i].Name
		}
	}
	if why == "" {
		why = "no contact"
	}
	return v, why
}

// Failsafe returns what holds while the contacts cannot be read.
func (r *Relays) Failsafe() limits.Values {
	if !r.in.Failsafe.Empty() {
		return r.in.Failsafe
	}
	var all limits.Values
	for i := range r.in.Contacts {
		all = limits.Strictest(all, r.in.Contacts[i].Values)
	}
	return all
}

// Next returns when Values may change without a new reading.
func (r *Relays) Next() time.Time {
	if !r.everRead {
		return time.Time{}
	}
	return r.read.Add(r.in.Stale)
}
