package controller

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/password"
	"github.com/voltyard/voltyard/actors/kit/ws"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/ocpp/localctl"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/site/lease"
)

// bucket of the database; keys are the identity, a slash, and the key of the machine.
const bucket = "ocpp-link"

// The keys of what the link itself stores: the version that the station spoke last, and whether it showed no Authorization then.
// What a station shows is never stored.
const (
	versionKey = "version"
	openKey    = "open"
)

// link is the actor of one third-party station: two websockets and the machine between them.
type link struct {
	env  *kit.Env
	cfg  Config
	st   Station
	log  zerolog.Logger
	held []any // messages that wait for the records of the database
	root *actor.RootContext
	self *actor.PID

	relay   *localctl.Relay
	version rpc.Version
	saved   map[string][]byte
	loaded  bool
	state   localctl.State
	grant   *msg.StationGrant
	acked   uint64 // Seq of the last grant that was confirmed

	station *ws.Peer
	csms    *ws.Peer
	visitor ws.Visitor
	verdict chan<- ws.Verdict // of the visit under way
	ready   *ws.Peer          // to the CSMS, dialled for the visit under way
	dialGen uint64
	cancel  context.CancelFunc
	backoff kit.Backoff
	timers  *kit.Timers
	code    int // close code to mirror
	text    string
}

func newLink(env *kit.Env, cfg Config, s Station) func() actor.Actor {
	return func() actor.Actor {
		return &link{env: env, cfg: cfg, st: s, backoff: cfg.Backoff, log: env.Log.With().Str("station", s.ID).Logger()}
	}
}

type (
	// dialled is the outcome of a dial to the CSMS.
	dialled struct {
		gen  uint64
		peer *ws.Peer
		err  error
	}
	// arrived is the station's open connection.
	arrived struct{ peer *ws.Peer }
)

// Receive handles one message.
func (l *link) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		l.timers = kit.NewTimers(ctx)
		l.root, l.self = ctx.ActorSystem().Root, ctx.Self()
		l.load(ctx)
		return
	case *actor.Stopping:
		l.stop()
		return
	case msg.Loaded:
		l.restore(ctx, m)
		return
	case kit.Fired:
		if l.timers.Due(m) {
			l.fired(ctx, m.Key)
		}
		return
	}
	if !l.loaded {
		if len(l.held) < 64 {
			l.held = append(l.held, ctx.Message())
		}
		return
	}
	l.handle(ctx, ctx.Message())
}

func (l *link) handle(ctx actor.Context, message any) {
	switch m := message.(type) {
	case visit:
		l.visit(m)
	case dialled:
		l.dialled(ctx, m)
	case arrived:
		l.arrived(ctx, m.peer)
	case ws.Frame:
		switch m.Peer {
		case l.station:
			l.step(ctx, localctl.FromStation{Raw: m.Raw})
		case l.csms:
			l.step(ctx, localctl.FromCSMS{Raw: m.Raw})
		}
		m.Peer.Handled()
	case ws.Closed:
		l.closed(ctx, m)
	case msg.Introduce: // a balancer has begun
		l.tellHeld(ctx)
		l.report(ctx)
	case msg.StationGrant:
		l.grant = &m
		l.install(ctx)
	case msg.Saved:
		l.step(ctx, localctl.Stored{Token: m.Token, Err: m.Err})
	}
}

func (l *link) load(ctx actor.Context) {
	ctx.Send(l.env.At(msg.Recorder), msg.Load{Bucket: bucket, Prefix: []byte(l.st.ID + "/"), Reply: ctx.Self()})
	l.timers.Set("load", 5*time.Second) // the recorder may be starting anew
}

func (l *link) restore(ctx actor.Context, m msg.Loaded) {
	if l.loaded {
		return
	}
	if m.Err != nil {
		l.log.Error().Err(m.Err).Msg("cannot read what is stored about the station; it is tried again")
		return
	}
	l.timers.Stop("load")
	l.loaded, l.saved = true, map[string][]byte{}
	for _, p := range m.Pairs {
		l.saved[string(p.Key[len(l.st.ID)+1:])] = p.Value
	}
	l.tellHeld(ctx)
	if v, ok := rpc.ParseSubprotocol(string(l.saved[versionKey])); ok {
		if l.machine(v) && l.owes() {
			l.log.Info().Int("waiting", l.relay.Unacknowledged()).Msg("messages of the station wait for the CSMS from before; they are delivered without it")
			l.timers.Set("dial", l.backoff.Next())
		}
	}
	l.timers.Set("report", reportEvery)
	for _, h := range l.held {
		l.handle(ctx, h)
	}
	l.held = nil
}

// tellHeld tells the balancer what the station may hold from before: what is stored, and a grant that waits for the station, which
// gets it when it can.
func (l *link) tellHeld(ctx actor.Context) {
	b := l.saved[localctl.HoldKey]
	if b == nil {
		return
	}
	var h lease.Hold
	if err := json.Unmarshal(b, &h); err != nil {
		l.log.Error().Err(err).Msg("the record of what the station holds is damaged; its maximum stays reserved")
		return
	}
	h = h.Resumed(l.cfg.Clock())
	if g := l.grant; g != nil && g.Seq != l.acked {
		h.Import, h.Export = h.Import.Max(g.Hold.Import), h.Export.Max(g.Hold.Export)
		if g.Hold.Until.IsZero() || !h.Until.IsZero() && g.Hold.Until.After(h.Until) {
			h.Until = g.Hold.Until
		}
	}
	ctx.Send(l.env.At(msg.Balancer), msg.StationHeld{Station: l.st.ID, Hold: h})
}

// machine makes the relay for a version, with what is stored.
func (l *link) machine(v rpc.Version) bool {
	if l.relay != nil && l.version == v {
		return true
	}
	saved := map[string][]byte{}
	for k, b := range l.saved {
		if k != versionKey && k != openKey {
			saved[k] = b
		}
	}
	levels := 0
	if l.st.Levels == 1 {
		levels = 1
	}
	r, err := localctl.New(localctl.Config{Identity: l.st.ID, Version: v, Stay: l.cfg.Stay, Fallback: l.st.Fallback, Phases: l.st.Phases,
		Volts: l.cfg.Volts, MaxAmps: l.st.MaxAmps, Levels: levels, Whole: l.st.Whole, QueueBytes: l.cfg.Bounds.QueueBytes, PerTx: l.st.PerTx, EVSEs: l.st.EVSEs, Timeout: l.cfg.Answer, NewID: l.cfg.NewID}, saved, l.cfg.Clock())
	if err != nil {
		l.log.Error().Err(err).Msg("cannot take up the station")
		return false
	}
	l.relay, l.version = r, v
	return true
}

// reportEvery is how often the balancer hears about a station that says nothing new.
const reportEvery = 5 * time.Second

func (l *link) fired(ctx actor.Context, key string) {
	switch key {
	case "load":
		l.load(ctx)
	case "report":
		l.report(ctx)
		l.timers.Set("report", reportEvery)
	case "tick":
		l.step(ctx, localctl.Tick{})
	case "dial":
		if l.verdict != nil { // the station is at the door, and the CSMS is asked
			l.timers.Set("dial", l.backoff.Next())
			return
		}
		if l.csms == nil && (l.station != nil || l.owes()) {
			l.dial([]string{l.version.Subprotocol()})
		}
	case "absent": // the station did not complete its handshake
		if l.ready != nil {
			l.ready.Attach(l.root, l.self)
			l.ready.Close(1001, "the station is gone")
			l.ready = nil
		}
	}
}

// visit answers a station's handshake: what the CSMS would say is what the station hears.
func (l *link) visit(v visit) {
	if l.verdict != nil { // an earlier one under way is superseded
		l.decide(ws.Verdict{Status: http.StatusServiceUnavailable})
	}
	offered := slices.DeleteFunc(slices.Clone(v.Subprotocols), func(s string) bool { return !slices.Contains(versions, s) })
	l.visitor, l.verdict = v.Visitor, v.verdict
	if l.station != nil { // it comes back before we noticed that it was gone
		l.station.Close(1001, "replaced by a new connection")
	}
	switch {
	case len(offered) == 0:
		l.decide(ws.Verdict{Status: http.StatusSwitchingProtocols})
	case l.cfg.CSMS == nil:
		l.alone(offered)
	default:
		l.dial(offered)
	}
}

func (l *link) decide(v ws.Verdict) {
	if l.verdict != nil {
		l.verdict <- v
		l.verdict = nil
	}
}

// admit lets the station in under a subprotocol.
func (l *link) admit(subprotocol string) {
	root, self := l.root, l.self
	l.decide(ws.Verdict{Status: http.StatusSwitchingProtocols, Subprotocol: subprotocol, Open: func(p *ws.Peer) { root.Send(self, arrived{p}) }})
	l.timers.Set("absent", 15*time.Second)
}

// alone lets a station in while there is no CSMS, if it can be answered for.
func (l *link) alone(offered []string) {
	want := rpc.V201.Subprotocol()
	if (l.cfg.Stay || l.cfg.CSMS == nil) && slices.Contains(offered, want) {
		l.admit(want)
		return
	}
	l.decide(ws.Verdict{Status: http.StatusServiceUnavailable})
}

// dial connects to the CSMS with the station's identity and credentials.
func (l *link) dial(subprotocols []string) {
	if l.cancel != nil {
		l.cancel()
	}
	ctx, cancel := context.WithCancel(context.Background())
	l.dialGen++
	l.cancel = cancel
	t := ws.Target{URL: l.cfg.CSMS.URL, Identity: l.st.ID, Subprotocols: subprotocols, Authorization: l.authorization(), TLS: l.cfg.CSMS.secure(),
		DialContext: l.cfg.CSMS.Dial, Options: l.cfg.wire()}
	root, self, gen := l.root, l.self, l.dialGen
	go func() {
		defer cancel()
		p, err := ws.Dial(ctx, t)
		root.Send(self, dialled{gen, p, err})
	}()
}

func (l *link) dialled(ctx actor.Context, d dialled) {
	if d.gen != l.dialGen {
		if d.peer != nil {
			d.peer.Attach(l.root, l.self)
			d.peer.Close(1001, "")
		}
		return
	}
	if l.verdict != nil { // for a handshake
		var no *ws.Refused
		switch {
		case d.err == nil:
			l.backoff.Reset()
			if l.ready != nil {
				l.ready.Attach(l.root, l.self)
				l.ready.Close(1001, "")
			}
			l.ready = d.peer
			l.admit(d.peer.Subprotocol())
		case errors.As(d.err, &no) && no.Status < 500:
			l.decide(ws.Verdict{Status: no.Status}) // 401 and 404 as they are
		default:
			l.log.Warn().Err(d.err).Msg("the CSMS cannot be reached for the station")
			l.alone(l.visitor.Subprotocols)
		}
		return
	}
	var no *ws.Refused
	if l.station == nil && l.visitor.Identity == "" && errors.As(d.err, &no) && no.Status < 500 {
		l.log.Warn().Err(d.err).Msg("the CSMS refuses a connection without the station; what waits for it is delivered when the station is back")
		return
	}
	if d.err != nil || d.peer.Subprotocol() != l.version.Subprotocol() {
		if d.peer != nil {
			d.peer.Attach(l.root, l.self)
			d.peer.Close(1002, "another version than before")
		}
		l.log.Warn().Err(d.err).Msg("the CSMS cannot be reached for the station; it is tried again")
		l.timers.Set("dial", l.backoff.Next())
		return
	}
	if l.csms != nil || l.station == nil && !l.owes() {
		d.peer.Attach(l.root, l.self)
		d.peer.Close(1001, "")
		return
	}
	l.backoff.Reset()
	l.csms = d.peer
	l.csms.Attach(l.root, l.self)
	l.log.Info().Bool("station", l.station != nil).Msg("the CSMS is back for the station")
	l.step(ctx, localctl.CSMSUp{WithoutStation: l.station == nil})
}

// arrived joins the station's connection and the one to the CSMS that was dialled for it.
func (l *link) arrived(ctx actor.Context, p *ws.Peer) {
	l.timers.Stop("absent")
	v, _ := rpc.ParseSubprotocol(p.Subprotocol())
	if l.station != nil {
		l.leave(ctx)
	}
	l.hangUp(ctx)
	if !l.machine(v) {
		p.Attach(l.root, l.self)
		p.Close(1011, "")
		return
	}
	l.remember(ctx, versionKey, []byte(p.Subprotocol()))
	var open []byte
	if l.visitor.Authorization == "" {
		open = []byte("1")
	}
	l.remember(ctx, openKey, open)
	l.station, l.csms, l.ready = p, l.ready, nil
	l.log.Info().Str("version", p.Subprotocol()).Bool("csms", l.csms != nil).Msg("station connected")
	if l.csms != nil {
		l.step(ctx, localctl.CSMSUp{})
		if l.csms != nil {
			l.csms.Attach(l.root, l.self)
		}
	} else if l.cfg.CSMS != nil {
		l.timers.Set("dial", l.backoff.Next())
	}
	l.step(ctx, localctl.StationUp{})
	l.station.Attach(l.root, l.self)
	l.install(ctx)
	l.report(ctx)
}

// leave says that the station's connection has ended. That to the CSMS ends once it has what the station left behind.
func (l *link) leave(ctx actor.Context) {
	l.station = nil
	l.step(ctx, localctl.StationDown{})
	if l.owes() {
		if l.csms == nil {
			l.timers.Set("dial", l.backoff.Next())
		}
		return
	}
	l.hangUp(ctx)
}

// remember stores one of the link's own records, nil for none.
func (l *link) remember(ctx actor.Context, key string, value []byte) {
	if bytes.Equal(l.saved[key], value) {
		return
	}
	l.saved[key] = value
	if value == nil {
		delete(l.saved, key)
	}
	ctx.Send(l.env.At(msg.Recorder), msg.Save{Ops: []msg.Op{{Bucket: bucket, Key: []byte(l.st.ID + "/" + key), Value: value}}})
}

// owes tells that the CSMS lacks something of the station, and may be told without it. What the station shows to the CSMS is
// known if it was here since the start; if not, the CSMS must want the controller's own certificate instead (profile 3), the site
// file must name the station's password, or the station must have shown nothing the last time.
func (l *link) owes() bool {
	if l.relay == nil || l.cfg.CSMS == nil || l.relay.Unacknowledged() == 0 {
		return false
	}
	t := l.cfg.CSMS.TLS
	return l.visitor.Identity != "" || t != nil && (t.GetClientCertificate != nil || len(t.Certificates) > 0) ||
		l.authorization() != "" || l.saved[openKey] != nil
}

// authorization is what the CSMS is shown for the station.
func (l *link) authorization() string {
	if pass := l.st.Password; l.visitor.Identity == "" && pass != "" && !password.IsHash(pass) && l.saved[openKey] == nil {
		return ws.Basic(l.st.ID, pass)
	}
	return l.visitor.Authorization
}

func (l *link) hangUp(ctx actor.Context) {
	if l.csms != nil {
		l.csms.Close(l.code, l.text)
		l.csms = nil
		l.step(ctx, localctl.CSMSDown{})
	}
}

func (l *link) closed(ctx actor.Context, m ws.Closed) {
	switch m.Peer {
	case l.station:
		l.log.Info().Int("code", m.Code).Str("why", m.Text).Msg("station disconnected")
		l.code, l.text = m.Code, m.Text
		l.timers.Stop("dial")
		l.leave(ctx)
		l.report(ctx)
	case l.csms:
		if l.station == nil {
			l.log.Info().Int("waiting", l.relay.Unacknowledged()).Msg("the connection that the station left behind is closed")
		} else {
			l.log.Warn().Int("code", m.Code).Str("why", m.Text).Msg("the CSMS has closed the station's connection")
		}
		l.code, l.text = m.Code, m.Text
		l.csms = nil
		l.step(ctx, localctl.CSMSDown{})
		if l.station != nil || l.owes() {
			l.timers.Set("dial", l.backoff.Next())
		}
	}
}

// install hands the last grant to the machine.
func (l *link) install(ctx actor.Context) {
	if l.grant == nil || l.relay == nil {
		return
	}
	g := l.grant
	now := l.cfg.Clock()
	record := func(h lease.Hold) ([]byte, error) {
		if !h.Until.IsZero() {
			h.Left = h.Until.Sub(now)
		}
		h.Until = h.Until.Round(0)
		return json.Marshal(h)
	}
	hold, err := record(g.Hold)
	var after []byte
	if err == nil {
		after, err = record(lease.Hold{Import: g.Import, Export: g.Export, Until: g.Until})
	}
	if err != nil {
		l.log.Error().Err(err).Msg("cannot store what the station holds")
		return
	}
	l.step(ctx, localctl.Grant{Seq: g.Seq, Amps: least(g.Import, l.st.Phases), Phases: g.Phases, Until: g.Until, Hold: hold, After: after})
}

// least is the current that is granted on every phase that the station has: a profile knows only one for all, and which
// phases a vehicle takes is not in our hands.
func least(p si.Phases, phases int) si.Amps {
	if phases == 1 {
		return p[0]
	}
	return p.Lowest()
}

func (l *link) stop() {
	l.timers.StopAll()
	if l.cancel != nil {
		l.cancel()
	}
	l.decide(ws.Verdict{Status: http.StatusServiceUnavailable})
	for _, p := range []*ws.Peer{l.station, l.csms} {
		if p != nil {
			p.Close(1001, "the controller stops")
		}
	}
	if l.ready != nil {
		l.ready.Attach(l.root, l.self)
		l.ready.Close(1001, "")
	}
}
