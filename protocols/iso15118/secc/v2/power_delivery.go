package v2

import (
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
)

// waitPowerDeliveryStart is the state in which the vehicle asks for energy, or gives up. The response waits for the
// contactor's feedback ([V2G2-860], [V2G2-862], [V2G2-865]).
type waitPowerDeliveryStart struct{}

func (waitPowerDeliveryStart) accepts(req v2.BodyElement) bool {
	_, ok := req.(*v2.PowerDeliveryReq)
	return ok
}

func (waitPowerDeliveryStart) handle(m *Machine, req v2.BodyElement) (v2.BodyElement, state) {
	r := req.(*v2.PowerDeliveryReq)
	switch {
	case r.ChargeProgress == v2.ChargeProgressStop:
		return m.stopPower(req)
	case r.ChargeProgress == v2.ChargeProgressRenegotiate:
		return m.fail(req, v2.ResponseCodeFailedSequenceError, secc.ClassSequence, "renegotiation before the charging began")
	case r.SAScheduleTupleID != tupleID:
		return m.fail(req, v2.ResponseCodeFailedTariffSelectionInvalid, secc.ClassParameter, "a schedule that was not offered")
	case r.ChargingProfile.Present && !m.offered.fits(r.ChargingProfile.Value):
		return m.fail(req, v2.ResponseCodeFailedChargingProfileInvalid, secc.ClassParameter, "the charging profile exceeds the schedule")
	case !m.Present.Ready:
		return m.fail(req, v2.ResponseCodeFailedPowerDeliveryNotApplied, secc.ClassHardware, "the EVSE is not ready")
	}
	m.Contactor(true)
	m.wait = &waiting{
		until: m.Now.Add(m.Timing.Contactor),
		done: func(m *Machine) (v2.BodyElement, state) {
			if !m.Present.Closed {
				return nil, nil
			}
			m.Enter(secc.StageCharging)
			if m.Cfg.DC {
				return &v2.PowerDeliveryRes{ResponseCode: v2.ResponseCodeOK, EVSEStatus: m.status()}, waitCurrentDemand{}
			}
			return &v2.PowerDeliveryRes{ResponseCode: v2.ResponseCodeOK, EVSEStatus: m.status()}, waitChargingStatus{}
		},
		late: func(m *Machine) (v2.BodyElement, state) {
			code := v2.ResponseCodeFailedContactorError
			if !m.Present.PilotWants {
				code = v2.ResponseCodeFailedPowerDeliveryNotApplied
			}
			return m.fail(req, code, secc.ClassHardware, "the contactor did not close in time")
		},
	}
	return nil, nil
}

// stopPower ends the flow of energy and waits until the contactor is open.
func (m *Machine) stopPower(req v2.BodyElement) (v2.BodyElement, state) {
	m.Module(secc.DCOff, 0, 0)
	m.Contactor(false)
	m.wait = &waiting{
		until: m.Now.Add(m.Timing.Contactor),
		done: func(m *Machine) (v2.BodyElement, state) {
			if m.Present.Closed {
				return nil, nil
			}
			m.Enter(secc.StageWelding)
			return &v2.PowerDeliveryRes{ResponseCode: v2.ResponseCodeOK, EVSEStatus: m.status()}, waitSessionStop{}
		},
		late: func(m *Machine) (v2.BodyElement, state) {
			return m.fail(req, v2.ResponseCodeFailedContactorError, secc.ClassHardware, "the contactor did not open in time")
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
		// A DC vehicle goes through cable check and pre-charge again, without energy ([V2G2-565], [V2G2-582]).
		if m.Cfg.DC {
			m.Module(secc.DCOff, 0, 0)
			m.Contactor(false)
		}
		return &v2.PowerDeliveryRes{ResponseCode: v2.ResponseCodeOK, EVSEStatus: m.status()}, waitChargeParameterDiscovery{}
	}
	return m.fail(r, v2.ResponseCodeFailedSequenceError, secc.ClassSequence, "the charging has begun already")
}
