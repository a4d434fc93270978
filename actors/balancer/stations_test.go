package balancer

import (
	"testing"
	"time"

	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal/si"
)

func TestWhichReportsAreDecidedUponAtOnce(t *testing.T) {
	amps := func(l1, l2, l3 si.Amps) *si.Phases { return &si.Phases{l1, l2, l3} }
	most := si.Amps(6)
	base := msg.StationReport{Station: "a", Connected: true, Wants: true, Phases: 3, Current: amps(16, 16, 16), State: "Charging", EVs: 1}
	for _, c := range []struct {
		name string
		edit func(*msg.StationReport)
		news bool
	}{
		{"time has passed", func(r *msg.StationReport) { r.At, r.Energy, r.Power = r.At.Add(time.Second), 20, 11040 }, false},
		{"the current flutters", func(r *msg.StationReport) { r.Current = amps(16.2, 15.9, 16) }, false},
		{"less current on one phase", func(r *msg.StationReport) { r.Current = amps(16, 16, 15.7) }, true},
		{"more current on one phase", func(r *msg.StationReport) { r.Current = amps(16, 16.3, 16) }, true},
		{"no current is reported any more", func(r *msg.StationReport) { r.Current = nil }, true},
		{"gone", func(r *msg.StationReport) { r.Connected = false }, true},
		{"full", func(r *msg.StationReport) { r.Wants = false }, true},
		{"one phase", func(r *msg.StationReport) { r.Phases = 1 }, true},
		{"suspended", func(r *msg.StationReport) { r.State = "SuspendedEV" }, true},
		{"another vehicle", func(r *msg.StationReport) { r.EVs = 2 }, true},
		{"over its limit", func(r *msg.StationReport) { r.Over = true }, true},
		{"takes its fallback only", func(r *msg.StationReport) { r.Most = &most }, true},
	} {
		is := base
		c.edit(&is)
		if got := differs(base, is); got != c.news {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
