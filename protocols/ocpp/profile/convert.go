package profile

import (
	"math"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/v16"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

var purposes201 = [...]v201.ChargingProfilePurposeEnum{
	StationMax: v201.ChargingProfilePurposeChargingStationMaxProfile,
	External:   v201.ChargingProfilePurposeChargingStationExternalConstraints,
	TxDefault:  v201.ChargingProfilePurposeTxDefaultProfile,
	Tx:         v201.ChargingProfilePurposeTxProfile,
}

// PurposeOf201 reads a purpose of OCPP 2.0.1.
func PurposeOf201(s v201.ChargingProfilePurposeEnum) (Purpose, bool) {
	for p, name := range purposes201 {
		if name == s {
			return Purpose(p), true
		}
	}
	return 0, false
}

func seconds(s *int) time.Duration {
	if s == nil {
		return 0
	}
	return secs(*s)
}

// secs converts seconds and stays in range for values that no schedule means.
func secs(s int) time.Duration {
	const most = math.MaxInt64 / int64(time.Second)
	return time.Duration(min(max(int64(s), -most), most)) * time.Second
}

// From201 converts a profile of OCPP 2.0.1 that is set at an EVSE.
func From201(evse int, c *v201.ChargingProfile) Profile {
	p := Profile{ID: c.Id, EVSE: evse, Stack: c.StackLevel, ValidFrom: c.ValidFrom, ValidTo: c.ValidTo, TxID: c.TransactionId}
	p.Purpose, _ = PurposeOf201(c.ChargingProfilePurpose)
	switch c.ChargingProfileKind {
	case v201.ChargingProfileKindRecurring:
		p.Kind, p.Recurrence = Recurring, Day
		if c.RecurrencyKind == v201.RecurrencyKindWeekly {
			p.Recurrence = Week
		}
	case v201.ChargingProfileKindRelative:
		p.Kind = Relative
	}
	for i := range c.ChargingSchedule {
		cs := &c.ChargingSchedule[i]
		s := Schedule{ID: cs.Id, Start: cs.StartSchedule, Duration: seconds(cs.Duration)}
		if cs.ChargingRateUnit == v201.ChargingRateUnitW {
			s.Unit = Watts
		}
		if cs.MinChargingRate != nil {
			s.MinRate = *cs.MinChargingRate
		}
		for _, q := range cs.ChargingSchedulePeriod {
			per := Period{Start: secs(q.StartPeriod), Limit: q.Limit}
			if q.NumberPhases != nil {
				per.Phases = *q.NumberPhases
			}
			if q.PhaseToUse != nil {
				per.PhaseToUse = *q.PhaseToUse
			}
			s.Periods = append(s.Periods, per)
		}
		p.Schedules = append(p.Schedules, s)
	}
	return p
}

// To201 converts a profile to OCPP 2.0.1.
func To201(p *Profile) v201.ChargingProfile {
	c := v201.ChargingProfile{Id: p.ID, StackLevel: p.Stack, ChargingProfilePurpose: purposes201[p.Purpose],
		ChargingProfileKind: v201.ChargingProfileKindAbsolute, ValidFrom: p.ValidFrom, ValidTo: p.ValidTo, TransactionId: p.TxID}
	switch p.Kind {
	case Recurring:
		c.ChargingProfileKind, c.RecurrencyKind = v201.ChargingProfileKindRecurring, v201.RecurrencyKindDaily
		if p.Recurrence == Week {
			c.RecurrencyKind = v201.RecurrencyKindWeekly
		}
	case Relative:
		c.ChargingProfileKind = v201.ChargingProfileKindRelative
	}
	for i := range p.Schedules {
		s := &p.Schedules[i]
		cs := v201.ChargingSchedule{Id: s.ID, StartSchedule: s.Start, ChargingRateUnit: v201.ChargingRateUnitA}
		if s.Unit == Watts {
			cs.ChargingRateUnit = v201.ChargingRateUnitW
		}
		if s.Duration > 0 {
			cs.Duration = new(int(s.Duration / time.Second))
		}
		if s.MinRate != 0 {
			cs.MinChargingRate = new(s.MinRate)
		}
		for _, q := range s.Periods {
			per := v201.ChargingSchedulePeriod{StartPeriod: int(q.Start / time.Second), Limit: q.Limit}
			if q.Phases > 0 {
				per.NumberPhases = new(q.Phases)
			}
			if q.PhaseToUse > 0 {
				per.PhaseToUse = new(q.PhaseToUse)
			}
			cs.ChargingSchedulePeriod = append(cs.ChargingSchedulePeriod, per)
		}
		c.ChargingSchedule = append(c.ChargingSchedule, cs)
	}
	return c
}

// Periods201 turns a composite into the periods of OCPP 2.0.1; limits are rounded down to 0.1.
func Periods201(pieces []Piece, u Unit) []v201.ChargingSchedulePeriod {
	var out []v201.ChargingSchedulePeriod
	for _, p := range pieces {
		per := v201.ChargingSchedulePeriod{StartPeriod: int(p.Start / time.Second), Limit: down(p.Limit.In(u))}
		if p.Limit.Phases > 0 {
			per.NumberPhases = new(p.Limit.Phases)
		}
		if n := len(out); n > 0 && out[n-1].StartPeriod == per.StartPeriod {
			out[n-1] = per
			continue
		}
		out = append(out, per)
	}
	return out
}

// down rounds to tenths, never up.
func down(v float64) float64 { return math.Floor(v*10+1e-6) / 10 }

var purposes16 = map[v16.ChargingProfilePurposeEnum]Purpose{
	v16.ChargingProfilePurposeChargePointMaxProfile: StationMax,
	v16.ChargingProfilePurposeTxDefaultProfile:      TxDefault,
	v16.ChargingProfilePurposeTxProfile:             Tx,
}

// PurposeOf16 reads a purpose of OCPP 1.6.
func PurposeOf16(s v16.ChargingProfilePurposeEnum) (Purpose, bool) {
	p, ok := purposes16[s]
	return p, ok
}

// To16 converts a profile to OCPP 1.6; only the first schedule fits, and a transaction's id is left out.
func To16(p *Profile) v16.ChargingProfile {
	c := v16.ChargingProfile{ChargingProfileId: p.ID, StackLevel: p.Stack, ChargingProfileKind: v16.ChargingProfileKindAbsolute,
		ValidFrom: p.ValidFrom, ValidTo: p.ValidTo}
	for name, purpose := range purposes16 {
		if purpose == p.Purpose {
			c.ChargingProfilePurpose = name
		}
	}
	switch p.Kind {
	case Recurring:
		c.ChargingProfileKind, c.RecurrencyKind = v16.ChargingProfileKindRecurring, v16.RecurrencyKindDaily
		if p.Recurrence == Week {
			c.RecurrencyKind = v16.RecurrencyKindWeekly
		}
	case Relative:
		c.ChargingProfileKind = v16.ChargingProfileKindRelative
	}
	if len(p.Schedules) == 0 {
		return c
	}
	s := &p.Schedules[0]
	c.ChargingSchedule = v16.ChargingSchedule{StartSchedule: s.Start, ChargingRateUnit: v16.ChargingRateUnitA}
	if s.Unit == Watts {
		c.ChargingSchedule.ChargingRateUnit = v16.ChargingRateUnitW
	}
	if s.Duration > 0 {
		c.ChargingSchedule.Duration = new(int(s.Duration / time.Second))
	}
	for _, q := range s.Periods {
		per := v16.ChargingSchedulePeriod{StartPeriod: int(q.Start / time.Second), Limit: down(q.Limit)}
		if q.Phases > 0 {
			per.NumberPhases = new(q.Phases)
		}
		c.ChargingSchedule.ChargingSchedulePeriod = append(c.ChargingSchedule.ChargingSchedulePeriod, per)
	}
	return c
}

// From16 converts a profile of OCPP 1.6 that is set at a connector.
func From16(connector int, c *v16.ChargingProfile) Profile {
	p := Profile{ID: c.ChargingProfileId, EVSE: connector, Stack: c.StackLevel, ValidFrom: c.ValidFrom, ValidTo: c.ValidTo}
	p.Purpose = purposes16[c.ChargingProfilePurpose]
	switch c.ChargingProfileKind {
	case v16.ChargingProfileKindRecurring:
		p.Kind, p.Recurrence = Recurring, Day
		if c.RecurrencyKind == v16.RecurrencyKindWeekly {
			p.Recurrence = Week
		}
	case v16.ChargingProfileKindRelative:
		p.Kind = Relative
	}
	s := Schedule{Start: c.ChargingSchedule.StartSchedule, Duration: seconds(c.ChargingSchedule.Duration)}
	if c.ChargingSchedule.ChargingRateUnit == v16.ChargingRateUnitW {
		s.Unit = Watts
	}
	for _, q := range c.ChargingSchedule.ChargingSchedulePeriod {
		per := Period{Start: secs(q.StartPeriod), Limit: q.Limit}
		if q.NumberPhases != nil {
			per.Phases = *q.NumberPhases
		}
		s.Periods = append(s.Periods, per)
	}
	p.Schedules = []Schedule{s}
	return p
}
