package v2

import (
	"errors"
	"math"
	"time"

	"github.com/voltyard/voltyard/protocols/iso15118/v2"
)

// cableCheck waits until the EVSE has tested the insulation.
type cableCheck struct{ tuple uint8 }

func (cableCheck) patience(m *Machine) (message, whole time.Duration) {
	return m.timing.Message, m.timing.CableCheck
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
		return s, m.timing.Poll, nil
	}
	if iso, ok := r.DCEVSEStatus.EVSEIsolationStatus.Get(); ok && iso == v2.IsolationLevelFault {
		return nil, 0, errors.New("the EVSE found an insulation fault")
	}
	return preCharge(s), 0, nil
}

// closeEnough is how far the EVSE's voltage may be from the battery's when the relays close, V.
const closeEnough = 20

// preCharge waits until the EVSE's voltage matches the battery's, then closes the relays.
type preCharge struct{ tuple uint8 }

func (preCharge) patience(m *Machine) (message, whole time.Duration) {
	return m.timing.Message, m.timing.PreCharge
}

func (preCharge) request(m *Machine) v2.BodyElement {
	return &v2.PreChargeReq{DCEVStatus: m.status(), EVTargetVoltage: v2.Volts(m.vehicle.Battery), EVTargetCurrent: v2.Amps(1)}
}

func (s preCharge) handle(m *Machine, res v2.BodyElement) (state, time.Duration, error) {
	r, ok := res.(*v2.PreChargeRes)
	if !ok {
		return nil, 0, wrong(res)
	}
	if err := check(r.ResponseCode); err != nil {
		return nil, 0, err
	}
	if math.Abs(r.EVSEPresentVoltage.Float()-float64(m.vehicle.Battery)) > closeEnough {
		return s, m.timing.Poll / 2, nil
	}
	m.setRelays(true)
	return powerStart(s), 0, nil
}
