package v2

import (
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
)

// chargeParameterDiscovery tells what the vehicle can do and wants.
type chargeParameterDiscovery struct{ usual }

func (chargeParameterDiscovery) request(m *Machine) v2.BodyElement {
	v := &m.Vehicle
	depart := exi.Optional[uint32]{}
	if v.Depart > 0 {
		depart = exi.Some(uint32(v.Depart / time.Second))
	}
	req := &v2.ChargeParameterDiscoveryReq{RequestedEnergyTransferMode: m.transferMode()}
	if m.Cfg.DC {
		req.EVChargeParameter = &v2.DCEVChargeParameter{DepartureTime: depart, DCEVStatus: m.status(),
			EVMaximumCurrentLimit: v2.Amps(v.MaxAmps), EVMaximumPowerLimit: exi.Some(v2.Watts(v.MaxWatts)), EVMaximumVoltageLimit: v2.Volts(v.MaxVolts),
			EVEnergyCapacity: exi.Some(v2.WattHours(v.Capacity)), EVEnergyRequest: exi.Some(v2.WattHours(v.Energy)),
			FullSOC: exi.Some(int8(100))}
	} else {
		req.EVChargeParameter = &v2.ACEVChargeParameter{DepartureTime: depart, EAmount: v2.WattHours(v.Energy),
			EVMaxVoltage: v2.Volts(v.MaxVolts), EVMaxCurrent: v2.Amps(v.MaxAmps), EVMinCurrent: v2.Amps(v.MinAmps)}
	}
	return req
}

func (s chargeParameterDiscovery) handle(m *Machine, res v2.BodyElement) (state, time.Duration, error) {
	r, ok := res.(*v2.ChargeParameterDiscoveryRes)
	if !ok {
		return nil, 0, wrong(res)
	}
	if err := check(r.ResponseCode); err != nil {
		return nil, 0, err
	}
	if r.EVSEProcessing != v2.EVSEProcessingFinished {
		return s, m.Timing.Poll, nil
	}
	if l := r.SAScheduleList.Value.SAScheduleTuple; len(l) > 0 { // the first will do: this vehicle is in no hurry
		m.tuple, m.schedule = l[0].SAScheduleTupleID, l[0].PMaxSchedule.PMaxScheduleEntry
	}
	if p, ok := r.EVSEChargeParameter.(*v2.ACEVSEChargeParameter); ok {
		m.Rated = si.Amps(max(0, p.EVSEMaxCurrent.Float()))
	}
	switch {
	case m.Stop && m.Ready: // after a renegotiation
		return powerStop{}, 0, nil
	case m.Stop:
		return sessionStop{}, 0, nil
	}
	m.SetPilot(true)
	if m.Cfg.DC {
		return cableCheck{}, 0, nil
	}
	return powerStart{}, 0, nil
}

func (m *Machine) status() v2.DCEVStatus {
	return v2.DCEVStatus{EVReady: m.Ready, EVErrorCode: v2.DCEVErrorCodeNOERROR, EVRESSSOC: int8(max(0, min(100, m.Vehicle.SoC)))}
}
