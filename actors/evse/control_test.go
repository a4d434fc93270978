package evse

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/lease"
)

var t0 = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// basic is a vehicle that charges by duty cycle with 16 A.
func basic() situation {
	return situation{Now: t0, Mode: modeBasic, Pilot: hal.PilotC, Operative: true, Auth: true, MaxAmps: 32, NoOffer: t0,
		Permit: permit{Amps: 16, Watts: 11000, Phases: 3}}
}

// digital is a DC vehicle in its charging loop.
func digital() situation {
	s := basic()
	s.Mode, s.DC, s.WantClose = modeDigital, true, true
	s.Module = hal.ModuleSetpoint{Mode: hal.ModuleCharge, Volts: 400, Amps: 100}
	s.Limits = hal.ModuleLimits{MaxVolts: 500, MaxAmps: 125, MaxWatts: 50e3, Efficiency: 0.9}
	return s
}

// socket is an outlet with a lock that is told, and says.
func socket(want, locked bool) func(*situation) {
	return func(s *situation) { s.Socket, s.Plug, s.Lock, s.Locked = true, true, want, locked }
}

func TestDecide(t *testing.T) {
	for name, c := range map[string]struct {
		from   func() situation
		change func(*situation)
		close  bool
		drive  hal.Drive
		duty   si.Duty
		watts  si.Watts
	}{
		"basic charging":                {basic, nil, true, hal.DrivePWM, si.Duty(16 / 0.6), 0},
		"no vehicle":                    {basic, func(s *situation) { s.Pilot = hal.PilotA }, false, hal.DriveX1, 0, 0},
		"not ready":                     {basic, func(s *situation) { s.Pilot = hal.PilotB }, false, hal.DrivePWM, si.Duty(16 / 0.6), 0},
		"not authorised":                {basic, func(s *situation) { s.Auth = false }, false, hal.DriveX1, 0, 0},
		"stopped":                       {basic, func(s *situation) { s.Stopped = true }, false, hal.DriveX1, 0, 0},
		"fault":                         {basic, func(s *situation) { s.Fault = hal.FaultRCD }, false, hal.DriveF, 0, 0},
		"out of service":                {basic, func(s *situation) { s.Operative = false }, false, hal.DriveF, 0, 0},
		"lease gone":                    {basic, func(s *situation) { s.Permit = permit{Open: true} }, false, hal.DriveX1, 0, 0},
		"pause before closing":          {basic, func(s *situation) { s.Permit.Amps = 5 }, false, hal.DriveX1, 0, 0},
		"pause while charging":          {basic, func(s *situation) { s.Permit.Amps, s.Closed = 5, true }, true, hal.DriveX1, 0, 0},
		"pause, vehicle does not leave": {basic, func(s *situation) { s.Permit.Amps, s.Closed, s.Now = 5, true, t0.Add(6*time.Second) }, false, hal.DriveX1, 0, 0},
		"short circuit of the pilot":    {basic, func(s *situation) { s.Pilot = hal.PilotE }, false, hal.DriveX1, 0, 0},
		"more than the hardware can":    {basic, func(s *situation) { s.Permit.Amps = 63 }, true, hal.DrivePWM, si.Duty(32 / 0.6), 0},
		"socket, plug locked":           {basic, socket(true, true), true, hal.DrivePWM, si.Duty(16 / 0.6), 0},
		"socket, lock does not hold":    {basic, socket(true, false), false, hal.DrivePWM, si.Duty(16 / 0.6), 0},
		"socket, plug let go":           {basic, socket(false, true), false, hal.DrivePWM, si.Duty(16 / 0.6), 0},
		"falling back":                  {basic, func(s *situation) { s.Mode = modeFallback }, false, hal.DriveX1, 0, 0},
		"dc charging":                   {digital, nil, true, hal.DrivePWM, 5, 9900},
		"dc module clamped to zero":     {digital, func(s *situation) { s.Permit.Watts = 0 }, true, hal.DrivePWM, 5, 0},
		"dc not asked to close":         {digital, func(s *situation) { s.WantClose = false }, false, hal.DrivePWM, 5, 0},
		"dc vehicle left state C":       {digital, func(s *situation) { s.Pilot = hal.PilotB }, false, hal.DrivePWM, 5, 9900},
		"dc lease gone":                 {digital, func(s *situation) { s.Permit.Open = true }, false, hal.DrivePWM, 5, 0},
		"dc without communication":      {digital, func(s *situation) { s.Mode = modeBasic }, false, hal.DriveX1, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := c.from()
			if c.change != nil {
				c.change(&s)
			}
			d := decide(s)
			if d.Out.Close != c.close || d.Out.Drive != c.drive || d.Out.Duty != c.duty || d.Module.Watts != c.watts {
				t.Errorf("%+v", d)
			}
		})
	}
}

// Whatever the situation, energy needs a vehicle that asks for it, an authorisation, a lease, and healthy hardware; and no
// more is offered or delivered than is permitted.
func TestNoEnergyWithoutAllConditions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := situation{
			Now: t0.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "s")) * time.Second), NoOffer: t0,
			DC: rapid.Bool().Draw(t, "dc"), Mode: mode(rapid.IntRange(0, 2).Draw(t, "mode")),
			Pilot: hal.Pilot(rapid.IntRange(0, 6).Draw(t, "pilot")), Operative: rapid.Bool().Draw(t, "op"),
			Auth: rapid.Bool().Draw(t, "auth"), Stopped: rapid.Bool().Draw(t, "stopped"), CutOff: rapid.Bool().Draw(t, "cut"),
			Socket: rapid.Bool().Draw(t, "socket"), Plug: rapid.Bool().Draw(t, "plug"), Lock: rapid.Bool().Draw(t, "lock"), Locked: rapid.Bool().Draw(t, "locked"),
			Closed: rapid.Bool().Draw(t, "closed"), WantClose: rapid.Bool().Draw(t, "want"), MaxAmps: 32,
			Permit: permit{Amps: si.Amps(rapid.Float64Range(0, 100).Draw(t, "a")), Watts: si.Watts(rapid.Float64Range(0, 2e5).Draw(t, "w")),
				Phases: rapid.IntRange(0, 3).Draw(t, "n"), Open: rapid.Bool().Draw(t, "open")},
			Module: hal.ModuleSetpoint{Mode: hal.ModuleMode(rapid.IntRange(0, 3).Draw(t, "m")), Volts: 1000, Amps: si.Amps(rapid.Float64Range(-500, 500).Draw(t, "set"))},
			Limits: hal.ModuleLimits{MaxVolts: 500, MaxAmps: 125, MaxWatts: 50e3, Efficiency: 0.95},
		}
		if rapid.Bool().Draw(t, "fault") {
			s.Fault = hal.FaultRCD
		}
		d := decide(s)
		if d.Out.Close && (s.Fault != "" || !s.Operative || !s.Pilot.Wants() || !s.Auth || s.CutOff || s.Permit.Open) {
			t.Fatalf("closed in %+v", s)
		}
		if d.Out.Close && s.Socket && !s.Locked {
			t.Fatalf("closed without a lock in %+v", s)
		}
		if s.Socket && s.Plug && s.Closed && !d.Out.Lock || d.Out.Lock && !s.Socket {
			t.Fatalf("lock %v in %+v", d.Out.Lock, s)
		}
		if d.Offer > s.Permit.Amps || d.Offer > s.MaxAmps {
			t.Fatalf("offers %v of %+v", d.Offer, s.Permit)
		}
		m := d.Module
		if m.Mode == hal.ModuleCharge && (m.Watts > s.Permit.Watts || m.Watts > s.Limits.MaxWatts || !s.Auth || s.Permit.Open) {
			t.Fatalf("delivers %+v of %+v", m, s)
		}
		if m.Volts > s.Limits.MaxVolts || m.Amps > s.Limits.MaxAmps || m.Amps < 0 {
			t.Fatalf("module told %+v", m)
		}
	})
}

func grant(seq uint64, a si.Amps, until time.Time) lease.Grant {
	return lease.Grant{Seq: seq, Import: si.Same(a), ImportW: a.Times(690), Phases: 3, Until: until}
}

func TestSilenceNeverRaises(t *testing.T) {
	h := holder{floor: floor{Amps: 6, Watts: 4000, For: time.Minute}}
	if p := h.permit(t0); !p.Open {
		t.Fatal("permitted something before the first grant")
	}
	until := t0.Add(10 * time.Second)
	if !h.take(grant(5, 16, until), t0) || h.take(grant(5, 32, until), t0) || h.take(grant(4, 32, until), t0) {
		t.Fatal("old or repeated grants must not count")
	}
	if h.take(grant(9, 32, t0), t0) {
		t.Fatal("a grant that is over was taken")
	}
	for at, want := range map[time.Duration]permit{
		0:                {Amps: 16, Watts: 11040, Phases: 3},
		9 * time.Second:  {Amps: 16, Watts: 11040, Phases: 3},
		10 * time.Second: {Amps: 6, Watts: 4000, Phases: 3},
		69 * time.Second: {Amps: 6, Watts: 4000, Phases: 3},
		70 * time.Second: {Open: true},
		time.Hour:        {Open: true},
	} {
		if got := h.permit(t0.Add(at)); got != want {
			t.Errorf("%v after the grant: %+v, want %+v", at, got, want)
		}
	}
	h.take(grant(10, 3, until), t0)
	if got := h.permit(until).Amps; got != 3 {
		t.Errorf("the floor raised a grant of 3 A to %v", got)
	}
}
