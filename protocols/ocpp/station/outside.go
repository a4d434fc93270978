package station

import (
	"maps"
	"slices"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/ocpp/profile"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// Outside says which limits from outside OCPP hold for the whole site, the strictest of each source (import, W); a source
// that is missing has none. It is told again and again, and what could not be said while the CSMS was gone is said then.
type Outside struct {
	Limits map[v201.ChargingLimitSourceEnum]si.Watts
}

func (Outside) event() {}

// outsideSources are the sources that a limit from outside may have; the profile that stands for it has the id -1 for the
// first, -2 for the second (K12.FR.05: negative ids clash with none of the CSMS).
var outsideSources = []v201.ChargingLimitSourceEnum{v201.ChargingLimitSourceEMS, v201.ChargingLimitSourceSO, v201.ChargingLimitSourceOther}

func outsideID(id int) bool { return id < 0 && id >= -len(outsideSources) }

func outsideSource(id int) v201.ChargingLimitSourceEnum {
	if i := -id - 1; i >= 0 && i < len(outsideSources) {
		return outsideSources[i]
	}
	return v201.ChargingLimitSourceOther
}

// keepOutside keeps limits from outside among the charging profiles, as ChargingStationExternalConstraints: for reports and for what
// the station may draw (K12.FR.01, K12.FR.05).
func (s *Station) keepOutside(o Outside) {
	for i, source := range outsideSources {
		id := -1 - i
		w, holds := o.Limits[source]
		p, had := s.store.Find(id)
		if had = had && p.Purpose == profile.External; had && holds && p.Schedules[0].Periods[0].Limit == float64(w) {
			continue
		}
		s.store.ClearExternal(id)
		if holds {
			s.store.Restore(profile.Profile{ID: id, Purpose: profile.External, Schedules: []profile.Schedule{{ID: 1 + i, Start: s.now.Truncate(time.Second),
				Unit: profile.Watts, Periods: []profile.Period{{Limit: float64(w)}}}}})
		}
	}
}

// unheard tells that a call did not reach the CSMS, or may not have. One that it does not answer is not said again: it would
// cost the connection each time.
func unheard(why string) bool {
	return why == "offline" || why == rpc.Cut.String() || why == rpc.NotSent.String() || why == rpc.QueueFull.String()
}

// outside tells the CSMS of limits from outside that begin, change by more than LimitChangeSignificance, or end (K12.FR.02,
// K13.FR.02). A limit of the CSO is none from outside (K12.FR.04).
func (s *Station) outside(o Outside) {
	s.keepOutside(o)
	if !s.Accepted() {
		return
	}
	if s.told == nil {
		s.told = map[v201.ChargingLimitSourceEnum]si.Watts{}
	}
	for _, source := range slices.Sorted(maps.Keys(o.Limits)) {
		w := o.Limits[source]
		old, had := s.told[source]
		if source == v201.ChargingLimitSourceCSO || had && !s.significant(profile.Limit{Watts: old}, profile.Limit{Watts: w}) {
			continue
		}
		q := &v201.NotifyChargingLimitRequest{ChargingLimit: v201.ChargingLimit{ChargingLimitSource: source}}
		if s.model.flag("SmartChargingCtrlr", "NotifyChargingLimitWithSchedules") { // K12.FR.03
			q.ChargingSchedule = []v201.ChargingSchedule{{Id: 1, ChargingRateUnit: v201.ChargingRateUnitW,
				ChargingSchedulePeriod: []v201.ChargingSchedulePeriod{{Limit: float64(w)}}}}
		}
		s.told[source] = w
		s.call(q, func(_ rpc.Message, why string) {
			if unheard(why) {
				delete(s.told, source)
			}
		})
	}
	for _, source := range slices.Sorted(maps.Keys(s.told)) {
		if _, holds := o.Limits[source]; holds {
			continue
		}
		old := s.told[source]
		delete(s.told, source)
		s.call(&v201.ClearedChargingLimitRequest{ChargingLimitSource: source}, func(_ rpc.Message, why string) {
			if unheard(why) {
				s.told[source] = old
			}
		})
	}
}
