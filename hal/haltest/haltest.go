// Package haltest is the conformance suite that every driver of package hal passes.
package haltest

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/test/virtual"
)

// Rig is a driver under test with a way to move the vehicle's end of the cable.
type Rig struct {
	Outlet hal.Outlet
	Plug   func()          // a vehicle is plugged in, state B
	Pilot  func(hal.Pilot) // the vehicle sets B or C
	Unplug func()
	Socket bool // drivers bring their cables; Unplug of a locked one lets the plug stay
}

// Run checks the promises of package hal. The rig is made inside a bubble of virtual time: a driver with real hardware
// cannot run here and checks itself over a substitute transport.
func Run(t *testing.T, make func() Rig) {
	for name, check := range map[string]func(*testing.T, Rig){
		"the contactor follows and reports":         closes,
		"a missed renewal opens the contactor":      watchdog,
		"setting again renews and changes nothing":  renews,
		"every change of the pilot is reported":     notifies,
		"closing is final and safe":                 releases,
		"the meter's registers never run backwards": monotonic,
		"the lock follows and reports":              locks,
	} {
		t.Run(name, func(t *testing.T) {
			virtual.Test(t, func(t *testing.T) { check(t, make()) })
		})
	}
}

var on = hal.Output{Drive: hal.DrivePWM, Duty: 50, Close: true, Phases3: true}

func (r Rig) charge(t *testing.T) {
	t.Helper()
	r.Plug()
	r.Pilot(hal.PilotC)
	if err := r.Outlet.Board.Set(on); err != nil {
		t.Fatal(err)
	}
	time.Sleep(min(200*time.Millisecond, r.Outlet.Board.Watchdog()/2))
	if !r.Outlet.Board.Read().Closed {
		t.Fatal("the contactor did not report closed within 200 ms")
	}
}

func closes(t *testing.T, r Rig) {
	r.charge(t)
	off := on
	off.Close = false
	if err := r.Outlet.Board.Set(off); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
	if r.Outlet.Board.Read().Closed {
		t.Fatal("the contactor is closed 100 ms after it was told to open")
	}
	_ = r.Outlet.Board.Close()
}

func locks(t *testing.T, r Rig) {
	b := r.Outlet.Board
	defer func() { _ = b.Close() }()
	set := func(lock bool) bool {
		for range 20 { // a motor needs its time
			if err := b.Set(hal.Output{Lock: lock}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(b.Watchdog() / 3)
			if b.Read().Locked == lock {
				return true
			}
		}
		return false
	}
	if !r.Socket {
		if set(true) || b.Read().Cable != 0 {
			t.Fatal("an outlet without a socket reports a lock or a plug")
		}
		return
	}
	r.Plug()
	if !set(true) || b.Read().Cable <= 0 {
		t.Fatalf("told to lock: %+v", b.Read())
	}
	r.Unplug()
	if in := b.Read(); in.Cable <= 0 || in.Pilot.Connected() {
		t.Fatalf("the vehicle's end of a locked cable was taken off: %+v", in)
	}
	if !set(false) {
		t.Fatalf("told to unlock: %+v", b.Read())
	}
}

func watchdog(t *testing.T, r Rig) {
	r.charge(t)
	time.Sleep(r.Outlet.Board.Watchdog() + 100*time.Millisecond)
	in := r.Outlet.Board.Read()
	if in.Closed || in.Fault != hal.FaultWatchdog {
		t.Fatalf("after a missed renewal: %+v", in)
	}
	_ = r.Outlet.Board.Close()
}

func renews(t *testing.T, r Rig) {
	r.charge(t)
	var changes int
	r.Outlet.Board.Notify(func(hal.Input) { changes++ })
	for range 20 {
		time.Sleep(r.Outlet.Board.Watchdog() / 3)
		if err := r.Outlet.Board.Set(on); err != nil {
			t.Fatal(err)
		}
	}
	if !r.Outlet.Board.Read().Closed || changes != 0 {
		t.Fatalf("closed %v after renewals, %d changes reported", r.Outlet.Board.Read().Closed, changes)
	}
	_ = r.Outlet.Board.Close()
}

func notifies(t *testing.T, r Rig) {
	seen := make(chan hal.Pilot, 10)
	r.Outlet.Board.Notify(func(in hal.Input) { seen <- in.Pilot })
	r.Plug()
	r.Pilot(hal.PilotC)
	r.Pilot(hal.PilotB)
	r.Unplug()
	synctest.Wait()
	for _, want := range []hal.Pilot{hal.PilotB, hal.PilotC, hal.PilotB, hal.PilotA} {
		if got := <-seen; got != want {
			t.Fatalf("reported %v, want %v", got, want)
		}
	}
	_ = r.Outlet.Board.Close()
}

func releases(t *testing.T, r Rig) {
	r.charge(t)
	if err := r.Outlet.Board.Close(); err != nil {
		t.Fatal(err)
	}
	if r.Outlet.Board.Read().Closed {
		t.Fatal("the contactor is closed after Close")
	}
	if r.Outlet.Board.Set(on) == nil {
		t.Fatal("a released board took an output")
	}
	time.Sleep(time.Minute)
	if r.Outlet.Board.Read().Closed {
		t.Fatal("the contactor closed after Close")
	}
}

func monotonic(t *testing.T, r Rig) {
	r.charge(t)
	var last hal.MeterReading
	for i := range 20 {
		time.Sleep(500 * time.Millisecond)
		m, err := r.Outlet.Meter.Read(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if m.Import < last.Import || m.Export < last.Export || !m.At.After(last.At) {
			t.Fatalf("reading %d runs backwards: %+v after %+v", i, m, last)
		}
		last = m
		_ = r.Outlet.Board.Set(on)
	}
	_ = r.Outlet.Board.Close()
}

// Input is what every driver of a digital input must do: set has the contact open or closed, broken has it be gone.
func Input(t *testing.T, in hal.DigitalInput, set func(closed bool), broken func()) {
	t.Helper()
	for _, want := range []bool{true, false, true, true} {
		set(want)
		c, cancel := context.WithTimeout(t.Context(), time.Second)
		got, err := in.Read(c)
		cancel()
		if err != nil || got != want {
			t.Fatalf("closed %v: read %v, %v", want, got, err)
		}
	}
	broken()
	if _, err := in.Read(t.Context()); err == nil {
		t.Error("an input that is gone is read; nobody must take that for an open contact")
	}
	if err := in.Close(); err != nil {
		t.Error(err)
	}
}
