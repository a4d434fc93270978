package station

import (
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/ocpp/profile"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

func (s *Station) rules(c EVSEConfig) profile.Rules {
	return profile.Rules{EVSEs: len(s.evses), MaxStack: s.model.number("SmartChargingCtrlr", "ProfileStackLevel"),
		MaxPeriods:  s.model.number("SmartChargingCtrlr", "PeriodsPerSchedule"),
		MaxProfiles: 64, PhaseSwitch: c.PhaseSwitch, DC: c.DC}
}

func (s *Station) txOf(n int) string { return s.Transaction(n) }

func (s *Station) install(p profile.Profile) profile.Reason {
	var c EVSEConfig
	if e := s.evse(p.EVSE); e != nil {
		c = e.cfg
	}
	gone, reason := s.store.Set(p, s.rules(c), s.txOf)
	if reason != profile.None {
		return reason
	}
	for _, id := range gone {
		s.saves.put(keyProfile+itoa(id), nil)
	}
	s.save(keyProfile+itoa(p.ID), savedProfile{p.EVSE, profile.To201(&p)}) // K01.FR.27
	return reason
}

func setChargingProfile(s *Station, q *v201.SetChargingProfileRequest) (rpc.Message, error) {
	if !s.model.flag("SmartChargingCtrlr", "Enabled") { // K01.FR.29
		return nil, &rpc.Error{Code: rpc.NotSupported, What: "smart charging is off"}
	}
	p := profile.From201(q.EvseId, &q.ChargingProfile)
	for _, id := range s.store.Expire(s.now) {
		s.saves.put(keyProfile+itoa(id), nil)
	}
	if p.Purpose != profile.Tx {
		p.TxID = ""
	}
	if reason := s.install(p); reason != profile.None {
		return &v201.SetChargingProfileResponse{Status: v201.ChargingProfileStatusRejected, StatusInfo: info(string(reason))}, nil
	}
	if e := s.evse(p.EVSE); p.Purpose == profile.Tx && e != nil {
		s.then(func() { s.offer(e, true) })
	}
	return &v201.SetChargingProfileResponse{Status: v201.ChargingProfileStatusAccepted}, nil
}

func clearChargingProfile(s *Station, q *v201.ClearChargingProfileRequest) (rpc.Message, error) {
	var f profile.Filter
	switch c := q.ChargingProfileCriteria; {
	case q.ChargingProfileId != nil:
		f.IDs = []int{*q.ChargingProfileId}
	case c != nil:
		f.EVSE, f.Stack = c.EvseId, c.StackLevel
		if c.ChargingProfilePurpose != "" {
			purpose, _ := profile.PurposeOf201(c.ChargingProfilePurpose)
			f.Purpose = &purpose
		}
	}
	ids := s.store.Clear(f)
	if ids == nil { // K10.FR.01
		return &v201.ClearChargingProfileResponse{Status: v201.ClearChargingProfileStatusUnknown}, nil
	}
	for _, id := range ids {
		s.saves.put(keyProfile+itoa(id), nil)
	}
	return &v201.ClearChargingProfileResponse{Status: v201.ClearChargingProfileStatusAccepted}, nil
}

func getChargingProfiles(s *Station, q *v201.GetChargingProfilesRequest) (rpc.Message, error) {
	f := profile.Filter{IDs: q.ChargingProfile.ChargingProfileId, EVSE: q.EvseId, Stack: q.ChargingProfile.StackLevel}
	if q.ChargingProfile.ChargingProfilePurpose != "" {
		purpose, _ := profile.PurposeOf201(q.ChargingProfile.ChargingProfilePurpose)
		f.Purpose = &purpose
	}
	type group struct {
		evse   int
		source v201.ChargingLimitSourceEnum
	}
	found := map[group][]v201.ChargingProfile{}
	var order []group
	for _, p := range s.store.Select(f) {
		g := group{p.EVSE, v201.ChargingLimitSourceCSO}
		if p.Purpose == profile.External {
			g.source = outsideSource(p.ID)
		}
		if q.EvseId != nil && p.EVSE != *q.EvseId || !hasSource(q.ChargingProfile.ChargingLimitSource, g.source) {
			continue
		}
		if found[g] == nil {
			order = append(order, g)
		}
		found[g] = append(found[g], profile.To201(&p))
	}
	if order == nil {
		return &v201.GetChargingProfilesResponse{Status: v201.GetChargingProfileStatusNoProfiles}, nil
	}
	s.then(func() {
		for i, g := range order { // K09.FR.01, K09.FR.02
			s.call(&v201.ReportChargingProfilesRequest{RequestId: q.RequestId, ChargingLimitSource: g.source, EvseId: g.evse,
				ChargingProfile: found[g], Tbc: new(i < len(order)-1)}, nil)
		}
	})
	return &v201.GetChargingProfilesResponse{Status: v201.GetChargingProfileStatusAccepted}, nil
}

func hasSource(list []v201.ChargingLimitSourceEnum, s v201.ChargingLimitSourceEnum) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return len(list) == 0
}

func getCompositeSchedule(s *Station, q *v201.GetCompositeScheduleRequest) (rpc.Message, error) {
	e := s.evse(q.EvseId)
	if e == nil && q.EvseId != 0 || q.Duration < 0 { // K08.FR.05
		return &v201.GetCompositeScheduleResponse{Status: v201.GenericStatusRejected, StatusInfo: info("UnknownEvse")}, nil
	}
	unit, name := profile.Amperes, v201.ChargingRateUnitA
	if q.ChargingRateUnit == v201.ChargingRateUnitW || q.ChargingRateUnit == "" && e != nil && e.cfg.DC {
		unit, name = profile.Watts, v201.ChargingRateUnitW
	}
	d := time.Duration(min(q.Duration, 1<<31)) * time.Second
	var pieces []profile.Piece
	if e != nil {
		pieces = s.store.Composite(s.asEVSE(e), s.now, d)
	} else {
		var all []profile.EVSE
		for _, e := range s.evses {
			all = append(all, s.asEVSE(e))
		}
		pieces = s.store.StationComposite(s.cfg.Rating, all, s.now, d) // K08.FR.03
	}
	return &v201.GetCompositeScheduleResponse{Status: v201.GenericStatusAccepted, Schedule: &v201.CompositeSchedule{
		EvseId: q.EvseId, Duration: q.Duration, ScheduleStart: s.now, ChargingRateUnit: name,
		ChargingSchedulePeriod: profile.Periods201(pieces, unit)}}, nil
}

func (s *Station) asEVSE(e *evse) profile.EVSE {
	p := profile.EVSE{Number: e.n, Rating: e.cfg.Rating}
	if e.tx != nil {
		p.Tx = profile.Transaction{ID: e.tx.ID, Began: e.tx.PowerAt}
	}
	return p
}

// limits tells EVSEs what they may draw now, lowered ones first, and when that changes next.
func (s *Station) limits() {
	var next time.Time
	sooner := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	station, change := s.store.StationAt(s.cfg.Rating, s.now)
	sooner(change)
	users := 0
	for _, e := range s.evses {
		if e.plugged && e.auth {
			users++
		}
	}
	var raise []*evse
	wanted := make([]profile.Limit, len(s.evses))
	for i, e := range s.evses {
		a := s.asEVSE(e)
		l, change := s.store.At(e.n, a.Tx, e.cfg.Rating, s.now)
		sooner(change)
		if n := max(users, 1); s.cfg.Share && n > 1 {
			l = l.Min(profile.Limit{Amps: station.Amps / si.Amps(n), Watts: station.Watts / si.Watts(n), Phases: station.Phases})
		}
		wanted[i] = l
		if e.limited && l == e.limit {
			continue
		}
		if e.limited && (l.Amps > e.limit.Amps || l.Watts > e.limit.Watts) {
			raise = append(raise, e)
			continue
		}
		s.tellLimit(e, l)
	}
	if station != s.stationLimit {
		s.stationLimit = station
		s.emit(StationLimit{station})
	}
	for _, e := range raise {
		s.tellLimit(e, wanted[e.n-1])
	}
	s.limitDead = next
}

func (s *Station) tellLimit(e *evse, l profile.Limit) {
	before, had := e.limit, e.limited
	e.limit, e.limited = l, true
	s.emit(Limit{e.n, l})
	if had && e.tx != nil && e.flow == v201.ChargingStateCharging && s.significant(before, l) { // K03, K14: ChargingRateChanged
		s.update(e, v201.TriggerReasonChargingRateChanged, nil)
	}
}

// significant compares a change with SmartChargingCtrlr.LimitChangeSignificance (%).
func (s *Station) significant(a, b profile.Limit) bool {
	share := float64(s.model.number("SmartChargingCtrlr", "LimitChangeSignificance")) / 100
	d := float64(a.Watts - b.Watts)
	return d > share*float64(a.Watts) || -d > share*float64(a.Watts)
}
