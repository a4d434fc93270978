package smart

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/kittest"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/protocols/ocpp/profile"
	"github.com/voltyard/voltyard/test/virtual"
)

// Stations whose clocks are off by minutes either way go away while they hold leases, and others take their room once these have
// ended. Meanwhile the controller's own clock is set, and it may begin anew. What the absent ones still hold must be over by then,
// by their clocks.
func TestClocksOfAbsentStations(t *testing.T) {
	leases := 0
	for range virtual.Rounds(t, seeds) {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			kittest.Run(t, func(t *testing.T, env *kit.Env) {
				rng := rand.New(rand.NewPCG(seed, 31))
				var kinds []kind
				for range 2 + rng.IntN(4) {
					k := randomKind(rng)
					k.off, k.levels, k.tells = someTime(rng, 6*time.Minute), max(k.levels, 2), true
					kinds = append(kinds, k)
				}
				p := newPark(t, env, seed, kinds)
				p.commission()
				watch := func(d time.Duration) {
					for end := time.Now().Add(d); time.Now().Before(end) && !t.Failed(); time.Sleep(time.Second) {
						p.check(time.Now())
					}
				}
				for range 4 {
					for _, b := range p.boxes {
						for i := range b.kind.evses {
							env.Send(b.id, unplug{i + 1})
							env.Send(b.id, plug{i + 1})
						}
					}
					watch(time.Duration(120+rng.IntN(900)) * time.Second)
					for _, b := range p.boxes {
						if b.holdsLease() {
							leases++
						}
						if rng.IntN(2) == 0 {
							env.Send(b.id, bar{time.Duration(20+rng.IntN(20)) * time.Minute})
						}
					}
					watch(time.Duration(rng.IntN(600)) * time.Second)
					p.clock.Set(someTime(rng, 20*time.Minute))
					if rng.IntN(3) == 0 {
						env.Send(msg.Controller, kit.Crash{Why: "test"})
						env.Send(msg.Balancer, kit.Crash{Why: "test"})
					}
					watch(40 * time.Minute)
				}
			})
		})
	}
	if leases == 0 {
		t.Error("no station ever held a lease: nothing was tested")
	}
}

// holdsLease tells whether the station has a profile in force that ends.
func (b *box) holdsLease() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.store.Select(profile.Filter{}) {
		if p.ValidTo.After(time.Now().Add(b.skew)) {
			return true
		}
	}
	return false
}
