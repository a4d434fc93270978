package localctl

import (
	"github.com/voltyard/voltyard/protocols/ocpp/profile"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v16"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// sets refuses a SetChargingProfile of the CSMS that would take the place of one of the controller's own, or overrule it: its
// ids, and profiles of its purposes at its stack levels or above. A station of OCPP 2.0.1 refuses most of them itself
// (K01.FR.06), one of 1.6 lets the later profile hold, and until ours is back the station has no limit. While it is not known
// which levels are ours, all of its purposes count as such. False: the request can pass.
func (r *Relay) sets(f rpc.Frame) bool {
	if f.Action != "SetChargingProfile" || r.cfg.Levels == 1 && !r.cfg.PerTx && r.limit.grant == nil {
		return false // or nothing of ours is there, and nothing is on its way
	}
	id, stack, purpose, ok := r.setting(f.Payload)
	if r.overrules21(f.Payload) {
		r.note(false, "a charging profile of the CSMS was refused: what it would do to the controller's limits is not known")
		r.emit(ToCSMS{rpc.AppendResult(nil, f.ID, []byte(`{"status":"Rejected","statusInfo":{"reasonCode":"UnsupportedParam"}}`))})
		return true
	}
	if ok && r.cfg.PerTx && purpose == profile.Tx && !OwnProfile(id) {
		r.takesTx(f)
		return true
	}
	if !ok || !OwnProfile(id) && ((purpose == profile.StationMax) == r.cfg.PerTx || r.limit.levels > 0 && stack < r.lowest()) {
		return false
	}
	r.note(false, "a charging profile of the CSMS was refused: id %d, stack level %d are the controller's", id, stack)
	answer := `{"status":"Rejected"}`
	if r.cfg.Version != rpc.V16 {
		answer = `{"status":"Rejected","statusInfo":{"reasonCode":"DuplicateProfile"}}`
	}
	r.emit(ToCSMS{rpc.AppendResult(nil, f.ID, []byte(answer))})
	return true
}

// lowest is the lowest stack level that the controller's profiles use.
func (r *Relay) lowest() int {
	if r.cfg.PerTx {
		return r.limit.levels - 1
	}
	return max(r.limit.levels-2, 0)
}

// setting reads what a SetChargingProfile is about.
func (r *Relay) setting(payload []byte) (id, stack int, p profile.Purpose, ok bool) {
	if r.cfg.Version == rpc.V16 {
		var q v16.SetChargingProfileRequest
		if q.UnmarshalJSON(payload) != nil {
			return 0, 0, 0, false
		}
		p, ok = profile.PurposeOf16(q.CsChargingProfiles.ChargingProfilePurpose)
		return q.CsChargingProfiles.ChargingProfileId, q.CsChargingProfiles.StackLevel, p, ok
	}
	var q v201.SetChargingProfileRequest
	if q.UnmarshalJSON(payload) != nil {
		return 0, 0, 0, false
	}
	p, ok = profile.PurposeOf201(q.ChargingProfile.ChargingProfilePurpose)
	return q.ChargingProfile.Id, q.ChargingProfile.StackLevel, p, ok
}
