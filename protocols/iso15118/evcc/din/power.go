package din

import (
	"errors"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/din"
	"github.com/voltyard/voltyard/protocols/iso15118/evcc"
)

// powerStart asks for energy.
type powerStart struct{}

func (powerStart) patience(m *Machine) (message, whole time.Duration) { return m.Timing.Long, 0 }

func (powerStart) request(m *Machine) din.BodyElement { return m.powerDelivery(true) }

func (powerStart) handle(m *Machine, res din.BodyElement) (state, time.Duration, error) {
	r, ok := res.(*din.PowerDeliveryRes)
	if !ok {
		return nil, 0, wrong(res)
	}
	m.began = time.Time{}
	return currentDemand{}, 0, check(r.ResponseCode)
}

func (m *Machine) powerDelivery(ready bool) din.BodyElement {
	return &din.PowerDeliveryReq{ReadyToChargeState: ready,
		DCEVPowerDeliveryParameter: exi.Some(din.DCEVPowerDeliveryParameter{DCEVStatus: m.status(), ChargingComplete: !ready})}
}

// currentDemand is the charging loop: the vehicle asks, the EVSE gives at most that.
type currentDemand struct{}

func (currentDemand) patience(m *Machine) (message, whole time.Duration) {
	return m.Timing.CurrentDemand, 0
}

func (currentDemand) request(m *Machine) din.BodyElement {
	v := &m.Vehicle
	target := v.MaxAmps
	if m.Stop {
		target = 0
	}
	return &din.CurrentDemandReq{DCEVStatus: m.status(), EVTargetCurrent: din.Amps(target), EVTargetVoltage: din.Volts(v.MaxVolts),
		EVMaximumVoltageLimit: exi.Some(din.Volts(v.MaxVolts)), EVMaximumCurrentLimit: exi.Some(din.Amps(v.MaxAmps)),
		EVMaximumPowerLimit: exi.Some(din.Watts(v.MaxWatts)), ChargingComplete: m.Stop}
}

// smallCurrent is what may still flow when the vehicle ends its charging, A.
const smallCurrent = 5

func (s currentDemand) handle(m *Machine, res din.BodyElement) (state, time.Duration, error) {
	r, ok := res.(*din.CurrentDemandRes)
	if !ok {
		return nil, 0, wrong(res)
	}
	if err := check(r.ResponseCode); err != nil {
		return nil, 0, err
	}
	st := r.DCEVSEStatus
	switch st.EVSEStatusCode {
	case din.DCEVSEStatusCodeEVSEMalfunction:
		return nil, 0, errors.New("the EVSE reports " + st.EVSEStatusCode.String())
	case din.DCEVSEStatusCodeEVSEShutdown, din.DCEVSEStatusCodeEVSEEmergencyShutdown:
		m.Stop = true
	}
	m.Stop = m.Stop || st.EVSENotification == din.EVSENotificationStopCharging
	emergency := st.EVSEStatusCode == din.DCEVSEStatusCodeEVSEEmergencyShutdown
	if m.Stop && (emergency || r.EVSEPresentCurrent.Float() < smallCurrent) {
		m.SetDraw(evcc.Draw{})
		return powerStop{}, 0, nil
	}
	m.SetDraw(evcc.Draw{Amps: si.Amps(max(0, r.EVSEMaximumCurrentLimit.Value.Float())), Watts: si.Watts(max(0, r.EVSEMaximumPowerLimit.Value.Float()))})
	return s, m.Timing.Loop, nil
}
