package din

import (
	"errors"
	"math"
	"time"

	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/din"
	"github.com/voltyard/voltyard/protocols/iso15118/evcc/base"
)

// chargeParameterDiscovery tells what the vehicle can do and wants.
type chargeParameterDiscovery struct{ usual }

func (chargeParameterDiscovery) request(m *Machine) din.BodyElement {
	v := &m.Vehicle
	return &din.ChargeParameterDiscoveryReq{EVRequestedEnergyTransferType: din.EVRequestedEnergyTransferDCExtended,
		EVChargeParameter: &din.DCEVChargeParameter{DCEVStatus: m.status(),
			EVMaximumCurrentLimit: din.Amps(v.MaxAmps), EVMaximumPowerLimit: exi.Some(din.Watts(v.MaxWatts)), EVMaximumVoltageLimit: din.Volts(v.MaxVolts),
			EVEnergyCapacity: exi.Some(din.WattHours(v.Capacity)), EVEnergyRequest: exi.Some(din.WattHours(v.Energy)), FullSOC: exi.Some(int8(100))}}
}

func (s chargeParameterDiscovery) handle(m *Machine, res din.BodyElement) (state, time.Duration, error) {
	r, ok := res.(*din.ChargeParameterDiscoveryRes)
	if !ok {
		return nil, 0, wrong(res)
	}
	if err := check(r.ResponseCode); err != nil {
		return nil, 0, err
	}
	switch {
	case r.EVSEProcessing != din.EVSEProcessingFinished:
		return s, m.Timing.Poll, nil
	case m.Stop:
		return sessionStop{}, 0, nil
	}
	m.SetPilot(true)
	return cableCheck{}, 0, nil
}

func (m *Machine) status() din.DCEVStatus {
	return din.DCEVStatus{EVReady: m.Ready, EVErrorCode: din.DCEVErrorCodeNOERROR, EVRESSSOC: int8(max(0, min(100, m.Vehicle.SoC)))}
}

// cableCheck waits until the EVSE has tested the insulation.
type cableCheck struct{}

func (cableCheck) patience(m *Machine) (message, whole time.Duration) {
	return m.Timing.Message, m.Timing.CableCheck
}

func (cableCheck) request(m *Machine) din.BodyElement {
	return &din.CableCheckReq{DCEVStatus: m.status()}
}

func (s cableCheck) handle(m *Machine, res din.BodyElement) (state, time.Duration, error) {
	r, ok := res.(*din.CableCheckRes)
	if !ok {
		return nil, 0, wrong(res)
	}
	if err := check(r.ResponseCode); err != nil {
		return nil, 0, err
	}
	if r.EVSEProcessing != din.EVSEProcessingFinished {
		return s, m.Timing.Poll, nil
	}
	if iso, ok := r.DCEVSEStatus.EVSEIsolationStatus.Get(); ok && iso == din.IsolationLevelFault {
		return nil, 0, errors.New("the EVSE found an insulation fault")
	}
	return preCharge{}, 0, nil
}

// preCharge waits until the EVSE's voltage matches the battery's, then closes the relays.
type preCharge struct{}

func (preCharge) patience(m *Machine) (message, whole time.Duration) {
	return m.Timing.Message, m.Timing.PreCharge
}

func (preCharge) request(m *Machine) din.BodyElement {
	return &din.PreChargeReq{DCEVStatus: m.status(), EVTargetVoltage: din.Volts(m.Vehicle.Battery), EVTargetCurrent: din.Amps(1)}
}

func (s preCharge) handle(m *Machine, res din.BodyElement) (state, time.Duration, error) {
	r, ok := res.(*din.PreChargeRes)
	if !ok {
		return nil, 0, wrong(res)
	}
	if err := check(r.ResponseCode); err != nil {
		return nil, 0, err
	}
	if math.Abs(r.EVSEPresentVoltage.Float()-float64(m.Vehicle.Battery)) > float64(base.CloseEnough) {
		return s, m.Timing.Poll / 2, nil
	}
	m.SetRelays(true)
	return powerStart{}, 0, nil
}
