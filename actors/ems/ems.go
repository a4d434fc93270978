// Package ems is the root actor of a site, /ems. It starts the others in the order in which they need each other, supervises
// them, and stops them in the reverse order. Its own death is the death of the site: every contactor opens, because each
// EVSE opens its own when it is stopped and the hardware opens by itself when nobody renews its outputs, and the process ends
// for the service manager to start it again.
//
// Only cmd spawns it.
package ems

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/kit"
)

// Child is an actor beneath /ems.
type Child struct {
	Kind string // label in metrics and log
	Name string // last part of its name
	Make func() actor.Actor
}

// EMS is the actor.
type EMS struct {
	kit.Nursery
	env      *kit.Env
	children []Child
	done     func(failed bool)
	stopping bool
}

// Stop asks /ems to stop everything in order.
type Stop struct{}

// New returns the producer of the actor. children are in the order of their start. done is called once, when everything has
// stopped: failed is true when /ems itself has failed.
func New(env *kit.Env, children []Child, done func(failed bool)) func() actor.Actor {
	return func() actor.Actor { return &EMS{env: env, children: children, done: done} }
}

// Receive handles one message.
func (e *EMS) Receive(ctx actor.Context) {
	if _, ok := ctx.Message().(*actor.Started); ok {
		e.Init(e.env, ctx, nil)
		for _, c := range e.children {
			e.Keep(ctx, c.Kind, c.Name, c.Make)
		}
		return
	}
	if e.Handle(ctx) {
		return
	}
	switch ctx.Message().(type) {
	case Stop:
		if e.stopping {
			return
		}
		e.stopping = true
		names := make([]string, 0, len(e.children))
		for i := len(e.children) - 1; i >= 0; i-- {
			names = append(names, e.children[i].Name)
		}
		e.StopInOrder(ctx, names, func(ctx actor.Context) { ctx.Stop(ctx.Self()) })
	case *actor.Stopped:
		e.done(!e.stopping)
	}
}

// Spawn starts /ems. Whatever it dies of, it is stopped and not started again.
func Spawn(env *kit.Env, name string, children []Child, done func(failed bool)) (*actor.PID, error) {
	props := env.Props("ems", New(env, children, done)).Configure(actor.WithGuardian(stopAlways{}))
	return env.System.Root.SpawnNamed(props, name)
}

// stopAlways is the guardian's strategy: a root actor that fails is stopped with all beneath it.
type stopAlways struct{}

func (stopAlways) HandleFailure(_ *actor.ActorSystem, sup actor.Supervisor, child *actor.PID, _ *actor.RestartStatistics, _, _ any) {
	sup.StopChildren(child)
}
