package controller

import (
	"encoding/json"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/protocols/ocpp/localctl"
	"github.com/voltyard/voltyard/site/lease"
)

// step feeds one event to the machine and carries out what it says.
func (l *link) step(ctx actor.Context, ev localctl.Event) {
	if l.relay == nil {
		return
	}
	now := l.cfg.Clock()
	for _, e := range l.relay.Step(now, ev, nil) {
		switch e := e.(type) {
		case localctl.ToStation:
			if l.station != nil {
				l.station.Send(e.Raw)
			}
		case localctl.ToCSMS:
			if l.csms != nil {
				l.csms.Send(e.Raw)
			}
		case localctl.Unread:
			l.step(ctx, localctl.Read{})
		case localctl.CloseStation:
			if l.station != nil {
				l.station.Close(l.code, l.text)
			}
		case localctl.CloseCSMS:
			switch {
			case l.csms == nil:
			case l.station == nil:
				l.csms.Close(l.code, l.text)
			default:
				l.csms.Close(1000, e.Why)
			}
		case localctl.Deadline:
			if e.At.IsZero() {
				l.timers.Stop("tick")
			} else {
				l.timers.Set("tick", e.At.Sub(now))
			}
		case localctl.Save:
			l.save(ctx, e)
		case localctl.Ack:
			if !e.Refused {
				l.acked = e.Seq
			}
			ctx.Send(l.env.At(msg.Balancer), msg.GrantAck{EVSE: l.st.ID, Seq: e.Seq, Refused: e.Refused})
		case localctl.Late:
			l.late(ctx, now, e.Until)
		case localctl.Seen:
			l.state = e.State
			l.report(ctx)
		case localctl.Session:
			l.cfg.Stats.Session(l.st.ID, e.Tx, e.Ended, e.Failed, float64(e.Energy))
		case localctl.Counted:
			if e.Own {
				l.cfg.Stats.Call("controller")
			} else {
				l.cfg.Stats.Call("relayed")
			}
		case localctl.Note:
			if e.Bad {
				l.cfg.Stats.Fault(l.st.ID)
				l.log.Warn().Msg(e.What)
			} else {
				l.log.Info().Msg(e.What)
			}
		}
	}
	l.cfg.Stats.Waiting(l.st.ID, l.relay.Unacknowledged())
}

// late tells the balancer, and whoever reads the records after it, that what the station holds lasts longer.
func (l *link) late(ctx actor.Context, now, until time.Time) {
	ctx.Send(l.env.At(msg.Balancer), msg.StationLate{Station: l.st.ID, Until: until})
	var h lease.Hold
	if json.Unmarshal(l.saved[localctl.HoldKey], &h) != nil || h.Until.IsZero() || h.Left >= until.Sub(now) {
		return
	}
	h.Until, h.Left = until.Round(0), until.Sub(now)
	if b, err := json.Marshal(h); err == nil {
		l.remember(ctx, localctl.HoldKey, b)
	}
}

func (l *link) save(ctx actor.Context, s localctl.Save) {
	ops := make([]msg.Op, len(s.Ops))
	for i, op := range s.Ops {
		ops[i] = msg.Op{Bucket: bucket, Key: []byte(l.st.ID + "/" + op.Key), Value: op.Value}
		if op.Value == nil {
			delete(l.saved, op.Key)
		} else {
			l.saved[op.Key] = op.Value
		}
	}
	ctx.Send(l.env.At(msg.Recorder), msg.Save{Ops: ops, Token: s.Token, Reply: ctx.Self()})
}

// report tells the balancer what the station does.
func (l *link) report(ctx actor.Context) {
	s := l.state
	phases := 3 // whatever a vehicle uses now, the profile holds for all of them
	if l.st.Phases == 1 {
		phases = 1
	}
	r := msg.StationReport{Station: l.st.ID, Connected: s.Ready && l.station != nil, Wants: s.Wants, Phases: phases, Power: s.Power,
		Energy: s.Energy, At: s.At, State: s.Status, EVs: s.EVs, Over: s.Over}
	if s.Measured {
		current := s.Amps
		r.Current = &current
	}
	if s.Pinned || s.Off != 0 {
		r.Most, r.Off = &l.st.Fallback, s.Off
	}
	ctx.Send(l.env.At(msg.Balancer), r)
}
