package v2

import (
	"math"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
	"github.com/voltyard/voltyard/protocols/iso15118/xmldsig"
)

// firstTuple is the id of the schedule that is offered without a plan.
const firstTuple = 1

const day = 24 * time.Hour

// schedules are what the EVSE offered the vehicle to choose from.
type schedules struct {
	tuples    []secc.PlanTuple
	signature *xmldsig.Signature
}

// makeSchedules offers the site's plan. Without one it offers what the hardware can do, for at least 24 hours or until
// departure ([V2G2-303]); the loops tell what is granted at each moment. No schedule exceeds the hardware, and none has more
// entries than the vehicle can hold.
func (m *Machine) makeSchedules(departure time.Duration, entries uint16) schedules {
	most := m.Present.RatedWatts
	if !m.Cfg.DC {
		most = si.Watts(float64(m.Present.RatedAmps.Times(m.Cfg.Volts)) * float64(max(1, m.Needs.Phases)))
	}
	if m.plan == nil || len(m.plan.Tuples) == 0 {
		return schedules{tuples: []secc.PlanTuple{{ID: firstTuple, Entries: []secc.PlanEntry{{Max: most}}, End: max(day, departure)}}}
	}
	out := schedules{signature: m.plan.Signature}
	for _, t := range m.plan.Tuples[:min(len(m.plan.Tuples), secc.MaxTuples)] {
		if t = t.From(m.Now.Sub(m.planned)); t.ID == 0 || len(t.Entries) == 0 {
			continue
		}
		limit := int(entries)
		if limit == 0 || limit > secc.MaxPlanEntries {
			limit = secc.MaxPlanEntries
		}
		t.Entries = shorten(t.Entries, limit, most)
		t.End = max(t.End, t.Entries[len(t.Entries)-1].Start+time.Second)
		out.tuples = append(out.tuples, t)
	}
	if len(out.tuples) == 0 {
		m.plan = nil
		return m.makeSchedules(departure, entries)
	}
	return out
}

// shorten holds entries under what the hardware can do, and lets the last one that fits stand for all that follow, at the
// least of them.
func shorten(entries []secc.PlanEntry, limit int, most si.Watts) []secc.PlanEntry {
	out := make([]secc.PlanEntry, 0, min(len(entries), limit))
	for _, e := range entries {
		e.Max = max(0, min(e.Max, most))
		if len(out) == limit {
			out[limit-1].Max = min(out[limit-1].Max, e.Max)
			continue
		}
		out = append(out, e)
	}
	return out
}

func (s schedules) list() v2.SAScheduleList {
	var l v2.SAScheduleList
	for _, t := range s.tuples {
		x := v2.SAScheduleTuple{SAScheduleTupleID: t.ID}
		for i, e := range t.Entries {
			v := v2.PMaxScheduleEntry{RelativeTimeInterval: v2.RelativeTimeInterval{Start: secs(e.Start)}, PMax: v2.Watts(e.Max)}
			if i == len(t.Entries)-1 { // only the last one says how long it lasts
				v.RelativeTimeInterval.Duration = exi.Some(secs(t.End - e.Start))
			}
			x.PMaxSchedule.PMaxScheduleEntry = append(x.PMaxSchedule.PMaxScheduleEntry, v)
		}
		if t.Tariff != nil {
			x.SalesTariff = exi.Some(*t.Tariff)
		}
		l.SAScheduleTuple = append(l.SAScheduleTuple, x)
	}
	return l
}

func secs(d time.Duration) uint32 {
	return uint32(max(0, min(int64(d/time.Second), math.MaxUint32)))
}

// find returns the schedule with this id.
func (s schedules) find(id uint8) (secc.PlanTuple, bool) {
	for _, t := range s.tuples {
		if t.ID == id {
			return t, true
		}
	}
	return secc.PlanTuple{}, false
}

// chosen is what the vehicle makes of the schedule t that it has chosen.
func chosen(t secc.PlanTuple, p exi.Optional[v2.ChargingProfile]) secc.ScheduleChosen {
	c := secc.ScheduleChosen{ID: t.ID, Entries: t.Entries, End: t.End}
	if p.Present && len(p.Value.ProfileEntry) > 0 {
		c.Entries = nil
		for _, e := range p.Value.ProfileEntry {
			c.Entries = append(c.Entries, secc.PlanEntry{Start: time.Duration(e.ChargingProfileEntryStart) * time.Second, Max: si.Watts(e.ChargingProfileEntryMaxPower.Float())})
		}
	}
	return c
}

// fits checks a charging profile against the schedule that the vehicle chose: at no time may it exceed what was offered
// ([V2G2-224], [V2G2-225], [V2G2-479]). What is rounded on the wire counts as equal.
func fits(t secc.PlanTuple, p v2.ChargingProfile) bool {
	last := -1
	for i, e := range p.ProfileEntry {
		begin, end := int(e.ChargingProfileEntryStart), math.MaxInt
		if begin <= last {
			return false
		}
		last = begin
		if i+1 < len(p.ProfileEntry) {
			end = int(p.ProfileEntry[i+1].ChargingProfileEntryStart)
		}
		w := e.ChargingProfileEntryMaxPower.Float()
		for j, x := range t.Entries {
			from, to := int(x.Start/time.Second), math.MaxInt
			if j+1 < len(t.Entries) {
				to = int(t.Entries[j+1].Start / time.Second)
			}
			if begin < to && from < end && w > float64(x.Max)*1.001+1 {
				return false
			}
		}
	}
	return true
}
