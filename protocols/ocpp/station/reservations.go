package station

import (
	"maps"
	"slices"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// reservation is a ReserveNow in force (H01): of an EVSE, or of any (EVSE 0), perhaps with a connector of a type.
type reservation struct {
	EVSE    int
	Type    string `json:",omitempty"`
	Token   string // as in listKey
	Group   string
	Expires time.Time
}

func (r reservation) fits(t v201.IdToken, group string) bool {
	return r.Token == listKey(t) || sameGroup(r.Group, group)
}

// covers tells whether a reservation may be used at an EVSE.
func (r reservation) covers(e *evse) bool {
	return r.EVSE == e.n || r.EVSE == 0 && (r.Type == "" || r.Type == e.cfg.ConnectorType)
}

// reserved are the ids of the reservations that an EVSE is kept for: its own, or those of any EVSE when no more are left than they need
// (H01.FR.07, FR.09).
func (s *Station) reserved(e *evse) []int {
	var shared []int
	for _, id := range slices.Sorted(maps.Keys(s.resv)) {
		if s.resv[id].EVSE == e.n {
			return []int{id}
		}
		if r := s.resv[id]; r.covers(e) && s.scarce(r, e) {
			shared = append(shared, id)
		}
	}
	if !e.open() {
		return nil
	}
	return shared
}

// open tells whether somebody could begin to charge at the EVSE.
func (e *evse) open() bool { return e.serves() && e.faulted == "" && e.tx == nil && !e.auth }

// vacant tells whether an EVSE could serve a reservation of any EVSE now.
func (s *Station) vacant(e *evse) bool {
	for _, r := range s.resv {
		if r.EVSE == e.n {
			return false
		}
	}
	return e.open() && !e.plugged && !e.cable
}

// scarce tells whether a reservation of any EVSE would have too few vacant ones to use, with such others as need them too, if somebody
// else charged at e.
func (s *Station) scarce(r reservation, e *evse) bool {
	vacant, needed := 0, 0
	if s.vacant(e) {
		vacant = -1
	}
	for _, e := range s.evses {
		if r.covers(e) && s.vacant(e) {
			vacant++
		}
	}
	for _, o := range s.resv {
		if o.EVSE == 0 && slices.ContainsFunc(s.evses, func(e *evse) bool { return r.covers(e) && o.covers(e) }) {
			needed++
		}
	}
	return vacant < needed
}

// barred tells whether an EVSE is kept for others than who shows a token.
func (s *Station) barred(e *evse, t v201.IdToken, group string) bool {
	ids := s.reserved(e)
	return len(ids) > 0 && !slices.ContainsFunc(ids, func(id int) bool { return s.resv[id].fits(t, group) })
}

// byGroup tells whether one of the reservations that an EVSE is kept for is for a group, too (H03.FR.07, FR.08).
func (s *Station) byGroup(e *evse) bool {
	return slices.ContainsFunc(s.reserved(e), func(id int) bool { return s.resv[id].Group != "" })
}

// redeem ends the reservation that a token uses at an EVSE, and returns its id, 0 for none: its own before one of any (H03.FR.09).
func (s *Station) redeem(e *evse, t v201.IdToken, group string) int {
	found := 0
	for _, id := range slices.Sorted(maps.Keys(s.resv)) {
		if r := s.resv[id]; r.covers(e) && r.fits(t, group) && (found == 0 || r.EVSE == e.n) {
			found = id
		}
	}
	s.dropReservation(found)
	return found
}

func reserveNow(s *Station, q *v201.ReserveNowRequest) (rpc.Message, error) {
	status := func(st v201.ReserveNowStatusEnum) (rpc.Message, error) {
		return &v201.ReserveNowResponse{Status: st}, nil
	}
	if !s.model.flag("ReservationCtrlr", "Enabled") || !q.ExpiryDateTime.After(s.now) || q.Id <= 0 || q.EvseId != nil && s.evse(*q.EvseId) == nil {
		return status(v201.ReserveNowStatusRejected)
	}
	r := reservation{Type: string(q.ConnectorType), Token: listKey(q.IdToken), Expires: q.ExpiryDateTime}
	if q.EvseId != nil {
		r.EVSE = *q.EvseId
	}
	if q.GroupIdToken != nil {
		r.Group = q.GroupIdToken.IdToken
	}
	old, replaces := s.resv[q.Id]
	delete(s.resv, q.Id) // H01.FR.02: the same id replaces, where the new one is possible
	back := func() {
		if replaces {
			s.resv[q.Id] = old
		}
	}
	found, busy := false, v201.ReserveNowStatusUnavailable
	for _, e := range s.evses {
		if !r.covers(e) || r.EVSE != 0 && r.Type != "" && r.Type != e.cfg.ConnectorType {
			continue
		}
		switch {
		case e.faulted != "": // H01.FR.12
			if busy != v201.ReserveNowStatusOccupied {
				busy = v201.ReserveNowStatusFaulted
			}
		case !e.serves(): // H01.FR.14
		case !s.vacant(e) || len(s.reserved(e)) > 0: // H01.FR.11
			busy = v201.ReserveNowStatusOccupied
		default:
			found = true
		}
	}
	switch {
	case !found:
		back()
		return status(busy)
	case q.EvseId == nil && !s.model.flag("ReservationCtrlr", "NonEvseSpecific"): // H01.FR.19
		back()
		return status(v201.ReserveNowStatusRejected)
	}
	s.resv[q.Id] = r
	s.save(keyResv+itoa(q.Id), r)
	s.then(s.statusesChanged)
	return status(v201.ReserveNowStatusAccepted)
}

func (s *Station) dropReservation(id int) bool {
	if _, ok := s.resv[id]; !ok {
		return false
	}
	delete(s.resv, id)
	s.saves.put(keyResv+itoa(id), nil)
	return true
}

func cancelReservation(s *Station, q *v201.CancelReservationRequest) (rpc.Message, error) {
	if !s.dropReservation(q.ReservationId) { // H02.FR.01
		return &v201.CancelReservationResponse{Status: v201.CancelReservationStatusRejected}, nil
	}
	s.then(s.statusesChanged)
	return &v201.CancelReservationResponse{Status: v201.CancelReservationStatusAccepted}, nil
}

// unreserve ends the reservations of an EVSE that goes out of service or has a fault (H01.FR.16, FR.17), and those of any that has none
// left.
func (s *Station) unreserve() {
	for _, id := range slices.Sorted(maps.Keys(s.resv)) {
		r := s.resv[id]
		if !slices.ContainsFunc(s.evses, func(e *evse) bool { return r.covers(e) && (e.serves() || e.resets) && e.faulted == "" }) {
			s.endReservation(id, v201.ReservationUpdateStatusRemoved)
		}
	}
}

// reservationsDue ends the ones whose time is over (H04).
func (s *Station) reservationsDue() {
	for _, id := range slices.Sorted(maps.Keys(s.resv)) {
		if !s.now.Before(s.resv[id].Expires) {
			s.endReservation(id, v201.ReservationUpdateStatusExpired)
			s.statusesChanged()
		}
	}
}

func (s *Station) endReservation(id int, why v201.ReservationUpdateStatusEnum) {
	s.dropReservation(id)
	s.call(&v201.ReservationStatusUpdateRequest{ReservationId: id, ReservationUpdateStatus: why}, nil)
}
