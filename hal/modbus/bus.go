package modbus

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Timing of a bus. The zero value gives the defaults.
type Timing struct {
	Answer time.Duration // how long a unit may take to answer; default 500 ms
	Pause  time.Duration // between two attempts to open a link that cannot be opened; default 2 s
}

// link is how frames travel. Its methods are called by one goroutine at a time.
type link interface {
	name() string
	// open makes the link usable; it is called again after drop.
	open(ctx context.Context) error
	// exchange sends a request and returns the response's PDU, until the deadline. It returns ErrTimeout, ErrFrame, or what
	// the link itself has to say.
	exchange(deadline time.Time, unit byte, req []byte) ([]byte, error)
	// drop closes the link; harmless when it is closed.
	drop()
}

// Bus is one line or connection with one transaction on it at a time. It is safe for concurrent use; those who wait get
// their turn in the order in which they came.
type Bus struct {
	link   link
	timing Timing
	turn   chan struct{} // holds the right to use the link
	done   chan struct{}

	// guarded by turn
	isOpen   bool
	failed   error     // why it could not be opened
	again    time.Time // when opening may be tried again
	silences int       // transactions without an answer in a row
}

// silent is after how many unanswered transactions in a row a connection is made anew: it may be half open.
const silent = 3

func newBus(l link, t Timing) *Bus {
	if t.Answer <= 0 {
		t.Answer = 500 * time.Millisecond
	}
	if t.Pause <= 0 {
		t.Pause = 2 * time.Second
	}
	b := &Bus{link: l, timing: t, turn: make(chan struct{}, 1), done: make(chan struct{})}
	b.turn <- struct{}{}
	return b
}

// Close ends the bus. Transactions under way end with their own deadline, later ones fail with ErrClosed.
func (b *Bus) Close() error {
	<-b.turn
	select {
	case <-b.done:
	default:
		close(b.done)
		b.link.drop()
	}
	b.turn <- struct{}{}
	return nil
}

// transact carries out a transaction. A broken or missing answer is asked for once more when repeat is set and time is left.
func (b *Bus) transact(ctx context.Context, unit byte, req []byte, repeat bool) ([]byte, error) {
	select {
	case <-b.turn:
	case <-b.done:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for the bus: %w", ctx.Err())
	}
	defer func() { b.turn <- struct{}{} }()
	for {
		resp, err := b.once(ctx, unit, req)
		if err == nil || !repeat || !errors.Is(err, ErrTimeout) && !errors.Is(err, ErrFrame) || ctx.Err() != nil {
			return resp, err
		}
		repeat = false
	}
}

func (b *Bus) once(ctx context.Context, unit byte, req []byte) ([]byte, error) {
	if err := b.ready(ctx); err != nil {
		return nil, err
	}
	deadline := time.Now().Add(b.timing.Answer)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	resp, err := b.link.exchange(deadline, unit, req)
	switch {
	case err == nil:
		b.silences = 0
		return resp, check(req, resp)
	case errors.Is(err, ErrFrame):
		b.silences = 0
	case errors.Is(err, ErrTimeout):
		if b.silences++; b.silences < silent {
			return nil, err
		}
		b.silences = 0
		b.lose()
	default:
		b.lose()
	}
	return nil, err
}

func (b *Bus) lose() {
	b.link.drop()
	b.isOpen = false
}

// ready opens the link when it is not, at most once in a Pause: a line that is not there must not cost each caller a wait.
func (b *Bus) ready(ctx context.Context) error {
	select {
	case <-b.done:
		return ErrClosed
	default:
	}
	if b.isOpen {
		return nil
	}
	if time.Now().Before(b.again) {
		return b.failed
	}
	if err := b.link.open(ctx); err != nil {
		b.failed = fmt.Errorf("open %s: %w", b.link.name(), err)
		b.again = time.Now().Add(b.timing.Pause)
		return b.failed
	}
	b.isOpen = true
	return nil
}
