package base

import (
	"fmt"
	"time"

	"github.com/voltyard/voltyard/protocols/iso15118/secc"
)

// Turns is the dialogue of a session: each request has its response, at once or when what it waits for has come. B is the body
// of the protocol's messages and S its states, both interfaces.
type Turns[B, S any] struct {
	Base
	State S
	Wait  *Waiting[B, S] // nil: it is the vehicle's turn
	Send  func(B)        // encodes a response
}

// Waiting is a response that is due when Done returns one, or Late's at Until.
type Waiting[B, S any] struct {
	Until time.Time
	Done  func() (B, S) // a nil response: not yet
	Late  func() (B, S)
}

// Respond sends a response and goes on to the next state; a nil response means that the handler has set Wait, or has ended the
// session.
func (t *Turns[B, S]) Respond(res B, next S) {
	if t.Ended {
		return
	}
	if any(res) == nil {
		if t.Wait != nil {
			t.SetDeadline(t.Wait.Until)
			t.Resolve()
		}
		return
	}
	t.Wait = nil
	t.Send(res)
	if t.Ended {
		return
	}
	t.State = next
	t.SetDeadline(t.Now.Add(t.Timing.Sequence))
}

// Resolve looks whether what a response waits for has come.
func (t *Turns[B, S]) Resolve() {
	if w := t.Wait; w != nil {
		if res, next := w.Done(); any(res) != nil {
			t.Respond(res, next)
		}
	}
}

// TimeUp is called at a deadline; an older one than that in force says nothing.
func (t *Turns[B, S]) TimeUp() {
	if t.deadline.IsZero() || t.Now.Before(t.deadline) {
		return
	}
	if w := t.Wait; w != nil {
		t.Respond(w.Late())
		return
	}
	t.End(secc.ClassTimeout, fmt.Sprintf("no request in time in %T", t.State))
}
