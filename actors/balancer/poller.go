package balancer

import (
	"context"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal"
)

// pollEvery is how often a node's meter is read.
const pollEvery = 250 * time.Millisecond

// poller is the actor that reads the meter of one node and tells the balancer. It may wait for its meter; nobody waits for it.
type poller struct {
	env    *kit.Env
	node   string
	meter  hal.Meter
	timers *kit.Timers
}

// NewPoller returns the producer of the actor that reads the meter of a node. Only /ems spawns it.
func NewPoller(env *kit.Env, node string, m hal.Meter) func() actor.Actor {
	return func() actor.Actor { return &poller{env: env, node: node, meter: m} }
}

// Receive handles one message.
func (p *poller) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		p.timers = kit.NewTimers(ctx)
		p.read(ctx)
	case kit.Fired:
		if p.timers.Due(m) {
			p.read(ctx)
		}
	case *actor.Stopping:
		p.timers.StopAll()
	}
}

func (p *poller) read(ctx actor.Context) {
	c, cancel := context.WithTimeout(context.Background(), 4*pollEvery)
	defer cancel()
	r, err := p.meter.Read(c)
	ctx.Send(p.env.At(msg.Balancer), msg.NodeReading{Node: p.node, Reading: r, Err: err})
	p.timers.Set("read", pollEvery)
}
