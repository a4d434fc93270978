package sim

import (
	"context"
	"errors"
	"sync/atomic"
)

// Input is a simulated contact, open at first. It is safe for concurrent use.
type Input struct{ closed, broken atomic.Bool }

// Set closes or opens the contact.
func (i *Input) Set(closed bool) { i.closed.Store(closed) }

// Break has readings fail, as with a cut wire bus.
func (i *Input) Break(broken bool) { i.broken.Store(broken) }

// Read returns the contact's state.
func (i *Input) Read(context.Context) (bool, error) {
	if i.broken.Load() {
		return false, errors.New("simulated input does not answer")
	}
	return i.closed.Load(), nil
}

// Close does nothing.
func (i *Input) Close() error { return nil }
