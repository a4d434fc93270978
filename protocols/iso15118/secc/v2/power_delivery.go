package v2

import (
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
)

// waitPowerDeliveryStart is the state in which the vehicle asks for energy, or gives up.
type waitPowerDeliveryStart struct{}

func (waitPowerDeliveryStart) accepts(req v2.BodyElement) bool {
	_, ok := req.(*v2.PowerDeliveryReq)
	return ok
}

func (waitPowerDeliveryStart) handle(m *Machine, req v2.BodyElement) (v2.BodyElement, state) {
	r := req.(*v2.PowerDeliveryReq)
	switch r.ChargeProgress {
	case v2.ChargeProgressStop:
		return m.stopPower(r)
	case v2.ChargeProgressRenegotiate:
		return m.fail(req, v2.ResponseCodeFailedSequenceError, secc.ClassSequence, "renegotiation before the charging began")
	}
	t, ok := m.offered.find(r.SAScheduleTupleID)
	switch {
	case !ok:
		return m.fail(req, v2.ResponseCodeFailedTariffSelectionInvalid, secc.ClassParameter, "a schedule that was not offered")
	case r.ChargingProfile.Present && !fits(t, r.ChargingProfile.Value):
		return m.fail(req, v2.ResponseCodeFailedChargingProfileInvalid, secc.ClassParameter, "the charging profile exceeds the schedule")
	case !m.Present.Ready || m.Present.Emergency:
		return m.fail(req, v2.ResponseCodeFailedPowerDeliveryNotApplied, secc.ClassHardware, "the EVSE is not ready")
	}
	m.tuple = t.ID
	m.Out = append(m.Out, chosen(t, r.ChargingProfile))
	return m.startPower(r)
}

// startPower closes the contactor, unless it is closed since before a renegotiation. The response waits for its feedback
// ([V2G2-860], [V2G2-862], [V2G2-865]), and before that for state C of the pilot ([V2G2-916]).
func (m *Machine) startPower(r *v2.PowerDeliveryReq) (v2.BodyElement, state) {
	if !m.Closed {
		m.Contactor(true)
	}
	loop := state(waitChargingStatus{})
	if m.Cfg.DC {
		loop = waitCurrentDemand{}
	}
	wants := m.Present.PilotWants
	w := &waiting{Until: m.Now.Add(m.Timing.CPState)}
	if wants {
		w.Until = m.Now.Add(m.Timing.Contactor)
	}
	w.Done = func() (v2.BodyElement, state) {
		switch {
		case m.Present.Closed:
			m.Enter(secc.StageCharging)
			m.receipt.since = m.Now
			return &v2.PowerDeliveryRes{ResponseCode: v2.ResponseCodeOK, EVSEStatus: m.status()}, loop
		case !wants && m.Present.PilotWants:
			wants = true
			w.Until = m.Now.Add(m.Timing.Contactor)
			m.SetDeadline(w.Until)
		}
		return nil, nil
	}
	w.Late = func() (v2.BodyElement, state) {
		if !m.Present.PilotWants {
			return m.fail(r, v2.ResponseCodeFailedPowerDeliveryNotApplied, secc.ClassHardware, "the vehicle did not show state C on the pilot in time")
		}
		return m.fail(r, v2.ResponseCodeFailedContactorError, secc.ClassHardware, "the contactor did not close in time")
	}
	m.Wait = w
	return nil, nil
}

// stopPower ends the flow of energy and waits until the contactor is open.
func (m *Machine) stopPower(r *v2.PowerDeliveryReq) (v2.BodyElement, state) {
	return m.open(r, func() state {
		m.Enter(secc.StageWelding)
		return waitSessionStop{}
	})
}

// open switches off, and answers with the next state once the contactor is open.
func (m *Machine) open(r *v2.PowerDeliveryReq, next func() state) (v2.BodyElement, state) {
	m.Module(secc.DCOff, 0, 0)
	m.Contactor(false)
	m.Wait = &waiting{
		Until: m.Now.Add(m.Timing.Contactor),
		Done: func() (v2.BodyElement, state) {
			if m.Present.Closed {
				return nil, nil
			}
			st := next()
			return &v2.PowerDeliveryRes{ResponseCode: v2.ResponseCodeOK, EVSEStatus: m.status()}, st
		},
		Late: func() (v2.BodyElement, state) {
			return m.fail(r, v2.ResponseCodeFailedContactorError, secc.ClassHardware, "the contactor did not open in time")
		},
	}
	return nil, nil
}

// inLoop handles PowerDelivery during the charging loop.
func (m *Machine) inLoop(r *v2.PowerDeliveryReq) (v2.BodyElement, state) {
	switch r.ChargeProgress {
	case v2.ChargeProgressStop:
		return m.stopPower(r)
	case v2.ChargeProgressRenegotiate:
		m.obeys, m.again = m.again, false
		m.current = m.current && m.obeys // what it asks for of its own accord needs a new answer
		if m.Cfg.DC {                    // through cable check and pre-charge again, without energy ([V2G2-565], [V2G2-582])
			return m.open(r, func() state {
				m.Enter(secc.StageParams)
				return waitChargeParameterDiscovery{}
			})
		}
		return &v2.PowerDeliveryRes{ResponseCode: v2.ResponseCodeOK, EVSEStatus: m.status()}, waitChargeParameterDiscovery{}
	}
	return m.fail(r, v2.ResponseCodeFailedSequenceError, secc.ClassSequence, "the charging has begun already")
}
