package station

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/internal/randmsg"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// Whatever the CSMS sends, the station answers by the schema, or not at all, and does not stop.
func FuzzFromCSMS(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 2))
	for name, a := range v201.Actions {
		m := a.Request()
		randmsg.Fill(r, m)
		f.Add(rpc.AppendCall(nil, "x", name, m.AppendJSON(nil)))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		w := newWorld(t, func(c *Config) { c.Certificates, c.Logs, c.Updates, c.Publishes = true, true, &Updates{}, true })
		w.do(Connected{})
		w.do(Plugged{1})
		w.do(Presented{1, card("A")})
		w.do(Message{raw})
		w.do(Message{raw})
		w.wait(time.Minute)
		w.do(Unplugged{1})
		w.start() // what it has stored can be read again
	})
}
