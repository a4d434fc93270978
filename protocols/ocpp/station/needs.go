package station

import (
	"math"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/profile"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// EVNeeds says that a vehicle asks for a schedule by ISO 15118. Again is true when it was asked to negotiate anew: the CSMS
// knows its needs then (K16.FR.09). Offer answers it, within Wait.
type EVNeeds struct {
	EVSE   int
	Needs  v201.ChargingNeeds
	Tuples int // how many entries a schedule may have for this vehicle; 0 when it does not say
	Again  bool
}

// EVSchedule is what a vehicle wants to draw, or the schedule that it chose among those offered (K15.FR.10, K15.FR.19).
type EVSchedule struct {
	EVSE     int
	From     time.Time
	Schedule v201.ChargingSchedule // its Id is that of the schedule chosen
}

// Offer is what the CSMS lets a vehicle draw in the time ahead: one schedule, or up to three to choose from. Renegotiate says
// that the CSMS has just set it, and a vehicle that charges by an older one shall negotiate anew (K16.FR.02).
type Offer struct {
	EVSE        int
	Schedules   []Offered
	Renegotiate bool
}

// Offered is a schedule of an Offer, for the time offerFor. ID is the one that the CSMS gave it.
type Offered struct {
	ID     int
	Pieces []profile.Piece
}

func (EVNeeds) event()    {}
func (EVSchedule) event() {}
func (Offer) effect()     {}

const (
	// OfferFor is how far an Offer looks ahead.
	OfferFor = 24 * time.Hour
	// needsPatience is how long a vehicle may wait for the CSMS's schedule (K15.FR.08).
	needsPatience = 60 * time.Second
)

// evNeeds tells the CSMS what a vehicle needs. Without the CSMS, or when it has no schedule, the vehicle is offered what the
// profiles here allow (K15.FR.15, K17.FR.15).
func (s *Station) evNeeds(e *evse, ev EVNeeds) {
	e.negotiates = true
	if ev.Again || !s.Accepted() || !s.model.flag("SmartChargingCtrlr", "Enabled") {
		s.offer(e, false)
		return
	}
	q := &v201.NotifyEVChargingNeedsRequest{EvseId: e.n, ChargingNeeds: ev.Needs}
	if ev.Tuples > 0 {
		q.MaxScheduleTuples = &ev.Tuples
	}
	e.offerBy = s.now.Add(needsPatience)
	s.call(q, func(m rpc.Message, why string) {
		if r, ok := m.(*v201.NotifyEVChargingNeedsResponse); why == "" && ok && r.Status == v201.NotifyEVChargingNeedsStatusAccepted {
			return // its profile follows
		}
		if !e.offerBy.IsZero() { // refused, or it needs time, and asks the vehicle again then
			s.offer(e, false)
		}
	})
}

// needsDue ends the wait for a schedule that does not come.
func (s *Station) needsDue() {
	for _, e := range s.evses {
		if !e.offerBy.IsZero() && !s.now.Before(e.offerBy) {
			s.note(true, "the CSMS accepted the needs of the vehicle at EVSE %d and sent no profile for it", e.n)
			s.offer(e, false)
		}
	}
}

// offer says what the vehicle may draw in the time ahead.
func (s *Station) offer(e *evse, again bool) {
	e.offerBy, e.evPlan = time.Time{}, nil // it chooses anew
	s.emit(Offer{EVSE: e.n, Schedules: s.offered(e), Renegotiate: again})
}

// offered is the composite schedule with each of the schedules that the leading profile of the transaction has.
func (s *Station) offered(e *evse) (out []Offered) {
	lead := -1
	all := s.store.All()
	for i := range all {
		p := &all[i]
		if p.Purpose == profile.Tx && e.tx != nil && p.EVSE == e.n && p.TxID == e.tx.ID && (lead < 0 || p.Stack > all[lead].Stack) {
			lead = i
		}
	}
	if lead < 0 {
		return []Offered{{1, s.store.Composite(s.asEVSE(e), s.now, OfferFor)}}
	}
	for _, sc := range all[lead].Schedules {
		var with profile.Store
		for i, p := range all {
			if i == lead {
				p.Schedules = []profile.Schedule{sc}
			}
			with.Restore(p)
		}
		out = append(out, Offered{sc.ID, with.Composite(s.asEVSE(e), s.now, OfferFor)})
	}
	return out
}

// evSchedule tells the CSMS what the vehicle makes of the offer.
func (s *Station) evSchedule(e *evse, ev EVSchedule) {
	e.evPlan = nil
	tx := e.tx
	s.call(&v201.NotifyEVChargingScheduleRequest{TimeBase: ev.From, EvseId: e.n, ChargingSchedule: ev.Schedule}, func(m rpc.Message, why string) {
		r, ok := m.(*v201.NotifyEVChargingScheduleResponse)
		switch {
		case why != "" || !ok:
		case r.Status != v201.GenericStatusAccepted:
			s.note(false, "the CSMS does not want the schedule of the vehicle at EVSE %d; it may send another (K15.FR.13)", e.n)
		case tx != nil && e.tx == tx && len(ev.Schedule.ChargingSchedulePeriod) > 0:
			e.evPlan = s.planned(e, ev)
		}
	})
}

// planned is a vehicle's schedule as a profile that stands for what it will draw (K15.FR.14), nil for one that makes no sense.
func (s *Station) planned(e *evse, ev EVSchedule) *profile.Profile {
	sc := ev.Schedule
	sc.StartSchedule = ev.From
	p := profile.From201(e.n, &v201.ChargingProfile{ChargingProfilePurpose: v201.ChargingProfilePurposeChargingStationExternalConstraints,
		ChargingProfileKind: v201.ChargingProfileKindAbsolute, ChargingSchedule: []v201.ChargingSchedule{sc}})
	for i := range p.Schedules[0].Periods {
		if per := &p.Schedules[0].Periods[i]; per.Phases == 0 && !e.cfg.DC {
			per.Phases = e.phases
		}
	}
	r := s.rules(e.n)
	r.External, r.MaxProfiles, r.NoAmps, r.Phases = true, math.MaxInt, false, 0
	if p.ID = math.MinInt; s.store.Check(p, r, s.txOf) != profile.None {
		return nil
	}
	return &p
}

// expected are the profiles, with what vehicles will draw of what these allow.
func (s *Station) expected() *profile.Store {
	var with profile.Store
	with.Restore(s.store.All()...)
	for _, e := range s.evses {
		if e.evPlan != nil {
			with.Restore(*e.evPlan)
		}
	}
	return &with
}
