package outage

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/voltyard/voltyard/actors/controller"
	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/kittest"
	"github.com/voltyard/voltyard/actors/msg"
	v201 "github.com/voltyard/voltyard/protocols/ocpp/v201"
	"github.com/voltyard/voltyard/test/virtual"
)

// transactions counts transactions, events and repeats.
func transactions(t *testing.T, payloads [][]byte) (txs, events, repeats int) {
	t.Helper()
	known, seen := map[string]bool{}, map[string]bool{}
	for _, p := range payloads {
		var q v201.TransactionEventRequest
		if err := q.UnmarshalJSON(p); err != nil {
			t.Error(err)
			continue
		}
		key := fmt.Sprintf("%s/%d", q.TransactionInfo.TransactionId, q.SeqNo)
		if seen[key] {
			repeats++
		}
		known[q.TransactionInfo.TransactionId], seen[key] = true, true
		events++
	}
	return len(known), events, repeats
}

// The cloud is cut a hundred times, at random frames, while twenty vehicles charge at once.
func TestAHundredCuts(t *testing.T) {
	for _, stay := range []bool{true, false} {
		t.Run(fmt.Sprintf("stay=%v", stay), func(t *testing.T) {
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			kittest.Run(t, func(t *testing.T, env *kit.Env) {
				y := newYard(t, env, setup{stay: stay, seed: seed, count: virtual.Rounds(t, 100), faults: []fault{cut}})
				y.until("a hundred cuts", 10*time.Hour, y.wire.over)
				y.leave()
				y.check()
				if want := virtual.Rounds(t, 100); y.wire.count[cut] != want {
					t.Errorf("the cloud was cut %d times", y.wire.count[cut])
				}
			})
		})
	}
}

// The same while links of the controller die and are made anew from what is on disk.
func TestCutsAndDeadLinks(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	kittest.Run(t, func(t *testing.T, env *kit.Env) {
		y := newYard(t, env, setup{stay: true, seed: seed, count: virtual.Rounds(t, 50), faults: []fault{cut}})
		rng := rand.New(rand.NewPCG(seed, 8))
		y.until("fifty cuts", 10*time.Hour, func() bool {
			if rng.IntN(10) == 0 {
				env.Send(msg.Controller+"/stationlink-"+id(rng.IntN(stations)), kit.Crash{Why: "test"})
			}
			return y.wire.over()
		})
		y.leave()
		y.check()
	})
}

// The link stalls, loses single connections and half-opens them, under each security profile towards the cloud.
func TestABadLink(t *testing.T) {
	for _, p := range []controller.Profile{controller.ProfileBasic, controller.ProfileTLS, controller.ProfileCertificate} {
		t.Run(fmt.Sprintf("profile %d", p), func(t *testing.T) {
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			kittest.Run(t, func(t *testing.T, env *kit.Env) {
				y := newYard(t, env, setup{stay: true, profile: p, seed: seed, count: virtual.Rounds(t, 60), gap: 60, faults: []fault{cut, drop, stall, half}})
				y.until("sixty faults", 10*time.Hour, y.wire.over)
				y.wire.calm()
				y.leave()
				y.check()
			})
		})
	}
}

// The disk is full for a while, with the cloud there and without it: it is said clearly, vehicles go on charging, and what
// was accepted is delivered.
func TestAFullDisk(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	kittest.Run(t, func(t *testing.T, env *kit.Env) {
		y := newYard(t, env, setup{stay: true, seed: seed, count: virtual.Rounds(t, 40), faults: []fault{cut}})
		rng := rand.New(rand.NewPCG(seed, 9))
		for range virtual.Rounds(t, 20) {
			y.disk.fill(true)
			for range 10 + rng.IntN(50) {
				time.Sleep(time.Second)
				if !y.allCharging() {
					t.Fatal("a vehicle stopped charging while the disk was full")
				}
			}
			y.disk.fill(false)
			time.Sleep(time.Duration(rng.IntN(60)) * time.Second)
		}
		y.wire.calm()
		y.leave()
		y.check()
		if y.disk.no == 0 {
			t.Error("nothing was written while the disk was full")
		}
		if want := "free space on the disk"; !y.log.has(want) {
			t.Errorf("the log does not say %q", want)
		}
	})
}
