package recorder

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/kittest"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/storage/bolt"
	"github.com/voltyard/voltyard/storage/journal"
)

type memory struct {
	commits [][]bolt.Op
	slow    time.Duration
	refuse  string // key that cannot be written
}

func (m *memory) Apply(ops []bolt.Op) error {
	time.Sleep(m.slow)
	for _, op := range ops {
		if string(op.Key) == m.refuse {
			return errors.New("disk full")
		}
	}
	m.commits = append(m.commits, ops)
	return nil
}

func (m *memory) Scan(string, []byte) ([]bolt.KV, error) {
	return []bolt.KV{{Key: []byte("k"), Value: []byte("v")}}, nil
}
func (m *memory) Size() int64 { return 1 }

func run(t *testing.T, store *memory, f func(env *kit.Env, rec *actor.PID, me *kittest.Probe)) {
	kittest.Run(t, func(t *testing.T, env *kit.Env) {
		me := kittest.NewProbe(t, env, "me", nil)
		f(env, kittest.Spawn(t, env, "recorder", New(env, store)), me)
	})
}

func save(me *kittest.Probe, token uint64, key string) msg.Save {
	return msg.Save{Ops: []msg.Op{{Bucket: "b", Key: []byte(key), Value: []byte("v")}}, Token: token, Reply: me.PID}
}

func TestGroupsCommitsAndAnswersAfterThem(t *testing.T) {
	store := &memory{slow: 50 * time.Millisecond}
	run(t, store, func(env *kit.Env, rec *actor.PID, me *kittest.Probe) {
		for i := range uint64(10) {
			env.System.Root.Send(rec, save(me, i, "k"))
		}
		time.Sleep(40 * time.Millisecond)
		if len(me.Take()) != 0 {
			t.Fatal("answered before the commit was on disk")
		}
		time.Sleep(40 * time.Millisecond)
		if got := me.Take(); len(got) != 10 || len(store.commits) != 1 {
			t.Fatalf("%d answers from %d commits, want 10 from 1", len(got), len(store.commits))
		}
	})
}

func TestOneBadWriteTakesNoOtherWithIt(t *testing.T) {
	store := &memory{refuse: "bad"}
	run(t, store, func(env *kit.Env, rec *actor.PID, me *kittest.Probe) {
		for i, k := range []string{"a", "bad", "c"} {
			env.System.Root.Send(rec, save(me, uint64(i), k))
		}
		time.Sleep(time.Second)
		got := me.Take()
		for i, wantErr := range []bool{false, true, false} {
			if m := got[i].(msg.Saved); m.Token != uint64(i) || (m.Err != nil) != wantErr {
				t.Errorf("answer %d: %+v", i, m)
			}
		}
	})
}

func TestStoppingWritesWhatWaitsAndWhatIsUnderWay(t *testing.T) {
	store := &memory{slow: 20 * time.Millisecond}
	run(t, store, func(env *kit.Env, rec *actor.PID, me *kittest.Probe) {
		env.System.Root.Send(rec, save(me, 1, "a"))
		time.Sleep(10 * time.Millisecond) // its commit is under way
		env.System.Root.Send(rec, save(me, 2, "b"))
		_ = env.System.Root.PoisonFuture(rec).Wait()
		if got := me.Take(); len(got) != 2 || len(store.commits) != 2 {
			t.Errorf("%d answers, %d commits; want 2 and 2", len(got), len(store.commits))
		}
	})
}

func TestLoad(t *testing.T) {
	run(t, &memory{}, func(env *kit.Env, rec *actor.PID, me *kittest.Probe) {
		env.System.Root.Send(rec, msg.Load{Bucket: "b", Token: 7, Reply: me.PID})
		if l := me.Take()[0].(msg.Loaded); l.Token != 7 || len(l.Pairs) != 1 || string(l.Pairs[0].Value) != "v" {
			t.Errorf("%+v", l)
		}
	})
}

func TestJournalsDoNotGrowForEver(t *testing.T) {
	db, err := bolt.Open(filepath.Join(t.TempDir(), "x.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	keep := journals["audit"]
	journals["audit"] = 50
	defer func() { journals["audit"] = keep }()
	env := kit.NewEnv(zerolog.Nop())
	rec, err := env.System.Root.SpawnNamed(env.Props("recorder", New(env, db)), "recorder")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 2*trimEvery + 10 {
		env.System.Root.Send(rec, msg.Save{Ops: []msg.Op{{Bucket: "audit", Key: journal.Key(at.Add(time.Duration(i)), 0), Value: []byte("x")}}})
	}
	_ = env.System.Root.PoisonFuture(rec).Wait()
	pairs, err := db.Scan("audit", nil)
	if err != nil || len(pairs) > trimEvery+110 || len(pairs) < 10 {
		t.Errorf("%d records are kept, %v", len(pairs), err)
	}
	if last, _ := journal.Time(pairs[len(pairs)-1].Key); !last.Equal(at.Add(2*trimEvery + 9)) {
		t.Error("the newest record is gone")
	}
}
