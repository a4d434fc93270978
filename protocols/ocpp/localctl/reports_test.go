package localctl

import (
	"fmt"
	"strings"
	"testing"

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
