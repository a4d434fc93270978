package ems

import (
	"fmt"
	"time"

	"github.com/voltyard/voltyard/actors/balancer"
	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/planner"
	"github.com/voltyard/voltyard/configs"
	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/si"
)

// silence is how long an EVSE keeps its grant when the balancer is silent; grants are renewed at half of it.
const silence = 5 * time.Second

// energy completes what the balancer is told about plans, guards, generators and services for the grid.
func energy(bal *balancer.Config, s *configs.Site) error {
	var err error
	if bal.Guards, err = s.Guards(); err != nil {
		return err
	}
	if bal.Tariff, err = s.EnergyTariff(); err != nil {
		return err
	}
	if bal.Response, err = s.FrequencyResponse(); err != nil {
		return err
	}
	if r := s.Response; r != nil {
		bal.Ramp, bal.DeadBand = si.Watts(r.RampWS), si.Watts(r.DeadBandW)
	}
	bal.Lease.Lease = silence
	bal.PlanOff, bal.Reserve = s.Plan.Off, si.Percent(s.Plan.ReserveSoC)
	bal.Kinds = map[string]string{}
	for _, n := range s.Nodes {
		if n.Meter != "" && (n.Kind == "pv" || n.Kind == "battery") {
			bal.Kinds[n.ID] = n.Kind
		}
	}
	return nil
}

// aside are the actors that the balancer works with besides meters: the planner, and a poller for each digital input.
func aside(env *kit.Env, s *configs.Site, inputs map[string]hal.DigitalInput) ([]Child, error) {
	var out []Child
	if !s.Plan.Off {
		out = append(out, Child{"planner", "planner", planner.New(env)})
	}
	for _, in := range s.Inputs {
		d := inputs[in.ID]
		if d == nil {
			return nil, fmt.Errorf("digital input %s: driver %q is not there", in.ID, in.Driver)
		}
		out = append(out, Child{"input", "input-" + in.ID, balancer.NewInputPoller(env, in.ID, d)})
	}
	return out, nil
}
