package station

import (
	"github.com/voltyard/voltyard/protocols/ocpp/profile"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

func info(code string) *v201.StatusInfo { return &v201.StatusInfo{ReasonCode: code} }

func requestStart(s *Station, q *v201.RequestStartTransactionRequest) (rpc.Message, error) {
	refuse := func(code string) (rpc.Message, error) {
		return &v201.RequestStartTransactionResponse{Status: v201.RequestStartStopStatusRejected, StatusInfo: info(code)}, nil
	}
	if s.boot.status != v201.RegistrationStatusAccepted { // B02.FR.05
		return refuse("CSNotAccepted")
	}
	e := s.startable(q)
	if e == nil {
		return refuse("UnknownEvse")
	}
	if q.GroupIdToken != nil && s.master(q.GroupIdToken.IdToken) { // C16.FR.03
		return refuse("InvalidIdToken")
	}
	e.startProf = nil                                                              // of a request whose token was refused
	if q.ChargingProfile != nil && s.model.flag("SmartChargingCtrlr", "Enabled") { // F01.FR.12
		p := profile.From201(e.n, q.ChargingProfile)
		if p.Purpose != profile.Tx || q.EvseId == nil { // K05.FR.02, F01.FR.11
			return refuse("InvalidProfile")
		}
		if p.TxID = "pending"; e.tx != nil { // the transaction's id is not known yet, F01.FR.09
			p.TxID = e.tx.ID
		}
		if reason := s.store.Check(p, s.rules(e.n), func(int) string { return p.TxID }); reason != profile.None {
			return refuse(string(reason)) // K05.FR.05
		}
		e.startProf = &p
	}
	group := ""
	if q.GroupIdToken != nil {
		group = q.GroupIdToken.IdToken
	}
	res := &v201.RequestStartTransactionResponse{Status: v201.RequestStartStopStatusAccepted}
	if e.tx != nil {
		res.TransactionId = e.tx.ID // F01.FR.13
	}
	id := q.RemoteStartId
	s.then(func() {
		if !s.model.flag("AuthCtrlr", "AuthorizeRemoteStart") { // F01.FR.02
			s.authorise(e, q.IdToken, group, &id)
			return
		}
		s.decide(q.IdToken, func(i v201.IdTokenInfo) { // F01.FR.01
			if s.starts(e, i) && !e.auth && e.serves() && e.faulted == "" && !e.another(q.IdToken) {
				if g := groupOf(i); g != "" {
					group = g
				}
				s.authorise(e, q.IdToken, group, &id)
				s.speak(e, i)
			}
		})
	})
	return res, nil
}

// startable finds the EVSE for a remote start: the one asked for, else one with a vehicle, else a free one.
func (s *Station) startable(q *v201.RequestStartTransactionRequest) *evse {
	group := ""
	if q.GroupIdToken != nil {
		group = q.GroupIdToken.IdToken
	}
	var free *evse
	for _, e := range s.evses {
		if q.EvseId != nil && *q.EvseId != e.n || e.auth || e.faulted != "" || !e.serves() || e.departed || e.another(q.IdToken) { // F01.FR.23, F01.FR.24
			continue
		}
		if s.barred(e, q.IdToken, group) { // F01.FR.21, F01.FR.22
			continue
		}
		if e.plugged || q.EvseId != nil {
			return e
		}
		if free == nil {
			free = e
		}
	}
	return free
}

func requestStop(s *Station, q *v201.RequestStopTransactionRequest) (rpc.Message, error) {
	if s.boot.status != v201.RegistrationStatusAccepted { // B02.FR.05
		return &v201.RequestStopTransactionResponse{Status: v201.RequestStartStopStatusRejected, StatusInfo: info("CSNotAccepted")}, nil
	}
	for _, e := range s.evses {
		if e.tx == nil || e.tx.ID != q.TransactionId {
			continue
		}
		s.then(func() {
			if e.tx != nil && e.tx.ID == q.TransactionId { // F03.FR.03
				e.tx.Reason = v201.ReasonRemote
				s.revoke(e, v201.TriggerReasonRemoteStop, "stopped by the operator")
			}
		})
		return &v201.RequestStopTransactionResponse{Status: v201.RequestStartStopStatusAccepted}, nil
	}
	return &v201.RequestStopTransactionResponse{Status: v201.RequestStartStopStatusRejected, StatusInfo: info("TxNotFound")}, nil // F03.FR.08
}

func getTransactionStatus(s *Station, q *v201.GetTransactionStatusRequest) (rpc.Message, error) {
	res := &v201.GetTransactionStatusResponse{MessagesInQueue: s.queue.Has(q.TransactionId)}
	if q.TransactionId != "" { // E14.FR.01 to FR.08
		ongoing := false
		for _, e := range s.evses {
			ongoing = ongoing || e.tx != nil && e.tx.ID == q.TransactionId
		}
		res.OngoingIndicator = &ongoing
	}
	return res, nil
}

func unlockConnector(s *Station, q *v201.UnlockConnectorRequest) (rpc.Message, error) {
	status := func(st v201.UnlockStatusEnum) (rpc.Message, error) {
		return &v201.UnlockConnectorResponse{Status: st}, nil
	}
	e := s.evse(q.EvseId)
	switch {
	case e == nil || q.ConnectorId != 1: // F05.FR.03
		return status(v201.UnlockStatusUnknownConnector)
	case e.tx != nil && e.auth: // F05.FR.02
		return status(v201.UnlockStatusOngoingAuthorizedTransaction)
	case e.unlockID != "":
		return status(v201.UnlockStatusUnlockFailed)
	}
	e.unlockID = s.incoming
	s.emit(Unlock{e.n})
	return nil, nil
}

func (s *Station) unlocked(e *evse, ok bool) {
	if e.unlockID == "" {
		return
	}
	st := v201.UnlockStatusUnlockFailed
	if ok {
		st = v201.UnlockStatusUnlocked
		e.locked = false
		s.release(e)
	}
	s.answer(e.unlockID, &v201.UnlockConnectorResponse{Status: st})
	e.unlockID = ""
	s.update(e, v201.TriggerReasonUnlockCommand, nil)
}

func triggerMessage(s *Station, q *v201.TriggerMessageRequest) (rpc.Message, error) {
	status := func(st v201.TriggerMessageStatusEnum) (rpc.Message, error) {
		return &v201.TriggerMessageResponse{Status: st}, nil
	}
	targets := s.evses
	if q.Evse != nil && q.Evse.Id > 0 {
		targets = nil // where it says nothing to the message, it does not matter (F06.FR.03)
		if e := s.evse(q.Evse.Id); e != nil {
			targets = []*evse{e}
		}
	}
	if use, ok := signingUse(q.RequestedMessage); ok && s.cfg.Certificates { // A02
		s.then(func() { s.makeKey(use) })
		return status(v201.TriggerMessageStatusAccepted)
	}
	switch q.RequestedMessage {
	case v201.MessageTriggerBootNotification:
		if s.boot.status == v201.RegistrationStatusAccepted { // F06.FR.17
			return status(v201.TriggerMessageStatusRejected)
		}
		s.then(func() { s.sendBoot(v201.BootReasonTriggered) })
	case v201.MessageTriggerHeartbeat:
		s.then(func() { s.callAsked(&v201.HeartbeatRequest{}, nil) })
	case v201.MessageTriggerStatusNotification:
		if q.Evse == nil || q.Evse.ConnectorId == nil || *q.Evse.ConnectorId != 1 || len(targets) != 1 { // F06.FR.12
			return status(v201.TriggerMessageStatusRejected)
		}
		s.then(func() { s.sendStatus(targets[0]) })
	case v201.MessageTriggerMeterValues:
		var send []*evse
		for _, e := range targets {
			if e.hasLast {
				send = append(send, e)
			}
		}
		if send == nil {
			return status(v201.TriggerMessageStatusRejected)
		}
		s.then(func() {
			for _, e := range send { // F06.FR.06
				s.take(e, s.signs(e, "AlignedDataCtrlr", "Measurands"), v201.ReadingContextTrigger, func(p sample) {
					if v := p.values(v201.ReadingContextTrigger, s.model.value("AlignedDataCtrlr", "Measurands")); v != nil {
						s.callAsked(&v201.MeterValuesRequest{EvseId: e.n, MeterValue: v}, nil)
					}
				})
			}
		})
	case v201.MessageTriggerTransactionEvent:
		var send []*evse
		for _, e := range targets {
			if e.tx != nil {
				send = append(send, e)
			}
		}
		if send == nil || !s.Accepted() { // F06.FR.07; until then it stays in the queue, which is no message sent (F06.FR.10)
			return status(v201.TriggerMessageStatusRejected)
		}
		s.then(func() {
			for _, e := range send {
				t := e.tx
				s.take(e, s.signs(e, "SampledDataCtrlr", "TxUpdatedMeasurands"), v201.ReadingContextTrigger, func(p sample) {
					if e.tx == t {
						s.update(e, v201.TriggerReasonTrigger, s.sampled(p, v201.ReadingContextTrigger, "TxUpdatedMeasurands"))
					}
				})
			}
		})
	case v201.MessageTriggerFirmwareStatusNotification:
		s.then(func() {
			s.callAsked(s.updateStatus(), nil)
		})
	case v201.MessageTriggerPublishFirmwareStatusNotification:
		if !s.cfg.Publishes {
			return status(v201.TriggerMessageStatusNotImplemented)
		}
		s.then(func() { s.callAsked(s.publishStatus(), nil) })
	case v201.MessageTriggerLogStatusNotification:
		s.then(func() { s.callAsked(s.logs.status(), nil) })
	default:
		return status(v201.TriggerMessageStatusNotImplemented) // F06.FR.08
	}
	return status(v201.TriggerMessageStatusAccepted)
}
