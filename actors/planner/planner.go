// Package planner is the actor of the slow layer: it makes plans (site/plan) outside actors' turns, one at a time, and keeps
// what the site learns in the database: stays of vehicles, usual load and generation, and the month's highest import.
//
// The balancer asks it and goes on; a plan is advice that may come late or never. A task that comes while a plan is being made
// waits, and replaces one that waits already; a plan that takes too long is stopped, and its best so far counts. Only /ems
// spawns it.
package planner

import (
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/plan"
	"github.com/voltyard/voltyard/storage/journal"
)

// Buckets of what is learnt.
const (
	StaysBucket   = "stays"  // a journal of plan.Record, bounded by the recorder
	LearntBucket  = "learnt" // one record for each of the keys below
	loadKey       = "load"   // plan.Profile
	pvKey         = "pv"     // plan.Profile
	peakKey       = "peak"   // peak
	longest       = 10 * time.Second
	patience      = 3 * time.Second // for the database, at the start
	tokenOfStays  = 1
	tokenOfLearnt = 2
)

// Planner is the actor.
type Planner struct {
	env     *kit.Env
	log     zerolog.Logger
	metrics *metrics
	// maker is plan.Live.Plan; tests put others in its place.
	maker func(l *plan.Live, t plan.Task, stop func() bool) plan.Schedule

	timers *kit.Timers
	live   *plan.Live // the working goroutine's while busy
	loaded int        // answers of the database that are there
	ready  bool
	busy   bool
	stop   *atomic.Bool
	next   *msg.PlanTask
	peak   peak
	seq    uint32
	late   []msg.Loaded // that came while busy
}

// peak is the highest quarter-hour average of a month's import.
type peak struct {
	Month string   `json:"month"` // 2006-01, UTC
	Power si.Watts `json:"power_w"`
}

type metrics struct {
	wall    prometheus.Histogram
	stopped prometheus.Counter
}

// New returns the producer of the actor.
func New(env *kit.Env) func() actor.Actor {
	return NewWith(env, func(l *plan.Live, t plan.Task, stop func() bool) plan.Schedule { return l.Plan(t, stop) })
}

// NewWith is New with another way to make plans, for tests of plans that are late, wrong or never ready.
func NewWith(env *kit.Env, maker func(l *plan.Live, t plan.Task, stop func() bool) plan.Schedule) func() actor.Actor {
	m := &metrics{
		wall:    prometheus.NewHistogram(prometheus.HistogramOpts{Name: "voltyard_plan_seconds", Help: "Time of making a plan.", Buckets: prometheus.ExponentialBuckets(1e-3, 4, 8)}),
		stopped: prometheus.NewCounter(prometheus.CounterOpts{Name: "voltyard_plan_stopped_total", Help: "Plans that took too long and were stopped."}),
	}
	env.Metrics.Registry.MustRegister(m.wall, m.stopped)
	return func() actor.Actor {
		return &Planner{env: env, metrics: m, maker: maker, live: plan.NewLive(), log: env.Log.With().Str("actor", "planner").Logger()}
	}
}

// made is a plan that is ready; err is a panic in the making.
type made struct {
	schedule plan.Schedule
	ended    []plan.Record
	load, pv []byte // profiles to be stored, nil when nothing was learnt
	took     time.Duration
	err      any
}

// Receive handles one message.
func (p *Planner) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		p.timers = kit.NewTimers(ctx)
		ctx.Send(p.env.At(msg.Recorder), msg.Load{Bucket: StaysBucket, Token: tokenOfStays, Reply: ctx.Self()})
		ctx.Send(p.env.At(msg.Recorder), msg.Load{Bucket: LearntBucket, Token: tokenOfLearnt, Reply: ctx.Self()})
		p.timers.Set("patience", patience)
	case msg.Loaded:
		if p.busy {
			p.late = append(p.late, m)
			return
		}
		p.learn(m)
	case msg.PlanTask:
		if m.Average != nil {
			p.imported(ctx, *m.Average, m.Quarter)
		}
		p.next = &m
		p.begin(ctx)
	case made:
		p.finish(ctx, m)
	case kit.Fired:
		switch {
		case !p.timers.Due(m):
		case m.Key == "patience":
			p.ready = true
			p.begin(ctx)
		case m.Key == "longest" && p.busy:
			p.metrics.stopped.Inc()
			p.log.Warn().Dur("after", longest).Msg("the plan takes too long; its best so far is used")
			p.stop.Store(true)
		}
	case *actor.Stopping:
		p.timers.StopAll()
		if p.busy {
			p.stop.Store(true)
		}
	}
}

// learn takes in what the database holds. What cannot be read is left out.
func (p *Planner) learn(m msg.Loaded) {
	if m.Err != nil {
		p.log.Error().Err(m.Err).Str("bucket", m.Bucket).Msg("what was learnt cannot be read; the planner begins anew")
	}
	switch m.Token {
	case tokenOfStays:
		var past []plan.Record
		for _, kv := range m.Pairs {
			var r plan.Record
			if json.Unmarshal(kv.Value, &r) == nil {
				past = append(past, r)
			}
		}
		p.live.Learn(past)
	case tokenOfLearnt:
		for _, kv := range m.Pairs {
			switch string(kv.Key) {
			case loadKey:
				profile(kv.Value, &p.live.Load)
			case pvKey:
				profile(kv.Value, &p.live.PV)
			case peakKey:
				var x peak
				if json.Unmarshal(kv.Value, &x) == nil && si.Finite(x.Power) && x.Power >= 0 && p.peak.Month == "" {
					p.peak = x
				}
			}
		}
	}
	if p.loaded++; p.loaded == 2 {
		p.ready = true
		p.timers.Stop("patience")
	}
}

func profile(text []byte, into *plan.Profile) {
	var x plan.Profile
	if json.Unmarshal(text, &x) == nil && x.Sound() {
		*into = x
	}
}

// imported keeps the month's highest quarter hour.
func (p *Planner) imported(ctx actor.Context, w si.Watts, quarter time.Time) {
	month := quarter.UTC().Format("2006-01")
	if !si.Finite(w) || month == p.peak.Month && w <= p.peak.Power {
		return
	}
	p.peak = peak{month, max(0, w)}
	if text, err := json.Marshal(p.peak); err == nil {
		p.save(ctx, msg.Op{Bucket: LearntBucket, Key: []byte(peakKey), Value: text})
	}
}

func (p *Planner) save(ctx actor.Context, ops ...msg.Op) {
	ctx.Send(p.env.At(msg.Recorder), msg.Save{Ops: ops})
}

// begin works on the task that waits, unless a plan is being made.
func (p *Planner) begin(ctx actor.Context) {
	if p.busy || !p.ready && p.loaded < 2 || p.next == nil {
		return
	}
	for _, m := range p.late {
		p.learn(m)
	}
	p.late = nil
	task := p.next.Task
	if task.Now.UTC().Format("2006-01") == p.peak.Month {
		task.Peak = p.peak.Power
	}
	p.next, p.busy, p.stop = nil, true, &atomic.Bool{}
	p.timers.Set("longest", longest)
	root, self, stop, live, run := ctx.ActorSystem().Root, ctx.Self(), p.stop, p.live, p.maker
	go func() {
		var out made
		start := time.Now()
		defer func() {
			if r := recover(); r != nil {
				out.err = r
			}
			out.took = time.Since(start)
			root.Send(self, out)
		}()
		out.schedule = run(live, task, stop.Load)
		out.ended = live.Ended()
		load, pv := live.Learned()
		if load {
			out.load, _ = json.Marshal(&live.Load) // finite numbers
		}
		if pv {
			out.pv, _ = json.Marshal(&live.PV)
		}
	}()
}

// finish hands a plan over and stores what was learnt.
func (p *Planner) finish(ctx actor.Context, m made) {
	p.busy = false
	p.timers.Stop("longest")
	if m.err != nil {
		panic(fmt.Sprint("planning: ", m.err)) // the parent starts a new planner
	}
	p.metrics.wall.Observe(m.took.Seconds())
	ctx.Send(p.env.At(msg.Balancer), msg.Planned{Schedule: m.schedule})
	var ops []msg.Op
	for _, r := range m.ended {
		if text, err := json.Marshal(r); err == nil {
			p.seq++
			ops = append(ops, msg.Op{Bucket: StaysBucket, Key: journal.Key(time.Now(), p.seq), Value: text})
		}
	}
	if m.load != nil {
		ops = append(ops, msg.Op{Bucket: LearntBucket, Key: []byte(loadKey), Value: m.load})
	}
	if m.pv != nil {
		ops = append(ops, msg.Op{Bucket: LearntBucket, Key: []byte(pvKey), Value: m.pv})
	}
	if len(ops) > 0 {
		p.save(ctx, ops...)
	}
	p.begin(ctx)
}
