package localctl

import (
	"github.com/voltyard/voltyard/protocols/ocpp/profile"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v16"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// clears handles a ClearChargingProfile of the CSMS that would take the controller's own profiles with it, and would leave
// the station without a limit until they are back: it is carried out in parts that spare them, and answered as one. It
// returns false for a request that can pass as it is.
func (r *Relay) clears(f rpc.Frame) bool {
	if f.Action != "ClearChargingProfile" || r.cfg.Levels == 1 && !r.cfg.PerTx && r.limit.grant == nil {
		return false // nothing of ours is there, and nothing is on its way
	}
	c, ok := r.criteria(f.Payload)
	if !ok {
		return false
	}
	if len(c.IDs) > 0 {
		if OwnProfile(c.IDs[0]) {
			r.emit(ToCSMS{rpc.AppendResult(nil, f.ID, []byte(`{"status":"Unknown"}`))})
			return true
		}
		if r.clearsTx(c) {
			r.emit(ToCSMS{rpc.AppendResult(nil, f.ID, []byte(`{"status":"Accepted"}`))})
			r.reinstall()
			return true
		}
		return false
	}
	top := r.limit.levels - 1 // -1 while not known
	if r.cfg.PerTx {
		kept := r.clearsTx(c)
		if !kept && (c.Purpose != nil && *c.Purpose == profile.StationMax || c.Stack != nil && top >= 0 && *c.Stack != top) {
			return false
		}
		run := &clearing{r: r, id: f.ID, parts: r.partsPerTx(c), cleared: kept, folded: kept}
		run.next()
		return true
	}
	if c.Purpose != nil && *c.Purpose != profile.StationMax || c.EVSE != nil && *c.EVSE != 0 || c.Stack != nil && top >= 0 && *c.Stack != top && *c.Stack != top-1 {
		return false
	}
	parts := r.parts(c)
	run := &clearing{r: r, id: f.ID, parts: parts}
	run.next()
	return true
}

// criteria reads what a ClearChargingProfile asks for.
func (r *Relay) criteria(payload []byte) (profile.Filter, bool) {
	var c profile.Filter
	if r.cfg.Version == rpc.V16 {
		var q v16.ClearChargingProfileRequest
		if q.UnmarshalJSON(payload) != nil {
			return c, false
		}
		if q.Id != nil {
			c.IDs = []int{*q.Id}
		}
		c.EVSE, c.Stack = q.ConnectorId, q.StackLevel
		if purpose, ok := profile.PurposeOf16(q.ChargingProfilePurpose); ok {
			c.Purpose = &purpose
		}
		return c, true
	}
	var q v201.ClearChargingProfileRequest
	if q.UnmarshalJSON(payload) != nil {
		return c, false
	}
	if q.ChargingProfileId != nil {
		c.IDs = []int{*q.ChargingProfileId}
	} else if k := q.ChargingProfileCriteria; k != nil {
		c.EVSE, c.Stack = k.EvseId, k.StackLevel
		if purpose, ok := profile.PurposeOf201(k.ChargingProfilePurpose); ok {
			c.Purpose = &purpose
		}
	}
	return c, true
}

// part is one request to the station: by id (of the CSMS's own station limits) or by purpose.
type part struct {
	id      int
	payload []byte
}

func (r *Relay) parts(c profile.Filter) []part {
	var out []part
	station := profile.StationMax
	for _, p := range r.theirs.Select(profile.Filter{Purpose: &station, Stack: c.Stack}) {
		out = append(out, r.partOf(p.ID))
	}
	if c.Purpose != nil {
		return out
	}
	if r.cfg.Version == rpc.V16 {
		for _, purpose := range []v16.ChargingProfilePurposeEnum{v16.ChargingProfilePurposeTxDefaultProfile, v16.ChargingProfilePurposeTxProfile} {
			q := v16.ClearChargingProfileRequest{ConnectorId: c.EVSE, StackLevel: c.Stack, ChargingProfilePurpose: purpose}
			out = append(out, part{payload: q.AppendJSON(nil)})
		}
		return out
	}
	for _, purpose := range []v201.ChargingProfilePurposeEnum{v201.ChargingProfilePurposeTxDefaultProfile, v201.ChargingProfilePurposeTxProfile} {
		q := v201.ClearChargingProfileRequest{ChargingProfileCriteria: &v201.ClearChargingProfile{EvseId: c.EVSE, StackLevel: c.Stack, ChargingProfilePurpose: purpose}}
		out = append(out, part{payload: q.AppendJSON(nil)})
	}
	return out
}

// partOf clears one profile of the CSMS.
func (r *Relay) partOf(id int) part {
	q := v201.ClearChargingProfileRequest{ChargingProfileId: new(id)}
	payload := q.AppendJSON(nil)
	if r.cfg.Version == rpc.V16 {
		old := v16.ClearChargingProfileRequest{Id: new(id)}
		payload = old.AppendJSON(nil)
	}
	return part{id: id, payload: payload}
}

// partsPerTx spares our profiles of transactions: what the CSMS set is cleared one by one, and its limits for the whole station
// together.
func (r *Relay) partsPerTx(c profile.Filter) []part {
	var out []part
	for _, p := range r.theirs.Select(c) {
		out = append(out, r.partOf(p.ID))
	}
	if c.Purpose != nil {
		return out
	}
	if r.cfg.Version == rpc.V16 {
		q := v16.ClearChargingProfileRequest{ConnectorId: c.EVSE, StackLevel: c.Stack, ChargingProfilePurpose: v16.ChargingProfilePurposeChargePointMaxProfile}
		return append(out, part{payload: q.AppendJSON(nil)})
	}
	q := v201.ClearChargingProfileRequest{ChargingProfileCriteria: &v201.ClearChargingProfile{EvseId: c.EVSE, StackLevel: c.Stack,
		ChargingProfilePurpose: v201.ChargingProfilePurposeChargingStationMaxProfile}}
	return append(out, part{payload: q.AppendJSON(nil)})
}

// clearing is a request under way in parts.
type clearing struct {
	r       *Relay
	id      string // of the CSMS's call
	parts   []part
	cleared bool
	folded  bool // one of the CSMS's station limits went
}

func (c *clearing) next() {
	if len(c.parts) == 0 {
		status := `{"status":"Unknown"}`
		if c.cleared {
			status = `{"status":"Accepted"}`
		}
		if c.r.csms.up {
			c.r.emit(ToCSMS{rpc.AppendResult(nil, c.id, []byte(status))})
		}
		if c.folded {
			c.r.reinstall()
		}
		return
	}
	p := c.parts[0]
	c.parts = c.parts[1:]
	sent := c.r.ask(&c.r.station, "", false, "ClearChargingProfile", p.payload, func(a answer) {
		if !a.ok() {
			if c.r.csms.up {
				c.r.emit(ToCSMS{rpc.AppendError(nil, c.r.cfg.Version, c.id, rpc.GenericError, "the station did not clear its profiles: "+a.what)})
			}
			return
		}
		if accepted(a.payload) {
			c.cleared = true
		}
		if p.id != 0 {
			for _, id := range c.r.theirs.Clear(profile.Filter{IDs: []int{p.id}}) {
				c.folded = true
				c.r.forget(id)
			}
		}
		c.next()
	})
	if !sent && c.r.csms.up {
		c.r.emit(ToCSMS{rpc.AppendError(nil, c.r.cfg.Version, c.id, rpc.InternalError, "the station takes no call now")})
	}
}
