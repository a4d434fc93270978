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

// Held is what a station may hold of us, as it is stored before it is sent.
type Held struct {
	Amps  si.Amps   // per phase, the highest of what it may hold
	Until time.Time // zero: without end
}

// limiter keeps the site's limit installed in the station: the lease at the top stack level with an end, the fallback a
// level lower without one.
type limiter struct {
	levels   int    // stack levels of the station; 0 until known
	asked    bool   // the station was asked for them
	fallback bool   // the fallback is installed
	grant    *Grant // last one
	sent     uint64 // Seq of the grant under way
	acked    uint64
	inForce  si.Amps
	hasLimit bool
	ackAt    time.Time // of a lowering that the station was told
	ackSeq   uint64
	refresh  time.Time // when folded limits of the CSMS run out of horizon
	held     Held
	overAt   time.Time // since when the station draws too much
}

func (l *limiter) next() time.Time {
	at := l.ackAt
	if at.IsZero() || !l.refresh.IsZero() && l.refresh.Before(at) {
		at = l.refresh
	}
	return at
}

// Held returns what the station may still hold since an earlier run; false when nothing is known.
func (r *Relay) Held() (Held, bool) { return r.limit.held, r.limit.held != Held{} }

// accepted says that the station takes calls now: it was accepted by the CSMS, or by us.
func (r *Relay) accepted() {
	if r.ready {
		return
	}
	r.ready = true
	r.limit.fallback = false
	if r.cfg.Levels > 0 {
		r.limit.levels = r.cfg.Levels
	}
	if r.limit.levels > 0 {
		r.install()
		return
	}
	if r.cfg.Version == rpc.V16 {
		q := v16.GetConfigurationRequest{Key: []string{"ChargeProfileMaxStackLevel"}}
		r.ask(&r.station, "levels", true, q.ActionName(), q.AppendJSON(nil), func(a answer) {
			var res v16.GetConfigurationResponse
			if a.ok() && res.UnmarshalJSON(a.payload) == nil && len(res.ConfigurationKey) > 0 {
				r.setLevels(res.ConfigurationKey[0].Value)
				return
			}
			r.setLevels("")
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
		r.setLevels("")
	})
}

// setLevels takes the highest stack level that the station accepts.
func (r *Relay) setLevels(value string) {
	if !r.ready {
		return
	}
	top := 0
	if json.Unmarshal([]byte(value), &top) != nil || top < 0 {
		r.note(false, "the station does not tell its stack levels; one is assumed")
	}
	r.limit.levels = min(top, 1000) + 1
	r.install()
}

// install sends the fallback, and then the grant.
func (r *Relay) install() {
	if !r.ready || r.limit.levels == 0 {
		return
	}
	if r.limit.levels > 1 && !r.limit.fallback {
		p := r.profile(r.fallbackID(), r.limit.levels-2, r.cfg.Fallback, time.Time{})
		r.set("fallback", p, func(ok bool) {
			r.limit.fallback = ok
			if !ok {
				r.note(true, "the station did not take the fallback limit")
			}
		})
	}
	r.installGrant()
}

func (r *Relay) leaseID() int {
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

// grant takes a limit of the balancer; only a later one than the last counts.
func (r *Relay) grant(g Grant) {
	if l := r.limit.grant; l != nil && g.Seq <= l.Seq {
		return
	}
	r.limit.grant = &g
	r.limit.ackAt = time.Time{}
	r.installGrant()
}

func (r *Relay) installGrant() {
	g := r.limit.grant
	if g == nil || !r.ready || r.limit.levels == 0 {
		return
	}
	if !g.Until.IsZero() && !r.now.Before(g.Until) {
		return // too old: the next one is on its way
	}
	until := g.Until
	if r.limit.levels == 1 || g.Amps <= r.cfg.Fallback {
		until = time.Time{}
	}
	seq, amps := g.Seq, g.Amps
	p := r.profile(r.leaseID(), r.limit.levels-1, amps, until)
	h := Held{Amps: amps, Until: until}
	if old := r.limit.held; old != (Held{}) && (old.Until.IsZero() || r.now.Before(old.Until)) {
		h.Amps = max(h.Amps, old.Amps) // until it is acknowledged, either may be in force
		if old.Until.IsZero() || until.IsZero() {
			h.Until = time.Time{}
		} else if old.Until.After(until) {
			h.Until = old.Until
		}
	}
	r.hold(h, func() {
		if g := r.limit.grant; g == nil || g.Seq != seq {
			return
		}
		r.set("lease", p, func(ok bool) { r.granted(seq, amps, until, ok) })
	})
}

// hold makes durable what the station may hold, then goes on.
func (r *Relay) hold(h Held, then func()) {
	if h == r.limit.held {
		then()
		return
	}
	r.limit.held = h
	b, err := json.Marshal(h)
	if err != nil {
		r.note(true, "cannot store what the station holds: %v", err)
		return
	}
	r.saves.ops = append(r.saves.ops, Op{keyHeld, b})
	r.saves.then = append(r.saves.then, then)
}

func (r *Relay) granted(seq uint64, amps si.Amps, until time.Time, ok bool) {
	g := r.limit.grant
	if g == nil || g.Seq != seq {
		return
	}
	if !ok {
		if r.station.up {
			r.emit(Ack{Seq: seq, Refused: true})
		}
		return
	}
	lowered := !r.limit.hasLimit || amps < r.limit.inForce
	r.limit.inForce, r.limit.hasLimit, r.limit.overAt = amps, true, time.Time{}
	r.hold(Held{Amps: amps, Until: until}, func() {})
	if lowered && !(r.seen.measured() && r.seen.highest() <= amps) {
		r.limit.ackAt, r.limit.ackSeq = r.now.Add(r.cfg.Settle), seq
		return
	}
	r.limit.acked = seq
	r.emit(Ack{Seq: seq})
}

// limitDue acknowledges a lowering once the station has had its time, and refreshes folded limits.
func (r *Relay) limitDue() {
	if at := r.limit.ackAt; !at.IsZero() && !r.now.Before(at) {
		r.limit.ackAt = time.Time{}
		switch {
		case r.seen.measured() && r.seen.highest() > r.limit.inForce+1 && r.now.Sub(r.seen.at) < 2*r.cfg.Settle:
			// It draws more than it accepted: not acknowledged, so the balancer keeps the old limit reserved.
			r.limit.ackAt = r.now.Add(r.cfg.Settle)
			if r.limit.overAt.IsZero() {
				r.limit.overAt = r.now
				r.note(true, "the station accepted %v and still draws %v", r.limit.inForce, r.seen.highest())
			}
			r.seen.report(r)
		default:
			r.limit.overAt = time.Time{}
			r.limit.acked = r.limit.ackSeq
			r.emit(Ack{Seq: r.limit.ackSeq})
		}
	}
	if at := r.limit.refresh; !at.IsZero() && !r.now.Before(at) {
		r.limit.refresh = time.Time{}
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
