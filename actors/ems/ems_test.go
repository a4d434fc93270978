package ems

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/kittest"
)

// diary is what the children write down, from their own goroutines.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) add(s string) {
	d.mu.Lock()
	d.lines = append(d.lines, s)
	d.mu.Unlock()
}

func (d *diary) all() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.lines)
}

type child struct {
	name string
	log  *diary
}

func (c *child) Receive(ctx actor.Context) {
	switch ctx.Message().(type) {
	case *actor.Started:
		c.log.add("+" + c.name)
	case *actor.Stopping:
		c.log.add("-" + c.name)
	}
}

func site(t *testing.T, f func(env *kit.Env, pid *actor.PID, log *diary, ended *[]bool)) {
	kittest.Run(t, func(t *testing.T, env *kit.Env) {
		var log diary
		var ended []bool
		var children []Child
		for _, n := range []string{"a", "b", "c"} {
			children = append(children, Child{"child", n, func() actor.Actor { return &child{n, &log} }})
		}
		pid, err := Spawn(env, "ems", children, func(failed bool) { ended = append(ended, failed) })
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		f(env, pid, &log, &ended)
	})
}

func TestStopsInReverseOrder(t *testing.T) {
	site(t, func(env *kit.Env, pid *actor.PID, log *diary, ended *[]bool) {
		env.System.Root.Send(pid, Stop{})
		time.Sleep(time.Second)
		synctest.Wait()
		want := []string{"-c", "-b", "-a"}
		if got := log.all()[3:]; len(got) != 3 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
			t.Errorf("%v", log.all())
		}
		if len(*ended) != 1 || (*ended)[0] {
			t.Errorf("ended %v, want once and not failed", *ended)
		}
	})
}

func TestItsOwnDeathStopsAllAndIsReported(t *testing.T) {
	site(t, func(env *kit.Env, pid *actor.PID, log *diary, ended *[]bool) {
		env.System.Root.Send(pid, kit.Crash{Why: "test"})
		time.Sleep(time.Second)
		synctest.Wait()
		if len(log.all()) != 6 {
			t.Errorf("%v: not all children were stopped", log.all())
		}
		if len(*ended) != 1 || !(*ended)[0] {
			t.Errorf("ended %v, want once and failed", *ended)
		}
		time.Sleep(time.Minute)
		if len(log.all()) != 6 {
			t.Errorf("%v: something was started again", log.all())
		}
	})
}
