package localctl

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/profile"
	"github.com/voltyard/voltyard/protocols/ocpp/txqueue"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

const (
	keyQueue  = "queue/"
	keyTheirs = "csms-profile/"
)

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
	retry time.Time
	again []uint64
}

func (r *Relay) flush() {
	v := &r.saves
	if len(v.ops) == 0 {
		return
	}
	v.last++
	v.open[v.last] = v.batch
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
			r.emit(Save{Ops: b.ops, Token: token})
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
			var p v201.ChargingProfile
			if err = json.Unmarshal(value, &p); err == nil {
				r.theirs.Restore(profile.From201(0, &p))
			}
		}
		if err != nil {
			return fmt.Errorf("stored record %q: %w", key, err)
		}
	}
	r.queue = txqueue.New(txqueue.Config{}, items)
	return nil
}
