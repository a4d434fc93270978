package kit

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// Nursery spawns and supervises the children of one actor. Embed it by value and call Init in Started; its HandleFailure
// then makes the actor its own supervisor. A failed child is stopped, with all it has; when it is gone, it is spawned
// afresh under the same name after a capped, jittered wait (Keep), or its parent is told (Once).
//
// The parent passes each message to Handle first and returns when that says true.
type Nursery struct {
	env    *Env
	timers *Timers
	kids   map[string]*child
	stop   []string // names still to be stopped in order
	then   func(actor.Context)
	lost   func(actor.Context, string, bool)
}

type child struct {
	name     string // last part of the id
	kind     string
	make     func() actor.Actor
	pid      *actor.PID
	keep     bool
	failed   bool
	stopping bool
	backoff  Backoff
	born     time.Time
}

// Init prepares the nursery. gone, which may be nil, is called in the parent's turn when a child has ended: failed says
// whether by a panic.
func (n *Nursery) Init(env *Env, ctx actor.Context, gone func(ctx actor.Context, name string, failed bool)) {
	n.env, n.timers, n.kids, n.lost = env, NewTimers(ctx), map[string]*child{}, gone
}

// Keep spawns a child that is to live as long as its parent.
func (n *Nursery) Keep(ctx actor.Context, kind, name string, make func() actor.Actor) *actor.PID {
	return n.spawn(ctx, &child{name: name, kind: kind, make: make, keep: true})
}

// Once spawns a child that ends when it is done or fails.
func (n *Nursery) Once(ctx actor.Context, kind, name string, make func() actor.Actor) *actor.PID {
	return n.spawn(ctx, &child{name: name, kind: kind, make: make})
}

func (n *Nursery) spawn(ctx actor.Context, c *child) *actor.PID {
	pid, err := ctx.SpawnNamed(n.env.Props(c.kind, c.make), c.name)
	if err != nil {
		panic("spawn " + c.name + ": " + err.Error())
	}
	c.pid, c.failed, c.stopping, c.born = pid, false, false, time.Now()
	n.kids[c.name] = c
	return pid
}

// PID returns the address of the child with this name, nil when there is none.
func (n *Nursery) PID(name string) *actor.PID {
	if c := n.kids[name]; c != nil {
		return c.pid
	}
	return nil
}

// Len is the number of children that live or will be respawned.
func (n *Nursery) Len() int { return len(n.kids) }

// Stop ends the child with this name for good.
func (n *Nursery) Stop(ctx actor.Context, name string) {
	c := n.kids[name]
	if c == nil {
		return
	}
	c.keep, c.stopping = false, true
	n.timers.Stop(respawn + name)
	ctx.Poison(c.pid) // after what is in its mailbox
}

// StopInOrder ends the named children one after the other, each after the one before it is gone, then calls done in the
// parent's turn. Children that do not exist are passed over.
func (n *Nursery) StopInOrder(ctx actor.Context, names []string, done func(actor.Context)) {
	n.stop, n.then = append([]string(nil), names...), done
	n.stopNext(ctx)
}

func (n *Nursery) stopNext(ctx actor.Context) {
	for len(n.stop) > 0 {
		if c := n.kids[n.stop[0]]; c != nil {
			waiting := n.timers.Running(respawn + c.name)
			n.Stop(ctx, c.name)
			if !waiting { // else it is not alive, and no Terminated will come
				return
			}
			delete(n.kids, c.name)
		}
		n.stop = n.stop[1:]
	}
	if then := n.then; then != nil {
		n.then = nil
		then(ctx)
	}
}

// HandleFailure stops the failed child; it runs in the parent's own turn (actor.SupervisorStrategy).
func (n *Nursery) HandleFailure(_ *actor.ActorSystem, sup actor.Supervisor, pid *actor.PID, _ *actor.RestartStatistics, _, _ any) {
	for _, c := range n.kids {
		if c.pid.Equal(pid) {
			c.failed = true
		}
	}
	sup.StopChildren(pid)
}

const respawn = "nursery/"

// Handle deals with what concerns the nursery and reports whether the message was such.
func (n *Nursery) Handle(ctx actor.Context) bool {
	switch m := ctx.Message().(type) {
	case *actor.Terminated:
		for _, c := range n.kids {
			if c.pid.Equal(m.Who) {
				n.gone(ctx, c)
				return true
			}
		}
	case Fired:
		if len(m.Key) <= len(respawn) || m.Key[:len(respawn)] != respawn {
			return false
		}
		if n.timers.Due(m) {
			if c := n.kids[m.Key[len(respawn):]]; c != nil {
				n.env.Metrics.Respawns.WithLabelValues(c.kind).Inc()
				n.spawn(ctx, c)
			}
		}
		return true
	case *actor.Stopping:
		n.timers.StopAll()
	}
	return false
}

func (n *Nursery) gone(ctx actor.Context, c *child) {
	failed := c.failed
	if c.keep && n.then == nil {
		if time.Since(c.born) > time.Minute {
			c.backoff.Reset()
		}
		n.timers.Set(respawn+c.name, c.backoff.Next())
	} else {
		delete(n.kids, c.name)
	}
	if n.lost != nil {
		n.lost(ctx, c.name, failed)
	}
	if len(n.stop) > 0 && n.stop[0] == c.name {
		n.stop = n.stop[1:]
		n.stopNext(ctx)
	}
}
