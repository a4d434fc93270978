package localctl

import (
	"encoding/json"
	"strings"

	"github.com/voltyard/voltyard/protocols/ocpp/profile"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v16"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// observe reads a call of the station to learn what it does. What does not fit the schema is passed on all the same and
// only not understood.
func (r *Relay) observe(f rpc.Frame) {
	if f.Action != "BootNotification" && !r.ready && r.station.up {
		r.accepted() // it reconnected without booting again, which it may only once accepted
	}
	if r.cfg.Version == rpc.V16 {
		r.observe16(f)
		return
	}
	if r.cfg.Version == rpc.V21 {
		r.observe21(f)
		return
	}
	switch f.Action {
	case v201.ActionStatusNotification:
		var q v201.StatusNotificationRequest
		if r.understand(f, &q) {
			r.heardTime(q.Timestamp, true)
			r.seen.status(r, q.EvseId, q.ConnectorId, string(q.ConnectorStatus))
		}
	case v201.ActionTransactionEvent:
		var q v201.TransactionEventRequest
		if r.understand(f, &q) {
			r.seen.event(r, &q)
		}
	case v201.ActionMeterValues:
		var q v201.MeterValuesRequest
		if r.understand(f, &q) {
			r.seen.values(r, q.EvseId, q.MeterValue)
		}
	}
}

func (r *Relay) understand(f rpc.Frame, m rpc.Message) bool {
	if err := m.UnmarshalJSON(f.Payload); err != nil {
		r.note(true, "%s of the station is passed on, but not understood: %v", f.Action, err)
		return false
	}
	return true
}

// observeResponse reads the CSMS's answer to a call of the station, after it was passed on.
func (r *Relay) observeResponse(c *call, f rpc.Frame) {
	if f.Type != rpc.CallResult {
		return
	}
	switch c.action {
	case "Heartbeat":
		r.tellsTime(f.Payload)
	case "BootNotification":
		r.tellsTime(f.Payload)
		var res struct{ Status string }
		if json.Unmarshal(f.Payload, &res) == nil && res.Status == "Accepted" {
			r.accepted()
		}
	case v16.ActionStartTransaction:
		r.startAnswered16(c, f)
	case v201.ActionAuthorize:
		var q v201.AuthorizeRequest
		var res v201.AuthorizeResponse
		if r.cfg.Version != rpc.V16 && q.UnmarshalJSON(c.payload) == nil && res.UnmarshalJSON(f.Payload) == nil {
			r.learn(q.IdToken, res.IdTokenInfo)
		}
	case v201.ActionTransactionEvent:
		var q v201.TransactionEventRequest
		var res v201.TransactionEventResponse
		if res.UnmarshalJSON(f.Payload) == nil && res.IdTokenInfo != nil && q.UnmarshalJSON(c.payload) == nil && q.IdToken != nil { // mostly {}
			r.learn(*q.IdToken, *res.IdTokenInfo)
		}
	}
}

// observeAnswer reads the station's answer to a call of the CSMS and returns what is passed on in its place, nil for nothing
// yet.
func (r *Relay) observeAnswer(c *call, f rpc.Frame, raw []byte) []byte {
	if f.Type != rpc.CallResult {
		return raw
	}
	switch c.action {
	case "SetChargingProfile":
		if accepted(f.Payload) {
			r.theirProfile(c)
		}
	case "ClearChargingProfile":
		if accepted(f.Payload) {
			r.theirClear(c)
		}
	case v201.ActionRequestStartTransaction, v16.ActionRemoteStartTransaction:
		if accepted(f.Payload) {
			r.startReplaces(c)
		}
	case v201.ActionGetChargingProfiles:
		if r.profilesAsked(c, f, raw) {
			return nil
		}
	case v201.ActionGetTransactionStatus: // E14: the controller's queue counts, too
		var q v201.GetTransactionStatusRequest
		var res v201.GetTransactionStatusResponse
		if q.UnmarshalJSON(c.payload) == nil && res.UnmarshalJSON(f.Payload) == nil && !res.MessagesInQueue && r.queue.Has(q.TransactionId) {
			res.MessagesInQueue = true
			return rpc.AppendResult(nil, f.ID, res.AppendJSON(nil))
		}
	}
	return raw
}

func accepted(payload []byte) bool {
	var res struct{ Status string }
	return json.Unmarshal(payload, &res) == nil && res.Status == "Accepted"
}

// decodeProfile reads a SetChargingProfile.
func (r *Relay) decodeProfile(payload []byte) (p profile.Profile, ok bool) {
	if r.cfg.Version == rpc.V16 {
		var q v16.SetChargingProfileRequest
		if q.UnmarshalJSON(payload) != nil {
			return p, false
		}
		p = profile.From16(q.ConnectorId, &q.CsChargingProfiles)
		if p.Purpose == profile.Tx {
			p.TxID = r.seen.evse(q.ConnectorId).tx
		}
		return p, true
	}
	var q v201.SetChargingProfileRequest
	if q.UnmarshalJSON(payload) != nil {
		return p, false
	}
	return profile.From201(q.EvseId, &q.ChargingProfile), true
}

// theirProfile remembers a limit of the CSMS that the station took, and folds it into ours where they have the same purpose.
func (r *Relay) theirProfile(c *call) {
	p, ok := r.decodeProfile(c.payload)
	if !ok {
		return
	}
	if (p.Purpose == profile.StationMax) == r.cfg.PerTx { // it holds beside ours; but an earlier one with its id is gone
		for _, id := range r.theirs.Clear(profile.Filter{IDs: []int{p.ID}}) {
			r.forget(id)
			r.reinstall()
		}
		return
	}
	if !r.keepTheirs(p, c.payload) {
		r.note(true, "the station took profile %d of the CSMS, which is not understood here", p.ID)
	}
	r.reinstall()
}

// rules are those by which limits of the CSMS are kept.
func (r *Relay) rules() profile.Rules {
	return profile.Rules{EVSEs: maxEVSEs, MaxStack: 1 << 30, PhaseSwitch: true, Replace16: r.cfg.Version == rpc.V16, MaxProfiles: 64}
}

func (r *Relay) keepTheirs(p profile.Profile, payload []byte) bool {
	gone, reason := r.theirs.Set(p, r.rules(), func(n int) string { return r.seen.evse(n).tx })
	if reason != profile.None {
		return false
	}
	if r.cfg.Version == rpc.V16 {
		q := v201.SetChargingProfileRequest{EvseId: p.EVSE, ChargingProfile: profile.To201(&p)}
		payload = q.AppendJSON(nil)
	} else {
		r.wrote(p.ID, payload)
	}
	r.saves.put(keyTheirs+itoa(p.ID), append([]byte(nil), payload...))
	for _, id := range gone {
		r.forget(id)
	}
	return true
}

// wrote remembers a profile of the CSMS as it was written; the station does not have those that are kept here.
func (r *Relay) wrote(id int, payload []byte) {
	if !r.cfg.PerTx {
		return
	}
	members(payload, func(key string, from, to int) bool {
		if key == "chargingProfile" {
			r.written[id] = append([]byte(nil), payload[from:to]...)
		}
		return true
	})
}

// forget drops what is stored of a profile of the CSMS.
func (r *Relay) forget(id int) {
	delete(r.written, id)
	r.saves.put(keyTheirs+itoa(id), nil)
}

// theirClear forgets what the CSMS cleared.
func (r *Relay) theirClear(c *call) {
	f, ok := r.criteria(c.payload)
	if !ok {
		return
	}
	gone := r.theirs.Clear(f)
	for _, id := range gone {
		r.forget(id)
	}
	if gone != nil {
		r.reinstall()
	}
}

func (r *Relay) observe16(f rpc.Frame) {
	switch f.Action {
	case v16.ActionStatusNotification:
		var q v16.StatusNotificationRequest
		if !r.understand(f, &q) {
			return
		}
		r.heardTime(q.Timestamp, true)
		status := string(q.Status)
		switch q.Status {
		case v16.StatusNotificationStatusPreparing, v16.StatusNotificationStatusCharging, v16.StatusNotificationStatusSuspendedEV,
			v16.StatusNotificationStatusSuspendedEVSE, v16.StatusNotificationStatusFinishing:
			status = "Occupied"
		}
		r.seen.status(r, q.ConnectorId, 1, status)
		r.seen.wants16(r, q.ConnectorId, string(q.Status))
	case v16.ActionMeterValues:
		var q v16.MeterValuesRequest
		if r.understand(f, &q) {
			if q.TransactionId != nil {
				r.started16(q.ConnectorId, *q.TransactionId, "")
			}
			r.seen.values16(r, q.ConnectorId, q.MeterValue)
		}
	case v16.ActionStartTransaction:
		var q v16.StartTransactionRequest
		if r.understand(f, &q) {
			r.heardTime(q.Timestamp, false)
		}
	case v16.ActionStopTransaction:
		var q v16.StopTransactionRequest
		if r.understand(f, &q) {
			r.heardTime(q.Timestamp, false)
			r.seen.stop16(r, q.TransactionId)
		}
	}
}

func isPhase(p string) int {
	switch {
	case strings.HasPrefix(p, "L1"):
		return 0
	case strings.HasPrefix(p, "L2"):
		return 1
	case strings.HasPrefix(p, "L3"):
		return 2
	}
	return -1
}
