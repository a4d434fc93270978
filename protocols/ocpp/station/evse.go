package station

import (
	"strconv"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/profile"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

func itoa(n int) string { return strconv.Itoa(n) }

// evse is what the machine knows of one EVSE and its connector 1.
type evse struct {
	n            int
	cfg          EVSEConfig
	plugged      bool
	cable        bool    // a plug is in its socket
	locked       bool    // Lock was told
	lockBad      bool    // the lock does not follow
	keeps        *holder // whose cable stays locked without a vehicle
	off          bool    // set out of service by the CSMS, which counts when nothing charges
	connectorOff bool    // likewise its connector
	out          bool    // out of service by one of them, or as the whole station
	held         bool    // out of service until firmware is installed
	resets       bool    // lets nothing begin before it was reset
	faulted      string
	flow         v201.ChargingStateEnum
	phases       int
	auth         bool
	token        *v201.IdToken // authorised
	group        string
	stopper      *v201.IdToken    // shown to end the authorisation, for the event that says so
	remote       *int             // remoteStartId of the request that authorised
	pending      *v201.IdToken    // being authorised
	startProf    *profile.Profile // of RequestStartTransaction, until the transaction exists
	plugBy       time.Time        // authorised, and a vehicle has to come until then
	resv         int              // reservation that the authorised token has used, until the transaction says so
	kept         bool             // for reservations
	last         Reading
	hasLast      bool
	tx           *transaction
	reported     v201.ConnectorStatusEnum
	limit        profile.Limit
	limited      bool // limit was told
	unlockID     string
	offerBy      time.Time        // the vehicle waits for the CSMS's schedule until then
	negotiates   bool             // the vehicle has asked for a schedule since it came
	evPlan       *profile.Profile // what the vehicle has said that it will draw, and the CSMS has accepted
	exchange     exchange
	lastTx       string    // the transaction that ended last
	languages    [2]string // of the driver, the preferred one first (C01.FR.08)
	departed     bool      // the vehicle ended the session; it must leave before another one starts
}

// serves tells whether the EVSE is in service.
func (e *evse) serves() bool { return !e.out && !e.held && !e.resets }

// status is the connector's state as StatusNotification has it.
func (e *evse) status() v201.ConnectorStatusEnum {
	switch {
	case e.faulted != "":
		return v201.ConnectorStatusFaulted
	case !e.serves():
		return v201.ConnectorStatusUnavailable
	case e.kept && !e.auth && e.tx == nil: // with a vehicle, too, until the token is shown: G03.FR.09
		return v201.ConnectorStatusReserved
	case e.plugged || e.cable || e.tx != nil:
		return v201.ConnectorStatusOccupied
	}
	return v201.ConnectorStatusAvailable
}

// statusChanged reports the connector's state if it is new.
func (s *Station) statusChanged(e *evse) {
	s.rebook()
	if s.Accepted() && e.status() != e.reported {
		s.sendStatus(e)
	}
	s.statusesChanged() // another one may be kept for a reservation now, or be free again
}

func (s *Station) statusesChanged() {
	s.rebook()
	for _, e := range s.evses {
		if s.Accepted() && e.status() != e.reported {
			s.sendStatus(e)
		}
	}
}

// rebook works out which EVSEs are kept for reservations.
func (s *Station) rebook() {
	for _, e := range s.evses {
		e.kept = len(s.reserved(e)) > 0
	}
}

func (s *Station) sendStatus(e *evse) {
	s.rebook()
	now := e.status()
	e.reported = now
	s.callAsked(&v201.StatusNotificationRequest{Timestamp: s.now, ConnectorStatus: now, EvseId: e.n, ConnectorId: 1}, func(_ rpc.Message, why string) {
		if (unheard(why) || why == rpc.TimedOut.String()) && e.reported == now { // it is told again on the next connection, B04.FR.02
			e.reported = ""
		}
	})
}

func (s *Station) plugged(e *evse) {
	if e.plugged {
		return
	}
	e.plugged, e.departed, e.plugBy = true, false, time.Time{}
	e.cable = e.cable || e.cfg.Socket
	if e.tx != nil && e.tx.restored {
		e.tx.restored = false
		if e.auth {
			s.lock(e, true)
		}
		s.emit(Permit{EVSE: e.n, Allowed: e.auth, Token: deref(e.token)})
		s.statusChanged(e)
		return
	}
	s.statusChanged(e)
	s.evaluate(e, v201.TriggerReasonCablePluggedIn)
}

func (s *Station) unplugged(e *evse) {
	restored := e.tx != nil && e.tx.restored
	if !e.plugged && !restored {
		return
	}
	e.plugged, e.flow, e.departed, e.offerBy, e.negotiates = false, "", false, time.Time{}, false
	if e.pending != nil && e.pending.Type == v201.IdTokenEMAID { // a contract is its vehicle's
		e.pending = nil
	}
	if restored { // the vehicle left while the station was off
		e.tx.restored = false
		s.endTx(e, v201.TriggerReasonEVCommunicationLost, v201.ReasonPowerLoss)
	} else {
		if e.tx != nil && e.tx.Reason == "" {
			e.tx.Reason = v201.ReasonEVDisconnected
		}
		if s.model.flag("TxCtrlr", "StopTxOnEVSideDisconnect") {
			s.holdFor(e)
			e.auth = false // E09.FR.01
		} else if d := s.model.seconds("TxCtrlr", "EVConnectionTimeOut"); d > 0 && e.auth && !e.cable { // E10.FR.02; a cable of the driver's own stays locked, E10.FR.01
			e.plugBy = s.now.Add(d)
		}
		s.evaluate(e, v201.TriggerReasonEVCommunicationLost)
	}
	if e.tx == nil || !e.auth {
		s.deauthorise(e)
	}
	s.statusChanged(e)
	s.idle(e)
}

func (s *Station) flow(e *evse, f Flow) {
	if f.Phases > 0 {
		e.phases = f.Phases
	}
	if e.flow == f.State {
		return
	}
	e.flow = f.State
	if s.endsByFlow(e) {
		return
	}
	s.evaluate(e, v201.TriggerReasonChargingStateChanged)
}

func (s *Station) stoppedByEV(e *evse) {
	e.departed = true
	if e.tx == nil {
		s.deauthorise(e)
		return
	}
	told := e.tx.StopTold
	if !told {
		e.tx.Reason = v201.ReasonStoppedByEV
	}
	e.auth = false
	if !s.stops("Authorized", "PowerPathClosed", "EnergyTransfer") { // E15.FR.05
		if !told {
			s.update(e, v201.TriggerReasonStopAuthorized, nil)
		}
		s.deauthorise(e)
		return
	}
	s.endTx(e, v201.TriggerReasonStopAuthorized, v201.ReasonStoppedByEV) // E15.FR.04
	s.deauthorise(e)
}

func (s *Station) fault(e *evse, code string) {
	if e.faulted == code {
		return
	}
	e.faulted = code
	if code != "" && e.tx != nil {
		e.tx.Reason = v201.ReasonOther
		s.emit(Stop{e.n, code})
		s.endTx(e, v201.TriggerReasonAbnormalCondition, v201.ReasonOther)
		s.deauthorise(e)
	}
	if code != "" {
		s.unreserve()
	}
	s.statusChanged(e)
}

// idle runs what waited for the end of a transaction.
func (s *Station) idle(e *evse) {
	s.settle(e)
	s.resetIfIdle()
}

func deref(t *v201.IdToken) v201.IdToken {
	if t == nil {
		return v201.IdToken{}
	}
	return *t
}
