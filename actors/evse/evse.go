package evse

import (
	"context"
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/si"
)

// Auth says who may charge at an EVSE.
type Auth string

// The values of Auth.
const (
	AuthFree   Auth = "free"   // anyone
	AuthRFID   Auth = "rfid"   // who shows a token that the station role accepts
	AuthRemote Auth = "remote" // whom the operator's cloud starts
)

// Config describes one EVSE.
type Config struct {
	ID       string
	Station  string // OCPP identity of the station it belongs to
	DC       bool
	Phases   int      // 1 or 3
	MaxAmps  si.Amps  // AC, per phase
	MaxWatts si.Watts // DC, from the grid
	Volts    si.Volts // nominal, phase to neutral
	Floor    si.Amps  // AC, per phase
	FloorW   si.Watts // DC
	FloorFor time.Duration
	Socket   bool // vehicles bring their cables; the plug is locked
	Auth     Auth
	// LocalContracts accepts a contract whose chain leads to a root of this EVSE without asking the station role.
	LocalContracts bool
	// DigitalOnly waits for digital communication for ever, instead of charging by duty cycle when none comes.
	DigitalOnly bool
}

// Children make the actors beneath an EVSE. Without Session the EVSE talks by duty cycle alone.
type Children struct {
	// Port makes the communication port of generation gen.
	Port func(gen uint64, evse *actor.PID) func() actor.Actor
	// Session makes the session of generation gen.
	Session func(gen uint64, evse *actor.PID) func() actor.Actor
}

// EVSE is the actor.
type EVSE struct {
	kit.Nursery
	env  *kit.Env
	cfg  Config
	hw   hal.Outlet
	kids Children
	log  zerolog.Logger

	timers  *kit.Timers
	credit  kit.Credit
	signing kit.Credit // signatures of the meter that may be under way
	lease   holder
	vehicle
	lock      lock
	screen    *hal.Screen // what drivers are shown
	input     hal.Input
	operative bool
	gen       uint64
	seq       uint64

	meter     hal.MeterReading
	stale     bool // the meter did not answer
	module    hal.ModuleState
	limits    hal.ModuleLimits
	decision  decision
	ack       uint64    // grant in force that is not confirmed yet; 0: none
	lowered   time.Time // when the vehicle was last offered less than before
	above     bool      // it drew more than that then
	followed  bool      // and has been measured to draw no more
	over      time.Time // since when the vehicle draws more than it is offered
	reported  reportKey
	introduce uint64 // token of an Introduce to be answered
}

// vehicle is what is known about the vehicle that is plugged in; it is forgotten when it leaves.
type vehicle struct {
	mode      mode
	modeSince time.Time
	since     time.Time
	auth      bool
	asked     bool // authorisation is under way
	token     string
	stopped   bool
	stoppedAt time.Time
	cutOff    bool
	charged   bool // it has drawn energy
	start     hal.MeterReading
	noOffer   time.Time
	noDemand  time.Time

	state    msg.SessionState
	needs    msg.SessionNeeds
	online   bool // the session has a vehicle
	spoke    bool // it has spoken ISO 15118 in this visit
	ended    *msg.SessionEnded
	close    bool    // the session asks for the contactor
	seen     si.Amps // what the vehicle knows that it may draw, per phase; under 0 when it has not been told
	setpoint hal.ModuleSetpoint
	want     bool // the session waits for an authorisation
	paused   *msg.SessionPaused
	plans    plans
}

const (
	tickPlugged = 250 * time.Millisecond
	tickIdle    = 500 * time.Millisecond
	readTimeout = 200 * time.Millisecond
)

// New returns the producer of the actor. The hardware outlives it.
func New(env *kit.Env, cfg Config, hw hal.Outlet, kids Children) func() actor.Actor {
	return func() actor.Actor {
		e := &EVSE{env: env, cfg: cfg, hw: hw, kids: kids, operative: true,
			log:    env.Log.With().Str("evse", cfg.ID).Logger(),
			lease:  holder{floor: floor{cfg.Floor, cfg.FloorW, cfg.FloorFor}},
			credit: kit.NewCredit(64), signing: kit.NewCredit(mostSigning)}
		if hw.Module != nil {
			e.limits = hw.Module.Limits()
		}
		return e
	}
}

type inputChanged struct{ in hal.Input }

// Receive handles one message. Whatever changes, the hardware is told the outcome in the same turn.
func (e *EVSE) Receive(ctx actor.Context) {
	if _, ok := ctx.Message().(*actor.Started); ok {
		e.begin(ctx)
		return
	}
	if e.Handle(ctx) {
		return
	}
	now := time.Now()
	switch m := ctx.Message().(type) {
	case inputChanged:
		e.credit.Give()
		e.sense(ctx, now, e.hw.Board.Read()) // the newest, not the one of the message
	case kit.Fired:
		if !e.timers.Due(m) {
			return
		}
		if m.Key == "respawn" && e.input.Pilot.Connected() && e.mode == modeDigital && e.PID(e.name("session")) == nil {
			e.modeSince = now
			e.spawnSession(ctx)
		}
		e.measure(ctx, now)
	case msg.Grant:
		if !e.lease.take(m.Grant, now) {
			return
		}
		e.ack = m.Seq
	case msg.Introduce:
		e.introduce = m.Token
	case msg.Authorized:
		e.authorized(ctx, m)
	case msg.Token:
		if e.shownAgain(ctx, m) {
			return
		}
		e.authorize(ctx, m.ID, m.Kind)
	case msg.StopCharging:
		e.stop(ctx, m.Why)
	case msg.SignMeter:
		e.sign(ctx, m)
		return
	case msg.Unlock:
		e.unlock(ctx, now)
	case msg.Show:
		e.screen = &m.Screen
		if e.hw.Display != nil {
			if err := e.hw.Display.Show(m.Screen); err != nil {
				e.log.Warn().Err(err).Msg("the display does not show what it was told")
			}
		}
	case msg.LockCable:
		e.lock.want = m.On
	case msg.Operative:
		e.operative = m.On
	case *actor.Stopping:
		e.shutdown()
		return
	default:
		if !e.fromChild(ctx, now) {
			return
		}
	}
	e.act(ctx, now)
}

func (e *EVSE) begin(ctx actor.Context) {
	e.timers = kit.NewTimers(ctx)
	e.Init(e.env, ctx, e.childGone)
	root, self, credit := ctx.ActorSystem().Root, ctx.Self(), e.credit
	e.hw.Board.Notify(func(in hal.Input) {
		select {
		case <-credit:
			root.Send(self, inputChanged{in})
		default: // the mailbox is behind; the next tick reads the input anyway
		}
	})
	ctx.Send(e.env.At(msg.Balancer), msg.EVSEOpened{EVSE: e.cfg.ID})
	now := time.Now()
	e.measure(ctx, now)
	e.act(ctx, now)
}

// sense takes in what the board reports.
func (e *EVSE) sense(ctx actor.Context, now time.Time, in hal.Input) {
	before := e.input
	e.input = in
	if in.Fault != before.Fault && in.Fault != hal.FaultNone {
		e.log.Error().Str("fault", string(in.Fault)).Msg("hardware fault; the contactor opens")
	}
	switch was, is := before.Pilot.Connected(), in.Pilot.Connected(); {
	case is && !was:
		e.arrive(ctx, now)
	case was && !is:
		e.depart(ctx)
	}
	if in.Closed != before.Closed && e.gen != 0 {
		e.tellSession(ctx, msg.SessionContactorIs{Gen: e.gen, Closed: in.Closed})
	}
}

func (e *EVSE) arrive(ctx actor.Context, now time.Time) {
	e.vehicle = vehicle{since: now, modeSince: now, start: e.meter, needs: msg.SessionNeeds{SoC: -1}}
	e.over = time.Time{}
	if e.kids.Session != nil {
		e.mode = modeDigital
		e.spawnSession(ctx)
	}
	e.log.Info().Msg("vehicle connected")
	if e.cfg.Auth == AuthFree {
		e.authorize(ctx, "", "NoAuthorization")
	}
}

func (e *EVSE) depart(ctx actor.Context) {
	e.log.Info().Float64("wh", float64(e.meter.Import-e.vehicle.start.Import)).Msg("vehicle gone")
	e.stopSession(ctx)
	e.vehicle = vehicle{}
	e.over = time.Time{}
}

// authorize asks the station role, unless the vehicle is authorised already.
func (e *EVSE) authorize(ctx actor.Context, id, kind string) {
	if e.auth || e.asked || !e.input.Pilot.Connected() {
		return
	}
	e.ask(ctx, msg.Authorize{Token: id, Kind: kind})
}

// authorizeContract asks the station role about a contract.
func (e *EVSE) authorizeContract(ctx actor.Context, c *msg.Contract) {
	if !e.auth && e.input.Pilot.Connected() {
		e.ask(ctx, msg.Authorize{Token: c.EMAID, Kind: "eMAID", Contract: c})
	}
}

func (e *EVSE) ask(ctx actor.Context, m msg.Authorize) {
	e.asked = true
	m.EVSE = e.cfg.ID
	ctx.Send(e.env.At(msg.StationName(e.cfg.Station)), m)
}

func (e *EVSE) authorized(ctx actor.Context, m msg.Authorized) {
	if !e.input.Pilot.Connected() || (!e.asked && !m.Remote) {
		return
	}
	e.asked = false
	if m.Accepted {
		e.auth, e.token, e.lock.want = true, m.Token, true
	} else {
		e.log.Warn().Str("token", m.Token).Msg("token refused")
	}
	if e.want {
		e.want = !m.Accepted // a refused vehicle may wait for another token
		e.tellSession(ctx, msg.SessionAuthorized{Gen: e.gen, Accepted: m.Accepted, Refusal: m.Refusal})
	}
}

// stop ends the charging in good order; the vehicle stays connected.
func (e *EVSE) stop(ctx actor.Context, why string) {
	if e.stopped || !e.input.Pilot.Connected() {
		return
	}
	e.log.Info().Str("why", why).Msg("charging is stopped")
	e.stopped, e.stoppedAt = true, time.Now()
	if e.online {
		e.tellSession(ctx, msg.SessionStop{Gen: e.gen, Why: why})
	}
}

// measure reads the meter and the module.
func (e *EVSE) measure(ctx actor.Context, now time.Time) {
	c, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	r, err := e.hw.Meter.Read(c)
	e.stale = err != nil
	if err != nil {
		e.log.Warn().Err(err).Msg("meter does not answer")
	} else {
		e.meter = r
	}
	if e.hw.Module != nil {
		if st, err := e.hw.Module.Read(c); err == nil {
			e.module = st
		} else {
			e.module = hal.ModuleState{Fault: hal.FaultComm}
			e.log.Warn().Err(err).Msg("power module does not answer")
		}
	}
	e.sense(ctx, now, e.hw.Board.Read())
	d := tickIdle
	if e.input.Pilot.Connected() {
		d = tickPlugged
	}
	e.timers.Set("tick", d)
}

// act decides, tells the hardware, and tells everyone who needs to know.
func (e *EVSE) act(ctx actor.Context, now time.Time) {
	e.advance(ctx, now)
	e.watchLock(now)
	p := e.lease.permit(now)
	fault := e.input.Fault
	if fault == hal.FaultWatchdog {
		fault = hal.FaultNone // setting the board heals it
	}
	if e.hw.Module != nil && fault == hal.FaultNone {
		fault = e.module.Fault
	}
	offered := e.decision.Offer
	e.decision = decide(situation{
		Now: now, DC: e.cfg.DC, Mode: e.mode, Pilot: e.input.Pilot, Fault: fault,
		Operative: e.operative || e.input.Pilot.Connected(), Auth: e.auth, Stopped: e.stopped, CutOff: e.cutOff, Permit: p,
		MaxAmps: e.cfg.MaxAmps, Closed: e.input.Closed, NoOffer: e.noOffer,
		Socket: e.cfg.Socket, Plug: e.plugIn(), Lock: e.lock.want, Locked: e.input.Locked,
		WantClose: e.close, Module: e.setpoint, Limits: e.limits,
	})
	if e.decision.Offer < offered {
		e.lowered, e.followed = now, false
		e.above = e.meter.Current.Highest() > e.decision.Offer+tolerance
	}
	if err := e.hw.Board.Set(e.decision.Out); err != nil {
		e.log.Error().Err(err).Msg("board does not take its output; its watchdog opens the contactor")
	}
	var moduleErr error
	if e.hw.Module != nil {
		if moduleErr = e.hw.Module.Set(e.decision.Module); moduleErr != nil {
			e.log.Error().Err(moduleErr).Msg("power module does not take its set-point")
		}
	}
	e.unlocked(ctx, now)
	e.confirm(ctx, now, moduleErr)
	if e.gen != 0 {
		e.tellSession(ctx, e.present(p))
	}
	e.report(ctx, now, p)
	if at := e.lease.next(now); !at.IsZero() {
		e.timers.SetAt("lease", at)
	}
}

// advance moves the clocks of the vehicle: fall-back, offer, overdraw.
func (e *EVSE) advance(ctx actor.Context, now time.Time) {
	if !e.input.Pilot.Connected() {
		return
	}
	if e.meter.Import > e.start.Import {
		e.charged = true
	}
	switch {
	case e.mode == modeDigital && !e.cfg.DC && !e.cfg.DigitalOnly && !e.online && !e.spoke && now.Sub(e.modeSince) > fallbackAfter:
		e.log.Info().Msg("the vehicle does not answer on the power line; basic charging by duty cycle")
		e.stopSession(ctx)
		e.mode, e.modeSince = modeFallback, now
	case e.mode == modeFallback && now.Sub(e.modeSince) > fallbackPause:
		e.mode, e.modeSince = modeBasic, now
	}
	if e.decision.Offer > 0 || !e.input.Pilot.Wants() {
		e.noOffer = now
	}
	if e.mode == modeBasic && e.charged && e.input.Pilot == hal.PilotB && e.decision.Offer > 0 {
		if e.noDemand.IsZero() {
			e.noDemand = now
		}
	} else {
		e.noDemand = time.Time{}
	}
	if e.stopped && e.input.Closed && !e.cutOff && now.Sub(e.stoppedAt) > stopTime {
		e.cutOff = true
		e.log.Warn().Msg("the vehicle did not end its charging when asked; it is cut off")
	}
	// A vehicle that draws more than it is offered is cut off when it has had its time.
	if e.cfg.DC || e.cutOff || e.stale || !e.input.Closed || e.meter.Current.Highest() <= e.decision.Offer+tolerance {
		e.followed = e.followed || e.above && e.meter.At.After(e.lowered)
		e.over = time.Time{}
		return
	}
	if e.over.IsZero() {
		e.over = now
	}
	if now.Sub(e.over) > followTime {
		e.cutOff = true
		e.log.Error().Stringer("draws", e.meter.Current).Stringer("offered", e.decision.Offer).
			Msg("the vehicle draws more than it is offered; it is cut off until it leaves")
		e.env.Metrics.BadInput.WithLabelValues("vehicle", "overdraw").Inc()
		e.tellSession(ctx, msg.SessionStop{Gen: e.gen, Why: "over-current"})
	}
}

// confirm acknowledges the grant in force once the vehicle cannot exceed it any more.
func (e *EVSE) confirm(ctx actor.Context, now time.Time, moduleErr error) {
	if e.ack == 0 {
		return
	}
	switch {
	case !e.input.Closed && !e.decision.Out.Close: // nothing can flow
	case e.cfg.DC:
		if moduleErr != nil {
			return
		}
	case e.stale || e.meter.Current.Highest() > e.decision.Offer+tolerance || !e.knows(now):
		return // the vehicle is on its way
	}
	ctx.Send(e.env.At(msg.Balancer), msg.GrantAck{EVSE: e.cfg.ID, Seq: e.ack})
	e.ack = 0
}

// knows reports whether the vehicle knows that it may draw no more than it is offered. In digital communication it has read
// a response that said so. By duty cycle it has been seen to follow, or has had the time that the standard gives it.
func (e *EVSE) knows(now time.Time) bool {
	if e.mode == modeDigital {
		return e.seen >= 0 && e.seen <= e.decision.Offer+0.01
	}
	return e.followed || now.Sub(e.lowered) >= obeyTime
}

// shutdown leaves the outlet safe. It also runs when the actor has failed.
func (e *EVSE) shutdown() {
	if e.timers != nil {
		e.timers.StopAll()
	}
	e.hw.Board.Notify(nil)
	if err := e.hw.Board.Set(hal.Output{Drive: hal.DriveX1}); err != nil {
		e.log.Error().Err(err).Msg("board does not open; its watchdog will")
	}
	if e.hw.Module != nil {
		if err := e.hw.Module.Set(hal.ModuleSetpoint{}); err != nil {
			e.log.Error().Err(err).Msg("power module does not switch off; its watchdog will")
		}
	}
}

func (e *EVSE) name(kind string) string { return fmt.Sprintf("%s-%d", kind, e.gen) }
