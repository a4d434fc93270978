package v2

import (
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
)

// waitCableCheck is the state in which the insulation of the cable is tested, with the vehicle's relays open.
type waitCableCheck struct{ testing bool }

func (waitCableCheck) accepts(req v2.BodyElement) bool {
	_, ok := req.(*v2.CableCheckReq)
	return ok
}

func (s waitCableCheck) handle(m *Machine, req v2.BodyElement) (v2.BodyElement, state) {
	m.Enter(secc.StageCable)
	if !s.testing {
		m.began = m.Now
		m.Present.Isolation = secc.IsolationTesting // the last result does not count
		m.Module(secc.DCCableCheck, m.CableVolts(), 0)
		return m.cable(v2.EVSEProcessingOngoing), waitCableCheck{testing: true}
	}
	switch {
	case m.Present.Isolation == secc.IsolationFault || !m.Present.Ready:
		return m.fail(req, v2.ResponseCodeFailed, secc.ClassHardware, "insulation fault in the cable check")
	case m.Present.Isolation == secc.IsolationValid:
		m.ModuleOff()
		return m.cable(v2.EVSEProcessingFinished), waitPreCharge{}
	case m.Now.Sub(m.began) > m.Timing.CableCheck:
		return m.fail(req, v2.ResponseCodeFailed, secc.ClassTimeout, "the cable check took too long")
	}
	return m.cable(v2.EVSEProcessingOngoing), s
}

func (m *Machine) cable(p v2.EVSEProcessing) v2.BodyElement {
	return &v2.CableCheckRes{ResponseCode: v2.ResponseCodeOK, DCEVSEStatus: m.dcStatus(), EVSEProcessing: p}
}
