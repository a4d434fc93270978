package rpc

import (
	"errors"
	"slices"
	"strconv"
	"time"
)

// Config sets an endpoint up.
type Config struct {
	Version  Version
	Timeout  time.Duration // for an answer; 30 s when 0, the guidance of the standard
	MaxQueue int           // calls that may wait; 256 when 0
	MaxOpen  int           // calls of the peer not yet answered; 8 when 0
}

// Endpoint is one side of a connection: the machine that keeps one CALL outstanding per direction (OCPP 2.0.1 part 4,
// 4.1.1), pairs answers with calls and times out. A peer that sends a CALL before the last was answered is served all
// the same up to MaxOpen calls, for stations in the field do so after a reconnect.
type Endpoint struct {
	cfg      Config
	queue    []Request
	current  Request
	waiting  bool // current was sent
	deadline time.Time
	open     []string // ids of the peer's calls
}

// New returns an endpoint of a fresh connection.
func New(cfg Config) *Endpoint {
	if cfg.Timeout <= 0 {
		cfg.Timeout = 30 * time.Second
	}
	if cfg.MaxQueue <= 0 {
		cfg.MaxQueue = 256
	}
	if cfg.MaxOpen <= 0 {
		cfg.MaxOpen = 8
	}
	return &Endpoint{cfg: cfg}
}

// Waiting is the number of our calls that are neither answered nor lost.
func (e *Endpoint) Waiting() int {
	n := len(e.queue)
	if e.waiting {
		n++
	}
	return n
}

// Step takes one event and appends what has to be done to out.
func (e *Endpoint) Step(now time.Time, ev Event, out []Effect) []Effect {
	switch ev := ev.(type) {
	case Received:
		out = e.received(ev.Raw, out)
	case Request:
		out = e.enqueue(ev, out)
	case Answer:
		if e.close(ev.ID) {
			out = append(out, Write{AppendResult(nil, ev.ID, ev.Payload)})
		}
	case Reject:
		if e.close(ev.ID) {
			out = append(out, Write{AppendError(nil, e.cfg.Version, ev.ID, ev.Code, ev.What)})
		}
	case BadResult:
		if e.cfg.Version == V21 {
			out = append(out, Write{AppendResultError(nil, ev.ID, ev.Code, ev.What)})
		}
	case Notify:
		out = append(out, Write{AppendSend(nil, ev.ID, ev.Action, ev.Payload)})
	case Tick:
		if e.waiting && !now.Before(e.deadline) {
			out = append(out, Lost{e.current.Key, e.current.Action, TimedOut})
			e.waiting = false
		}
	case Closed:
		return e.closed(out)
	}
	return e.next(now, out)
}

func (e *Endpoint) enqueue(r Request, out []Effect) []Effect {
	if r.Replaces != 0 {
		for i, q := range e.queue {
			if q.Key == r.Replaces {
				e.queue[i] = r
				return append(out, Lost{q.Key, q.Action, Superseded})
			}
		}
	}
	if len(e.queue) >= e.cfg.MaxQueue && !r.First {
		return append(out, Lost{r.Key, r.Action, QueueFull})
	}
	if !r.First {
		e.queue = append(e.queue, r)
		return out
	}
	i := 0 // behind the other urgent ones, in their order
	for i < len(e.queue) && e.queue[i].First {
		i++
	}
	e.queue = slices.Insert(e.queue, i, r)
	return out
}

// next sends the first waiting call if none is outstanding.
func (e *Endpoint) next(now time.Time, out []Effect) []Effect {
	if e.waiting || len(e.queue) == 0 {
		return out
	}
	e.current = e.queue[0]
	e.queue = slices.Delete(e.queue, 0, 1)
	e.waiting = true
	wait := e.current.Timeout
	if wait <= 0 {
		wait = e.cfg.Timeout
	}
	e.deadline = now.Add(wait)
	out = append(out, Write{AppendCall(nil, e.current.ID, e.current.Action, e.current.Payload)})
	return append(out, Deadline{e.deadline})
}

func (e *Endpoint) closed(out []Effect) []Effect {
	if e.waiting {
		out = append(out, Lost{e.current.Key, e.current.Action, Cut})
	}
	for _, q := range e.queue {
		out = append(out, Lost{q.Key, q.Action, NotSent})
	}
	e.queue, e.open, e.waiting = nil, nil, false
	return append(out, Deadline{})
}

// close ends a call of the peer.
func (e *Endpoint) close(id string) bool {
	i := slices.Index(e.open, id)
	if i < 0 {
		return false
	}
	e.open = slices.Delete(e.open, i, i+1)
	return true
}

func (e *Endpoint) received(raw []byte, out []Effect) []Effect {
	f, err := Parse(raw)
	if err != nil {
		var fe *FrameError
		if !errors.As(err, &fe) {
			return append(out, Fault{err.Error()})
		}
		out = append(out, Fault{fe.What})
		if fe.Reply {
			out = append(out, Write{AppendError(nil, e.cfg.Version, fe.ReplyID, fe.Code, fe.What)})
		}
		return out
	}
	switch f.Type {
	case Call:
		if slices.Contains(e.open, f.ID) {
			return append(out, Fault{"message id used twice: " + strconv.Quote(f.ID)},
				Write{AppendError(nil, e.cfg.Version, f.ID, RPCFrameworkError, "this message id is in use")})
		}
		if len(e.open) >= e.cfg.MaxOpen {
			return append(out, Fault{"too many calls at once"},
				Write{AppendError(nil, e.cfg.Version, f.ID, RPCFrameworkError, "wait for the answer to the previous call")})
		}
		e.open = append(e.open, f.ID)
		return append(out, Incoming{f.ID, f.Action, f.Payload})
	case Send:
		if e.cfg.Version < V21 {
			return append(out, Fault{"SEND is of OCPP 2.1"})
		}
		return append(out, IncomingSend{f.ID, f.Action, f.Payload})
	case CallResultError:
		return append(out, ResultRefused{f.ID, f.Code, f.Description})
	}
	if !e.waiting || f.ID != e.current.ID {
		if f.Type == CallError && f.ID == UnreadableID && e.waiting {
			// The peer could not even read our id; no other answer will come.
			e.waiting = false
			return append(out, Refused{e.current.Key, e.current.Action, f.Code, f.Description}, Deadline{})
		}
		return append(out, Fault{"answer without a call: " + strconv.Quote(f.ID)})
	}
	e.waiting = false
	if f.Type == CallError {
		out = append(out, Refused{e.current.Key, e.current.Action, f.Code, f.Description})
	} else {
		out = append(out, Done{e.current.Key, f.ID, e.current.Action, f.Payload})
	}
	return append(out, Deadline{})
}
