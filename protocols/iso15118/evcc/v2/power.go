package v2

import (
	"errors"
	"time"

	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/evcc"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
)

// powerStart asks for energy.
type powerStart struct{ tuple uint8 }

func (powerStart) patience(m *Machine) (message, whole time.Duration) { return m.Timing.Long, 0 }

func (s powerStart) request(m *Machine) v2.BodyElement {
	return m.powerDelivery(v2.ChargeProgressStart, s.tuple)
}

func (s powerStart) handle(m *Machine, res v2.BodyElement) (state, time.Duration, error) {
	r, ok := res.(*v2.PowerDeliveryRes)
	if !ok {
		return nil, 0, wrong(res)
	}
	if err := check(r.ResponseCode); err != nil {
		return nil, 0, err
	}
	if m.Cfg.DC {
		return currentDemand(s), 0, nil
	}
	return chargingStatus(s), 0, nil
}

func (m *Machine) powerDelivery(p v2.ChargeProgress, tuple uint8) v2.BodyElement {
	req := &v2.PowerDeliveryReq{ChargeProgress: p, SAScheduleTupleID: tuple}
	if m.Cfg.DC {
		req.DCEVPowerDeliveryParameter = exi.Some(v2.DCEVPowerDeliveryParameter{DCEVStatus: m.status(), ChargingComplete: p == v2.ChargeProgressStop})
	}
	return req
}

// powerStop ends the flow of energy. The vehicle has stopped drawing before.
type powerStop struct{ tuple uint8 }

func (powerStop) patience(m *Machine) (message, whole time.Duration) { return m.Timing.Long, 0 }

func (s powerStop) request(m *Machine) v2.BodyElement {
	return m.powerDelivery(v2.ChargeProgressStop, s.tuple)
}

func (powerStop) handle(m *Machine, res v2.BodyElement) (state, time.Duration, error) {
	r, ok := res.(*v2.PowerDeliveryRes)
	if !ok {
		return nil, 0, wrong(res)
	}
	if err := check(r.ResponseCode); err != nil {
		return nil, 0, err
	}
	m.SetRelays(false)
	m.SetPilot(false)
	if m.Cfg.DC {
		return weldingDetection{}, 0, nil
	}
	return sessionStop{}, 0, nil
}

// chargingStatus is the loop of AC charging: the vehicle draws what the last response granted.
type chargingStatus struct{ tuple uint8 }

func (chargingStatus) patience(m *Machine) (message, whole time.Duration) {
	return m.Timing.Message, 0
}

func (chargingStatus) request(*Machine) v2.BodyElement { return &v2.ChargingStatusReq{} }

func (s chargingStatus) handle(m *Machine, res v2.BodyElement) (state, time.Duration, error) {
	r, ok := res.(*v2.ChargingStatusRes)
	if !ok {
		return nil, 0, wrong(res)
	}
	if err := check(r.ResponseCode); err != nil {
		return nil, 0, err
	}
	m.Stop = m.Stop || r.ACEVSEStatus.EVSENotification == v2.EVSENotificationStopCharging
	if r.ACEVSEStatus.RCD {
		return nil, 0, errors.New("the EVSE reports a residual current")
	}
	if m.Stop {
		m.SetDraw(evcc.Draw{})
		return powerStop(s), 0, nil
	}
	d := evcc.Draw{Amps: m.Rated} // what was agreed holds where the response says nothing
	if r.EVSEMaxCurrent.Present {
		d.Amps = amps(r.EVSEMaxCurrent)
	}
	m.SetDraw(d)
	return s, m.Timing.Loop, nil
}

// currentDemand is the loop of DC charging: the vehicle asks, the EVSE gives at most that.
type currentDemand struct{ tuple uint8 }

func (currentDemand) patience(m *Machine) (message, whole time.Duration) {
	return m.Timing.CurrentDemand, 0
}

func (currentDemand) request(m *Machine) v2.BodyElement {
	v := &m.Vehicle
	target := v.MaxAmps
	if m.Stop {
		target = 0
	}
	return &v2.CurrentDemandReq{DCEVStatus: m.status(), EVTargetCurrent: v2.Amps(target), EVTargetVoltage: v2.Volts(v.MaxVolts),
		EVMaximumVoltageLimit: exi.Some(v2.Volts(v.MaxVolts)), EVMaximumCurrentLimit: exi.Some(v2.Amps(v.MaxAmps)),
		EVMaximumPowerLimit: exi.Some(v2.Watts(v.MaxWatts)), ChargingComplete: m.Stop}
}

func (s currentDemand) handle(m *Machine, res v2.BodyElement) (state, time.Duration, error) {
	r, ok := res.(*v2.CurrentDemandRes)
	if !ok {
		return nil, 0, wrong(res)
	}
	if err := check(r.ResponseCode); err != nil {
		return nil, 0, err
	}
	st := r.DCEVSEStatus
	switch st.EVSEStatusCode {
	case v2.DCEVSEStatusCodeEVSEEmergencyShutdown, v2.DCEVSEStatusCodeEVSEMalfunction:
		return nil, 0, errors.New("the EVSE reports " + st.EVSEStatusCode.String())
	case v2.DCEVSEStatusCodeEVSEShutdown:
		m.Stop = true
	}
	m.Stop = m.Stop || st.EVSENotification == v2.EVSENotificationStopCharging
	if m.Stop && r.EVSEPresentCurrent.Float() < 5 {
		m.SetDraw(evcc.Draw{})
		return powerStop(s), 0, nil
	}
	m.SetDraw(evcc.Draw{Amps: amps(r.EVSEMaximumCurrentLimit), Watts: watts(r.EVSEMaximumPowerLimit)})
	return s, m.Timing.Loop, nil
}
