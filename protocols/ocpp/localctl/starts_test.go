package localctl

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
)

// startedBy is the event of a transaction at EVSE 2 that a request began.
const startedBy = `[2,"%s","TransactionEvent",{"eventType":"%s","timestamp":"2024-03-01T10:00:00Z","triggerReason":"RemoteStart","seqNo":%d,` +
	`"transactionInfo":{"transactionId":"T1","chargingState":"Charging","remoteStartId":%d},"evse":{"id":2,"connectorId":1}}]`

// theirStart is the profile with which the CSMS asks for a transaction, as it writes it.
func theirStart(id, limit int) string {
	return fmt.Sprintf(`{"id":%d, "stackLevel":0,"chargingProfilePurpose":"TxProfile","chargingProfileKind":"Relative",`+
		`"chargingSchedule":[{"id":1,"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":%d}]}]}`, id, limit)
}

func startCall(id string, remote int, profile string) FromCSMS {
	return FromCSMS{fmt.Appendf(nil, `[2,%q,"RequestStartTransaction",{"idToken":{"idToken":"A","type":"ISO14443"}, "chargingProfile":%s,"remoteStartId":%d, "evseId":2}]`, id, profile, remote)}
}

// The profile of a request to start never reaches a station of limits of transactions: it is kept, folded in when the transaction
// begins, reported as it was written, and gone with the transaction; also over a restart, and when the answer comes late.
func TestTheProfileOfAStartIsFoldedIn(t *testing.T) {
	for _, version := range []rpc.Version{rpc.V201, rpc.V21} {
		for _, order := range []string{"event last", "event first", "begun before"} {
			t.Run(fmt.Sprint(version, " ", order), func(t *testing.T) {
				w := newWorld(t, func(c *Config) { c.PerTx, c.EVSEs, c.Version = true, 2, version })
				w.boot()
				w.do(Grant{Seq: 1, Amps: 32, Until: t0.Add(15 * time.Minute), Hold: []byte("h")})
				w.wait(time.Minute)
				w.profiles()
				began := FromStation{fmt.Appendf(nil, startedBy, "e1", "Started", 0, 77)}
				answer := FromStation{[]byte(`[3,"c1",{"status":"Accepted"}]`)}
				obedient := w.station
				w.station = func(f rpc.Frame) string {
					if f.ID == "c1" {
						return ""
					}
					return obedient(f)
				}
				if order == "begun before" {
					w.do(FromStation{fmt.Appendf(nil, startedEvent, "e0", "Started", 0)})
					w.wait(10 * time.Second)
					w.wants("begun", default1("0"), tx2("32"), default2("6"))
					answer = FromStation{[]byte(`[3,"c1",{"status":"Accepted","transactionId":"T1"}]`)}
				}
				w.do(startCall("c1", 77, theirStart(9, 10)))
				if got := w.toStation[len(w.toStation)-1]; got != `[2,"c1","RequestStartTransaction",{"idToken":{"idToken":"A","type":"ISO14443"},"remoteStartId":77,"evseId":2}]` {
					t.Fatalf("the station is asked %s", got)
				}
				switch order {
				case "event last":
					w.do(answer)
					w.start() // the controller begins anew
					w.boot()
					w.do(Grant{Seq: 2, Amps: 32, Until: t0.Add(15 * time.Minute), Hold: []byte("h")})
					w.wait(10 * time.Second)
					w.profiles()
					w.do(began)
				case "event first":
					w.do(began)
					w.do(answer)
				default:
					w.do(answer)
				}
				w.wait(10 * time.Second)
				sent := w.profiles()
				if last := strings.Join(sent, "\n"); !strings.Contains(last, tx2("10")) || order != "begun before" && strings.Contains(last, tx2("32")) {
					t.Errorf("not folded in:\n%s", last)
				}
				if len(w.r.starting) != 0 {
					t.Error("the profile still waits")
				}
				w.station = nil
				n := len(w.toCSMS)
				w.do(FromCSMS{[]byte(`[2,"c1","GetChargingProfiles",{"requestId":5,"chargingProfile":{}}]`)})
				w.do(FromStation{[]byte(`[3,"c1",{"status":"NoProfiles"}]`)})
				if got := heard(t, w.toCSMS[n:]); got != "Accepted 9." {
					t.Errorf("the CSMS heard %q", got)
				}
				if got := w.toCSMS[len(w.toCSMS)-1]; !strings.Contains(got, strings.Replace(theirStart(9, 10), "{", `{"transactionId":"T1",`, 1)) {
					t.Errorf("not as it was set: %s", got)
				}
				w.do(FromStation{fmt.Appendf(nil, startedBy, "e9", "Ended", 1, 77)})
				if got := w.r.theirs.All(); len(got) != 0 {
					t.Errorf("outlasts its transaction: %+v", got)
				}
			})
		}
	}
}

// In OCPP 1.6 the token and the connector tell which transaction was asked for.
func TestTheProfileOfARemoteStartIsFoldedIn(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.PerTx, c.EVSEs, c.Version = true, 2, rpc.V16 })
	tx := 40
	w.station = obey
	w.csms = func(f rpc.Frame) string {
		if f.Action == "StartTransaction" {
			tx++
			return fmt.Sprintf(`{"idTagInfo":{"status":"Accepted"},"transactionId":%d}`, tx)
		}
		return accept(f)
	}
	w.do(CSMSUp{})
	w.do(StationUp{})
	w.do(FromStation{[]byte(`[2,"b1","BootNotification",{"chargePointVendor":"v","chargePointModel":"m"}]`)})
	w.do(Grant{Seq: 1, Amps: 32, Until: t0.Add(15 * time.Minute), Hold: []byte("h")})
	w.wait(time.Minute)
	begin := func(id, tag string) string {
		w.toStation = nil
		w.do(FromStation{fmt.Appendf(nil, `[2,%q,"StartTransaction",{"connectorId":1,"idTag":%q,"meterStart":0,"timestamp":"2024-03-01T10:01:00Z"}]`, id, tag)})
		w.wait(15 * time.Second)
		return strings.Join(w.toStation, "\n")
	}
	const profile = `{"chargingProfileId":9,"stackLevel":0,"chargingProfilePurpose":"TxProfile","chargingProfileKind":"Relative","chargingSchedule":{"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":7}]}}`
	w.do(FromCSMS{[]byte(`[2,"c1","RemoteStartTransaction",{"idTag":"Me","chargingProfile":` + profile + `,"connectorId":1}]`)})
	if got := w.toStation[len(w.toStation)-1]; got != `[2,"c1","RemoteStartTransaction",{"idTag":"Me","connectorId":1}]` {
		t.Fatalf("the station is asked %s", got)
	}
	if got := begin("s0", "other"); strings.Contains(got, `"limit":7`) || !strings.Contains(got, `"limit":32`) {
		t.Errorf("another's transaction:\n%s", got)
	}
	w.do(FromStation{[]byte(`[2,"s1","StopTransaction",{"transactionId":41,"meterStop":0,"timestamp":"2024-03-01T10:01:00Z"}]`)})
	if got := begin("s2", "ME"); !strings.Contains(got, `"limit":7`) || strings.Contains(got, `"limit":32`) {
		t.Errorf("its transaction:\n%s", got)
	}
}

// A profile that would do harm, or could not be folded in, has the request refused, and one that the station itself refuses is
// forgotten; to any other station the request passes as it was written.
func TestTheProfileOfAStartIsRefusedOrPasses(t *testing.T) {
	for _, c := range []struct {
		name    string
		perTx   bool
		profile string
		passes  bool
	}{
		{"its own", true, theirStart(9, 10), true},
		{"its own, where limits of stations hold", false, theirStart(9, 10), true},
		{"with our id", true, theirStart(idTx+2, 10), false},
		{"with the lease's id", false, theirStart(idLease, 10), false},
		{"for the station", false, strings.Replace(theirStart(9, 10), "TxProfile", "ChargingStationMaxProfile", 1), false},
		{"for all transactions", true, strings.Replace(theirStart(9, 10), "TxProfile", "TxDefaultProfile", 1), false},
		{"of a transaction", true, strings.Replace(theirStart(9, 10), "{", `{"transactionId":"T1",`, 1), false},
		{"not understood", true, strings.Replace(theirStart(9, 10), "Relative", "Dynamic", 1), false},
		{"not valid", true, strings.Replace(theirStart(9, 10), `"startPeriod":0`, `"startPeriod":5`, 1), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, func(k *Config) { k.PerTx, k.EVSEs = c.perTx, 2 })
			w.boot()
			w.station = nil
			w.toStation, w.toCSMS = nil, nil
			ask := startCall("c1", 77, c.profile)
			sent := string(ask.Raw)
			w.do(ask)
			switch {
			case !c.passes && (len(w.toStation) != 0 || !strings.Contains(strings.Join(w.toCSMS, ""), `[3,"c1",{"status":"Rejected"`)):
				t.Errorf("the station is asked %q, the CSMS hears %q", w.toStation, w.toCSMS)
			case c.passes && !c.perTx && strings.Join(w.toStation, "") != sent:
				t.Errorf("the station is asked %q", w.toStation)
			case c.passes:
				w.do(FromStation{[]byte(`[3,"c1",{"status":"Rejected"}]`)})
				if len(w.r.starting) != 0 || w.disk[keyStart+"1"] != nil {
					t.Error("a refused start still waits")
				}
			}
		})
	}
}
