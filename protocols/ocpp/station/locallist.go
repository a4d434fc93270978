package station

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// localList is the local authorisation list (D01). Only SendLocalList changes it (D01.FR.09).
type localList struct {
	Version int
	Entries map[string]v201.IdTokenInfo
}

const maxListEntries = 5000

func sendLocalList(s *Station, q *v201.SendLocalListRequest) (rpc.Message, error) {
	status := func(st v201.SendLocalListStatusEnum) (rpc.Message, error) {
		return &v201.SendLocalListResponse{Status: st}, nil
	}
	if limit := s.model.number("LocalAuthListCtrlr", "ItemsPerMessage"); len(q.LocalAuthorizationList) > limit { // D01.FR.11
		return nil, &rpc.Error{Code: rpc.OccurrenceConstraintViolation, Path: "localAuthorizationList", What: "more than " + strconv.Itoa(limit) + " elements"}
	}
	if q.VersionNumber <= 0 || !s.model.flag("LocalAuthListCtrlr", "Enabled") { // D01.FR.18
		return status(v201.SendLocalListStatusFailed)
	}
	next := map[string]v201.IdTokenInfo{}
	if q.UpdateType == v201.UpdateDifferential {
		if q.VersionNumber <= s.list.Version { // D01.FR.19
			return status(v201.SendLocalListStatusVersionMismatch)
		}
		for k, v := range s.list.Entries {
			next[k] = v
		}
	}
	seen := map[string]bool{}
	for _, d := range q.LocalAuthorizationList {
		key := listKey(d.IdToken)
		if seen[key] { // an idToken may appear only once
			return status(v201.SendLocalListStatusFailed)
		}
		seen[key] = true
		if d.IdTokenInfo == nil {
			if q.UpdateType == v201.UpdateFull {
				return status(v201.SendLocalListStatusFailed)
			}
			delete(next, key) // D01.FR.17
			continue
		}
		next[key] = *d.IdTokenInfo
	}
	if len(next) > maxListEntries {
		return status(v201.SendLocalListStatusFailed)
	}
	s.list = localList{Version: q.VersionNumber, Entries: next}
	s.save(keyList, s.list)
	return status(v201.SendLocalListStatusAccepted)
}

func getLocalListVersion(s *Station, _ *v201.GetLocalListVersionRequest) (rpc.Message, error) {
	v := s.list.Version
	if !s.model.flag("LocalAuthListCtrlr", "Enabled") { // D02.FR.03
		v = 0
	}
	return &v201.GetLocalListVersionResponse{VersionNumber: v}, nil
}

func clearCache(s *Station, _ *v201.ClearCacheRequest) (rpc.Message, error) {
	if !s.model.flag("AuthCacheCtrlr", "Enabled") { // C11.FR.04
		return &v201.ClearCacheResponse{Status: v201.ClearCacheStatusRejected}, nil
	}
	for _, k := range slices.Sorted(maps.Keys(s.cache)) {
		s.saves.put(keyCache+k, nil)
	}
	s.cache = map[string]cached{}
	return &v201.ClearCacheResponse{Status: v201.ClearCacheStatusAccepted}, nil
}

// reservation is a ReserveNow in force (H01); EVSE 0 is any.
type reservation struct {
	EVSE    int
	Token   string // as in listKey
	Group   string
	Expires time.Time
}

func (r reservation) fits(t v201.IdToken, group string) bool {
	return r.Token == listKey(t) || sameGroup(r.Group, group)
}

// reservedFor returns the id of the reservation that holds an EVSE, 0 for none.
func (s *Station) reservedFor(e *evse) int {
	for id, r := range s.resv {
		if r.EVSE == e.n {
			return id
		}
	}
	return 0
}

func reserveNow(s *Station, q *v201.ReserveNowRequest) (rpc.Message, error) {
	status := func(st v201.ReserveNowStatusEnum) (rpc.Message, error) {
		return &v201.ReserveNowResponse{Status: st}, nil
	}
	if !s.model.flag("ReservationCtrlr", "Enabled") || !q.ExpiryDateTime.After(s.now) {
		return status(v201.ReserveNowStatusRejected)
	}
	var target *evse
	busy := v201.ReserveNowStatusUnavailable
	for _, e := range s.evses {
		if q.EvseId != nil && *q.EvseId != e.n || q.ConnectorType != "" && string(q.ConnectorType) != e.cfg.ConnectorType {
			continue
		}
		other := s.reservedFor(e)
		switch {
		case e.faulted != "": // H01.FR.12
			busy = v201.ReserveNowStatusFaulted
		case !e.serves():
		case e.plugged || e.tx != nil || other != 0 && other != q.Id: // H01.FR.11
			busy = v201.ReserveNowStatusOccupied
		case target == nil:
			target = e
		}
	}
	if target == nil {
		return status(busy)
	}
	if q.EvseId == nil && !s.model.flag("ReservationCtrlr", "NonEvseSpecific") { // H01.FR.18
		return status(v201.ReserveNowStatusRejected)
	}
	s.dropReservation(q.Id) // H01.FR.02: the same id replaces
	r := reservation{EVSE: target.n, Token: listKey(q.IdToken), Expires: q.ExpiryDateTime}
	if q.GroupIdToken != nil {
		r.Group = q.GroupIdToken.IdToken
	}
	s.resv[q.Id] = r
	s.save(keyResv+itoa(q.Id), r)
	target.resv = q.Id
	s.then(func() { s.statusChanged(target) })
	return status(v201.ReserveNowStatusAccepted)
}

func (s *Station) dropReservation(id int) bool {
	r, ok := s.resv[id]
	if !ok {
		return false
	}
	delete(s.resv, id)
	s.saves.put(keyResv+itoa(id), nil)
	if e := s.evse(r.EVSE); e != nil && e.resv == id {
		e.resv = 0
	}
	return true
}

func cancelReservation(s *Station, q *v201.CancelReservationRequest) (rpc.Message, error) {
	r, ok := s.resv[q.ReservationId]
	if !ok { // H02.FR.01
		return &v201.CancelReservationResponse{Status: v201.CancelReservationStatusRejected}, nil
	}
	s.dropReservation(q.ReservationId)
	s.then(func() { s.with(r.EVSE, (*Station).statusChanged) })
	return &v201.CancelReservationResponse{Status: v201.CancelReservationStatusAccepted}, nil
}

// useReservation ends the reservation that a transaction has taken up (H03).
func (s *Station) useReservation(e *evse) {
	s.dropReservation(e.resv)
	e.resv = 0
}

// reservationsDue ends the ones whose time is over (H04).
func (s *Station) reservationsDue() {
	for _, id := range slices.Sorted(maps.Keys(s.resv)) {
		r := s.resv[id]
		if s.now.Before(r.Expires) {
			continue
		}
		s.dropReservation(id)
		if s.Accepted() {
			s.call(&v201.ReservationStatusUpdateRequest{ReservationId: id, ReservationUpdateStatus: v201.ReservationUpdateStatusExpired}, nil)
		}
		s.with(r.EVSE, (*Station).statusChanged)
	}
}
