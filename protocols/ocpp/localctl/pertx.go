package localctl

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/ocpp/profile"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v16"
)

// A station that honours no limit for the whole station is limited by its transactions (Config.PerTx): each EVSE has an equal
// part of the grant as TxProfile with an end, and beneath it, as TxDefaultProfile without one, the same part of the fallback,
// or of the grant if that is less. So it matters neither when transactions begin and end, nor in which order profiles arrive.
//
// A TxProfile of the CSMS would hold in place of the default once ours has ended. It is therefore kept here, folded into ours,
// and never sent to the station, which does not report it either.

// keyTx is the key of a running transaction, by EVSE: after a restart its profile must be lowered before it is heard of.
const keyTx = "tx/"

// The ids of profiles of transactions: this and the number of the EVSE, negative but with OCPP 1.6.
const idTx = 1971001000

func (r *Relay) txID(evse int) int {
	if r.cfg.Version == rpc.V16 {
		return idTx + evse
	}
	return -idTx - evse
}

// evses is by how many EVSEs the grant is divided.
func (r *Relay) evses() int { return max(r.cfg.EVSEs, 1) }

// installPerTx sends what has to change for a grant, one after the other.
func (r *Relay) installPerTx(amps si.Amps, until time.Time, current func() bool) {
	l := &r.limit
	n := si.Amps(r.evses())
	var steps []profile.Profile
	def := min(amps, r.cfg.Fallback)
	if !l.fallback || def != l.def {
		steps = append(steps, r.defaultProfile(def))
	}
	for _, k := range slices.Sorted(maps.Keys(r.seen.evses)) {
		if e := r.seen.evses[k]; e.tx != "" && k <= r.evses() {
			p := r.allot(r.txID(k), profile.Tx, amps/n, until, r.theirs.Composite(profile.EVSE{Number: k, Rating: r.rating(amps / n),
				Tx: profile.Transaction{ID: e.tx, Began: e.began}}, r.now, horizon))
			p.EVSE, p.TxID = k, e.tx
			steps = append(steps, p)
		}
	}
	r.sendParts(steps, amps, def, current)
}

func (r *Relay) sendParts(steps []profile.Profile, amps, def si.Amps, current func() bool) {
	if !current() {
		return
	}
	l := &r.limit
	if len(steps) == 0 {
		r.follows(amps, taken)
		r.granted(amps, taken)
		return
	}
	p := steps[0]
	if p.Purpose == profile.TxDefault {
		l.fallback, l.def = false, def
		l.defs++
	}
	sent := l.defs
	r.set("part/"+itoa(p.EVSE), p, func(o outcome) {
		if p.Purpose == profile.TxDefault {
			l.fallback = o == taken && l.defs == sent
		} else if e := r.seen.evses[p.EVSE]; o == absent || o == refusal && e.tx != p.TxID {
			o = taken // the transaction has ended, and its profile with it
			if e.tx == p.TxID {
				e.tx = ""
				r.ended(p.EVSE)
			}
		}
		r.follows(amps, unknown) // one EVSE may have its new part, another one its old
		switch {
		case o == taken:
			r.sendParts(steps[1:], amps, def, current)
		case current():
			r.granted(amps, unknown)
			if o == refusal { // some EVSEs may have their parts: nothing is acknowledged, and it is tried again later
				l.stage, l.partly = refused, true
			}
		}
	})
}

// installFirst sends the default to a station of which nothing is counted with but its maximum.
func (r *Relay) installFirst() {
	if r.limit.held || r.limit.fallback {
		return
	}
	r.set("fallback", r.defaultProfile(r.cfg.Fallback), func(o outcome) {
		if o == refusal {
			r.note(true, "the station did not take the fallback limit")
		}
	})
}

// defaultProfile is what an EVSE may draw before its transaction has a profile.
func (r *Relay) defaultProfile(amps si.Amps) profile.Profile {
	a := amps / si.Amps(r.evses())
	least := profile.Limit{Amps: a}
	for n := range r.evses() { // whatever the CSMS allows at some time; relative ones have no time yet
		for _, q := range r.theirs.Composite(profile.EVSE{Number: n + 1, Rating: r.rating(a)}, r.now, horizon) {
			least.Amps = min(least.Amps, q.Limit.Amps)
		}
	}
	return r.allot(r.fallbackID(), profile.TxDefault, a, time.Time{}, []profile.Piece{{Limit: least}})
}

func (r *Relay) rating(amps si.Amps) profile.Rating {
	return profile.Rating{Phases: r.cfg.Phases, Volts: r.cfg.Volts, Max: max(amps, 0)}
}

// allot makes one of our profiles for an EVSE.
func (r *Relay) allot(id int, purpose profile.Purpose, amps si.Amps, until time.Time, pieces []profile.Piece) profile.Profile {
	p := profile.Profile{ID: id, Stack: r.limit.levels - 1, Purpose: purpose, ValidTo: until,
		Schedules: []profile.Schedule{{ID: 1, Start: r.now.Truncate(time.Second).Add(-lead)}}}
	p.Schedules[0].Periods = r.periods(pieces, amps)
	return p
}

// begun notes the transaction of an EVSE, which needs a profile.
func (r *Relay) begun(evse int, e *evseSeen) {
	e.began = r.now
	if !r.cfg.PerTx {
		return
	}
	b, _ := json.Marshal(txRecord{e.tx, e.began})
	r.saves.put(keyTx+itoa(evse), b)
	r.installGrant()
}

// ended forgets it; the station removes its profiles by itself (K02.FR.05).
func (r *Relay) ended(evse int) {
	if !r.cfg.PerTx {
		return
	}
	r.saves.put(keyTx+itoa(evse), nil)
	for _, id := range r.theirs.EndTransaction(evse) {
		r.forget(id)
	}
}

type txRecord struct {
	Tx    string
	Began time.Time
}

func (r *Relay) restoreTx(key string, b []byte) error {
	n, err := strconv.Atoi(key)
	var t txRecord
	if err == nil {
		err = json.Unmarshal(b, &t)
	}
	if err == nil && r.cfg.PerTx {
		e := r.seen.evse(n)
		e.tx, e.began = t.Tx, t.Began
	}
	return err
}

// started16 learns the id that the CSMS gave a transaction of OCPP 1.6.
func (r *Relay) started16(evse, id int) {
	if e := r.seen.evse(evse); evse > 0 && id > 0 && e.tx != itoa(id) {
		e.tx = itoa(id)
		r.begun(evse, e)
	}
}

func (r *Relay) startAnswered16(c *call, f rpc.Frame) {
	var q v16.StartTransactionRequest
	var res v16.StartTransactionResponse
	if q.UnmarshalJSON(c.payload) == nil && res.UnmarshalJSON(f.Payload) == nil {
		r.started16(q.ConnectorId, res.TransactionId)
	}
}

// takesTx keeps a TxProfile of the CSMS and answers for the station.
func (r *Relay) takesTx(f rpc.Frame) {
	p, ok := r.decodeProfile(f.Payload)
	status := `{"status":"Rejected"}`
	if ok && r.keepTheirs(p, f.Payload) {
		status = `{"status":"Accepted"}`
		r.reinstall()
	}
	r.emit(ToCSMS{rpc.AppendResult(nil, f.ID, []byte(status))})
}

// clearsTx drops TxProfiles that are kept, and tells whether there were any.
func (r *Relay) clearsTx(c profile.Filter) (cleared bool) {
	for _, p := range r.theirs.Select(c) {
		if p.Purpose == profile.Tx {
			r.theirs.Clear(profile.Filter{IDs: []int{p.ID}})
			r.forget(p.ID)
			cleared = true
		}
	}
	return cleared
}
