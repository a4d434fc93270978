package localctl

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/profile"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// report is a station's report of profiles.
func report(id string, more bool, ids ...int) FromStation {
	q := v201.ReportChargingProfilesRequest{RequestId: 5, ChargingLimitSource: v201.ChargingLimitSourceCSO, Tbc: new(more)}
	for _, i := range ids {
		p := profile.Profile{ID: i, Purpose: profile.TxDefault, Schedules: []profile.Schedule{{ID: 1, Start: t0, Periods: []profile.Period{{Limit: 6}}}}}
		q.ChargingProfile = append(q.ChargingProfile, profile.To201(&p))
	}
	return FromStation{rpc.AppendCall(nil, id, q.ActionName(), q.AppendJSON(nil))}
}

// The CSMS hears of the station's profiles without the controller's, with the right answer and the right last part.
func TestOwnProfilesAreHidden(t *testing.T) {
	for _, c := range []struct {
		name  string
		parts [][]int
		want  string
	}{
		{"only theirs", [][]int{{7}}, "Accepted 7."},
		{"both in one part", [][]int{{idLease, 7, idFallback}}, "Accepted 7."},
		{"only ours", [][]int{{idLease, idFallback}}, "NoProfiles"},
		{"only ours in two parts", [][]int{{idLease}, {idFallback}}, "NoProfiles"},
		{"ours last", [][]int{{7}, {8, idLease}, {idFallback}}, "Accepted 7+ 8."},
		{"ours first", [][]int{{idLease}, {7}, {8}}, "Accepted 7+ 8."},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.boot()
			w.station = nil
			n, m := len(w.toCSMS), len(w.toStation)
			w.do(FromCSMS{[]byte(`[2,"c1","GetChargingProfiles",{"requestId":5,"chargingProfile":{}}]`)})
			w.do(FromStation{[]byte(`[3,"c1",{"status":"Accepted"}]`)})
			for i, ids := range c.parts {
				w.do(report(fmt.Sprint("r", i), i < len(c.parts)-1, ids...))
				if got := w.toStation[len(w.toStation)-1]; got != fmt.Sprintf(`[3,"r%d",{}]`, i) {
					t.Errorf("part %d was answered %s", i, got)
				}
			}
			if got := heard(t, w.toCSMS[n:]); got != c.want {
				t.Errorf("the CSMS heard %q, want %q", got, c.want)
			}
			if len(w.toStation) != m+1+len(c.parts) {
				t.Errorf("the station heard %v", w.toStation[m:])
			}
		})
	}
}

// heard puts what the CSMS got in short: the answer's status, and the ids of each report with a plus when more follow.
func heard(t *testing.T, sent []string) string {
	t.Helper()
	var out []string
	for _, raw := range sent {
		f, err := rpc.Parse([]byte(raw))
		var res v201.GetChargingProfilesResponse
		var q v201.ReportChargingProfilesRequest
		switch {
		case err != nil:
			t.Fatal(err)
		case f.Type == rpc.CallResult && f.ID == "c1" && res.UnmarshalJSON(f.Payload) == nil:
			out = append(out, string(res.Status))
		case f.Action == "ReportChargingProfiles" && q.UnmarshalJSON(f.Payload) == nil:
			var ids []string
			for _, p := range q.ChargingProfile {
				ids = append(ids, fmt.Sprint(p.Id))
			}
			mark := "."
			if q.Tbc != nil && *q.Tbc {
				mark = "+"
			}
			out = append(out, strings.Join(ids, ",")+mark)
		default:
			out = append(out, raw)
		}
	}
	return strings.Join(out, " ")
}

// A station that accepts and reports nothing does not keep the CSMS waiting for the answer.
func TestTheAnswerDoesNotWaitForReportsForEver(t *testing.T) {
	w := newWorld(t, nil)
	w.boot()
	w.station = nil
	n := len(w.toCSMS)
	w.do(FromCSMS{[]byte(`[2,"c1","GetChargingProfiles",{"requestId":5,"chargingProfile":{}}]`)})
	w.do(FromStation{[]byte(`[3,"c1",{"status":"Accepted"}]`)})
	w.wait(2 * askedWaits)
	if got := heard(t, w.toCSMS[n:]); got != "Accepted" {
		t.Errorf("the CSMS heard %q", got)
	}
	w.do(report("r0", true, 7)) // and the rest never comes
	w.wait(2 * askedExpire)
	if got := heard(t, w.toCSMS[n:]); got != "Accepted 7." || len(w.r.asked) != 0 {
		t.Errorf("the CSMS heard %q", got)
	}
}

// A station of OCPP 2.1 reports profiles with what only 2.1 has, or with what nobody has: ours are taken out, the others stay as
// they were written.
func TestOwnProfilesAreHiddenIn21(t *testing.T) {
	theirs := `{"id": 7,"stackLevel":0,"chargingProfilePurpose":"PriorityCharging","chargingProfileKind":"Dynamic","maxOfflineDuration":60,"x":1e0,` +
		`"chargingSchedule":[{"id":1,"chargingRateUnit":"W","chargingSchedulePeriod":[{"startPeriod":0,"setpoint":-4000,"operationMode":"CentralSetpoint"}]}]}`
	ours := func(id string) string {
		return `{"chargingProfilePurpose":"ChargingStationMaxProfile","id":` + id + `,"dynUpdateInterval":3,"chargingSchedule":[]}`
	}
	frame := func(tbc string, profiles ...string) string {
		return `[2,"r1","ReportChargingProfiles",{"requestId":5, "chargingLimitSource":"Someone" ,` + tbc + `"chargingProfile":[` + strings.Join(profiles, ",") + `],"evseId":0}]`
	}
	for _, c := range []struct{ name, sent, want string }{
		{"only theirs", frame("", theirs), frame("", theirs)},
		{"ours, too", frame("", ours("-1971000002"), theirs, ours("-1971000001.0")), frame("", theirs)},
		{"ours last, and more to come", frame(`"tbc":true,`, theirs, ours("-1.971000002e9")), frame(`"tbc":false,`, theirs)},
	} {
		w := newWorld(t, func(c *Config) { c.Version = rpc.V21 })
		w.boot()
		w.station = nil
		n := len(w.toCSMS)
		w.do(FromCSMS{[]byte(`[2,"c1","GetChargingProfiles",{"requestId":5,"chargingProfile":{"chargingProfilePurpose":"PriorityCharging"}}]`)})
		w.do(FromStation{[]byte(`[3,"c1",{"status":"Accepted"}]`)})
		w.do(FromStation{[]byte(c.sent)})
		if strings.Contains(c.sent, `"tbc":true`) {
			w.do(FromStation{[]byte(strings.Replace(frame("", ours("-1971000002")), "r1", "r2", 1))})
		}
		got := w.toCSMS[n:]
		if len(got) != 2 || got[0] != `[3,"c1",{"status":"Accepted"}]` {
			t.Fatalf("%s: the CSMS heard %q", c.name, got)
		}
		f, err := rpc.Parse([]byte(got[1]))
		want, _ := rpc.Parse([]byte(c.want))
		if err != nil || string(f.Payload) != string(want.Payload) {
			t.Errorf("%s: the CSMS heard\n%s\nwant\n%s", c.name, got[1], c.want)
		}
	}
}

// The CSMS sees the TxProfiles again that the controller keeps in the station's place, as it wrote them, whatever else the station
// has, and after the controller began anew.
func TestKeptProfilesAreReported(t *testing.T) {
	const set = `{"id":9,"stackLevel":0, "chargingProfilePurpose":"TxProfile","transactionId":"T1","chargingProfileKind":"Absolute",` +
		`"chargingSchedule":[{"id":1,"startSchedule":"2024-03-01T09:00:00Z","chargingRateUnit":"A","minChargingRate":6.50,"chargingSchedulePeriod":[{"startPeriod":0,"limit":10}]}]}`
	for _, version := range []rpc.Version{rpc.V201, rpc.V21} {
		w := newWorld(t, func(c *Config) { c.PerTx, c.EVSEs, c.Version = true, 2, version })
		w.boot()
		w.do(FromStation{fmt.Appendf(nil, startedEvent, "e1", "Started", 0)})
		w.do(FromCSMS{[]byte(`[2,"c0","SetChargingProfile",{"evseId":2,"chargingProfile":` + set + `}]`)})
		w.start()
		w.boot()
		w.station = nil
		ask := func(what, criteria, answer, want string, parts ...FromStation) {
			t.Helper()
			n := len(w.toCSMS)
			w.do(FromCSMS{[]byte(`[2,"c1","GetChargingProfiles",{"requestId":5,` + criteria + `}]`)})
			w.do(FromStation{[]byte(`[3,"c1",{"status":"` + answer + `"}]`)})
			for _, p := range parts {
				w.do(p)
			}
			w.wait(2 * time.Second) // one call of ours at a time
			for i := n; i < len(w.toCSMS); i++ {
				if f, err := rpc.Parse([]byte(w.toCSMS[i])); err == nil && f.Type == rpc.Call {
					w.do(FromCSMS{rpc.AppendResult(nil, f.ID, []byte(`{}`))})
				}
			}
			if got := heard(t, w.toCSMS[n:]); got != want {
				t.Errorf("%v, %s: the CSMS heard %q, want %q", version, what, got, want)
			}
		}
		ask("nothing in the station", `"chargingProfile":{}`, "NoProfiles", "Accepted 9.")
		if got := w.toCSMS[len(w.toCSMS)-1]; !strings.Contains(got, set) {
			t.Errorf("not as it was set: %s", got)
		}
		ask("only ours in the station", `"chargingProfile":{}`, "Accepted", "Accepted 9.", report("r0", false, idFallback))
		ask("another in the station", `"chargingProfile":{}`, "Accepted", "Accepted 7+ 9.", report("r1", false, 7))
		ask("by id", `"chargingProfile":{"chargingProfileId":[9]}`, "NoProfiles", "Accepted 9.")
		ask("by another id", `"chargingProfile":{"chargingProfileId":[8]}`, "NoProfiles", "NoProfiles")
		ask("of another EVSE", `"evseId":1,"chargingProfile":{}`, "NoProfiles", "NoProfiles")
		ask("of another purpose", `"chargingProfile":{"chargingProfilePurpose":"TxDefaultProfile"}`, "NoProfiles", "NoProfiles")
		ask("of another source", `"chargingProfile":{"chargingLimitSource":["EMS"]}`, "NoProfiles", "NoProfiles")
		w.do(FromCSMS{[]byte(`[2,"c2","ClearChargingProfile",{"chargingProfileId":9}]`)})
		ask("cleared", `"chargingProfile":{}`, "NoProfiles", "NoProfiles")
	}
}
