package ev

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/hal/sim"
)

// standIn is the vehicle's end of a simulated cable for a vehicle whose controller is somewhere else: in another process, on a
// real network. It is always plugged in, shows state C when the session has come so far, and draws what is granted. After a
// session that has ended, and was not paused, it unplugs and comes again.
type standIn struct {
	place  Place
	view   *kit.Cell[msg.SiteView]
	timers *kit.Timers
	volts  si.Volts // of the battery: what the pre-charge went to
	gone   int      // turns until it plugs in again
	ended  int      // turns since the session ended
}

// StandIn returns the producer of the actor for an EVSE with a simulated cable. view is the picture of its site.
func StandIn(place Place, view *kit.Cell[msg.SiteView]) func() actor.Actor {
	return func() actor.Actor { return &standIn{place: place, view: view} }
}

const (
	standInTurn = 20 * time.Millisecond
	replugAfter = 10 // turns
)

// Receive handles one message.
func (s *standIn) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		s.timers = kit.NewTimers(ctx)
		s.plug()
		s.timers.Set("turn", standInTurn)
	case kit.Fired:
		if s.timers.Due(m) {
			s.turn()
			s.timers.Set("turn", standInTurn)
		}
	case *actor.Stopping:
		s.timers.StopAll()
		s.place.Outlet.Cable().Unplug()
	}
}

func (s *standIn) plug() {
	s.volts, s.ended = 0, 0
	s.place.Outlet.Cable().Plug(func(sim.Offer) {})
}

func (s *standIn) turn() {
	cable := s.place.Outlet.Cable()
	if s.gone > 0 {
		if s.gone--; s.gone == 0 {
			s.plug()
		}
		return
	}
	e, ok := s.look()
	if !ok {
		return
	}
	pilot := hal.PilotB
	switch e.Stage {
	case msg.StageParams:
		if !s.place.DC {
			pilot = hal.PilotC
		}
	case msg.StageCable, msg.StagePreCharge, msg.StageCharging:
		pilot = hal.PilotC
	}
	if e.Stage == msg.StagePreCharge {
		if v, _ := cable.DC(); v > 0 {
			s.volts = v
		}
	}
	cable.Pilot(pilot)
	if s.place.DC {
		v := si.Volts(0)
		if e.Stage == msg.StageCharging {
			v = s.volts
		}
		cable.Battery(v, standInAmps)
	} else {
		a := si.Phases{}
		if e.Stage == msg.StageCharging {
			a = si.Same(e.Limit)
		}
		cable.Draw(a)
	}
	if e.Stage != msg.StageStopped {
		s.ended = 0
		return
	}
	if s.ended++; s.ended >= replugAfter {
		cable.Unplug()
		s.gone = replugAfter
	}
}

// standInAmps is more than any module of the simulation gives.
const standInAmps si.Amps = 1000

func (s *standIn) look() (msg.EVSEView, bool) {
	v := s.view.Load()
	if v == nil {
		return msg.EVSEView{}, false
	}
	for _, e := range v.EVSEs {
		if e.ID == s.place.EVSE {
			return e, true
		}
	}
	return msg.EVSEView{}, false
}
