// Package station simulates a third-party OCPP 2.0.1 charging station: it connects like a real one, obeys charging
// profiles, has a meter that integrates, and vehicles come and go. The demo has two, voltyard station runs one against any
// CSMS.
//
// Only cmd and tests spawn it.
package station

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/tlsfile"
	"github.com/voltyard/voltyard/actors/kit/transfer"
	"github.com/voltyard/voltyard/actors/kit/ws"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/ocpp/profile"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	role "github.com/voltyard/voltyard/protocols/ocpp/station"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
	"github.com/voltyard/voltyard/storage/keyring"
)

// Config describes the station.
type Config struct {
	URL       string // of the CSMS or local controller, before the identity
	Identity  string
	Password  string // of Basic authentication; secret, "" for none
	TLS       *tls.Config
	Keys      keyring.Ring                                                      // where the CSMS has it make keys for new certificates; nil: it manages no certificates
	Roots     []string                                                          // of the CSMS, in PEM, that the CSMS may delete
	Dial      func(ctx context.Context, network, addr string) (net.Conn, error) // nil for the system's
	EVSEs     int                                                               // 1 when 0
	MaxAmps   si.Amps                                                           // of each, per phase; 32 when 0
	Phases    int                                                               // 3 when 0
	Volts     si.Volts                                                          // 230 when 0
	Speed     float64                                                           // of batteries and meter; 1 when 0
	Visits    []Visit                                                           // vehicles that come
	Makers    []*x509.Certificate                                               // roots of its firmware's maker; nil: it takes no firmware
	Files     *transfer.Roots                                                   // of servers of files; nil for those of the system
	Disk      Disk                                                              // what it knows survives there; nil: it lives as long as the producer
	Variables map[string]string
	NewID     func() string
	Load      func(si.Phases)       // told what the station draws, several times a second; nil for nobody
	Ended     func(wh si.WattHours) // told of each transaction that ended; nil for nobody
	Deflate   bool
}

// Disk keeps what a station knows over a power cut. Both methods run in the station's turn.
type Disk interface {
	Load() (map[string][]byte, error)
	Save(ops []role.Op) error
}

// memory is a disk that lasts as long as the process.
type memory map[string][]byte

func (m memory) Load() (map[string][]byte, error) { return m, nil }

func (m memory) Save(ops []role.Op) error {
	for _, op := range ops {
		if op.Value == nil {
			delete(m, op.Key)
		} else {
			m[op.Key] = op.Value
		}
	}
	return nil
}

// Visit is a vehicle that comes After the start and leaves when it is full, or Stay after it came.
type Visit struct {
	After, Stay time.Duration // wall time; Stay 0 for until it is full
	EVSE        int
	Car         Car
	Token       string // RFID shown at arrival
}

// Car is a vehicle at a simulated station.
type Car struct {
	MaxAmps si.Amps      // per phase
	Phases  int          // 1 or 3
	Wanted  si.WattHours // what it takes until it is full; 0 for no end
}

// Arrive lets a vehicle come now. Leave lets the one at an EVSE go. Fault breaks an EVSE, with an empty Code it is repaired.
type (
	Arrive struct{ Visit }
	// Leave lets the vehicle at an EVSE go.
	Leave struct{ EVSE int }
	// Fault breaks an EVSE; an empty Code repairs it.
	Fault struct {
		EVSE int
		Code string
	}
	// Present shows a token at an EVSE.
	Present struct {
		EVSE  int
		Token string
	}
)

const tick = 250 * time.Millisecond

// Station is the actor.
type Station struct {
	env     *kit.Env
	cfg     Config
	log     zerolog.Logger
	role    *role.Station
	peer    *ws.Peer
	gen     uint64
	cancel  context.CancelFunc
	backoff kit.Backoff
	timers  *kit.Timers
	outlets []outlet
	works   works
	uplink  *tlsfile.Uplink
	target  role.Dial
	began   time.Time
	visits  []Visit
	last    time.Time
}

// New returns the producer of the actor. What the station would keep over a power cut lives as long as the producer.
func New(env *kit.Env, cfg Config) func() actor.Actor {
	if cfg.EVSEs <= 0 {
		cfg.EVSEs = 1
	}
	if cfg.MaxAmps <= 0 {
		cfg.MaxAmps = 32
	}
	if cfg.Phases != 1 {
		cfg.Phases = 3
	}
	if cfg.Volts <= 0 {
		cfg.Volts = 230
	}
	if cfg.Speed <= 0 {
		cfg.Speed = 1
	}
	if cfg.Disk == nil {
		cfg.Disk = memory{}
	}
	return func() actor.Actor {
		return &Station{uplink: tlsfile.NewUplink(baseTLS(cfg.TLS), len(cfg.Roots) == 0), env: env, cfg: cfg, log: env.Log.With().Str("sim-station", cfg.Identity).Logger(),
			outlets: make([]outlet, cfg.EVSEs), backoff: kit.Backoff{Min: 500 * time.Millisecond, Max: 10 * time.Second}, visits: cfg.Visits}
	}
}

type dialled struct {
	gen  uint64
	id   uint64 // of the machine's Dial
	peer *ws.Peer
	err  error
}

// Receive handles one message.
func (s *Station) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		s.timers = kit.NewTimers(ctx)
		s.began, s.last = time.Now(), time.Now()
		s.boot(ctx)
		for i := range s.outlets { // the vehicle of an earlier life has left
			if s.role.Transaction(i+1) != "" {
				s.step(ctx, role.Unplugged{EVSE: i + 1})
			}
		}
		s.dial(ctx)
		s.timers.Set("tick", tick)
	case dialled:
		s.dialled(ctx, m)
	case ws.Frame:
		if m.Peer == s.peer {
			s.step(ctx, role.Message{Raw: m.Raw})
		}
		m.Peer.Handled()
	case ws.Closed:
		if m.Peer == s.peer {
			s.peer = nil
			s.log.Info().Int("code", m.Code).Str("why", m.Text).Msg("disconnected")
			s.step(ctx, role.Disconnected{})
			s.timers.Set("dial", s.backoff.Next())
		}
	case outcome:
		s.step(ctx, m.ev)
	case Arrive:
		s.arrive(ctx, m.Visit)
	case Leave:
		s.leave(ctx, m.EVSE)
	case Fault:
		s.step(ctx, role.Fault{EVSE: m.EVSE, Code: m.Code})
	case Present:
		s.step(ctx, role.Presented{EVSE: m.EVSE, Token: v201.IdToken{IdToken: m.Token, Type: v201.IdTokenISO14443}})
	case kit.Fired:
		if !s.timers.Due(m) {
			return
		}
		switch m.Key {
		case "tick":
			s.physics(ctx, time.Now())
			s.timers.Set("tick", tick)
		case "dial":
			s.dial(ctx)
		case "role":
			s.step(ctx, role.Tick{})
		}
	case *actor.Stopping:
		s.timers.StopAll()
		s.works.stop()
		if s.cancel != nil {
			s.cancel()
		}
		if s.peer != nil {
			s.peer.Close(1001, "the station stops")
		}
	}
}

// boot makes the machine from what is on disk.
func (s *Station) boot(ctx actor.Context) {
	saved, err := s.cfg.Disk.Load()
	if err != nil {
		panic(err)
	}
	s.works.restore(saved)
	cfg := role.Config{Identity: s.cfg.Identity, Vendor: "Voltyard", Model: "Simulated", Serial: s.cfg.Identity, Firmware: s.works.release(),
		NewID: s.cfg.NewID, Variables: s.cfg.Variables,
		Rating: profile.Rating{Phases: s.cfg.Phases, Volts: s.cfg.Volts, Max: s.cfg.MaxAmps * si.Amps(s.cfg.EVSEs)}}
	s.manage(&cfg)
	if s.cfg.Makers != nil {
		cfg.Updates = &role.Updates{Roots: s.cfg.Makers}
	}
	for range s.cfg.EVSEs {
		cfg.EVSEs = append(cfg.EVSEs, role.EVSEConfig{ConnectorType: "cType2", Rating: profile.Rating{Phases: s.cfg.Phases, Volts: s.cfg.Volts, Max: s.cfg.MaxAmps}})
	}
	if len(cfg.Serial) > 25 {
		cfg.Serial = cfg.Serial[:25]
	}
	r, err := role.New(cfg, saved, time.Now())
	if err != nil {
		panic(err)
	}
	s.role = r
	if p := r.Password(); p != "" {
		s.cfg.Password = p
	}
	s.step(ctx, role.Tick{})
}

func (s *Station) dial(ctx actor.Context) {
	c, cancel := context.WithCancel(context.Background())
	s.gen++
	s.cancel = cancel
	t := ws.Target{URL: s.cfg.URL, Identity: s.cfg.Identity, Subprotocols: []string{rpc.V201.Subprotocol()}, TLS: s.cfg.TLS,
		DialContext: s.cfg.Dial, Options: ws.Options{Deflate: s.cfg.Deflate}}
	if s.target.URL != "" {
		t.URL, t.TLS = s.target.URL, s.uplink.Config(s.target.Newest)
	}
	if s.cfg.Password != "" && s.target.Security != 3 {
		t.Authorization = ws.Basic(s.cfg.Identity, s.cfg.Password)
	}
	root, self, gen, id := ctx.ActorSystem().Root, ctx.Self(), s.gen, s.target.ID
	go func() {
		defer cancel()
		p, err := ws.Dial(c, t)
		root.Send(self, dialled{gen, id, p, err})
	}()
}

func (s *Station) dialled(ctx actor.Context, d dialled) {
	if d.peer != nil && (d.gen != s.gen || d.peer.Subprotocol() == "") {
		d.peer.Attach(ctx.ActorSystem().Root, ctx.Self())
		d.peer.Close(1002, "")
		d.peer = nil
	}
	if d.gen != s.gen {
		return
	}
	if d.peer == nil {
		s.log.Warn().Err(d.err).Msg("cannot connect; it is tried again")
		s.failed(ctx, d)
		s.timers.Set("dial", s.backoff.Next())
		return
	}
	s.backoff.Reset()
	s.peer = d.peer
	s.log.Info().Msg("connected")
	s.step(ctx, role.Connected{ID: d.id, Root: s.provenBy(d.peer.Chain())})
	s.peer.Attach(ctx.ActorSystem().Root, ctx.Self())
}

// step feeds one event to the machine and carries out what it says.
func (s *Station) step(ctx actor.Context, ev role.Event) {
	events := []role.Event{ev}
	for len(events) > 0 {
		ev, events = events[0], events[1:]
		for _, e := range s.role.Step(time.Now(), ev, nil) {
			switch e := e.(type) {
			case role.Write:
				if s.peer != nil {
					s.peer.Send(e.Raw)
				}
			case role.Hangup:
				if s.peer != nil {
					s.peer.Close(1000, e.Why)
				}
			case role.Deadline:
				s.timers.SetAt("role", e.At)
			case role.Save:
				events = append(events, role.Stored{Token: e.Token, Err: s.cfg.Disk.Save(e.Ops)})
			case role.Permit:
				s.outlets[e.EVSE-1].allowed = e.Allowed
			case role.Limit:
				s.outlets[e.EVSE-1].limit = e.Limit
			case role.Stop:
				s.outlets[e.EVSE-1].allowed = false
			case role.Unlock:
				events = append(events, role.Unlocked{EVSE: e.EVSE, OK: true})
			case role.Dial:
				s.target = e
			case role.MakeKey:
				events = append(events, s.makeKey(e))
			case role.UseCertificate:
				s.use(e)
			case role.Roots:
				s.takeRoots(e)
			case role.Password:
				s.cfg.Password = e.New
			case role.Reboot:
				s.restart(ctx)
				return
			case role.ClaimUpdate, role.FetchImage, role.CancelUpdate, role.InstallImage, role.ActivateImage:
				more, again := s.firmware(ctx, e)
				if again {
					s.restart(ctx)
					return
				}
				events = append(events, more...)
			case role.Ended:
				if s.cfg.Ended != nil {
					s.cfg.Ended(e.Energy)
				}
			case role.Note:
				l := s.log.Info()
				if e.Bad {
					l = s.log.Warn()
				}
				l.Msg(e.What)
			}
		}
	}
}

// restart is what a reset does: the connection is lost and the machine begins from its disk.
func (s *Station) restart(ctx actor.Context) {
	s.log.Info().Msg("reset")
	if s.peer != nil {
		s.peer.Close(1001, "reset")
		s.peer = nil
	}
	s.boot(ctx)
	for i := range s.outlets {
		if s.outlets[i].car != nil {
			s.step(ctx, role.Plugged{EVSE: i + 1})
		}
	}
	s.timers.Set("dial", s.backoff.Next())
}
