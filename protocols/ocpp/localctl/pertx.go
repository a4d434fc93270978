package localctl

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/ocpp/profile"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v16"
)

// A station that honours no limit for the whole station is limited by its transactions (Config.PerTx): those that run have the
// grant in equal parts as TxProfiles with an end, and beneath them, as TxDefaultProfile of their EVSE without one, the fallback in
// equal parts, or the grant if that is less. An EVSE without a transaction has a default of 0, so that one vehicle alone has all;
// without any transaction each EVSE has its part of the fallback, for who comes while the controller is gone. How it gets from one
// to the other is in shares.go.
//
// A TxProfile of the CSMS would hold in place of the default once ours has ended. It is therefore kept here, folded into ours,
// and never sent to the station, which does not report it either.

// keyTx is the key of a running transaction, by EVSE: after a restart its profile must be lowered before it is heard of.
const keyTx = "tx/"

// The ids of profiles of EVSEs: these and the number of the EVSE, negative but with OCPP 1.6. The default of the first one has the
// id of the fallback.
const (
	idTx      = 1971001000
	idDefault = 1971002000
)

func (r *Relay) ownID(id int) int {
	if r.plus() {
		return id
	}
	return -id
}

// evses is how many EVSEs the station has.
func (r *Relay) evses() int { return max(r.cfg.EVSEs, 1) }

// installFirst sends the defaults to a station of which nothing is counted with but its maximum.
func (r *Relay) installFirst() {
	first := func() bool { return r.ready && !r.limit.held }
	if !first() {
		return
	}
	var steps []step
	for n := range r.evses() {
		if !r.share(n + 1).def.sure {
			steps = append(steps, step{evse: n + 1, amps: r.cfg.Fallback / si.Amps(r.evses())})
		}
	}
	r.sendSteps(steps, 0, first, func() {}, func(o outcome) {
		if o == refusal {
			r.note(true, "the station did not take the fallback limit")
		}
	})
}

// defaultProfile is what an EVSE may draw before its transaction has a profile, and after that has ended.
func (r *Relay) defaultProfile(evse int, a si.Amps) profile.Profile {
	least := profile.Limit{Amps: a} // whatever the CSMS allows at some time; relative ones have no time yet
	for _, q := range r.theirs.Composite(profile.EVSE{Number: evse, Rating: r.rating(a)}, r.stationNow(), horizon) {
		least.Amps = min(least.Amps, q.Limit.Amps)
	}
	id := r.fallbackID()
	if evse > 1 {
		id = r.ownID(idDefault + evse)
	}
	p := r.allot(id, profile.TxDefault, a, time.Time{}, []profile.Piece{{Limit: least}})
	if r.evses() > 1 {
		p.EVSE = evse
	}
	return p
}

// txProfile is what the transaction of an EVSE may draw.
func (r *Relay) txProfile(st step) profile.Profile {
	p := r.allot(r.ownID(idTx+st.evse), profile.Tx, st.amps, st.until, r.theirs.Composite(profile.EVSE{Number: st.evse, Rating: r.rating(st.amps),
		Tx: profile.Transaction{ID: st.tx, Began: r.seen.evse(st.evse).began}}, r.stationNow(), horizon))
	p.EVSE, p.TxID = st.evse, st.tx
	return p
}

func (r *Relay) rating(amps si.Amps) profile.Rating {
	return profile.Rating{Phases: r.cfg.Phases, Volts: r.cfg.Volts, Max: max(amps, 0)}
}

// allot makes one of our profiles for an EVSE.
func (r *Relay) allot(id int, purpose profile.Purpose, amps si.Amps, until time.Time, pieces []profile.Piece) profile.Profile {
	p := profile.Profile{ID: id, Stack: r.limit.levels - 1, Purpose: purpose, ValidTo: r.validTo(until),
		Schedules: []profile.Schedule{{ID: 1, Start: r.stationNow().Truncate(time.Second).Add(-lead)}}}
	r.sends(p.Schedules[0].Start, p.ValidTo, until)
	p.Schedules[0].Periods = r.periods(pieces, amps)
	return p
}

// begun notes the transaction of an EVSE, which needs a profile.
func (r *Relay) begun(evse int, e *evseSeen) {
	e.began = r.stationNow()
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
	r.seen.evse(evse).tx = ""
	r.saves.put(keyTx+itoa(evse), nil)
	for _, id := range r.theirs.EndTransaction(evse) {
		r.forget(id)
	}
	r.installGrant() // for the others
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

// started16 learns the id that the CSMS gave a transaction of OCPP 1.6, and with which token it began, "" when that is not known.
func (r *Relay) started16(evse, id int, tag string) {
	if e := r.seen.evse(evse); evse > 0 && id > 0 && e.tx != itoa(id) {
		e.tx = itoa(id)
		r.startsTx(evse, e.tx, nil, tag)
		r.begun(evse, e)
	}
}

func (r *Relay) startAnswered16(c *call, f rpc.Frame) {
	var q v16.StartTransactionRequest
	var res v16.StartTransactionResponse
	if q.UnmarshalJSON(c.payload) == nil && res.UnmarshalJSON(f.Payload) == nil {
		r.started16(q.ConnectorId, res.TransactionId, q.IdTag)
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
