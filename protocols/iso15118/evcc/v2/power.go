package v2

import (
	"errors"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/evcc"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
)

// powerStart asks for energy.
type powerStart struct{}

func (powerStart) patience(m *Machine) (message, whole time.Duration) { return m.Timing.Long, 0 }

func (powerStart) request(m *Machine) v2.BodyElement {
	return m.powerDelivery(v2.ChargeProgressStart)
}

func (powerStart) handle(m *Machine, res v2.BodyElement) (state, time.Duration, error) {
	r, ok := res.(*v2.PowerDeliveryRes)
	if !ok {
		return nil, 0, wrong(res)
	}
	if err := check(r.ResponseCode); err != nil {
		return nil, 0, err
	}
	if m.Cfg.DC {
		return currentDemand{}, 0, nil
	}
	return chargingStatus{}, 0, nil
}

func (m *Machine) powerDelivery(p v2.ChargeProgress) v2.BodyElement {
	req := &v2.PowerDeliveryReq{ChargeProgress: p, SAScheduleTupleID: m.tuple}
	if p == v2.ChargeProgressStart && len(m.schedule) > 0 {
		req.ChargingProfile = exi.Some(m.profile())
	}
	if m.Cfg.DC {
		req.DCEVPowerDeliveryParameter = exi.Some(v2.DCEVPowerDeliveryParameter{DCEVStatus: m.status(), ChargingComplete: p == v2.ChargeProgressStop})
	}
	return req
}

// maxProfile is how many entries a charging profile may have (ISO 15118-2, ChargingProfileType).
const maxProfile = 24

// profile follows the schedule as far as its entries reach, and draws no more than the vehicle can. Where a profile would be
// too long it ends with the least of what is left.
func (m *Machine) profile() v2.ChargingProfile {
	most := float64(m.Vehicle.MaxWatts)
	if !m.Cfg.DC {
		most = float64(m.Vehicle.MaxAmps.Times(m.Vehicle.MaxVolts)) * float64(max(1, m.Cfg.Phases))
	}
	var p v2.ChargingProfile
	for _, e := range m.schedule {
		w := min(most, e.PMax.Float())
		if n := len(p.ProfileEntry); n == maxProfile {
			last := &p.ProfileEntry[n-1].ChargingProfileEntryMaxPower
			*last = v2.Watts(si.Watts(min(last.Float(), w)))
			continue
		}
		p.ProfileEntry = append(p.ProfileEntry, v2.ProfileEntry{ChargingProfileEntryStart: e.RelativeTimeInterval.Start, ChargingProfileEntryMaxPower: v2.Watts(si.Watts(w))})
	}
	return p
}

// powerStop ends the flow of energy. The vehicle has stopped drawing before.
type powerStop struct{}

func (powerStop) patience(m *Machine) (message, whole time.Duration) { return m.Timing.Long, 0 }

func (powerStop) request(m *Machine) v2.BodyElement {
	return m.powerDelivery(v2.ChargeProgressStop)
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
type chargingStatus struct{}

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
	m.again = m.again || r.ACEVSEStatus.EVSENotification == v2.EVSENotificationReNegotiation
	switch {
	case m.Stop:
		m.SetDraw(evcc.Draw{})
		return powerStop{}, 0, nil
	case r.ReceiptRequired.Value && m.contract != nil:
		return meteringReceipt{info: &r.MeterInfo.Value, tuple: r.SAScheduleTupleID, back: s}, 0, nil
	case m.again:
		return renegotiate{}, 0, nil
	}
	d := evcc.Draw{Amps: m.Rated} // what was agreed holds where the response says nothing
	if r.EVSEMaxCurrent.Present {
		d.Amps = amps(r.EVSEMaxCurrent)
	}
	m.SetDraw(d)
	return s, m.Timing.Loop, nil
}

// smallCurrent is what may still flow when the vehicle ends its charging, A.
const smallCurrent = 5

// currentDemand is the loop of DC charging: the vehicle asks, the EVSE gives at most that.
type currentDemand struct{}

func (currentDemand) patience(m *Machine) (message, whole time.Duration) {
	return m.Timing.CurrentDemand, 0
}

func (currentDemand) request(m *Machine) v2.BodyElement {
	v := &m.Vehicle
	target := v.MaxAmps
	if m.Stop || m.again {
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
	case v2.DCEVSEStatusCodeEVSEMalfunction:
		return nil, 0, errors.New("the EVSE reports " + st.EVSEStatusCode.String())
	case v2.DCEVSEStatusCodeEVSEShutdown, v2.DCEVSEStatusCodeEVSEEmergencyShutdown:
		m.Stop = true
	}
	m.Stop = m.Stop || st.EVSENotification == v2.EVSENotificationStopCharging
	m.again = m.again || st.EVSENotification == v2.EVSENotificationReNegotiation
	emergency := st.EVSEStatusCode == v2.DCEVSEStatusCodeEVSEEmergencyShutdown
	low := emergency || r.EVSEPresentCurrent.Float() < smallCurrent
	switch {
	case m.Stop && low:
		m.SetDraw(evcc.Draw{})
		return powerStop{}, 0, nil
	case r.ReceiptRequired.Value && m.contract != nil:
		return meteringReceipt{info: &r.MeterInfo.Value, tuple: r.SAScheduleTupleID, back: s}, 0, nil
	case m.again && low:
		return renegotiate{}, 0, nil
	}
	m.SetDraw(evcc.Draw{Amps: amps(r.EVSEMaximumCurrentLimit), Watts: watts(r.EVSEMaximumPowerLimit)})
	return s, m.Timing.Loop, nil
}
