package localctl

import (
	"encoding/json"
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

// A report that is understood is still JSON afterwards, names none of the controller's profiles, and can be said to be the last one
// or not.
func FuzzReadReport(f *testing.F) {
	f.Add([]byte(`{"requestId":5,"tbc":true,"chargingProfile":[{"id":-1971000002},{"id":7}]}`))
	f.Add([]byte(` {"chargingProfile":[{"id":-1971000002.0}],"chargingProfile":[] , "x":{"tbc":1}} `))
	f.Fuzz(func(t *testing.T, b []byte) {
		q, ok := readReport(b)
		if !ok || !json.Valid(b) {
			return
		}
		again, ok := readReport(q.payload)
		if !ok || again.hidden || again.theirs != q.theirs || again.request != q.request || !json.Valid(q.payload) {
			t.Fatalf("%s became %s", b, q.payload)
		}
		if q.theirs == 0 {
			return
		}
		for _, more := range []bool{true, false} {
			c, ok := readReport(continued(q.payload, more))
			if !ok || c.more != more || c.theirs != q.theirs {
				t.Fatalf("%s became %s", b, c.payload)
			}
		}
	})
}
