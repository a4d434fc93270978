package sim

import (
	"errors"
	"time"

	"github.com/voltyard/voltyard/hal"
)

// board is the outlet as hal.Board.
type board Outlet

var errReleased = errors.New("simulated board: already released")

func (b *board) Set(out hal.Output) error {
	o := (*Outlet)(b)
	var err error
	o.change(func(time.Time) {
		if o.closed {
			err = errReleased
			return
		}
		if o.watchdog == nil {
			o.watchdog = time.AfterFunc(o.cfg.Watchdog, o.expire)
		} else {
			o.watchdog.Reset(o.cfg.Watchdog)
		}
		if o.in.Fault == hal.FaultWatchdog {
			o.in.Fault = o.fault
		}
		o.apply(out)
	})
	return err
}

// apply puts an output in force. The caller holds the lock.
func (o *Outlet) apply(out hal.Output) {
	if o.fault != hal.FaultNone {
		out.Close = false
	}
	was, lock := o.out.Close, o.out.Lock
	o.out = out
	if o.cfg.Socket && out.Lock != lock {
		o.moveLock()
	}
	switch {
	case !out.Close: // opening is quick, and never waits
		if o.feedback != nil {
			o.feedback.Stop()
		}
		o.in.Closed = false
	case !was:
		o.feedback = time.AfterFunc(o.cfg.Close, func() {
			o.change(func(time.Time) { o.in.Closed = o.out.Close && !o.closed })
		})
	}
}

// moveLock lets the lock follow its output. The caller holds the lock of the outlet.
func (o *Outlet) moveLock() {
	if o.lock != nil {
		o.lock.Stop()
	}
	o.lock = time.AfterFunc(o.cfg.Lock, func() {
		o.change(func(time.Time) {
			if o.closed || o.jammed {
				return
			}
			if o.in.Locked = o.out.Lock; !o.in.Locked && o.leaving {
				o.leaving, o.in.Cable = false, 0
			}
		})
	})
}

// expire is the watchdog: nobody has set the board for too long.
func (o *Outlet) expire() {
	o.change(func(time.Time) {
		if o.closed {
			return
		}
		o.apply(hal.Output{Drive: hal.DriveF})
		o.set = hal.ModuleSetpoint{}
		o.in.Fault = hal.FaultWatchdog
	})
}

func (b *board) Read() hal.Input {
	o := (*Outlet)(b)
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.in
}

func (b *board) Notify(f func(hal.Input)) {
	o := (*Outlet)(b)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.notify = f
}

func (b *board) Watchdog() time.Duration { return b.cfg.Watchdog }

func (b *board) Close() error {
	o := (*Outlet)(b)
	o.change(func(time.Time) {
		o.apply(hal.Output{Drive: hal.DriveF})
		o.set = hal.ModuleSetpoint{}
		o.closed, o.notify = true, nil
		for _, t := range []*time.Timer{o.watchdog, o.lock} {
			if t != nil {
				t.Stop()
			}
		}
	})
	return nil
}
