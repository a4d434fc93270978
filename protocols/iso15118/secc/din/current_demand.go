package din

import (
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/din"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
)

// waitCurrentDemand is the charging loop. The response comes from what was measured last: the vehicle waits 250 ms at most.
type waitCurrentDemand struct{}

func (waitCurrentDemand) accepts(req din.BodyElement) bool {
	switch req.(type) {
	case *din.CurrentDemandReq, *din.PowerDeliveryReq:
		return true
	}
	return false
}

func (s waitCurrentDemand) handle(m *Machine, req din.BodyElement) (din.BodyElement, state) {
	r, ok := req.(*din.CurrentDemandReq)
	if !ok {
		p := req.(*din.PowerDeliveryReq)
		if p.ReadyToChargeState {
			return m.fail(req, din.ResponseCodeFailedSequenceError, secc.ClassSequence, "the charging has begun already")
		}
		return m.stopPower(p)
	}
	if !m.Present.Ready && !m.Present.Emergency {
		return m.fail(req, din.ResponseCodeFailed, secc.ClassHardware, "the EVSE failed while charging")
	}
	if !m.Present.Closed && !m.Present.Emergency { // a lost lease, or a state of the pilot; it must not close again without a pre-charge
		return m.fail(req, din.ResponseCodeFailed, secc.ClassHardware, "the contactor has opened while charging")
	}
	if m.Overdue() {
		return m.fail(req, din.ResponseCodeFailed, secc.ClassTimeout, "the vehicle was asked to stop and goes on")
	}
	n := m.Needs
	n.SoC = si.Percent(r.DCEVStatus.EVRESSSOC)
	if v, ok := r.EVMaximumCurrentLimit.Get(); ok {
		n.MaxAmps = si.Amps(v.Float())
	}
	if v, ok := r.EVMaximumPowerLimit.Get(); ok {
		n.MaxWatts = si.Watts(v.Float())
	}
	m.TellNeeds(n)
	target, amps := si.Volts(r.EVTargetVoltage.Float()), si.Amps(r.EVTargetCurrent.Float())
	if !m.Present.Emergency {
		m.Demand(target, amps)
	}
	return m.demand(din.ResponseCodeOK, target, amps), s
}

func (m *Machine) demand(code din.ResponseCode, target si.Volts, amps si.Amps) din.BodyElement {
	p := &m.Present
	return &din.CurrentDemandRes{ResponseCode: code, DCEVSEStatus: m.status(),
		EVSEPresentVoltage: din.Volts(p.Volts), EVSEPresentCurrent: din.Amps(p.Amps),
		EVSECurrentLimitAchieved: amps >= p.MaxAmps, EVSEVoltageLimitAchieved: target >= p.MaxVolts,
		EVSEPowerLimitAchieved:  amps.Times(max(p.Volts, 1)) >= p.MaxWatts,
		EVSEMaximumVoltageLimit: exi.Some(din.Volts(p.MaxVolts)), EVSEMaximumCurrentLimit: exi.Some(din.Amps(p.MaxAmps)),
		EVSEMaximumPowerLimit: exi.Some(din.Watts(p.MaxWatts))}
}
