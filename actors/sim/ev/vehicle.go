package ev

import (
	"context"
	"net"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/network"
	"github.com/voltyard/voltyard/actors/kit/v2gconn"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/hal/sim"
	"github.com/voltyard/voltyard/protocols/iec61851"
	"github.com/voltyard/voltyard/protocols/iso15118/evcc"
	evccdin "github.com/voltyard/voltyard/protocols/iso15118/evcc/din"
	evcc2 "github.com/voltyard/voltyard/protocols/iso15118/evcc/v2"
)

// Place is where a vehicle plugs in.
type Place struct {
	EVSE      string
	Outlet    *sim.Outlet
	DC        bool
	ISO15118  bool // the EVSE has a communication port
	Interface string
	SDPPort   int
	Reader    bool // a card has to be shown
}

// Model is a vehicle.
type Model struct {
	Name     string
	ISO15118 bool
	DIN      bool    // DC: it speaks DIN 70121 and not ISO 15118-2
	Phases   int     // AC, 1 or 3
	MaxAmps  si.Amps // AC, per phase
	Battery  sim.Battery
	Volts    si.Volts // of the grid, phase to neutral
}

// Visit is one stay of a vehicle.
type Visit struct {
	ID     string
	Model  Model
	Place  Place
	Energy si.WattHours  // wanted; it leaves when it has it, unless Stay says longer
	Stay   time.Duration // wall time after which it leaves in any case; 0: when it is full
	Card   string
}

// Result is how a visit ended.
type Result struct {
	Visit    Visit
	OK       bool
	Why      string
	Protocol msg.Protocol
	Energy   si.WattHours // charged
}

// timing is lenient where a simulation that shares its processor with what it tests must be: the standard's 250 ms for a
// CurrentDemand response are measured by a benchmark instead.
var timing = evcc.Timing{CurrentDemand: 2 * time.Second, Message: 5 * time.Second, Long: 10 * time.Second, CableCheck: 60 * time.Second, PreCharge: 20 * time.Second}

const (
	tick       = 100 * time.Millisecond
	reaction   = 300 * time.Millisecond // of driver and electronics
	sdpRetry   = 250 * time.Millisecond // [V2G2-159]
	sdpTries   = 50                     // [V2G2-161]
	maxTries   = 3                      // of a whole session
	tryAgain   = 2 * time.Second
	cardDelay  = 700 * time.Millisecond
	leaveGrace = 10 * time.Second // to end a session in good order when the driver wants to leave
)

// vehicle is the actor of one visit.
type vehicle struct {
	env    *kit.Env
	net    network.Network
	visit  Visit
	number int
	report func(actor.Context, Result)
	log    zerolog.Logger

	cable    sim.Cable
	battery  sim.Battery
	timers   *kit.Timers
	credit   kit.Credit
	ctx      context.Context
	cancel   context.CancelFunc
	conn     net.Conn
	gen      int // of the connection
	machine  evcc.Machine
	effects  []evcc.Effect
	told     evcc.Vehicle
	draw     evcc.Draw
	relays   bool
	offer    sim.Offer
	base     si.WattHours // of the cable's register
	charged  si.WattHours
	tries    int
	leaving  bool
	left     bool
	outcome  Result
	dialling bool
}

// Messages of the vehicle itself.
type (
	offered   struct{ offer sim.Offer }
	connected struct {
		gen  int
		conn net.Conn
		err  error
	}
	received struct {
		gen     int
		payload uint16
		exi     []byte
	}
	gone struct {
		gen int
		err error
	}
	// Leave asks a vehicle to end its charging and go.
	Leave struct{}
)

// Receive handles one message.
func (v *vehicle) Receive(ctx actor.Context) {
	now := time.Now()
	switch m := ctx.Message().(type) {
	case *actor.Started:
		v.arrive(ctx)
	case *actor.Stopping:
		v.timers.StopAll()
		v.cancel()
		v.hangUp()
		v.cable.Unplug()
	case offered:
		v.offer = m.offer
		v.follow(ctx)
	case Leave:
		v.leave()
	case kit.Fired:
		if v.timers.Due(m) {
			v.fired(ctx, now, m.Key)
		}
	case connected:
		v.connected(ctx, now, m)
	case received:
		v.credit.Give()
		if m.gen == v.gen {
			v.step(ctx, now, evcc.Received{Payload: m.payload, EXI: m.exi})
		}
	case gone:
		if m.gen == v.gen {
			v.step(ctx, now, evcc.Gone{})
		}
	}
}

func (v *vehicle) arrive(ctx actor.Context) {
	v.timers = kit.NewTimers(ctx)
	v.ctx, v.cancel = context.WithCancel(context.Background())
	v.credit = kit.NewCredit(4)
	v.battery = v.visit.Model.Battery
	v.cable = v.visit.Place.Outlet.Cable()
	v.outcome = Result{Visit: v.visit, Protocol: msg.ProtocolPilot}
	root, self := ctx.ActorSystem().Root, ctx.Self()
	v.base, _ = v.cable.Energy()
	if !v.cable.Plug(func(o sim.Offer) { root.Send(self, offered{o}) }) {
		v.end(ctx, false, "another vehicle is plugged in")
		return
	}
	v.offer = v.cable.Offer()
	v.timers.Set("tick", tick)
	if v.visit.Stay > 0 {
		v.timers.Set("leave", v.visit.Stay)
	}
	if v.visit.Place.Reader && v.visit.Card != "" {
		v.timers.Set("card", cardDelay)
	}
	v.timers.Set("begin", reaction)
}

func (v *vehicle) fired(ctx actor.Context, now time.Time, key string) {
	switch key {
	case "tick":
		v.timers.Set("tick", tick)
		v.charge()
		v.follow(ctx)
		if v.machine != nil {
			v.tell(ctx, now)
		}
	case "begin":
		if v.iso() {
			v.discover(ctx)
		}
	case "card":
		v.env.Send(msg.EVSEName(v.visit.Place.EVSE), msg.Token{EVSE: v.visit.Place.EVSE, ID: v.visit.Card, Kind: "ISO14443"})
	case "leave":
		v.leave()
	case "gone":
		v.end(ctx, v.outcome.OK, v.outcome.Why)
	case "grace":
		if v.machine == nil || v.conn == nil {
			v.end(ctx, true, "")
			return
		}
		v.end(ctx, false, "the session did not end in good order")
	case "deadline":
		v.step(ctx, now, evcc.Deadline{})
	}
}

// iso reports whether this visit speaks ISO 15118.
func (v *vehicle) iso() bool { return v.visit.Model.ISO15118 && v.visit.Place.ISO15118 }

// din reports whether this visit speaks DIN 70121.
func (v *vehicle) din() bool { return v.visit.Model.DIN && v.visit.Place.DC }

func (v *vehicle) leave() {
	if v.leaving {
		return
	}
	v.leaving = true
	v.timers.Set("grace", leaveGrace)
}

// done reports whether the vehicle wants nothing more.
func (v *vehicle) done() bool {
	return v.leaving || v.charged >= v.visit.Energy || v.battery.SoC() >= 99.9
}

// charge adds what has flowed to the battery.
func (v *vehicle) charge() {
	in, back := v.cable.Energy()
	total := in - v.base - back
	v.battery.Add(total - v.charged)
	v.charged = total
}

// accepts is what the on-board charger or the battery takes now: AC per phase, DC total.
func (v *vehicle) accepts() si.Amps {
	if v.done() {
		return 0
	}
	m := &v.visit.Model
	if v.visit.Place.DC {
		return v.battery.Accepts().At(v.battery.Volts())
	}
	return min(m.MaxAmps, (v.battery.Accepts() / si.Watts(m.Phases)).At(m.Volts))
}

// follow draws what is allowed.
func (v *vehicle) follow(ctx actor.Context) {
	if v.left {
		return
	}
	if !v.iso() {
		v.followPilot(ctx)
		return
	}
	if v.visit.Place.DC {
		volts := si.Volts(0)
		if v.relays {
			volts = v.battery.Volts()
		}
		v.cable.Battery(volts, v.accepts())
		return
	}
	v.drawAC(min(v.draw.Amps, v.accepts()))
}

// followPilot is charging by duty cycle alone.
func (v *vehicle) followPilot(ctx actor.Context) {
	o := iec61851.Read(v.offer.Duty)
	if v.offer.Drive != hal.DrivePWM {
		o = iec61851.Offer{}
	}
	a := min(o.Current, v.accepts())
	if a < iec61851.MinCurrent && v.accepts() >= iec61851.MinCurrent {
		a = 0
	}
	if v.done() {
		if !v.timers.Running("gone") {
			v.drawAC(0)
			v.cable.Pilot(hal.PilotB)
			v.outcome.OK = v.charged > 0 || v.leaving
			v.timers.Set("gone", reaction)
		}
		return
	}
	if o.Current > 0 {
		v.cable.Pilot(hal.PilotC)
	} else {
		v.drawAC(0)
		v.cable.Pilot(hal.PilotB)
		return
	}
	v.drawAC(a)
}

func (v *vehicle) drawAC(a si.Amps) {
	p := si.Phases{a, 0, 0}
	if v.visit.Model.Phases == 3 {
		p = si.Same(a)
	}
	v.cable.Draw(p)
}

// discover finds the SECC and connects to it, in a goroutine of its own.
func (v *vehicle) discover(ctx actor.Context) {
	v.gen++
	v.tries++
	v.dialling = true
	root, self, gen, n, place, done := ctx.ActorSystem().Root, ctx.Self(), v.gen, v.net, v.visit.Place, v.ctx
	go func() {
		conn, err := find(done, n, place, nil)
		root.Send(self, connected{gen, conn, err})
	}()
}

func (v *vehicle) connected(ctx actor.Context, now time.Time, m connected) {
	v.dialling = false
	if m.gen != v.gen || v.left {
		if m.conn != nil {
			_ = m.conn.Close()
		}
		return
	}
	if m.err != nil {
		v.retry(ctx, m.err.Error())
		return
	}
	v.conn = m.conn
	cfg := evcc.Config{EVCCID: [6]byte{0x02, 0x56, 0x59, byte(v.number >> 16), byte(v.number >> 8), byte(v.number)},
		DC: v.visit.Place.DC, Phases: v.visit.Model.Phases, Timing: timing}
	v.machine = evcc2.New(cfg)
	if v.din() {
		v.machine = evccdin.New(cfg)
	}
	root, self, done, credit, gen, conn := ctx.ActorSystem().Root, ctx.Self(), v.ctx, v.credit, v.gen, v.conn
	go func() {
		for credit.Take(done) {
			payload, exi, err := v2gconn.Read(conn)
			if err != nil {
				credit.Give()
				root.Send(self, gone{gen, err})
				return
			}
			root.Send(self, received{gen, payload, exi})
		}
	}()
	v.told = evcc.Vehicle{}
	v.tell(ctx, now)
	v.step(ctx, now, evcc.Connected{})
}

// tell gives the machine what the vehicle measures and wants.
func (v *vehicle) tell(ctx actor.Context, now time.Time) {
	volts, amps := v.cable.DC()
	t := evcc.Vehicle{Powered: v.offer.Closed, Volts: volts, Amps: amps, Battery: v.battery.Volts(), SoC: v.battery.SoC(),
		Capacity: v.battery.Capacity, Energy: max(0, v.visit.Energy-v.charged), MaxAmps: v.accepts(), MinAmps: iec61851.MinCurrent,
		MaxWatts: v.battery.Accepts(), MaxVolts: v.battery.Nominal * 1.15, Depart: v.visit.Stay, Done: v.done()}
	if !v.visit.Place.DC {
		t.MaxVolts = v.visit.Model.Volts
		if t.MaxAmps == 0 {
			t.MaxAmps = v.visit.Model.MaxAmps // what it can do, not what it wants
		}
	}
	if t != v.told {
		v.told = t
		v.step(ctx, now, t)
	}
}

func (v *vehicle) step(ctx actor.Context, now time.Time, ev evcc.Event) {
	if v.machine == nil {
		return
	}
	v.effects = v.machine.Step(now, ev, v.effects[:0])
	for _, e := range v.effects {
		switch e := e.(type) {
		case evcc.Send:
			if err := v2gconn.Write(v.conn, e.Payload, e.EXI); err != nil {
				_ = v.conn.Close() // the reader reports it
			}
		case evcc.SetDeadline:
			v.timers.SetAt("deadline", e.At)
		case evcc.Pilot:
			p := hal.PilotB
			if e.Ready {
				p = hal.PilotC
			}
			v.cable.Pilot(p)
		case evcc.Relays:
			v.relays = e.Close
			v.follow(ctx)
		case evcc.Draw:
			v.draw = e
			v.follow(ctx)
		case evcc.End:
			v.sessionEnded(ctx, e)
			return
		}
	}
}

func (v *vehicle) sessionEnded(ctx actor.Context, e evcc.End) {
	v.hangUp()
	switch {
	case v.din():
		v.outcome.Protocol = msg.ProtocolDIN
	case v.visit.Place.DC:
		v.outcome.Protocol = msg.ProtocolV2DC
	default:
		v.outcome.Protocol = msg.ProtocolV2AC
	}
	switch {
	case e.OK && v.done():
		v.outcome.OK = true
		v.timers.Set("gone", reaction)
	case e.OK:
		v.outcome.OK, v.outcome.Why = true, "the EVSE ended the charging"
		v.timers.Set("gone", reaction)
	default:
		v.retry(ctx, e.Why)
	}
}

// retry begins a new session after a failed one, or gives up. A driver who leaves meanwhile counts as served when nothing
// had begun.
func (v *vehicle) retry(_ actor.Context, why string) {
	switch {
	case v.leaving:
		v.outcome.OK, v.outcome.Why = v.charged == 0, why
		v.timers.Set("gone", reaction)
	case v.tries >= maxTries:
		v.outcome.Why = why
		v.timers.Set("gone", reaction)
	default:
		v.log.Warn().Str("why", why).Int("try", v.tries).Msg("session failed; the vehicle tries again")
		v.timers.Set("begin", tryAgain)
	}
}

func (v *vehicle) hangUp() {
	if v.conn != nil {
		_ = v.conn.Close()
		v.conn = nil
	}
	v.machine = nil
	v.gen++
	if v.timers != nil {
		v.timers.Stop("deadline")
	}
}

// end unplugs and reports, once.
func (v *vehicle) end(ctx actor.Context, ok bool, why string) {
	if v.left {
		return
	}
	v.left = true
	v.charge()
	v.hangUp()
	v.timers.StopAll()
	v.cable.Unplug()
	v.outcome.OK, v.outcome.Why, v.outcome.Energy = ok, why, v.charged
	v.report(ctx, v.outcome)
	ctx.Stop(ctx.Self())
}
