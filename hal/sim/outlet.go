// Package sim is the simulated hardware of an EVSE and of the wires behind it: control pilot, contactor with feedback,
// meters that integrate, a DC power module, and the batteries at the other end of the cable.
//
// The controller sees it through the interfaces of package hal alone; a simulated vehicle sees the other end of the
// cable (Cable). Energy, and only energy, runs at the speed of the simulation; everything else is wall time.
package sim

import (
	"crypto/ecdsa"
	"sync"
	"time"

	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/si"
)

// Config describes one simulated EVSE.
type Config struct {
	Speed    float64       // how many seconds of energy one second brings; 0 means 1
	Volts    si.Volts      // phase to neutral; 0 means 230
	Phases   int           // 1 or 3; 0 means 3
	Close    time.Duration // until the contactor's feedback follows; 0 means 40 ms
	Watchdog time.Duration // 0 means 2 s
	Module   hal.ModuleLimits
	DC       bool
	// Import and Export are where the meter's registers begin; Keep, when set, is called with them after each change, so that
	// a meter can outlive the process, as a real one does. It is called under a lock and must not block.
	Import, Export si.WattHours
	Keep           func(imports, exports si.WattHours)
	// SigningKey lets the meter sign readings in OCMF, with secp256r1; nil for a meter that does not sign. Serial is the meter's.
	SigningKey *ecdsa.PrivateKey
	Serial     string
	// Socket is an outlet without a cable of its own: vehicles bring theirs, and its plug can be locked. Lock is until the lock's
	// feedback follows; 0 means 300 ms.
	Socket  bool
	Lock    time.Duration
	Display bool // it has one
}

// Outlet is the simulated hardware of one EVSE. All methods are safe for concurrent use.
type Outlet struct {
	cfg Config

	mu       sync.Mutex
	out      hal.Output
	in       hal.Input
	notify   func(hal.Input)
	car      func(Offer)
	watchdog *time.Timer
	feedback *time.Timer
	closed   bool // released

	lock    *time.Timer // the lock moves
	screen  hal.Screen
	jammed  bool // the lock does not move
	leaving bool // somebody pulls at a plug that is locked

	load  si.Phases // what the vehicle draws at the outlet's own terminals, AC
	since time.Time
	imp   si.WattHours
	exp   si.WattHours

	set       hal.ModuleSetpoint
	setSince  time.Time
	battery   si.Volts // voltage at the vehicle's inlet; 0 when its relays are open
	carAmps   si.Amps  // the most the vehicle takes
	isolation hal.Isolation
	page      int // of the meter's log of signed records
	fault     hal.Fault
}

// NewOutlet makes an outlet with no vehicle and the contactor open.
func NewOutlet(cfg Config) *Outlet {
	if cfg.Speed <= 0 {
		cfg.Speed = 1
	}
	if cfg.Volts <= 0 {
		cfg.Volts = 230
	}
	if cfg.Phases == 0 {
		cfg.Phases = 3
	}
	if cfg.Close <= 0 {
		cfg.Close = 40 * time.Millisecond
	}
	if cfg.Lock <= 0 {
		cfg.Lock = 300 * time.Millisecond
	}
	if cfg.Watchdog <= 0 {
		cfg.Watchdog = 2 * time.Second
	}
	if cfg.DC && cfg.Module.Efficiency <= 0 {
		cfg.Module.Efficiency = 1
	}
	now := time.Now()
	return &Outlet{cfg: cfg, since: now, imp: cfg.Import, exp: cfg.Export, in: hal.Input{At: now, Pilot: hal.PilotA}}
}

// HAL returns the outlet as the controller sees it.
func (o *Outlet) HAL() hal.Outlet {
	h := hal.Outlet{Board: (*board)(o), Meter: (*meter)(o)}
	if o.cfg.Display {
		h.Display = (*display)(o)
	}
	if o.cfg.SigningKey != nil {
		h.Meter = signer{(*meter)(o)}
	}
	if o.cfg.DC {
		h.Module = (*module)(o)
	}
	return h
}

// Inject makes the hardware report a fault; hal.FaultNone heals it.
func (o *Outlet) Inject(f hal.Fault) {
	o.change(func(time.Time) { o.fault, o.in.Fault = f, f })
}

// change settles the energy so far, applies f under the lock, and tells both ends of the cable.
func (o *Outlet) change(f func(now time.Time)) {
	o.mu.Lock()
	now := time.Now()
	o.settle(now)
	before, offer := o.in, o.offer()
	f(now)
	after, newOffer := o.in, o.offer()
	notify, car := o.notify, o.car
	if after != before {
		o.in.At = now
		after.At = now
	}
	o.mu.Unlock()
	if after != before && notify != nil {
		notify(after)
	}
	if newOffer != offer && car != nil {
		car(newOffer)
	}
}

// settle adds the energy since the last change. The caller holds the lock.
func (o *Outlet) settle(now time.Time) {
	wh := si.WattHours(float64(o.power()) * now.Sub(o.since).Hours() * o.cfg.Speed)
	o.since = now
	switch {
	case wh > 0:
		o.imp += wh
	case wh < 0:
		o.exp -= wh
	default:
		return
	}
	if o.cfg.Keep != nil {
		o.cfg.Keep(o.imp, o.exp)
	}
}

// power is what flows through the outlet to the vehicle now. The caller holds the lock.
func (o *Outlet) power() si.Watts {
	if o.cfg.DC {
		v, a := o.dc()
		return a.Times(v)
	}
	return o.current().Power(o.cfg.Volts)
}

// current is what the vehicle draws now at the outlet's own terminals. The caller holds the lock.
func (o *Outlet) current() si.Phases {
	if !o.in.Closed || !o.in.Pilot.Wants() {
		return si.Phases{}
	}
	c := o.load
	if o.cfg.Phases == 1 {
		c[1], c[2] = 0, 0
	}
	return c
}

// dc is voltage and current at the DC outlet now. The caller holds the lock.
func (o *Outlet) dc() (si.Volts, si.Amps) {
	if o.closed || o.fault != hal.FaultNone {
		return 0, 0
	}
	joined := o.in.Closed && o.battery > 0
	switch o.set.Mode {
	case hal.ModuleCableCheck, hal.ModulePreCharge:
		return min(o.set.Volts, o.cfg.Module.MaxVolts), 0
	case hal.ModuleCharge:
		if !joined || !o.in.Pilot.Wants() {
			return min(o.set.Volts, o.cfg.Module.MaxVolts), 0
		}
		a := min(o.set.Amps, o.set.Watts.At(o.battery), o.carAmps, o.cfg.Module.MaxAmps, o.cfg.Module.MaxWatts.At(o.battery))
		if o.set.Amps < 0 {
			a = max(o.set.Amps, -o.cfg.Module.MaxExportWatts.At(o.battery))
		}
		return o.battery, a
	}
	if joined {
		return o.battery, 0
	}
	return 0, 0
}
