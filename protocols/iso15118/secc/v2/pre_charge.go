package v2

import (
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
	"github.com/voltyard/voltyard/protocols/iso15118/secc/base"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
)

// waitPreCharge is the state in which the EVSE matches the vehicle's voltage. The vehicle decides when it is close enough.
type waitPreCharge struct{ begun bool }

func (s waitPreCharge) accepts(req v2.BodyElement) bool {
	switch req.(type) {
	case *v2.PreChargeReq:
		return true
	case *v2.PowerDeliveryReq:
		return s.begun
	}
	return false
}

func (s waitPreCharge) handle(m *Machine, req v2.BodyElement) (v2.BodyElement, state) {
	r, ok := req.(*v2.PreChargeReq)
	if !ok {
		return waitPowerDeliveryStart{}.handle(m, req)
	}
	m.Enter(secc.StagePreCharge)
	if !s.begun {
		m.began = m.Now
	}
	v := si.Volts(r.EVTargetVoltage.Float())
	switch {
	case !m.MayPreCharge(v):
		return m.fail(req, v2.ResponseCodeFailedWrongChargeParameter, secc.ClassParameter, "pre-charge to a voltage that vehicle or EVSE cannot have")
	case !m.Present.Ready:
		return m.fail(req, v2.ResponseCodeFailed, secc.ClassHardware, "the power module failed in the pre-charge")
	case m.Now.Sub(m.began) > m.Timing.PreCharge:
		return m.fail(req, v2.ResponseCodeFailed, secc.ClassTimeout, "the pre-charge took too long")
	}
	m.Module(secc.DCPreCharge, v, min(base.PreChargeAmps, si.Amps(max(0, r.EVTargetCurrent.Float()))))
	return &v2.PreChargeRes{ResponseCode: v2.ResponseCodeOK, DCEVSEStatus: m.dcStatus(), EVSEPresentVoltage: v2.Volts(m.Present.Volts)}, waitPreCharge{begun: true}
}
