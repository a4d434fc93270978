package ev

import (
	"fmt"
	"maps"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/network"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal/si"
)

// Arrival is a visit that is planned.
type Arrival struct {
	After time.Duration // wall time from the start of the fleet
	Visit Visit
}

// Stats count how visits went. They are immutable; Fleet publishes new ones.
type Stats struct {
	Planned   int
	Started   int
	Completed int
	Failed    int
	Present   int
	Energy    si.WattHours
	Protocols map[msg.Protocol]int // completed, by protocol
	Failures  []string             // the first few, in words
}

// Fleet has vehicles arrive at their time, each when its place is free.
type Fleet struct {
	kit.Nursery
	env      *kit.Env
	net      network.Network
	arrivals []Arrival
	stats    *kit.Cell[Stats]

	timers  *kit.Timers
	now     Stats
	waiting map[string][]Visit // by EVSE
	here    map[string]string  // EVSE -> actor name
	number  int
	leaving bool
}

// NewFleet returns the producer of the fleet. arrivals are in order of time.
func NewFleet(env *kit.Env, n network.Network, arrivals []Arrival, stats *kit.Cell[Stats]) func() actor.Actor {
	stats.Store(&Stats{Planned: len(arrivals)})
	return func() actor.Actor {
		return &Fleet{env: env, net: n, arrivals: arrivals, stats: stats, waiting: map[string][]Visit{}, here: map[string]string{},
			now: Stats{Planned: len(arrivals), Protocols: map[msg.Protocol]int{}}}
	}
}

// Name is the actor name of the fleet.
const Name = "fleet"

// Receive handles one message. Leave has all vehicles end their charging, and no more arrive.
func (f *Fleet) Receive(ctx actor.Context) {
	if _, ok := ctx.Message().(*actor.Started); ok {
		f.timers = kit.NewTimers(ctx)
		f.Init(f.env, ctx, f.childGone)
		for i, a := range f.arrivals {
			f.timers.Set(fmt.Sprintf("a%d", i), a.After)
		}
		return
	}
	if f.Handle(ctx) {
		return
	}
	switch m := ctx.Message().(type) {
	case kit.Fired:
		if f.timers.Due(m) && !f.leaving {
			var i int
			_, _ = fmt.Sscanf(m.Key, "a%d", &i)
			v := f.arrivals[i].Visit
			f.waiting[v.Place.EVSE] = append(f.waiting[v.Place.EVSE], v)
			f.fill(ctx, v.Place.EVSE)
		}
	case result:
		f.count(m.r)
		f.publish()
	case Leave:
		f.leaving = true
		f.timers.StopAll()
		for _, name := range f.here {
			ctx.Send(f.PID(name), Leave{})
		}
	case *actor.Stopping:
		f.timers.StopAll()
	}
}

// fill has the next vehicle of a queue plug in, if the place is free.
func (f *Fleet) fill(ctx actor.Context, evse string) {
	q := f.waiting[evse]
	if len(q) == 0 || f.here[evse] != "" || f.leaving {
		return
	}
	visit := q[0]
	f.waiting[evse] = q[1:]
	f.number++
	name := fmt.Sprintf("ev-%d", f.number)
	f.here[evse] = name
	f.now.Started++
	f.publish()
	number := f.number
	f.Once(ctx, "ev", name, func() actor.Actor {
		return &vehicle{env: f.env, net: f.net, visit: visit, number: number, report: f.finished,
			log: f.env.Log.With().Str("vehicle", visit.ID).Str("evse", evse).Logger()}
	})
}

// result is a vehicle's report on its way to the fleet's own turn.
type result struct{ r Result }

func (f *Fleet) finished(ctx actor.Context, r Result) { ctx.Send(ctx.Parent(), result{r}) }

func (f *Fleet) childGone(ctx actor.Context, name string, failed bool) {
	for evse, n := range f.here {
		if n == name {
			delete(f.here, evse)
			if failed {
				f.count(Result{Why: name + " broke"})
			}
			f.publish()
			f.fill(ctx, evse)
		}
	}
}

func (f *Fleet) count(r Result) {
	if r.OK {
		f.now.Completed++
		f.now.Protocols = maps.Clone(f.now.Protocols)
		f.now.Protocols[r.Protocol]++
	} else {
		f.now.Failed++
		if len(f.now.Failures) < 20 {
			f.now.Failures = append(f.now.Failures[:len(f.now.Failures):len(f.now.Failures)], fmt.Sprintf("%s at %s: %s", r.Visit.ID, r.Visit.Place.EVSE, r.Why))
		}
		f.env.Log.Error().Str("vehicle", r.Visit.ID).Str("evse", r.Visit.Place.EVSE).Str("why", r.Why).Msg("visit failed")
	}
	f.now.Energy += r.Energy
}

func (f *Fleet) publish() {
	s := f.now
	s.Present = len(f.here)
	f.stats.Store(&s)
}
