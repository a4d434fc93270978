package kit

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/voltyard/voltyard/test/virtual"
)

type parent struct {
	Nursery
	env    *Env
	events chan string
}

type kid struct {
	events    chan string
	dieInStop bool
}

func (k *kid) Receive(ctx actor.Context) {
	switch ctx.Message().(type) {
	case *actor.Started:
		k.events <- "started"
	case *actor.Stopping:
		k.events <- "stopping"
		if k.dieInStop {
			panic("in Stopping")
		}
	case string:
		k.events <- "message"
	}
}

type stopAll struct{}

func (p *parent) Receive(ctx actor.Context) {
	if p.env != nil {
		if _, ok := ctx.Message().(*actor.Started); !ok && p.Handle(ctx) {
			return
		}
	}
	switch ctx.Message().(type) {
	case *actor.Started:
		p.Init(p.env, ctx, func(_ actor.Context, name string, failed bool) {
			if failed {
				p.events <- name + " failed"
			} else {
				p.events <- name + " gone"
			}
		})
		p.Keep(ctx, "kid", "a", func() actor.Actor { return &kid{events: p.events} })
		p.Keep(ctx, "kid", "b", func() actor.Actor { return &kid{events: p.events, dieInStop: true} })
	case stopAll:
		p.StopInOrder(ctx, []string{"b", "none", "a"}, func(ctx actor.Context) { p.events <- "all gone" })
	}
}

func TestNurseryRespawnsAfterBackOffAndStopsInOrder(t *testing.T) {
	virtual.Test(t, func(t *testing.T) {
		env := NewEnv(zerolog.Nop())
		events := make(chan string, 100)
		pid, err := env.System.Root.SpawnNamed(env.Props("parent", func() actor.Actor { return &parent{env: env, events: events} }), "p")
		if err != nil {
			t.Fatal(err)
		}
		expect := func(want ...string) {
			t.Helper()
			synctest.Wait()
			for _, w := range want {
				select {
				case got := <-events:
					if got != w {
						t.Fatalf("got %q, want %q", got, w)
					}
				default:
					t.Fatalf("nothing came, want %q", w)
				}
			}
			if len(events) > 0 {
				t.Fatalf("unexpected %q", <-events)
			}
		}
		synctest.Wait()
		expect("started", "started")

		env.Send("p/a", Crash{Why: "test"})
		expect("stopping", "a failed")
		env.Send("p/a", "lost while it is dead")
		expect()
		time.Sleep(150 * time.Millisecond) // virtual time: longer than the first wait
		expect("started")
		env.Send("p/a", "hello again, under the same name")
		expect("message")

		env.System.Root.Send(pid, stopAll{})
		expect("stopping", "b gone", "stopping", "a gone", "all gone")
		time.Sleep(time.Minute)
		expect()
		if err := env.System.Root.StopFuture(pid).Wait(); err != nil {
			t.Fatal(err)
		}
		env.System.Shutdown()
		time.Sleep(time.Minute)
	})
}

type timed struct {
	timers *Timers
	due    chan string
}

type arm struct {
	key string
	d   time.Duration
}

func (a *timed) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		a.timers = NewTimers(ctx)
	case arm:
		a.timers.Set(m.key, m.d)
	case string:
		a.timers.Stop(m)
	case Fired:
		if a.timers.Due(m) {
			a.due <- m.Key
		}
	case *actor.Stopping:
		a.timers.StopAll()
	}
}

func TestTimerSetAgainFiresOnceAndStopped(t *testing.T) {
	virtual.Test(t, func(t *testing.T) {
		env := NewEnv(zerolog.Nop())
		due := make(chan string, 10)
		pid := env.System.Root.Spawn(env.Props("timed", func() actor.Actor { return &timed{due: due} }))
		env.System.Root.Send(pid, arm{"x", time.Second})
		env.System.Root.Send(pid, arm{"x", 2 * time.Second})
		env.System.Root.Send(pid, arm{"y", time.Second})
		env.System.Root.Send(pid, "y")
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		if len(due) != 0 {
			t.Fatalf("%q fired too early", <-due)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if len(due) != 1 || <-due != "x" {
			t.Fatal("x must fire once, y never")
		}
		env.System.Root.Send(pid, arm{"z", time.Hour})
		_ = env.System.Root.StopFuture(pid).Wait()
		env.System.Shutdown()
	})
}

func TestBackoffGrowsAndIsCapped(t *testing.T) {
	b := Backoff{Min: time.Second, Max: 10 * time.Second}
	last := time.Duration(0)
	for i := range 20 {
		d := b.Next()
		full := min(time.Second<<min(i, 10), 10*time.Second)
		if d < full/2 || d > full {
			t.Fatalf("wait %d is %v, want %v to %v", i, d, full/2, full)
		}
		last = d
	}
	b.Reset()
	if d := b.Next(); d > time.Second || last < 5*time.Second {
		t.Fatalf("after Reset %v, before %v", d, last)
	}
}
