package evse

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal"
)

// respawnAfter is the pause before a session is listened for again.
const respawnAfter = time.Second

// spawnSession starts port and session for the vehicle, under a new generation.
func (e *EVSE) spawnSession(ctx actor.Context) {
	e.gen++
	e.online, e.close, e.want, e.setpoint = false, false, false, hal.ModuleSetpoint{}
	e.state = msg.SessionState{}
	e.seen = -1
	e.Once(ctx, "port", e.name("port"), e.kids.Port(e.gen, ctx.Self()))
	e.Once(ctx, "session", e.name("session"), e.kids.Session(e.gen, ctx.Self()))
	if p := e.paused; p != nil {
		e.tellSession(ctx, msg.SessionPaused{Gen: e.gen, SessionID: p.SessionID, EVCCID: p.EVCCID})
	}
	e.tellPlan(ctx)
}

// stopSession ends port and session. Messages that are still on their way from them are ignored.
func (e *EVSE) stopSession(ctx actor.Context) {
	if e.kids.Session == nil || e.PID(e.name("session")) == nil && e.PID(e.name("port")) == nil {
		return
	}
	e.Stop(ctx, e.name("session"))
	e.Stop(ctx, e.name("port"))
	e.gen++ // the old one is no longer heard
	e.online, e.close, e.want, e.setpoint = false, false, false, hal.ModuleSetpoint{}
}

func (e *EVSE) tellSession(ctx actor.Context, m any) {
	if pid := e.PID(e.name("session")); pid != nil {
		ctx.Send(pid, m)
	}
}

// childGone is called when a port or session has ended. A failed one is replaced while its vehicle is still there.
func (e *EVSE) childGone(ctx actor.Context, name string, failed bool) {
	if name != e.name("session") && name != e.name("port") {
		return
	}
	if failed {
		e.log.Error().Str("child", name).Msg("communication failed; the contactor opens")
	}
	now := time.Now()
	e.stopSession(ctx)
	if e.input.Pilot.Connected() && e.mode == modeDigital {
		e.timers.Set("respawn", respawnAfter)
	}
	e.act(ctx, now)
}

// fromChild handles messages of port and session; false when the message is none of the present generation.
func (e *EVSE) fromChild(ctx actor.Context, now time.Time) bool {
	switch m := ctx.Message().(type) {
	case msg.SessionListening:
		if m.Gen != e.gen {
			return false
		}
		if port := e.PID(e.name("port")); port != nil {
			ctx.Send(port, m)
		}
	case msg.PortLink:
		if m.Gen != e.gen {
			return false
		}
		e.log.Debug().Bool("up", m.Up).Msg("power line")
	case msg.PortDiscovered:
		if m.Gen != e.gen {
			return false
		}
		e.tellSession(ctx, msg.SessionDiscovered(m))
	case msg.SessionState:
		if m.Gen != e.gen {
			return false
		}
		e.state = m
		e.online = m.Stage != msg.StageListening
		if e.online {
			e.spoke = true
			e.ended = nil
		}
	case msg.SessionSeen:
		if m.Gen != e.gen {
			return false
		}
		e.seen = m.Amps
	case msg.SessionNeeds:
		if m.Gen != e.gen {
			return false
		}
		e.needs = m
	case msg.SessionAuthorize:
		if m.Gen != e.gen {
			return false
		}
		switch {
		case e.auth && !e.stopped:
			e.tellSession(ctx, msg.SessionAuthorized{Gen: e.gen, Accepted: true})
		case m.Contract != nil && e.cfg.LocalContracts && m.Contract.Rooted:
			e.auth, e.token, e.lock.want = true, m.Contract.EMAID, true
			e.ask(ctx, msg.Authorize{Token: m.Contract.EMAID, Kind: "eMAID", Contract: m.Contract}) // for its transaction
			e.tellSession(ctx, msg.SessionAuthorized{Gen: e.gen, Accepted: true})
		case m.Contract != nil:
			e.want = true
			e.asked = false // a contract counts for more than a token that is being asked about
			e.authorizeContract(ctx, m.Contract)
		default:
			e.want = true // answered when a token or the cloud has spoken
		}
	case msg.SessionCertificate:
		if m.Gen != e.gen {
			return false
		}
		ctx.Send(e.env.At(msg.StationName(e.cfg.Station)), msg.ContractCertificate{EVSE: e.cfg.ID, Token: m.Gen, Update: m.Update, EXI: m.EXI})
	case msg.ContractCertificateIs:
		e.tellSession(ctx, msg.SessionCertificateIs{Gen: m.Token, EXI: m.EXI})
	case msg.SessionPaused:
		if m.Gen != e.gen {
			return false
		}
		e.paused = &m
	case msg.VehiclePlan:
		e.plans.take(m, now)
		e.tellPlan(ctx)
		if m.Renegotiate {
			e.tellSession(ctx, msg.SessionRenegotiate{Gen: e.gen})
		}
	case msg.SessionAsks:
		if m.Gen != e.gen {
			return false
		}
		e.plans.heard = false
		e.tellPlan(ctx)
		ctx.Send(e.env.At(msg.StationName(e.cfg.Station)), msg.VehicleAsks{EVSE: e.cfg.ID, Needs: e.needs, Again: m.Again, Entries: m.Entries})
	case msg.SessionChose:
		if m.Gen != e.gen {
			return false
		}
		ctx.Send(e.env.At(msg.StationName(e.cfg.Station)), msg.VehicleChose{EVSE: e.cfg.ID, Tuple: m.Tuple})
	case msg.SessionContactor:
		if m.Gen != e.gen {
			return false
		}
		e.close = m.Close
		if m.Close == e.input.Closed {
			e.tellSession(ctx, msg.SessionContactorIs{Gen: e.gen, Closed: m.Close})
		}
	case msg.SessionDC:
		if m.Gen != e.gen {
			return false
		}
		e.setpoint = hal.ModuleSetpoint{Mode: m.Mode, Volts: m.Volts, Amps: m.Amps}
	case msg.SessionEnded:
		if m.Gen != e.gen {
			return false
		}
		e.ended = &m
		e.close, e.setpoint, e.online, e.want = false, hal.ModuleSetpoint{}, false, false
		e.state.Stage = msg.StageStopped
		switch {
		case e.paused == nil:
		case e.paused.Gen == m.Gen:
			e.state.Stage = msg.StagePaused
		case m.OK:
			e.paused = nil // the vehicle came back, and ended it
		}
		log := e.log.Info()
		if !m.OK {
			log = e.log.Warn().Str("class", m.Class).Str("why", m.Why)
		}
		log.Bool("ok", m.OK).Str("vehicle", e.state.EVCCID).Msg("session ended")
		e.stopSession(ctx)
		if e.input.Pilot.Connected() {
			e.timers.Set("respawn", respawnAfter) // the vehicle may come again: a resumed session, or a second try
		}
	default:
		return false
	}
	return true
}

// present is what the session answers its vehicle from.
func (e *EVSE) present(p permit) msg.SessionPresent {
	s := msg.SessionPresent{Gen: e.gen, Pilot: e.input.Pilot, Closed: e.input.Closed, Energy: e.meter.Import,
		MaxCurrent: e.decision.Offer, MaxPower: p.Watts, Ready: e.input.Fault == hal.FaultNone && !e.cutOff && !e.lock.failed, Emergency: e.input.Fault == hal.FaultEmergency,
		RatedAmps: e.cfg.MaxAmps, RatedWatts: e.cfg.MaxWatts, Phases: e.cfg.Phases}
	if p.Phases == 1 {
		s.Phases = 1
	}
	if e.cfg.DC {
		s.Volts, s.Amps, s.Isolation = e.module.Volts, e.module.Amps, e.module.Isolation
		s.MaxVoltage, s.MinVoltage, s.MinCurrent = e.limits.MaxVolts, e.limits.MinVolts, e.limits.MinAmps
		s.RatedAmps, s.RatedWatts = e.limits.MaxAmps, e.limits.MaxWatts
		s.MaxPower = outWatts(e.limits, p.Watts)
		if p.Open || !e.auth || e.stopped {
			s.MaxPower = 0
		}
		s.MaxCurrent = e.limits.MaxAmps
		if v := max(e.module.Volts, e.limits.MinVolts, 1); s.MaxPower.At(v) < s.MaxCurrent {
			s.MaxCurrent = s.MaxPower.At(v)
		}
		s.Ready = s.Ready && e.module.Fault == hal.FaultNone
	}
	return s
}
