// Package station is the actor of the OCPP 2.0.1 station role of the site's own EVSEs (and, without any, of the local
// controller's own identity). It feeds what the EVSEs report to the machine in protocols/ocpp/station and carries out what
// that says; its connection to the operator's cloud is the controller's.
//
// Only /ems spawns it.
package station

import (
	"crypto/x509"
	"encoding/pem"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/ocppstat"
	"github.com/voltyard/voltyard/actors/kit/transfer"
	"github.com/voltyard/voltyard/actors/kit/v2gtls"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/si"
	role "github.com/voltyard/voltyard/protocols/ocpp/station"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// Config describes the station role.
type Config struct {
	Role  role.Config // EVSEs in the order of the ids below
	EVSEs []string    // ids of the site's EVSEs; EVSE n of OCPP is the n-th
	Cloud bool        // there is a CSMS; without one every token is decided by the offline rules
	Stats *ocppstat.Stats
	// Trusted takes the CSMS roots that are installed; nil for nobody.
	Trusted *transfer.Roots
	// Certificates is where they are used when the CSMS manages them (Role.Certificates); nil when it does not.
	Certificates *Certificates
	Site         *kit.Cell[msg.SiteView] // to tell the CSMS of limits from outside; nil for all but the controller's own identity
}

// bucket of the database; keys are the identity, a slash, and the key of the machine.
const bucket = "ocpp-station"

// Station is the actor.
type Station struct {
	env *kit.Env
	cfg Config
	log zerolog.Logger

	role    *role.Station
	held    []any // messages that wait for the records of the database
	gen     uint64
	begun   int64 // this role, among those before
	timers  *kit.Timers
	saved   map[string][]byte
	evses   []*evse
	waiting map[int]msg.Authorize // by EVSE: asked and not answered
	born    time.Time
	early   []msg.Authorize // came before the first connection
	told    msg.StationState

	up     bool // the connection to the CSMS is
	target msg.UplinkTarget
	making []role.MakeKey // the first is being made
	roots  map[v201.GetCertificateIdUseEnum][]*x509.Certificate
	secc   v2gtls.Identity
}

// patience is how long a token waits after the start for the first connection to the cloud, before it is decided offline.
const patience = 10 * time.Second

// evse is what was reported last.
type evse struct {
	seen   bool
	report msg.EVSEReport
	flow   v201.ChargingStateEnum
	since  time.Time // since when flow is to change
	next   v201.ChargingStateEnum
	ended  bool // the vehicle's own end was told
	screen screen
	offer  []int // the CSMS's ids of the schedules that the vehicle was offered, the first as the vehicle's 1
}

// New returns the producer of the actor.
func New(env *kit.Env, cfg Config) func() actor.Actor {
	return func() actor.Actor {
		s := &Station{env: env, cfg: cfg, log: env.Log.With().Str("station", cfg.Role.Identity).Logger(), waiting: map[int]msg.Authorize{},
			roots: map[v201.GetCertificateIdUseEnum][]*x509.Certificate{}}
		for range cfg.EVSEs {
			s.evses = append(s.evses, &evse{})
		}
		return s
	}
}

// Receive handles one message.
func (s *Station) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		s.timers = kit.NewTimers(ctx)
		s.born = time.Now()
		s.load(ctx)
		return
	case *actor.Stopping:
		s.timers.StopAll()
		return
	case msg.Loaded:
		s.restore(ctx, m)
		return
	case kit.Fired:
		if !s.timers.Due(m) {
			return
		}
		switch m.Key {
		case "load":
			s.load(ctx)
		case "tick":
			s.step(ctx, role.Tick{})
		case "early":
			s.late(ctx)
		case "flow":
			s.flows(ctx)
		case "outside":
			s.lookOutside(ctx)
		}
		return
	case msg.ControllerUp:
		s.uplink(ctx)
		return
	case made:
		s.keyMade(ctx, m)
		return
	}
	if s.role == nil {
		if len(s.held) < 256 {
			s.held = append(s.held, ctx.Message())
		}
		return
	}
	s.handle(ctx, ctx.Message())
}

func (s *Station) handle(ctx actor.Context, message any) {
	switch m := message.(type) {
	case msg.UplinkIs:
		if m.Gen < s.gen {
			return
		}
		s.gen, s.up = m.Gen, m.Up
		if m.Up {
			s.step(ctx, role.Connected{ID: m.Target, Root: s.provenBy(m.Chain)})
		} else {
			s.step(ctx, role.Disconnected{})
		}
	case msg.UplinkFailed:
		if c := s.cfg.Certificates; c != nil && m.Event == "FailedToAuthenticateAtCsms" {
			c.Uplink.Refused()
		}
		s.step(ctx, role.DialFailed{ID: m.Target, Event: m.Event, Info: m.Why})
	case msg.UplinkFrame:
		if m.Gen == s.gen {
			s.step(ctx, role.Message{Raw: m.Raw})
		}
	case msg.Saved:
		s.step(ctx, role.Stored{Token: m.Token, Err: m.Err})
	case msg.EVSEReport:
		if n := s.number(m.EVSE); n > 0 {
			s.reported(ctx, n, m)
		}
	case msg.Authorize:
		if m.Token != "" && s.cfg.Cloud && !s.role.Accepted() && time.Since(s.born) < patience && len(s.early) < 64 {
			s.early = append(s.early, m)
			s.timers.Set("early", patience-time.Since(s.born))
			return
		}
		if n := s.number(m.EVSE); n > 0 {
			s.authorize(ctx, n, m)
		}
	case msg.VehicleAsks:
		if n := s.number(m.EVSE); n > 0 {
			s.asks(ctx, n, m)
		}
	case msg.VehicleChose:
		if n := s.number(m.EVSE); n > 0 {
			s.chose(ctx, n, m.Tuple)
		}
	case msg.ContractCertificate:
		if n := s.number(m.EVSE); n > 0 {
			s.step(ctx, role.CertificateWanted{EVSE: n, Token: m.Token, Update: m.Update, EXI: m.EXI})
		}
	case msg.ChoreEvent:
		s.step(ctx, m.What)
	case msg.StationStates:
		s.told = msg.StationState{}
		s.state(ctx)
	case msg.MeterSigned:
		if n := s.number(m.EVSE); n > 0 {
			s.step(ctx, signed(n, m, s.evses[n-1].report.SoC))
		}
	case msg.Unlocked:
		if n := s.number(m.EVSE); n > 0 {
			s.step(ctx, role.Unlocked{EVSE: n, OK: m.OK})
		}
	}
}

// late decides about the tokens that waited for the first connection.
func (s *Station) late(ctx actor.Context) {
	early := s.early
	s.early = nil
	for _, m := range early {
		if n := s.number(m.EVSE); n > 0 && s.role != nil {
			s.authorize(ctx, n, m)
		}
	}
}

// number is the OCPP number of an EVSE, 0 for a foreign one.
func (s *Station) number(id string) int { return slices.Index(s.cfg.EVSEs, id) + 1 }

func (s *Station) load(ctx actor.Context) {
	ctx.Send(s.env.At(msg.Recorder), msg.Load{Bucket: bucket, Prefix: []byte(s.cfg.Role.Identity + "/"), Reply: ctx.Self()})
	s.timers.Set("load", 5*time.Second) // the recorder may be starting anew
}

func (s *Station) restore(ctx actor.Context, m msg.Loaded) {
	if s.role != nil {
		return
	}
	if m.Err != nil {
		s.log.Error().Err(m.Err).Msg("cannot read what is stored about the station; it is tried again")
		return
	}
	s.timers.Stop("load")
	s.saved = map[string][]byte{}
	for _, p := range m.Pairs {
		s.saved[string(p.Key[len(s.cfg.Role.Identity)+1:])] = p.Value
	}
	if !s.begin(ctx) {
		return
	}
	s.lookOutside(ctx)
	for _, h := range s.held {
		s.handle(ctx, h)
	}
	s.held = nil
}

// begin makes the machine from what is stored. A damaged record is left out rather than the station.
func (s *Station) begin(ctx actor.Context) bool {
	r, err := role.New(s.cfg.Role, s.saved, time.Now())
	if err != nil {
		s.log.Error().Err(err).Msg("stored records cannot be used; the station begins without them")
		if r, err = role.New(s.cfg.Role, nil, time.Now()); err != nil {
			s.log.Error().Err(err).Msg("the station cannot begin")
			return false
		}
	}
	s.role = r
	s.begun = max(s.begun+1, time.Now().UnixNano()) // another one than before, also when this actor is a new one
	for _, e := range s.evses {
		*e = evse{}
	}
	s.uplink(ctx)
	s.step(ctx, role.Tick{})
	return true
}

func (s *Station) uplink(ctx actor.Context) {
	if s.cfg.Cloud && s.role != nil {
		s.up = false
		s.step(ctx, role.Disconnected{})
		ctx.Send(s.env.At(msg.Controller), msg.UplinkOpen{Station: s.cfg.Role.Identity, Begun: s.begun, Password: s.role.Password(), Target: s.target, Reply: ctx.Self()})
	}
}

// authorize asks the machine about a token. What runs already is confirmed at once.
func (s *Station) authorize(ctx actor.Context, n int, m msg.Authorize) {
	kind := v201.IdTokenEnum(m.Kind)
	if !kind.Valid() {
		kind = v201.IdTokenISO14443
	}
	if m.Token == "" {
		kind = v201.IdTokenNoAuthorization
	}
	s.waiting[n] = m
	if r := s.evses[n-1].report; !r.Cable || r.Plugged { // a token for a cable without a vehicle says nothing about one
		s.plug(ctx, n, true)
	}
	token := v201.IdToken{IdToken: m.Token, Type: kind}
	if m.Contract != nil {
		s.step(ctx, role.ContractShown{EVSE: n, Token: token, Contract: contractOf(m.Contract)})
		return
	}
	s.step(ctx, role.Presented{EVSE: n, Token: token})
}

// contractOf is a contract in the words of OCPP.
func contractOf(c *msg.Contract) role.Contract {
	out := role.Contract{Rooted: c.Rooted}
	for _, h := range c.Hash {
		out.Hash = append(out.Hash, v201.OCSPRequestData{HashAlgorithm: v201.HashAlgorithmEnum(h.Algorithm), IssuerNameHash: h.IssuerNameHash,
			IssuerKeyHash: h.IssuerKeyHash, SerialNumber: h.SerialNumber, ResponderURL: h.ResponderURL})
	}
	var chain []byte
	for _, der := range c.Chain {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	out.PEM = string(chain)
	return out
}

// plug tells the machine whether a vehicle is there.
func (s *Station) plug(ctx actor.Context, n int, in bool) {
	e := s.evses[n-1]
	if e.seen && e.report.Plugged == in {
		return
	}
	e.seen, e.report.Plugged = true, in
	s.wipe(ctx, n, in)
	if in {
		s.step(ctx, role.Plugged{EVSE: n})
		return
	}
	e.flow, e.next, e.ended = "", "", false
	delete(s.waiting, n)
	s.step(ctx, role.Unplugged{EVSE: n})
}

// reported turns an EVSE's report into events of the machine, in the order in which they happened.
func (s *Station) reported(ctx actor.Context, n int, r msg.EVSEReport) {
	e := s.evses[n-1]
	was := e.report
	if !r.Stale {
		s.step(ctx, reading(n, r.Meter, r.SoC))
	}
	if r.Fault != was.Fault {
		s.step(ctx, role.Fault{EVSE: n, Code: r.Fault})
	}
	if r.Cable != was.Cable {
		s.step(ctx, role.Cable{EVSE: n, In: r.Cable})
	}
	if r.LockFailed != was.LockFailed {
		s.step(ctx, role.LockFailed{EVSE: n, On: r.LockFailed})
	}
	s.plug(ctx, n, r.Plugged)
	if token, ok := s.role.Permitted(n); ok && r.Plugged && !r.Auth && r.Seq < was.Seq { // the EVSE began anew and has forgotten
		ctx.Send(s.env.At(msg.EVSEName(r.EVSE)), msg.Authorized{EVSE: r.EVSE, Accepted: true, Token: token.IdToken, Remote: true})
	}
	if r.Seq < was.Seq {
		s.draw(ctx, n)
	}
	e.report = r
	if !r.Plugged {
		return
	}
	if r.Done && r.Protocol != msg.ProtocolPilot && !e.ended {
		e.ended = true
		s.step(ctx, role.StoppedByEV{EVSE: n})
	}
	s.flow(ctx, n, r)
}

func reading(n int, m hal.MeterReading, soc si.Percent) role.Reading {
	return role.Reading{EVSE: n, Energy: m.Import, Export: m.Export, Power: m.Power, Amps: m.Current, Volts: m.Voltage, SoC: float64(soc)}
}

// signed is the answer of a meter that was asked to sign.
func signed(n int, m msg.MeterSigned, soc si.Percent) role.ReadingSigned {
	out := role.ReadingSigned{Token: m.Token, Reading: reading(n, m.Reading, soc), At: m.Reading.At}
	if r := m.Reading.Signed; r != nil {
		out.Record = role.SignedRecord{Data: r.Data, Encoding: r.Encoding, Method: r.Method, PublicKey: r.PublicKey}
	}
	return out
}

// settle is how long a state of the energy transfer must last to be reported, except the start of charging.
const settle = 2 * time.Second

// flow works out what the energy transfer does.
func (s *Station) flow(ctx actor.Context, n int, r msg.EVSEReport) {
	e := s.evses[n-1]
	state := v201.ChargingStateEVConnected
	switch {
	case r.Charging && (r.Meter.Power > 100 || r.Meter.Power < -100):
		state = v201.ChargingStateCharging
	case r.Auth && !r.Stopped && (r.Limit <= 0 && r.LimitW <= 0):
		state = v201.ChargingStateSuspendedEVSE
	case r.Charging:
		state = v201.ChargingStateSuspendedEV
	case e.flow == v201.ChargingStateCharging || e.flow == v201.ChargingStateSuspendedEV:
		state = v201.ChargingStateSuspendedEV // it has drawn energy and does not now
	}
	if state == e.flow {
		e.next = ""
		return
	}
	if state != e.next {
		e.next, e.since = state, time.Now()
	}
	if state != v201.ChargingStateCharging && e.flow != "" && time.Since(e.since) < settle {
		s.timers.Set("flow", settle)
		return
	}
	e.flow, e.next = state, ""
	s.step(ctx, role.Flow{EVSE: n, State: state, Phases: r.Phases})
}

// flows looks again at the states that had to last.
func (s *Station) flows(ctx actor.Context) {
	for i, e := range s.evses {
		if e.next != "" && e.report.Plugged {
			s.flow(ctx, i+1, e.report)
		}
	}
}
