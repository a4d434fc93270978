package sim_test

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/haltest"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/hal/sim"
	"github.com/voltyard/voltyard/test/virtual"
)

func TestConformance(t *testing.T) {
	for name, cfg := range map[string]sim.Config{
		"ac": {}, "ac socket": {Socket: true},
		"dc": {DC: true, Module: hal.ModuleLimits{MaxVolts: 500, MaxAmps: 125, MaxWatts: 50e3, Efficiency: 0.95}},
	} {
		t.Run(name, func(t *testing.T) {
			haltest.Run(t, func() haltest.Rig {
				o := sim.NewOutlet(cfg)
				c := o.Cable()
				return haltest.Rig{Outlet: o.HAL(), Plug: func() { c.Plug(nil) }, Pilot: c.Pilot, Unplug: c.Unplug, Socket: cfg.Socket}
			})
		})
	}
}

func TestMeterIntegratesAtTheSpeedOfTheSimulation(t *testing.T) {
	virtual.Test(t, func(t *testing.T) {
		o := sim.NewOutlet(sim.Config{Speed: 60})
		b, c := o.HAL().Board, o.Cable()
		c.Plug(nil)
		c.Pilot(hal.PilotC)
		c.Draw(si.Same(10))
		for range 61 { // the first second passes with the contactor still closing for 40 ms
			_ = b.Set(hal.Output{Drive: hal.DrivePWM, Duty: 50, Close: true, Phases3: true})
			time.Sleep(time.Second)
		}
		m, _ := o.HAL().Meter.Read(context.Background())
		want := 6900.0 * 60 / 60 * (61 - 0.04) / 60
		if math.Abs(float64(m.Import)-want) > 1 {
			t.Errorf("energy after a minute at 60 times: %v, want %.0f Wh", m.Import, want)
		}
		_ = b.Close()
	})
}

func TestModuleKeepsToTheSmallestLimit(t *testing.T) {
	virtual.Test(t, func(t *testing.T) {
		o := sim.NewOutlet(sim.Config{DC: true, Module: hal.ModuleLimits{MaxVolts: 500, MaxAmps: 125, MaxWatts: 50e3, Efficiency: 0.9}})
		h, c := o.HAL(), o.Cable()
		c.Plug(nil)
		c.Pilot(hal.PilotC)
		c.Battery(400, 80)
		_ = h.Board.Set(hal.Output{Drive: hal.DrivePWM, Duty: 5, Close: true})
		time.Sleep(100 * time.Millisecond)
		for _, s := range []struct {
			set  hal.ModuleSetpoint
			want si.Amps
		}{
			{hal.ModuleSetpoint{Mode: hal.ModuleCharge, Volts: 500, Amps: 200, Watts: 50e3}, 80},
			{hal.ModuleSetpoint{Mode: hal.ModuleCharge, Volts: 500, Amps: 60, Watts: 50e3}, 60},
			{hal.ModuleSetpoint{Mode: hal.ModuleCharge, Volts: 500, Amps: 60, Watts: 4e3}, 10},
			{hal.ModuleSetpoint{Mode: hal.ModuleCharge, Volts: 500, Amps: 60, Watts: 0}, 0},
			{hal.ModuleSetpoint{Mode: hal.ModulePreCharge, Volts: 390, Amps: 2}, 0},
		} {
			if err := h.Module.Set(s.set); err != nil {
				t.Fatal(err)
			}
			if _, a := c.DC(); a != s.want {
				t.Errorf("%+v gives %v, want %v", s.set, a, s.want)
			}
		}
		_ = h.Module.Set(hal.ModuleSetpoint{Mode: hal.ModuleCharge, Volts: 500, Amps: 60, Watts: 50e3})
		if got, want := o.Draw().Power(230), si.Watts(60*400/0.9); math.Abs(float64(got-want)) > 1 {
			t.Errorf("draws %v from the grid, want %v with the losses", got, want)
		}
		if h.Module.Set(hal.ModuleSetpoint{Amps: si.Amps(math.NaN())}) == nil {
			t.Error("the module took a set-point that is no number")
		}
		_ = h.Board.Close()
	})
}

func TestWiresTurnPhasesAndAddUp(t *testing.T) {
	w := sim.NewWires(230, 1, map[string]string{"root": "", "f1": "root"})
	w.Connect("f1", si.Rotation{1, 2, 0}, sim.Fixed{16, 0, 0})
	w.Connect("root", si.Straight, sim.Fixed{1, 2, 3})
	if got := w.Current("f1"); got != (si.Phases{0, 16, 0}) {
		t.Errorf("f1: %v", got)
	}
	if got := w.Current("root"); got != (si.Phases{1, 18, 3}) {
		t.Errorf("root: %v", got)
	}
}

func TestBatteryTapers(t *testing.T) {
	b := sim.Battery{Capacity: 50e3, Energy: 25e3, MaxPower: 50e3}
	if b.Accepts() != 50e3 || b.SoC() != 50 || b.Volts() != 400 {
		t.Errorf("half full: %v at %v and %v", b.Accepts(), b.SoC(), b.Volts())
	}
	b.Energy = 45e3
	if got := b.Accepts(); got != 25e3 {
		t.Errorf("at 90 %%: %v", got)
	}
	if in := b.Add(10e3); in != 5e3 || b.Accepts() != 0 {
		t.Errorf("overfilled: %v went in, accepts %v", in, b.Accepts())
	}
}
