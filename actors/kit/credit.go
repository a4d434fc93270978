package kit

import "context"

// Credit bounds what a reader goroutine may have in its actor's mailbox: the reader takes one for each message it sends,
// the actor gives it back when it has handled the message.
type Credit chan struct{}

// NewCredit makes n credits.
func NewCredit(n int) Credit {
	c := make(Credit, n)
	for range n {
		c <- struct{}{}
	}
	return c
}

// Take waits for a credit; false when ctx ends first.
func (c Credit) Take(ctx context.Context) bool {
	select {
	case <-c:
		return true
	case <-ctx.Done():
		return false
	}
}

// Give returns one. More than were taken are ignored.
func (c Credit) Give() {
	select {
	case c <- struct{}{}:
	default:
	}
}
