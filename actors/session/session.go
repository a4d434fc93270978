package session

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/network"
	"github.com/voltyard/voltyard/actors/kit/sessiontrace"
	"github.com/voltyard/voltyard/actors/kit/v2gconn"
	"github.com/voltyard/voltyard/actors/kit/v2gtls"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
	"github.com/voltyard/voltyard/protocols/iso15118/secc/handshake"
)

// Config describes the EVSE of a session.
type Config struct {
	EVSE      string // id, for log and metrics
	Interface string
	SECC      secc.Config
	// TLS serves vehicles that ask for it; nil serves none. It is shared by all sessions, so that its queue is.
	TLS *v2gtls.Server
	// TLSOnly serves no vehicle without TLS.
	TLSOnly bool
	// Contract is asked when a vehicle connects and replaces SECC.Contract; nil where that never changes.
	Contract func() *secc.Contract
	// Certificates answers requests for contract certificates; nil has the station role do it.
	Certificates Certificates
}

// Certificates answers a vehicle's request for a contract certificate with the whole response. It is called outside the
// actor's turns and may take its time.
type Certificates interface {
	Answer(update bool, exi []byte) ([]byte, error)
}

// Factory makes the sessions of one process; it holds what they share.
type Factory struct {
	env     *kit.Env
	net     network.Network
	ended   *prometheus.CounterVec
	respond prometheus.Histogram
	shaken  *prometheus.HistogramVec
}

// NewFactory registers the metrics of sessions.
func NewFactory(env *kit.Env, net network.Network) *Factory {
	f := &Factory{env: env, net: net,
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "voltyard_sessions_ended_total", Help: "Vehicle sessions by protocol and failure class; the class is ok for good ones."}, []string{"protocol", "class"}),
		respond: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "voltyard_session_response_seconds",
			Help: "Time from reading a request to writing its response.", Buckets: prometheus.ExponentialBuckets(50e-6, 2.5, 12)}),
		shaken: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "voltyard_tls_handshake_seconds",
			Help: "Time of TLS handshakes with vehicles, waiting included; the code is ok for good ones.", Buckets: prometheus.ExponentialBuckets(1e-3, 2.5, 12)}, []string{"code"})}
	env.Metrics.Registry.MustRegister(f.ended, f.respond, f.shaken)
	return f
}

// Session is the actor.
type Session struct {
	f    *Factory
	cfg  Config
	gen  uint64
	evse *actor.PID
	log  zerolog.Logger

	timers    *kit.Timers
	credit    kit.Credit
	cancel    context.CancelFunc
	ctx       context.Context
	listeners []net.Listener
	retry     kit.Backoff
	conn      net.Conn
	tls       bool
	machine   *handshake.Machine
	present   secc.Present
	started   bool // the machine has been told what the EVSE measures
	stop      bool
	resume    *secc.Paused
	progress  secc.Progress
	over      bool
	effects   []secc.Effect
	told      si.Amps // granted when the last response was sent
	seen      si.Amps // granted in the last response that the vehicle has read

	begun    time.Time // when the vehicle connected
	trace    sessiontrace.Recorder
	withheld bool // the messages of this step are not kept
}

// Make returns the producer of the session of generation gen.
func (f *Factory) Make(cfg Config, gen uint64, evse *actor.PID) func() actor.Actor {
	return func() actor.Actor {
		return &Session{f: f, cfg: cfg, gen: gen, evse: evse, credit: kit.NewCredit(4), retry: kit.Backoff{Max: 2 * time.Second}, told: -1, seen: -1,
			log: f.env.Log.With().Str("evse", cfg.EVSE).Uint64("session", gen).Logger()}
	}
}

// Messages of the session's own goroutines.
type (
	accepted struct {
		conn net.Conn
		tls  bool
	}
	refused struct { // by TLS
		err  error
		took time.Duration
	}
	received struct {
		payload uint16
		exi     []byte
		at      time.Time
	}
	broken    struct{ err error }
	exchanged struct{ exi []byte }
)

// Keys of timers.
const (
	timerListen   = "listen"
	timerConnect  = "connect"
	timerDeadline = "deadline"
)

// Receive handles one message.
func (s *Session) Receive(ctx actor.Context) {
	now := time.Now()
	switch m := ctx.Message().(type) {
	case *actor.Started:
		s.timers = kit.NewTimers(ctx)
		s.ctx, s.cancel = context.WithCancel(context.Background())
		s.machine = handshake.New(s.cfg.SECC)
		s.listen(ctx)
	case accepted:
		s.accept(ctx, now, m)
	case refused:
		s.refused(ctx, m)
	case received:
		s.credit.Give()
		if s.told != s.seen { // the vehicle goes on, so it has read the last response
			s.seen = s.told
			ctx.Send(s.evse, msg.SessionSeen{Gen: s.gen, Amps: s.seen})
		}
		s.step(ctx, now, secc.Received{Payload: m.payload, EXI: m.exi})
		s.f.respond.Observe(time.Since(m.at).Seconds())
	case broken:
		s.broken(ctx, now, m.err)
	case kit.Fired:
		switch {
		case !s.timers.Due(m):
		case m.Key == timerListen:
			s.listen(ctx)
		case m.Key == timerConnect:
			s.end(ctx, secc.End{Class: secc.ClassDiscovery, Why: "the vehicle asked for the SECC and did not connect in time"})
		default:
			s.step(ctx, now, secc.Deadline{})
		}
	case *actor.Stopping:
		s.close(ctx, now)
	default:
		s.fromEVSE(ctx, now)
	}
}

// fromEVSE handles what the EVSE says.
func (s *Session) fromEVSE(ctx actor.Context, now time.Time) {
	switch m := ctx.Message().(type) {
	case msg.SessionPresent:
		s.measured(ctx, now, m)
	case msg.SessionContactorIs:
		if s.started && s.present.Closed != m.Closed {
			s.present.Closed = m.Closed
			s.step(ctx, now, s.present)
		}
	case msg.SessionDiscovered:
		if s.conn == nil && !s.over && !s.timers.Running(timerConnect) {
			s.timers.Set(timerConnect, s.cfg.SECC.Timing.Filled().Setup)
		}
	case msg.SessionAuthorized:
		s.step(ctx, now, secc.Authorized{Accepted: m.Accepted, Refusal: refusalOf(m.Refusal)})
	case msg.SessionCertificateIs:
		s.answered(ctx, now, m.EXI)
	case exchanged:
		s.answered(ctx, now, m.exi)
	case msg.SessionPlan:
		s.step(ctx, now, planOf(now, m))
	case msg.SessionRenegotiate:
		s.step(ctx, now, secc.Renegotiate{})
	case msg.SessionPaused:
		s.resume = &secc.Paused{SessionID: m.SessionID, EVCCID: m.EVCCID}
	case msg.SessionStop:
		s.stop = true
		s.present.Stop = true
		if s.started {
			s.step(ctx, now, s.present)
		}
	}
}

// How fast a vehicle may send: 18 ms is the shortest cadence seen in the field.
const (
	rateBurst = 100
	rateEvery = 5 * time.Millisecond
)

// read takes messages from the vehicle as long as the actor keeps up with them, and no faster than any vehicle needs.
func (s *Session) read(ctx actor.Context) {
	root, self, done, credit, c, bad := ctx.ActorSystem().Root, ctx.Self(), s.ctx, s.credit, s.conn, s.f.env.Metrics.BadInput
	rate := kit.Rate{Burst: rateBurst, Every: rateEvery}
	go func() {
		for credit.Take(done) {
			payload, exi, err := v2gconn.Read(c)
			if err != nil {
				root.Send(self, broken{err})
				return
			}
			now := time.Now()
			if wait := rate.Wait(now); wait > 0 {
				bad.WithLabelValues("v2g", "rate").Inc()
				time.Sleep(wait)
			}
			root.Send(self, received{payload, exi, now})
		}
	}()
}

func (s *Session) broken(ctx actor.Context, now time.Time, err error) {
	if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) && !s.over {
		s.f.env.Metrics.BadInput.WithLabelValues("v2g", "framing").Inc()
		s.log.Warn().Err(err).Msg("connection to the vehicle is broken")
	}
	s.step(ctx, now, secc.Gone{})
}

func (s *Session) measured(ctx actor.Context, now time.Time, m msg.SessionPresent) {
	p := secc.Present{PilotWants: m.Pilot.Wants(), Connected: m.Pilot.Connected(), Closed: m.Closed, Ready: m.Ready,
		Volts: m.Volts, Amps: m.Amps, Isolation: secc.Isolation(m.Isolation), Energy: m.Energy,
		MaxAmps: m.MaxCurrent, MaxWatts: m.MaxPower, MaxVolts: m.MaxVoltage, MinVolts: m.MinVoltage, MinAmps: m.MinCurrent,
		RatedAmps: m.RatedAmps, RatedWatts: m.RatedWatts, Phases: m.Phases, Stop: s.stop, Emergency: m.Emergency}
	if s.started && p == s.present {
		return
	}
	s.present, s.started = p, true
	s.step(ctx, now, p)
}

// step feeds the machine and carries out what it asks for.
func (s *Session) step(ctx actor.Context, now time.Time, ev secc.Event) {
	if s.over {
		return
	}
	s.effects = s.machine.Step(now, ev, s.effects[:0])
	if r, ok := ev.(secc.Received); ok {
		s.record(now, sessiontrace.FromVehicle, r.Payload, r.EXI, s.isExchange())
	}
	for _, e := range s.effects {
		switch e := e.(type) {
		case secc.Send:
			s.told = s.present.MaxAmps
			s.record(now, sessiontrace.FromEVSE, e.Payload, e.EXI, s.withheld)
			if err := v2gconn.Write(s.conn, e.Payload, e.EXI); err != nil {
				s.log.Warn().Err(err).Msg("the vehicle does not take its response")
				_ = s.conn.Close() // the reader reports it
			}
		case secc.SetDeadline:
			s.timers.SetAt(timerDeadline, e.At)
		case secc.Authorize:
			ctx.Send(s.evse, msg.SessionAuthorize{Gen: s.gen, EVCCID: s.progress.EVCCID, Contract: contractOf(e.Contract)})
		case secc.CertificateExchange:
			s.exchange(ctx, e)
		case secc.Pause:
			ctx.Send(s.evse, msg.SessionPaused{Gen: s.gen, SessionID: e.Paused.SessionID, EVCCID: e.Paused.EVCCID})
		case secc.Contactor:
			ctx.Send(s.evse, msg.SessionContactor{Gen: s.gen, Close: e.Close})
		case secc.DC:
			ctx.Send(s.evse, msg.SessionDC{Gen: s.gen, Mode: moduleMode(e.Mode), Volts: e.Volts, Amps: e.Amps})
		case secc.Progress:
			s.progress = e
			ctx.Send(s.evse, msg.SessionState{Gen: s.gen, Protocol: msg.Protocol(e.Protocol), Stage: msg.SessionStage(e.Stage), EVCCID: e.EVCCID})
		case secc.Needs:
			ctx.Send(s.evse, msg.SessionNeeds{Gen: s.gen, Phases: e.Phases, MinCurrent: e.MinAmps, MaxCurrent: e.MaxAmps,
				MaxPower: e.MaxWatts, MaxVoltage: e.MaxVolts, Energy: e.Energy, Capacity: e.Capacity, SoC: e.SoC, Departure: e.Departure})
		case secc.ScheduleAsked:
			ctx.Send(s.evse, msg.SessionAsks{Gen: s.gen, Again: e.Again, Entries: e.Entries})
		case secc.ScheduleChosen:
			t := msg.PlanTuple{ID: e.ID, End: e.End}
			for _, x := range e.Entries {
				t.Entries = append(t.Entries, msg.PlanEntry(x))
			}
			ctx.Send(s.evse, msg.SessionChose{Gen: s.gen, Tuple: t})
		case secc.End:
			s.end(ctx, e)
		}
	}
}

func (s *Session) end(ctx actor.Context, e secc.End) {
	s.over = true
	class := "ok"
	if !e.OK {
		class = string(e.Class)
	}
	s.f.ended.WithLabelValues(s.progress.Protocol, class).Inc()
	s.save(ctx, time.Now(), e)
	s.shut()
	ctx.Send(s.evse, msg.SessionEnded{Gen: s.gen, OK: e.OK, Class: string(e.Class), Why: e.Why})
}

// close ends a session whose EVSE wants no more of it.
func (s *Session) close(ctx actor.Context, now time.Time) {
	if !s.over && s.conn != nil {
		s.save(ctx, now, secc.End{Class: secc.ClassConnection, Why: "the vehicle unplugged, or the EVSE stopped"})
	}
	s.shut()
}

func (s *Session) shut() {
	s.timers.StopAll()
	s.cancel()
	for _, l := range s.listeners {
		_ = l.Close()
	}
	if s.conn != nil {
		_ = s.conn.Close()
	}
}
