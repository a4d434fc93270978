package outage

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/voltyard/voltyard/actors/controller"
	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/kittest"
	"github.com/voltyard/voltyard/actors/kit/ws"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/actors/sim/station"
	"github.com/voltyard/voltyard/test/virtual"
)

// Stations that are switched off while the cloud is gone leave their transactions to the controller, which delivers them when
// the cloud is back, though the stations are not.
func TestStationsThatNeverComeBack(t *testing.T) {
	abandoned(t, setup{}, func(y *yard) {
		y.until("the delivery of all events", 2*time.Hour, func() bool { return y.disk.waiting() == "" })
	})
}

const pass = "correct-horse-battery"

// The same when the controller begins anew meanwhile: it knows what to show to the cloud where that takes its own certificate, where
// the stations showed nothing, and where the site file has their passwords.
func TestStationsThatNeverComeBackAfterARestart(t *testing.T) {
	cases := []struct {
		name string
		s    setup
	}{
		{"stations without a password", setup{}},
		{"passwords in the site file", setup{pass: pass, stored: pass}},
		{"the controller's own certificate", setup{profile: controller.ProfileCertificate}},
		{"passwords, and a certificate", setup{profile: controller.ProfileCertificate, pass: pass, stored: pass}},
		{"TLS, and passwords in the site file", setup{profile: controller.ProfileTLS, pass: pass, stored: pass}},
	}
	for _, c := range cases[:virtual.Rounds(t, len(cases))] {
		t.Run(c.name, func(t *testing.T) {
			abandoned(t, c.s, func(y *yard) {
				y.again()
				y.until("the delivery of all events", 2*time.Hour, func() bool { return y.disk.waiting() == "" })
			})
		})
	}
	t.Run("passwords that only the stations know", func(t *testing.T) {
		abandoned(t, setup{pass: pass}, func(y *yard) {
			y.again()
			time.Sleep(2 * time.Hour)
			if y.disk.waiting() == "" {
				t.Error("the controller has shown something that it cannot know")
			}
			y.disk.mu.Lock()
			for key, value := range y.disk.data {
				if strings.Contains(string(value), pass) || strings.Contains(string(value), strings.TrimPrefix(ws.Basic(id(0), pass), "Basic ")) {
					t.Errorf("%q holds a password", key)
				}
			}
			y.disk.mu.Unlock()
			for i := range stations {
				y.back(i)
			}
			y.until("the delivery of all events", 2*time.Hour, func() bool { return y.disk.waiting() == "" })
			for i := range stations {
				y.away(i)
			}
		})
	})
}

// abandoned has all vehicles leave while the cloud is gone, and then all stations, lets then bring about the delivery, and looks at
// what the cloud has.
func abandoned(t *testing.T, s setup, then func(*yard)) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	s.stay, s.seed, s.faults = true, seed, []fault{cut}
	kittest.Run(t, func(t *testing.T, env *kit.Env) {
		y := newYard(t, env, s)
		time.Sleep(10 * time.Minute)
		y.wire.sever(time.Hour)
		time.Sleep(10 * time.Minute)
		for i := range stations {
			env.Send(id(i), station.Leave{EVSE: 1})
		}
		y.until("the end of all transactions", 30*time.Minute, func() bool { return y.ended.Load() == stations })
		time.Sleep(time.Minute)
		for i := range stations {
			y.away(i)
		}
		if y.disk.waiting() == "" {
			t.Fatal("nothing waits for the cloud")
		}
		then(y)
		time.Sleep(time.Minute)
		y.check()
		if n := y.wire.connections(); n != 0 {
			t.Errorf("%d connections to the cloud are left without a station", n)
		}
	})
}

// again has the controller begin anew.
func (y *yard) again() {
	y.t.Helper()
	if err := y.env.System.Root.PoisonFuture(y.env.At(msg.Controller)).Wait(); err != nil {
		y.t.Fatal(err)
	}
	y.spawn(msg.Controller, y.control)
	to := <-y.south
	y.at.Store(&to)
}

// away switches a station off.
func (y *yard) away(i int) {
	y.t.Helper()
	if err := y.env.System.Root.StopFuture(y.env.At(id(i))).Wait(); err != nil {
		y.t.Fatal(err)
	}
}

// back switches it on again, without a vehicle.
func (y *yard) back(i int) {
	y.t.Helper()
	y.spawn(id(i), station.New(&y.around, station.Config{URL: "ws://site/ocpp", Identity: id(i), Password: y.pass, MaxAmps: 32, NewID: ws.NewID, Dial: y.visit}))
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
