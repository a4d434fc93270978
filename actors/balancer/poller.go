package balancer

import (
	"context"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal"
)

// How often a node's meter and a digital input are read.
const (
	meterEvery = 250 * time.Millisecond
	inputEvery = 100 * time.Millisecond
)

// poller is the actor that reads one device and tells the balancer. It may wait for its device; nobody waits for it.
type poller struct {
	env    *kit.Env
	every  time.Duration
	read   func(context.Context) any // the message to the balancer
	timers *kit.Timers
}

// NewPoller returns the producer of the actor that reads the meter of a node. Only /ems spawns it.
func NewPoller(env *kit.Env, node string, m hal.Meter) func() actor.Actor {
	return func() actor.Actor {
		return &poller{env: env, every: meterEvery, read: func(ctx context.Context) any {
			r, err := m.Read(ctx)
			return msg.NodeReading{Node: node, Reading: r, Err: err}
		}}
	}
}

// NewInputPoller returns the producer of the actor that reads a digital input. Only /ems spawns it.
func NewInputPoller(env *kit.Env, id string, in hal.DigitalInput) func() actor.Actor {
	return func() actor.Actor {
		return &poller{env: env, every: inputEvery, read: func(ctx context.Context) any {
			closed, err := in.Read(ctx)
			return msg.InputReading{Input: id, Closed: closed, Err: err}
		}}
	}
}

// Receive handles one message.
func (p *poller) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		p.timers = kit.NewTimers(ctx)
		p.poll(ctx)
	case kit.Fired:
		if p.timers.Due(m) {
			p.poll(ctx)
		}
	case *actor.Stopping:
		p.timers.StopAll()
	}
}

func (p *poller) poll(ctx actor.Context) {
	c, cancel := context.WithTimeout(context.Background(), 4*p.every)
	defer cancel()
	ctx.Send(p.env.At(msg.Balancer), p.read(c))
	p.timers.Set("read", p.every)
}
