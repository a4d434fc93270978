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

// wants compares what was sent to the station since.
func (w *world) wants(what string, lines ...string) {
	w.t.Helper()
	if got := strings.Join(w.profiles(), "\n"); got != strings.Join(lines, "\n") {
		w.t.Errorf("%s:\n%s\nwant\n%s", what, got, strings.Join(lines, "\n"))
	}
}

func default1(a string) string {
	return "TxDefaultProfile -1971000001 evse=1 stack=3 tx= end=false " + a + " A"
}

func default2(a string) string {
	return "TxDefaultProfile -1971002002 evse=2 stack=3 tx= end=false " + a + " A"
}

func tx1(a string) string { return "TxProfile -1971001001 evse=1 stack=3 tx=T2 end=true " + a + " A" }

func tx2(a string) string { return "TxProfile -1971001002 evse=2 stack=3 tx=T1 end=true " + a + " A" }

// The grant goes to the transactions of a station that honours nothing else, above a default for those to come: to one alone as a
// whole, and to a second one not before the first has made room.
func TestLimitsOfTransactions(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.PerTx, c.EVSEs = true, 2 })
	w.boot()
	w.wants("at first", default1("3"), default2("3"))
	w.do(Grant{Seq: 1, Amps: 32, Until: t0.Add(15 * time.Minute), Hold: []byte("h")})
	w.wait(time.Minute)
	w.wants("nobody there")
	if len(w.acks) != 1 || w.acks[0].Refused {
		t.Errorf("acknowledged: %+v", w.acks)
	}
	w.start() // and its records are known
	w.boot()
	w.do(Grant{Seq: 2, Amps: 32, Until: t0.Add(15 * time.Minute), Hold: []byte("h")})
	w.wait(time.Minute)
	w.wants("after a restart", default1("3"), default2("3"))
	first := fmt.Appendf(nil, startedEvent, "e1", "Started", 0)
	w.do(FromStation{first})
	w.wants("a transaction: room for it first", default1("0"))
	w.wait(10 * time.Second)
	w.wants("then the grant, and what it has when we are gone", tx2("32"), default2("6"))
	second := []byte(strings.NewReplacer(`"T1"`, `"T2"`, `"id":2`, `"id":1`, "e1", "e2").Replace(string(first)))
	w.acks = nil
	w.start() // the controller begins anew, and knows from its disk which one holds the larger share
	w.boot()
	w.do(FromStation{second})
	w.do(Grant{Seq: 3, Amps: 32, Until: t0.Add(15 * time.Minute), Hold: []byte("h")})
	w.wants("another one: the first makes room", default2("3"), tx2("16"))
	w.wait(5 * time.Second)
	w.wants("and has its time to follow")
	w.wait(5 * time.Second)
	w.wants("then the other one has its part", tx1("16"), default1("3"))
	w.do(FromCSMS{[]byte(`[2,"c1","SetChargingProfile",{"evseId":2,"chargingProfile":{"id":9,"stackLevel":0,"chargingProfilePurpose":"TxProfile","transactionId":"T1",` +
		`"chargingProfileKind":"Absolute","chargingSchedule":[{"id":1,"startSchedule":"2024-03-01T09:00:00Z","chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":10}]}]}}]`)})
	w.wants("the CSMS wants less", default1("3"), default2("3"), tx1("16"), tx2("10"))
	if got := w.toCSMS[len(w.toCSMS)-1]; got != `[3,"c1",{"status":"Accepted"}]` {
		t.Errorf("the CSMS hears %s", got)
	}
	w.do(FromStation{[]byte(strings.NewReplacer("Started", "Ended", "e2", "e3").Replace(string(second)))})
	w.wants("it leaves: its default first", default1("0"))
	w.wait(10 * time.Second)
	w.wants("then all for the other one, as far as the CSMS wants it", tx2("10"), default2("6"))
	third := []byte(strings.NewReplacer(`"T2"`, `"T3"`, "e2", "e4").Replace(string(second)))
	w.do(FromStation{third})
	w.wants("the next one: its place had no profile, so it waits", default2("3"), tx2("10"))
	w.wait(5 * time.Second)
	w.wants("still")
	w.wait(5 * time.Second)
	w.wants("then it has its part", "TxProfile -1971001001 evse=1 stack=3 tx=T3 end=true 16 A", default1("3"))
	w.start() // the controller begins anew
	w.boot()
	w.toStation = nil
	w.do(Grant{Seq: 4, Amps: 4, Hold: []byte("h")})
	w.wants("after a restart, and lowered", default1("2"), default2("2"),
		"TxProfile -1971001001 evse=1 stack=3 tx=T3 end=false 2 A", strings.Replace(tx2("2"), "end=true", "end=false", 1))
	w.do(FromCSMS{[]byte(`[2,"c2","ClearChargingProfile",{"chargingProfileCriteria":{"evseId":2}}]`)})
	for _, raw := range w.toStation {
		if strings.Contains(raw, "ClearChargingProfile") && !strings.Contains(raw, "ChargingStationMaxProfile") {
			t.Errorf("cleared in the station: %s", raw)
		}
	}
	w.toStation = nil
	for _, e := range [][]byte{first, third} {
		w.do(FromStation{[]byte(strings.NewReplacer("Started", "Ended").Replace(string(e)))})
	}
	w.wait(10 * time.Second)
	w.profiles()
	w.do(Grant{Seq: 5, Amps: 8, Until: t0.Add(15 * time.Minute), Hold: []byte("h")})
	w.wait(10 * time.Second)
	w.wants("nobody there any more", default1("3"), default2("3"))
}
