package outage

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/voltyard/voltyard/actors/controller"
	"github.com/voltyard/voltyard/actors/kit"
)

func listen(t *testing.T, addr string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// overLoopback is TCP of this machine, with short times.
func overLoopback(t *testing.T, s setup) *land {
	t.Helper()
	north := listen(t, "127.0.0.1:0")
	w := newWire(s.seed, s.faults...)
	w.pause, w.still, w.hard = 500*time.Millisecond, 2*time.Second, true
	w.far = func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", north.Addr().String())
	}
	w.pair = func(ctx context.Context) (near, out net.Conn, err error) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, nil, err
		}
		defer l.Close()
		if out, err = new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String()); err == nil {
			near, err = l.Accept()
		}
		return near, out, err
	}
	return &land{pace: wallClock, north: north, dial: w.dial, wire: w, south: func() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") },
		visit: func(ctx context.Context, to net.Addr) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", to.String())
		}}
}

// TCP of this machine stalls, ends, is reset and half open forty times, under each security profile towards the cloud.
func TestRealTCP(t *testing.T) {
	t.Parallel()
	for _, p := range []controller.Profile{controller.ProfileBasic, controller.ProfileTLS, controller.ProfileCertificate} {
		t.Run(fmt.Sprintf("profile %d", p), func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			env := kit.NewEnv(zerolog.Nop())
			t.Cleanup(func() { env.System.Shutdown() })
			s := setup{stay: true, profile: p, seed: seed, count: 40, faults: []fault{cut, drop, stall, half}}
			s.land = overLoopback(t, s)
			y := newYard(t, env, s)
			y.until("forty faults", time.Minute, y.wire.over)
			y.wire.calm()
			y.leave()
			y.check()
		})
	}
}
