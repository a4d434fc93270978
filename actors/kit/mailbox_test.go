package kit

import (
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/test/virtual"
)

// invoker is an actor's side of a mailbox.
type invoker struct{ heard []any }

func (i *invoker) InvokeSystemMessage(m any)       { i.heard = append(i.heard, m) }
func (i *invoker) InvokeUserMessage(m any)         { i.heard = append(i.heard, m) }
func (i *invoker) EscalateFailure(reason, msg any) {}

// Whoever sends to an actor that is being spawned waits until it can hear, and is heard.
func TestSendingWhileSpawning(t *testing.T) {
	virtual.Test(t, func(t *testing.T) {
		m, i := newMailbox(actor.Unbounded()()), &invoker{}
		var sent atomic.Int32
		go func() { m.PostUserMessage("hello"); sent.Add(1) }()
		go func() { m.PostSystemMessage(&actor.Started{}); sent.Add(1) }()
		synctest.Wait()
		if sent.Load() != 0 {
			t.Errorf("%d messages were taken by a mailbox without an actor", sent.Load())
		}
		m.RegisterHandlers(i, actor.NewDefaultDispatcher(300))
		synctest.Wait()
		if sent.Load() != 2 || len(i.heard) != 2 {
			t.Errorf("%d sent, %v heard", sent.Load(), i.heard)
		}
	})
}
