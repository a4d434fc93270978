package controller

import (
	"context"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/ws"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
)

// uplink is the actor of one own station's connection to the CSMS: it dials, dials again, and passes frames.
type uplink struct {
	env    *kit.Env
	cfg    Config
	open   msg.UplinkOpen
	log    zerolog.Logger
	root   *actor.RootContext
	self   *actor.PID
	peer   *ws.Peer
	gen    uint64
	cancel context.CancelFunc
	retry  retry
	timers *kit.Timers
}

// uplinked is how an attempt to connect ended.
type uplinked struct {
	gen, target uint64
	peer        *ws.Peer
	err         error
}

func newUplink(env *kit.Env, cfg Config, open msg.UplinkOpen) func() actor.Actor {
	return func() actor.Actor {
		return &uplink{env: env, cfg: cfg, open: open, retry: retry{other: cfg.Backoff}, log: env.Log.With().Str("station", open.Station).Logger()}
	}
}

// Receive handles one message.
func (u *uplink) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		u.timers = kit.NewTimers(ctx)
		u.root, u.self = ctx.ActorSystem().Root, ctx.Self()
		u.gen = uint64(time.Now().UnixNano()) // above that of any incarnation before
		u.dial()
	case msg.UplinkOpen:
		again := m.Begun == u.open.Begun && m.Password == u.open.Password && m.Reply.Equal(u.open.Reply)
		u.open = m
		if u.peer != nil && again { // asked twice, as this controller began
			return
		}
		if u.peer != nil { // the role began anew, or shows another password
			u.drop(ctx, "the station starts anew")
			return
		}
		ctx.Send(m.Reply, msg.UplinkIs{Station: m.Station, Gen: u.gen})
	case msg.UplinkTarget:
		u.open.Target = m
	case uplinked:
		u.dialled(ctx, m)
	case msg.UplinkFrame:
		if u.peer != nil && m.Gen == u.gen {
			u.peer.Send(m.Raw)
		}
	case msg.UplinkHangup:
		if u.peer != nil && m.Gen == u.gen {
			u.drop(ctx, m.Why)
		}
	case ws.Frame:
		if m.Peer == u.peer {
			ctx.Send(u.open.Reply, msg.UplinkFrame{Station: u.open.Station, Gen: u.gen, Raw: m.Raw})
		}
		m.Peer.Handled()
	case ws.Closed:
		if m.Peer == u.peer {
			u.log.Warn().Int("code", m.Code).Str("why", m.Text).Msg("the CSMS has closed the connection")
			u.down(ctx)
		}
	case kit.Fired:
		if u.timers.Due(m) && u.peer == nil {
			u.dial()
		}
	case *actor.Stopping:
		u.timers.StopAll()
		if u.cancel != nil {
			u.cancel()
		}
		if u.peer != nil {
			u.peer.Close(1001, "the controller stops")
			ctx.Send(u.open.Reply, msg.UplinkIs{Station: u.open.Station, Gen: u.gen})
		}
	}
}

func (u *uplink) dial() {
	ctx, cancel := context.WithCancel(context.Background())
	u.gen++
	u.cancel = cancel
	to := u.open.Target
	t := ws.Target{URL: u.cfg.CSMS.URL, Identity: u.open.Station, Subprotocols: []string{rpc.V201.Subprotocol()}, TLS: u.cfg.CSMS.secure(),
		DialContext: u.cfg.CSMS.Dial, Options: ws.Options{Deflate: u.cfg.Deflate}}
	password := u.open.Password
	if password == "" {
		password = u.cfg.CSMS.Password
	}
	if to.URL != "" {
		t.URL = to.URL
	}
	if to.TLS != nil {
		t.TLS = to.TLS()
	}
	if password != "" && to.Profile != int(ProfileCertificate) {
		t.Authorization = ws.Basic(u.open.Station, password)
	}
	root, self, gen := u.root, u.self, u.gen
	go func() {
		defer cancel()
		p, err := ws.Dial(ctx, t)
		root.Send(self, uplinked{gen, to.ID, p, err})
	}()
}

func (u *uplink) dialled(ctx actor.Context, d uplinked) {
	if d.gen != u.gen || u.peer != nil {
		if d.peer != nil {
			d.peer.Attach(u.root, u.self)
			d.peer.Close(1001, "")
		}
		return
	}
	if d.err == nil && d.peer.Subprotocol() == "" {
		d.peer.Attach(u.root, u.self)
		d.peer.Close(1002, "no common subprotocol")
		u.log.Error().Msg("the CSMS does not speak OCPP 2.0.1; it is tried again")
		u.failed(ctx, d, "the CSMS does not speak OCPP 2.0.1")
		return
	}
	if d.err != nil {
		u.log.Warn().Err(d.err).Msg("the CSMS cannot be reached; it is tried again")
		u.failed(ctx, d, d.err.Error())
		return
	}
	u.retry.reset()
	u.peer = d.peer
	ctx.Send(u.open.Reply, msg.UplinkIs{Station: u.open.Station, Gen: u.gen, Up: true, Target: d.target, Chain: d.peer.Chain()})
	u.peer.Attach(u.root, u.self)
}

// failed tells the station of an attempt in vain, which may have it name another target before the next one.
func (u *uplink) failed(ctx actor.Context, d uplinked, why string) {
	f := msg.UplinkFailed{Station: u.open.Station, Target: d.target, Why: why}
	if d.err != nil {
		f.Event = ws.SecurityEvent(d.err)
	}
	ctx.Send(u.open.Reply, f)
	u.timers.Set("dial", u.retry.next(u.open.Target.Retry))
}

// drop closes the connection from our side.
func (u *uplink) drop(ctx actor.Context, why string) {
	u.peer.Close(1000, why)
	u.down(ctx)
}

func (u *uplink) down(ctx actor.Context) {
	u.peer = nil
	ctx.Send(u.open.Reply, msg.UplinkIs{Station: u.open.Station, Gen: u.gen})
	u.timers.Set("dial", u.retry.next(u.open.Target.Retry))
}
