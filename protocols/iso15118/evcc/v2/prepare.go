package v2

import (
	"errors"
	"math"
	"time"

	"github.com/voltyard/voltyard/protocols/iso15118/evcc/base"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
)

// cableCheck waits until the EVSE has tested the insulation.
type cableCheck struct{}

func (cableCheck) patience(m *Machine) (message, whole time.Duration) {
	return m.Timing.Message, m.Timing.CableCheck
}

func (cableCheck) request(m *Machine) v2.BodyElement {
	return &v2.CableCheckReq{DCEVStatus: m.status()}
}

func (s cableCheck) handle(m *Machine, res v2.BodyElement) (state, time.Duration, error) {
	r, ok := res.(*v2.CableCheckRes)
	if !ok {
		return nil, 0, wrong(res)
	}
	if err := check(r.ResponseCode); err != nil {
		return nil, 0, err
	}
	if r.EVSEProcessing != v2.EVSEProcessingFinished {
		return s, m.Timing.Poll, nil
	}
	if iso, ok := r.DCEVSEStatus.EVSEIsolationStatus.Get(); ok && iso == v2.IsolationLevelFault {
		return nil, 0, errors.New("the EVSE found an insulation fault")
	}
	return preCharge{}, 0, nil
}

// preCharge waits until the EVSE's voltage matches the battery's, then closes the relays.
type preCharge struct{}

func (preCharge) patience(m *Machine) (message, whole time.Duration) {
	return m.Timing.Message, m.Timing.PreCharge
}

func (preCharge) request(m *Machine) v2.BodyElement {
	return &v2.PreChargeReq{DCEVStatus: m.status(), EVTargetVoltage: v2.Volts(m.Vehicle.Battery), EVTargetCurrent: v2.Amps(1)}
}

func (s preCharge) handle(m *Machine, res v2.BodyElement) (state, time.Duration, error) {
	r, ok := res.(*v2.PreChargeRes)
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
