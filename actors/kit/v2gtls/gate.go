package v2gtls

import (
	"context"
	"errors"
	"net"
	"time"
)

var errBusy = errors.New("the queue for handshakes is full")

// gate lets few handshakes compute at a time and few more wait.
type gate struct {
	slots   chan struct{} // one for each that computes
	waiting chan struct{} // one for each handshake that has begun
}

func newGate(slots, queue int) *gate {
	return &gate{make(chan struct{}, slots), make(chan struct{}, queue)}
}

// enter counts a handshake in; it never waits.
func (g *gate) enter() bool {
	select {
	case g.waiting <- struct{}{}:
		return true
	default:
		return false
	}
}

func (g *gate) leave() { <-g.waiting }

// tap is the connection beneath crypto/tls. Until the handshake is over it gives its slot back whenever it waits for the
// network, so that a silent vehicle holds none, and keeps what the vehicle sends first.
type tap struct {
	net.Conn
	ctx   context.Context // of the handshake
	gate  *gate           // nil after the handshake
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
