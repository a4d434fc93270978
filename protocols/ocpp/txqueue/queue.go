package txqueue

import (
	"bytes"
	"slices"
	"time"
)

// Config sets a queue up.
type Config struct {
	Attempts int           // transmissions that the CSMS may refuse (MessageAttemptsTransactionEvent); 0 for 5
	Interval time.Duration // wait after the first refusal, times two after the second and so on (E13.FR.03); 0 for 60 s
	MaxBytes int           // payload bytes from which on updates are dropped; 0 for 4 MiB
	MaxItems int           // likewise, messages; 0 for 10,000
}

// Event goes into the queue.
type Event interface{ event() }

// Put adds a message. Offline is the payload to use when the message could not be sent before the connection broke; nil
// when the payload has no offline mark. Token comes back in Durable. With Hold the message is stored, but not sent before an
// Amend with its Token.
type Put struct {
	Kind    Kind
	Action  string
	Tx      string
	Payload []byte
	Offline []byte
	Token   uint64
	Hold    bool
}

// Amend lets a held message go, with another payload unless that is nil. What was stored before it counts when the process
// ends in between.
type Amend struct {
	Token   uint64
	Payload []byte
	Offline []byte
}

// Stored says that the database has what Store asked for.
type Stored struct{ Seq uint64 }

// Online says that messages can be sent; Offline that the connection is gone.
type (
	Online  struct{}
	Offline struct{}
)

// Accepted is the CSMS's CALLRESULT for the message sent last.
type Accepted struct {
	Seq     uint64
	Payload []byte
}

// Refused is its CALLERROR. A call without an answer is no refusal: the connection is closed then, which is Offline.
type Refused struct {
	Seq  uint64
	Code string
}

// Tick says that the Deadline has come.
type Tick struct{}

// Configure changes how often and when refused messages are sent again, from the next refusal on.
type Configure struct {
	Attempts int
	Interval time.Duration
}

func (Put) event()      {}
func (Amend) event()    {}
func (Stored) event()   {}
func (Online) event()   {}
func (Offline) event()  {}
func (Accepted) event() {}
func (Refused) event()  {}
func (Tick) event()     {}

func (Configure) event() {}

// Effect comes out of the queue.
type Effect interface{ effect() }

// Store asks to write the item, over what is there under its Seq. Stored must follow.
type Store struct{ Item Item }

// Remove asks to delete the item; nothing has to follow.
type Remove struct{ Seq uint64 }

// Durable says that the message of a Put is safe.
type Durable struct{ Token uint64 }

// Send asks to send the message as a CALL; Accepted, Refused or Offline must follow.
type Send struct{ Item Item }

// Delivered says that the CSMS has the message, and what it answered.
type Delivered struct {
	Item     Item
	Response []byte
}

// Dropped says that a message was given up.
type Dropped struct {
	Item Item
	Why  string
}

// Deadline asks for a Tick; the zero time cancels it.
type Deadline struct{ At time.Time }

func (Store) effect()     {}
func (Remove) effect()    {}
func (Durable) effect()   {}
func (Send) effect()      {}
func (Delivered) effect() {}
func (Dropped) effect()   {}
func (Deadline) effect()  {}

type entry struct {
	Item
	offline  []byte // replaces the payload on Offline unless it was sent
	token    uint64
	told     bool // Durable was emitted
	held     bool // waits for Amend
	pending  int  // Stores without Stored
	sent     int  // transmissions
	refusals int
}

// Queue is the machine. Make it with New.
type Queue struct {
	cfg     Config
	list    []*entry
	next    uint64
	bytes   int
	online  bool
	flying  bool // list[0] was sent and not answered
	retryAt time.Time
}

// New returns a queue with the items that an earlier process stored, in any order.
func New(cfg Config, stored []Item) *Queue {
	if cfg.MaxBytes <= 0 {
		cfg.MaxBytes = 4 << 20
	}
	if cfg.MaxItems <= 0 {
		cfg.MaxItems = 10000
	}
	q := &Queue{cfg: cfg, next: 1}
	q.configure(Configure{cfg.Attempts, cfg.Interval})
	for _, it := range stored {
		// It may have been sent by the process that stored it, so its payload stays as it is.
		q.list = append(q.list, &entry{Item: it, told: true})
		q.bytes += len(it.Payload)
		q.next = max(q.next, it.Seq+1)
	}
	slices.SortFunc(q.list, func(a, b *entry) int {
		if a.Seq < b.Seq {
			return -1
		}
		return 1
	})
	return q
}

func (q *Queue) configure(c Configure) {
	if q.cfg.Attempts = c.Attempts; c.Attempts <= 0 {
		q.cfg.Attempts = 5
	}
	if q.cfg.Interval = c.Interval; c.Interval <= 0 {
		q.cfg.Interval = time.Minute
	}
}

// Reserve makes sequence numbers start at least at n, for a database whose newest items were already removed.
func (q *Queue) Reserve(n uint64) { q.next = max(q.next, n) }

// Bytes is the size of the payloads not yet delivered.
func (q *Queue) Bytes() int { return q.bytes }

// Len is the number of messages not yet delivered.
func (q *Queue) Len() int { return len(q.list) }

// Has reports whether messages of a transaction wait (E14.FR.04); "" asks for any transaction (E14.FR.07).
func (q *Queue) Has(tx string) bool {
	return slices.ContainsFunc(q.list, func(e *entry) bool { return e.Kind != Other && (tx == "" || e.Tx == tx) })
}

// Holds reports whether a message with this payload waits.
func (q *Queue) Holds(payload []byte) bool {
	for _, e := range slices.Backward(q.list) {
		if bytes.Equal(e.Payload, payload) {
			return true
		}
	}
	return false
}

// Step takes one event and appends what has to be done to out.
func (q *Queue) Step(now time.Time, ev Event, out []Effect) []Effect {
	switch ev := ev.(type) {
	case Put:
		out = q.put(ev, out)
	case Amend:
		out = q.amend(ev, out)
	case Stored:
		out = q.stored(ev.Seq, out)
	case Online:
		q.online = true
	case Offline:
		out = q.offline(out)
	case Accepted:
		if q.flying && q.list[0].Seq == ev.Seq {
			e := q.pop()
			out = append(out, Remove{e.Seq}, Delivered{e.Item, ev.Payload})
		}
	case Refused:
		if q.flying && q.list[0].Seq == ev.Seq {
			out = q.refused(now, ev, out)
		}
	case Tick:
		if !q.retryAt.IsZero() && !now.Before(q.retryAt) { // it has come: nobody is to be woken for it again
			q.retryAt = time.Time{}
			out = append(out, Deadline{})
		}
	case Configure:
		q.configure(ev)
	}
	return q.send(now, out)
}

func (q *Queue) put(p Put, out []Effect) []Effect {
	e := &entry{Item: Item{Seq: q.next, Kind: p.Kind, Action: p.Action, Tx: p.Tx, Payload: p.Payload}, offline: p.Offline, token: p.Token, pending: 1, held: p.Hold}
	q.next++
	if !q.online && p.Offline != nil {
		e.Payload, e.offline = p.Offline, nil
	}
	q.list = append(q.list, e)
	q.bytes += len(e.Payload)
	out = append(out, Store{e.Item})
	if q.bytes > q.cfg.MaxBytes || len(q.list) > q.cfg.MaxItems {
		out = q.thin(out)
	}
	return out
}

func (q *Queue) amend(a Amend, out []Effect) []Effect {
	i := slices.IndexFunc(q.list, func(e *entry) bool { return e.held && e.token == a.Token })
	if i < 0 {
		return out
	}
	e := q.list[i]
	if e.held = false; a.Payload == nil {
		return out
	}
	q.bytes -= len(e.Payload)
	if e.offline == nil && a.Offline != nil { // it happened, or waited, while the connection was gone
		e.Payload = a.Offline
	} else {
		e.Payload, e.offline = a.Payload, a.Offline
	}
	q.bytes += len(e.Payload)
	e.pending++
	return append(out, Store{e.Item})
}

// thin drops the 1st, 3rd, 5th... of the intermediate messages (E04.FR.08). The newest one stays, so that the limit is
// soft by one message per transaction's start and end.
func (q *Queue) thin(out []Effect) []Effect {
	drop := true
	kept := q.list[:0]
	for i, e := range q.list {
		if e.Kind != Update || i == 0 && q.flying || i == len(q.list)-1 {
			kept = append(kept, e)
			continue
		}
		if drop {
			q.bytes -= len(e.Payload)
			out = append(out, Remove{e.Seq}, Dropped{e.Item, "the queue is full"})
			if !e.told {
				out = append(out, Durable{e.token})
			}
		} else {
			kept = append(kept, e)
		}
		drop = !drop
	}
	clear(q.list[len(kept):])
	q.list = kept
	return out
}

func (q *Queue) stored(seq uint64, out []Effect) []Effect {
	i, ok := slices.BinarySearchFunc(q.list, seq, func(e *entry, s uint64) int {
		switch {
		case e.Seq < s:
			return -1
		case e.Seq > s:
			return 1
		}
		return 0
	})
	if !ok {
		return out
	}
	e := q.list[i]
	if e.pending > 0 {
		e.pending--
	}
	if !e.told {
		e.told = true
		out = append(out, Durable{e.token})
	}
	return out
}

func (q *Queue) offline(out []Effect) []Effect {
	if !q.online {
		return out
	}
	q.online, q.flying = false, false
	for _, e := range q.list {
		if e.sent == 0 && e.offline != nil {
			q.bytes += len(e.offline) - len(e.Payload)
			e.Payload, e.offline = e.offline, nil
			e.pending++ // must be on disk before it may be sent
			out = append(out, Store{e.Item})
		}
	}
	return append(out, Deadline{})
}

func (q *Queue) refused(now time.Time, r Refused, out []Effect) []Effect {
	e := q.list[0]
	q.flying = false
	if e.refusals++; e.refusals >= q.cfg.Attempts { // E13.FR.04
		q.pop()
		return append(out, Remove{e.Seq}, Dropped{e.Item, "refused by the CSMS: " + r.Code})
	}
	q.retryAt = now.Add(q.cfg.Interval * time.Duration(e.refusals)) // E13.FR.03
	return append(out, Deadline{q.retryAt})
}

func (q *Queue) pop() *entry {
	e := q.list[0]
	q.list[0] = nil
	q.list = q.list[1:]
	q.bytes -= len(e.Payload)
	q.flying = false
	q.retryAt = time.Time{}
	return e
}

func (q *Queue) send(now time.Time, out []Effect) []Effect {
	if !q.online || q.flying || len(q.list) == 0 || q.list[0].pending > 0 || q.list[0].held || now.Before(q.retryAt) {
		return out
	}
	e := q.list[0]
	q.flying = true
	e.sent++
	return append(out, Send{e.Item})
}
