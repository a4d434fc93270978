package station

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/ocpp/profile"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// crash is a station whose process dies, whose connection breaks and whose database commits late, all at random.
type crash struct {
	*rapid.T
	s       *Station
	now     time.Time
	disk    map[string][]byte
	pending []Save
	online  bool
	sent    [][]byte // frames under way to the CSMS
	plugged [3]bool
	wh      [3]float64
	permit  [3]bool
	ids     int
	seen    map[string]map[int][]byte // by transaction and seqNo, as the CSMS has it
	next    map[string]int
	last    map[string]float64
	over    map[string]bool
	unsaid  []SignReading // what the meter was asked and has not answered
}

func (c *crash) start() {
	s, err := New(Config{Identity: "CS1", Vendor: "v", Model: "m", NewID: func() string { c.ids++; return fmt.Sprint("id", c.ids) },
		Variables: map[string]string{"SampledDataCtrlr.TxUpdatedInterval": "5", "SampledDataCtrlr.TxEndedInterval": "4", "SampledDataCtrlr.SignReadings": "true"},
		EVSEs:     []EVSEConfig{{Rating: profile.Rating{Max: 32}}, {Rating: profile.Rating{Max: 32}, Signs: true}}}, c.disk, c.now)
	if err != nil {
		c.Fatal(err)
	}
	c.s, c.pending, c.sent, c.online, c.permit, c.unsaid = s, nil, nil, false, [3]bool{}, nil
	for n := 1; n <= 2; n++ { // the hardware says how it stands
		if c.plugged[n] {
			c.do(Plugged{n})
		} else {
			c.do(Unplugged{n})
		}
	}
}

func (c *crash) do(ev Event) {
	for _, e := range c.s.Step(c.now, ev, nil) {
		switch e := e.(type) {
		case Write:
			if c.online {
				c.sent = append(c.sent, e.Raw)
			}
		case Save:
			c.pending = append(c.pending, e)
		case SignReading:
			c.unsaid = append(c.unsaid, e)
		case Permit:
			c.permit[e.EVSE] = e.Allowed
		}
	}
}

func (c *crash) commit() {
	if len(c.pending) == 0 {
		return
	}
	s := c.pending[0]
	c.pending = c.pending[1:]
	for _, op := range s.Ops {
		if op.Value == nil {
			delete(c.disk, op.Key)
		} else {
			c.disk[op.Key] = op.Value
		}
	}
	c.do(Stored{Token: s.Token})
}

// arrive lets one frame reach the CSMS; its answer may get lost with the connection.
func (c *crash) arrive(answered bool) {
	if len(c.sent) == 0 {
		return
	}
	raw := c.sent[0]
	c.sent = c.sent[1:]
	f, err := rpc.Parse(raw)
	if err != nil {
		c.Fatalf("%s: %v", raw, err)
	}
	if f.Type != rpc.Call {
		return
	}
	info := v201.Actions[f.Action]
	q := info.Request()
	if err := q.UnmarshalJSON(f.Payload); err != nil {
		c.Fatalf("%s: %v", raw, err)
	}
	if e, ok := q.(*v201.TransactionEventRequest); ok {
		c.judge(e, f.Payload)
	}
	if !answered {
		return
	}
	res := info.Response()
	switch res.(type) {
	case *v201.BootNotificationResponse:
		res = &v201.BootNotificationResponse{CurrentTime: c.now, Interval: 300, Status: v201.RegistrationStatusAccepted}
	case *v201.HeartbeatResponse:
		res = &v201.HeartbeatResponse{CurrentTime: c.now}
	case *v201.AuthorizeResponse:
		res = &v201.AuthorizeResponse{IdTokenInfo: v201.IdTokenInfo{Status: v201.AuthorizationStatusAccepted}}
	}
	c.do(Message{rpc.AppendResult(nil, f.ID, res.AppendJSON(nil))})
}

func (c *crash) judge(e *v201.TransactionEventRequest, payload []byte) {
	id := e.TransactionInfo.TransactionId
	if c.seen[id] == nil {
		c.seen[id] = map[int][]byte{}
	}
	if old, again := c.seen[id][e.SeqNo]; again {
		if !bytes.Equal(old, payload) {
			c.Fatalf("the repeat of %s/%d differs:\n%s\n%s", id, e.SeqNo, old, payload)
		}
		return
	}
	c.seen[id][e.SeqNo] = bytes.Clone(payload)
	if e.SeqNo != c.next[id] || c.over[id] || (e.SeqNo == 0) != (e.EventType == v201.TransactionEventStarted) {
		c.Fatalf("%s: seqNo %d, want %d, over %v: %s", id, e.SeqNo, c.next[id], c.over[id], payload)
	}
	c.next[id]++
	c.over[id] = e.EventType == v201.TransactionEventEnded
	from := c.last[id]
	if c.over[id] {
		c.last[id] = 0 // the end tells of all the time from the begin
	}
	for _, mv := range e.MeterValue {
		for _, v := range mv.SampledValue {
			if v.Measurand == v201.MeasurandEnergyActiveImportRegister {
				if v.Value < c.last[id] || v.Context == v201.ReadingContextTransactionEnd && v.Value < from {
					c.Fatalf("%s: the register runs back from %v to %v", id, c.last[id], v.Value)
				}
				c.last[id] = v.Value
			}
		}
	}
}

func TestDeathAtAnyInstantLosesNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := &crash{T: rt, now: t0, disk: map[string][]byte{}, seen: map[string]map[int][]byte{}, next: map[string]int{}, last: map[string]float64{}, over: map[string]bool{}}
		c.start()
		for range rapid.IntRange(40, 200).Draw(rt, "steps") {
			c.now = c.now.Add(time.Second)
			n := rapid.IntRange(1, 2).Draw(rt, "evse")
			switch rapid.IntRange(0, 14).Draw(rt, "what") {
			case 0:
				c.plugged[n] = true
				c.do(Plugged{n})
			case 1:
				c.plugged[n] = false
				c.do(Unplugged{n})
			case 2:
				if c.plugged[n] {
					c.do(Presented{n, rapid.SampledFrom([]v201.IdToken{{}, card("A")}).Draw(rt, "token")}) // free, or with a card
				}
			case 3:
				c.wh[n] += 10
				c.do(Reading{EVSE: n, Energy: si.WattHours(c.wh[n]), SoC: -1})
			case 4:
				if c.plugged[n] {
					c.do(Flow{n, rapid.SampledFrom([]v201.ChargingStateEnum{"Charging", "SuspendedEV", "SuspendedEVSE"}).Draw(rt, "flow"), 3})
				}
			case 5, 6, 7:
				c.commit()
			case 8, 9, 10:
				c.arrive(rapid.IntRange(0, 4).Draw(rt, "answered") > 0)
			case 11:
				if c.online = !c.online; c.online {
					c.do(Connected{})
				} else {
					c.sent = nil
					c.do(Disconnected{})
				}
			case 12:
				c.do(Tick{})
			case 14:
				if len(c.unsaid) > 0 {
					q := c.unsaid[0]
					c.unsaid = c.unsaid[1:]
					c.do(ReadingSigned{Token: q.Token, At: c.now, Reading: Reading{EVSE: q.EVSE, Energy: si.WattHours(c.wh[q.EVSE]), SoC: -1}, Record: SignedRecord{Data: "x", Encoding: "OCMF", Method: "m"}})
				}
			case 13:
				if rapid.Bool().Draw(rt, "meter begins anew") {
					c.wh[n] = 0
				}
				c.start() // kill -9
			}
		}
		c.plugged = [3]bool{}
		for n := 1; n <= 2; n++ {
			c.do(Unplugged{n})
		}
		c.now = c.now.Add(time.Minute) // what is not signed by then goes without
		c.do(Tick{})
		if c.online {
			c.sent, c.online = nil, false
			c.do(Disconnected{})
		}
		c.online = true
		c.do(Connected{})
		for i := 0; (len(c.pending) > 0 || len(c.sent) > 0) && i < 10000; i++ {
			c.commit()
			c.arrive(true)
		}
		if c.s.Unacknowledged() != 0 {
			rt.Fatalf("%d messages are not delivered", c.s.Unacknowledged())
		}
		for id := range c.seen {
			if !c.over[id] {
				rt.Fatalf("%s has no end", id)
			}
		}
	})
}
