package din

import (
	"github.com/voltyard/voltyard/protocols/iso15118/din"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
)

// waitCableCheck is the state in which the insulation of the cable is tested, with the vehicle's relays open.
type waitCableCheck struct{ testing bool }

func (waitCableCheck) accepts(req din.BodyElement) bool {
	_, ok := req.(*din.CableCheckReq)
	return ok
}

func (s waitCableCheck) handle(m *Machine, req din.BodyElement) (din.BodyElement, state) {
	m.Enter(secc.StageCable)
	if !s.testing {
		m.began = m.Now
		m.Present.Isolation = secc.IsolationTesting // the last result does not count
		m.Module(secc.DCCableCheck, m.CableVolts(), 0)
		return m.cable(din.EVSEProcessingOngoing), waitCableCheck{testing: true}
	}
	switch {
	case m.Present.Isolation == secc.IsolationFault || !m.Present.Ready:
		return m.fail(req, din.ResponseCodeFailed, secc.ClassHardware, "insulation fault in the cable check")
	case m.Present.Isolation == secc.IsolationValid:
		m.ModuleOff()
		return m.cable(din.EVSEProcessingFinished), waitPreCharge{}
	case m.Now.Sub(m.began) > m.Timing.CableCheck:
		return m.fail(req, din.ResponseCodeFailed, secc.ClassTimeout, "the cable check took too long")
	}
	return m.cable(din.EVSEProcessingOngoing), s
}

func (m *Machine) cable(p din.EVSEProcessing) din.BodyElement {
	return &din.CableCheckRes{ResponseCode: din.ResponseCodeOK, DCEVSEStatus: m.status(), EVSEProcessing: p}
}
