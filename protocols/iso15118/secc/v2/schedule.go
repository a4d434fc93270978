package v2

import (
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
)

// tupleID is the id of the one schedule that is offered.
const tupleID = 1

// schedule is the power that the EVSE offered over time: one value, for at least 24 hours or until departure ([V2G2-303]).
type schedule struct {
	max      si.Watts
	duration uint32
}

const day = 24 * time.Hour

// makeSchedule offers what the hardware can do; the loops tell what is granted at each moment.
func (m *Machine) makeSchedule(departure time.Duration) schedule {
	w := m.Present.RatedWatts
	if !m.Cfg.DC {
		n := m.Needs.Phases
		if n == 0 {
			n = 1
		}
		w = si.Watts(float64(m.Present.RatedAmps.Times(m.Cfg.Volts)) * float64(n))
	}
	d := day
	if departure > day {
		d = departure
	}
	return schedule{max: w, duration: uint32(d / time.Second)}
}

func (s schedule) list() v2.SAScheduleList {
	return v2.SAScheduleList{SAScheduleTuple: []v2.SAScheduleTuple{{SAScheduleTupleID: tupleID,
		PMaxSchedule: v2.PMaxSchedule{PMaxScheduleEntry: []v2.PMaxScheduleEntry{{
			RelativeTimeInterval: v2.RelativeTimeInterval{Start: 0, Duration: exi.Some(s.duration)}, PMax: v2.Watts(s.max)}}}}}}
}

// fits checks a charging profile against what was offered ([V2G2-224], [V2G2-225], [V2G2-479]).
func (s schedule) fits(p v2.ChargingProfile) bool {
	last := -1
	for _, e := range p.ProfileEntry {
		if w := e.ChargingProfileEntryMaxPower.Float(); w > float64(s.max)*1.001+1 || int(e.ChargingProfileEntryStart) <= last {
			return false
		}
		last = int(e.ChargingProfileEntryStart)
	}
	return true
}
