// Package kittest helps to test actors in virtual time. Only tests import it.
package kittest

import (
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/test/virtual"
)

// Run runs f in a bubble of virtual time with an actor system of its own, stops every actor that was spawned through
// Spawn or NewProbe, newest first, and fails when a goroutine is left over. VOLTYARD_TEST_LOG=1 shows the actors' log.
func Run(t *testing.T, f func(t *testing.T, env *kit.Env)) {
	t.Helper()
	virtual.Test(t, func(t *testing.T) {
		log := zerolog.Nop()
		if os.Getenv("VOLTYARD_TEST_LOG") != "" {
			log = zerolog.New(zerolog.NewTestWriter(t))
		}
		env := kit.NewEnv(log)
		spawned := &stack{}
		stacks.Store(env, spawned)
		defer func() {
			stacks.Delete(env)
			for i := len(spawned.pids) - 1; i >= 0; i-- {
				_ = env.System.Root.PoisonFuture(spawned.pids[i]).Wait()
			}
			time.Sleep(time.Minute) // lets the library's own short-lived goroutines end
			env.System.Shutdown()
		}()
		f(t, env)
	})
}

type stack struct{ pids []*actor.PID }

var stacks sync.Map // *kit.Env -> *stack

// Spawn starts an actor under a name, guarded as in the product, and has Run stop it.
func Spawn(t *testing.T, env *kit.Env, name string, make func() actor.Actor) *actor.PID {
	t.Helper()
	pid, err := env.System.Root.SpawnNamed(env.Props(name, make), name)
	if err != nil {
		t.Fatal(err)
	}
	s, _ := stacks.Load(env)
	s.(*stack).pids = append(s.(*stack).pids, pid)
	return pid
}

// Probe is an actor that keeps what it is sent.
type Probe struct {
	PID *actor.PID

	mu  sync.Mutex
	got []any
	// Answer, when set before the first message, is called in the probe's turn for each message.
	Answer func(actor.Context)
}

// NewProbe starts a probe under a name such as msg.Balancer.
func NewProbe(t *testing.T, env *kit.Env, name string, answer func(actor.Context)) *Probe {
	p := &Probe{Answer: answer}
	p.PID = Spawn(t, env, name, func() actor.Actor { return p })
	return p
}

// Receive keeps the message, unless it is one of the actor library's own.
func (p *Probe) Receive(ctx actor.Context) {
	switch ctx.Message().(type) {
	case *actor.Started, *actor.Stopping, *actor.Stopped, *actor.Terminated:
		return
	}
	p.mu.Lock()
	p.got = append(p.got, ctx.Message())
	p.mu.Unlock()
	if p.Answer != nil {
		p.Answer(ctx)
	}
}

// Take waits until the bubble is idle, and returns and forgets what came.
func (p *Probe) Take() []any {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	got := p.got
	p.got = nil
	return got
}

// Of returns the messages of one type among got.
func Of[T any](got []any) []T {
	var out []T
	for _, m := range got {
		if v, ok := m.(T); ok {
			out = append(out, v)
		}
	}
	return out
}

// Last returns the last message of one type among got, and whether there is one.
func Last[T any](got []any) (T, bool) {
	all := Of[T](got)
	if len(all) == 0 {
		var zero T
		return zero, false
	}
	return all[len(all)-1], true
}
