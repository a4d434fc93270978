package station

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/ocpp/profile"
	role "github.com/voltyard/voltyard/protocols/ocpp/station"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// step feeds one event to the machine and carries out what it says.
func (s *Station) step(ctx actor.Context, ev role.Event) {
	if s.role == nil {
		return
	}
	for _, e := range s.role.Step(time.Now(), ev, nil) {
		s.carryOut(ctx, e)
	}
	if len(s.early) > 0 && s.role.Accepted() {
		s.late(ctx)
	}
	s.cfg.Stats.Waiting(s.cfg.Role.Identity, s.role.Unacknowledged())
	s.state(ctx)
}

// state tells of a change of what an update of the controller waits for.
func (s *Station) state(ctx actor.Context) {
	if s.cfg.Role.Updates == nil {
		return
	}
	now := msg.StationState{Station: s.cfg.Role.Identity, Accepted: s.role.Accepted(), Complete: true, Busy: s.role.Busy()}
	for _, e := range s.evses {
		now.Complete = now.Complete && e.seen
	}
	if now != s.told {
		s.told = now
		ctx.Send(s.env.At(msg.Firmware), now)
	}
}

func (s *Station) carryOut(ctx actor.Context, e role.Effect) {
	switch e := e.(type) {
	case role.Write:
		if len(e.Raw) > 1 && e.Raw[1] == '2' {
			s.cfg.Stats.Call("own")
		}
		ctx.Send(s.env.At(msg.Controller), msg.UplinkFrame{Station: s.cfg.Role.Identity, Gen: s.gen, Raw: e.Raw})
	case role.Hangup:
		ctx.Send(s.env.At(msg.Controller), msg.UplinkHangup{Station: s.cfg.Role.Identity, Gen: s.gen, Why: e.Why})
	case role.Password:
		ctx.Send(s.env.At(msg.Controller), msg.UplinkOpen{Station: s.cfg.Role.Identity, Begun: s.begun, Password: e.New, Target: s.target, Reply: ctx.Self()})
	case role.Deadline:
		s.timers.SetAt("tick", e.At)
	case role.Save:
		s.save(ctx, e)
	case role.Permit:
		s.permit(ctx, e)
	case role.Dial:
		s.dial(ctx, e)
	case role.Retry:
		s.retry(ctx, e)
	case role.MakeKey:
		s.makeKey(ctx, e)
	case role.UseCertificate:
		s.use(ctx, e)
	case role.Staple:
		s.staple(e)
	case role.PlugAndCharge:
		if c := s.cfg.Certificates; c != nil {
			c.Contracts.Store(&e)
		}
	case role.Roots:
		s.takeRoots(e)
	case role.CertificateIs:
		s.send(ctx, e.EVSE, msg.ContractCertificateIs{EVSE: s.id(e.EVSE), Token: e.Token, EXI: e.EXI})
	case role.Limit:
		s.limit(ctx, e)
	case role.Offer:
		s.offer(ctx, e)
	case role.Stop:
		s.send(ctx, e.EVSE, msg.StopCharging{EVSE: s.id(e.EVSE), Why: e.Why})
	case role.SignReading:
		moment := hal.MomentDuring
		switch e.Context {
		case v201.ReadingContextTransactionBegin:
			moment = hal.MomentBegin
		case v201.ReadingContextTransactionEnd:
			moment = hal.MomentEnd
		}
		s.send(ctx, e.EVSE, msg.SignMeter{EVSE: s.id(e.EVSE), Token: e.Token, Moment: moment})
	case role.Show:
		s.show(ctx, e)
	case role.Cost:
		s.priced(ctx, e)
	case role.Personal:
		s.personal(ctx, e)
	case role.Lock:
		s.send(ctx, e.EVSE, msg.LockCable{EVSE: s.id(e.EVSE), On: e.On})
	case role.Unlock:
		s.send(ctx, e.EVSE, msg.Unlock{EVSE: s.id(e.EVSE)})
	case role.Operative:
		s.send(ctx, e.EVSE, msg.Operative{EVSE: s.id(e.EVSE), On: e.On})
	case role.Reboot:
		s.reboot(ctx, e.EVSE)
	case role.ClaimUpdate, role.FetchImage, role.InstallImage, role.ActivateImage, role.CancelUpdate:
		ctx.Send(s.env.At(msg.Firmware), msg.Chore{Station: s.cfg.Role.Identity, What: e, Reply: ctx.Self()})
	case role.Publish, role.Unpublish:
		ctx.Send(s.env.At(msg.Publisher), msg.Chore{Station: s.cfg.Role.Identity, What: e, Reply: ctx.Self()})
	case role.Upload, role.CancelUpload:
		ctx.Send(s.env.At(msg.Logbook), msg.Chore{Station: s.cfg.Role.Identity, What: e, Reply: ctx.Self()})
	case role.Started:
		s.log.Info().Str("evse", s.id(e.EVSE)).Str("tx", e.Tx).Msg("transaction started")
	case role.Ended:
		s.log.Info().Str("evse", s.id(e.EVSE)).Str("tx", e.Tx).Str("reason", string(e.Reason)).Float64("wh", float64(e.Energy)).Msg("transaction ended")
	case role.Note:
		if e.Bad {
			s.cfg.Stats.Fault(s.cfg.Role.Identity)
			s.log.Warn().Msg(e.What)
		} else {
			s.log.Info().Msg(e.What)
		}
	}
}

func (s *Station) id(n int) string { return s.cfg.EVSEs[n-1] }

func (s *Station) send(ctx actor.Context, n int, m any) {
	ctx.Send(s.env.At(msg.EVSEName(s.id(n))), m)
}

func (s *Station) save(ctx actor.Context, e role.Save) {
	ops := make([]msg.Op, len(e.Ops))
	for i, op := range e.Ops {
		ops[i] = msg.Op{Bucket: bucket, Key: []byte(s.cfg.Role.Identity + "/" + op.Key), Value: op.Value}
		if op.Value == nil {
			delete(s.saved, op.Key)
		} else {
			s.saved[op.Key] = op.Value
		}
	}
	ctx.Send(s.env.At(msg.Recorder), msg.Save{Ops: ops, Token: e.Token, Reply: ctx.Self()})
}

// permit answers an EVSE that asked, or tells it of a remote start. That a permission ended is told by Stop, where energy
// still flows.
func (s *Station) permit(ctx actor.Context, e role.Permit) {
	_, asked := s.waiting[e.EVSE]
	if !e.Allowed && !asked {
		return
	}
	delete(s.waiting, e.EVSE)
	s.send(ctx, e.EVSE, msg.Authorized{EVSE: s.id(e.EVSE), Accepted: e.Allowed, Token: e.Token.IdToken, Remote: e.Remote || e.Allowed && !asked,
		Refusal: msg.Refusal(e.Refusal)})
}

// limit passes the operator's charging profiles on to the balancer, which grants no more.
func (s *Station) limit(ctx actor.Context, e role.Limit) {
	ctx.Send(s.env.At(msg.Balancer), capOf(s.id(e.EVSE), &s.cfg.Role.EVSEs[e.EVSE-1], e.Limit))
}

// capOf is what is stricter of a limit than what the EVSE can do. Both bounds hold at once; a power that says no more than the
// current is left out.
func capOf(id string, r *role.EVSEConfig, l profile.Limit) msg.Cap {
	c := msg.Cap{EVSE: id, Source: "csms"}
	full := r.Rating.Limit()
	if a := l.Amps; !r.DC && a < full.Amps-0.01 {
		c.Current = &a
	}
	if w := l.Watts; w < full.Watts-1 && (c.Current == nil || w < (*c.Current).Times(max(r.Rating.Volts, 1))*si.Watts(full.Phases)-1) {
		c.Power = &w
	}
	return c
}

// reboot begins anew with what is stored, as a restarted station would: the EVSEs go on.
func (s *Station) reboot(ctx actor.Context, evse int) {
	if evse > 0 {
		return // one EVSE has nothing of its own to restart
	}
	s.log.Info().Msg("reset by the operator")
	s.cfg.Role.Reason = v201.BootReasonRemoteReset
	s.role.Step(time.Now(), role.Disconnected{}, nil)
	last := make([]msg.EVSEReport, 0, len(s.evses))
	for _, e := range s.evses {
		last = append(last, e.report)
	}
	s.role = nil
	if s.begin(ctx) {
		for i, r := range last {
			s.reported(ctx, i+1, r)
		}
	}
}
