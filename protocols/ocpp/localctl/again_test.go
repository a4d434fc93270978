package localctl

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// events lists what was sent to the CSMS of transactions, from the n-th message on.
func (w *world) events(n int) (keys []string, payloads []string) {
	w.t.Helper()
	for _, raw := range w.toCSMS[n:] {
		f, err := rpc.Parse([]byte(raw))
		var q v201.TransactionEventRequest
		if err == nil && f.Action == "TransactionEvent" && q.UnmarshalJSON(f.Payload) == nil {
			keys = append(keys, fmt.Sprintf("%s/%d", q.TransactionInfo.TransactionId, q.SeqNo))
			payloads = append(payloads, string(f.Payload))
		}
	}
	return keys, payloads
}

// A station that got no answer sends its event again: the CSMS gets it as it got it first, marked offline or not.
func TestARepeatOfTheStationIsWhatWasDelivered(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Stay = true })
	w.boot()
	w.do(CSMSDown{})
	n := len(w.toCSMS)
	w.full = true
	w.do(FromStation{[]byte(event("e1", "t", "Started", 0, ""))})
	w.do(FromStation{[]byte(event("e2", "t", "Started", 0, ""))}) // its patience has ended
	if got := strings.Join(w.toStation, ""); strings.Contains(got, `[3,"e1"`) || strings.Contains(got, `[3,"e2"`) {
		t.Fatal("answered before it was stored")
	}
	w.full = false
	w.wait(6 * time.Second)
	if got := strings.Join(w.toStation, ""); !strings.Contains(got, `[3,"e2",{}]`) || w.r.Unacknowledged() != 1 {
		t.Fatalf("%d wait, sent %s", w.r.Unacknowledged(), got)
	}
	w.do(FromStation{[]byte(event("e3", "t", "Started", 0, ""))}) // it did not hear that one
	w.do(StationDown{})
	w.do(CSMSDown{})
	w.start()
	w.do(CSMSUp{})
	w.do(StationUp{})
	w.do(FromStation{[]byte(event("e4", "t", "Started", 0, ""))})
	w.do(FromStation{[]byte(event("e5", "t", "Updated", 1, ""))})
	keys, payloads := w.events(n)
	if got := strings.Join(keys, " "); got != "t/0 t/0 t/1" || payloads[0] != payloads[1] || !strings.Contains(payloads[0], `"offline":true`) {
		t.Errorf("the CSMS got %s\n%s", got, strings.Join(payloads, "\n"))
	}
}

// What comes while the missed boot is not yet accepted is newer than what waits.
func TestNewEventsDoNotOvertakeTheQueueDuringTheMissedBoot(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Stay = true })
	w.boot()
	w.do(CSMSDown{})
	w.do(FromStation{[]byte(bootFrame)})
	w.do(FromStation{[]byte(event("e1", "t", "Started", 0, ""))})
	n := len(w.toCSMS)
	w.csms = nil
	w.do(CSMSUp{})
	w.do(FromStation{[]byte(event("e2", "t", "Updated", 1, ""))})
	w.csms = accept
	boot, err := rpc.Parse([]byte(w.toCSMS[n]))
	if err != nil || boot.Action != "BootNotification" {
		t.Fatalf("%v %v", boot, err)
	}
	w.do(FromCSMS{[]byte(fmt.Sprintf(`[3,%q,%s]`, boot.ID, accept(boot)))})
	if keys, _ := w.events(n); strings.Join(keys, " ") != "t/0 t/1" {
		t.Errorf("delivered %v", keys)
	}
}

// A write that failed is not done over a later one of the same key.
func TestALateWriteUndoesNothing(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Levels = 4 })
	w.boot()
	w.full = true
	w.do(Grant{Seq: 1, Amps: 30, Until: t0.Add(time.Hour), Hold: []byte("old")})
	w.full = false
	w.do(Grant{Seq: 2, Amps: 20, Until: t0.Add(time.Hour), Hold: []byte("new")})
	w.wait(10 * time.Second)
	if got := string(w.disk[HoldKey]); got != "new" {
		t.Errorf("%q is on disk", got)
	}
}

// Tokens, the missed boot and the last states outlive the process.
func TestWhatIsKnownOutlivesTheProcess(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Stay = true })
	w.boot()
	w.do(FromStation{[]byte(`[2,"a1","Authorize",{"idToken":{"idToken":"GOOD","type":"ISO14443"}}]`)})
	w.do(CSMSDown{})
	w.do(FromStation{[]byte(bootFrame)})
	w.do(FromStation{[]byte(`[2,"s1","StatusNotification",{"timestamp":"2024-03-01T10:00:00Z","connectorStatus":"Occupied","evseId":1,"connectorId":1}]`)})
	w.start()
	w.do(StationUp{})
	n, m := len(w.toStation), len(w.toCSMS)
	w.do(FromStation{[]byte(`[2,"a2","Authorize",{"idToken":{"idToken":"good","type":"ISO14443"}}]`)})
	if got := strings.Join(w.toStation[n:], ""); !strings.Contains(got, `[3,"a2",{"idTokenInfo":{"status":"Accepted"}}]`) {
		t.Errorf("the token is forgotten: %s", got)
	}
	w.csms = nil
	w.do(CSMSUp{})
	if len(w.toCSMS) != m+1 || !strings.Contains(w.toCSMS[m], "BootNotification") {
		t.Fatalf("sent %v", w.toCSMS[m:])
	}
	w.do(CSMSDown{})
	w.csms = accept
	w.do(CSMSUp{})
	got := strings.Join(w.toCSMS[m+1:], "")
	if b, s := strings.Index(got, "BootNotification"), strings.Index(got, `"Occupied"`); b < 0 || s < b {
		t.Errorf("boot, then state: %s", got)
	}
	for key := range w.disk {
		if key == keyBoot || strings.HasPrefix(key, keyStatus) {
			t.Errorf("%q stays on disk", key)
		}
	}
}

var errFull = errors.New("no space left")

// What would not fit any more is refused, begins and ends are never dropped, and what was taken is delivered.
func TestAFullQueue(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Stay, c.QueueBytes = true, 4000 })
	w.station, w.csms = obey, accept
	w.do(StationUp{})
	w.do(FromStation{[]byte(bootFrame)})
	event := func(tx, n int, kind string) string {
		w.toStation = nil
		w.do(FromStation{fmt.Appendf(nil, `[2,"%d-%d","TransactionEvent",{"eventType":%q,"timestamp":"2024-03-01T10:00:00Z","triggerReason":"Trigger","seqNo":%d,`+
			`"transactionInfo":{"transactionId":"T%d"}}]`, tx, n, kind, n, tx)})
		return w.toStation[len(w.toStation)-1]
	}
	taken, refused := 0, 0
	for tx := range 40 {
		for n, kind := range []string{"Started", "Updated", "Updated", "Updated", "Ended"} {
			switch answer := event(tx, n, kind); {
			case strings.Contains(answer, "can store no more"):
				refused++
			default:
				if refused > 0 {
					t.Fatalf("%d/%d was taken after others had been refused", tx, n)
				}
				if kind != "Updated" {
					taken++
				}
			}
		}
	}
	if taken < 10 || refused == 0 {
		t.Fatalf("%d begins and ends taken, %d events refused", taken, refused)
	}
	w.toCSMS = nil
	w.do(CSMSUp{})
	delivered := 0
	for _, raw := range w.toCSMS {
		if strings.Contains(raw, `"Started"`) || strings.Contains(raw, `"Ended"`) {
			delivered++
		}
	}
	if delivered != taken {
		t.Errorf("%d begins and ends were taken and %d delivered", taken, delivered)
	}
}
