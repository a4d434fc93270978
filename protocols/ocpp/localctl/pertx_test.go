package localctl

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// profiles are the profiles that were sent to the station, in short.
func (w *world) profiles() []string {
	var out []string
	for _, raw := range w.toStation {
		f, err := rpc.Parse([]byte(raw))
		var q v201.SetChargingProfileRequest
		if err != nil || f.Action != "SetChargingProfile" || q.UnmarshalJSON(f.Payload) != nil {
			continue
		}
		p := &q.ChargingProfile
		out = append(out, fmt.Sprintf("%s %d evse=%d stack=%d tx=%s end=%v %v A", p.ChargingProfilePurpose, p.Id, q.EvseId, p.StackLevel, p.TransactionId,
			!p.ValidTo.IsZero(), p.ChargingSchedule[0].ChargingSchedulePeriod[0].Limit))
	}
	w.toStation = nil
	return out
}

const startedEvent = `[2,"%s","TransactionEvent",{"eventType":"%s","timestamp":"2024-03-01T10:00:00Z","triggerReason":"CablePluggedIn","seqNo":%d,` +
	`"transactionInfo":{"transactionId":"T1","chargingState":"Charging"},"evse":{"id":2,"connectorId":1}}]`

// The grant goes to the transactions of a station that honours nothing else, above a default for those to come.
func TestLimitsOfTransactions(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.PerTx, c.EVSEs = true, 2 })
	w.boot()
	want := func(what string, lines ...string) {
		t.Helper()
		if got := strings.Join(w.profiles(), "\n"); got != strings.Join(lines, "\n") {
			t.Errorf("%s:\n%s\nwant\n%s", what, got, strings.Join(lines, "\n"))
		}
	}
	want("at first", "TxDefaultProfile -1971000001 evse=0 stack=3 tx= end=false 3 A")
	w.do(Grant{Seq: 1, Amps: 32, Until: t0.Add(15 * time.Minute), Hold: []byte("h")})
	want("nobody there", "TxDefaultProfile -1971000001 evse=0 stack=3 tx= end=false 3 A")
	w.do(FromStation{fmt.Appendf(nil, startedEvent, "e1", "Started", 0)})
	want("a transaction", "TxProfile -1971001002 evse=2 stack=3 tx=T1 end=true 16 A")
	w.do(FromCSMS{[]byte(`[2,"c1","SetChargingProfile",{"evseId":2,"chargingProfile":{"id":9,"stackLevel":0,"chargingProfilePurpose":"TxProfile","transactionId":"T1",` +
		`"chargingProfileKind":"Absolute","chargingSchedule":[{"id":1,"startSchedule":"2024-03-01T09:00:00Z","chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":10}]}]}}]`)})
	want("the CSMS wants less", "TxDefaultProfile -1971000001 evse=0 stack=3 tx= end=false 3 A", "TxProfile -1971001002 evse=2 stack=3 tx=T1 end=true 10 A")
	if got := w.toCSMS[len(w.toCSMS)-1]; got != `[3,"c1",{"status":"Accepted"}]` {
		t.Errorf("the CSMS hears %s", got)
	}
	w.start() // the controller begins anew
	w.boot()
	w.toStation = nil
	w.do(Grant{Seq: 2, Amps: 4, Hold: []byte("h")})
	want("after a restart, and lowered", "TxDefaultProfile -1971000001 evse=0 stack=3 tx= end=false 2 A", "TxProfile -1971001002 evse=2 stack=3 tx=T1 end=false 2 A")
	w.do(FromCSMS{[]byte(`[2,"c2","ClearChargingProfile",{"chargingProfileCriteria":{"evseId":2}}]`)})
	for _, raw := range w.toStation {
		if strings.Contains(raw, "ClearChargingProfile") && !strings.Contains(raw, "ChargingStationMaxProfile") {
			t.Errorf("cleared in the station: %s", raw)
		}
	}
	w.toStation = nil
	w.do(FromStation{fmt.Appendf(nil, startedEvent, "e2", "Ended", 1)})
	w.do(Grant{Seq: 3, Amps: 8, Until: t0.Add(15 * time.Minute), Hold: []byte("h")})
	want("nobody there any more", "TxDefaultProfile -1971000001 evse=0 stack=3 tx= end=false 3 A")
}
