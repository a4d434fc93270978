package localctl

import (
	"encoding/json"
	"math"
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
	return id == idLease || id == idFallback || id == idLease16 || id == idFallback16
}

// limiter keeps the site's limit installed in the station: the lease at the top stack level with an end, the fallback a
// level lower without one.
type limiter struct {
	levels   int    // stack levels of the station; 0 until known
	fallback bool   // the fallback is installed
	grant    *Grant // the last one; its Seq is the one to acknowledge
	stage    stage
	gen      uint64    // counts installations, so that a late answer to an earlier one is not taken for this one's
	until    time.Time // of the profile that the grant became
	at       time.Time // since when it is in this stage
	inForce  si.Amps   // what the station has accepted
	hasLimit bool
	refresh  time.Time // when folded limits of the CSMS run out of horizon
	overAt   time.Time // since when the station draws too much
	settle   time.Duration
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
	at := l.refresh
	if l.stage == settling {
		if t := l.at.Add(l.settle); at.IsZero() || t.Before(at) {
			at = t
		}
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
	r.limit.fallback, r.limit.stage = false, idle
	r.seen.report(r)
	if r.cfg.Levels > 0 {
		r.limit.levels = r.cfg.Levels
	}
	if r.limit.levels > 0 {
		r.install()
		return
	}
	r.askLevels()
}

// askLevels asks the station for its highest stack level. No answer is asked again; a refusal counts as a single level.
func (r *Relay) askLevels() {
	if r.cfg.Version == rpc.V16 {
		q := v16.GetConfigurationRequest{Key: []string{"ChargeProfileMaxStackLevel"}}
		r.ask(&r.station, "levels", true, q.ActionName(), q.AppendJSON(nil), func(a answer) {
			var res v16.GetConfigurationResponse
			if a.ok() && res.UnmarshalJSON(a.payload) == nil && len(res.ConfigurationKey) > 0 {
				r.setLevels(res.ConfigurationKey[0].Value)
				return
			}
			r.levelsUnknown(a)
		})
		return
	}
	q := v201.GetVariablesRequest{GetVariableData: []v201.GetVariableData{{Component: v201.Component{Name: "SmartChargingCtrlr"}, Variable: v201.Variable{Name: "ProfileStackLevel"}}}}
	r.ask(&r.station, "levels", true, q.ActionName(), q.AppendJSON(nil), func(a answer) {
		var res v201.GetVariablesResponse
		if a.ok() && res.UnmarshalJSON(a.payload) == nil && len(res.GetVariableResult) > 0 {
			r.setLevels(res.GetVariableResult[0].AttributeValue)
			return
		}
		r.levelsUnknown(a)
	})
}

func (r *Relay) levelsUnknown(a answer) {
	switch {
	case a.ok(), a.code != "":
		r.setLevels("")
	case r.ready && a.what != gone:
		r.askLevels()
	}
}

// setLevels takes the highest stack level that the station accepts.
func (r *Relay) setLevels(value string) {
	if !r.ready {
		return
	}
	top := 0
	if json.Unmarshal([]byte(value), &top) != nil || top < 0 {
		r.note(false, "the station does not tell its stack levels; one is assumed")
		top = 0
	}
	if top == 0 {
		r.note(false, "the station has one stack level and is not described so: it stays at its fallback; set levels: 1")
	}
	r.limit.levels = min(top, 1000) + 1
	r.seen.report(r)
	r.install()
}

// install sends the fallback, and then the grant.
func (r *Relay) install() {
	if !r.ready || r.limit.levels == 0 {
		return
	}
	if (r.limit.levels > 1 || r.pinned()) && !r.limit.fallback {
		p := r.profile(r.fallbackID(), max(r.limit.levels-2, 0), r.cfg.Fallback, time.Time{})
		r.set("fallback", p, func(ok bool) {
			r.limit.fallback = ok
			if !ok {
				r.note(true, "the station did not take the fallback limit")
			}
		})
	}
	r.installGrant()
}

// pinned tells that the station has a single stack level though the site counts on two: a limit above the fallback could
// not be given an end, so none is given.
func (r *Relay) pinned() bool { return r.limit.levels == 1 && r.cfg.Levels != 1 }

func (r *Relay) leaseID() int {
	if r.pinned() {
		return r.fallbackID()
	}
	if r.cfg.Version == rpc.V16 {
		return idLease16
	}
	return idLease
}

func (r *Relay) fallbackID() int {
	if r.cfg.Version == rpc.V16 {
		return idFallback16
	}
	return idFallback
}

// grant takes a limit of the balancer; only a later one than the last counts. One that only repeats what is under way or
// in force is acknowledged with it: the claim that it makes covers the profile installed.
func (r *Relay) grant(g Grant) {
	l := &r.limit
	old := l.grant
	if old != nil && g.Seq <= old.Seq {
		return
	}
	l.grant = &g
	same := old != nil && l.stage != idle && old.Amps == g.Amps && r.end(g).IsZero() == l.until.IsZero() &&
		!r.end(g).Before(l.until) && r.end(g).Sub(l.until) < renewMargin
	switch {
	case same && l.stage == inForce:
		r.emit(Ack{Seq: g.Seq})
	case same && l.stage == refused && r.now.Sub(l.at) < refusedPause:
		r.emit(Ack{Seq: g.Seq, Refused: true})
	case same && l.stage != refused: // its acknowledgement comes
	default:
		r.installGrant()
	}
}

// end is until when a grant lasts in the station; zero for one without end.
func (r *Relay) end(g Grant) time.Time {
	if r.limit.levels == 1 || g.Amps <= r.cfg.Fallback {
		return time.Time{}
	}
	return g.Until
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
	amps, until := g.Amps, r.end(*g)
	if r.pinned() && amps > r.cfg.Fallback {
		l.stage, l.until, l.at = refused, until, r.now
		r.emit(Ack{Seq: g.Seq, Refused: true})
		return
	}
	l.stage, l.until, l.at = sending, until, r.now
	l.gen++
	gen := l.gen
	current := func() bool { return l.stage == sending && l.gen == gen }
	r.hold(g.Hold, func() {
		if current() {
			p := r.profile(r.leaseID(), l.levels-1, amps, until)
			r.set("lease", p, func(ok bool) {
				if current() {
					r.granted(amps, ok)
				}
			})
		}
	})
}

// hold makes durable what the station may hold, then goes on.
func (r *Relay) hold(h []byte, then func()) {
	r.saves.ops = append(r.saves.ops, Op{HoldKey, h})
	r.saves.then = append(r.saves.then, then)
}

func (r *Relay) granted(amps si.Amps, ok bool) {
	l := &r.limit
	l.at = r.now
	if !ok {
		l.stage = idle
		if r.station.up {
			l.stage = refused
			r.emit(Ack{Seq: l.grant.Seq, Refused: true})
		}
		return
	}
	lowered := !l.hasLimit || amps < l.inForce
	l.inForce, l.hasLimit, l.overAt = amps, true, time.Time{}
	if lowered && !(r.seen.measured() && r.seen.highest() <= amps) {
		l.stage, l.settle = settling, r.cfg.Settle
		return
	}
	r.confirm()
}

// confirm acknowledges the grant: the station draws no more than it says.
func (r *Relay) confirm() {
	r.limit.stage, r.limit.at = inForce, r.now
	r.emit(Ack{Seq: r.limit.grant.Seq})
}

// limitDue acknowledges a lowering once the station has had its time, and refreshes folded limits.
func (r *Relay) limitDue() {
	l := &r.limit
	if l.stage == settling && !r.now.Before(l.at.Add(l.settle)) {
		if r.seen.measured() && r.seen.highest() > l.inForce+1 && r.now.Sub(r.seen.at) < 2*r.cfg.Settle {
			// It draws more than it accepted: not acknowledged, so the balancer keeps the old limit reserved.
			l.at = r.now
			if l.overAt.IsZero() {
				l.overAt = r.now
				r.note(true, "the station accepted %v and still draws %v", l.inForce, r.seen.highest())
			}
		} else {
			l.overAt = time.Time{}
			r.confirm()
		}
		r.seen.report(r)
	}
	if at := l.refresh; !at.IsZero() && !r.now.Before(at) {
		l.refresh = time.Time{}
		r.reinstall()
	}
}

// reinstall sends our profiles again after the CSMS has changed the station's.
func (r *Relay) reinstall() {
	r.limit.fallback = false
	r.install()
}

// horizon is how far ahead the CSMS's own limits are folded in; before it ends, the profiles are sent anew.
const horizon = 24 * time.Hour

// profile makes one of our profiles: amps at most, and no more than the CSMS's own station limits, which ours override
// because they are at higher stack levels (K01.FR.17).
func (r *Relay) profile(id, stack int, amps si.Amps, until time.Time) profile.Profile {
	start := r.now.Truncate(time.Second)
	p := profile.Profile{ID: id, Stack: stack, Purpose: profile.StationMax, ValidTo: until,
		Schedules: []profile.Schedule{{ID: 1, Start: start}}}
	s := &p.Schedules[0]
	rating := profile.Rating{Phases: r.cfg.Phases, Volts: r.cfg.Volts, Max: max(amps, 0)}
	pieces := []profile.Piece{{Limit: profile.Limit{Amps: max(amps, 0)}}}
	if len(r.theirs.All()) > 0 {
		pieces = r.theirs.StationComposite(rating, nil, start, horizon)
		if len(pieces) > 1 {
			r.limit.refresh = r.now.Add(horizon / 2)
		}
	}
	for _, q := range pieces {
		per := profile.Period{Start: q.Start, Limit: r.round(q.Limit.Amps)}
		if n := len(s.Periods); n > 0 && s.Periods[n-1].Limit == per.Limit || len(s.Periods) >= 24 {
			s.Periods[n-1].Limit = math.Min(s.Periods[n-1].Limit, per.Limit)
			continue
		}
		s.Periods = append(s.Periods, per)
	}
	return p
}

// round never rounds up.
func (r *Relay) round(a si.Amps) float64 {
	if r.cfg.Whole {
		return math.Floor(float64(a) + 1e-6)
	}
	return math.Floor(float64(a)*10+1e-6) / 10
}

// set sends a profile to the station.
func (r *Relay) set(key string, p profile.Profile, done func(ok bool)) {
	var action string
	var payload []byte
	if r.cfg.Version == rpc.V16 {
		q := v16.SetChargingProfileRequest{ConnectorId: 0, CsChargingProfiles: profile.To16(&p)}
		action, payload = q.ActionName(), q.AppendJSON(nil)
	} else {
		q := v201.SetChargingProfileRequest{EvseId: 0, ChargingProfile: profile.To201(&p)}
		action, payload = q.ActionName(), q.AppendJSON(nil)
	}
	sent := r.ask(&r.station, key, true, action, payload, func(a answer) {
		var res struct{ Status string }
		ok := a.ok() && json.Unmarshal(a.payload, &res) == nil && res.Status == "Accepted"
		if a.ok() && !ok {
			r.note(true, "the station answered %s to a charging profile of the controller", res.Status)
		}
		done(ok)
	})
	if !sent {
		done(false)
	}
}
