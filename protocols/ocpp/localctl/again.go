package localctl

import (
	"bytes"
	"encoding/json"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// lastEvent is the last transaction event of the station. A station that heard no answer sends it again, and the CSMS must get the same
// payload again, offline mark included; a station has one call under way at a time, so only its last one can come again.
type lastEvent struct {
	original []byte // as the station sends it
	payload  []byte // as it went, or will go, to the CSMS
	token    uint64 // of txqueue.Put; 0 when it was only relayed
}

const keyLast = "last-event"

// again tells whether a call repeats the station's last transaction event, and puts the payload in its place that the first
// one had; otherwise the call becomes the last one.
func (r *Relay) again(f *rpc.Frame) bool {
	if !r.cfg.Stay || f.Action != v201.ActionTransactionEvent {
		return false
	}
	l := &r.local.last
	if l.payload != nil && bytes.Equal(l.original, f.Payload) {
		f.Payload = l.payload
		return true
	}
	*l = lastEvent{original: f.Payload, payload: f.Payload}
	return false
}

// holds answers a repeat of an event that waits in the queue: at once when it is durable, else as soon as it is.
func (r *Relay) holds(f rpc.Frame) bool {
	l := &r.local.last
	if !r.queue.Holds(l.payload) {
		return false
	}
	res := &v201.TransactionEventResponse{}
	var q v201.TransactionEventRequest
	if q.UnmarshalJSON(f.Payload) == nil {
		res = r.eventAnswer(&q)
	}
	answer := func() { r.reply(f.ID, res) }
	if r.local.waiting[l.token] != nil {
		r.local.waiting[l.token] = answer
		return true
	}
	answer()
	return true
}

// lastRecord is how the last event that was kept is stored, together with its place in the queue.
type lastRecord struct{ Original, Payload []byte }

func (r *Relay) saveLast() {
	l := &r.local.last
	if b, err := json.Marshal(lastRecord{l.original, l.payload}); err == nil {
		r.saves.put(keyLast, b)
	}
}

func (r *Relay) restoreLast(b []byte) error {
	var l lastRecord
	if err := json.Unmarshal(b, &l); err != nil {
		return err
	}
	r.local.last = lastEvent{original: l.Original, payload: l.Payload}
	return nil
}
