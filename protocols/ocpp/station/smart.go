package station

import (
	"cmp"
	"reflect"
	"slices"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/ocpp/profile"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// rules are those for profiles of an EVSE, 0 for the whole station.
func (s *Station) rules(n int) profile.Rules {
	r := profile.Rules{EVSEs: len(s.evses), MaxStack: s.model.number("SmartChargingCtrlr", "ProfileStackLevel"),
		MaxPeriods: s.model.number("SmartChargingCtrlr", "PeriodsPerSchedule"), MaxProfiles: 64, NoAmps: s.onlyDC()}
	for _, e := range s.evses {
		if c := &e.cfg; (n == 0 || n == e.n) && !c.DC && !c.PhaseSwitch {
			r.Phases = max(r.Phases, c.Rating.Phases)
		}
	}
	if e := s.evse(n); e != nil {
		// A current of a DC outlet is that of the vehicle, at a voltage that nobody knows before.
		r.PhaseSwitch, r.DC, r.NoAmps = e.cfg.PhaseSwitch, e.cfg.DC, e.cfg.DC
	}
	return r
}

// onlyDC tells that limits in A mean nothing here: the station's rate unit is W alone (K01.FR.26, K08.FR.07).
func (s *Station) onlyDC() bool { return s.model.value("SmartChargingCtrlr", "RateUnit") == "W" }

func (s *Station) txOf(n int) string { return s.Transaction(n) }

func (s *Station) install(p profile.Profile) profile.Reason {
	gone, reason := s.store.Set(p, s.rules(p.EVSE), s.txOf)
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
	refuse := func(reason profile.Reason) rpc.Message {
		return &v201.SetChargingProfileResponse{Status: v201.ChargingProfileStatusRejected, StatusInfo: info(string(reason))}
	}
	if s.cfg.Control && outsideID(p.ID) { // kept for limits from outside
		return refuse(profile.InvalidProfile), nil
	}
	before := s.offers()
	old, replaces := s.store.Find(p.ID)
	if reason := s.install(p); reason != profile.None {
		return refuse(reason), nil
	}
	s.otherwise(func() rpc.Message { // what could not be stored would not survive a restart (K01.FR.27)
		s.store.Clear(profile.Filter{IDs: []int{p.ID}})
		s.saves.put(keyProfile+itoa(p.ID), nil)
		if replaces {
			s.store.Restore(old)
			s.save(keyProfile+itoa(p.ID), savedProfile{old.EVSE, profile.To201(&old)})
		}
		return refuse("OutOfStorage")
	})
	if e := s.evse(p.EVSE); p.Purpose == profile.Tx && e != nil {
		s.then(func() { s.offer(e, true) })
	} else {
		s.reoffer(before)
	}
	return &v201.SetChargingProfileResponse{Status: v201.ChargingProfileStatusAccepted}, nil
}

// offers is what vehicles that negotiate are offered, by EVSE.
func (s *Station) offers() map[int][]Offered {
	out := map[int][]Offered{}
	for _, e := range s.evses {
		if e.tx != nil && e.negotiates && e.offerBy.IsZero() { // one that waits for the CSMS's schedule gets it then
			out[e.n] = s.offered(e)
		}
	}
	return out
}

// reoffer has vehicles negotiate anew whose schedules the request being served has changed (K16.FR.02).
func (s *Station) reoffer(before map[int][]Offered) {
	for _, e := range s.evses {
		if was, ok := before[e.n]; ok && !reflect.DeepEqual(was, s.offered(e)) {
			s.then(func() {
				if e.tx != nil && e.offerBy.IsZero() {
					s.offer(e, true)
				}
			})
		}
	}
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
	before := s.offers()
	ids := s.store.Clear(f)
	if ids == nil { // K10.FR.01
		return &v201.ClearChargingProfileResponse{Status: v201.ClearChargingProfileStatusUnknown}, nil
	}
	for _, id := range ids {
		s.saves.put(keyProfile+itoa(id), nil)
	}
	s.reoffer(before)
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
		var all []*v201.ReportChargingProfilesRequest
		for _, g := range order {
			size := 0
			for _, p := range found[g] {
				n := len(p.AppendJSON(nil))
				if size == 0 || size+n > reportBytes {
					size = 0
					all = append(all, &v201.ReportChargingProfilesRequest{RequestId: q.RequestId, ChargingLimitSource: g.source, EvseId: g.evse}) // K09.FR.01
				}
				last := all[len(all)-1]
				last.ChargingProfile = append(last.ChargingProfile, p)
				size += n
			}
		}
		for i, r := range all {
			r.Tbc = new(i < len(all)-1) // K09.FR.02
			s.call(r, nil)
		}
	})
	return &v201.GetChargingProfilesResponse{Status: v201.GetChargingProfileStatusAccepted}, nil
}

// reportBytes is the most that one report of several charging profiles has; a CSMS need not take messages of any length.
const reportBytes = 32 << 10

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
	dc := s.onlyDC() || e != nil && e.cfg.DC
	if dc && q.ChargingRateUnit == v201.ChargingRateUnitA { // K08.FR.07
		return &v201.GetCompositeScheduleResponse{Status: v201.GenericStatusRejected, StatusInfo: info(string(profile.RateUnit))}, nil
	}
	unit, name := profile.Amperes, v201.ChargingRateUnitA
	if q.ChargingRateUnit == v201.ChargingRateUnitW || q.ChargingRateUnit == "" && dc {
		unit, name = profile.Watts, v201.ChargingRateUnitW
	}
	d := time.Duration(min(q.Duration, 1<<31)) * time.Second
	var pieces []profile.Piece
	if e != nil {
		pieces = s.expected().Composite(s.asEVSE(e), s.now, d)
	} else {
		var all []profile.EVSE
		for _, e := range s.evses {
			all = append(all, s.asEVSE(e))
		}
		pieces = s.expected().StationComposite(s.cfg.Rating, all, s.now, d) // K08.FR.03
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
	var raise []*evse
	wanted := make([]profile.Limit, len(s.evses))
	for i, e := range s.evses {
		a := s.asEVSE(e)
		l, change := s.store.At(e.n, a.Tx, e.cfg.Rating, s.now)
		sooner(change)
		wanted[i] = l
	}
	s.share(station, wanted)
	for i, e := range s.evses {
		l := wanted[i]
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

// share divides what the station may draw among the EVSEs in use (K04.FR.05): each gets as much as the others, or what it may draw
// by itself if that is less.
func (s *Station) share(station profile.Limit, wanted []profile.Limit) {
	var users []int
	for i, e := range s.evses {
		if e.plugged && (e.auth || e.flow == v201.ChargingStateCharging) {
			users = append(users, i)
		}
	}
	if len(users) < 2 {
		return
	}
	amps, watts := float64(station.Amps), float64(station.Watts)
	byAmps := slices.SortedFunc(slices.Values(users), func(a, b int) int { return cmp.Compare(wanted[a].Amps, wanted[b].Amps) })
	byWatts := slices.SortedFunc(slices.Values(users), func(a, b int) int { return cmp.Compare(wanted[a].Watts, wanted[b].Watts) })
	for n := len(users); n > 0; n-- {
		a, w := &wanted[byAmps[len(users)-n]].Amps, &wanted[byWatts[len(users)-n]].Watts
		*a, *w = min(*a, si.Amps(amps/float64(n))), min(*w, si.Watts(watts/float64(n)))
		amps, watts = amps-float64(*a), watts-float64(*w)
	}
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
	share := s.model.decimal("SmartChargingCtrlr", "LimitChangeSignificance") / 100
	d := float64(a.Watts - b.Watts)
	return d > share*float64(a.Watts) || -d > share*float64(a.Watts)
}
