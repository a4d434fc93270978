package v2gtls

import (
	"context"
	"errors"
	"net"
	"runtime"
	"time"
)

var errBusy = errors.New("the queue for handshakes is full")

// Queue lets few handshakes compute at a time and bounds how many are under way. Servers of one process share one, because they
// share its processors.
type Queue struct {
	slots   chan struct{} // one for each that computes
	waiting chan struct{} // one for each handshake that has begun
}

// NewQueue makes a queue. Zero values take defaults: one slot less than there are processors, at least one; 256 under way.
func NewQueue(slots, under int) *Queue {
	if slots == 0 {
		slots = max(1, runtime.GOMAXPROCS(0)-1)
	}
	if under == 0 {
		under = 256
	}
	return &Queue{make(chan struct{}, slots), make(chan struct{}, under)}
}

// enter counts a handshake in; it never waits.
func (g *Queue) enter() bool {
	select {
	case g.waiting <- struct{}{}:
		return true
	default:
		return false
	}
}

func (g *Queue) leave() { <-g.waiting }

// tap is the connection beneath crypto/tls. Until the handshake is over it gives its slot back whenever it waits for the
// network, so that a silent vehicle holds none, and keeps what the vehicle sends first.
type tap struct {
	net.Conn
	ctx   context.Context // of the handshake
	gate  *Queue          // nil after the handshake
	held  bool            // the slot
	hello []byte
	seen  bool // the ClientHello is whole
	early Code
	info  Info
}

// take waits for a slot.
func (t *tap) take() error {
	if t.gate == nil || t.held {
		return nil
	}
	select {
	case t.gate.slots <- struct{}{}:
		t.held = true
		return nil
	case <-t.ctx.Done():
		return context.Cause(t.ctx)
	}
}

func (t *tap) give() {
	if t.held {
		t.held = false
		<-t.gate.slots
	}
}

func (t *tap) Read(b []byte) (int, error) {
	if t.gate == nil {
		return t.Conn.Read(b)
	}
	t.give()
	n, err := t.Conn.Read(b)
	if room := maxHello - len(t.hello); room > 0 && !t.seen {
		t.hello = append(t.hello, b[:min(n, room)]...)
	}
	if err != nil {
		return n, err
	}
	return n, t.take()
}

func (t *tap) Write(b []byte) (int, error) {
	if t.gate == nil {
		return t.Conn.Write(b)
	}
	t.give()
	n, err := t.Conn.Write(b)
	if err != nil {
		return n, err
	}
	return n, t.take()
}

// done ends the handshake: from now on the connection is a plain one.
func (t *tap) done() {
	t.give()
	t.gate, t.hello, t.ctx = nil, nil, nil
	_ = t.SetDeadline(time.Time{})
}
