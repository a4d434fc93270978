package station

import (
	"errors"
	"strconv"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/txqueue"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// pending is one of our calls; done gets the response or, with a nil response, the reason why there is none.
type pending struct {
	action string
	done   func(res rpc.Message, why string)
	res    rpc.Message // the response is read into it; nil for the standard's type
}

// call sends a request to the CSMS; nothing is sent while that is away, or has not accepted the station (B01.FR.08, B02.FR.02).
func (s *Station) call(m rpc.Message, done func(res rpc.Message, why string)) {
	s.callIf(s.Accepted(), m, done)
}

// callAsked is call for what the CSMS has asked for with a trigger or for a report, which it may before it accepts the station
// (B02.FR.02), though not when it has rejected it (B03.FR.02).
func (s *Station) callAsked(m rpc.Message, done func(res rpc.Message, why string)) {
	s.callIf(s.conns.up && s.boot.status != v201.RegistrationStatusRejected, m, done)
}

func (s *Station) callIf(may bool, m rpc.Message, done func(res rpc.Message, why string)) {
	if !may {
		if done != nil {
			done(nil, "offline")
		}
		return
	}
	s.submit(m.ActionName(), m.AppendJSON(nil), done)
}

func (s *Station) submit(action string, payload []byte, done func(rpc.Message, string)) {
	s.key++
	s.calls[s.key] = pending{action: action, done: done}
	s.stepRPC(rpc.Request{Key: s.key, ID: s.cfg.NewID(), Action: action, Payload: payload, Timeout: s.model.seconds("OCPPCommCtrlr", "MessageTimeout")})
}

func (s *Station) stepRPC(ev rpc.Event) {
	for _, e := range s.rpc.Step(s.now, ev, nil) {
		switch e := e.(type) {
		case rpc.Write:
			s.emit(Write{e.Raw})
		case rpc.Deadline:
			s.rpcDead = e.At
		case rpc.Incoming:
			s.serve(e)
		case rpc.Done:
			s.result(e)
		case rpc.Refused:
			s.note(true, "%s refused by the CSMS: %s %s", e.Action, e.Code, e.What)
			s.finish(e.Key, nil, string(e.Code))
		case rpc.Lost:
			s.finish(e.Key, nil, e.Why.String())
			if e.Why == rpc.TimedOut { // part 2, 3.2: the connection is given up and made anew
				s.note(true, "%s was not answered in time", e.Action)
				s.emit(Hangup{"no answer to " + e.Action})
			}
		case rpc.Fault:
			s.note(true, "%s", e.What)
			s.securityEvent("InvalidMessages", e.What)
		}
	}
}

func (s *Station) result(d rpc.Done) {
	res := s.calls[d.Key].res
	if res == nil {
		res = v201.Actions[d.Action].Response()
	}
	if err := res.UnmarshalJSON(d.Payload); err != nil {
		s.note(true, "answer to %s: %v", d.Action, err)
		s.finish(d.Key, nil, err.Error())
		return
	}
	s.finish(d.Key, res, "")
}

func (s *Station) finish(key uint64, res rpc.Message, why string) {
	p := s.calls[key]
	delete(s.calls, key)
	if p.done != nil {
		p.done(res, why)
	}
}

// handler answers a request of the CSMS. A nil message without error means that answer is called later.
type handler func(s *Station, payload []byte) (rpc.Message, error)

// on makes a handler of a function over the request's type.
func on[T any, P interface {
	*T
	rpc.Message
}](f func(*Station, P) (rpc.Message, error)) handler {
	return func(s *Station, payload []byte) (rpc.Message, error) {
		req := P(new(T))
		if err := req.UnmarshalJSON(payload); err != nil {
			return nil, err
		}
		return f(s, req)
	}
}

func (s *Station) serve(in rpc.Incoming) {
	info, known := v201.Actions[in.Action]
	h := handlers[in.Action]
	switch {
	case s.boot.status == v201.RegistrationStatusRejected: // B03.FR.08: nothing but booting until accepted
		s.reject(in.ID, rpc.SecurityError, "the station is not accepted")
		return
	case !known || info.Direction&rpc.FromCSMS == 0:
		s.reject(in.ID, rpc.NotImplemented, "unknown action "+strconv.Quote(in.Action))
		return
	case h == nil:
		if err := info.Request().UnmarshalJSON(in.Payload); err != nil {
			s.rejectErr(in.ID, err)
			return
		}
		s.reject(in.ID, rpc.NotSupported, "this station has no "+in.Action)
		return
	}
	s.incoming, s.after, s.unstored = in.ID, nil, nil
	res, err := h(s, in.Payload)
	after, unstored := s.after, s.unstored
	s.after, s.unstored = nil, nil
	if err != nil {
		s.rejectErr(in.ID, err)
		return
	}
	if res == nil {
		return
	}
	finish := func() {
		s.answer(in.ID, res)
		for _, f := range after {
			f()
		}
	}
	if s.saves.dirty() {
		s.saves.answers = append(s.saves.answers, held{in.ID, finish})
		if unstored != nil {
			if s.saves.fails == nil {
				s.saves.fails = map[string]func(){}
			}
			s.saves.fails[in.ID] = func() { s.answer(in.ID, unstored()) }
		}
		return
	}
	finish()
}

// otherwise answers the request being served when its effect cannot be stored; f undoes it.
func (s *Station) otherwise(f func() rpc.Message) { s.unstored = f }

// then runs f after the answer to the request being served.
func (s *Station) then(f func()) { s.after = append(s.after, f) }

func (s *Station) answer(id string, m rpc.Message) {
	if err := m.Check(); err != nil {
		s.note(true, "our own answer is invalid: %v", err)
		s.reject(id, rpc.InternalError, "")
		return
	}
	s.stepRPC(rpc.Answer{ID: id, Payload: m.AppendJSON(nil)})
}

func (s *Station) reject(id string, code rpc.Code, what string) {
	s.stepRPC(rpc.Reject{ID: id, Code: code, What: what})
}

func (s *Station) rejectErr(id string, err error) {
	var e *rpc.Error
	if errors.As(err, &e) {
		s.reject(id, e.Code, e.Text())
		return
	}
	s.reject(id, rpc.InternalError, err.Error())
}

func (s *Station) stepQueue(ev txqueue.Event) {
	for _, e := range s.queue.Step(s.now, ev, nil) {
		switch e := e.(type) {
		case txqueue.Store:
			s.saves.put(queueKey(e.Item.Seq), e.Item.Marshal())
			s.saves.seqs = append(s.saves.seqs, e.Item.Seq)
		case txqueue.Remove:
			s.saves.put(queueKey(e.Seq), nil)
		case txqueue.Send:
			s.deliver(e.Item)
		case txqueue.Delivered:
			s.securityLeft(e.Item, true)
			s.delivered(e)
		case txqueue.Dropped:
			s.securityLeft(e.Item, false)
			s.note(true, "%s of transaction %s was dropped: %s", e.Item.Action, e.Item.Tx, e.Why)
		case txqueue.Deadline:
			s.queueDead = e.At
		}
	}
}

func (s *Station) deliver(it txqueue.Item) {
	s.submit(it.Action, it.Payload, func(res rpc.Message, why string) {
		switch {
		case res != nil:
			s.stepQueue(txqueue.Accepted{Seq: it.Seq, Payload: res.AppendJSON(nil)})
		case why == rpc.TimedOut.String(), why == rpc.Cut.String(), why == rpc.NotSent.String():
			// The connection goes down, and the message is sent again on the next one.
		default:
			s.stepQueue(txqueue.Refused{Seq: it.Seq, Code: why})
		}
	})
}
