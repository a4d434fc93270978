package station

import (
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

func reset(s *Station, q *v201.ResetRequest) (rpc.Message, error) {
	status := func(st v201.ResetStatusEnum) (rpc.Message, error) { return &v201.ResetResponse{Status: st}, nil }
	if q.EvseId != nil && (s.evse(*q.EvseId) == nil || !s.model.flag("EVSE", "AllowReset")) { // B11.FR.10
		return status(v201.ResetStatusRejected)
	}
	if s.upd.Step == stepInstall || s.upd.Step == stepPlaced || s.upd.Step == stepReboot {
		return &v201.ResetResponse{Status: v201.ResetStatusRejected, StatusInfo: info("FwUpdateInProgress")}, nil
	}
	busy := false
	for _, e := range s.affected(q) {
		busy = busy || e.tx != nil
	}
	s.then(func() {
		s.endReset()
		s.resetting = q
		for _, e := range s.affected(q) {
			if e.tx != nil && q.Type == v201.ResetImmediate { // B12.FR.04, B12.FR.08
				s.emit(Stop{e.n, "reset"})
				s.endTx(e, v201.TriggerReasonResetCommand, v201.ReasonImmediateReset)
				s.deauthorise(e)
			}
			s.closeForReset(e)
		}
		s.resetIfIdle()
	})
	if busy && q.Type == v201.ResetOnIdle { // B12.FR.01, B12.FR.03
		return status(v201.ResetStatusScheduled)
	}
	return status(v201.ResetStatusAccepted)
}

func (s *Station) affected(q *v201.ResetRequest) []*evse {
	if q.EvseId != nil {
		return []*evse{s.evse(*q.EvseId)}
	}
	return s.evses
}

// closeForReset lets nothing begin any more at an EVSE that is to be reset (B12). Reservations stay (B11.FR.05).
func (s *Station) closeForReset(e *evse) {
	if e.tx == nil && !e.resets {
		e.resets = true
		s.deauthorise(e)
		s.statusChanged(e)
	}
}

func (s *Station) endReset() {
	s.resetting, s.resetBy = nil, time.Time{}
	for _, e := range s.evses {
		if e.resets {
			e.resets = false
			s.statusChanged(e)
		}
	}
}

// resetIfIdle has the reset follow when nothing charges any more.
func (s *Station) resetIfIdle() {
	if s.resetting == nil || !s.resetBy.IsZero() {
		return
	}
	for _, e := range s.affected(s.resetting) {
		if e.tx != nil {
			return
		}
		s.closeForReset(e)
	}
	s.resetBy = s.now.Add(max(s.model.seconds("OCPPCommCtrlr", "MessageTimeout"), time.Second))
}

// resetDue carries the reset out once everything is stored and the CSMS has what waits for it, or has had its time: the rest is sent
// after it (B12.FR.04, B12.FR.05).
func (s *Station) resetDue() {
	if s.resetBy.IsZero() || s.now.Before(s.resetBy) && (len(s.saves.open) > 0 || s.saves.dirty() || s.Accepted() && s.queue.Len() > 0) {
		return
	}
	n := 0
	if s.resetting.EvseId != nil {
		n = *s.resetting.EvseId
	}
	s.emit(Reboot{n})
	if s.resetBy = (time.Time{}); n == 0 {
		s.resetting = nil // the EVSEs stay closed until the machine that follows
		return
	}
	s.endReset()
	for _, e := range s.evses {
		s.evaluate(e, v201.TriggerReasonCablePluggedIn)
	}
}
