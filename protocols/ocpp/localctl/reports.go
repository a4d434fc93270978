package localctl

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/profile"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// asked is a GetChargingProfiles of the CSMS whose reports are under way. The controller's own profiles are taken out of
// them; as a report cannot be empty, each waits until it is known whether another follows, and so does the answer until it
// is known whether any does. What the CSMS set and the controller keeps in the station's place is reported after them.
type asked struct {
	raw     []byte    // the station's answer; nil once passed on
	id      string    // of the CSMS's call
	report  []byte    // that waits; nil for none
	kept    [][]byte  // reports of the controller
	release time.Time // when the answer is passed on at the latest
	end     time.Time // when no report is expected any more
}

const (
	maxAsked    = 16
	askedWaits  = 5 * time.Second
	askedExpire = time.Minute
)

// profilesAsked takes the station's answer to GetChargingProfiles, and tells whether it is held back.
func (r *Relay) profilesAsked(c *call, f rpc.Frame, raw []byte) bool {
	var q struct{ RequestID int }
	var res struct{ Status string }
	if json.Unmarshal(c.payload, &q) != nil || json.Unmarshal(f.Payload, &res) != nil {
		return false
	}
	kept := r.keptReports(c.payload)
	if res.Status == "NoProfiles" && kept != nil {
		r.pass(&r.csms, rpc.AppendResult(nil, f.ID, []byte(`{"status":"Accepted"}`)))
		r.sendKept(kept)
		return true
	}
	if res.Status != "Accepted" || len(r.asked) >= maxAsked {
		return false
	}
	if old := r.asked[q.RequestID]; old != nil {
		return false // it is answered by the reports of the first
	}
	if r.asked == nil {
		r.asked = map[int]*asked{}
	}
	r.asked[q.RequestID] = &asked{raw: raw, id: f.ID, kept: kept, release: r.now.Add(askedWaits), end: r.now.Add(askedExpire)}
	return true
}

// reports takes the controller's own profiles out of a report. It returns true when that was dealt with here, else raw and f
// are what is relayed.
func (r *Relay) reports(f *rpc.Frame, raw *[]byte) bool {
	if f.Action != v201.ActionReportChargingProfiles || r.cfg.Version == rpc.V16 || !r.csms.up {
		return false
	}
	q, ok := readReport(f.Payload)
	if !ok {
		return false
	}
	a := r.asked[q.request]
	if a == nil {
		a = &asked{}
		if !q.hidden {
			return false
		}
	}
	if !q.more {
		delete(r.asked, q.request)
	}
	if !q.more && a.report == nil && q.theirs > 0 && a.kept == nil {
		r.passAnswer(a)
		if q.hidden {
			f.Payload = q.payload
			*raw = rpc.AppendCall(nil, f.ID, f.Action, f.Payload)
		}
		return false
	}
	r.reply(f.ID, &v201.ReportChargingProfilesResponse{})
	if q.theirs > 0 {
		r.sendReport(a, true)
		a.report = q.payload
	}
	switch {
	case q.more:
		if a.id == "" { // of a request from before the controller began: nothing may be held back
			r.sendReport(a, true)
		}
	default:
		r.lastReport(a)
	}
	return true
}

// lastReport ends a request when the station has said all.
func (r *Relay) lastReport(a *asked) {
	if a.raw != nil && a.report == nil && a.kept == nil { // there are no profiles but the controller's
		a.raw = rpc.AppendResult(nil, a.id, []byte(`{"status":"NoProfiles"}`))
	}
	r.passAnswer(a)
	r.sendReport(a, a.kept != nil)
	r.sendKept(a.kept)
	a.kept = nil
}

func (r *Relay) passAnswer(a *asked) {
	if a.raw != nil {
		r.pass(&r.csms, a.raw)
		a.raw = nil
	}
}

func (r *Relay) sendReport(a *asked, more bool) {
	if a.report == nil {
		return
	}
	r.passAnswer(a)
	r.ask(&r.csms, "", false, v201.ActionReportChargingProfiles, continued(a.report, more), nil)
	a.report = nil
}

func (r *Relay) sendKept(kept [][]byte) {
	for i, report := range kept {
		r.ask(&r.csms, "", false, v201.ActionReportChargingProfiles, continued(report, i < len(kept)-1), nil)
	}
}

// keptReports are the TxProfiles of the CSMS that were folded into the controller's and match a GetChargingProfiles, as the CSMS
// set them, one report for each EVSE. The station does not have them.
func (r *Relay) keptReports(payload []byte) (out [][]byte) {
	var q struct {
		RequestID       int
		EvseID          *int
		ChargingProfile struct {
			ChargingProfilePurpose string
			StackLevel             *int
			ChargingProfileID      []int
			ChargingLimitSource    []string
		}
	}
	if !r.cfg.PerTx || json.Unmarshal(payload, &q) != nil {
		return nil
	}
	c := &q.ChargingProfile
	if c.ChargingProfilePurpose != "" && c.ChargingProfilePurpose != string(v201.ChargingProfilePurposeTxProfile) ||
		len(c.ChargingLimitSource) > 0 && !slices.Contains(c.ChargingLimitSource, string(v201.ChargingLimitSourceCSO)) {
		return nil
	}
	purpose := profile.Tx
	byEVSE := map[int][]json.RawMessage{}
	for _, p := range r.theirs.Select(profile.Filter{EVSE: q.EvseID, Purpose: &purpose, Stack: c.StackLevel}) {
		if len(c.ChargingProfileID) == 0 || slices.Contains(c.ChargingProfileID, p.ID) {
			byEVSE[p.EVSE] = append(byEVSE[p.EVSE], r.asSet(&p))
		}
	}
	for _, evse := range slices.Sorted(maps.Keys(byEVSE)) {
		out = append(out, fmt.Appendf(nil, `{"requestId":%d,"chargingLimitSource":"CSO","evseId":%d,"chargingProfile":%s}`, q.RequestID, evse, listOf(byEVSE[evse])))
	}
	return out
}

// asSet is a profile as the CSMS wrote it.
func (r *Relay) asSet(p *profile.Profile) json.RawMessage {
	if b := r.written[p.ID]; b != nil {
		return b
	}
	c := profile.To201(p)
	return c.AppendJSON(nil)
}

// askedNext is when an answer or a report has waited long enough.
func (r *Relay) askedNext() time.Time {
	var at time.Time
	for _, a := range r.asked {
		t := a.end
		if a.raw != nil {
			t = a.release
		}
		if at.IsZero() || t.Before(at) {
			at = t
		}
	}
	return at
}

func (r *Relay) askedDue() {
	for _, id := range slices.Sorted(maps.Keys(r.asked)) {
		a := r.asked[id]
		if !r.now.Before(a.release) {
			r.passAnswer(a)
		}
		if !r.now.Before(a.end) {
			delete(r.asked, id)
			r.lastReport(a)
		}
	}
}
