package station

import (
	"slices"
	"strings"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/ocpp/profile"
	"github.com/voltyard/voltyard/protocols/ocpp/txqueue"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// transaction is the durable state of a transaction.
type transaction struct {
	ID         string
	Began      time.Time
	PowerAt    time.Time // when energy could flow first: the reference of Relative profiles
	Seq        int       // of the next event
	State      v201.ChargingStateEnum
	Reason     v201.ReasonEnum // why it will end
	Authorized bool
	Token      *v201.IdToken
	Group      string
	TokenSent  bool
	RemoteID   *int
	RemoteSent bool
	EVSESent   bool
	ResvID     int
	Phases     int
	First      si.WattHours // register at the begin
	Last       si.WattHours // register reported last
	HoldAt     si.WattHours // register at which energy ends because the token was refused, 0 for never
	Offset     si.WattHours // added to the meter's register, so that a meter that begins anew does not run backwards

	KeySent   bool // the meter's public key
	Languages [2]string
	StopTold  bool `json:",omitempty"` // an event with the trigger StopAuthorized was sent for the authorisation

	restored bool // by a restart; the EVSE has not said yet whether the vehicle is still there
	sampleAt time.Time

	kept            []kept // for the end, the oldest first
	keptBytes       int
	keepAt, clockAt time.Time
}

// point tells whether one of the standard's start and stop points holds now (TxStartPoint, TxStopPoint).
func (e *evse) point(name string) bool {
	switch name {
	case "EVConnected":
		return e.plugged
	case "Authorized":
		return e.auth
	case "PowerPathClosed":
		return e.plugged && e.auth
	case "EnergyTransfer":
		return e.flow == v201.ChargingStateCharging
	}
	return false
}

func (s *Station) points(variable string) []string {
	return strings.FieldsFunc(s.model.value("TxCtrlr", variable), func(r rune) bool { return r == ',' || r == ' ' })
}

// stops reports whether one of the names is among the stop points.
func (s *Station) stops(names ...string) bool {
	return slices.ContainsFunc(s.points("TxStopPoint"), func(p string) bool { return slices.Contains(names, p) })
}

// evaluate starts, continues or ends the transaction after something changed.
func (s *Station) evaluate(e *evse, why v201.TriggerReasonEnum) {
	if e.tx == nil {
		if e.faulted != "" || !e.serves() || e.departed {
			return
		}
		if slices.ContainsFunc(s.points("TxStartPoint"), e.point) {
			s.startTx(e, why)
		}
		return
	}
	// A stop point ends the transaction when it held and does not any more.
	left, revoked := why == v201.TriggerReasonEVCommunicationLost, e.tx.Authorized && !e.auth
	for _, p := range s.points("TxStopPoint") {
		var ended bool
		switch p {
		case "EVConnected":
			ended = left
		case "PowerPathClosed":
			ended = left || revoked
		case "Authorized":
			ended = revoked
		case "EnergyTransfer": // neither leaves any to come (E05.FR.10)
			ended = left || revoked
		}
		if ended || left && !e.auth { // a vehicle that has left and nobody who may bring it back: no stop point could end it any more
			s.endTx(e, why, e.tx.Reason)
			return
		}
	}
	s.update(e, why, nil)
}

func (s *Station) startTx(e *evse, why v201.TriggerReasonEnum) {
	e.tx = &transaction{ID: s.cfg.NewID(), Began: s.now, Languages: e.languages}
	s.useStartProfile(e)
	s.emit(Started{e.n, e.tx.ID})
	if e.hasLast {
		e.tx.First = e.last.Energy
		e.tx.Last = e.last.Energy
	}
	if e.remote != nil { // F01.FR.19, F02.FR.21: whatever it begins with
		why = v201.TriggerReasonRemoteStart
	}
	s.started(e, why)
	e.tx.sampleAt = s.nextSample()
	s.armKept(e.tx)
	s.statusChanged(e)
}

// useStartProfile gives the transaction the profile of the remote start, when there is one (K05.FR.03, F01.FR.09).
func (s *Station) useStartProfile(e *evse) {
	if e.tx == nil || e.startProf == nil || e.remote == nil { // its driver is not authorised yet
		return
	}
	p := *e.startProf
	p.TxID, e.startProf = e.tx.ID, nil
	if reason := s.install(p); reason != profile.None {
		s.note(true, "the charging profile of the remote start at EVSE %d is not used: %s", e.n, reason)
	}
}

// started sends the Started event, and keeps what the meter says at the begin for the end.
func (s *Station) started(e *evse, why v201.TriggerReasonEnum) {
	t, begin := e.tx, v201.ReadingContextTransactionBegin
	var hold uint64
	var req *v201.TransactionEventRequest
	tell := func(p sample) []v201.MeterValue { return s.sampled(p, begin, "TxStartedMeasurands") }
	if s.signs(e, "SampledDataCtrlr", "TxStartedMeasurands") {
		s.tokens++
		hold = s.tokens
	}
	first := s.sample(e)
	req = s.event(e, v201.TransactionEventStarted, why, tell(first), hold)
	s.take(e, s.signs(e, "SampledDataCtrlr", "TxStartedMeasurands", "TxEndedMeasurands"), begin, func(p sample) {
		if e.tx != t { // signed after the end: it says nothing about the begin any more
			p = first
		}
		kept := s.sampled(p, begin, "TxEndedMeasurands")
		if hold != 0 {
			s.amend(hold, req, tell(p))
			kept = s.withoutKey(kept) // the event has it
		}
		s.keepValues(e, t, kept)
		if e.tx == t && t.KeySent {
			s.save(keyTx+itoa(e.n), t)
		}
	})
}

// update sends an Updated event.
func (s *Station) update(e *evse, why v201.TriggerReasonEnum, values []v201.MeterValue) {
	if e.tx == nil {
		return
	}
	if why == v201.TriggerReasonChargingStateChanged && s.chargingState(e) == e.tx.State {
		return
	}
	if why == v201.TriggerReasonAuthorized && e.remote != nil && !e.tx.RemoteSent {
		why = v201.TriggerReasonRemoteStart
	}
	s.event(e, v201.TransactionEventUpdated, why, values, 0)
}

func (s *Station) endTx(e *evse, why v201.TriggerReasonEnum, reason v201.ReasonEnum) {
	if e.tx == nil {
		return
	}
	if reason == "" {
		reason = v201.ReasonLocal
	}
	e.tx.Reason = reason
	if e.flow == v201.ChargingStateCharging {
		e.flow = v201.ChargingStateSuspendedEVSE
	}
	t, signed := e.tx, s.signs(e, "SampledDataCtrlr", "TxEndedMeasurands")
	var hold uint64
	if signed {
		s.tokens++
		hold = s.tokens
	}
	tell := func(p sample) []v201.MeterValue {
		return t.ended(s.sampled(p, v201.ReadingContextTransactionEnd, "TxEndedMeasurands"))
	}
	req := s.event(e, v201.TransactionEventEnded, why, tell(s.sample(e)), hold)
	if signed {
		s.take(e, true, v201.ReadingContextTransactionEnd, func(p sample) { s.amend(hold, req, tell(p)) })
	}
	s.forgetKept(e)
	s.emit(Ended{e.n, e.tx.ID, reason, e.tx.Last - e.tx.First})
	for _, id := range s.store.EndTransaction(e.n) { // K02.FR.05
		s.saves.put(keyProfile+itoa(id), nil)
	}
	s.saves.put(keyTx+itoa(e.n), nil)
	e.lastTx, e.tx, e.evPlan = e.tx.ID, nil, nil
	s.unpriced(e)
	s.statusChanged(e)
	s.idle(e)
}

// chargingState is what the transaction events say.
func (s *Station) chargingState(e *evse) v201.ChargingStateEnum {
	switch {
	case !e.plugged:
		return v201.ChargingStateIdle
	case e.flow == "" || !e.auth && e.flow != v201.ChargingStateCharging:
		return v201.ChargingStateEVConnected
	}
	return e.flow
}

// event makes a TransactionEvent durable and queues it; tx and queue are written together. With hold it is not sent before
// amend.
func (s *Station) event(e *evse, kind v201.TransactionEventEnum, why v201.TriggerReasonEnum, values []v201.MeterValue, hold uint64) *v201.TransactionEventRequest {
	t := e.tx
	req := &v201.TransactionEventRequest{EventType: kind, Timestamp: s.now, TriggerReason: why, SeqNo: t.Seq, MeterValue: values,
		TransactionInfo: v201.Transaction{TransactionId: t.ID, ChargingState: s.chargingState(e)}}
	if req.TransactionInfo.ChargingState == v201.ChargingStateCharging && t.PowerAt.IsZero() {
		t.PowerAt = s.now
	}
	t.State = req.TransactionInfo.ChargingState
	if e.plugged && !t.EVSESent || why == v201.TriggerReasonTrigger { // E01.FR.16
		req.Evse, t.EVSESent = &v201.EVSE{Id: e.n, ConnectorId: new(1)}, e.plugged || t.EVSESent
	} else if kind == v201.TransactionEventStarted {
		req.Evse = &v201.EVSE{Id: e.n}
	}
	if e.token != nil && (!t.TokenSent || why == v201.TriggerReasonStopAuthorized) { // E01.FR.10, E03.FR.01
		req.IdToken, t.TokenSent = e.token, true
		t.Token, t.Group = e.token, e.group
	}
	if why == v201.TriggerReasonStopAuthorized {
		t.StopTold = true
		if e.stopper != nil { // E07.FR.02
			req.IdToken = e.stopper
		}
	}
	e.stopper = nil
	if e.remote != nil && !t.RemoteSent { // F01.FR.25
		req.TransactionInfo.RemoteStartId = e.remote
		t.RemoteID, t.RemoteSent = e.remote, true
	}
	if e.resv != 0 && e.auth && t.ResvID == 0 { // E01.FR.13
		t.ResvID = e.resv
		req.ReservationId = new(e.resv)
		e.resv = 0
	}
	if e.phases > 0 && t.State == v201.ChargingStateCharging && e.phases != t.Phases { // E02.FR.18, E02.FR.19
		t.Phases = e.phases
		req.NumberOfPhasesUsed = new(e.phases)
	}
	item := txqueue.Update
	switch kind {
	case v201.TransactionEventStarted:
		item = txqueue.Start
	case v201.TransactionEventEnded:
		item = txqueue.End
		req.TransactionInfo.StoppedReason = t.Reason
	}
	if !t.PowerAt.IsZero() && kind == v201.TransactionEventEnded {
		req.TransactionInfo.TimeSpentCharging = new(int(s.now.Sub(t.PowerAt) / time.Second))
	}
	t.Seq++
	t.Authorized = e.auth
	s.save(keyTx+itoa(e.n), t)
	online := req.AppendJSON(nil)
	req.Offline = new(true) // E04.FR.03
	s.stepQueue(txqueue.Put{Kind: item, Action: req.ActionName(), Tx: t.ID, Payload: online, Offline: req.AppendJSON(nil), Token: hold, Hold: hold != 0})
	return req
}

// delivered reads the CSMS's answer to an event.
func (s *Station) delivered(d txqueue.Delivered) {
	if d.Item.Action != v201.ActionTransactionEvent {
		return
	}
	var res v201.TransactionEventResponse
	if res.UnmarshalJSON(d.Response) != nil {
		return
	}
	if s.priced(d.Item, &res); res.IdTokenInfo == nil {
		return
	}
	var req v201.TransactionEventRequest
	if req.UnmarshalJSON(d.Item.Payload) == nil && req.IdToken != nil {
		s.learn(*req.IdToken, *res.IdTokenInfo) // C10.FR.05
	}
	for _, e := range s.evses {
		if e.tx == nil || e.tx.ID != d.Item.Tx {
			continue
		}
		if req.IdToken != nil && e.token != nil && !e.same(*req.IdToken) { // about another token than the one that charges
			continue
		}
		s.speak(e, *res.IdTokenInfo)
		if g := groupOf(*res.IdTokenInfo); g != "" && g != e.group {
			e.group, e.tx.Group = g, g
			s.save(keyTx+itoa(e.n), e.tx)
		}
		if res.IdTokenInfo.Status != v201.AuthorizationStatusAccepted && e.auth { // E05, C15.FR.03
			s.note(false, "transaction %s: the CSMS says %s to the token", e.tx.ID, res.IdTokenInfo.Status)
			if !s.model.flag("TxCtrlr", "StopTxOnInvalidId") {
				s.refused(e)
				continue
			}
			e.tx.Reason = v201.ReasonDeAuthorized
			s.revoke(e, v201.TriggerReasonDeauthorized, "the token was refused")
		}
	}
}

// revoke takes the authorisation away while a transaction runs.
func (s *Station) revoke(e *evse, why v201.TriggerReasonEnum, text string) {
	s.emit(Stop{e.n, text})
	e.auth = false
	s.evaluate(e, why)
	s.deauthorise(e)
}
