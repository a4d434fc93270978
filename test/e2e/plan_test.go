package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/voltyard/voltyard/actors/sim/ev"
	"github.com/voltyard/voltyard/hal/sim"
)

// The clock of these tests begins at midnight.
const nightSite = `
site: {id: night}
nodes: [{id: root, fuse_a: 63, meter: grid, background_a: 10}]
meters: [{id: grid, driver: sim}]
evses:
  - {id: a1, node: root, type: ac, max_a: 16, hal: sim}
  - {id: a2, node: root, type: ac, max_a: 16, hal: sim}
tariff: {price_kwh: 0.40, periods: [{from: "01:00", to: "05:00", price_kwh: 0.01}]}
`

// A whole site with a tariff: vehicles wait for the cheap hours, say why, and charge when they come.
func TestASiteChargesInTheCheapHours(t *testing.T) {
	runSite(t, nightSite, func(s *site) {
		old := ev.Model{Name: "old", Phases: 3, MaxAmps: 16, Volts: 230, Battery: sim.Battery{Capacity: 2000e3, Energy: 10e3, MaxPower: 120e3, Nominal: 400}}
		s.arrive(ev.Arrival{Visit: ev.Visit{ID: "c1", Model: old, Place: s.place("a1"), Energy: 1900e3}},
			ev.Arrival{Visit: ev.Visit{ID: "c2", Model: old, Place: s.place("a2"), Energy: 1900e3}})
		time.Sleep(30 * time.Second)
		v := s.view.Load()
		if v.Plan == nil || !v.Plan.Fresh || v.Plan.Price == nil || *v.Plan.Price != 0.40 || v.Flex == nil {
			t.Fatalf("plan %+v, flexibility %v", v.Plan, v.Flex)
		}
		for _, e := range v.EVSEs {
			if !strings.HasPrefix(e.LimitedBy, "plan: waits for a better hour, 01:0") || e.Power > 0 || len(e.Plan) < 2 {
				t.Errorf("%s: %q, %v, plan %v", e.ID, e.LimitedBy, e.Power, e.Plan)
			}
		}
		if top := s.watch("root", 50*time.Minute); top.Highest() > 1 {
			t.Errorf("%v before the cheap hours", top)
		}
		time.Sleep(20 * time.Minute)
		if a := s.wires.Current("root").Highest(); a < 20 {
			t.Errorf("%v in the cheap hours", a)
		}
	})
}
