package firmware

import (
	"encoding/hex"
	"errors"
	"maps"
	"path/filepath"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/kit/transfer"
	"github.com/voltyard/voltyard/actors/msg"
	role "github.com/voltyard/voltyard/protocols/ocpp/station"
)

// wanted notes that a station has done what it has to before the restart; after it, that the station asks how it ended.
func (f *Firmware) wanted(ctx actor.Context, c msg.Chore, e role.ActivateImage) {
	request, ordered := f.state.Orders[c.Station]
	if f.state.Phase != phaseNone && ordered && request == e.Request {
		f.asks[c.Station] = order{request: e.Request, reply: c.Reply}
		f.report(ctx)
		return
	}
	if f.state.Phase == phaseGood && (f.job == nil || !f.job.placed && f.job.orders[c.Station] != nil && f.job.orders[c.Station].install) {
		// The image that another station has brought.
		ctx.Send(c.Reply, msg.ChoreEvent{What: role.UpdateEnded{Request: e.Request}})
		f.drop(true)
		return
	}
	if f.job == nil || !f.job.placed { // the process ended between installing and activating
		f.order(c, e.Request, "")
		f.job.placed = true
	}
	o := f.order(c, e.Request, "")
	o.active, f.job.waiting = true, true
	f.rest(ctx, true)
	f.activate(ctx)
}

// rest has all stations take no new sessions, or take them again.
func (f *Firmware) rest(ctx actor.Context, on bool) {
	for _, id := range f.cfg.Stations {
		ctx.Send(f.env.At(msg.StationName(id)), msg.ChoreEvent{What: role.Restarting{On: on}})
	}
}

// activate calls the installer when no vehicle charges at any station (L01.FR.33): the restart concerns them all.
func (f *Firmware) activate(ctx actor.Context) {
	j := f.job
	if j == nil || !j.waiting || f.busy || f.end {
		return
	}
	for _, s := range f.states {
		if s.Busy {
			return
		}
	}
	s := state{Phase: phaseTrial, Orders: map[string]int{}, From: f.cfg.Version, SHA256: hex.EncodeToString(j.digest[:])}
	if j.image != "" {
		s.Image = filepath.Base(f.path(j.image))
	}
	for id, o := range j.orders {
		if o.active {
			s.Orders[id] = o.request
		}
	}
	if err := s.save(f.cfg.Dir); err != nil {
		f.failed(ctx, err)
		return
	}
	f.state, f.busy = s, true
	root, self, gen, hook, log, path := ctx.ActorSystem().Root, ctx.Self(), j.gen, f.cfg.Hook, f.log, filepath.Join(f.cfg.Dir, s.Image)
	go func() { root.Send(self, activated{gen, hook.run(log, "activate", path)}) }()
}

func (f *Firmware) activated(ctx actor.Context, m activated) {
	f.busy = false
	if m.err != nil {
		f.state = state{}
		if err := f.state.save(f.cfg.Dir); err != nil {
			f.log.Error().Err(err).Msg("the next start will take this firmware for new")
		}
		f.failed(ctx, m.err)
		return
	}
	f.leave("the new firmware is activated; the process ends so that the service manager starts it")
}

func (f *Firmware) failed(ctx actor.Context, err error) {
	f.log.Error().Err(err).Msg("the new firmware is not activated")
	if f.job != nil {
		f.tell(ctx, func(o *order) role.Event { return role.UpdateEnded{Request: o.request, Err: err} }, func(o *order) bool { return o.active })
		f.drop(true)
	}
	f.rest(ctx, false)
}

func (f *Firmware) leave(why string) {
	f.end = true
	f.log.Warn().Msg(why)
	f.cfg.Restart()
}

// prove looks whether the new firmware works: every own EVSE has reported, and the stations that were told to update are accepted
// by the CSMS.
func (f *Firmware) prove(ctx actor.Context) {
	if f.state.Phase != phaseTrial || f.end {
		return
	}
	good := !f.busy
	for _, id := range f.cfg.Stations {
		s, known := f.states[id]
		_, ordered := f.state.Orders[id]
		good = good && known && s.Complete && (s.Accepted || !ordered)
	}
	if !good {
		f.timers.Set("look", look)
		return
	}
	f.timers.Stop("late")
	f.call(ctx, "confirm")
}

func (f *Firmware) call(ctx actor.Context, verb string) {
	f.busy = true
	root, self, hook, log, path := ctx.ActorSystem().Root, ctx.Self(), f.cfg.Hook, f.log, filepath.Join(f.cfg.Dir, f.state.Image)
	go func() { root.Send(self, judged{verb, hook.run(log, verb, path)}) }()
}

// back has the old firmware brought back. What is on disk says so first: whichever process comes next reports it.
func (f *Firmware) back(ctx actor.Context, why string) {
	if f.busy || f.end {
		f.timers.Set("late", time.Second)
		return
	}
	f.timers.Stop("look")
	f.state.Phase, f.state.Why = phaseAway, why
	f.log.Error().Str("why", why).Msg("the new firmware is taken back")
	if err := f.state.save(f.cfg.Dir); err != nil {
		f.log.Error().Err(err).Msg("the CSMS will not hear how the update ended")
	}
	f.call(ctx, "rollback")
}

func (f *Firmware) judged(ctx actor.Context, m judged) {
	f.busy = false
	switch {
	case m.verb == "confirm" && m.err != nil:
		f.back(ctx, "the installer does not confirm it: "+m.err.Error())
		return
	case m.verb == "confirm":
		f.state.Phase, f.state.To = phaseGood, f.cfg.Version
		if err := f.state.save(f.cfg.Dir); err != nil {
			f.log.Error().Err(err).Msg("the next start will take this firmware for new")
		}
		f.log.Info().Str("from", f.state.From).Str("to", f.cfg.Version).Msg("the new firmware has proven itself")
	case m.err != nil:
		f.state.Phase = phaseBack
		f.state.Why += "; and the old firmware cannot be brought back: " + m.err.Error()
		f.log.Error().Err(m.err).Msg("the old firmware cannot be brought back; this one goes on")
		if err := f.state.save(f.cfg.Dir); err != nil {
			f.log.Error().Err(err).Msg("the next start will try it again")
		}
	default:
		f.state.Phase = phaseBack
		if err := f.state.save(f.cfg.Dir); err != nil {
			f.log.Error().Err(err).Msg("the next start will bring the old firmware back again")
		}
		f.leave("the old firmware is brought back; the process ends so that the service manager starts it")
		return
	}
	transfer.Discard(filepath.Join(f.cfg.Dir, f.state.Image))
	f.report(ctx)
}

// report tells the stations that asked how the update ended.
func (f *Firmware) report(ctx actor.Context) {
	var err error
	switch {
	case f.busy || f.end || f.state.Phase != phaseGood && f.state.Phase != phaseBack:
		return
	case f.state.Phase == phaseBack:
		err = errors.New(f.state.Why)
	}
	for id, o := range maps.Clone(f.asks) {
		ctx.Send(o.reply, msg.ChoreEvent{What: role.UpdateEnded{Request: o.request, Err: err}})
		delete(f.asks, id)
	}
}
