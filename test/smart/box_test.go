package smart

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/ws"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/ocpp/profile"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	v16 "github.com/voltyard/voltyard/protocols/ocpp/v16"
	v201 "github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// kind is what sort of station a box is.
type kind struct {
	new21
	version  rpc.Version
	levels   int     // stack levels that it has
	tells    bool    // it says so when asked
	whole    bool    // it takes whole amperes, and rounds to the nearest
	deaf     bool    // it accepts every profile and follows none
	perTx    bool    // it honours no limit for the whole station, only those of transactions
	sloppy   bool    // of two profiles with the same purpose and level the later one holds, whatever the standard says
	max      si.Amps // of the whole station, per phase
	phases   int
	evses    int
	reading  time.Duration
	off      time.Duration // of its clock, ahead is positive
	syncs    bool          // it sets its clock by what it is told
	says     string        // what it measures: a measurand of OCPP
	grain    float64       // of its energy register, Wh
	triggers bool          // it says something when asked to
	keeps    bool          // it delivers old readings when it is back
}

// box is a third-party station that obeys its profile stack exactly, with vehicles that take up to five seconds to follow.
type box struct {
	id   string
	kind kind
	dial func(context.Context, string, string) (net.Conn, error)
	rng  *rand.Rand // of the actor

	mu      sync.Mutex
	store   profile.Store
	outlets []outlet
	before  []past
	off     time.Duration // of its clock, in the long run
	skew    time.Duration // at present
	more    more21
	counted time.Time // until when the registers are right
	ups     int       // profiles set
	diary   []string

	peer    *ws.Peer
	gen     int
	ids     int
	lose    int // answers that are still to be lost
	barred  time.Time
	gone    time.Time // when it was connected last
	started bool      // booted
	asked   map[string]func(payload []byte)
	timers  *kit.Timers
	root    *actor.RootContext
	self    *actor.PID
}

type outlet struct {
	plugged  bool
	since    time.Time
	draws    si.Amps
	tx       string           // 2.0.1: from the beginning; 1.6: once the CSMS gave it
	priority bool             // its PriorityCharging profile holds
	remote   int              // of the request that began it
	start    *profile.Profile // that came with the request
	began    time.Time
	seq      int
	wh       float64
	drew     si.Amps // lately
}

// past is a limit that vehicles may still be on their way down from.
type past struct {
	amps  []si.Amps // of each outlet
	until time.Time
}

type (
	plug      struct{ evse int }
	unplug    struct{ evse int }
	bar       struct{ d time.Duration } // out of reach
	lose      struct{ n int }
	skew      struct{ d time.Duration } // from its usual time
	ahead     struct{ d time.Duration } // from now on
	triggered struct{}
	reply     struct {
		peer *ws.Peer
		raw  []byte
	}
	linked struct {
		gen  int
		peer *ws.Peer
	}
)

func newBox(id string, k kind, seed uint64, dial func(context.Context, string, string) (net.Conn, error)) *box {
	b := &box{id: id, kind: k, dial: dial, more: more21{dynamic: map[int]bool{}, offline: map[int]time.Duration{}}, off: k.off, skew: k.off, rng: rand.New(rand.NewPCG(seed, 17)), outlets: make([]outlet, k.evses), asked: map[string]func([]byte){}}
	b.counted = time.Now()
	if k.before {
		b.more.priority.Restore(profile.Profile{ID: 77, Purpose: profile.TxDefault, Schedules: []profile.Schedule{{Start: time.Now().Add(-240 * time.Hour), Periods: []profile.Period{{Limit: float64(k.max)}}}}})
	}
	return b
}

func (b *box) rating() profile.Rating {
	return profile.Rating{Phases: b.kind.phases, Volts: 230, Max: b.kind.max}
}

// passes is what a station may draw that keeps to a limit, as far as its meter can tell.
func (k kind) passes(a si.Amps) si.Amps {
	switch k.says {
	case "Power.Active.Import":
		return (a + 1) * 1.1
	case "Energy.Active.Import.Register": // and time that is left to its clock, and the step of the register
		return (a+1)*1.2 + 3
	}
	return a + 1
}

// limits is what the profiles allow each outlet now.
func (b *box) limits(now time.Time) []si.Amps {
	t := now.Add(b.skew)
	all := make([]si.Amps, len(b.outlets))
	station, _ := b.holding().StationAt(b.rating(), t)
	station.Amps = min(station.Amps+b.generated(t), b.kind.max)
	if b.kind.perTx {
		station.Amps = b.kind.max
	}
	round := func(a si.Amps) si.Amps {
		if b.kind.whole {
			return si.Amps(math.Round(float64(a)))
		}
		return a
	}
	left := round(station.Amps)
	for i := range b.outlets {
		o := &b.outlets[i]
		a := round(b.allows(i+1, t))
		if b.kind.deaf && o.draws > b.kind.passes(min(a, left)) { // what matters is what it draws
			a, left = o.draws, b.kind.max
		}
		all[i] = min(a, left)
		if !b.kind.perTx {
			left -= all[i]
		}
	}
	return all
}

// own are the profiles of outlets.
func (b *box) own() *profile.Store {
	var s profile.Store
	for _, p := range b.holding().All() {
		if p.Purpose != profile.StationMax {
			s.Restore(p)
		}
	}
	return &s
}

// may is what the station may draw now, with any vehicle at any outlet: each of them may not have followed yet, and the
// station's own limit falls as late.
func (b *box) may(now time.Time) si.Phases {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.limits(now)
	whole := total(all)
	for _, p := range b.before {
		if now.Before(p.until) {
			whole = max(whole, total(p.amps))
			for i := range all {
				all[i] = max(all[i], p.amps[i])
			}
		}
	}
	sum := min(total(all), b.kind.max)
	if !b.kind.perTx {
		sum = min(sum, whole)
	}
	if b.kind.phases == 1 {
		return si.Phases{sum}
	}
	return si.Same(sum)
}

func total(all []si.Amps) (sum si.Amps) {
	for _, a := range all {
		sum += a
	}
	return sum
}

// changing remembers what may still be drawn for a while after a change.
func (b *box) changing(f func()) {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	was := b.limits(now)
	b.count()
	f()
	for i := range b.outlets {
		b.outlets[i].drew = b.draw(i)
	}
	keep := b.before[:0]
	for _, p := range b.before {
		if now.Before(p.until) {
			keep = append(keep, p)
		}
	}
	b.before = append(keep, past{was, now.Add(time.Duration(b.rng.Int64N(int64(5 * time.Second))))})
}

// wrote notes what happened, for a failed test.
func (b *box) wrote(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.diary = append(b.diary, time.Now().Format("15:04:05.00 ")+fmt.Sprintf(format, args...))
	b.diary = b.diary[max(0, len(b.diary)-12):]
}

// Receive handles one message.
func (b *box) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		b.timers, b.root, b.self = kit.NewTimers(ctx), ctx.ActorSystem().Root, ctx.Self()
		b.call("")
		b.connect()
		b.timers.Set("meter", b.kind.reading)
		b.timers.Set("beat", time.Minute)
	case *actor.Stopping:
		b.timers.StopAll()
		b.gen++
		if b.peer != nil {
			b.peer.Close(1001, "")
		}
	case linked:
		switch {
		case m.gen != b.gen:
			if m.peer != nil {
				m.peer.Attach(b.root, b.self)
				m.peer.Close(1001, "")
			}
		case m.peer == nil:
			b.timers.Set("connect", time.Second+time.Duration(b.rng.Int64N(int64(5*time.Second))))
		default:
			b.peer = m.peer
			b.changing(func() { b.more.gone = time.Time{} })
			b.peer.Attach(b.root, b.self)
			b.hello()
		}
	case ws.Frame:
		m.Peer.Handled()
		if m.Peer == b.peer {
			b.frame(m.Raw)
		}
	case ws.Closed:
		if m.Peer == b.peer {
			b.peer, b.gone = nil, time.Now()
			b.changing(func() { b.more.gone = b.gone })
			b.wrote("disconnected %d %s", m.Code, m.Text)
			clear(b.asked)
			b.timers.Set("connect", max(time.Until(b.barred), 0)+time.Duration(b.rng.Int64N(int64(5*time.Second))))
		}
	case reply:
		if m.peer == b.peer && b.peer != nil {
			b.peer.Send(m.raw)
			b.wrote("answered %.80s", m.raw)
		}
	case bar:
		b.barred = time.Now().Add(m.d)
		if b.peer != nil {
			b.peer.Close(1001, "")
		}
	case lose:
		b.lose = m.n
	case triggered:
		switch {
		case b.peer == nil:
		case b.kind.version == rpc.V16:
			b.call("MeterValues", `{"connectorId":1,"meterValue":[{"timestamp":%q,"sampledValue":[{"value":"1","measurand":"Temperature"}]}]}`, b.stamp())
		default:
			b.status(1)
		}
	case skew:
		b.changing(func() { b.skew = b.off + m.d })
	case ahead:
		b.changing(func() {
			b.off += m.d
			b.skew = b.off
		})
	case press:
		if b.outlets[m.evse-1].tx != "" {
			b.prefer(m.evse, true)
		}
	case plug:
		b.plug(m.evse)
	case unplug:
		b.unplug(m.evse)
	case kit.Fired:
		if !b.timers.Due(m) {
			return
		}
		switch m.Key {
		case "connect":
			b.connect()
		case "beat":
			b.ask(b.told, "Heartbeat", `{}`)
			b.timers.Set("beat", time.Minute+time.Duration(b.rng.Int64N(int64(10*time.Minute))))
		case "meter":
			b.meter()
			b.timers.Set("meter", b.kind.reading)
		}
	}
}

func (b *box) connect() {
	b.gen++
	gen := b.gen
	go func() {
		p, err := ws.Dial(context.Background(), ws.Target{URL: "ws://site/ocpp", Identity: b.id, Subprotocols: []string{b.kind.version.Subprotocol()}, DialContext: b.dial})
		if err != nil {
			p = nil
		}
		b.root.Send(b.self, linked{gen, p})
	}()
}

// call sends a request; what is asked while nobody listens is lost, as nobody looks at it here.
func (b *box) call(action string, args ...any) {
	b.ask(nil, action, args...)
}

func (b *box) ask(then func([]byte), action string, args ...any) {
	if b.peer == nil || action == "" {
		return
	}
	b.ids++
	id := fmt.Sprintf("%s-%d", b.id, b.ids)
	b.asked[id] = then
	b.peer.Send(rpc.AppendCall(nil, id, action, fmt.Appendf(nil, args[0].(string), args[1:]...)))
}

// stamp is the time by the station's clock.
func (b *box) stamp() string { return b.stampOf(time.Now()) }

func (b *box) stampOf(t time.Time) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return t.Add(b.skew).UTC().Format("2006-01-02T15:04:05.000Z")
}

func (b *box) hello() {
	if b.kind.version == rpc.V16 {
		if !b.started {
			b.ask(b.told, "BootNotification", `{"chargePointVendor":"v","chargePointModel":"m"}`)
		}
	} else if !b.started {
		b.ask(b.told, "BootNotification", `{"reason":"PowerUp","chargingStation":{"vendorName":"v","model":"m"}}`)
	}
	b.started = true
	b.deliver()
	for i := range b.outlets {
		b.status(i + 1)
		if b.outlets[i].plugged && b.outlets[i].tx == "" {
			b.begin(i + 1)
		}
	}
}

// told sets the clock by what the station is told.
func (b *box) told(payload []byte) {
	var res struct{ CurrentTime time.Time }
	if b.kind.syncs && json.Unmarshal(payload, &res) == nil && !res.CurrentTime.IsZero() {
		b.changing(func() {
			b.off = time.Until(res.CurrentTime)
			b.skew = b.off
		})
		b.wrote("clock set, off by %v", b.off)
	}
}

// deliver sends what was kept while nobody was there.
func (b *box) deliver() {
	if !b.kind.keeps || b.gone.IsZero() {
		return
	}
	for i := range b.outlets {
		o := &b.outlets[i]
		if o.tx == "" {
			continue
		}
		for at := b.gone; at.Before(time.Now()); at = at.Add(3 * time.Minute) {
			old := b.stampOf(at)
			if b.kind.version == rpc.V16 {
				b.call("MeterValues", `{"connectorId":%d,"transactionId":%s,"meterValue":[{"timestamp":%q,"sampledValue":[{"value":"32.0","measurand":"Current.Import","unit":"A"}]}]}`, i+1, o.tx, old)
				continue
			}
			b.call("TransactionEvent", `{"eventType":"Updated","timestamp":%q,"triggerReason":"MeterValuePeriodic","seqNo":%d,"offline":true,"transactionInfo":{"transactionId":%q,"chargingState":"Charging"},"evse":{"id":%d,"connectorId":1},"meterValue":[{"timestamp":%q,"sampledValue":[{"value":32,"measurand":"Current.Import"}]}]}`,
				old, o.seq, o.tx, i+1, old)
			o.seq++
		}
	}
}

func (b *box) status(evse int) {
	o := &b.outlets[evse-1]
	if b.kind.version == rpc.V16 {
		s := "Available"
		if o.plugged {
			s = "Charging"
		}
		b.call("StatusNotification", `{"connectorId":%d,"errorCode":"NoError","status":%q}`, evse, s)
		return
	}
	s := "Available"
	if o.plugged {
		s = "Occupied"
	}
	b.call("StatusNotification", `{"timestamp":%q,"connectorStatus":%q,"evseId":%d,"connectorId":1}`, b.stamp(), s, evse)
}

func (b *box) plug(evse int) { b.plugFor(evse, 0, nil) }

// plugFor is plug at the request of the CSMS.
func (b *box) plugFor(evse, remote int, with *profile.Profile) {
	o := &b.outlets[evse-1]
	if o.plugged {
		return
	}
	b.changing(func() {
		*o = outlet{plugged: true, since: time.Now(), draws: si.Amps(6 + b.rng.IntN(27)), remote: remote, start: with}
		if b.kind.deaf {
			o.draws = b.kind.max
		}
	})
	b.begin(evse)
	b.status(evse)
}

func (b *box) begin(evse int) {
	o := &b.outlets[evse-1]
	if b.kind.version == rpc.V16 {
		since := o.since
		b.ask(func(payload []byte) {
			var res v16.StartTransactionResponse
			if o.plugged && o.since.Equal(since) && res.UnmarshalJSON(payload) == nil {
				b.changing(func() {
					o.tx, o.began = fmt.Sprint(res.TransactionId), time.Now()
					b.startWith(evse)
				})
			}
		}, "StartTransaction", `{"connectorId":%d,"idTag":"T","meterStart":0,"timestamp":%q}`, evse, b.stamp())
		return
	}
	b.changing(func() {
		o.tx, o.began = ws.NewID(), time.Now()
		b.startWith(evse)
	})
	b.event(evse, "Started", "CablePluggedIn", "Charging", "")
}

// startWith installs the profile with which a transaction was asked for (F01.FR.10).
func (b *box) startWith(evse int) {
	o := &b.outlets[evse-1]
	if p := o.start; p != nil {
		p.EVSE, p.TxID = evse, o.tx
		b.store.Set(*p, b.rules(), b.txOf)
		o.start = nil
	}
}

func (b *box) txOf(evse int) string { return b.outlets[evse-1].tx }

func (b *box) rules() profile.Rules {
	return profile.Rules{EVSEs: len(b.outlets), MaxStack: b.kind.levels - 1, PhaseSwitch: true, Replace16: b.kind.version == rpc.V16 || b.kind.sloppy}
}

// requested begins a transaction for the CSMS, or adds to one that has begun.
func (b *box) requested(payload []byte) string {
	var q struct {
		RemoteStartID, EvseID, ConnectorID int
		ChargingProfile                    json.RawMessage
	}
	if json.Unmarshal(payload, &q) != nil {
		return "!"
	}
	evse := max(q.EvseID, q.ConnectorID)
	if evse < 1 || evse > len(b.outlets) {
		return `{"status":"Rejected"}`
	}
	var p *profile.Profile
	if q.ChargingProfile != nil {
		if b.kind.version == rpc.V16 {
			var c v16.ChargingProfile
			if c.UnmarshalJSON(q.ChargingProfile) == nil {
				x := profile.From16(evse, &c)
				p = &x
			}
		} else {
			var c v201.ChargingProfile
			if c.UnmarshalJSON(q.ChargingProfile) == nil {
				x := profile.From201(evse, &c)
				p = &x
			}
		}
	}
	o := &b.outlets[evse-1]
	switch {
	case o.plugged && (b.kind.version == rpc.V16 || o.tx == ""):
		return `{"status":"Rejected"}`
	case o.plugged:
		b.changing(func() {
			o.start = p
			b.startWith(evse)
		})
		return fmt.Sprintf(`{"status":"Accepted","transactionId":%q}`, o.tx)
	}
	b.plugFor(evse, q.RemoteStartID, p)
	return `{"status":"Accepted"}`
}

func (b *box) event(evse int, kind, trigger, state, more string) {
	o := &b.outlets[evse-1]
	remote := ""
	if o.remote != 0 && o.seq == 0 {
		remote = fmt.Sprintf(`,"remoteStartId":%d`, o.remote)
	}
	b.call("TransactionEvent", `{"eventType":%q,"timestamp":%q,"triggerReason":%q,"seqNo":%d,"transactionInfo":{"transactionId":%q,"chargingState":%q%s},"evse":{"id":%d,"connectorId":1}%s}`,
		kind, b.stamp(), trigger, o.seq, o.tx, state, remote, evse, more)
	o.seq++
}

func (b *box) unplug(evse int) {
	o := &b.outlets[evse-1]
	if !o.plugged {
		return
	}
	switch {
	case o.tx == "":
	case b.kind.version == rpc.V16:
		b.call("StopTransaction", `{"transactionId":%s,"meterStop":0,"timestamp":%q}`, o.tx, b.stamp())
	default:
		b.event(evse, "Ended", "EVDeparted", "Idle", "")
	}
	b.changing(func() {
		*o = outlet{}
		b.store.EndTransaction(evse)
	})
	b.status(evse)
}

// draw is what an outlet's vehicle takes now.
func (b *box) draw(i int) si.Amps {
	o := &b.outlets[i]
	if !o.plugged {
		return 0
	}
	a := min(o.draws, b.limits(time.Now())[i])
	if a < 6 {
		return 0
	}
	return a
}

// count adds to the energy registers what was drawn since.
func (b *box) count() {
	now := time.Now()
	for i := range b.outlets {
		o := &b.outlets[i]
		a := b.draw(i)
		o.wh += float64(max(a, o.drew)) * 230 * float64(b.kind.phases) * now.Sub(b.counted).Hours()
		o.drew = a
	}
	b.counted = now
}

func (b *box) meter() {
	for i := range b.outlets {
		o := &b.outlets[i]
		if !o.plugged || o.tx == "" {
			continue
		}
		b.mu.Lock()
		b.count()
		value := float64(b.draw(i))
		switch b.kind.says {
		case "Power.Active.Import":
			value *= 230 * float64(b.kind.phases)
		case "Energy.Active.Import.Register":
			value = math.Floor(o.wh/b.kind.grain) * b.kind.grain
		}
		b.mu.Unlock()
		if b.kind.version == rpc.V16 {
			b.call("MeterValues", `{"connectorId":%d,"transactionId":%s,"meterValue":[{"timestamp":%q,"sampledValue":[{"value":"%.1f","measurand":%q}]}]}`,
				i+1, o.tx, b.stamp(), value, b.kind.says)
			continue
		}
		b.event(i+1, "Updated", "MeterValuePeriodic", "Charging",
			fmt.Sprintf(`,"meterValue":[{"timestamp":%q,"sampledValue":[{"value":%.1f,"measurand":%q}]}]`, b.stamp(), value, b.kind.says))
	}
}

// frame handles what comes from the controller: answers are late, and some never come.
func (b *box) frame(raw []byte) {
	f, err := rpc.Parse(raw)
	if err != nil {
		return
	}
	if f.Type != rpc.Call {
		then := b.asked[f.ID]
		delete(b.asked, f.ID)
		if then != nil && f.Type == rpc.CallResult {
			then(f.Payload)
		}
		return
	}
	answer := b.handle(f)
	b.wrote("%s: %s: %s", f.Action, f.Payload, answer)
	if answer == "" {
		answer = `{}`
	}
	if b.lose > 0 {
		b.lose--
		return
	}
	m := reply{b.peer, rpc.AppendResult(nil, f.ID, []byte(answer))}
	if answer == "!" {
		m.raw = rpc.AppendError(nil, b.kind.version, f.ID, rpc.NotImplemented, "")
	}
	d := time.Duration(b.rng.Int64N(int64(300 * time.Millisecond)))
	if b.rng.IntN(10) == 0 {
		d = time.Duration(b.rng.Int64N(int64(20 * time.Second)))
	}
	time.AfterFunc(d, func() { b.root.Send(b.self, m) })
}

func (b *box) handle(f rpc.Frame) string {
	switch f.Action {
	case "SetChargingProfile":
		return b.set(f.Payload)
	case "ClearChargingProfile":
		return b.clear(f.Payload)
	case "TriggerMessage":
		if !b.kind.triggers {
			return "!"
		}
		time.AfterFunc(time.Second, func() { b.root.Send(b.self, triggered{}) })
		return `{"status":"Accepted"}`
	case "RequestStartTransaction", "RemoteStartTransaction":
		return b.requested(f.Payload)
	case "GetVariables":
		if b.kind.version == rpc.V21 {
			return b.variables(f.Payload)
		}
		if b.kind.tells {
			return fmt.Sprintf(`{"getVariableResult":[{"attributeStatus":"Accepted","attributeValue":"%d","component":{"name":"SmartChargingCtrlr"},"variable":{"name":"ProfileStackLevel"}}]}`, b.kind.levels-1)
		}
		return "!"
	case "GetConfiguration":
		if b.kind.tells {
			return fmt.Sprintf(`{"configurationKey":[{"key":"ChargeProfileMaxStackLevel","readonly":true,"value":"%d"}]}`, b.kind.levels-1)
		}
		return `{"unknownKey":["ChargeProfileMaxStackLevel"]}`
	}
	if b.kind.version == rpc.V21 {
		return b.handle21(f)
	}
	return "!"
}

func (b *box) set(payload []byte) string {
	if b.kind.version == rpc.V21 {
		return b.set21(payload)
	}
	var p profile.Profile
	if b.kind.version == rpc.V16 {
		var q v16.SetChargingProfileRequest
		if q.UnmarshalJSON(payload) != nil {
			return "!"
		}
		p = profile.From16(q.ConnectorId, &q.CsChargingProfiles)
		if p.Purpose == profile.Tx && p.TxID == "" && q.ConnectorId >= 1 && q.ConnectorId <= len(b.outlets) {
			p.TxID = b.outlets[q.ConnectorId-1].tx
		}
	} else {
		var q v201.SetChargingProfileRequest
		if q.UnmarshalJSON(payload) != nil {
			return "!"
		}
		p = profile.From201(q.EvseId, &q.ChargingProfile)
	}
	if b.kind.perTx && p.Purpose == profile.StationMax {
		return `{"status":"Rejected"}`
	}
	var why profile.Reason
	b.changing(func() {
		_, why = b.store.Set(p, b.rules(), b.txOf)
		b.ups++
	})
	if why != profile.None {
		if b.kind.version == rpc.V16 {
			return `{"status":"Rejected"}`
		}
		return fmt.Sprintf(`{"status":"Rejected","statusInfo":{"reasonCode":%q}}`, why)
	}
	return `{"status":"Accepted"}`
}

func (b *box) clear(payload []byte) string {
	var c profile.Filter
	if b.kind.version == rpc.V16 {
		var q v16.ClearChargingProfileRequest
		if q.UnmarshalJSON(payload) != nil {
			return "!"
		}
		if q.Id != nil {
			c.IDs = []int{*q.Id}
		}
		c.EVSE, c.Stack = q.ConnectorId, q.StackLevel
		if purpose, ok := profile.PurposeOf16(q.ChargingProfilePurpose); ok {
			c.Purpose = &purpose
		}
	} else if b.kind.version == rpc.V21 && strings.Contains(string(payload), "PriorityCharging") {
		c.IDs = []int{-1} // of the others none
	} else {
		var q v201.ClearChargingProfileRequest
		if q.UnmarshalJSON(payload) != nil {
			return "!"
		}
		if q.ChargingProfileId != nil {
			c.IDs = []int{*q.ChargingProfileId}
		} else if k := q.ChargingProfileCriteria; k != nil {
			c.EVSE, c.Stack = k.EvseId, k.StackLevel
			if purpose, ok := profile.PurposeOf201(k.ChargingProfilePurpose); ok {
				c.Purpose = &purpose
			}
		}
	}
	var gone []int
	b.changing(func() { gone = b.store.Clear(c) })
	if b.kind.version == rpc.V21 && strings.Contains(string(payload), "PriorityCharging") {
		b.changing(func() { gone = b.more.priority.Clear(profile.Filter{}) })
	}
	if len(gone) == 0 {
		return `{"status":"Unknown"}`
	}
	return `{"status":"Accepted"}`
}

// describe lists what the station holds, for a failed test.
func (b *box) describe() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := ""
	for _, p := range b.store.All() {
		s += fmt.Sprintf("\n%d: purpose %d, stack %d, EVSE %d, kind %d, until %v, from %v %v", p.ID, p.Purpose, p.Stack, p.EVSE, p.Kind, p.ValidTo.Format(time.TimeOnly), p.Schedules[0].Start.Format(time.TimeOnly), p.Schedules[0].Periods)
	}
	return fmt.Sprintf("%s %+v limits %v clock off by %v: %s\n%s\n", b.id, b.kind, b.limits(time.Now()), b.skew, s, strings.Join(b.diary, "\n"))
}
