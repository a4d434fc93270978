package localctl

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/profile"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/txqueue"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// gone is how a call ends whose peer went away.
const gone = "the connection is gone"

// Relay is the machine for one station. Make it with New.
type Relay struct {
	cfg      Config
	now      time.Time
	out      []Effect
	station  lane // CALLs to the station
	csms     lane // CALLs to the CSMS
	queue    *txqueue.Queue
	local    local
	limit    limiter
	clock    clock
	gauge    gauge
	seen     seen
	theirs   profile.Store           // the CSMS's own limits of our purposes
	written  map[int]json.RawMessage // those of OCPP 2 as the CSMS wrote them, by id
	saves    saver
	shares   map[int]*share        // with PerTx, by EVSE
	asked    map[int]*asked        // by request id: reports of charging profiles under way
	starting map[int]*startProfile // with PerTx: profiles that wait for their transactions
	ready    bool                  // the station was accepted and takes calls of ours
	replay   bool                  // messages taken meanwhile go to the CSMS before new ones
	parting  bool                  // the connection to the CSMS ends when nothing is left to deliver
	queueDue time.Time             // of the queue
	dead     time.Time
	unread   *rpc.Frame // a call of the station that was passed on, and is not understood yet
}

// New returns the machine with what an earlier one saved, by key.
func New(cfg Config, saved map[string][]byte, now time.Time) (*Relay, error) {
	if cfg.NewID == nil || cfg.Version == 0 {
		return nil, fmt.Errorf("local controller for %q: version and a source of ids are required", cfg.Identity)
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 30 * time.Second
	}
	if cfg.Settle <= 0 {
		cfg.Settle = 6 * time.Second
	}
	if cfg.Phases != 1 {
		cfg.Phases = 3
	}
	if cfg.MaxAmps <= 0 {
		cfg.MaxAmps = 63
	}
	if cfg.QueueBytes <= 0 {
		cfg.QueueBytes = 4 << 20
	}
	cfg.Stay = cfg.Stay && cfg.Version == rpc.V201
	r := &Relay{cfg: cfg, now: now, clock: clock{from: now}}
	r.station = lane{timeout: cfg.Timeout, write: func(raw []byte) { r.emit(ToStation{raw}) }}
	r.csms = lane{timeout: cfg.Timeout, write: func(raw []byte) { r.emit(ToCSMS{raw}) }}
	r.limit.settle, r.limit.held = cfg.Settle, saved[HoldKey] != nil
	r.saves.open, r.written = map[uint64]batch{}, map[int]json.RawMessage{}
	r.shares = map[int]*share{}
	r.seen.evses = map[int]*evseSeen{}
	r.local.status = map[[2]int]string{}
	r.local.cache = map[string]v201.IdTokenInfo{}
	return r, r.restore(saved)
}

// Step takes one event and appends what has to be done to out.
func (r *Relay) Step(now time.Time, ev Event, out []Effect) []Effect {
	r.now, r.out = now, out
	r.read()
	switch ev := ev.(type) {
	case StationUp:
		r.station.up, r.ready, r.parting = true, false, false
		r.forgetClock()
	case StationDown:
		r.stationDown()
	case CSMSUp:
		r.csms.up, r.parting = true, ev.WithoutStation
		r.resume()
	case CSMSDown:
		r.csmsDown()
	case FromStation:
		r.fromStation(ev.Raw)
	case FromCSMS:
		r.fromCSMS(ev.Raw)
	case Grant:
		r.grant(ev)
	case Stored:
		r.stored(ev)
	case Tick:
		r.tick()
	case Read: // is done
	}
	r.part()
	r.flush()
	r.deadline()
	if r.unread != nil {
		r.emit(Unread{})
	}
	out, r.out = r.out, nil
	return out
}

// part ends the connection to the CSMS after the station's (OCPP 2.0.1 part 4, 6.3), once what it has left is delivered: it
// may never come back.
func (r *Relay) part() {
	if r.parting && r.csms.up && r.queue.Len() == 0 {
		r.parting = false
		r.emit(CloseCSMS{"the station is gone"})
	}
}

func (r *Relay) emit(e Effect) { r.out = append(r.out, e) }

func (r *Relay) note(bad bool, format string, args ...any) {
	r.emit(Note{What: fmt.Sprintf(format, args...), Bad: bad})
}

// fromStation takes a message of the station.
func (r *Relay) fromStation(raw []byte) {
	f, err := rpc.Parse(raw)
	if err != nil {
		r.note(true, "from the station: %v", err)
		var fe *rpc.FrameError
		if !r.csms.up && r.cfg.Stay && errors.As(err, &fe) && fe.Reply {
			r.emit(ToStation{rpc.AppendError(nil, r.cfg.Version, fe.ReplyID, fe.Code, fe.What)})
			return
		}
		r.pass(&r.csms, raw)
		return
	}
	switch f.Type {
	case rpc.Call:
		r.emit(Counted{Action: f.Action})
		if call := f; r.csms.up { // it need not wait for us
			r.unread = &call
		} else {
			r.observe(call)
		}
		again := r.again(&f)
		if again && !bytes.Equal(r.local.last.original, f.Payload) {
			raw = rpc.AppendCall(nil, f.ID, f.Action, f.Payload)
		}
		switch {
		case r.reports(&f, &raw):
		case again && r.holds(f):
		case r.absorbs(f):
			r.answerLocally(f, again)
		case !r.csms.submit(r.now, &call{id: f.ID, action: f.Action, payload: f.Payload, raw: raw}, false):
			r.emit(ToStation{rpc.AppendError(nil, r.cfg.Version, f.ID, rpc.InternalError, "no connection to the CSMS")})
		}
	case rpc.CallResult, rpc.CallError:
		c, ours := r.station.answered(r.now, f.ID)
		switch {
		case c != nil && c.own:
			r.finish(c, f)
		case ours:
			r.note(false, "a late answer to a call of our own was dropped")
		default:
			if c != nil {
				r.startAnswered(c.start, f)
				raw = r.observeAnswer(c, f, raw)
			}
			if raw != nil {
				r.pass(&r.csms, raw)
			}
		}
		r.station.pump(r.now)
	default:
		r.pass(&r.csms, raw)
	}
}

// read understands what was passed on.
func (r *Relay) read() {
	if f := r.unread; f != nil {
		r.unread = nil
		r.observe(*f)
	}
}

// fromCSMS takes a message of the CSMS.
func (r *Relay) fromCSMS(raw []byte) {
	f, err := rpc.Parse(raw)
	if err != nil {
		r.note(true, "from the CSMS: %v", err)
		r.pass(&r.station, raw)
		return
	}
	switch f.Type {
	case rpc.Call:
		r.emit(Counted{Action: f.Action})
		if f.Action == v201.ActionSetNetworkProfile && r.cfg.Version >= rpc.V201 && !r.cfg.Network {
			r.note(false, "SetNetworkProfile was refused: the station stays behind the controller")
			r.emit(ToCSMS{rpc.AppendResult(nil, f.ID, []byte(`{"status":"Rejected"}`))})
			return
		}
		if r.clears(f) || r.sets(f) {
			return
		}
		start, refused := r.starts(&f, &raw)
		if refused {
			return
		}
		if !r.station.submit(r.now, &call{id: f.ID, action: f.Action, payload: f.Payload, raw: raw, start: start}, false) {
			r.forgetStart(start)
			r.emit(ToCSMS{rpc.AppendError(nil, r.cfg.Version, f.ID, rpc.InternalError, "the station takes no call now")})
		}
	case rpc.CallResult, rpc.CallError:
		c, ours := r.csms.answered(r.now, f.ID)
		switch {
		case c != nil && c.own:
			r.finish(c, f)
		case ours:
			r.note(false, "a late answer of the CSMS was dropped")
		default:
			r.pass(&r.station, raw)
			if c != nil {
				r.observeResponse(c, f)
			}
		}
		r.csms.pump(r.now)
	default:
		r.pass(&r.station, raw)
	}
}

// pass sends a message on unchanged.
func (r *Relay) pass(l *lane, raw []byte) {
	if l.up {
		l.write(raw)
	}
}

// ask sends a call of our own.
func (r *Relay) ask(l *lane, key string, urgent bool, action string, payload []byte, done func(answer)) bool {
	r.emit(Counted{Action: action, Own: true})
	return l.submit(r.now, &call{id: r.cfg.NewID(), action: action, payload: payload, own: true, key: key, done: done}, urgent)
}

func (r *Relay) finish(c *call, f rpc.Frame) {
	if c.done == nil {
		return
	}
	if f.Type == rpc.CallResult {
		c.done(answer{payload: f.Payload})
		return
	}
	r.note(true, "%s was answered %s %s", c.action, f.Code, f.Description)
	c.done(answer{code: f.Code, what: f.Description})
}

func (r *Relay) stationDown() {
	sent, waiting := r.station.cut()
	clear(r.asked)
	r.ready, r.limit.stage, r.limit.resume = false, idle, nil
	for _, c := range append(sent, waiting...) {
		switch {
		case c.own && c.done != nil:
			c.done(answer{what: gone})
		case !c.own && r.csms.up: // the CSMS need not wait for its timeout
			r.emit(ToCSMS{rpc.AppendError(nil, r.cfg.Version, c.id, rpc.GenericError, "the station is gone")})
		}
	}
	r.seen.gone(r)
	r.parting = r.csms.up
}

func (r *Relay) csmsDown() {
	if !r.csms.up {
		return
	}
	sent, waiting := r.csms.cut()
	clear(r.asked)
	r.queueStep(txqueue.Offline{})
	r.replay = false
	for i, c := range append(sent, waiting...) {
		switch {
		case c.own:
			if c.done != nil {
				c.done(answer{what: gone})
			}
		case r.cfg.Stay && r.station.up: // what was sent may have arrived, so it is never changed
			r.answerLocally(rpc.Frame{Type: rpc.Call, ID: c.id, Action: c.action, Payload: c.payload}, i < len(sent))
		}
	}
	if !r.cfg.Stay && r.station.up { // part 4, 6.3
		r.emit(CloseStation{"the CSMS is gone"})
	}
}

func (r *Relay) tick() {
	for _, l := range []*lane{&r.station, &r.csms} {
		c := l.expire(r.now)
		if c != nil {
			r.note(true, "%s was not answered in time", c.action)
			if l == &r.csms {
				r.emit(CloseCSMS{"no answer to " + c.action})
			}
			if c.done != nil {
				c.done(answer{what: "timed out"})
			}
		}
		l.pump(r.now)
	}
	if !r.queueDue.IsZero() && !r.now.Before(r.queueDue) {
		r.queueDue = time.Time{}
		r.queueStep(txqueue.Tick{})
	}
	r.askedDue()
	r.limitDue()
	r.savesDue()
}

func (r *Relay) deadline() {
	var at time.Time
	for _, t := range []time.Time{r.station.next(), r.csms.next(), r.queueDue, r.limit.next(), r.saves.retry, r.askedNext()} {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	if !at.IsZero() && !at.After(r.now) {
		at = r.now.Add(time.Millisecond)
	}
	if !at.Equal(r.dead) {
		r.dead = at
		r.emit(Deadline{at})
	}
}

// Unacknowledged is the number of messages that the CSMS does not have yet.
func (r *Relay) Unacknowledged() int { return r.queue.Len() }
