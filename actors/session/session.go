package session

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/network"
	"github.com/voltyard/voltyard/actors/kit/v2gconn"
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
}

// Factory makes the sessions of one process; it holds what they share.
type Factory struct {
	env     *kit.Env
	net     network.Network
	ended   *prometheus.CounterVec
	respond prometheus.Histogram
}

// NewFactory registers the metrics of sessions.
func NewFactory(env *kit.Env, net network.Network) *Factory {
	f := &Factory{env: env, net: net,
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "voltyard_sessions_ended_total", Help: "Vehicle sessions by protocol and failure class; the class is ok for good ones."}, []string{"protocol", "class"}),
		respond: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "voltyard_session_response_seconds",
			Help: "Time from reading a request to writing its response.", Buckets: prometheus.ExponentialBuckets(50e-6, 2.5, 12)})}
	env.Metrics.Registry.MustRegister(f.ended, f.respond)
	return f
}

// Session is the actor.
type Session struct {
	f    *Factory
	cfg  Config
	gen  uint64
	evse *actor.PID
	log  zerolog.Logger

	timers   *kit.Timers
	credit   kit.Credit
	cancel   context.CancelFunc
	ctx      context.Context
	listener net.Listener
	retry    kit.Backoff
	conn     net.Conn
	machine  secc.Machine
	present  secc.Present
	started  bool // the machine has been told what the EVSE measures
	stop     bool
	progress secc.Progress
	over     bool
	effects  []secc.Effect
	told     si.Amps // granted when the last response was sent
	seen     si.Amps // granted in the last response that the vehicle has read
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
	accepted struct{ conn net.Conn }
	received struct {
		payload uint16
		exi     []byte
		at      time.Time
	}
	broken struct{ err error }
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
		s.accept(ctx, now, m.conn)
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
		case m.Key == "listen":
			s.listen(ctx)
		default:
			s.step(ctx, now, secc.Deadline{})
		}
	case msg.SessionPresent:
		s.measured(ctx, now, m)
	case msg.SessionContactorIs:
		if s.started && s.present.Closed != m.Closed {
			s.present.Closed = m.Closed
			s.step(ctx, now, s.present)
		}
	case msg.SessionAuthorized:
		s.step(ctx, now, secc.Authorized{Accepted: m.Accepted})
	case msg.SessionStop:
		s.stop = true
		s.present.Stop = true
		if s.started {
			s.step(ctx, now, s.present)
		}
	case *actor.Stopping:
		s.close()
	}
}

func (s *Session) listen(ctx actor.Context) {
	l, err := s.f.net.ListenSECC(s.ctx, s.cfg.Interface)
	if err != nil {
		s.log.Warn().Err(err).Msg("cannot listen for the vehicle yet")
		s.timers.Set("listen", s.retry.Next())
		return
	}
	s.listener = l
	root, self, bad := ctx.ActorSystem().Root, ctx.Self(), s.f.env.Metrics.BadInput
	go func() {
		first := true
		for {
			c, err := l.Accept()
			if err != nil {
				return // closed
			}
			switch {
			case !network.OnLink(s.cfg.Interface, c.RemoteAddr()):
				bad.WithLabelValues("v2g", "source").Inc()
				_ = c.Close()
			case !first: // a second vehicle on the same port
				bad.WithLabelValues("v2g", "second_connection").Inc()
				_ = c.Close()
			default:
				first = false
				root.Send(self, accepted{c})
			}
		}
	}()
	addr, _ := netip.ParseAddrPort(l.Addr().String())
	ctx.Send(s.evse, msg.SessionListening{Gen: s.gen, Plain: addr})
	ctx.Send(s.evse, msg.SessionState{Gen: s.gen, Stage: msg.StageListening})
}

func (s *Session) accept(ctx actor.Context, now time.Time, c net.Conn) {
	if s.over || s.conn != nil {
		_ = c.Close()
		return
	}
	s.conn = c
	start := secc.Started{}
	for start.SessionID == [8]byte{} {
		_, _ = rand.Read(start.SessionID[:]) // it cannot fail: crypto/rand ends the process instead
	}
	root, self, done, credit := ctx.ActorSystem().Root, ctx.Self(), s.ctx, s.credit
	go func() {
		for credit.Take(done) {
			payload, exi, err := v2gconn.Read(c)
			if err != nil {
				root.Send(self, broken{err})
				return
			}
			root.Send(self, received{payload, exi, time.Now()})
		}
	}()
	s.step(ctx, now, s.present)
	s.step(ctx, now, start)
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
		RatedAmps: m.RatedAmps, RatedWatts: m.RatedWatts, Phases: m.Phases, Stop: s.stop}
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
	for _, e := range s.effects {
		switch e := e.(type) {
		case secc.Send:
			s.told = s.present.MaxAmps
			if err := v2gconn.Write(s.conn, e.Payload, e.EXI); err != nil {
				s.log.Warn().Err(err).Msg("the vehicle does not take its response")
				_ = s.conn.Close() // the reader reports it
			}
		case secc.SetDeadline:
			s.timers.SetAt("deadline", e.At)
		case secc.Authorize:
			ctx.Send(s.evse, msg.SessionAuthorize{Gen: s.gen, EVCCID: s.progress.EVCCID})
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
	s.close()
	ctx.Send(s.evse, msg.SessionEnded{Gen: s.gen, OK: e.OK, Class: string(e.Class), Why: e.Why})
}

func (s *Session) close() {
	s.timers.StopAll()
	s.cancel()
	if s.listener != nil {
		_ = s.listener.Close()
	}
	if s.conn != nil {
		_ = s.conn.Close()
	}
}
