package planner

import (
	"encoding/json"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/kittest"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/plan"
	"github.com/voltyard/voltyard/site/topology"
)

func tree(t *testing.T) *topology.Tree {
	t.Helper()
	f := si.Same(64)
	tr, err := topology.New(topology.Site{Nodes: []topology.Node{{ID: "grid", Fuse: &f}}, EVSEs: []topology.EVSE{{ID: "e0", Node: "grid", Phases: 3, Max: 32}}})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func task(tr *topology.Tree, since time.Time) msg.PlanTask {
	bounds := make([]float64, len(tr.Rows()))
	for i := range bounds {
		bounds[i] = 64
	}
	t := msg.PlanTask{Task: plan.Task{Now: time.Now(), Tree: tr, Bounds: bounds}}
	if !since.IsZero() {
		t.Visits = []plan.Visit{{EVSE: "e0", Since: since, Stay: time.Since(since), Wanted: 5000, Delivered: 2000, Max: 32, SoC: -1}}
	}
	return t
}

// database answers loads from what was saved.
type database struct {
	mu   sync.Mutex
	rows map[string][]msg.KV
	mute bool
}

func (d *database) answer(ctx actor.Context) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch m := ctx.Message().(type) {
	case msg.Save:
		for _, o := range m.Ops {
			d.rows[o.Bucket] = append(d.rows[o.Bucket], msg.KV{Key: o.Key, Value: o.Value})
		}
	case msg.Load:
		if !d.mute {
			ctx.Send(m.Reply, msg.Loaded{Bucket: m.Bucket, Token: m.Token, Pairs: d.rows[m.Bucket]})
		}
	}
}

func run(t *testing.T, db *database, maker func(*plan.Live, plan.Task, func() bool) plan.Schedule, f func(env *kit.Env, balancer *kittest.Probe, pid *actor.PID)) {
	kittest.Run(t, func(t *testing.T, env *kit.Env) {
		if db.rows == nil {
			db.rows = map[string][]msg.KV{}
		}
		kittest.NewProbe(t, env, msg.Recorder, db.answer)
		b := kittest.NewProbe(t, env, msg.Balancer, nil)
		pid := kittest.Spawn(t, env, msg.Planner, NewWith(env, maker))
		synctest.Wait()
		f(env, b, pid)
	})
}

func real(l *plan.Live, t plan.Task, stop func() bool) plan.Schedule { return l.Plan(t, stop) }

func TestWhatIsLearntIsKept(t *testing.T) {
	tr, db := tree(t), &database{}
	run(t, db, real, func(env *kit.Env, b *kittest.Probe, pid *actor.PID) {
		since := time.Now()
		w := si.Watts(7000)
		for range 40 {
			m := task(tr, since)
			m.Load = &w
			env.System.Root.Send(pid, m)
			time.Sleep(time.Minute)
		}
		if p, ok := kittest.Last[msg.Planned](b.Take()); !ok || len(p.Advices) != 1 {
			t.Fatalf("%+v", p)
		}
		average := si.Watts(12345)
		m := task(tr, time.Time{})
		m.Average, m.Quarter = &average, time.Now()
		env.System.Root.Send(pid, m)
		time.Sleep(time.Second)
	})
	var r plan.Record
	if got := db.rows[StaysBucket]; len(got) != 1 || json.Unmarshal(got[0].Value, &r) != nil || r.Length != 8 || r.Energy != 2000 {
		t.Errorf("%d stays, %+v", len(db.rows[StaysBucket]), r)
	}
	keys := map[string]bool{}
	for _, kv := range db.rows[LearntBucket] {
		keys[string(kv.Key)] = true
	}
	if !keys[loadKey] || !keys[peakKey] {
		t.Errorf("%v is kept", keys)
	}
	for range 10 {
		db.rows[StaysBucket] = append(db.rows[StaysBucket], msg.KV{Value: []byte("no record")})
	}
	db.rows[LearntBucket] = append(db.rows[LearntBucket], msg.KV{Key: []byte(pvKey), Value: []byte(`{"Mean":[1]}`)}, msg.KV{Key: []byte("else"), Value: nil})
	var seen plan.Task
	run(t, db, func(l *plan.Live, t plan.Task, _ func() bool) plan.Schedule {
		seen = t
		if w, ok := l.Load.At(t.Now); !ok || w < 6999 {
			seen.Peak = -1
		}
		return plan.Schedule{Made: t.Now}
	}, func(env *kit.Env, _ *kittest.Probe, pid *actor.PID) {
		env.System.Root.Send(pid, task(tr, time.Now()))
		time.Sleep(time.Second)
	})
	if seen.Peak != 12345 {
		t.Errorf("peak %v after a restart", seen.Peak)
	}
}

// Tasks that come meanwhile are not planned one after the other, but only the newest; a plan that never ends is stopped.
func TestAPlanThatNeverEndsIsStopped(t *testing.T) {
	tr := tree(t)
	var plans, stopped atomic.Int32
	run(t, &database{mute: true}, func(_ *plan.Live, task plan.Task, stop func() bool) plan.Schedule {
		plans.Add(1)
		for !stop() {
			time.Sleep(100 * time.Millisecond)
		}
		stopped.Add(1)
		return plan.Schedule{Made: task.Now}
	}, func(env *kit.Env, b *kittest.Probe, pid *actor.PID) {
		for range 20 { // the database does not answer: it begins after a while
			env.System.Root.Send(pid, task(tr, time.Now()))
			time.Sleep(200 * time.Millisecond)
		}
		time.Sleep(2 * longest)
		if got := kittest.Of[msg.Planned](b.Take()); len(got) != 2 || plans.Load() != 2 {
			t.Errorf("%d plans, %d made", len(got), plans.Load())
		}
		env.System.Root.Send(pid, task(tr, time.Now()))
		time.Sleep(time.Second)
	})
	if stopped.Load() != plans.Load() { // also by the end of the actor
		t.Errorf("%d of %d plans were stopped", stopped.Load(), plans.Load())
	}
}

func TestAPanicInPlanningIsTheActorsOwn(t *testing.T) {
	tr := tree(t)
	run(t, &database{}, func(*plan.Live, plan.Task, func() bool) plan.Schedule { panic("planning") }, func(env *kit.Env, b *kittest.Probe, pid *actor.PID) {
		env.System.Root.Send(pid, task(tr, time.Now()))
		time.Sleep(time.Second)
		if got := kittest.Of[msg.Planned](b.Take()); len(got) != 0 {
			t.Errorf("%+v", got)
		}
	})
}
