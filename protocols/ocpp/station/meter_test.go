package station

import (
	"testing"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// What is sent by the clock for the whole station while it is idle is not sent for any EVSE while one is in use (J01.FR.20), and
// is for all of them otherwise (J01.FR.14).
func TestClockValuesWhileIdle(t *testing.T) {
	w := newWorld(t, twoAC)
	w.do(Connected{})
	w.put("AlignedDataCtrlr", "Interval", "60")
	w.put("AlignedDataCtrlr", "SendDuringIdle", "true")
	w.energy(1, 100)
	w.energy(2, 200)
	sent := func() (n int) {
		for _, q := range w.requests {
			switch q := q.(type) {
			case *v201.MeterValuesRequest:
				n++
			case *v201.TransactionEventRequest:
				if q.TriggerReason == v201.TriggerReasonMeterValueClock {
					n += 100
				}
			}
		}
		w.requests = nil
		return n
	}
	if w.wait(time.Minute); sent() != 2 {
		t.Error("not sent while idle")
	}
	w.charges(1, "A")
	if w.wait(time.Minute); sent() != 0 {
		t.Error("sent while one charges")
	}
	w.put("AlignedDataCtrlr", "SendDuringIdle", "false")
	if w.wait(time.Minute); sent() != 101 { // J01.FR.22
		t.Error("of the transaction and the other EVSE")
	}
}
