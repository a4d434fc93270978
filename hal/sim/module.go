package sim

import (
	"context"
	"fmt"
	"time"

	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/si"
)

// module is the outlet as hal.PowerModule.
type module Outlet

// isolationTest is how long the simulated insulation monitor takes.
const isolationTest = 300 * time.Millisecond

func (m *module) Set(s hal.ModuleSetpoint) error {
	o := (*Outlet)(m)
	if !si.Finite(s.Volts) || !si.Finite(s.Amps) || !si.Finite(s.Watts) {
		return fmt.Errorf("simulated power module: set-point %+v is not finite", s)
	}
	var err error
	o.change(func(now time.Time) {
		if o.closed {
			err = errReleased
			return
		}
		if s.Mode != o.set.Mode {
			o.setSince = now
			if s.Mode == hal.ModuleCableCheck {
				o.isolation = hal.IsolationTesting
			}
		}
		o.set = s
	})
	return err
}

func (m *module) Read(context.Context) (hal.ModuleState, error) {
	o := (*Outlet)(m)
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if o.isolation == hal.IsolationTesting && now.Sub(o.setSince) >= isolationTest {
		o.isolation = hal.IsolationValid
		if o.fault == hal.FaultRCD {
			o.isolation = hal.IsolationFault
		}
	}
	v, a := o.dc()
	return hal.ModuleState{At: now, Volts: v, Amps: a, Isolation: o.isolation, Fault: o.fault}, nil
}

func (m *module) Limits() hal.ModuleLimits { return m.cfg.Module }

func (m *module) Close() error {
	o := (*Outlet)(m)
	o.change(func(time.Time) { o.set = hal.ModuleSetpoint{} })
	return nil
}
