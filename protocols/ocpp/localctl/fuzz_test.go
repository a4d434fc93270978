package localctl

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// Whatever comes from either side, in either mode, before and after an outage: nothing stops the relay.
func FuzzFrames(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, raw := range frames(r, v201.Actions, rpc.FromBoth) {
		f.Add(raw, true)
	}
	f.Fuzz(func(t *testing.T, raw []byte, stay bool) {
		w := newWorld(t, func(c *Config) { c.Stay = stay })
		w.boot()
		w.do(Grant{Seq: 1, Amps: 16, Until: t0.Add(time.Hour)})
		w.do(FromStation{raw})
		w.do(FromCSMS{raw})
		w.do(CSMSDown{})
		w.do(FromStation{raw})
		w.wait(time.Minute)
		w.do(CSMSUp{})
		w.wait(time.Minute)
		w.do(StationDown{})
		w.start()
	})
}
