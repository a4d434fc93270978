package evse

import (
	"math"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/si"
)

// reportKey is what makes a report due at once; the rest waits for the interval.
type reportKey struct {
	at       time.Time
	pilot    hal.Pilot
	closed   bool
	auth     bool
	wants    bool
	fault    hal.Fault
	stage    msg.SessionStage
	grant    uint64
	accepts  si.Amps
	acceptsW si.Watts
	screen   *hal.Screen
	cable    bool
	lock     bool
	draw     [3]int // in half amperes
}

// report tells balancer and station role about the EVSE: at once when something has changed, else once a second while a
// vehicle is connected and every two seconds without.
func (e *EVSE) report(ctx actor.Context, now time.Time, p permit) {
	r := e.describe(p)
	key := reportKey{pilot: r.Pilot, closed: r.Charging, auth: r.Auth, wants: r.Wants, fault: hal.Fault(r.Fault), stage: r.Stage,
		grant: e.lease.grant.Seq, accepts: r.Max, acceptsW: r.MaxPower, screen: r.Screen, cable: r.Cable, lock: r.LockFailed}
	for i, a := range r.Draw {
		key.draw[i] = int(math.Round(float64(a) * 2))
	}
	every := time.Second
	if !r.Plugged {
		every = 2 * time.Second
	}
	was := e.reported
	was.at = time.Time{}
	if key == was && now.Sub(e.reported.at) < every && e.introduce == 0 {
		return
	}
	key.at = now
	e.reported = key
	e.seq++
	r.Seq = e.seq
	r.Introduced, e.introduce = e.introduce, 0
	ctx.Send(e.env.At(msg.Balancer), r)
	ctx.Send(e.env.At(msg.StationName(e.cfg.Station)), r)
}

func (e *EVSE) describe(p permit) msg.EVSEReport {
	r := msg.EVSEReport{EVSE: e.cfg.ID, Pilot: e.input.Pilot, Plugged: e.input.Pilot.Connected(), Charging: e.input.Closed,
		Fault: string(e.input.Fault), Operative: e.operative, Phases: e.phases(), SoC: -1, Meter: e.meter,
		GrantSeq: e.lease.grant.Seq, Grant: e.lease.grant, Setpoint: e.decision.Offer, Limit: p.Amps, LimitW: p.Watts, Draw: e.draw(), Stale: e.stale,
		Cable: e.plugIn(), LockFailed: e.lock.failed, Screen: e.screen}
	if e.hw.Module != nil && r.Fault == "" {
		r.Fault = string(e.module.Fault)
	}
	if e.cutOff {
		r.Fault = "OverCurrentFailure"
	}
	if !r.Plugged {
		return r
	}
	v := &e.vehicle
	r.Since, r.Auth, r.Token = v.since, v.auth, v.token
	r.Energy = e.meter.Import - v.start.Import
	r.EVCCID, r.Stage = v.state.EVCCID, v.state.Stage
	r.SoC, r.Wanted, r.Capacity = v.needs.SoC, v.needs.Energy, v.needs.Capacity
	r.Min, r.Max, r.MaxPower = v.needs.MinCurrent, v.needs.MaxCurrent, v.needs.MaxPower
	if v.needs.Departure > 0 {
		r.Departure = v.since.Add(v.needs.Departure)
	}
	switch {
	case v.mode == modeBasic:
		r.Protocol = msg.ProtocolPilot
		r.Done = !v.noDemand.IsZero() && time.Since(v.noDemand) > time.Minute
	case v.ended != nil:
		r.Protocol, r.Done = v.state.Protocol, true
	default:
		r.Protocol = v.state.Protocol
	}
	if e.cfg.DC {
		r.MaxPower = inWatts(e.limits, v.needs.MaxPower)
	}
	r.Stopped = v.stopped || v.cutOff
	r.Wants = v.auth && !r.Stopped && !r.Done && r.Fault == "" && (v.mode == modeBasic || v.ready())
	return r
}

// ready reports whether the vehicle's session has come as far as to need a limit.
func (v *vehicle) ready() bool {
	switch v.state.Stage {
	case msg.StageAuth, msg.StageParams, msg.StageCable, msg.StagePreCharge, msg.StageCharging:
		return true
	}
	return false
}

// phases is how many phases the vehicle uses: what it said, or what it is seen to draw.
func (e *EVSE) phases() int {
	if e.cfg.DC {
		return 3
	}
	if n := e.needs.Phases; n == 1 || n == 3 {
		return min(n, e.cfg.Phases)
	}
	if c := e.meter.Current; e.input.Closed && c[0] > 2 {
		if c[1] > 1 || c[2] > 1 {
			return 3
		}
		return 1
	}
	return 0
}

// draw is what the EVSE takes from the grid, at its own terminals.
func (e *EVSE) draw() si.Phases {
	if !e.cfg.DC {
		return e.meter.Current
	}
	v := e.cfg.Volts
	if v <= 0 {
		v = 230
	}
	return si.Same((inWatts(e.limits, e.meter.Power) / 3).At(v))
}
