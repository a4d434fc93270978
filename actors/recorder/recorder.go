// Package recorder is the actor that writes the site's database, the only one. It commits in groups: what comes within
// a few milliseconds goes to disk together, and each sender hears about it when it is there.
//
// Only /ems spawns it.
package recorder

import (
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/sessiontrace"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/storage/bolt"
	"github.com/voltyard/voltyard/storage/journal"
)

// Group is how long a write may wait for others to share its commit.
const Group = 5 * time.Millisecond

// journals are the buckets that only grow, and how many of their newest records are kept.
var journals = map[string]int{"audit": 10000, "stays": 4000, sessiontrace.Summaries: 500, sessiontrace.Traces: 500}

// trimEvery is after how many records of a journal its old end is looked at.
const trimEvery = 500

// Store is the database as the recorder uses it; tests put failing ones in its place.
type Store interface {
	Apply([]bolt.Op) error
	Scan(bucket string, prefix []byte) ([]bolt.KV, error)
	Size() int64
}

// Recorder is the actor. The store outlives it: a recorder that failed is respawned on the same open store.
type Recorder struct {
	env   *kit.Env
	store Store

	timers  *kit.Timers
	waiting []msg.Save
	metrics *metrics

	flight *flight
	grown  map[string]int // records written to journals since they were trimmed
}

// flight is the commit under way. The goroutine that makes it writes results before it ends.
type flight struct {
	wg      sync.WaitGroup
	batch   []msg.Save
	results []error // one for each of the batch
	took    time.Duration
	trim    []string // journals to be trimmed
}

type metrics struct {
	commit prometheus.Histogram
	failed prometheus.Counter
	size   prometheus.Gauge
}

// New returns the producer of the actor.
func New(env *kit.Env, store Store) func() actor.Actor {
	m := &metrics{
		commit: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "voltyard_recorder_commit_seconds", Help: "Time of a commit to disk.", Buckets: prometheus.ExponentialBuckets(1e-4, 4, 8)}),
		failed: prometheus.NewCounter(prometheus.CounterOpts{Name: "voltyard_recorder_failed_total", Help: "Commits that failed; their senders were told."}),
		size:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "voltyard_recorder_file_bytes", Help: "Size of the database file."}),
	}
	env.Metrics.Registry.MustRegister(m.commit, m.failed, m.size)
	return func() actor.Actor { return &Recorder{env: env, store: store, metrics: m} }
}

// committed says that the commit under way has ended.
type committed struct{ f *flight }

// Receive handles Save and Load. Loads see what was committed before them; senders that need to read their own writes
// wait for Saved first.
func (r *Recorder) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		r.timers = kit.NewTimers(ctx)
	case msg.Save:
		r.waiting = append(r.waiting, m)
		if r.flight == nil && !r.timers.Running("commit") {
			r.timers.Set("commit", Group)
		}
	case kit.Fired:
		if r.timers.Due(m) && r.flight == nil {
			r.commit(ctx)
		}
	case committed:
		r.land(ctx, m.f)
		if len(r.waiting) > 0 {
			r.commit(ctx)
		}
	case msg.Load:
		pairs, err := r.store.Scan(m.Bucket, m.Prefix)
		out := msg.Loaded{Bucket: m.Bucket, Token: m.Token, Err: err, Pairs: make([]msg.KV, len(pairs))}
		for i, p := range pairs {
			out.Pairs[i] = msg.KV(p)
		}
		ctx.Send(m.Reply, out)
	case *actor.Stopping:
		r.timers.StopAll()
		if f := r.flight; f != nil { // its message would come too late for the mailbox
			f.wg.Wait()
			r.land(ctx, f)
		}
		if len(r.waiting) > 0 {
			f := &flight{batch: r.waiting, trim: r.overgrown(r.waiting)}
			r.waiting = nil
			f.commit(r.store)
			r.land(ctx, f)
		}
	}
}

func (r *Recorder) commit(ctx actor.Context) {
	f := &flight{batch: r.waiting, trim: r.overgrown(r.waiting)}
	r.waiting, r.flight = nil, f
	root, self, store := ctx.ActorSystem().Root, ctx.Self(), r.store
	f.wg.Go(func() { f.commit(store) })
	go func() {
		f.wg.Wait()
		root.Send(self, committed{f})
	}()
}

// commit writes the batch in one transaction. When that fails, each save is tried alone, so that one that cannot be
// written takes no other with it.
func (f *flight) commit(store Store) {
	start := time.Now()
	f.results = make([]error, len(f.batch))
	if err := store.Apply(ops(f.batch)); err != nil {
		for i := range f.batch {
			f.results[i] = err
			if len(f.batch) > 1 {
				f.results[i] = store.Apply(ops(f.batch[i : i+1]))
			}
		}
	}
	for _, bucket := range f.trim {
		f.results = append(f.results, trim(store, bucket))
	}
	f.took = time.Since(start)
}

// overgrown counts what a batch adds to journals, and names those whose old end is due.
func (r *Recorder) overgrown(batch []msg.Save) []string {
	var due []string
	for _, s := range batch {
		for _, op := range s.Ops {
			if journals[op.Bucket] == 0 {
				continue
			}
			if r.grown == nil {
				r.grown = map[string]int{}
			}
			if r.grown[op.Bucket]++; r.grown[op.Bucket] >= trimEvery {
				r.grown[op.Bucket] = 0
				due = append(due, op.Bucket)
			}
		}
	}
	return due
}

// trim deletes the oldest records of a journal.
func trim(store Store, bucket string) error {
	pairs, err := store.Scan(bucket, nil)
	if err != nil {
		return err
	}
	keys := make([][]byte, len(pairs))
	for i, p := range pairs {
		keys[i] = p.Key
	}
	var gone []bolt.Op
	for _, k := range journal.Excess(keys, journals[bucket]) {
		gone = append(gone, bolt.Op{Bucket: bucket, Key: k})
	}
	if len(gone) == 0 {
		return nil
	}
	return store.Apply(gone)
}

func ops(batch []msg.Save) []bolt.Op {
	var out []bolt.Op
	for _, s := range batch {
		for _, op := range s.Ops {
			out = append(out, bolt.Op(op))
		}
	}
	return out
}

// land tells the senders of a commit that has ended.
func (r *Recorder) land(ctx actor.Context, f *flight) {
	r.flight = nil
	r.metrics.commit.Observe(f.took.Seconds())
	r.metrics.size.Set(float64(r.store.Size()))
	for i, s := range f.batch {
		if err := f.results[i]; err != nil {
			r.metrics.failed.Inc()
			r.env.Log.Error().Err(err).Msg("not stored; free space on the disk of the data directory, or replace it")
		}
		if s.Reply != nil {
			ctx.Send(s.Reply, msg.Saved{Token: s.Token, Err: f.results[i]})
		}
	}
	for _, err := range f.results[len(f.batch):] {
		if err != nil {
			r.env.Log.Error().Err(err).Msg("the old end of a journal is not deleted")
		}
	}
}
