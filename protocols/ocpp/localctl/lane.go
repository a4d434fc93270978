package localctl

import (
	"slices"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
)

// call is a CALL on its way to one of the two peers: relayed (raw from the other peer) or our own.
type call struct {
	id      string
	action  string
	payload []byte
	raw     []byte
	own     bool
	key     string // of our own, to be replaced while it waits
	done    func(answer)
	expires time.Time
	start   int // what waits for the transaction that a relayed one asks for; 0 for nothing
}

// answer is how a call of our own ended: with a payload, an error code, or neither when it got lost.
type answer struct {
	payload []byte
	code    rpc.Code
	what    string
}

func (a answer) ok() bool { return a.payload != nil }

// lane carries the CALLs to one peer. Relayed calls pass at once, as the peers themselves keep to one at a time; only a
// call of our own has them wait, and waits itself until none is outstanding (OCPP 2.0.1 part 4, 4.1.1). Urgent ones of our
// own go before everything that waits, except after one that was not answered in time: a station that is mute to us must not
// be out of the CSMS's reach.
type lane struct {
	up      bool
	timeout time.Duration
	relayed []*call // sent, unanswered
	own     *call   // sent, unanswered
	urgent  []*call
	queue   []*call // relayed and own, in order
	write   func(raw []byte)
	owed    bool     // one of our own timed out: what waits behind it goes before our next
	past    []string // ids of our own calls, whose late answers must not be passed on
}

const (
	maxQueue   = 64  // calls that wait
	maxRelayed = 64  // relayed calls whose answers are awaited
	maxPast    = 128 // ids remembered
)

func (l *lane) submit(now time.Time, c *call, urgent bool) bool {
	if !l.up {
		return false
	}
	switch {
	case urgent:
		if i := slices.IndexFunc(l.urgent, func(o *call) bool { return c.key != "" && o.key == c.key }); i >= 0 {
			l.urgent[i] = c
			break
		}
		l.urgent = append(l.urgent, c)
	case len(l.queue) >= maxQueue:
		return false
	default:
		l.queue = append(l.queue, c)
	}
	l.pump(now)
	return true
}

func (l *lane) pump(now time.Time) {
	for l.own == nil {
		var c *call
		switch {
		case l.owed && len(l.queue) > 0 && !l.queue[0].own:
			c, l.queue, l.owed = l.queue[0], l.queue[1:], false
		case len(l.urgent) > 0:
			if len(l.relayed) > 0 {
				return
			}
			c, l.urgent = l.urgent[0], l.urgent[1:]
		case len(l.queue) > 0:
			if l.queue[0].own && len(l.relayed) > 0 {
				return
			}
			c, l.queue = l.queue[0], l.queue[1:]
		default:
			return
		}
		c.expires = now.Add(l.timeout)
		if c.own {
			l.own = c
			l.past = append(l.past, c.id)
			if len(l.past) > maxPast {
				l.past = l.past[1:]
			}
			l.write(rpc.AppendCall(nil, c.id, c.action, c.payload))
			return
		}
		if len(l.relayed) == maxRelayed {
			l.relayed = l.relayed[1:]
		}
		l.relayed = append(l.relayed, c)
		l.write(c.raw)
	}
}

// answered finds the call that an answer belongs to and ends it. ours tells that the answer must not be passed on.
func (l *lane) answered(now time.Time, id string) (c *call, ours bool) {
	if l.own != nil && l.own.id == id {
		c, l.own = l.own, nil
		return c, true
	}
	if i := slices.IndexFunc(l.relayed, func(c *call) bool { return c.id == id }); i >= 0 {
		c = l.relayed[i]
		l.relayed = slices.Delete(l.relayed, i, i+1)
		return c, false
	}
	return nil, slices.Contains(l.past, id)
}

// expire ends calls without an answer and returns our own one if it was among them.
func (l *lane) expire(now time.Time) *call {
	l.relayed = slices.DeleteFunc(l.relayed, func(c *call) bool { return !now.Before(c.expires) })
	if c := l.own; c != nil && !now.Before(c.expires) {
		l.own, l.owed = nil, true
		return c
	}
	return nil
}

func (l *lane) next() time.Time {
	var at time.Time
	for _, c := range l.relayed {
		if at.IsZero() || c.expires.Before(at) {
			at = c.expires
		}
	}
	if l.own != nil && (at.IsZero() || l.own.expires.Before(at)) {
		at = l.own.expires
	}
	return at
}

// cut empties the lane when its peer is gone and returns the calls in it: sent ones first.
func (l *lane) cut() (sent, waiting []*call) {
	sent = append(sent, l.relayed...)
	if l.own != nil {
		sent = append(sent, l.own)
	}
	waiting = append(append(waiting, l.urgent...), l.queue...)
	l.up, l.relayed, l.own, l.urgent, l.queue = false, nil, nil, nil, nil
	return sent, waiting
}
