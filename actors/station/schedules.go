package station

import (
	"math"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal/si"
	role "github.com/voltyard/voltyard/protocols/ocpp/station"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// asks tells the machine what a vehicle needs, in the words of OCPP (2.0.1 part 2, K15).
func (s *Station) asks(ctx actor.Context, n int, m msg.VehicleAsks) {
	cfg, needs := &s.cfg.Role.EVSEs[n-1], &m.Needs
	ev := role.EVNeeds{EVSE: n, Tuples: m.Entries, Again: m.Again}
	if needs.Departure > 0 {
		ev.Needs.DepartureTime = time.Now().Add(needs.Departure).Truncate(time.Second)
	}
	if cfg.DC {
		ev.Needs.RequestedEnergyTransfer = v201.EnergyTransferModeDC
		dc := &v201.DCChargingParameters{EvMaxCurrent: whole(needs.MaxCurrent), EvMaxVoltage: whole(needs.MaxVoltage),
			EnergyAmount: known(needs.Energy), EvMaxPower: known(needs.MaxPower), EvEnergyCapacity: known(needs.Capacity)}
		if needs.SoC >= 0 && needs.SoC <= 100 {
			dc.StateOfCharge = new(whole(needs.SoC))
		}
		ev.Needs.DcChargingParameters = dc
	} else {
		ev.Needs.RequestedEnergyTransfer = v201.EnergyTransferModeACSinglePhase
		volts := cfg.Rating.Volts
		if needs.Phases == 3 {
			ev.Needs.RequestedEnergyTransfer = v201.EnergyTransferModeACThreePhase
			volts *= si.Volts(math.Sqrt(3)) // between phases
		}
		ev.Needs.AcChargingParameters = &v201.ACChargingParameters{EnergyAmount: whole(needs.Energy), EvMinCurrent: whole(needs.MinCurrent),
			EvMaxCurrent: whole(needs.MaxCurrent), EvMaxVoltage: whole(volts)}
	}
	s.step(ctx, ev)
}

// whole rounds to what OCPP can say, a whole number; what no vehicle can mean counts as 0.
func whole[T ~float64](x T) int {
	if v := math.Round(float64(x)); v > 0 && v < math.MaxInt32 {
		return int(v)
	}
	return 0
}

func known[T ~float64](x T) *int {
	if v := whole(x); v > 0 {
		return &v
	}
	return nil
}

// offer passes the CSMS's schedules on to the vehicle.
func (s *Station) offer(ctx actor.Context, e role.Offer) {
	last := s.evses[e.EVSE-1]
	last.offer = nil
	m := msg.VehiclePlan{EVSE: s.id(e.EVSE), Source: msg.PlanOfCSMS, Renegotiate: e.Renegotiate}
	for i, o := range e.Schedules {
		t := msg.PlanTuple{ID: uint8(i + 1), End: role.OfferFor}
		for _, p := range o.Pieces {
			t.Entries = append(t.Entries, msg.PlanEntry{Start: p.Start, Max: p.Limit.Watts})
		}
		last.offer = append(last.offer, o.ID)
		m.Tuples = append(m.Tuples, t)
	}
	s.send(ctx, e.EVSE, m)
}

// chose tells the machine what a vehicle has chosen.
func (s *Station) chose(ctx actor.Context, n int, t msg.PlanTuple) {
	id := 1 // it was offered what the EVSE can do
	if i := int(t.ID) - 1; i >= 0 && i < len(s.evses[n-1].offer) {
		id = s.evses[n-1].offer[i]
	}
	sc := v201.ChargingSchedule{Id: id, ChargingRateUnit: v201.ChargingRateUnitW, Duration: new(int(t.End / time.Second))}
	for _, x := range t.Entries {
		if len(sc.ChargingSchedulePeriod) == 1024 { // as many as a schedule may have
			break
		}
		sc.ChargingSchedulePeriod = append(sc.ChargingSchedulePeriod, v201.ChargingSchedulePeriod{StartPeriod: int(x.Start / time.Second), Limit: float64(x.Max)})
	}
	if len(sc.ChargingSchedulePeriod) > 0 {
		s.step(ctx, role.EVSchedule{EVSE: n, From: time.Now(), Schedule: sc})
	}
}
