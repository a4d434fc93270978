package balancer

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/allocate"
	"github.com/voltyard/voltyard/site/flex"
	"github.com/voltyard/voltyard/site/frequency"
	"github.com/voltyard/voltyard/site/lease"
	"github.com/voltyard/voltyard/site/limits"
	"github.com/voltyard/voltyard/site/limits/guard"
	"github.com/voltyard/voltyard/site/plan"
	"github.com/voltyard/voltyard/site/topology"
)

// Times of the balancer.
const (
	atLeast      = time.Second            // between two decisions
	gather       = 20 * time.Millisecond  // changes that come together are decided together
	silentEVSE   = 5 * time.Second        // an own EVSE that says nothing for so long cannot be reached
	staleDraw    = 3 * time.Second        // an own EVSE's measurement older than this does not count
	staleStation = 90 * time.Second       // the same for third-party stations, which send at their interval
	patience     = 10 * time.Second       // a grant without acknowledgement for so long: others make room
	introduction = 500 * time.Millisecond // for EVSEs to say what they hold when the balancer begins
	serveEvery   = 200 * time.Millisecond // between two decisions while the site serves the grid
	auditBucket  = "audit"
)

// Config is the site as the balancer sees it.
type Config struct {
	Site     string
	Tree     *topology.Tree
	Names    map[string]string // own EVSE -> OCPP identity of its station, for display
	Sources  []limits.Source
	Meters   map[string]time.Duration // node with a meter -> age at which its reading is stale
	Allocate allocate.Options
	Lease    lease.Options
	Unlisted string // prefix of the places for third-party stations that are not listed

	Guards   []guard.Config    // sources of limits with a state of their own
	Kinds    map[string]string // node -> pv or battery
	PlanOff  bool
	Tariff   *plan.Tariff
	Reserve  si.Percent       // of a vehicle's battery, for its driver
	Response *frequency.Curve // to the grid's frequency; nil: none
	Ramp     si.Watts         // per second, of services for the grid; 0 means a tenth of the range
	DeadBand si.Watts
	Random   func() float64   // in [0, 1), for delays; nil: real randomness
	Clock    func() time.Time // nil means time.Now; tests set the wall clock through it
}

// Balancer is the actor.
type Balancer struct {
	env  *kit.Env
	cfg  Config
	view *kit.Cell[msg.SiteView]
	log  zerolog.Logger

	timers    *kit.Timers
	tree      *topology.Tree
	book      *limits.Book
	ledger    *lease.Ledger
	evses     map[string]*evse
	station   map[string]*station
	places    map[string]string // third-party station that is not listed -> its place
	meters    map[string]*meter
	since     map[limitKey]time.Time
	asked     []*request // limits whose effect is awaited
	result    allocate.Result
	seq       uint32
	token     uint64          // of the introduction
	silentYet map[string]bool // own EVSEs that have not answered it
	metrics   *metrics

	guards    []*guarded
	badInputs map[string]string
	failed    map[string]bool // sources whose failsafe is in force, as stored
	restored  bool            // what was in force before is taken back
	quarters  map[string]*quarter
	service   service
	plan      plan.Schedule
	planAt    time.Time // when the next plan is asked for
	advices   map[string]*plan.Advice
	flex      *flex.Offer
	aheadAt   time.Time

	nextEstimate int
}

// evse is what is known about an own EVSE.
type evse struct {
	report   msg.EVSEReport
	heard    time.Time
	memory   allocate.Memory
	caps     map[string]msg.Cap // by source
	lost     bool
	granted  lease.Grant
	explain  string
	reported bool
	moved    time.Time // when its draw, or what it may draw, last changed

	needs     needs
	waits     time.Time       // until when the plan has it wait; zero: it does not
	planCap   si.Amps         // to which the plan holds it down; 0: it does not
	scheduled []msg.PlanEntry // that its vehicle was told; nil: none
	binding   allocate.Binding
	acceptsBy string  // who lets it draw no more than it accepts
	discharge si.Amps // asked of it in the last decision
	steps     []msg.StepView
	estimates []plan.Estimate
}

// station is what is known about a third-party station.
type station struct {
	report  msg.StationReport
	heard   time.Time
	memory  allocate.Memory
	granted lease.Grant
	explain string
	seen    bool
}

// New returns the producer of the actor. view is where it publishes the picture of the site.
func New(env *kit.Env, cfg Config, view *kit.Cell[msg.SiteView]) func() actor.Actor {
	m := newMetrics(env)
	return func() actor.Actor {
		return &Balancer{env: env, cfg: cfg, view: view, tree: cfg.Tree, metrics: m, log: env.Log.With().Str("actor", "balancer").Logger(),
			evses: map[string]*evse{}, station: map[string]*station{}, places: map[string]string{}, meters: map[string]*meter{},
			since: map[limitKey]time.Time{}, silentYet: map[string]bool{}, badInputs: map[string]string{}, quarters: map[string]*quarter{},
			advices: map[string]*plan.Advice{}}
	}
}

// Receive handles one message.
func (b *Balancer) Receive(ctx actor.Context) {
	now := b.clock()
	switch m := ctx.Message().(type) {
	case *actor.Started:
		b.begin(ctx, now)
	case kit.Fired:
		switch {
		case !b.timers.Due(m):
		case m.Key == "plan":
			b.askForPlan(ctx, now)
		default:
			b.decide(ctx, now)
		}
	case msg.EVSEReport:
		b.heardEVSE(now, m)
		b.introduced(ctx, now, m)
		b.soon()
	case msg.EVSEOpened:
		b.ledger.Opened(m.EVSE)
		b.soon()
	case msg.GrantAck:
		id := b.place(m.EVSE)
		if m.Refused {
			b.ledger.Reject(id, m.Seq)
		} else {
			b.ledger.Ack(id, m.Seq)
		}
		b.soon()
	case msg.Cap:
		b.cap(m)
		b.soon()
	case msg.StationReport:
		if b.heardStation(now, m) {
			b.soon()
		}
	case msg.StationHeld:
		b.ledger.Restore(b.place(m.Station), m.Hold)
	case msg.StationLate:
		b.ledger.Prolong(b.place(m.Station), now, m.Until)
	case msg.Retune:
		b.retune(ctx, now, m.Tree)
	case msg.NodeReading:
		b.measured(now, m)
		b.tryBegin(ctx, now)
		b.soon()
	case msg.ApplyLimit:
		b.apply(ctx, now, m)
	case msg.ReleaseLimit:
		b.release(ctx, now, m)
	case msg.Loaded:
		b.restore(ctx, now, m)
	case msg.Planned:
		b.planned(ctx, now, m)
		b.soon()
	case msg.InputReading:
		b.input(now, m)
		b.tryBegin(ctx, now)
	case msg.SourceAlive:
		b.alive(now, m.Source)
		b.soon()
	case msg.SetFailsafe:
		b.setFailsafe(ctx, now, m)
	case msg.EVSECommand:
		b.command(ctx, now, m)
	case msg.Setpoint:
		b.setpoint(ctx, now, m)
	case msg.GridFrequency:
		b.frequencyIs(now, m)
		b.soon()
	case *actor.Stopping:
		b.timers.StopAll()
	}
}

func (b *Balancer) clock() time.Time {
	if b.cfg.Clock != nil {
		return b.cfg.Clock()
	}
	return time.Now()
}

func (b *Balancer) begin(ctx actor.Context, now time.Time) {
	b.timers = kit.NewTimers(ctx)
	known := func(node string) bool { _, ok := b.tree.FindNode(node); return ok }
	book, err := limits.NewBook(now, b.tree.Node(b.tree.Root()).ID, known, b.cfg.Sources...)
	if err != nil {
		panic(err) // the configuration was checked before
	}
	b.book = book
	b.beginGuards(now)
	o := b.cfg.Lease
	o.FirstSeq = uint64(now.Sub(b.env.Born)) // higher than that of any balancer before in this process
	b.ledger = lease.New(b.tree, now, o)
	for node := range b.cfg.Meters {
		b.meters[node] = &meter{}
	}
	for i := range b.tree.EVSEs() {
		if e := b.tree.EVSE(i); e.Station == nil {
			b.evses[e.ID] = &evse{caps: map[string]msg.Cap{}, heard: now, report: msg.EVSEReport{EVSE: e.ID, SoC: -1}}
		} else {
			b.station[e.ID] = &station{}
			b.ledger.Lost(e.ID) // until it has reported
		}
	}
	// What EVSEs and stations hold from a balancer before this one is asked first. Until they have answered nothing is
	// decided; who does not answer in time counts as holding its maximum.
	b.token = o.FirstSeq
	for id := range b.evses {
		b.silentYet[id] = true
		ctx.Send(b.env.At(msg.EVSEName(id)), msg.Introduce{Token: b.token})
	}
	ctx.Send(b.env.At(msg.Controller), msg.Introduce{Token: b.token})
	ctx.Send(b.env.At(msg.Recorder), msg.Load{Bucket: limitsBucket, Reply: ctx.Self()})
	b.publish(now)
	b.timers.Set("begin", introduction)
	if !b.cfg.PlanOff {
		b.planAt = now.Add(planSoon)
		b.timers.Set("plan", planSoon)
	}
}

// introduced takes in what an EVSE holds, and ends the waiting with the last of them.
func (b *Balancer) introduced(ctx actor.Context, now time.Time, r msg.EVSEReport) {
	if r.Introduced != b.token || !b.silentYet[r.EVSE] {
		return
	}
	delete(b.silentYet, r.EVSE)
	b.ledger.Restore(r.EVSE, lease.Hold{Import: r.Grant.Import, Export: r.Grant.Export, Until: r.Grant.Until})
	b.tryBegin(ctx, now)
}

// tryBegin makes the first decision as soon as all have been heard: EVSEs, meters, inputs, and the database.
func (b *Balancer) tryBegin(ctx actor.Context, now time.Time) {
	if !b.timers.Running("begin") || len(b.silentYet) > 0 || !b.restored {
		return
	}
	for _, m := range b.meters {
		if !m.ok {
			return
		}
	}
	for _, g := range b.guards {
		if g.Deaf(now) {
			return
		}
	}
	b.timers.Stop("begin")
	b.decide(ctx, now)
}

// retune takes over new figures of the tree. What EVSEs and stations hold stays reserved.
func (b *Balancer) retune(ctx actor.Context, now time.Time, tree *topology.Tree) {
	o := b.cfg.Lease
	o.FirstSeq = uint64(now.Sub(b.env.Born))
	next := lease.New(tree, now, o)
	next.Adopt(b.ledger)
	b.tree, b.ledger = tree, next
	b.audit(ctx, now, "site file taken over", "", "", limits.Values{})
	b.decide(ctx, now)
}

// soon has changes that come together decided together.
func (b *Balancer) soon() {
	if !b.timers.Running("begin") && !b.timers.Running("soon") {
		b.timers.Set("soon", gather)
	}
}

func (b *Balancer) heardEVSE(now time.Time, r msg.EVSEReport) {
	e := b.evses[r.EVSE]
	if e == nil {
		return
	}
	if !r.Since.Equal(e.report.Since) || r.Plugged != e.report.Plugged {
		e.forget()
		b.replan()
	}
	if r.Wanted != e.report.Wanted || r.Departure.IsZero() != e.report.Departure.IsZero() || r.Wants != e.report.Wants {
		b.replan()
	}
	d := r.Draw.Sub(e.report.Draw)
	if max(d.Highest(), -d.Lowest()) > 0.5 || r.GrantSeq != e.report.GrantSeq && r.Limit != e.report.Limit {
		e.moved = now
	}
	e.report, e.heard, e.reported = r, now, true
	if e.lost {
		e.lost = false
		b.ledger.Found(r.EVSE)
		b.log.Info().Str("evse", r.EVSE).Msg("EVSE is heard again")
		b.tell(now, "evse", r.EVSE, r.EVSE+" is heard again")
	}
}

func (b *Balancer) cap(c msg.Cap) {
	if e := b.evses[c.EVSE]; e != nil {
		if c.Current == nil && c.Power == nil {
			delete(e.caps, c.Source)
		} else {
			e.caps[c.Source] = c
		}
	}
}

// place is the topology's id of a third-party station: its own, or the place it was given.
func (b *Balancer) place(id string) string {
	if p := b.places[id]; p != "" {
		return p
	}
	return id
}

// decide is the one place where the site's capacity is divided.
func (b *Balancer) decide(ctx actor.Context, now time.Time) {
	if b.timers.Running("begin") {
		return // not before it is known what holds: see tryBegin
	}
	start := time.Now()
	b.timers.Stop("soon")
	ask := b.askGuards(now)
	changed, expires := b.book.Expire(now)
	if changed {
		b.audit(ctx, now, "limits expired", "", "", limits.Values{})
		b.keepFailsafes(ctx)
	}
	b.silent(now)
	b.measureQuarters(now)
	b.result = allocate.Allocate(b.snapshot(now))
	targets, bounds := lease.FromResult(b.result)
	grants := b.ledger.Plan(now, targets, bounds)
	for _, g := range grants {
		b.send(ctx, g)
	}
	for i := range b.result.EVSEs {
		a := &b.result.EVSEs[i]
		if e := b.evses[a.ID]; e != nil {
			e.memory, e.explain, e.binding = a.Memory, b.why(b.tree.EVSE(i), e, a.Binding), a.Binding
		} else if s := b.station[a.ID]; s != nil {
			s.memory, s.explain = a.Memory, a.Binding.String()
			if s.report.Over {
				s.explain = "it draws more than it accepted, its maximum is kept free"
			}
			if most := s.report.Most; a.Binding.Kind == allocate.Own && most != nil {
				s.explain = fmt.Sprintf("the station itself: one stack level, no more than %.4g A", float64(*most))
				if s.report.Off != 0 {
					s.explain = fmt.Sprintf("the station itself: its clock is off by %v, no more than %.4g A", s.report.Off, float64(*most))
				}
			}
		}
	}
	b.reached(ctx, now, len(grants) > 0)
	if now.Sub(b.aheadAt) >= aheadEvery {
		b.lookAhead(now)
	}
	b.estimate(now)
	b.publish(now)
	next := now.Add(atLeast)
	if b.service.by != "" {
		next = now.Add(serveEvery)
	}
	for _, t := range []time.Time{b.ledger.Next(), expires, ask, b.nextStale(now)} {
		if !t.IsZero() && t.Before(next) {
			next = t
		}
	}
	b.timers.Set("next", max(next.Sub(now), gather))
	b.metrics.decide.Observe(time.Since(start).Seconds())
}

func (b *Balancer) send(ctx actor.Context, g lease.Grant) {
	b.metrics.grants.Inc()
	if e := b.evses[g.EVSE]; e != nil {
		e.granted = g
		ctx.Send(b.env.At(msg.EVSEName(g.EVSE)), msg.Grant{Grant: g})
		return
	}
	if s := b.station[g.EVSE]; s != nil {
		s.granted = g
		if s.report.Station != "" {
			g.EVSE = s.report.Station // the identity behind the place
		}
		hold, _ := b.ledger.Held(b.place(g.EVSE))
		ctx.Send(b.env.At(msg.Controller), msg.StationGrant{Grant: g, Hold: hold})
	}
}

// silent declares own EVSEs lost that say nothing.
func (b *Balancer) silent(now time.Time) {
	for id, e := range b.evses {
		if !e.lost && now.Sub(e.heard) > silentEVSE {
			e.lost = true
			b.ledger.Lost(id)
			b.tell(now, "evse", id, id+" says nothing; what it may still draw stays reserved")
			b.log.Error().Str("evse", id).Msg("EVSE says nothing; what it may still draw stays reserved")
		}
	}
}

// snapshot is everything allocate looks at.
func (b *Balancer) snapshot(now time.Time) allocate.Snapshot {
	s := allocate.Snapshot{Tree: b.tree, Now: now, Limits: b.book.Effective(), Options: b.cfg.Allocate}
	late := map[string]bool{}
	for _, id := range b.ledger.Late(now, patience) {
		late[id] = true
	}
	reserve := func(x *allocate.EVSE) {
		imports, _ := b.ledger.Reserved(x.ID, now)
		x.Reserved = &imports
	}
	for i := range b.tree.EVSEs() {
		t := b.tree.EVSE(i)
		x := allocate.EVSE{ID: t.ID}
		if e := b.evses[t.ID]; e != nil {
			x.Memory = e.memory
			r := &e.report
			x.Wants, x.Phases, x.Accepts, x.Priority = b.wants(e), r.Phases, b.accepts(t, e), e.needs.priority
			if e.reported && !r.Stale && now.Sub(e.heard) < staleDraw {
				x.Measured = &r.Draw
			}
			if e.lost || late[t.ID] {
				reserve(&x)
			}
			if w := e.askedPower(now); w != nil && *w < 0 {
				x.Discharge = min(b.canExport(t, e), b.amps(t, e, -*w))
			}
			b.follow(&x, t, e, now)
		} else {
			st := b.station[t.ID]
			x.Memory = st.memory
			r := &st.report
			x.Wants, x.Phases, x.Accepts = r.Wants, r.Phases, r.Most
			if r.Current != nil && now.Sub(r.At) < staleStation {
				x.Measured = r.Current
			}
			if !r.Connected || r.Over || late[t.ID] {
				reserve(&x)
			}
		}
		s.EVSEs = append(s.EVSEs, x)
	}
	s.Meters, s.Generators, s.Quarters = b.nodeMeters(now), b.generators(now), b.running(now)
	b.peak(&s)
	b.serve(&s, now)
	for i := range s.EVSEs {
		if e := b.evses[s.EVSEs[i].ID]; e != nil {
			e.discharge = s.EVSEs[i].Discharge
		}
	}
	return s
}

// accepts is the most that vehicle and operator let an own EVSE draw, per phase; nil when nobody says.
func (b *Balancer) accepts(t *topology.EVSE, e *evse) *si.Amps {
	var most *si.Amps
	by := "vehicle"
	lower := func(a si.Amps) {
		if a >= 0 && (most == nil || a < *most) {
			most, e.acceptsBy = &a, by
		}
	}
	perAmp := float64(b.perAmp(t))
	if t.Kind == topology.DC {
		if e.report.MaxPower > 0 {
			lower(si.Amps(float64(e.report.MaxPower) / perAmp / 3))
		}
	} else if e.report.Max > 0 {
		lower(e.report.Max)
	}
	if by = "set-point"; e.needs.setpoint != nil && b.clock().Before(e.needs.until) {
		w := e.needs.setpoint
		lower(max(0, b.amps(t, e, *w)))
	}
	for _, source := range slices.Sorted(maps.Keys(e.caps)) {
		c := e.caps[source]
		by = source
		if c.Current != nil {
			lower(*c.Current)
		}
		if c.Power != nil {
			lower(b.amps(t, e, *c.Power))
		}
	}
	return most
}

// amps is the current per phase in use that a power means at an EVSE.
func (b *Balancer) amps(t *topology.EVSE, e *evse, w si.Watts) si.Amps {
	phases := t.Phases
	if e.report.Phases == 1 {
		phases = 1
	}
	return si.Amps(float64(w) / float64(b.perAmp(t)) / float64(phases))
}

// tell lets those who listen know that something happened.
func (b *Balancer) tell(now time.Time, kind, id, text string) {
	b.env.Send(msg.Building, msg.Event{At: now.UTC(), Kind: kind, ID: id, Text: text})
}

func (b *Balancer) perAmp(t *topology.EVSE) si.Watts {
	i, _ := b.tree.FindEVSE(t.ID)
	return b.tree.PerAmp(i)
}
