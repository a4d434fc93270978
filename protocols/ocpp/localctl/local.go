package localctl

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/txqueue"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// local is what the controller remembers to answer for the CSMS.
type local struct {
	boot    []byte            // BootNotification that the CSMS has not seen
	status  map[[2]int]string // StatusNotification by EVSE and connector, not seen by the CSMS
	cache   map[string]v201.IdTokenInfo
	waiting map[uint64]func() // by token of txqueue.Put
	token   uint64
	last    lastEvent // of the station, as long as it may come again
}

const maxCache = 2000

// absorbs tells whether a call of the station is answered here: while the CSMS is gone, and for transaction events until
// the ones before them are delivered, so that the order stays.
func (r *Relay) absorbs(f rpc.Frame) bool {
	if !r.cfg.Stay {
		return false
	}
	return !r.csms.up || r.replay && (f.Action == v201.ActionTransactionEvent || f.Action == v201.ActionSecurityEventNotification)
}

// answerLocally answers a call of the station in the CSMS's place.
// sent says that the call went to the CSMS before, which may have it.
func (r *Relay) answerLocally(f rpc.Frame, sent bool) {
	if !strings.HasSuffix(f.Action, "-Signed") {
		if info, known := v201.Actions[f.Action]; !known || info.Direction&rpc.FromStation == 0 {
			r.refuse(f.ID, rpc.NotImplemented, "unknown action")
			return
		} else if err := info.Request().UnmarshalJSON(f.Payload); err != nil && f.Action != v201.ActionTransactionEvent {
			var e *rpc.Error
			if !errors.As(err, &e) {
				r.refuse(f.ID, rpc.InternalError, err.Error())
				return
			}
			r.refuse(f.ID, e.Code, e.Text())
			return
		}
	}
	if r.full(f) {
		return
	}
	switch f.Action {
	case v201.ActionBootNotification:
		r.local.boot = append([]byte(nil), f.Payload...)
		r.saves.put(keyBoot, r.local.boot)
		r.reply(f.ID, &v201.BootNotificationResponse{CurrentTime: r.now, Interval: 300, Status: v201.RegistrationStatusAccepted})
		r.tells(r.now.Round(0))
		r.accepted()
	case v201.ActionHeartbeat:
		r.tells(r.now.Round(0))
		r.reply(f.ID, &v201.HeartbeatResponse{CurrentTime: r.now})
	case v201.ActionAuthorize:
		var q v201.AuthorizeRequest
		_ = q.UnmarshalJSON(f.Payload) // was checked above
		r.reply(f.ID, &v201.AuthorizeResponse{IdTokenInfo: r.known(q.IdToken)})
	case v201.ActionStatusNotification:
		var q v201.StatusNotificationRequest
		_ = q.UnmarshalJSON(f.Payload)
		r.missedStatus([2]int{q.EvseId, q.ConnectorId}, f.Payload)
		r.reply(f.ID, &v201.StatusNotificationResponse{})
	case v201.ActionTransactionEvent, v201.ActionTransactionEvent + "-Signed":
		r.keepEvent(f, sent)
	case v201.ActionSecurityEventNotification: // A04.FR.02
		r.keep(txqueue.Put{Kind: txqueue.Other, Action: f.Action, Payload: f.Payload}, func() { r.reply(f.ID, &v201.SecurityEventNotificationResponse{}) })
	case v201.ActionDataTransfer, v201.ActionGet15118EVCertificate, v201.ActionGetCertificateStatus, v201.ActionSignCertificate,
		v201.ActionNotifyEVChargingNeeds, v201.ActionNotifyEVChargingSchedule:
		r.refuse(f.ID, rpc.InternalError, "the CSMS cannot be reached now")
	default: // reports and notifications, which the standard does not queue (QueueAllMessages is false)
		r.emit(ToStation{rpc.AppendResult(nil, f.ID, []byte("{}"))})
	}
}

// full refuses what would have to be stored beyond the hard bound: dropping the begin or end of a transaction would be worse,
// and the station repeats what was refused.
func (r *Relay) full(f rpc.Frame) bool {
	switch f.Action {
	case v201.ActionTransactionEvent, v201.ActionTransactionEvent + "-Signed", v201.ActionSecurityEventNotification:
	default:
		return false
	}
	if r.queue.Bytes()+len(f.Payload) <= 2*r.cfg.QueueBytes {
		return false
	}
	r.note(true, "%s is not taken: %d bytes wait for the CSMS already; bring the CSMS back, or raise stations.bounds.queue_bytes", f.Action, r.queue.Bytes())
	r.local.last = lastEvent{}
	r.refuse(f.ID, rpc.InternalError, "the local controller can store no more until the CSMS is back")
	return true
}

func (r *Relay) reply(id string, m rpc.Message) {
	r.emit(ToStation{rpc.AppendResult(nil, id, m.AppendJSON(nil))})
}

func (r *Relay) refuse(id string, code rpc.Code, what string) {
	r.emit(ToStation{rpc.AppendError(nil, r.cfg.Version, id, code, what)})
}

// keepEvent queues a transaction event and answers it when it is durable.
func (r *Relay) keepEvent(f rpc.Frame, sent bool) {
	put := txqueue.Put{Kind: txqueue.Update, Action: f.Action, Payload: f.Payload}
	res := &v201.TransactionEventResponse{}
	var q v201.TransactionEventRequest
	if err := q.UnmarshalJSON(f.Payload); err != nil {
		put.Kind = txqueue.Other // the CSMS will say what it thinks of it
	} else {
		put.Tx = q.TransactionInfo.TransactionId
		switch q.EventType {
		case v201.TransactionEventStarted:
			put.Kind = txqueue.Start
		case v201.TransactionEventEnded:
			put.Kind = txqueue.End
		}
		if !strings.HasSuffix(f.Action, "-Signed") && !r.csms.up && !sent && q.Offline == nil {
			q.Offline = new(true) // E11.FR.07: the station does not know that it is offline
			put.Payload = q.AppendJSON(nil)
		}
		res = r.eventAnswer(&q)
	}
	r.local.last.payload = put.Payload
	r.local.last.token = r.keep(put, func() { r.reply(f.ID, res) })
	r.saveLast()
}

// eventAnswer answers a transaction event in the CSMS's place.
func (r *Relay) eventAnswer(q *v201.TransactionEventRequest) *v201.TransactionEventResponse {
	res := &v201.TransactionEventResponse{}
	if q.IdToken != nil && q.IdToken.Type != v201.IdTokenNoAuthorization {
		i := r.known(*q.IdToken)
		if i.Status == v201.AuthorizationStatusUnknown { // the station let it charge; the CSMS decides later
			i.Status = v201.AuthorizationStatusAccepted
		}
		res.IdTokenInfo = &i
	}
	return res
}

func (r *Relay) keep(put txqueue.Put, then func()) uint64 {
	r.local.token++
	put.Token = r.local.token
	if r.local.waiting == nil {
		r.local.waiting = map[uint64]func(){}
	}
	r.local.waiting[put.Token] = then
	r.replay = r.csms.up
	r.queueStep(put)
	return put.Token
}

func tokenKey(t v201.IdToken) string { return string(t.Type) + "/" + strings.ToLower(t.IdToken) }

// known is what the CSMS said last about a token (C10, C12).
func (r *Relay) known(t v201.IdToken) v201.IdTokenInfo {
	if i, ok := r.local.cache[tokenKey(t)]; ok && (i.CacheExpiryDateTime.IsZero() || r.now.Before(i.CacheExpiryDateTime)) {
		return i
	}
	return v201.IdTokenInfo{Status: v201.AuthorizationStatusUnknown}
}

func (r *Relay) learn(t v201.IdToken, i v201.IdTokenInfo) {
	key := tokenKey(t)
	old, again := r.local.cache[key]
	if !again && len(r.local.cache) >= maxCache {
		for _, k := range slices.Sorted(maps.Keys(r.local.cache))[:maxCache/10] {
			delete(r.local.cache, k)
			if r.cfg.Stay {
				r.saves.put(keyToken+k, nil)
			}
		}
	}
	i.PersonalMessage = nil // C10.FR.09
	i.ChargingPriority = nil
	r.local.cache[key] = i
	if b := i.AppendJSON(nil); r.cfg.Stay && !(again && bytes.Equal(b, old.AppendJSON(nil))) {
		r.saves.put(keyToken+key, b)
	}
}

// resume delivers what was missed: the boot first, then the queue in order, then the state of the connectors.
func (r *Relay) resume() {
	r.replay = r.queue.Len() > 0 // also while the boot is not accepted: what comes now is newer
	if r.local.boot == nil {
		r.resumeQueue()
		return
	}
	boot := r.local.boot
	r.ask(&r.csms, "boot", true, v201.ActionBootNotification, boot, func(a answer) {
		var res v201.BootNotificationResponse
		if a.what == gone {
			return
		}
		if !a.ok() || res.UnmarshalJSON(a.payload) != nil || res.Status != v201.RegistrationStatusAccepted {
			r.note(true, "the CSMS does not accept the station's boot; the connection is tried again")
			r.emit(CloseCSMS{"boot not accepted"})
			return
		}
		r.local.boot = nil
		r.saves.put(keyBoot, nil)
		r.resumeQueue()
	})
}

func (r *Relay) resumeQueue() {
	r.replay = r.queue.Len() > 0
	r.queueStep(txqueue.Online{})
	for _, k := range slices.SortedFunc(maps.Keys(r.local.status), func(a, b [2]int) int { return slices.Compare(a[:], b[:]) }) {
		payload := r.local.status[k]
		r.ask(&r.csms, "", false, v201.ActionStatusNotification, []byte(payload), func(a answer) {
			if (a.ok() || a.code != "") && r.local.status[k] == payload {
				delete(r.local.status, k)
				r.saves.put(statusKey(k), nil)
			}
		})
	}
}

// missedStatus remembers the last state of a connector.
func (r *Relay) missedStatus(k [2]int, payload []byte) {
	if _, known := r.local.status[k]; !known && len(r.local.status) >= 1000 {
		return
	}
	r.local.status[k] = string(payload)
	r.saves.put(statusKey(k), append([]byte(nil), payload...))
}

func (r *Relay) queueStep(ev txqueue.Event) {
	for _, e := range r.queue.Step(r.now, ev, nil) {
		switch e := e.(type) {
		case txqueue.Store:
			r.saves.ops = append(r.saves.ops, Op{queueKey(e.Item.Seq), e.Item.Marshal()})
			r.saves.seqs = append(r.saves.seqs, e.Item.Seq)
		case txqueue.Remove:
			r.saves.ops = append(r.saves.ops, Op{queueKey(e.Seq), nil})
		case txqueue.Durable:
			if f := r.local.waiting[e.Token]; f != nil {
				delete(r.local.waiting, e.Token)
				f()
			}
		case txqueue.Send:
			r.deliver(e.Item)
		case txqueue.Delivered:
			r.delivered(e)
		case txqueue.Dropped:
			r.note(true, "%s of transaction %s was dropped: %s", e.Item.Action, e.Item.Tx, e.Why)
		case txqueue.Deadline:
			r.queueDue = e.At
		}
	}
	if r.queue.Len() == 0 {
		r.replay = false
	}
}

func (r *Relay) deliver(it txqueue.Item) {
	r.ask(&r.csms, "", false, it.Action, it.Payload, func(a answer) {
		switch {
		case a.ok():
			r.queueStep(txqueue.Accepted{Seq: it.Seq, Payload: a.payload})
		case a.code != "":
			r.queueStep(txqueue.Refused{Seq: it.Seq, Code: string(a.code)})
		}
	})
}

// delivered reads the CSMS's answer to an event that it got late: a token it refuses must stop now (C15.FR.03 to FR.07),
// and the station does not see that answer any more.
func (r *Relay) delivered(d txqueue.Delivered) {
	var res v201.TransactionEventResponse
	if d.Item.Action != v201.ActionTransactionEvent || res.UnmarshalJSON(d.Response) != nil || res.IdTokenInfo == nil {
		return
	}
	var q v201.TransactionEventRequest
	if q.UnmarshalJSON(d.Item.Payload) != nil {
		return
	}
	if q.IdToken != nil {
		r.learn(*q.IdToken, *res.IdTokenInfo)
	}
	if res.IdTokenInfo.Status == v201.AuthorizationStatusAccepted || !r.seen.running(d.Item.Tx) {
		return
	}
	r.note(false, "the CSMS refuses the token of transaction %s, which began while it was gone; it is stopped", d.Item.Tx)
	stop := v201.RequestStopTransactionRequest{TransactionId: d.Item.Tx}
	r.ask(&r.station, "stop/"+d.Item.Tx, true, stop.ActionName(), stop.AppendJSON(nil), nil)
}
