package localctl

import (
	"maps"
	"slices"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// asked is a GetChargingProfiles of the CSMS whose reports are under way. The controller's own profiles are taken out of
// them; as a report cannot be empty, each waits until it is known whether another follows, and so does the answer until it
// is known whether any does.
type asked struct {
	raw     []byte // the station's answer; nil once passed on
	id      string // of the CSMS's call
	report  *v201.ReportChargingProfilesRequest
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
	var q v201.GetChargingProfilesRequest
	if !accepted(f.Payload) || q.UnmarshalJSON(c.payload) != nil || len(r.asked) >= maxAsked {
		return false
	}
	if old := r.asked[q.RequestId]; old != nil {
		return false // it is answered by the reports of the first
	}
	if r.asked == nil {
		r.asked = map[int]*asked{}
	}
	r.asked[q.RequestId] = &asked{raw: raw, id: f.ID, release: r.now.Add(askedWaits), end: r.now.Add(askedExpire)}
	return true
}

// reports takes the controller's own profiles out of a report. It returns true when that was dealt with here, else raw and f
// are what is relayed.
func (r *Relay) reports(f *rpc.Frame, raw *[]byte) bool {
	if f.Action != v201.ActionReportChargingProfiles || r.cfg.Version == rpc.V16 || !r.csms.up {
		return false
	}
	var q v201.ReportChargingProfilesRequest
	if q.UnmarshalJSON(f.Payload) != nil {
		return false
	}
	a := r.asked[q.RequestId]
	n := len(q.ChargingProfile)
	q.ChargingProfile = slices.DeleteFunc(q.ChargingProfile, func(p v201.ChargingProfile) bool { return OwnProfile(p.Id) })
	hidden, last := n > len(q.ChargingProfile), q.Tbc == nil || !*q.Tbc
	if a == nil {
		a = &asked{}
		if !hidden {
			return false
		}
	}
	if last {
		delete(r.asked, q.RequestId)
	}
	if last && a.report == nil && len(q.ChargingProfile) > 0 {
		r.passAnswer(a)
		if hidden {
			f.Payload = q.AppendJSON(nil)
			*raw = rpc.AppendCall(nil, f.ID, f.Action, f.Payload)
		}
		return false
	}
	r.reply(f.ID, &v201.ReportChargingProfilesResponse{})
	if len(q.ChargingProfile) > 0 {
		r.sendReport(a, true)
		a.report = &q
	}
	switch {
	case !last:
		if a.id == "" { // of a request from before the controller began: nothing may be held back
			r.sendReport(a, true)
		}
	case a.report != nil:
		r.sendReport(a, false)
	case a.raw != nil: // there are no profiles but the controller's
		a.raw = rpc.AppendResult(nil, a.id, []byte(`{"status":"NoProfiles"}`))
		r.passAnswer(a)
	}
	return true
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
	a.report.Tbc = new(more)
	r.ask(&r.csms, "", false, a.report.ActionName(), a.report.AppendJSON(nil), nil)
	a.report = nil
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
			r.sendReport(a, false)
			delete(r.asked, id)
		}
	}
}
