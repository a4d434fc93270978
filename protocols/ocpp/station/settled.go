package station

import (
	"github.com/voltyard/voltyard/hal/si"
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
	if i, listed := s.list.Entries[listKey(t)]; listed && s.model.flag("LocalAuthListCtrlr", "Enabled") {
		return i.Status != v201.AuthorizationStatusAccepted && s.model.flag("LocalAuthListCtrlr", "DisablePostAuthorize")
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

// refused stops the energy of a transaction whose token the CSMS does not accept, at once or when
// MaxEnergyOnInvalidId has been drawn; the transaction goes on (E05.FR.02, E05.FR.03).
func (s *Station) refused(e *evse) {
	if most := s.model.number("TxCtrlr", "MaxEnergyOnInvalidId"); most > 0 {
		e.tx.HoldAt = e.tx.First + si.WattHours(most)
		s.save(keyTx+itoa(e.n), e.tx)
	} else {
		s.hold(e)
	}
}

// holdDue ends the energy that was left to a refused token.
func (s *Station) holdDue(e *evse) {
	if e.tx != nil && e.tx.HoldAt > 0 && e.hasLast && e.last.Energy >= e.tx.HoldAt {
		s.hold(e)
	}
}

func (s *Station) hold(e *evse) {
	reason := v201.ReasonDeAuthorized
	if e.tx.HoldAt > 0 {
		reason = v201.ReasonEnergyLimitReached
	}
	e.tx.HoldAt = 0
	s.emit(Stop{e.n, "the token was refused"})
	if s.stops("EnergyTransfer") { // E05.FR.02
		s.endTx(e, v201.TriggerReasonChargingStateChanged, reason)
		s.deauthorise(e)
		return
	}
	e.flow = v201.ChargingStateSuspendedEVSE
	s.update(e, v201.TriggerReasonChargingStateChanged, nil)
}
