package localctl

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/profile"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/txqueue"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

const (
	keyQueue  = "queue/"
	keyTheirs = "csms-profile/"
	keyBoot   = "boot"    // BootNotification that the CSMS has not seen
	keyStatus = "status/" // likewise StatusNotification, by EVSE and connector
	keyToken  = "token/"  // what the CSMS said of a token
)

func statusKey(k [2]int) string { return fmt.Sprintf("%s%d/%d", keyStatus, k[0], k[1]) }

func queueKey(seq uint64) string { return fmt.Sprintf("%s%016x", keyQueue, seq) }

type batch struct {
	ops  []Op
	seqs []uint64
	then []func()
}

// saver collects the writes of one Step and remembers the ones under way.
type saver struct {
	batch
	last  uint64
	open  map[uint64]batch
	newer map[string]uint64 // the last Save of a key, while any is under way
	retry time.Time
	again []uint64
}

// put writes a key, or deletes it when the value is nil.
func (s *saver) put(key string, value []byte) { s.ops = append(s.ops, Op{key, value}) }

func (r *Relay) flush() {
	v := &r.saves
	if len(v.ops) == 0 {
		return
	}
	v.last++
	v.open[v.last] = v.batch
	if v.newer == nil {
		v.newer = map[string]uint64{}
	}
	for _, op := range v.ops {
		v.newer[op.Key] = v.last
	}
	r.emit(Save{Ops: v.ops, Token: v.last})
	v.batch = batch{}
}

// stored ends a Save. What could not be stored is tried again: a limit is not sent and a message not acknowledged before
// it is on disk.
func (r *Relay) stored(ev Stored) {
	b, ok := r.saves.open[ev.Token]
	if !ok {
		return
	}
	if ev.Err != nil {
		r.note(true, "cannot store: %v", ev.Err)
		r.saves.again = append(r.saves.again, ev.Token)
		r.saves.retry = r.now.Add(5 * time.Second)
		return
	}
	delete(r.saves.open, ev.Token)
	if len(r.saves.open) == 0 {
		clear(r.saves.newer)
	}
	for _, seq := range b.seqs {
		r.queueStep(txqueue.Stored{Seq: seq})
	}
	for _, f := range b.then {
		f()
	}
}

func (r *Relay) savesDue() {
	if r.saves.retry.IsZero() || r.now.Before(r.saves.retry) {
		return
	}
	r.saves.retry = time.Time{}
	for _, token := range r.saves.again {
		if b, ok := r.saves.open[token]; ok {
			ops := slices.DeleteFunc(slices.Clone(b.ops), func(op Op) bool { return r.saves.newer[op.Key] > token }) // or it would undo that one
			r.emit(Save{Ops: ops, Token: token})
		}
	}
	r.saves.again = nil
}

func (r *Relay) restore(saved map[string][]byte) error {
	var items []txqueue.Item
	for key, value := range saved {
		var err error
		if s, ok := strings.CutPrefix(key, keyQueue); ok {
			var seq uint64
			if seq, err = strconv.ParseUint(s, 16, 64); err == nil {
				var it txqueue.Item
				it, err = txqueue.Unmarshal(seq, value)
				items = append(items, it)
			}
		} else if strings.HasPrefix(key, keyTheirs) {
			var q v201.SetChargingProfileRequest
			if err = q.UnmarshalJSON(value); err == nil {
				p := profile.From201(q.EvseId, &q.ChargingProfile)
				r.theirs.Restore(p)
				if r.cfg.Version != rpc.V16 {
					r.wrote(p.ID, value)
				}
			}
		} else if k, ok := strings.CutPrefix(key, keyTx); ok {
			err = r.restoreTx(k, value)
		} else if k, ok := strings.CutPrefix(key, keyStart); ok {
			err = r.restoreStart(k, value)
		} else if k, ok := strings.CutPrefix(key, keyShare); ok {
			err = r.restoreShare(k, value)
		} else if key == keyValidTo {
			err = r.restoreValidTo(value)
		} else if key == keyLast {
			err = r.restoreLast(value)
		} else if key == keyBoot {
			r.local.boot = value
		} else if _, ok := strings.CutPrefix(key, keyStatus); ok {
			var q v201.StatusNotificationRequest
			if err = q.UnmarshalJSON(value); err == nil {
				r.local.status[[2]int{q.EvseId, q.ConnectorId}] = string(value)
			}
		} else if k, ok := strings.CutPrefix(key, keyToken); ok {
			var i v201.IdTokenInfo
			if err = json.Unmarshal(value, &i); err == nil {
				r.local.cache[k] = i
			}
		}
		if err != nil {
			return fmt.Errorf("stored record %q: %w", key, err)
		}
	}
	r.queue = txqueue.New(txqueue.Config{MaxBytes: r.cfg.QueueBytes}, items)
	return nil
}
