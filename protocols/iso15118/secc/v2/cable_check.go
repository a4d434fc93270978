package v2

import (
	"github.com/voltyard/voltyard/hal/si"
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
	m.enter(secc.StageCable)
	if !s.testing {
		m.began = m.now
		m.present.Isolation = secc.IsolationTesting // the last result does not count
		m.module(secc.DCCableCheck, m.cableVolts(), 0)
		return m.cable(v2.EVSEProcessingOngoing), waitCableCheck{testing: true}
	}
	switch {
	case m.present.Isolation == secc.IsolationFault || !m.present.Ready:
		return m.fail(req, v2.ResponseCodeFailed, secc.ClassHardware, "insulation fault in the cable check")
	case m.present.Isolation == secc.IsolationValid:
		m.moduleOff()
		return m.cable(v2.EVSEProcessingFinished), waitPreCharge{}
	case m.now.Sub(m.began) > m.timing.CableCheck:
		return m.fail(req, v2.ResponseCodeFailed, secc.ClassTimeout, "the cable check took too long")
	}
	return m.cable(v2.EVSEProcessingOngoing), s
}

func (m *Machine) cable(p v2.EVSEProcessing) v2.BodyElement {
	return &v2.CableCheckRes{ResponseCode: v2.ResponseCodeOK, DCEVSEStatus: m.dcStatus(), EVSEProcessing: p}
}

// cableVolts is the test voltage (IEC 61851-23:2023): up to 500 V of the vehicle 50 V more, at most 500 V; above, a tenth more.
func (m *Machine) cableVolts() si.Volts {
	ev := m.needs.MaxVolts
	if ev <= 500 {
		return min(500, ev+50, m.present.MaxVolts)
	}
	return min(m.present.MaxVolts, si.Volts(1.1*float64(ev)))
}
