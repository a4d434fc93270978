package localctl

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/ocpp/profile"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/station"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// claim is what the balancer must count with: a grant that the station may follow.
type claim struct {
	seq   uint64
	amps  si.Amps
	until time.Time
}

// chain is a real station role behind the relay, with messages that take their time, connections that break and a
// controller that dies; the test is balancer and CSMS.
type chain struct {
	*rapid.T
	r       *Relay
	st      *station.Station
	cfg     Config
	now     time.Time
	disk    map[string][]byte // of the controller
	sdisk   map[string][]byte // of the station
	up      [][]byte          // station to controller
	down    [][]byte          // controller to station
	online  bool
	ids     int
	limit   si.Amps // that the station keeps
	acked   claim
	pending []claim
	seq     uint64
}

const stationMax = 32

func (c *chain) newID() string { c.ids++; return fmt.Sprint("id", c.ids) }

func (c *chain) relay(ev Event) {
	queue := []Event{ev}
	for len(queue) > 0 {
		ev, queue = queue[0], queue[1:]
		for _, e := range c.r.Step(c.now, ev, nil) {
			switch e := e.(type) {
			case Unread:
				queue = append(queue, Read{})
			case ToStation:
				if c.online {
					c.down = append(c.down, e.Raw)
				}
			case ToCSMS:
				if f, err := rpc.Parse(e.Raw); err == nil && f.Type == rpc.Call {
					queue = append(queue, FromCSMS{rpc.AppendResult(nil, f.ID, []byte(accept(f)))})
				}
			case Save:
				for _, op := range e.Ops {
					c.disk[op.Key] = op.Value
					if op.Value == nil {
						delete(c.disk, op.Key)
					}
				}
				queue = append(queue, Stored{Token: e.Token})
			case Ack:
				c.ack(e)
			}
		}
	}
}

func (c *chain) ack(a Ack) {
	for i, p := range c.pending {
		if p.seq != a.Seq {
			continue
		}
		if a.Refused {
			c.pending = append(c.pending[:i:i], c.pending[i+1:]...)
		} else {
			c.acked, c.pending = p, append([]claim(nil), c.pending[i+1:]...)
		}
		return
	}
}

func (c *chain) step(ev station.Event) {
	queue := []station.Event{ev}
	for len(queue) > 0 {
		ev, queue = queue[0], queue[1:]
		for _, e := range c.st.Step(c.now, ev, nil) {
			switch e := e.(type) {
			case station.Write:
				if c.online {
					c.up = append(c.up, e.Raw)
				}
			case station.Save:
				for _, op := range e.Ops {
					c.sdisk[op.Key] = op.Value
					if op.Value == nil {
						delete(c.sdisk, op.Key)
					}
				}
				queue = append(queue, station.Stored{Token: e.Token})
			case station.StationLimit:
				c.limit = e.Limit.Amps
			}
		}
	}
}

// reserved is what the balancer counts with for the station (site/lease has the same rule).
func (c *chain) reserved() si.Amps {
	most := si.Amps(0)
	for _, k := range append([]claim{c.acked}, c.pending...) {
		a := k.amps
		if !k.until.IsZero() && c.now.After(k.until.Add(time.Minute)) {
			a = min(a, c.cfg.Fallback)
		}
		most = max(most, a)
	}
	return most
}

func (c *chain) startRelay() {
	r, err := New(c.cfg, c.disk, c.now)
	if err != nil {
		c.Fatal(err)
	}
	c.r = r
	c.relay(CSMSUp{})
	if c.online {
		c.relay(StationUp{})
	}
}

func (c *chain) connect(on bool) {
	if on == c.online {
		return
	}
	c.online, c.up, c.down = on, nil, nil
	if on {
		c.relay(CSMSUp{})
		c.relay(StationUp{})
		c.step(station.Connected{})
		return
	}
	c.relay(StationDown{})
	c.step(station.Disconnected{})
}

// The station never keeps a higher limit than the balancer counts with, whatever the CSMS sets and clears, however late
// messages are, whenever connections break and the controller dies.
func TestStationNeverMayMoreThanIsReserved(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := &chain{T: rt, now: t0, disk: map[string][]byte{}, sdisk: map[string][]byte{}, acked: claim{amps: stationMax}}
		c.cfg = Config{Identity: "CS1", Version: rpc.V201, Fallback: 6, MaxAmps: stationMax, Volts: 230, NewID: c.newID}
		st, err := station.New(station.Config{Identity: "CS1", Vendor: "v", Model: "m", NewID: c.newID,
			EVSEs: []station.EVSEConfig{{Rating: profile.Rating{Phases: 3, Volts: 230, Max: stationMax}}}}, nil, c.now)
		if err != nil {
			rt.Fatal(err)
		}
		c.st = st
		c.startRelay()
		c.connect(true)
		for i := range rapid.IntRange(30, 200).Draw(rt, "steps") {
			switch rapid.IntRange(0, 11).Draw(rt, "what") {
			case 0, 1:
				c.seq++
				k := claim{seq: c.seq, amps: si.Amps(rapid.SampledFrom([]int{0, 4, 6, 8, 16, 31}).Draw(rt, "amps"))}
				if k.amps > c.cfg.Fallback {
					k.until = c.now.Add(15 * time.Minute)
				}
				c.pending = append(c.pending, k)
				c.relay(Grant{Seq: k.seq, Amps: k.amps, Until: k.until, Hold: []byte("x")})
			case 2, 3, 4:
				if len(c.down) > 0 {
					raw := c.down[0]
					c.down = c.down[1:]
					c.step(station.Message{Raw: raw})
				}
			case 5, 6, 7:
				if len(c.up) > 0 {
					raw := c.up[0]
					c.up = c.up[1:]
					c.relay(FromStation{raw})
				}
			case 8: // the CSMS sets a limit of its own
				p := profile.Profile{ID: rapid.IntRange(1, 3).Draw(rt, "id"), Stack: rapid.IntRange(0, 3).Draw(rt, "stack"), Purpose: profile.StationMax,
					Schedules: []profile.Schedule{{ID: 1, Start: c.now, Periods: []profile.Period{{Limit: float64(rapid.IntRange(0, 40).Draw(rt, "limit"))}}}}}
				q := v201.SetChargingProfileRequest{ChargingProfile: profile.To201(&p)}
				c.relay(FromCSMS{rpc.AppendCall(nil, fmt.Sprint("s", i), q.ActionName(), q.AppendJSON(nil))})
			case 9: // and clears
				q := rapid.SampledFrom([]string{`{}`, `{"chargingProfileId":1}`, `{"chargingProfileId":-1971000002}`, `{"chargingProfileCriteria":{"evseId":0}}`,
					`{"chargingProfileCriteria":{"chargingProfilePurpose":"ChargingStationMaxProfile"}}`, `{"chargingProfileCriteria":{"stackLevel":20}}`,
					`{"chargingProfileCriteria":{"stackLevel":1}}`}).Draw(rt, "clear")
				c.relay(FromCSMS{[]byte(fmt.Sprintf(`[2,"c%d","ClearChargingProfile",%s]`, i, q))})
			case 10:
				c.now = c.now.Add(time.Duration(rapid.SampledFrom([]int{1, 7, 31, 400, 1000}).Draw(rt, "seconds")) * time.Second)
				c.relay(Tick{})
				c.step(station.Tick{})
			case 11:
				switch rapid.IntRange(0, 3).Draw(rt, "break") {
				case 0, 1:
					c.connect(!c.online)
				case 2: // the controller dies; the balancer of the new one knows what was stored, at worst the maximum
					c.connect(false)
					c.startRelay()
					c.acked, c.pending = claim{amps: stationMax}, nil
					c.seq += 1000
				}
			}
			if max := c.reserved(); c.limit > max+0.01 {
				rt.Fatalf("step %d: the station keeps %v, the balancer counts with %v: acknowledged %+v, pending %+v", i, c.limit, max, c.acked, c.pending)
			}
		}
	})
}

// A station with one stack level on which the site counts on two is told its fallback, refuses more, and says that it will.
func TestOneLevelWhereTwoAreCountedOn(t *testing.T) {
	for _, said := range []string{"0", "nonsense"} {
		w := newWorld(t, func(c *Config) { c.Levels, c.Fallback = 0, 6 })
		w.csms, w.station = accept, func(f rpc.Frame) string {
			if f.Action == "GetVariables" {
				return `{"getVariableResult":[{"attributeStatus":"Accepted","attributeValue":"` + said + `","component":{"name":"SmartChargingCtrlr"},"variable":{"name":"ProfileStackLevel"}}]}`
			}
			return `{"status":"Accepted"}`
		}
		w.do(CSMSUp{})
		w.do(StationUp{})
		w.do(FromStation{[]byte(bootFrame)})
		if !w.state.Pinned {
			t.Errorf("%s: %+v does not say that no more than the fallback can be given", said, w.state)
		}
	}
}
