package din

import (
	"github.com/voltyard/voltyard/protocols/iso15118/din"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
)

// startPower handles PowerDelivery after the pre-charge. The response waits for the contactor's feedback.
func (m *Machine) startPower(r *din.PowerDeliveryReq) (din.BodyElement, state) {
	profile, has := r.ChargingProfile.Get()
	switch {
	case !r.ReadyToChargeState:
		return m.stopPower(r)
	case has && profile.SAScheduleTupleID != tupleID:
		return m.fail(r, din.ResponseCodeFailedTariffSelectionInvalid, secc.ClassParameter, "a schedule that was not offered")
	case has && !m.fits(profile):
		return m.fail(r, din.ResponseCodeFailedChargingProfileInvalid, secc.ClassParameter, "the charging profile exceeds the schedule")
	case !m.Present.Ready || m.Present.Emergency:
		return m.fail(r, din.ResponseCodeFailedPowerDeliveryNotApplied, secc.ClassHardware, "the EVSE is not ready")
	}
	m.Contactor(true)
	m.Wait = &waiting{
		Until: m.Now.Add(m.Timing.Contactor),
		Done: func() (din.BodyElement, state) {
			if !m.Present.Closed {
				return nil, nil
			}
			m.Enter(secc.StageCharging)
			return m.power(), waitCurrentDemand{}
		},
		Late: func() (din.BodyElement, state) {
			return m.fail(r, din.ResponseCodeFailedPowerDeliveryNotApplied, secc.ClassHardware, "the contactor did not close in time")
		},
	}
	return nil, nil
}

// stopPower ends the flow of energy and waits until the contactor is open.
func (m *Machine) stopPower(r *din.PowerDeliveryReq) (din.BodyElement, state) {
	m.Module(secc.DCOff, 0, 0)
	m.Contactor(false)
	m.Wait = &waiting{
		Until: m.Now.Add(m.Timing.Contactor),
		Done: func() (din.BodyElement, state) {
			if m.Present.Closed {
				return nil, nil
			}
			m.Enter(secc.StageWelding)
			return m.power(), waitSessionStop{}
		},
		Late: func() (din.BodyElement, state) {
			return m.fail(r, din.ResponseCodeFailed, secc.ClassHardware, "the contactor did not open in time")
		},
	}
	return nil, nil
}

func (m *Machine) power() din.BodyElement {
	st := m.status()
	return &din.PowerDeliveryRes{ResponseCode: din.ResponseCodeOK, EVSEStatus: &st}
}
