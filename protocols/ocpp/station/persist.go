package station

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/profile"
	"github.com/voltyard/voltyard/protocols/ocpp/txqueue"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// Keys of what is saved.
const (
	keyQueue   = "queue/"
	keyTx      = "tx/"
	keyProfile = "profile/"
	keyVar     = "var/"
	keyEVSE    = "evse/"
	keyList    = "list"
	keyCache   = "cache/"
	keyResv    = "reservation/"
)

func queueKey(seq uint64) string { return fmt.Sprintf("%s%016x", keyQueue, seq) }

// held is an answer that waits for the commit.
type held struct {
	id     string
	finish func()
}

type batch struct {
	ops     []Op
	seqs    []uint64
	answers []held
	fails   map[string]func() // by id: answers when it cannot be stored, in place of an error
}

// saver collects the writes of one Step and remembers the ones under way.
type saver struct {
	batch
	index map[string]int // of the key in ops
	last  uint64
	open  map[uint64]batch
	retry time.Time
	again []uint64

	failing bool // the last write did
}

func (v *saver) dirty() bool { return len(v.ops) > 0 }

// put adds a write; the last one of a key counts.
func (v *saver) put(key string, value []byte) {
	if i, ok := v.index[key]; ok {
		v.ops[i].Value = value
		return
	}
	if v.index == nil {
		v.index = map[string]int{}
	}
	v.index[key] = len(v.ops)
	v.ops = append(v.ops, Op{key, value})
}

func (s *Station) save(key string, value any) {
	b, err := json.Marshal(value)
	if err != nil {
		s.note(true, "cannot save %s: %v", key, err)
		return
	}
	s.saves.put(key, b)
}

// flush emits what was collected as one Save.
func (s *Station) flush() {
	v := &s.saves
	if !v.dirty() {
		return
	}
	for _, token := range v.again { // what is written anew must not come back by an older write that is tried again
		b := v.open[token]
		b.ops = without(b.ops, v.ops)
		v.open[token] = b
	}
	v.last++
	v.open[v.last] = v.batch
	s.emit(Save{Ops: v.ops, Token: v.last})
	v.batch, v.index = batch{}, nil
}

// stored ends a Save. When it failed (a full disk), charging goes on: requests that wait are refused, and what the
// queue holds is written again later.
func (s *Station) stored(ev Stored) {
	b, ok := s.saves.open[ev.Token]
	if !ok {
		return
	}
	if ev.Err != nil {
		s.note(true, "cannot store: %v", ev.Err)
		if !s.saves.failing {
			s.saves.failing = true
			s.securityEvent("MemoryExhaustion", "cannot store: "+ev.Err.Error())
		}
		for _, a := range b.answers {
			if f := b.fails[a.id]; f != nil {
				f()
				continue
			}
			s.reject(a.id, "InternalError", "cannot store: "+ev.Err.Error())
		}
		b.answers = nil
		for token, newer := range s.saves.open {
			if token > ev.Token {
				b.ops = without(b.ops, newer.ops)
			}
		}
		s.saves.open[ev.Token] = b
		s.saves.again = append(s.saves.again, ev.Token)
		s.saves.retry = s.now.Add(5 * time.Second)
		return
	}
	delete(s.saves.open, ev.Token)
	s.saves.failing = false
	for _, a := range b.answers {
		a.finish()
	}
	for _, seq := range b.seqs {
		s.stepQueue(txqueue.Stored{Seq: seq})
	}
}

// without leaves out the writes of keys that are written anew.
func without(ops, anew []Op) []Op {
	return slices.DeleteFunc(slices.Clone(ops), func(o Op) bool {
		return slices.ContainsFunc(anew, func(n Op) bool { return n.Key == o.Key })
	})
}

func (s *Station) savesDue() {
	if s.saves.retry.IsZero() || s.now.Before(s.saves.retry) {
		return
	}
	s.saves.retry = time.Time{}
	for _, token := range s.saves.again {
		if b, ok := s.saves.open[token]; ok {
			s.emit(Save{Ops: b.ops, Token: token})
		}
	}
	s.saves.again = nil
}

type savedProfile struct {
	EVSE    int
	Profile v201.ChargingProfile
}

type savedEVSE struct {
	Operative    bool
	ConnectorOff bool    `json:",omitempty"`
	Held         *holder `json:",omitempty"`
}

// restore puts back what was saved.
func (s *Station) restore(saved map[string][]byte) error {
	var items []txqueue.Item
	var mons []monitor
	var events []v201.EventData
	s.disp = display{byID: map[int]v201.MessageInfo{}, shown: map[int][]int{}}
	for key, value := range saved {
		var err error
		rest := func(prefix string) (string, bool) { return strings.CutPrefix(key, prefix) }
		if r, ok := rest(keyQueue); ok {
			seq, e := strconv.ParseUint(r, 16, 64)
			if err = e; err == nil {
				it, e := txqueue.Unmarshal(seq, value)
				err = e
				items = append(items, it)
			}
		} else if r, ok := rest(keyTx); ok {
			n, _ := strconv.Atoi(r)
			if e := s.evse(n); e != nil {
				e.tx = new(transaction)
				err = json.Unmarshal(value, e.tx)
				e.tx.restored = true
				e.languages = e.tx.Languages
				e.auth, e.token, e.group, e.remote = e.tx.Authorized, e.tx.Token, e.tx.Group, e.tx.RemoteID
			}
		} else if _, ok := rest(keyProfile); ok {
			var p savedProfile
			if err = json.Unmarshal(value, &p); err == nil {
				s.store.Restore(profile.From201(p.EVSE, &p.Profile))
			}
		} else if r, ok := rest(keyVar); ok {
			s.model.restore(r, string(value))
		} else if r, ok := rest(keyEVSE); ok {
			n, _ := strconv.Atoi(r)
			var v savedEVSE
			err = json.Unmarshal(value, &v)
			if e := s.evse(n); e != nil {
				e.off, e.connectorOff, e.keeps = !v.Operative, v.ConnectorOff, v.Held
			} else if n == 0 {
				s.off = !v.Operative
			}
		} else if _, ok := rest(keyMonitor); ok {
			var m monitor
			err = json.Unmarshal(value, &m)
			mons = append(mons, m)
		} else if _, ok := rest(keyEvent); ok {
			var d v201.EventData
			err = json.Unmarshal(value, &d)
			events = append(events, d)
		} else if _, ok := rest(keyMessage); ok {
			var m v201.MessageInfo
			err = json.Unmarshal(value, &m)
			s.disp.byID[m.Id] = m
		} else if key == keyBefore {
			s.pass = passwords{unproven: true, before: string(value)}
		} else if key == keyList {
			err = json.Unmarshal(value, &s.list)
		} else if r, ok := rest(keyCache); ok {
			var c cached
			err = json.Unmarshal(value, &c)
			s.cache[r] = c
		} else if r, ok := rest(keyResv); ok {
			var v reservation
			err = json.Unmarshal(value, &v)
			n, _ := strconv.Atoi(r)
			s.resv[n] = v
		}
		if err != nil {
			return fmt.Errorf("stored record %q: %w", key, err)
		}
	}
	for _, e := range s.evses {
		e.out = e.tx == nil && (s.off || e.off || e.connectorOff)
	}
	s.model.sockets(slices.ContainsFunc(s.cfg.EVSEs, hasSocket))
	s.restoreMonitors(mons, events)
	if err := s.restoreKept(saved); err != nil {
		return err
	}
	if err := s.restoreSecurity(saved, items); err != nil {
		return err
	}
	s.queue = txqueue.New(txqueue.Config{Attempts: s.model.number("OCPPCommCtrlr", "MessageAttempts"),
		Interval: s.model.seconds("OCPPCommCtrlr", "MessageAttemptInterval")}, items)
	return nil
}
