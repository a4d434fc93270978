package din

import (
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/iso15118/din"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
	"github.com/voltyard/voltyard/protocols/iso15118/secc/base"
)

// waitPreCharge is the state in which the EVSE matches the vehicle's voltage. The vehicle decides when it is close enough.
type waitPreCharge struct{ begun bool }

func (s waitPreCharge) accepts(req din.BodyElement) bool {
	switch req.(type) {
	case *din.PreChargeReq:
		return true
	case *din.PowerDeliveryReq:
		return s.begun
	}
	return false
}

func (s waitPreCharge) handle(m *Machine, req din.BodyElement) (din.BodyElement, state) {
	r, ok := req.(*din.PreChargeReq)
	if !ok {
		return m.startPower(req.(*din.PowerDeliveryReq))
	}
	m.Enter(secc.StagePreCharge)
	if !s.begun {
		m.began = m.Now
	}
	v := si.Volts(r.EVTargetVoltage.Float())
	switch {
	case !m.MayPreCharge(v):
		return m.fail(req, din.ResponseCodeFailedWrongChargeParameter, secc.ClassParameter, "pre-charge to a voltage that vehicle or EVSE cannot have")
	case !m.Present.Ready:
		return m.fail(req, din.ResponseCodeFailed, secc.ClassHardware, "the power module failed in the pre-charge")
	case m.Now.Sub(m.began) > m.Timing.PreCharge:
		return m.fail(req, din.ResponseCodeFailed, secc.ClassTimeout, "the pre-charge took too long")
	}
	m.Module(secc.DCPreCharge, v, min(base.PreChargeAmps, si.Amps(max(0, r.EVTargetCurrent.Float()))))
	return &din.PreChargeRes{ResponseCode: din.ResponseCodeOK, DCEVSEStatus: m.status(), EVSEPresentVoltage: din.Volts(m.Present.Volts)}, waitPreCharge{begun: true}
}
