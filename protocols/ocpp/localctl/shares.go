package localctl

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/ocpp/profile"
)

// A share is the most that an EVSE may draw by our profiles. A higher one counts from before it is sent, a lower one once it was
// taken, and what changes is stored first: so the shares together are never less than what the EVSEs may draw, whatever gets lost.
type share struct {
	Tx    string        // transaction that Amps is for
	Amps  si.Amps       // by its TxProfile
	Until time.Time     // when that ends; zero for never
	Left  time.Duration // until then, when it was sent: after a restart it may have all of that before it
	Def   si.Amps       // by the default of the EVSE

	tx, def sentShare
	stored  []byte
}

// sentShare is how far a profile has come.
type sentShare struct {
	sent uint64 // counts, so that the answer to an earlier one is not taken for this one's
	sure bool   // the station took the last one, over this connection
}

const (
	keyShare = "share/"
	// lapse is how long after its end a TxProfile counts: the station's clock may have been set back (the balancer waits as long).
	lapse = time.Minute
)

// share is that of an EVSE; at first it is the station's maximum.
func (r *Relay) share(evse int) *share {
	s := r.shares[evse]
	if s == nil {
		s = &share{Def: r.cfg.MaxAmps}
		r.shares[evse] = s
	}
	return s
}

// lasts tells whether a TxProfile for the transaction may be in force.
func (s *share) lasts(tx string, now time.Time) bool {
	return s.Tx == tx && (s.Until.IsZero() || now.Before(s.Until.Add(lapse)))
}

// step is a profile on its way to the station.
type step struct {
	evse  int
	tx    string // "" for the default
	amps  si.Amps
	until time.Time
}

// take counts a profile that is to be sent.
func (s *share) take(st step, now time.Time) {
	switch {
	case st.tx == "":
		s.Def = max(s.Def, st.amps)
	case !s.lasts(st.tx, now):
		s.Tx, s.Amps, s.Until = st.tx, st.amps, st.until
	default:
		s.Amps = max(s.Amps, st.amps)
		if st.until.IsZero() || !s.Until.IsZero() && st.until.After(s.Until) {
			s.Until = st.until
		}
	}
	if st.tx != "" && !s.Until.IsZero() {
		s.Left = s.Until.Sub(now)
	}
}

// steps are what has to change for a grant: first what lowers a share, defaults before all, as they hold when TxProfiles end; then
// what raises one. Vehicles have the grant in equal parts, and the fallback beneath; where there is none, the default is 0, and
// without any vehicle all EVSEs have their part of the fallback.
func (r *Relay) steps(amps si.Amps, until time.Time) (lower, raise []step) {
	beneath := min(amps, r.cfg.Fallback)
	var active si.Amps
	for k := range r.evses() {
		if r.txOf(k+1) != "" {
			active++
		}
	}
	var lowerTx, raiseDef []step
	for n := range r.evses() {
		k := n + 1
		s, tx := r.share(k), r.txOf(k)
		def := step{evse: k}
		switch {
		case active == 0:
			def.amps = beneath / si.Amps(r.evses())
		case tx != "":
			def.amps = beneath / active
		}
		switch {
		case s.def.sure && s.Def == def.amps:
		case def.amps <= s.Def:
			lower = append(lower, def)
		default:
			raiseDef = append(raiseDef, def)
		}
		if tx == "" {
			continue
		}
		st := step{k, tx, amps / active, until}
		has := s.Def
		if s.lasts(tx, r.now) {
			has = s.Amps
		}
		switch {
		case s.tx.sure && s.Tx == tx && s.Amps == st.amps && s.Until.Equal(until):
		case st.amps <= has:
			lowerTx = append(lowerTx, st)
		default:
			raise = append(raise, st)
		}
	}
	return append(lower, lowerTx...), append(raise, raiseDef...)
}

// txOf is the transaction of an EVSE, "" for none.
func (r *Relay) txOf(evse int) string {
	if e := r.seen.evses[evse]; e != nil {
		return e.tx
	}
	return ""
}

// installPerTx sends what has to change for a grant, one after the other: nothing is raised before all that is lowered was taken
// and the vehicles have had their time to follow.
func (r *Relay) installPerTx(amps si.Amps, until time.Time, current func() bool) {
	lower, raise := r.steps(amps, until)
	fail := func(o outcome) {
		r.granted(amps, unknown)
		if o == refusal { // some EVSEs may have their shares: nothing is acknowledged, and it is tried again later
			r.limit.stage, r.limit.partly = refused, true
		}
	}
	send := func(steps []step, then func()) {
		r.count(steps, func() { r.sendSteps(steps, amps, current, then, fail) })
	}
	send(lower, func() {
		r.settled(len(raise) > 0, current, func() {
			send(raise, func() {
				r.follows(amps, taken)
				r.granted(amps, taken)
			})
		})
	})
}

// count stores the shares with some steps taken, then goes on.
func (r *Relay) count(steps []step, then func()) {
	for _, st := range steps {
		r.share(st.evse).take(st, r.now)
	}
	ops := len(r.saves.ops)
	for _, k := range slices.Sorted(maps.Keys(r.shares)) {
		s := r.shares[k]
		if b, _ := json.Marshal(s); !bytes.Equal(b, s.stored) {
			s.stored = b
			r.saves.put(keyShare+itoa(k), b)
		}
	}
	if len(r.saves.ops) == ops {
		then()
		return
	}
	r.saves.then = append(r.saves.then, then)
}

// settled goes on once vehicles have had their time to follow what was lowered.
func (r *Relay) settled(wait bool, current func() bool, then func()) {
	l := &r.limit
	if !wait || !r.now.Before(l.eased) {
		then()
		return
	}
	l.resume = func() {
		if current() {
			then()
		}
	}
}

func (r *Relay) sendSteps(steps []step, amps si.Amps, current func() bool, then func(), fail func(outcome)) {
	if !current() {
		return
	}
	if len(steps) == 0 {
		then()
		return
	}
	st := steps[0]
	s := r.share(st.evse)
	how, key := &s.tx, "part/"+itoa(st.evse)
	var p profile.Profile
	if st.tx == "" {
		how, key, p = &s.def, "default/"+itoa(st.evse), r.defaultProfile(st.evse, st.amps)
	} else {
		p = r.txProfile(st)
	}
	how.sent++
	how.sure = false
	sent := how.sent
	r.set(key, p, func(o outcome) {
		if o == taken && how.sent == sent {
			r.took(s, st)
			how.sure = true
		}
		if st.tx != "" && (o == absent || o == refusal && r.txOf(st.evse) != st.tx) { // it has ended, and its profile with it
			o = taken
			if r.txOf(st.evse) == st.tx {
				r.ended(st.evse)
			}
		}
		if r.limit.grant != nil {
			r.follows(amps, unknown) // one EVSE may have its new share, another one its old
		}
		switch {
		case o == taken:
			r.sendSteps(steps[1:], amps, current, then, fail)
		case current():
			fail(o)
		}
	})
}

// took notes that the station took a profile, and that vehicles may be on their way down for it.
func (r *Relay) took(s *share, st step) {
	was := s.Def
	if st.tx == "" {
		s.Def = st.amps
	} else {
		if s.lasts(st.tx, r.now) {
			was = s.Amps
		}
		s.Tx, s.Amps, s.Until = st.tx, st.amps, st.until
	}
	if st.amps < was {
		r.limit.eased = r.now.Add(r.limit.settle)
	}
}

// unsure has all profiles sent again.
func (r *Relay) unsure() {
	for _, s := range r.shares {
		s.tx.sure, s.def.sure = false, false
	}
}

func (r *Relay) restoreShare(key string, b []byte) error {
	k, err := strconv.Atoi(key)
	s := &share{stored: b}
	if err == nil {
		err = json.Unmarshal(b, s)
	}
	if err == nil {
		switch { // by how much the wall clock was set meanwhile nobody knows
		case s.Until.IsZero():
		case s.Left <= 0:
			s.Until = time.Time{}
		default:
			s.Until = r.now.Add(s.Left)
		}
		r.shares[k] = s
	}
	return err
}
