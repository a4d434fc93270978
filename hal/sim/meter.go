package sim

import (
	"context"
	"time"

	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/si"
)

// meter is the outlet as hal.Meter. It measures what goes to the vehicle: AC per phase, or DC.
type meter Outlet

func (m *meter) Read(context.Context) (hal.MeterReading, error) {
	o := (*Outlet)(m)
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	o.settle(now)
	r := hal.MeterReading{At: now, Import: o.imp, Export: o.exp, Power: o.power()}
	if o.cfg.DC {
		v, a := o.dc()
		r.Voltage[0], r.Current[0] = v, a
		return r, nil
	}
	r.Current = o.current()
	for i := range o.cfg.Phases {
		r.Voltage[i] = o.cfg.Volts
	}
	return r, nil
}

func (m *meter) Close() error { return nil }

// Draw is what the outlet takes from the grid now, at its own terminals: for DC, with the losses of the module, equally
// from three phases. It is the physical truth that the meters of the nodes above add up.
func (o *Outlet) Draw() si.Phases {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.cfg.DC {
		return o.current()
	}
	p := float64(o.power())
	if p > 0 {
		p /= o.cfg.Module.Efficiency
	} else {
		p *= o.cfg.Module.Efficiency
	}
	return si.Same(si.Watts(p / 3).At(o.cfg.Volts))
}
