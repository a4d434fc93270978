package balancer

import (
	"testing"
	"time"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/kittest"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/plan"
	"github.com/voltyard/voltyard/site/topology"
)

// For each EVSE the picture says which limit binds, where, on which phase, and with how many others it is shared.
func TestWhatBindsIsSaid(t *testing.T) {
	kittest.Run(t, func(t *testing.T, env *kit.Env) {
		l := parking(t, env, 64, 3, nil)
		expect := func(what, want string) {
			t.Helper()
			time.Sleep(15 * time.Second)
			if got := l.view.Load().EVSEs[0].LimitedBy; got != want {
				t.Errorf("%s: %q, want %q", what, got, want)
			}
		}
		expect("three at one fuse", "fuse grid phase L1 64 A, shared with 2")
		if b := l.view.Load().EVSEs[0].Binding; b == nil || b.Kind != "fuse" || b.Node != "grid" || b.Phase != 1 || b.Limit != 64 || b.Shared != 2 {
			t.Errorf("%+v", b)
		}
		l.limit("dso", "1", 30000)
		expect("a limit from outside", "dso limit on grid 30000 W, shared with 2")
		env.System.Root.Send(l.pid, msg.ReleaseLimit{Source: "dso", ID: "1", Issued: time.Now(), Reply: l.ear.PID})
		ten := si.Amps(10)
		env.System.Root.Send(l.pid, msg.Cap{EVSE: "e0", Source: "csms", Current: &ten})
		expect("a charging profile", "csms: no more than 10 A")
		env.System.Root.Send(l.pid, msg.Cap{EVSE: "e0", Source: "csms"})
		l.cars[0].set(func(r *msg.EVSEReport) { r.Max = 16 })
		expect("the vehicle", "vehicle: no more than 16 A")
		l.cars[0].set(func(r *msg.EVSEReport) { r.Max = 0 })
		for _, c := range l.cars[1:] {
			c.set(func(r *msg.EVSEReport) { r.Wants = false })
		}
		expect("alone", "the EVSE's own maximum of 32 A")
		env.System.Root.Send(l.pid, msg.EVSECommand{EVSE: "e0", ID: "p", Verb: msg.Pause, On: true})
		expect("paused", "paused by command")
	})
}

// Drivers are told when their vehicle will be at 50, 80 and 100 %, and what that costs, by what they have and by the plan.
func TestDriversAreTold(t *testing.T) {
	kittest.Run(t, func(t *testing.T, env *kit.Env) {
		l := parking(t, env, 64, 12, func(c *Config, _ *topology.Site) { c.Tariff = &plan.Tariff{Currency: "EUR", Base: 0.30} })
		for i, c := range l.cars {
			c.set(func(r *msg.EVSEReport) {
				if r.Wants = i < 2; i == 0 {
					r.SoC, r.Capacity, r.Phases = 40, 50000, 3
				}
			})
		}
		time.Sleep(30 * time.Second)
		v := l.view.Load()
		got := v.EVSEs[0].Estimates
		if len(got) != 3 || got[0].SoC != 50 || got[2].SoC != 100 || got[0].Cost == nil || *got[0].Cost < 1.6 || *got[0].Cost > 1.75 {
			t.Fatalf("%+v", got)
		}
		// 22 kW bring 5 kWh into the battery in a quarter of an hour.
		if d := got[0].At.Sub(v.At); d < 10*time.Minute || d > 20*time.Minute {
			t.Errorf("50 %% in %v", d)
		}
		if v.EVSEs[1].Estimates != nil {
			t.Errorf("%+v about a battery that nobody knows", v.EVSEs[1].Estimates)
		}
		if v.Flex == nil || len(v.Flex.Hours) == 0 || v.Flex.Hours[0].Lower < 40000 {
			t.Errorf("flexibility %+v", v.Flex)
		}
		l.cars[0].set(func(r *msg.EVSEReport) { r.Plugged, r.Wants = false, false })
		time.Sleep(30 * time.Second)
		if got := l.view.Load().EVSEs[0].Estimates; got != nil {
			t.Errorf("%+v without a vehicle", got)
		}
	})
}

// A station that can hold its fallback at most is given that, and nothing that it would refuse, even when it waited at zero.
func TestAStationThatHoldsItsFallbackOnlyGetsIt(t *testing.T) {
	kittest.Run(t, func(t *testing.T, env *kit.Env) {
		controller := kittest.NewProbe(t, env, msg.Controller, nil)
		l := parking(t, env, 64, 0, func(_ *Config, s *topology.Site) {
			s.EVSEs = append(s.EVSEs, topology.EVSE{ID: "s1", Node: "grid", Phases: 3, Max: 32, Station: &topology.Station{Fallback: 6, Levels: 2}})
		})
		six := si.Amps(6)
		var last msg.StationGrant
		hear := func(r msg.StationReport) {
			r.Station, r.Connected, r.Phases, r.At = "s1", true, 3, time.Now()
			for range 30 {
				env.System.Root.Send(l.pid, r)
				time.Sleep(time.Second)
				for _, m := range controller.Take() {
					if g, ok := m.(msg.StationGrant); ok && g.Grant.Seq > last.Grant.Seq {
						last = g
						env.System.Root.Send(l.pid, msg.GrantAck{EVSE: "s1", Seq: g.Grant.Seq})
					}
				}
			}
		}
		hear(msg.StationReport{})
		if got := last.Grant.Import.Highest(); got > 6 {
			t.Errorf("nobody there: %v", got)
		}
		hear(msg.StationReport{Wants: true, Most: &six})
		if got := last.Grant.Import.Highest(); got != 6 {
			t.Errorf("with one level: %v, want its fallback", got)
		}
		if got, want := l.view.Load().Stations[0].LimitedBy, "the station itself: one stack level, no more than 6 A"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
		hear(msg.StationReport{Wants: true})
		if got := last.Grant.Import.Highest(); got != 32 {
			t.Errorf("described as it is: %v", got)
		}
	})
}
