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

// overIP has the cloud in one network namespace and the controller's connections to it in another.
func overIP(t *testing.T, seed uint64) (*land, *forwarder) {
	t.Helper()
	near, far, f := twoPlaces(t, seed)
	at := &land{pace: wallClock, south: func() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") },
		visit: func(ctx context.Context, to net.Addr) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", to.String())
		}}
	if err := far.do(func() (err error) { at.north, err = net.Listen("tcp", "10.99.0.2:9000"); return err }); err != nil {
		t.Fatal(err)
	}
	at.dial = func(ctx context.Context, _, _ string) (c net.Conn, err error) {
		err = near.do(func() (err error) { c, err = new(net.Dialer).DialContext(ctx, "tcp", "10.99.0.2:9000"); return err })
		return c, err
	}
	return at, f
}

// IP packets between controller and cloud are lost, late, out of order and doubled, under the security profiles with TLS.
func TestLossyIP(t *testing.T) {
	if testing.Short() {
		t.Skip("needs half a minute of wall time for enough lost packets: run it without -short")
	}
	t.Parallel()
	for _, p := range []controller.Profile{controller.ProfileTLS, controller.ProfileCertificate} {
		t.Run(fmt.Sprintf("profile %d", p), func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			at, f := overIP(t, seed)
			env := kit.NewEnv(zerolog.Nop())
			t.Cleanup(func() { env.System.Shutdown() })
			y := newYard(t, env, setup{stay: true, profile: p, seed: seed, land: at})
			f.set(true)
			<-time.After(20 * time.Second)
			f.set(false)
			y.leave()
			y.check()
			t.Logf("packets passed %d, lost %d, repeated %d; dark %d times", f.passed, f.lost, f.repeated, f.darkness)
			if f.lost < 100 || f.repeated < 100 || f.darkness == 0 {
				t.Error("the link was too good")
			}
		})
	}
}
