// Package profile computes what charging profiles allow: the store of a station's profiles with the rules for setting
// and clearing them, and the composite schedule of all of them (OCPP 2.0.1 part 2, block K). It is pure arithmetic over
// given times, for the station role, the local controller and the simulated stations alike. Types are independent of
// the OCPP version; convert.go knows 1.6 and 2.0.1.
package profile

import (
	"sort"
	"time"
)

// Purpose says what a profile limits.
type Purpose uint8

// The purposes.
const (
	StationMax Purpose = iota // the whole station, EVSE 0 only
	External                  // set by an external system, never by a CSMS
	TxDefault                 // every new transaction, of one EVSE or (EVSE 0) of all
	Tx                        // one transaction
)

// Kind says what the periods' start times are relative to.
type Kind uint8

// The kinds.
const (
	Absolute  Kind = iota // to the schedule's start
	Recurring             // likewise, once more every day or week
	Relative              // to the start of the transaction
)

// Unit is the unit of a schedule's limits: A per phase, or W of all phases together.
type Unit uint8

// The units.
const (
	Amperes Unit = iota
	Watts
)

// Day and Week are the intervals of Recurring profiles.
const (
	Day  = 24 * time.Hour
	Week = 7 * Day
)

// Period is a limit from Start (after the start of the schedule) to the next period or the end of the schedule.
type Period struct {
	Start      time.Duration
	Limit      float64 // in the schedule's unit
	Phases     int     // 1 to 3; 0 when not given, which means 3 (K01.FR.49)
	PhaseToUse int     // 1 to 3 with Phases 1; 0 when not given
}

// Schedule is a list of periods.
type Schedule struct {
	ID       int
	Start    time.Time     // zero in Relative profiles
	Duration time.Duration // 0 for no end
	Unit     Unit
	MinRate  float64
	Periods  []Period
}

// Profile is one charging profile as it is installed at an EVSE.
type Profile struct {
	ID         int
	EVSE       int // 0 is the station
	Stack      int // higher wins within a purpose
	Purpose    Purpose
	Kind       Kind
	Recurrence time.Duration // Day or Week, of Recurring
	ValidFrom  time.Time     // zero for always
	ValidTo    time.Time     // zero for ever; the profile is not valid at this instant any more (K01.FR.37)
	TxID       string        // of Tx profiles
	Schedules  []Schedule    // one, or up to three to choose from with ISO 15118
}

// phases is the number of phases that a period's limit is for.
func (p Period) phases() int {
	if p.Phases <= 0 || p.Phases > 3 {
		return 3
	}
	return p.Phases
}

// at returns the period in force at t, when the transaction (for Relative) began at begin. Without a period ok is
// false. change is the next instant after t at which the answer may differ, zero for never.
func (p *Profile) at(t, begin time.Time) (per Period, unit Unit, change time.Time, ok bool) {
	if !p.ValidFrom.IsZero() && t.Before(p.ValidFrom) {
		return per, unit, p.ValidFrom, false
	}
	if !p.ValidTo.IsZero() {
		if !t.Before(p.ValidTo) {
			return per, unit, time.Time{}, false
		}
		change = p.ValidTo
	}
	if len(p.Schedules) == 0 {
		return per, unit, change, false
	}
	s := &p.Schedules[0]
	start := s.Start
	if p.Kind == Relative {
		start = begin
	}
	if t.Before(start) { // K01.FR.30
		return per, s.Unit, earlier(change, start), false
	}
	if p.Kind == Recurring && p.Recurrence > 0 {
		start = start.Add(t.Sub(start).Truncate(p.Recurrence))
		change = earlier(change, start.Add(p.Recurrence))
	}
	offset := t.Sub(start)
	if s.Duration > 0 {
		if offset >= s.Duration { // K01.FR.12, K01.FR.13
			return per, s.Unit, change, false
		}
		change = earlier(change, start.Add(s.Duration))
	}
	next := sort.Search(len(s.Periods), func(i int) bool { return s.Periods[i].Start > offset }) // they are in order, K01.FR.35
	if next < len(s.Periods) {
		change = earlier(change, start.Add(s.Periods[next].Start))
	}
	if next > 0 {
		per, ok = s.Periods[next-1], true
	}
	return per, s.Unit, change, ok
}

// earlier returns the earlier of two instants, of which zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
