// Package frequency is how a site's vehicles serve the grid: the power that a P(f) characteristic asks for, and following a
// set-point with a ramp and a dead-band. Both give the power that the vehicles should exchange; the balancer divides it, and
// every limit of the site still holds. Pure, without clock or I/O.
package frequency

import (
	"errors"
	"math"
	"time"

	"github.com/voltyard/voltyard/hal/si"
)

// Defaults of a characteristic.
const (
	DefaultNominal  = si.Hertz(50)
	DefaultDeadBand = si.Hertz(0.2)
	DefaultDroop    = 0.05
)

// Stale is the age at which a measured frequency no longer counts: the response goes back along its ramp.
const Stale = 2 * time.Second

// Curve is a P(f) characteristic: beyond the dead-band the power changes in proportion to the deviation.
type Curve struct {
	Nominal  si.Hertz // 0 means 50 Hz
	DeadBand si.Hertz // 0 means 0.2 Hz
	Droop    float64  // deviation over nominal for the whole Range, beyond the dead-band; 0 means 5 %
	Range    si.Watts // largest response in either direction, > 0
}

// Check fills in defaults and reports what makes no sense.
func (c *Curve) Check() error {
	if c.Nominal == 0 {
		c.Nominal = DefaultNominal
	}
	if c.DeadBand == 0 {
		c.DeadBand = DefaultDeadBand
	}
	if c.Droop == 0 {
		c.Droop = DefaultDroop
	}
	switch {
	case !si.Finite(c.Nominal, c.DeadBand) || !si.Finite(c.Range) || math.IsNaN(c.Droop):
		return errors.New("frequency response: a figure is no number")
	case c.Nominal < 40 || c.Nominal > 70:
		return errors.New("frequency response: the nominal frequency is 50 or 60 Hz")
	case c.DeadBand < 0 || c.DeadBand > 2:
		return errors.New("frequency response: the dead-band is 0 to 2 Hz")
	case c.Droop < 0.001 || c.Droop > 0.2:
		return errors.New("frequency response: the droop is 0.1 to 20 %")
	case c.Range <= 0:
		return errors.New("frequency response: give range_w, the largest change of power, above 0")
	}
	return nil
}

// Response is the change of power that the characteristic asks for at frequency f: under 0 (draw less, or give back) when the
// frequency is low, above 0 when it is high, 0 for what is no frequency.
func (c *Curve) Response(f si.Hertz) si.Watts {
	if !si.Finite(f) || f < c.Nominal/2 || f > 2*c.Nominal {
		return 0
	}
	off := f - c.Nominal
	beyond := math.Abs(float64(off)) - float64(c.DeadBand)
	if beyond <= 0 {
		return 0
	}
	w := min(1, beyond/(c.Droop*float64(c.Nominal))) * float64(c.Range)
	return si.Watts(math.Copysign(w, float64(off)))
}

// Follower goes after a wanted power no faster than Ramp, and leaves alone what differs by less than DeadBand.
type Follower struct {
	Ramp     si.Watts // per second; 0: at once
	DeadBand si.Watts
	at       si.Watts
	then     time.Time
}

// Step takes what is wanted at now and returns what is to be done.
func (f *Follower) Step(now time.Time, wanted si.Watts) si.Watts {
	if !si.Finite(wanted) {
		wanted = 0
	}
	dt := 0.0
	if !f.then.IsZero() {
		dt = max(0, now.Sub(f.then).Seconds())
	}
	f.then = now
	d := wanted - f.at
	if math.Abs(float64(d)) <= float64(f.DeadBand) && wanted != 0 {
		return f.at
	}
	if f.Ramp > 0 {
		most := si.Watts(float64(f.Ramp) * dt)
		d = max(-most, min(most, d))
	}
	f.at += d
	return f.at
}

// Begin sets the follower to what happens now without its service, so that its ramp starts there.
func (f *Follower) Begin(now time.Time, at si.Watts) { f.at, f.then = at, now }

// At is the last power that Step returned.
func (f *Follower) At() si.Watts { return f.at }
