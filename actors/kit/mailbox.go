package kit

import (
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"
)

// mailbox makes senders wait until an actor that is being spawned can be told of their messages. The library makes the name known
// before it has given the mailbox its handlers: who sends by name just then would crash, and the actor would never run.
type mailbox struct {
	actor.Mailbox
	open  atomic.Bool
	ready chan struct{}
}

func newMailbox(inner actor.Mailbox) *mailbox {
	return &mailbox{Mailbox: inner, ready: make(chan struct{})}
}

// RegisterHandlers lets the senders in.
func (m *mailbox) RegisterHandlers(i actor.MessageInvoker, d actor.Dispatcher) {
	m.Mailbox.RegisterHandlers(i, d)
	m.open.Store(true)
	close(m.ready)
}

// PostUserMessage waits at most as long as the spawning goroutine takes from one line to the next.
func (m *mailbox) PostUserMessage(message any) {
	m.wait()
	m.Mailbox.PostUserMessage(message)
}

// PostSystemMessage does likewise.
func (m *mailbox) PostSystemMessage(message any) {
	m.wait()
	m.Mailbox.PostSystemMessage(message)
}

func (m *mailbox) wait() {
	if !m.open.Load() {
		<-m.ready
	}
}
