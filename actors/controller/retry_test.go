package controller

import (
	"context"
	"errors"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/kittest"
	"github.com/voltyard/voltyard/actors/kit/ocppstat"
	"github.com/voltyard/voltyard/actors/kit/ws"
	"github.com/voltyard/voltyard/actors/msg"
)

// The wait doubles as often as is set, and no more; chance adds to each; a connection begins it anew.
func TestRetryDoubles(t *testing.T) {
	by := msg.Retry{Times: 2, Minimum: 10 * time.Second}
	var r retry
	var got []time.Duration
	for range 5 {
		got = append(got, r.next(by))
	}
	if want := []time.Duration{10e9, 20e9, 40e9, 40e9, 40e9}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if r.reset(); r.next(by) != 10*time.Second {
		t.Error("not begun anew")
	}
	by.Range = 5 * time.Second
	seen := map[time.Duration]bool{}
	for range 100 {
		r.reset()
		d := r.next(by)
		if seen[d] = true; d < 10*time.Second || d > 15*time.Second {
			t.Fatalf("%v", d)
		}
	}
	if len(seen) < 50 {
		t.Errorf("%d different waits of 100", len(seen))
	}
	r = retry{failed: 1 << 30}
	if d := r.next(msg.Retry{Times: 1 << 30, Minimum: 86400 * time.Second, Range: time.Hour}); d != mostWait {
		t.Errorf("%v", d)
	}
}

// An own station's connection is tried again as the station says, from the next wait on.
func TestUplinkWaitsAsTheStationSays(t *testing.T) {
	kittest.Run(t, func(t *testing.T, env *kit.Env) {
		var at []time.Duration
		begun := time.Now()
		kittest.NewProbe(t, env, msg.StationName("CS"), func(actor.Context) {})
		pid := kittest.Spawn(t, env, msg.Controller, New(env, Config{Own: []string{"CS"}, Stats: ocppstat.New(env), NewID: ws.NewID,
			CSMS: &CSMS{URL: "ws://csms/ocpp", Dial: func(context.Context, string, string) (net.Conn, error) {
				at = append(at, time.Since(begun))
				return nil, errors.New("nobody is there")
			}}}))
		to := msg.UplinkTarget{Station: "CS", Retry: msg.Retry{Times: 1, Minimum: 10 * time.Second}}
		env.System.Root.Send(pid, msg.UplinkOpen{Station: "CS", Begun: 1, Target: to, Reply: env.At(msg.StationName("CS"))})
		time.Sleep(55 * time.Second) // at 0, 10, 30 and 50 s
		to.Retry = msg.Retry{Minimum: 100 * time.Second}
		env.System.Root.Send(pid, to)
		time.Sleep(200 * time.Second) // at 70 s, the wait that had begun, and at 170 s
		synctest.Wait()
		if want := []time.Duration{0, 10e9, 30e9, 50e9, 70e9, 170e9}; !slices.Equal(at, want) {
			t.Errorf("%v, want %v", at, want)
		}
	})
}
