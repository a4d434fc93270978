package station

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/ocpp/profile"
	role "github.com/voltyard/voltyard/protocols/ocpp/station"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// outlet is the physics of one EVSE.
type outlet struct {
	car     *Car
	visit   Visit
	came    time.Time
	allowed bool
	limit   profile.Limit
	amps    si.Amps // now, per phase in use
	taken   si.WattHours
	energy  si.WattHours // register
	fullAt  time.Time
	told    time.Time // of the last reading
	ever    bool      // this vehicle was allowed to charge
	shown   time.Time // when its token was shown last
	tries   int
}

const (
	rampUp   = 8               // A/s
	least    = 6               // A: under it a vehicle pauses (IEC 61851-1)
	leaves   = 3 * time.Second // after it is full
	readings = time.Second
	tryAgain = 3 * time.Second // a driver whose card was not taken
	maxTries = 5
)

// physics moves the simulated world on.
func (s *Station) physics(ctx actor.Context, now time.Time) {
	d := now.Sub(s.last)
	s.last = now
	for len(s.visits) > 0 && now.Sub(s.began) >= s.visits[0].After {
		v := s.visits[0]
		s.visits = s.visits[1:]
		s.arrive(ctx, v)
	}
	var sum si.Phases
	for i := range s.outlets {
		o := &s.outlets[i]
		s.move(ctx, i+1, o, now, d)
		for ph := range o.phases() {
			sum[ph] += o.amps
		}
	}
	if s.cfg.Load != nil {
		s.cfg.Load(sum)
	}
}

func (o *outlet) phases() int {
	if o.car == nil {
		return 0
	}
	return min(max(o.car.Phases, 1), 3)
}

// target is what the vehicle takes when it has settled.
func (o *outlet) target(volts si.Volts) si.Amps {
	if o.car == nil || !o.allowed || o.full() {
		return 0
	}
	n := o.phases()
	if o.limit.Phases > 0 {
		n = min(n, o.limit.Phases)
	}
	a := min(o.car.MaxAmps, o.limit.Amps, (o.limit.Watts / si.Watts(max(n, 1))).At(volts))
	if a < least {
		return 0
	}
	return a
}

func (o *outlet) full() bool { return o.car != nil && o.car.Wanted > 0 && o.taken >= o.car.Wanted }

func (s *Station) move(ctx actor.Context, n int, o *outlet, now time.Time, d time.Duration) {
	if o.car == nil {
		return
	}
	o.ever = o.ever || o.allowed
	if !o.ever && o.visit.Token != "" && o.tries < maxTries && now.Sub(o.shown) > tryAgain { // as drivers do
		s.present(ctx, n, now, o)
	}
	want := o.target(s.cfg.Volts)
	if want < o.amps {
		o.amps = want
	} else {
		o.amps = min(want, o.amps+si.Amps(rampUp*d.Seconds()))
	}
	power := o.amps.Times(s.cfg.Volts) * si.Watts(o.phases())
	wh := si.WattHours(float64(power) * d.Hours() * s.cfg.Speed)
	o.energy += wh
	o.taken += wh
	if now.Sub(o.told) >= readings || o.amps == 0 && o.told.IsZero() {
		o.told = now
		s.read(ctx, n, o, power)
	}
	state := v201.ChargingStateEVConnected
	switch {
	case o.amps > 0:
		state = v201.ChargingStateCharging
	case o.full():
		state = v201.ChargingStateSuspendedEV
	case o.allowed:
		state = v201.ChargingStateSuspendedEVSE
	}
	if o.car != nil {
		s.step(ctx, role.Flow{EVSE: n, State: state, Phases: o.phases()})
	}
	switch {
	case o.full() && o.fullAt.IsZero():
		o.fullAt = now
	case !o.fullAt.IsZero() && now.Sub(o.fullAt) > leaves, o.visit.Stay > 0 && now.Sub(o.came) > o.visit.Stay:
		s.leave(ctx, n)
	}
}

func (s *Station) read(ctx actor.Context, n int, o *outlet, power si.Watts) {
	r := role.Reading{EVSE: n, Energy: o.energy, Power: power, Volts: [3]si.Volts{s.cfg.Volts, s.cfg.Volts, s.cfg.Volts}, SoC: -1}
	for ph := range o.phases() {
		r.Amps[ph] = o.amps
	}
	s.step(ctx, r)
}

func (s *Station) arrive(ctx actor.Context, v Visit) {
	n := max(v.EVSE, 1)
	if n > len(s.outlets) || s.outlets[n-1].car != nil {
		s.log.Info().Int("evse", n).Msg("a vehicle finds its place taken and drives on")
		return
	}
	o := &s.outlets[n-1]
	car := v.Car
	if car.MaxAmps <= 0 {
		car.MaxAmps = 32
	}
	if car.Phases == 0 {
		car.Phases = s.cfg.Phases
	}
	*o = outlet{car: &car, visit: v, came: time.Now(), limit: o.limit, energy: o.energy}
	s.read(ctx, n, o, 0)
	s.step(ctx, role.Plugged{EVSE: n})
	s.present(ctx, n, time.Now(), o)
}

// present shows the vehicle's token.
func (s *Station) present(ctx actor.Context, n int, now time.Time, o *outlet) {
	o.shown = now
	o.tries++
	token := v201.IdToken{Type: v201.IdTokenNoAuthorization}
	if o.visit.Token != "" {
		token = v201.IdToken{IdToken: o.visit.Token, Type: v201.IdTokenISO14443}
	}
	s.step(ctx, role.Presented{EVSE: n, Token: token})
}

func (s *Station) leave(ctx actor.Context, n int) {
	if n < 1 || n > len(s.outlets) || s.outlets[n-1].car == nil {
		return
	}
	o := &s.outlets[n-1]
	o.amps = 0
	s.read(ctx, n, o, 0)
	o.car, o.allowed = nil, false
	s.step(ctx, role.Unplugged{EVSE: n})
}
