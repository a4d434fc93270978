package outage

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/kittest"
	"github.com/voltyard/voltyard/actors/sim/station"
)

// Stations that are switched off while the cloud is gone leave their transactions to the controller, which delivers them when
// the cloud is back, though the stations are not.
func TestStationsThatNeverComeBack(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	kittest.Run(t, func(t *testing.T, env *kit.Env) {
		y := newYard(t, env, setup{stay: true, seed: seed, faults: []fault{cut}})
		time.Sleep(10 * time.Minute)
		y.wire.sever(time.Hour)
		time.Sleep(10 * time.Minute)
		for i := range stations {
			env.Send(id(i), station.Leave{EVSE: 1})
		}
		y.until("the end of all transactions", 30*time.Minute, func() bool { return y.ended.Load() == stations })
		time.Sleep(time.Minute)
		for i := range stations {
			if err := env.System.Root.StopFuture(env.At(id(i))).Wait(); err != nil {
				t.Fatal(err)
			}
		}
		if y.disk.waiting() == "" {
			t.Fatal("nothing waits for the cloud")
		}
		y.until("the delivery of all events", 2*time.Hour, func() bool { return y.disk.waiting() == "" })
		time.Sleep(time.Minute)
		y.check()
		if n := y.wire.connections(); n != 0 {
			t.Errorf("%d connections to the cloud are left without a station", n)
		}
	})
}

// sever ends all connections, and lets none be made for a while.
func (w *wire) sever(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.until = time.Now().Add(d)
	for j := range w.open {
		w.close(j)
	}
}

func (w *wire) connections() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.open)
}
