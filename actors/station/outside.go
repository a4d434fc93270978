package station

import (
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal/si"
	role "github.com/voltyard/voltyard/protocols/ocpp/station"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// outsideEvery is how often the picture of the site is looked at for limits from outside.
const outsideEvery = time.Second

// lookOutside tells the machine which limits from outside hold, if this is the controller's own identity.
func (s *Station) lookOutside(ctx actor.Context) {
	if s.cfg.Site == nil {
		return
	}
	s.timers.Set("outside", outsideEvery)
	if v := s.cfg.Site.Load(); v != nil {
		s.step(ctx, role.Outside{Limits: outside(v, s.cfg.Role.Rating.Volts)})
	}
}

// outside is the strictest import limit of each source in the words of OCPP: energy guards and contacts speak for the grid
// operator, everybody else for an energy management system.
func outside(v *msg.SiteView, volts si.Volts) map[v201.ChargingLimitSourceEnum]si.Watts {
	out := map[v201.ChargingLimitSourceEnum]si.Watts{}
	for _, l := range v.Limits {
		source := v201.ChargingLimitSourceEMS
		if slices.ContainsFunc(v.Sources, func(g msg.SourceView) bool { return g.Source == l.Source }) {
			source = v201.ChargingLimitSourceSO
		}
		take := func(w si.Watts) {
			if old, ok := out[source]; !ok || w < old {
				out[source] = w
			}
		}
		if l.ImportW != nil {
			take(si.Watts(*l.ImportW))
		}
		if len(l.Current) > 0 {
			if a := slices.Min(l.Current); a > 0 { // 0 where the phase is not limited by this one
				take(si.Amps(a).Times(volts) * 3)
			}
		}
	}
	return out
}
