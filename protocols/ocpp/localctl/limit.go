package localctl

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/ocpp/profile"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v16"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// The ids of the controller's own profiles: a range that no CSMS uses. Negative ones in 2.0.1, as the standard does for
// limits from outside (K11.FR.06); stations of 1.6 take positive ones only.
const (
	idLease      = -1971000002
	idFallback   = -1971000001
	idLease16    = 1971000002
	idFallback16 = 1971000001
)

// OwnProfile reports whether a profile id is one of the controller's.
func OwnProfile(id int) bool {
	for _, first := range []int{idTx, idDefault} {
		if n := max(id, -id) - first; n > 0 && n <= maxEVSEs {
			return true
		}
	}
	return id == idLease || id == idFallback || id == idLease16 || id == idFallback16
}

// limiter keeps the site's limit installed in the station: the lease at the top stack level with an end, the fallback a
// level lower without one.
type limiter struct {
	levels   int    // stack levels of the station; 0 until known
	held     bool   // the balancer counts with what was granted, no more with the station's maximum
	fallback bool   // the fallback is installed
	grant    *Grant // the last one; its Seq is the one to acknowledge
	stage    stage
	partly   bool      // refused by one EVSE only
	gen      uint64    // counts installations, so that a late answer to an earlier one is not taken for this one's
	amps     si.Amps   // of the profile that the grant became
	until    time.Time // of it
	at       time.Time // since when it is in this stage
	inForce  si.Amps   // what the station has accepted, or may have
	high     si.Amps   // that may still be drawn from before, until due
	due      time.Time // when the station has had its time to follow
	was      si.Amps   // the highest limit of late, which readings that come until wasTo may be from
	wasTo    time.Time
	hasLimit bool
	refresh  time.Time     // when folded limits of the CSMS run out of horizon
	overFrom time.Time     // since when readings are over the limit in force
	overAt   time.Time     // since when the station is known not to follow; zero: it does
	settle   time.Duration // how long the station may take to follow
	eased    time.Time     // with PerTx: when vehicles have followed what was lowered last
	resume   func()        // what waits for that
	positive bool          // our ids are, though it speaks OCPP 2
	cleared  bool          // with PerTx and OCPP 2.1: no profile goes before ours
	rate     time.Duration // between two profiles that it takes; 0 for any
	set      time.Time     // when it was sent the last one that counts for that
	later    time.Time     // when the grant may be sent for that
}

// earlier returns the earlier of two instants, of which zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// stage is how far a grant has come.
type stage uint8

const (
	idle     stage = iota // not sent: the station takes no calls yet
	sending               // being stored or sent
	settling              // accepted; the station may still be on its way down
	inForce
	refused
)

const (
	// renewMargin is how much longer a grant must last than the profile installed for it to be worth a new one.
	renewMargin = 30 * time.Second
	// refusedPause is how long a refused profile is not sent again, however often it is granted.
	refusedPause = 10 * time.Second
)

func (l *limiter) next() time.Time {
	at := earlier(l.refresh, l.later)
	if l.stage == settling {
		at = earlier(at, l.due)
	}
	if l.resume != nil {
		at = earlier(at, l.eased)
	}
	if !l.overFrom.IsZero() && l.stage == inForce {
		at = earlier(at, l.overFrom.Add(l.settle))
	}
	return at
}

// HoldKey is the key of what a station may hold of us, the Hold of the last grant, for who reads the records of an earlier
// run.
const HoldKey = "hold"

// accepted says that the station takes calls now: it was accepted by the CSMS, or by us.
func (r *Relay) accepted() {
	if r.ready {
		return
	}
	r.ready = true
	r.limit.fallback, r.limit.cleared, r.limit.stage, r.limit.later = false, false, idle, time.Time{}
	r.unsure()
	r.seen.report(r)
	r.askFirst()
}

// install sends the fallback, and then the grant.
func (r *Relay) install() {
	if !r.ready || r.limit.levels == 0 || r.cfg.PerTx && !r.clearPriority() {
		return
	}
	if r.cfg.PerTx {
		r.installFirst()
	} else if (r.limit.levels > 1 || r.pinned() && !r.limit.held) && !r.limit.fallback {
		p := r.profile(r.fallbackID(), max(r.limit.levels-2, 0), r.cfg.Fallback, time.Time{})
		r.set("fallback", p, func(o outcome) {
			r.limit.fallback = o == taken
			if o == refusal {
				r.note(true, "the station did not take the fallback limit")
			}
		})
	}
	r.installGrant()
}

// pinned tells that the station has a single stack level though the site counts on two: a limit above the fallback could
// not be given an end, so it gets the fallback, or less if it is granted less.
func (r *Relay) pinned() bool {
	return r.limit.levels == 1 && r.cfg.Levels != 1 && !r.cfg.PerTx
}

func (r *Relay) leaseID() int {
	if r.pinned() {
		return r.fallbackID()
	}
	if r.plus() {
		return idLease16
	}
	return idLease
}

func (r *Relay) fallbackID() int {
	if r.plus() {
		return idFallback16
	}
	return idFallback
}

// plus tells whether our ids have to be positive: with OCPP 1.6, and where a station of 2.1 keeps the low ones to itself.
func (r *Relay) plus() bool { return r.cfg.Version == rpc.V16 || r.limit.positive }

// grant takes a limit of the balancer; only a later one than the last counts. One that only repeats what is under way or
// in force is acknowledged with it: the claim that it makes covers the profile installed.
func (r *Relay) grant(g Grant) {
	l := &r.limit
	old := l.grant
	if old != nil && g.Seq <= old.Seq {
		return
	}
	l.grant = &g
	if old == nil && r.ready && l.levels == 0 && r.cfg.Levels == 1 && !r.cfg.PerTx { // until now there was no need to ask
		r.askFirst()
		return
	}
	amps, until := r.wanted(g)
	same := old != nil && l.stage != idle && old.Amps == g.Amps && amps == l.amps && until.IsZero() == l.until.IsZero() &&
		!until.Before(l.until) && until.Sub(l.until) < renewMargin
	switch {
	case same && l.stage == inForce:
		r.emit(Ack{Seq: g.Seq})
	case same && l.stage == refused && r.now.Sub(l.at) < max(refusedPause, l.rate):
		if !l.partly {
			r.emit(Ack{Seq: g.Seq, Refused: true})
		}
	case same && l.stage != refused: // its acknowledgement comes
	default:
		r.installGrant()
	}
}

// wanted is what the station is to have of a grant, and until when; zero for no end.
func (r *Relay) wanted(g Grant) (amps si.Amps, until time.Time) {
	least := min(g.Amps, r.cfg.Fallback)
	switch {
	case r.pinned():
		return least, time.Time{}
	case r.limit.levels == 1 && !r.cfg.PerTx || g.Amps <= r.cfg.Fallback:
		return g.Amps, time.Time{}
	case !r.leasable():
		return least, time.Time{}
	}
	return g.Amps, g.Until
}

func (r *Relay) installGrant() {
	l := &r.limit
	g := l.grant
	if g == nil || !r.ready || l.levels == 0 {
		return
	}
	if !g.Until.IsZero() && !r.now.Before(g.Until) {
		l.stage = idle
		return // too old: the next one is on its way
	}
	if r.cfg.PerTx && !r.limit.cleared && r.cfg.Version == rpc.V21 {
		l.stage = idle
		return
	}
	if due := l.set.Add(l.rate); l.rate > 0 && !r.cfg.PerTx && r.now.Before(due) { // it would refuse, and count from then on
		l.stage, l.later = idle, due
		return
	}
	amps, until := r.wanted(*g)
	if amps < g.Amps {
		r.askClock()
	}
	r.clock.sent = time.Time{}
	l.stage, l.amps, l.until, l.at, l.partly = sending, amps, until, r.now, false
	r.allow(amps)
	l.gen++
	l.resume = nil
	gen := l.gen
	current := func() bool { return l.stage == sending && l.gen == gen }
	r.hold(g.Hold, func() {
		switch {
		case !current():
		case r.cfg.PerTx:
			r.installPerTx(amps, until, current)
		default:
			p := r.profile(r.leaseID(), l.levels-1, amps, until)
			r.set("lease", p, func(o outcome) {
				r.follows(amps, o)
				if current() {
					r.granted(amps, o)
				}
			})
		}
	})
}

// hold makes durable what the station may hold, then goes on.
func (r *Relay) hold(h []byte, then func()) {
	r.limit.held = true
	r.saves.ops = append(r.saves.ops, Op{HoldKey, h})
	r.saves.then = append(r.saves.then, then)
}

// follows notes what the station has now, whether that is still wanted or not. What vehicles draw is at most the highest limit
// of late: a reading from before is no proof that they draw less, as it may have risen since.
func (r *Relay) follows(amps si.Amps, o outcome) {
	l := &r.limit
	switch {
	case o == refusal || o == absent:
		return
	case o == unknown: // it may have it all the same
		l.inForce = max(l.inForce, amps)
		r.allow(amps)
		return
	case !l.hasLimit:
		l.high, l.due = r.cfg.MaxAmps, r.now.Add(l.settle)
		l.lowered(r.now, r.cfg.MaxAmps)
	case amps < l.inForce:
		l.lowered(r.now, l.inForce)
		if !r.now.Before(l.due) {
			l.high = 0
		}
		l.high, l.due = max(l.high, l.inForce), r.now.Add(l.settle)
	}
	l.inForce, l.hasLimit, l.overFrom = amps, true, time.Time{}
	r.allow(amps)
}

func (r *Relay) granted(amps si.Amps, o outcome) {
	l := &r.limit
	l.at = r.now
	switch o {
	case refusal, absent:
		l.stage = refused
		r.emit(Ack{Seq: l.grant.Seq, Refused: true})
		return
	case unknown: // the balancer grants again, and counts with it until then
		l.stage = idle
		return
	}
	r.settles()
	if !l.overAt.IsZero() && r.over() { // it does not follow: accepting changes nothing
		l.stage, l.high, l.due = settling, r.cfg.MaxAmps, r.now.Add(l.settle)
		return
	}
	l.overAt = time.Time{}
	if r.now.Before(l.due) && amps < l.high {
		l.stage = settling
	} else {
		r.confirm()
	}
	r.seen.report(r)
}

// confirm acknowledges the grant: the station draws no more than it says.
func (r *Relay) confirm() {
	r.limit.stage, r.limit.at = inForce, r.now
	r.emit(Ack{Seq: r.limit.grant.Seq})
	if after := r.limit.grant.After; after != nil {
		r.saves.put(HoldKey, after)
	}
}

// limitDue acknowledges a lowering once the station has had its time, and refreshes folded limits.
func (r *Relay) limitDue() {
	l := &r.limit
	if then := l.resume; then != nil && !r.now.Before(l.eased) {
		l.resume = nil
		then()
	}
	if !l.later.IsZero() && !r.now.Before(l.later) {
		l.later = time.Time{}
		r.installGrant()
	}
	if l.stage == settling && !r.now.Before(l.due) {
		if r.over() && (!l.overAt.IsZero() || r.now.Sub(r.seen.heard) < 2*r.cfg.Settle) {
			r.disobeys() // not acknowledged, so the balancer keeps the old limit reserved
		} else {
			l.overAt = time.Time{}
			r.confirm()
		}
		r.seen.report(r)
	}
	if l.stage == inForce && !l.overFrom.IsZero() && !r.now.Before(l.overFrom.Add(l.settle)) {
		l.stage = settling
		r.disobeys()
		r.seen.report(r)
	}
	if at := l.refresh; !at.IsZero() && !r.now.Before(at) {
		l.refresh = time.Time{}
		r.reinstall()
	}
}

// disobeys notes that the station draws more than it accepted. It counts as doing so until a reading says otherwise.
func (r *Relay) disobeys() {
	l := &r.limit
	l.due, l.overFrom = r.now.Add(l.settle), time.Time{}
	if l.overAt.IsZero() {
		l.overAt = r.now
		r.note(true, "the station accepted %v and draws %s; its maximum is reserved until it follows", l.inForce, r.draws())
	}
}

// watch looks at a new reading while a limit is in force.
func (r *Relay) watch() {
	l := &r.limit
	switch {
	case l.stage != inForce || !r.over():
		l.overFrom = time.Time{}
	case l.overFrom.IsZero():
		l.overFrom = r.now
	}
}

// reinstall sends our profiles again after the CSMS has changed the station's.
func (r *Relay) reinstall() {
	r.limit.fallback = false
	r.unsure()
	r.install()
}

// lead is how long before the station's present time our schedules begin, so that they hold when its clock is set back.
const lead = 24 * time.Hour

// horizon is how far ahead the CSMS's own limits are folded in; before it ends, the profiles are sent anew.
const horizon = 24 * time.Hour

// profile makes one of our profiles: amps at most, and no more than the CSMS's own station limits, which ours override
// because they are at higher stack levels (K01.FR.17).
func (r *Relay) profile(id, stack int, amps si.Amps, until time.Time) profile.Profile {
	start := r.stationNow().Truncate(time.Second)
	p := profile.Profile{ID: id, Stack: stack, Purpose: profile.StationMax, ValidTo: r.validTo(until),
		Schedules: []profile.Schedule{{ID: 1, Start: start.Add(-lead)}}}
	r.sends(start.Add(-lead), p.ValidTo, until)
	s := &p.Schedules[0]
	rating := profile.Rating{Phases: r.cfg.Phases, Volts: r.cfg.Volts, Max: max(amps, 0)}
	pieces := []profile.Piece{{Limit: profile.Limit{Amps: max(amps, 0)}}}
	if len(r.theirs.All()) > 0 {
		pieces = r.theirs.StationComposite(rating, nil, start, horizon)
	}
	s.Periods = r.periods(pieces, amps)
	return p
}

// periods are the pieces of a composite, of which the first begins earlier than now.
func (r *Relay) periods(pieces []profile.Piece, most si.Amps) (out []profile.Period) {
	for _, q := range pieces {
		if q.Start > 0 {
			q.Start += lead
		}
		per := profile.Period{Start: q.Start, Limit: r.round(min(q.Limit.Amps, most))}
		if n := len(out); n > 0 && (out[n-1].Limit == per.Limit || n >= 24) {
			out[n-1].Limit = math.Min(out[n-1].Limit, per.Limit)
			continue
		}
		out = append(out, per)
	}
	if len(pieces) > 1 {
		r.limit.refresh = r.now.Add(horizon / 2)
	}
	return out
}

// round never rounds up.
func (r *Relay) round(a si.Amps) float64 {
	if r.cfg.Whole {
		return math.Floor(float64(a) + 1e-6)
	}
	return math.Floor(float64(a)*10+1e-6) / 10
}

// outcome is how the sending of a profile ended.
type outcome uint8

const (
	unknown outcome = iota // no answer: the station may have taken it
	taken
	refusal
	absent // refused, as there is no such transaction
)

// set sends a profile to the station.
func (r *Relay) set(key string, p profile.Profile, done func(outcome)) {
	var action string
	var payload []byte
	if r.cfg.Version == rpc.V16 {
		q := v16.SetChargingProfileRequest{ConnectorId: p.EVSE, CsChargingProfiles: profile.To16(&p)}
		if tx, err := strconv.Atoi(p.TxID); err == nil {
			q.CsChargingProfiles.TransactionId = &tx
		}
		action, payload = q.ActionName(), q.AppendJSON(nil)
	} else {
		q := v201.SetChargingProfileRequest{EvseId: p.EVSE, ChargingProfile: profile.To201(&p)}
		action, payload = q.ActionName(), q.AppendJSON(nil)
	}
	if p.Purpose != profile.Tx {
		r.limit.set = r.now
	}
	sent := r.ask(&r.station, key, true, action, payload, func(a answer) {
		var res struct{ Status string }
		switch {
		case a.ok() && json.Unmarshal(a.payload, &res) == nil && res.Status == "Accepted":
			done(taken)
		case a.ok() && bytes.Contains(a.payload, []byte(`"`+string(profile.UnknownTransaction)+`"`)):
			done(absent)
		case a.ok():
			r.note(true, "the station answered %s to a charging profile of the controller", res.Status)
			done(refusal)
		case a.code != "":
			done(refusal)
		default:
			done(unknown)
		}
	})
	if !sent {
		done(unknown)
	}
}
