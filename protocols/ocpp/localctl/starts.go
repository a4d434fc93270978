package localctl

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/profile"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v16"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// The CSMS may put a TxProfile into RequestStartTransaction (F01.FR.08; RemoteStartTransaction in OCPP 1.6). A station that honours
// limits of transactions only (Config.PerTx) would follow it from the first second of the transaction on, in place of the default,
// which is all that limits it until ours is there, and again whenever ours has ended. Nothing that is sent afterwards could undo that,
// so the request does not pass as it is: the profile is kept here, the rest goes on as it was written, and when the transaction
// begins the profile is folded into ours, like one of SetChargingProfile, and ends with it. Until ours is there the vehicle has
// the default. A profile that the station would have to refuse, or that is not understood, has the request refused (F01.FR.26).
//
// With any other station the request passes byte for byte, as a TxProfile only lowers what our station limits allow; unless the
// profile has one of our ids, which it would replace (K01.FR.05), or is no TxProfile (F01.FR.09).

// startProfile is a profile that waits for its transaction.
type startProfile struct {
	Remote  int       // remoteStartId, of OCPP 2
	Tag     string    // idTag, of OCPP 1.6
	EVSE    int       // 0 for any
	Tx      string    // as the station's answer told it; "" when not known yet
	At      time.Time // when it was asked for
	Profile []byte    // as it was written
}

const (
	keyStart  = "start/"
	maxStarts = 16
	// startFor is how long a request of OCPP 1.6 waits for its transaction, which tells no more than the token it began with.
	startFor = 10 * time.Minute
)

// asksToStart is what is looked at of a request to start a transaction, of any version.
type asksToStart struct {
	RemoteStartID   int
	EvseID          int
	ConnectorID     int
	IDTag           string
	ChargingProfile json.RawMessage
}

// startAction tells whether a call asks the station to begin a transaction.
func (r *Relay) startAction(action string) bool {
	if r.cfg.Version == rpc.V16 {
		return action == v16.ActionRemoteStartTransaction
	}
	return action == v201.ActionRequestStartTransaction
}

// starts takes the profile out of a request of the CSMS to begin a transaction, where it must not reach the station; n is what waits
// for the transaction then, 0 for nothing. Done: the request was refused.
func (r *Relay) starts(f *rpc.Frame, raw *[]byte) (n int, done bool) {
	if !r.startAction(f.Action) || r.cfg.Levels == 1 && !r.cfg.PerTx && r.limit.grant == nil {
		return 0, false
	}
	var q asksToStart
	if json.Unmarshal(f.Payload, &q) != nil || q.ChargingProfile == nil || bytes.Equal(q.ChargingProfile, []byte("null")) {
		return 0, false
	}
	if why := r.unfit(&q); why != "" {
		r.note(false, "%s was refused: its charging profile %s", f.Action, why)
		answer := `{"status":"Rejected","statusInfo":{"reasonCode":"InvalidProfile"}}`
		if r.cfg.Version == rpc.V16 {
			answer = `{"status":"Rejected"}`
		}
		r.emit(ToCSMS{rpc.AppendResult(nil, f.ID, []byte(answer))})
		return 0, true
	}
	if !r.cfg.PerTx {
		return 0, false
	}
	f.Payload = without(f.Payload, "chargingProfile")
	*raw = rpc.AppendCall(nil, f.ID, f.Action, f.Payload)
	s := &startProfile{Remote: q.RemoteStartID, Tag: q.IDTag, EVSE: max(q.EvseID, q.ConnectorID), At: r.now, Profile: q.ChargingProfile}
	if r.starting == nil {
		r.starting = map[int]*startProfile{}
	}
	for k := range r.starting {
		n = max(n, k)
	}
	n++
	for len(r.starting) >= maxStarts {
		r.forgetStart(slices.Min(slices.Collect(maps.Keys(r.starting))))
	}
	r.starting[n] = s
	r.saveStart(n)
	return n, false
}

// unfit says what is wrong with the profile of a request to start, "" for nothing.
func (r *Relay) unfit(q *asksToStart) string {
	var c struct {
		ID, ChargingProfileID  float64
		ChargingProfilePurpose string
	}
	if json.Unmarshal(q.ChargingProfile, &c) != nil {
		return "cannot be read"
	}
	id := c.ID
	if r.cfg.Version == rpc.V16 {
		id = c.ChargingProfileID
	}
	switch {
	case c.ChargingProfilePurpose != string(v201.ChargingProfilePurposeTxProfile):
		return "is no TxProfile"
	case OwnProfile(int(id)):
		return "has an id of the controller's"
	case !r.cfg.PerTx:
		return ""
	}
	p, ok := r.startedProfile(q.ChargingProfile, 1, "")
	if !ok {
		return "is not understood, and could not be folded into the controller's"
	}
	if p.TxID != "" && r.cfg.Version != rpc.V16 {
		return "names a transaction" // F01.FR.11
	}
	p.TxID = "T"
	var none profile.Store
	if reason := none.Check(p, r.rules(), func(int) string { return "T" }); reason != profile.None {
		return "is not valid: " + string(reason)
	}
	return ""
}

// startedProfile reads a profile of a request to start for the transaction that has begun.
func (r *Relay) startedProfile(raw json.RawMessage, evse int, tx string) (profile.Profile, bool) {
	p, ok := r.decodeProfile(r.asSetting(raw, evse))
	if tx != "" {
		p.TxID = tx
	}
	return p, ok
}

// asSetting is the SetChargingProfile that would have set a profile.
func (r *Relay) asSetting(raw json.RawMessage, evse int) []byte {
	if r.cfg.Version == rpc.V16 {
		return fmt.Appendf(nil, `{"connectorId":%d,"csChargingProfiles":%s}`, evse, raw)
	}
	return fmt.Appendf(nil, `{"evseId":%d,"chargingProfile":%s}`, evse, raw)
}

// startAnswered reads the station's answer to a request whose profile was kept.
func (r *Relay) startAnswered(n int, f rpc.Frame) {
	s := r.starting[n]
	if s == nil { // its transaction has begun, or others came
		return
	}
	var res struct{ Status, TransactionID string }
	if f.Type != rpc.CallResult || json.Unmarshal(f.Payload, &res) == nil && res.Status != "Accepted" {
		r.forgetStart(n)
		return
	}
	if res.TransactionID == "" {
		return
	}
	s.Tx = res.TransactionID // it had begun before (F02)
	r.saveStart(n)
	for evse, e := range r.seen.evses {
		if e.tx == s.Tx && r.startsTx(evse, s.Tx, nil, "") {
			r.reinstall()
			return
		}
	}
}

// startReplaces forgets the limit of the CSMS in whose place the station put the profile of a request to start (K01.FR.05).
func (r *Relay) startReplaces(c *call) {
	var q struct {
		ChargingProfile *struct{ ID, ChargingProfileID int }
	}
	if json.Unmarshal(c.payload, &q) != nil || q.ChargingProfile == nil {
		return
	}
	for _, id := range r.theirs.Clear(profile.Filter{IDs: []int{max(q.ChargingProfile.ID, q.ChargingProfile.ChargingProfileID)}}) {
		r.forget(id)
		r.reinstall()
	}
}

// startsTx folds in the profile with which a transaction was asked for, if it was. Remote is the remoteStartId that the station told,
// tag the token with which a transaction of OCPP 1.6 begins.
func (r *Relay) startsTx(evse int, tx string, remote *int, tag string) bool {
	for _, n := range slices.Backward(slices.Sorted(maps.Keys(r.starting))) {
		s := r.starting[n]
		switch {
		case s.Tx != "" && s.Tx == tx:
		case remote != nil && *remote == s.Remote && s.Tx == "":
		case tag != "" && strings.EqualFold(tag, s.Tag) && (s.EVSE == 0 || s.EVSE == evse) && r.now.Sub(s.At) < startFor:
		default:
			continue
		}
		r.forgetStart(n)
		p, ok := r.startedProfile(s.Profile, evse, tx)
		if !ok {
			return false
		}
		if !r.keepTheirs(p, r.asSetting(naming(s.Profile, tx), evse)) {
			r.note(true, "charging profile %d, with which the CSMS had transaction %s begun, does not fit beside its others and is left out", p.ID, tx)
			return false
		}
		return true
	}
	return false
}

func (r *Relay) saveStart(n int) {
	b, _ := json.Marshal(r.starting[n])
	r.saves.put(keyStart+itoa(n), b)
}

func (r *Relay) forgetStart(n int) {
	if r.starting[n] == nil {
		return
	}
	delete(r.starting, n)
	r.saves.put(keyStart+itoa(n), nil)
}

func (r *Relay) restoreStart(key string, b []byte) error {
	n, err := strconv.Atoi(key)
	s := &startProfile{}
	if err == nil {
		err = json.Unmarshal(b, s)
	}
	if err == nil && r.cfg.PerTx {
		if r.starting == nil {
			r.starting = map[int]*startProfile{}
		}
		r.starting[n] = s
	}
	return err
}

// without leaves a member out of an object.
func without(payload []byte, name string) []byte {
	out := []byte{'{'}
	members(payload, func(key string, from, to int) bool {
		if key == name {
			return true
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		k, _ := json.Marshal(key)
		out = append(append(append(out, k...), ':'), payload[from:to]...)
		return true
	})
	return append(out, '}')
}

// naming is a profile with the transaction that it is for.
func naming(raw json.RawMessage, tx string) json.RawMessage {
	i := bytes.IndexByte(raw, '{')
	id, err := json.Marshal(tx)
	if i < 0 || err != nil {
		return raw
	}
	return append(fmt.Appendf(append([]byte{}, raw[:i+1]...), `"transactionId":%s,`, id), raw[i+1:]...)
}
