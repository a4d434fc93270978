package localctl

import (
	"encoding/json"

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
	if f.Action == "UpdateDynamicSchedule" && r.updatesOurs(f.Payload) {
		r.note(false, "UpdateDynamicSchedule was refused: the profile is the controller's")
		r.emit(ToCSMS{rpc.AppendResult(nil, f.ID, []byte(`{"status":"Rejected"}`))})
		return true
	}
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
	if !ok || !OwnProfile(id) && (r.beside(purpose) || r.limit.levels > 0 && stack < r.lowest()) {
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

// setting reads what a SetChargingProfile is about, whatever else is in it: OCPP 2.1 has more than is known here. A purpose that is not
// known is noPurpose.
func (r *Relay) setting(payload []byte) (id, stack int, p profile.Purpose, ok bool) {
	type about struct {
		ID, ChargingProfileID, StackLevel float64
		ChargingProfilePurpose            string
	}
	var q struct{ ChargingProfile, CsChargingProfiles *about }
	if json.Unmarshal(payload, &q) != nil {
		return 0, 0, 0, false
	}
	if r.cfg.Version == rpc.V16 {
		c := q.CsChargingProfiles
		if c == nil {
			return 0, 0, 0, false
		}
		if p, ok = profile.PurposeOf16(v16.ChargingProfilePurposeEnum(c.ChargingProfilePurpose)); !ok {
			p = noPurpose
		}
		return int(c.ChargingProfileID), int(c.StackLevel), p, true
	}
	c := q.ChargingProfile
	if c == nil {
		return 0, 0, 0, false
	}
	if p, ok = profile.PurposeOf201(v201.ChargingProfilePurposeEnum(c.ChargingProfilePurpose)); !ok {
		p = noPurpose
	}
	return int(c.ID), int(c.StackLevel), p, true
}

const noPurpose = profile.Purpose(255)

// beside tells whether profiles of a purpose hold beside ours, whatever their level.
func (r *Relay) beside(p profile.Purpose) bool {
	switch p {
	case profile.StationMax:
		return r.cfg.PerTx
	case profile.TxDefault, profile.Tx:
		return !r.cfg.PerTx
	}
	return true // a station refuses what it does not know; overrules21 knows what 2.1 adds
}
