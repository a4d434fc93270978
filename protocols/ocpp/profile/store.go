package profile

import (
	"slices"
	"time"
)

// Reason says why a profile was refused; it is the reasonCode of OCPP.
type Reason string

// The reasons. None means accepted.
const (
	None               Reason = ""
	InvalidProfile     Reason = "InvalidProfile"
	InvalidSchedule    Reason = "InvalidSchedule"
	InvalidStackLevel  Reason = "InvalidStackLevel"
	DuplicateProfile   Reason = "DuplicateProfile"
	UnknownEVSE        Reason = "UnknownEvse"
	UnknownTransaction Reason = "TxNotFound"
	RateUnit           Reason = "UnsupportedRateUnit"
	NoPhaseSwitching   Reason = "UnsupportedParam"
	TooMany            Reason = "TooManyElements"
)

// Rules are what a station accepts. The zero value accepts nothing: EVSEs and MaxStack must be set.
type Rules struct {
	EVSEs       int // 1..EVSEs exist
	MaxStack    int // highest stack level (SmartChargingCtrlr.ProfileStackLevel)
	MaxPeriods  int // of a schedule; 0 for 1024
	MaxProfiles int // in all; 0 for 256
	NoAmps      bool
	NoWatts     bool
	PhaseSwitch bool // an AC EVSE can choose its phase (K01.FR.48)
	Phases      int  // that AC EVSEs use whatever a profile says: one for fewer is refused (K01.FR.43); 0 when they can use fewer
	DC          bool // phases are ignored (K01.FR.44)
	Replace16   bool // OCPP 1.6: same purpose and stack level at the same EVSE replaces
	External    bool // also accepts External profiles, for limits that come from outside OCPP
}

// Store holds the profiles of one station. The zero value is empty.
type Store struct {
	list []Profile // in order of installation
}

// All returns the installed profiles.
func (s *Store) All() []Profile { return slices.Clone(s.list) }

// Find returns the profile with the id.
func (s *Store) Find(id int) (Profile, bool) {
	for _, p := range s.list {
		if p.ID == id {
			return p, true
		}
	}
	return Profile{}, false
}

// Restore puts back profiles that were stored before a restart.
func (s *Store) Restore(p ...Profile) { s.list = append(s.list, p...) }

// Check tells whether a profile could be set. txOf returns the id of an EVSE's transaction, "" without one.
func (s *Store) Check(p Profile, r Rules, txOf func(evse int) string) Reason {
	if reason := p.wellFormed(r); reason != None {
		return reason
	}
	switch {
	case p.EVSE < 0 || p.EVSE > r.EVSEs:
		return UnknownEVSE // K01.FR.28
	case p.Purpose == Tx && p.EVSE == 0:
		return InvalidProfile // K01.FR.16
	case p.Purpose == Tx && p.TxID == "" && !r.Replace16:
		return InvalidProfile // K01.FR.03
	case p.Purpose == Tx && txOf(p.EVSE) == "", p.Purpose == Tx && p.TxID != "" && txOf(p.EVSE) != p.TxID:
		return UnknownTransaction // K01.FR.09, K01.FR.33
	}
	if old, ok := s.Find(p.ID); ok && old.Purpose == External && !r.External {
		return InvalidProfile // K01.FR.05
	}
	for i := range s.list {
		q := &s.list[i]
		if q.ID == p.ID || q.Purpose != p.Purpose || q.Stack != p.Stack || r.Replace16 {
			continue
		}
		switch {
		case p.Purpose == TxDefault && (p.EVSE == 0) != (q.EVSE == 0):
			return DuplicateProfile // K01.FR.52, K01.FR.53
		case p.Purpose == Tx && q.TxID == p.TxID:
			return DuplicateProfile // K01.FR.39
		case p.Purpose != Tx && p.EVSE == q.EVSE && overlap(&p, q):
			return DuplicateProfile // K01.FR.06
		}
	}
	limit := r.MaxProfiles
	if limit == 0 {
		limit = 256
	}
	if _, known := s.Find(p.ID); !known && len(s.list) >= limit {
		return TooMany
	}
	return None
}

// Set installs a profile if Check allows it: one with the same id is replaced (K01.FR.05). It returns the ids of
// profiles that went away for it, the replaced one not included.
func (s *Store) Set(p Profile, r Rules, txOf func(evse int) string) (gone []int, reason Reason) {
	if reason = s.Check(p, r, txOf); reason != None {
		return nil, reason
	}
	s.list = slices.DeleteFunc(s.list, func(q Profile) bool {
		if q.ID == p.ID {
			return true
		}
		if r.Replace16 && q.Purpose == p.Purpose && q.Stack == p.Stack && q.EVSE == p.EVSE {
			gone = append(gone, q.ID)
			return true
		}
		return false
	})
	s.list = append(s.list, p)
	return gone, None
}

func overlap(p, q *Profile) bool {
	before := func(a, b *Profile) bool { // a ends before b begins
		return !a.ValidTo.IsZero() && !b.ValidFrom.IsZero() && !a.ValidTo.After(b.ValidFrom)
	}
	return !before(p, q) && !before(q, p)
}

func (p *Profile) wellFormed(r Rules) Reason {
	maxPeriods := r.MaxPeriods
	if maxPeriods <= 0 {
		maxPeriods = MaxPieces
	}
	switch {
	case p.Stack < 0 || p.Stack > r.MaxStack:
		return InvalidStackLevel
	case p.Purpose == External && !r.External:
		return InvalidProfile // K01.FR.22
	case p.Purpose == StationMax && (p.EVSE != 0 || p.Kind == Relative):
		return InvalidProfile // K04.FR.03, K01.FR.38
	case p.Kind == Recurring && p.Recurrence != Day && p.Recurrence != Week:
		return InvalidProfile
	case !p.ValidTo.IsZero() && !p.ValidFrom.IsZero() && !p.ValidFrom.Before(p.ValidTo):
		return InvalidProfile
	case len(p.Schedules) == 0 || len(p.Schedules) > 3:
		return InvalidSchedule
	}
	for i := range p.Schedules {
		s := &p.Schedules[i]
		switch {
		case (p.Kind == Relative) != s.Start.IsZero() && !r.Replace16:
			return InvalidSchedule // K01.FR.40, K01.FR.41
		case s.Duration < 0, len(s.Periods) == 0, s.Periods[0].Start != 0:
			return InvalidSchedule // K01.FR.31
		case len(s.Periods) > maxPeriods:
			return InvalidSchedule
		case s.Unit == Amperes && r.NoAmps, s.Unit == Watts && r.NoWatts:
			return RateUnit // K01.FR.26
		}
		for j, per := range s.Periods {
			switch {
			case j > 0 && per.Start <= s.Periods[j-1].Start, per.Start < 0: // K01.FR.35
				return InvalidSchedule
			case !(per.Limit >= 0) || per.Limit > 1e9:
				return InvalidSchedule
			case per.Phases < 0 || per.Phases > 3 || per.PhaseToUse < 0 || per.PhaseToUse > 3:
				return InvalidSchedule
			case per.PhaseToUse > 0 && per.Phases != 1: // K01.FR.19
				return InvalidSchedule
			case per.PhaseToUse > 0 && !r.PhaseSwitch && !r.DC: // K01.FR.20, K01.FR.48
				return NoPhaseSwitching
			case per.Phases > 0 && per.Phases < r.Phases && !r.DC: // K01.FR.43
				return NoPhaseSwitching
			}
		}
	}
	return None
}

// Filter selects profiles; nil fields match everything.
type Filter struct {
	IDs     []int
	EVSE    *int
	Purpose *Purpose
	Stack   *int
}

func (f *Filter) matches(p *Profile) bool {
	if len(f.IDs) > 0 {
		return slices.Contains(f.IDs, p.ID)
	}
	return (f.EVSE == nil || *f.EVSE == p.EVSE) && (f.Purpose == nil || *f.Purpose == p.Purpose) &&
		(f.Stack == nil || *f.Stack == p.Stack)
}

// Select returns the profiles that match (K09).
func (s *Store) Select(f Filter) []Profile {
	var out []Profile
	for i := range s.list {
		if f.matches(&s.list[i]) {
			out = append(out, s.list[i])
		}
	}
	return out
}

// Clear removes the profiles that match and returns their ids; External ones stay (K10.FR.04, K10.FR.08, K10.FR.09).
func (s *Store) Clear(f Filter) []int {
	return s.remove(func(p *Profile) bool { return p.Purpose != External && f.matches(p) })
}

// ClearExternal removes External profiles by id, when their source lifts them.
func (s *Store) ClearExternal(id int) []int {
	return s.remove(func(p *Profile) bool { return p.Purpose == External && p.ID == id })
}

// EndTransaction removes the Tx profiles of an EVSE and returns their ids (K02.FR.05).
func (s *Store) EndTransaction(evse int) []int {
	return s.remove(func(p *Profile) bool { return p.Purpose == Tx && p.EVSE == evse })
}

// Expire removes profiles that can never be valid again and returns their ids.
func (s *Store) Expire(now time.Time) []int {
	return s.remove(func(p *Profile) bool { return !p.ValidTo.IsZero() && !now.Before(p.ValidTo) })
}

func (s *Store) remove(which func(*Profile) bool) (ids []int) {
	s.list = slices.DeleteFunc(s.list, func(p Profile) bool {
		if !which(&p) {
			return false
		}
		ids = append(ids, p.ID)
		return true
	})
	return ids
}
