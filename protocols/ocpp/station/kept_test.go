package station

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// ended is the last Ended event that the CSMS got.
func (w *world) ended() *v201.TransactionEventRequest {
	w.t.Helper()
	for i := len(w.requests) - 1; i >= 0; i-- {
		if e, ok := w.requests[i].(*v201.TransactionEventRequest); ok && e.EventType == v201.TransactionEventEnded {
			return e
		}
	}
	w.t.Fatal("no transaction has ended")
	return nil
}

func contexts(mv []v201.MeterValue) string {
	var b strings.Builder
	for i := range mv {
		c := string(mv[i].SampledValue[0].Context)
		b.WriteString(c[strings.LastIndex(c, ".")+1:][:1])
	}
	return b.String()
}

func charging(t *testing.T, change func(*Config)) *world {
	w := newWorld(t, change)
	w.do(Connected{})
	w.do(Reading{EVSE: 1, Energy: 1000, SoC: -1})
	w.do(Plugged{1})
	w.do(Presented{1, card("A")})
	w.do(Flow{1, v201.ChargingStateCharging, 3})
	return w
}

// A transaction of hours whose values do not fit: the begin, the end and the newest stay, of both kinds of values; what is stored is
// bounded, one small record a value, and a restart loses none of it.
func TestValuesForTheEndAreBoundedAndOutlastARestart(t *testing.T) {
	w := charging(t, func(c *Config) {
		c.Variables = map[string]string{"SampledDataCtrlr.TxEndedInterval": "30", "AlignedDataCtrlr.TxEndedInterval": "30", "SampledDataCtrlr.TxUpdatedInterval": "0"}
	})
	step := func(k int) {
		w.do(Reading{EVSE: 1, Energy: si.WattHours(1000 + k), SoC: -1})
		w.wait(30 * time.Second)
		if n := len(w.s.evses[0].tx.kept); n > keptMost {
			t.Fatalf("%d values are kept", n)
		}
	}
	for k := range 1000 {
		step(k)
	}
	before := w.s.evses[0].tx.ended(nil)
	records := 0
	for key, v := range w.disk {
		if strings.HasPrefix(key, keyKept) {
			if records++; len(v) > 400 {
				t.Fatalf("a record of %d bytes", len(v))
			}
		}
	}
	if records != len(before) {
		t.Fatalf("%d records of %d values", records, len(before))
	}
	w.do(Disconnected{})
	w.start()
	after := w.s.evses[0].tx.ended(nil)
	if len(after) != len(before) {
		t.Fatalf("%d values after a restart, %d before", len(after), len(before))
	}
	for i := range after {
		if !bytes.Equal(after[i].AppendJSON(nil), before[i].AppendJSON(nil)) {
			t.Fatalf("value %d changed", i)
		}
	}
	w.do(Connected{})
	w.do(Reading{EVSE: 1, Energy: 3000, SoC: -1})
	w.do(Plugged{1})
	w.wait(31 * time.Second)
	w.do(Unplugged{1})
	mv := w.ended().MeterValue
	c := contexts(mv)
	if len(c) < keptMost/2 || c[0] != 'B' || c[len(c)-1] != 'E' || strings.Count(c, "P") < 50 || strings.Count(c, "C") < 50 {
		t.Errorf("%d values: %s", len(c), c)
	}
	if last := mv[len(mv)-2]; last.SampledValue[0].Value != 3000 {
		t.Errorf("the newest is %+v", last)
	}
	for key := range w.disk {
		if strings.HasPrefix(key, keyKept) {
			t.Fatalf("%s outlasts its transaction", key)
		}
	}
}

func TestThinningDropsEverySecond(t *testing.T) {
	w := charging(t, nil)
	e := w.s.evses[0]
	e.tx.kept, e.tx.keptBytes = nil, 0
	for i := range keptMost + 1 {
		ctx := v201.ReadingContextSamplePeriodic
		if i == 0 {
			ctx = v201.ReadingContextTransactionBegin
		}
		w.s.keepValues(e, e.tx, []v201.MeterValue{{Timestamp: t0, SampledValue: []v201.SampledValue{{Value: float64(i), Context: ctx}}}})
	}
	var got []float64
	for _, k := range e.tx.kept[:4] {
		got = append(got, k.value.SampledValue[0].Value)
	}
	if fmt.Sprint(got) != "[0 2 4 6]" || len(e.tx.kept) != keptMost/2+1 {
		t.Errorf("%v of %d", got, len(e.tx.kept))
	}
}

// The event of the end waits for the meter's signature, and no longer than that takes; until then it is on disk.
func TestEndWaitsForTheSignature(t *testing.T) {
	for name, answer := range map[string]bool{"signed": true, "the meter is silent": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(c *Config) {
				c.EVSEs[0].Signs, c.EVSEs[0].PublicKey = true, []byte("key")
				c.Variables = map[string]string{"SampledDataCtrlr.SignReadings": "true"}
			})
			sign := func(wh si.WattHours) {
				for _, e := range w.effects {
					if q, ok := e.(SignReading); ok && answer {
						w.do(ReadingSigned{Token: q.Token, At: w.now, Reading: Reading{EVSE: 1, Energy: wh, SoC: -1}, Record: SignedRecord{Data: "record", Encoding: "OCMF", Method: "m", PublicKey: []byte("key")}})
					}
				}
				w.effects = nil
			}
			w.do(Connected{})
			w.do(Reading{EVSE: 1, Energy: 1000, SoC: -1})
			w.do(Plugged{1})
			w.do(Presented{1, card("A")})
			w.now = w.now.Add(time.Second)
			sign(1001)
			w.wait(5 * time.Second)
			w.do(Unplugged{1})
			if n := w.s.Unacknowledged(); n != 1 {
				t.Fatalf("%d events wait", n)
			}
			w.now = w.now.Add(time.Second)
			sign(1002)
			w.wait(5 * time.Second)
			if n := w.s.Unacknowledged(); n != 0 {
				t.Fatalf("%d events wait", n)
			}
			mv := w.ended().MeterValue
			if contexts(mv) != "BE" {
				t.Fatalf("values %s", contexts(mv))
			}
			end := mv[1].SampledValue[0]
			if answer != (end.SignedMeterValue != nil) || answer != (end.Value == 1002) || answer && end.SignedMeterValue.SignedMeterData != "cmVjb3Jk" {
				t.Errorf("%+v", end)
			}
			if answer && mv[1].Timestamp != w.ended().Timestamp.Add(time.Second) {
				t.Errorf("the time of the value is %v", mv[1].Timestamp)
			}
		})
	}
}
