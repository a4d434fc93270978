package station

import (
	"maps"
	"slices"

	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// final tells whether what list or cache say (known, accepted) is the last word, although the CSMS could be asked.
func (s *Station) final(t v201.IdToken, known, accepted bool) bool {
	if s.model.flag("AuthCtrlr", "DisableRemoteAuthorization") {
		return true
	}
	if !known || accepted {
		return false
	}
	if _, listed := s.list.Entries[listKey(t)]; listed && s.model.flag("LocalAuthListCtrlr", "Enabled") {
		return s.model.flag("LocalAuthListCtrlr", "DisablePostAuthorize")
	}
	return s.model.flag("AuthCacheCtrlr", "DisablePostAuthorize")
}

// endsByFlow ends the transaction of a vehicle that takes no more, where the end of energy transfer is a stop point
// (E06.FR.07). What the site holds back is no end.
func (s *Station) endsByFlow(e *evse) bool {
	if e.tx == nil || e.flow != v201.ChargingStateSuspendedEV || e.tx.State != v201.ChargingStateCharging || !s.stops("EnergyTransfer") {
		return false
	}
	e.departed = true
	s.endTx(e, v201.TriggerReasonChargingStateChanged, v201.ReasonStoppedByEV)
	s.deauthorise(e)
	return true
}

// unreserve ends the reservations of an EVSE that goes out of service (H01.FR.17).
func (s *Station) unreserve(e *evse) {
	for _, id := range slices.Sorted(maps.Keys(s.resv)) {
		if s.resv[id].EVSE != e.n {
			continue
		}
		s.dropReservation(id)
		if s.Accepted() {
			s.call(&v201.ReservationStatusUpdateRequest{ReservationId: id, ReservationUpdateStatus: v201.ReservationUpdateStatusRemoved}, nil)
		}
	}
}
