package v2

import (
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
)

// waitCurrentDemand is the loop of DC charging. The response comes from what was measured last: the vehicle waits 250 ms at
// most and the standard wants it within 25 ms.
type waitCurrentDemand struct{}

func (waitCurrentDemand) accepts(req v2.BodyElement) bool {
	switch req.(type) {
	case *v2.CurrentDemandReq, *v2.PowerDeliveryReq, *v2.MeteringReceiptReq:
		return true
	}
	return false
}

func (s waitCurrentDemand) handle(m *Machine, req v2.BodyElement) (v2.BodyElement, state) {
	switch r := req.(type) {
	case *v2.PowerDeliveryReq:
		return m.inLoop(r)
	case *v2.MeteringReceiptReq:
		return m.meteringReceipt(r, s)
	}
	r := req.(*v2.CurrentDemandReq)
	switch {
	case !m.Present.Ready && !m.Present.Emergency:
		return m.fail(req, v2.ResponseCodeFailed, secc.ClassHardware, "the EVSE failed while charging")
	case !m.Present.Closed && !m.Present.Emergency: // a lost lease, or a state of the pilot; it must not close again without a pre-charge
		return m.fail(req, v2.ResponseCodeFailed, secc.ClassHardware, "the contactor has opened while charging")
	case m.Overdue():
		return m.fail(req, v2.ResponseCodeFailed, secc.ClassTimeout, "the vehicle was asked to stop and goes on")
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
	p := &m.Present
	return &v2.CurrentDemandRes{ResponseCode: v2.ResponseCodeOK, DCEVSEStatus: m.dcStatus(),
		EVSEPresentVoltage: v2.Volts(p.Volts), EVSEPresentCurrent: v2.Amps(p.Amps),
		EVSECurrentLimitAchieved: amps >= p.MaxAmps, EVSEVoltageLimitAchieved: target >= p.MaxVolts,
		EVSEPowerLimitAchieved:  amps.Times(max(p.Volts, 1)) >= p.MaxWatts,
		EVSEMaximumVoltageLimit: exi.Some(v2.Volts(p.MaxVolts)), EVSEMaximumCurrentLimit: exi.Some(v2.Amps(p.MaxAmps)),
		EVSEMaximumPowerLimit: exi.Some(v2.Watts(p.MaxWatts)),
		EVSEID:                m.Cfg.EVSEID, SAScheduleTupleID: m.tuple, ReceiptRequired: exi.Some(m.receiptDue()), MeterInfo: exi.Some(m.meter())}, s
}
