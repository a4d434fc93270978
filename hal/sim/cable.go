package sim

import (
	"time"

	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/si"
)

// Offer is what a vehicle sees at its end of the cable.
type Offer struct {
	Drive  hal.Drive
	Duty   si.Duty
	Closed bool // voltage is there
}

// Cable is the vehicle's end of an outlet. A vehicle plugs in, sets its pilot state, and draws.
type Cable struct{ o *Outlet }

// Cable returns the vehicle's end. There is one; two vehicles at the same time do not fit.
func (o *Outlet) Cable() Cable { return Cable{o} }

func (o *Outlet) offer() Offer {
	return Offer{Drive: o.out.Drive, Duty: o.out.Duty, Closed: o.in.Closed}
}

// Plug connects a vehicle in state B. seen is called with every change of the offer, from another goroutine; it must not
// block. It reports false when a vehicle is there already.
func (c Cable) Plug(seen func(Offer)) bool {
	ok := false
	c.o.change(func(time.Time) {
		if c.o.in.Pilot != hal.PilotA || c.o.leaving {
			return
		}
		ok = true
		c.o.in.Pilot = hal.PilotB
		if c.o.cfg.Socket {
			c.o.in.Cable = cableRating
		}
		c.o.car = seen
		c.o.load, c.o.battery, c.o.carAmps = si.Phases{}, 0, 0
	})
	return ok
}

// Unplug takes the cable off the vehicle and, from a socket, out of that: at once, or when its lock opens.
func (c Cable) Unplug() {
	c.o.change(func(time.Time) {
		c.o.detach()
		if c.o.leaving = c.o.in.Locked; !c.o.leaving {
			c.o.in.Cable = 0
		}
	})
}

// Detach takes the cable off the vehicle alone; a plug in the outlet's socket stays there.
func (c Cable) Detach() { c.o.change(func(time.Time) { c.o.detach() }) }

func (o *Outlet) detach() {
	o.in.Pilot, o.car = hal.PilotA, nil
	o.load, o.battery, o.carAmps = si.Phases{}, 0, 0
}

// cableRating is what drivers' cables are made for.
const cableRating = si.Amps(32)

// Insert puts a cable into the socket; the other end is free.
func (c Cable) Insert() { c.o.change(func(time.Time) { c.o.in.Cable = cableRating }) }

// JamLock lets the socket's lock stay as it is, whatever it is told; false repairs it.
func (o *Outlet) JamLock(on bool) {
	o.change(func(time.Time) {
		if o.jammed = on; !on && o.cfg.Socket && !o.closed {
			o.moveLock()
		}
	})
}

// Pilot sets the state that the vehicle shows, PilotB or PilotC.
func (c Cable) Pilot(p hal.Pilot) {
	c.o.change(func(time.Time) {
		if c.o.in.Pilot.Connected() {
			c.o.in.Pilot = p
		}
	})
}

// Offer returns what the vehicle sees now.
func (c Cable) Offer() Offer {
	c.o.mu.Lock()
	defer c.o.mu.Unlock()
	return c.o.offer()
}

// Draw sets what the vehicle takes per phase, at the outlet's own terminals; negative gives energy back. It flows only
// with the contactor closed and the pilot in state C or D.
func (c Cable) Draw(a si.Phases) { c.o.change(func(time.Time) { c.o.load = a }) }

// Battery joins the vehicle's battery to the DC pins: its voltage, and the most it takes. A voltage of 0 opens the
// vehicle's relays.
func (c Cable) Battery(v si.Volts, most si.Amps) {
	c.o.change(func(time.Time) { c.o.battery, c.o.carAmps = v, most })
}

// DC returns voltage and current at the DC pins.
func (c Cable) DC() (si.Volts, si.Amps) {
	c.o.mu.Lock()
	defer c.o.mu.Unlock()
	return c.o.dc()
}

// Energy returns what has gone through the cable so far: into vehicles, and back.
func (c Cable) Energy() (in, back si.WattHours) {
	c.o.mu.Lock()
	defer c.o.mu.Unlock()
	c.o.settle(time.Now())
	return c.o.imp, c.o.exp
}

// Current returns what flows now per phase, AC.
func (c Cable) Current() si.Phases {
	c.o.mu.Lock()
	defer c.o.mu.Unlock()
	return c.o.current()
}
