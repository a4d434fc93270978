// Package csms is a small operator's cloud: it accepts every station, authorises every token that does not begin with
// "BAD", keeps every frame as it came, and sends requests that a script or a test asks for. The demo has one, voltyard
// csms runs it alone, tests look into its record. It never hides a duplicate.
//
// Only cmd and tests spawn it.
package csms

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/ws"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v16"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// Config describes the CSMS.
type Config struct {
	Listener  net.Listener // it listens already, so that its address is known; the actor closes it
	Path      string       // before the identity
	TLS       *tls.Config
	Password  string // every station must show it; "" for none
	Heartbeat int    // interval it tells stations, s; 300 when 0
	Record    *Record
	Deflate   bool
	V21       bool       // it speaks OCPP 2.1, too, as far as that is like 2.0.1
	Wire      ws.Options // of its connections; zero values are the defaults
	// Admit looks at each visitor and returns the HTTP status with which it is refused, 0 to let it in; nil lets all in that show the
	// password. Many goroutines may call it at once.
	Admit func(ws.Visitor) int
	// Decide answers a station's request of OCPP 2.0.1 in another way than the CSMS would, in its turn; nil for what it would say.
	Decide func(station string, q rpc.Message) rpc.Message
	// Sign issues the certificates that stations ask for; nil refuses them.
	Sign Signer
}

// Request asks to send a request to a station. Done, which may be nil, gets the answer in the actor's turn: a payload, or
// what went wrong.
type Request struct {
	Station string
	Action  string
	Payload []byte
	Done    func(payload []byte, fault string)
}

// NotConnected is what goes wrong with a request to a station that is not there.
const NotConnected = "not connected"

// Cut closes the connection of a station (of all, when empty) without a close frame's good manners.
type Cut struct{ Station string }

// Mute stops answering (or begins again).
type Mute struct{ On bool }

// CSMS is the actor.
type CSMS struct {
	env    *kit.Env
	cfg    Config
	log    zerolog.Logger
	server *ws.Server
	conns  map[*ws.Peer]*conn
	by     map[string]*conn
	timers *kit.Timers
	key    uint64
	ids    uint64
	tx16   int
	mute   bool
}

type conn struct {
	id      string
	version rpc.Version
	peer    *ws.Peer
	rpc     *rpc.Endpoint
	asked   map[uint64]Request
	issued  *v201.CertificateSignedRequest // waits for the answer to its request; nil for none
}

// New returns the producer of the actor.
func New(env *kit.Env, cfg Config) func() actor.Actor {
	if cfg.Record == nil {
		cfg.Record = NewRecord(10000, nil)
	}
	if cfg.Heartbeat == 0 {
		cfg.Heartbeat = 300
	}
	return func() actor.Actor {
		return &CSMS{env: env, cfg: cfg, log: env.Log.With().Str("actor", "csms").Logger(), conns: map[*ws.Peer]*conn{}, by: map[string]*conn{}}
	}
}

type arrived struct {
	id   string
	peer *ws.Peer
	tls  *tls.ConnectionState
}

// Receive handles one message.
func (c *CSMS) Receive(ctx actor.Context) {
	now := time.Now()
	switch m := ctx.Message().(type) {
	case *actor.Started:
		c.begin(ctx)
	case arrived:
		c.arrived(ctx, m)
	case ws.Frame:
		if k := c.conns[m.Peer]; k != nil {
			c.cfg.Record.add(now, k.id, true, m.Raw)
			if !c.mute {
				c.step(k, now, rpc.Received{Raw: m.Raw})
			}
		}
		m.Peer.Handled()
	case ws.Closed:
		if k := c.conns[m.Peer]; k != nil {
			c.step(k, now, rpc.Closed{})
			delete(c.conns, m.Peer)
			if c.by[k.id] == k {
				delete(c.by, k.id)
			}
			c.log.Info().Str("station", k.id).Int("code", m.Code).Msg("disconnected")
		}
	case Request:
		c.request(now, m)
	case Cut:
		for _, k := range c.conns {
			if m.Station == "" || m.Station == k.id {
				k.peer.Close(1011, "cut")
			}
		}
	case Mute:
		c.mute = m.On
	case kit.Fired:
		if c.timers.Due(m) {
			for _, k := range c.conns {
				c.step(k, now, rpc.Tick{})
			}
			c.timers.Set("tick", time.Second)
		}
	case *actor.Stopping:
		c.timers.StopAll()
		c.server.Shutdown()
		for _, k := range c.conns {
			k.peer.Close(1001, "the CSMS stops")
		}
	}
}

func (c *CSMS) begin(ctx actor.Context) {
	c.timers = kit.NewTimers(ctx)
	c.timers.Set("tick", time.Second)
	spoken := []string{"ocpp2.0.1", "ocpp1.6"}
	if c.cfg.V21 {
		spoken = append([]string{"ocpp2.1"}, spoken...)
	}
	root, self, password, wire, admit := ctx.ActorSystem().Root, ctx.Self(), c.cfg.Password, c.cfg.Wire, c.cfg.Admit
	wire.Deflate = c.cfg.Deflate
	c.server = &ws.Server{Path: c.cfg.Path, TLS: c.cfg.TLS, Options: wire,
		Judge: func(_ context.Context, v ws.Visitor) ws.Verdict {
			if password != "" && (v.User != v.Identity || v.Pass != password) {
				return ws.Verdict{Status: http.StatusUnauthorized}
			}
			if admit != nil {
				if status := admit(v); status != 0 {
					return ws.Verdict{Status: status}
				}
			}
			p := ws.Choose(spoken, v.Subprotocols)
			return ws.Verdict{Status: http.StatusSwitchingProtocols, Subprotocol: p, Open: func(p *ws.Peer) { root.Send(self, arrived{v.Identity, p, v.TLS}) }}
		}}
	server, l, log := c.server, c.cfg.Listener, c.log
	go func() {
		if err := server.Serve(l); err != nil {
			log.Error().Err(err).Msg("the CSMS's listener has failed")
		}
	}()
}

func (c *CSMS) arrived(ctx actor.Context, m arrived) {
	v, _ := rpc.ParseSubprotocol(m.peer.Subprotocol())
	k := &conn{id: m.id, version: v, peer: m.peer, rpc: rpc.New(rpc.Config{Version: v}), asked: map[uint64]Request{}}
	if old := c.by[m.id]; old != nil { // one connection a station
		old.peer.Close(1001, "replaced by a new connection")
	}
	c.conns[m.peer], c.by[m.id] = k, k
	m.peer.Attach(ctx.ActorSystem().Root, ctx.Self())
	said := c.log.Info().Str("station", m.id).Str("version", m.peer.Subprotocol())
	if m.tls != nil {
		said = said.Str("tls", tls.VersionName(m.tls.Version)).Str("suite", tls.CipherSuiteName(m.tls.CipherSuite))
		if len(m.tls.PeerCertificates) > 0 {
			x := m.tls.PeerCertificates[0]
			said = said.Str("certificate", x.Subject.CommonName).Str("serial", x.SerialNumber.Text(16))
		}
	}
	said.Msg("connected")
}

func (c *CSMS) request(now time.Time, m Request) {
	k := c.by[m.Station]
	if k == nil {
		if m.Done != nil {
			m.Done(nil, NotConnected)
		}
		return
	}
	c.key++
	c.ids++
	k.asked[c.key] = m
	c.step(k, now, rpc.Request{Key: c.key, ID: fmt.Sprintf("csms-%d-%d", now.Unix(), c.ids), Action: m.Action, Payload: m.Payload})
}

func (c *CSMS) step(k *conn, now time.Time, ev rpc.Event) {
	done := func(key uint64, payload []byte, fault string) {
		m := k.asked[key]
		delete(k.asked, key)
		if m.Done != nil {
			m.Done(payload, fault)
		}
	}
	for _, e := range k.rpc.Step(now, ev, nil) {
		switch e := e.(type) {
		case rpc.Write:
			c.cfg.Record.add(now, k.id, false, e.Raw)
			k.peer.Send(e.Raw)
		case rpc.Incoming:
			c.step(k, now, c.answer(k, now, e))
			c.deliver(k, now)
		case rpc.Done:
			done(e.Key, e.Payload, "")
		case rpc.Refused:
			done(e.Key, nil, string(e.Code)+" "+e.What)
		case rpc.Lost:
			done(e.Key, nil, e.Why.String())
		case rpc.Fault:
			c.log.Warn().Str("station", k.id).Msg(e.What)
		}
	}
}

// answer decides about a station's request, after checking it against the schema.
func (c *CSMS) answer(k *conn, now time.Time, in rpc.Incoming) rpc.Event {
	actions := v201.Actions
	if k.version == rpc.V16 {
		actions = v16.Actions
	}
	info, ok := actions[in.Action]
	if !ok || info.Direction&rpc.FromStation == 0 {
		return rpc.Reject{ID: in.ID, Code: rpc.NotImplemented, What: "unknown action"}
	}
	q := info.Request()
	if err := q.UnmarshalJSON(in.Payload); err != nil {
		c.cfg.Record.fault(k.id, in.Action, err)
		var e *rpc.Error
		if !errors.As(err, &e) {
			return rpc.Reject{ID: in.ID, Code: rpc.InternalError, What: err.Error()}
		}
		return rpc.Reject{ID: in.ID, Code: e.Code, What: e.Text()}
	}
	res := info.Response()
	if k.version == rpc.V16 {
		res = c.decide16(now, q, res)
	} else {
		res = c.decide(k, now, q, res)
		if c.cfg.Decide != nil {
			if other := c.cfg.Decide(k.id, q); other != nil {
				res = other
			}
		}
	}
	return rpc.Answer{ID: in.ID, Payload: res.AppendJSON(nil)}
}
