// Package controller is the OCPP local controller of a site: it accepts the websockets of third-party stations and relays
// each one to one to the operator's cloud (CSMS) under the station's own identity, brings the site's limits to them, and
// gives the site's own stations their connections. One child per station does the work (stationlink-<id>, uplink-<id>);
// the rules are in protocols/ocpp/localctl.
//
// Only /ems spawns it.
package controller

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/ocppstat"
	"github.com/voltyard/voltyard/actors/kit/ws"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
)

// Config describes the controller.
type Config struct {
	Listen    string                                  // host:port for third-party stations under security profile 1; "" for none
	Listeners []Listener                              // more listeners
	Opened    func(net.Addr)                          // told where it listens, nil for nobody
	Bind      func(addr string) (net.Listener, error) // nil for the system's TCP
	Path      string                                  // before the identity, "/ocpp"
	CSMS      *CSMS                                   // nil for a site without a cloud: the controller answers for it
	Stay      bool                                    // answer the stations while the CSMS is gone, instead of closing their connections
	Stations  []Station                               // the listed ones
	Others    *Station                                // how stations are treated that are not listed; nil to refuse them
	Most      int                                     // of stations that are not listed
	Own       []string                                // identities of the site's own stations, the controller's own among them
	Volts     si.Volts                                // nominal
	Answer    time.Duration                           // how long a call may take; 0 for 30 s
	NewID     func() string                           // source of message ids
	Clock     func() time.Time                        // nil means time.Now; tests set the wall clock through it
	Stats     *ocppstat.Stats
	Backoff   kit.Backoff // of connections to the CSMS; the zero value waits 1 s to 30 s
	Deflate   bool        // permessage-deflate where the other side offers it
	Bounds    Bounds
	Wire      ws.Options // bounds and times of the third-party stations' connections, on both sides; zero values are the defaults
}

// wire are the options of a third-party station's connections.
func (c *Config) wire() ws.Options {
	o := c.Wire
	o.Deflate = c.Deflate
	return o
}

// Listener is where third-party stations connect, with one security profile (OCPP 2.0.1 part 2, A00.FR.006).
type Listener struct {
	Addr    string // host:port
	Profile Profile
	TLS     *tls.Config // of profiles 2 and 3; it verifies the stations' certificates in the latter
}

// CSMS is the operator's cloud.
type CSMS struct {
	URL      string
	Password string // of the site's own stations; secret
	TLS      *tls.Config
	Current  func() *tls.Config                                                // asked before each connection, in place of TLS; nil for TLS
	Dial     func(ctx context.Context, network, addr string) (net.Conn, error) // nil for the system's
}

// secure is the TLS of the next connection.
func (c *CSMS) secure() *tls.Config {
	if c.Current != nil {
		return c.Current()
	}
	return c.TLS
}

// Station is a third-party station.
type Station struct {
	ID       string
	Password string // it must show, or the hash of it; "" to pass on what it shows
	Fallback si.Amps
	MaxAmps  si.Amps
	Phases   int
	Levels   int  // 1: a single stack level; else it is asked
	Whole    bool // it takes whole amperes only
	PerTx    bool // it honours limits of transactions only, none for the whole station
	EVSEs    int  // with PerTx: how many it has
}

// versions that stations may speak, best first.
var versions = []string{rpc.V21.Subprotocol(), rpc.V201.Subprotocol(), rpc.V16.Subprotocol()}

// Controller is the actor.
type Controller struct {
	kit.Nursery
	env     *kit.Env
	cfg     Config
	log     zerolog.Logger
	servers map[int]*ws.Server // by listener
	door    *door
	listed  map[string]Station
	others  map[string]bool
	timers  *kit.Timers
	alive   chan struct{} // closed when the actor stops
}

// New returns the producer of the actor.
func New(env *kit.Env, cfg Config) func() actor.Actor {
	if cfg.Backoff == (kit.Backoff{}) {
		cfg.Backoff = kit.Backoff{Min: time.Second, Max: 30 * time.Second}
	}
	if cfg.Listen != "" {
		cfg.Listeners = append([]Listener{{Addr: cfg.Listen, Profile: ProfileBasic}}, cfg.Listeners...)
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Bind == nil {
		cfg.Bind = func(addr string) (net.Listener, error) { return net.Listen("tcp", addr) }
	}
	return func() actor.Actor {
		c := &Controller{env: env, cfg: cfg, log: env.Log.With().Str("actor", "controller").Logger(), listed: map[string]Station{}, others: map[string]bool{},
			servers: map[int]*ws.Server{}, door: newDoor(env, cfg)}
		for _, s := range cfg.Stations {
			c.listed[s.ID] = s
		}
		return c
	}
}

// visit is a station's handshake that waits for the verdict.
type visit struct {
	ws.Visitor
	verdict chan<- ws.Verdict
}

// Receive handles one message.
func (c *Controller) Receive(ctx actor.Context) {
	if _, ok := ctx.Message().(*actor.Started); ok {
		c.begin(ctx)
		return
	}
	if c.Handle(ctx) {
		return
	}
	switch m := ctx.Message().(type) {
	case visit:
		c.visit(ctx, m)
	case msg.StationGrant:
		if pid := c.PID(linkName(m.EVSE)); pid != nil {
			ctx.Send(pid, m)
		}
	case msg.Introduce:
		for _, id := range c.links() {
			ctx.Send(c.PID(linkName(id)), m)
		}
	case msg.UplinkOpen:
		name := "uplink-" + m.Station
		if c.PID(name) == nil && c.cfg.CSMS != nil {
			c.Keep(ctx, "uplink", name, newUplink(c.env, c.cfg, m))
		} else if pid := c.PID(name); pid != nil {
			ctx.Send(pid, m)
		}
	case msg.UplinkTarget:
		c.toUplink(ctx, m.Station, m)
	case msg.UplinkFrame:
		c.toUplink(ctx, m.Station, m)
	case msg.UplinkHangup:
		c.toUplink(ctx, m.Station, m)
	case kit.Fired:
		if n, ok := strings.CutPrefix(m.Key, "listen-"); ok && c.timers.Due(m) {
			i, _ := strconv.Atoi(n)
			c.listen(ctx, i)
		}
	case *actor.Stopping:
		close(c.alive)
		c.timers.StopAll()
		for _, s := range c.servers {
			s.Shutdown()
		}
	}
}

// links are the identities of the third-party stations that have a link.
func (c *Controller) links() []string {
	var ids []string
	for id := range c.listed {
		if c.PID(linkName(id)) != nil {
			ids = append(ids, id)
		}
	}
	for id := range c.others {
		if c.PID(linkName(id)) != nil {
			ids = append(ids, id)
		}
	}
	return ids
}

func linkName(id string) string { return "stationlink-" + id }

func (c *Controller) toUplink(ctx actor.Context, station string, m any) {
	if pid := c.PID("uplink-" + station); pid != nil {
		ctx.Send(pid, m)
	}
}

func (c *Controller) begin(ctx actor.Context) {
	c.Init(c.env, ctx, nil)
	c.timers = kit.NewTimers(ctx)
	c.alive = make(chan struct{})
	for _, id := range c.cfg.Own {
		ctx.Send(c.env.At(msg.StationName(id)), msg.ControllerUp{})
	}
	for _, s := range c.cfg.Stations {
		c.link(ctx, s)
	}
	for i := range c.cfg.Listeners {
		c.listen(ctx, i)
	}
}

func (c *Controller) link(ctx actor.Context, s Station) *actor.PID {
	if pid := c.PID(linkName(s.ID)); pid != nil {
		return pid
	}
	return c.Keep(ctx, "stationlink", linkName(s.ID), newLink(c.env, c.cfg, s))
}

// listen opens a listener, and tries again later when the port is still taken.
func (c *Controller) listen(ctx actor.Context, i int) {
	at := c.cfg.Listeners[i]
	l, err := c.cfg.Bind(at.Addr)
	if err != nil {
		c.log.Error().Err(err).Str("listen", at.Addr).Msg("cannot listen for stations; is another program on this port? It is tried again")
		c.timers.Set("listen-"+strconv.Itoa(i), 2*time.Second)
		return
	}
	if c.cfg.Opened != nil {
		c.cfg.Opened(l.Addr())
	}
	root, self, alive, door := ctx.ActorSystem().Root, ctx.Self(), c.alive, c.door
	south, fast := c.cfg.wire(), c.env.Metrics.BadInput.WithLabelValues("station", "rate")
	south.Rate, south.Slowed = c.cfg.Bounds.Frames, fast.Inc
	server := &ws.Server{Path: c.cfg.Path, TLS: at.TLS, Options: south, Failed: door.failed,
		Judge: func(rc context.Context, v ws.Visitor) ws.Verdict {
			if status := door.check(rc, at.Profile, v); status != 0 {
				return ws.Verdict{Status: status}
			}
			answer := make(chan ws.Verdict, 1)
			root.Send(self, visit{v, answer})
			select {
			case d := <-answer:
				return d
			case <-alive:
			case <-rc.Done():
			case <-time.After(30 * time.Second):
			}
			return ws.Verdict{Status: http.StatusServiceUnavailable}
		}}
	l = newGate(l, c.cfg.Bounds, c.env.Metrics.BadInput)
	c.servers[i] = server
	log := c.log
	go func() {
		if err := server.Serve(l); err != nil {
			log.Error().Err(err).Msg("the listener for stations has failed")
		}
	}()
	c.log.Info().Stringer("addr", l.Addr()).Int("profile", int(at.Profile)).Msg("stations may connect")
}

// visit finds the link of a station, or makes one.
func (c *Controller) visit(ctx actor.Context, v visit) {
	s, listed := c.listed[v.Identity]
	if !listed {
		if c.cfg.Others == nil || !c.others[v.Identity] && len(c.others) >= c.cfg.Most {
			c.env.Metrics.BadInput.WithLabelValues("station", "unknown").Inc()
			v.verdict <- ws.Verdict{Status: http.StatusNotFound} // OCPP 2.0.1 part 4, 3.1.1
			return
		}
		c.others[v.Identity] = true
		s = *c.cfg.Others
		s.ID = v.Identity
	}
	ctx.Send(c.link(ctx, s), v)
}
