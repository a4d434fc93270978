// Package port is the actor of an EVSE's communication port: it brings the power line up and answers the vehicle's SECC
// discovery (SDP) with the address of its session. Where SLAC is switched off the interface is plain Ethernet and the link
// is up at once.
//
// Only an EVSE spawns it, under a new generation for each vehicle.
package port

import (
	"context"
	"net"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/network"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/protocols/v2gtp"
)

// Config describes the port of an EVSE.
type Config struct {
	EVSE      string // id, for log and metrics
	Interface string
	SDPPort   int
}

// Port is the actor.
type Port struct {
	env  *kit.Env
	net  network.Network
	cfg  Config
	gen  uint64
	evse *actor.PID
	log  zerolog.Logger

	timers  *kit.Timers
	retry   kit.Backoff
	credit  kit.Credit
	cancel  context.CancelFunc
	ctx     context.Context
	sock    net.PacketConn
	session msg.SessionListening
	rate    kit.Rate
	told    bool // the EVSE knows that its vehicle was answered
}

// New returns the producer of the port of generation gen.
func New(env *kit.Env, n network.Network, cfg Config, gen uint64, evse *actor.PID) func() actor.Actor {
	return func() actor.Actor {
		return &Port{env: env, net: n, cfg: cfg, gen: gen, evse: evse, credit: kit.NewCredit(8),
			retry: kit.Backoff{Max: 2 * time.Second}, rate: kit.Rate{Burst: 20, Every: 50 * time.Millisecond}, log: env.Log.With().Str("evse", cfg.EVSE).Uint64("port", gen).Logger()}
	}
}

// Messages of the port's own goroutine.
type (
	datagram struct {
		data []byte
		from net.Addr
	}
	broken struct{ err error }
)

// Receive handles one message.
func (p *Port) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		p.timers = kit.NewTimers(ctx)
		p.ctx, p.cancel = context.WithCancel(context.Background())
		p.open(ctx)
	case kit.Fired:
		if p.timers.Due(m) {
			p.open(ctx)
		}
	case msg.SessionListening:
		p.session = m
	case datagram:
		p.credit.Give()
		p.answer(ctx, m)
	case broken:
		p.log.Warn().Err(m.err).Msg("discovery socket is broken")
		_ = p.sock.Close()
		p.timers.Set("open", p.retry.Next())
	case *actor.Stopping:
		p.timers.StopAll()
		p.cancel()
		if p.sock != nil {
			_ = p.sock.Close()
		}
	}
}

func (p *Port) open(ctx actor.Context) {
	sock, err := p.net.ListenSDP(p.ctx, p.cfg.Interface, p.cfg.SDPPort)
	if err != nil {
		p.log.Warn().Err(err).Msg("cannot listen for discovery yet")
		p.timers.Set("open", p.retry.Next())
		return
	}
	p.sock = sock
	ctx.Send(p.evse, msg.PortLink{Gen: p.gen, Up: true})
	root, self, done, credit, iface, bad := ctx.ActorSystem().Root, ctx.Self(), p.ctx, p.credit, p.cfg.Interface, p.env.Metrics.BadInput
	go func() {
		buf := make([]byte, 256) // a request has 10 octets; what is longer is cut and refused
		for credit.Take(done) {
			n, from, err := sock.ReadFrom(buf)
			switch {
			case err != nil && done.Err() != nil:
				return
			case err != nil:
				root.Send(self, broken{err})
				return
			case !network.OnLink(iface, from):
				bad.WithLabelValues("sdp", "source").Inc()
				credit.Give()
			default:
				root.Send(self, datagram{append([]byte(nil), buf[:n]...), from})
			}
		}
	}()
}

// answer tells the vehicle where its session listens. A request that comes before that stays unanswered; the vehicle asks
// again every 250 ms ([V2G2-159]).
func (p *Port) answer(ctx actor.Context, d datagram) {
	if !p.rate.Allow(time.Now()) {
		p.env.Metrics.BadInput.WithLabelValues("sdp", "rate").Inc()
		return
	}
	req, err := v2gtp.ParseRequest(d.data)
	if err != nil || req.Transport != v2gtp.TransportTCP {
		p.env.Metrics.BadInput.WithLabelValues("sdp", "malformed").Inc()
		return
	}
	res := v2gtp.Response{Addr: p.session.Plain, Security: v2gtp.SecurityNone, Transport: v2gtp.TransportTCP}
	if p.session.TLS.IsValid() && (req.Security == v2gtp.SecurityTLS || !p.session.Plain.IsValid()) {
		res.Addr, res.Security = p.session.TLS, v2gtp.SecurityTLS
	}
	if !res.Addr.IsValid() {
		return
	}
	if _, err := p.sock.WriteTo(v2gtp.AppendResponse(nil, res), d.from); err != nil {
		p.log.Warn().Err(err).Msg("discovery response is not sent")
		return
	}
	if !p.told {
		p.told = true
		ctx.Send(p.evse, msg.PortDiscovered{Gen: p.gen})
	}
}
