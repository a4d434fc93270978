package v2

import (
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
)

// waitSessionStop is the state after the charging: a DC vehicle may test its relays, then the session ends or pauses.
type waitSessionStop struct{}

func (waitSessionStop) accepts(req v2.BodyElement) bool {
	switch req.(type) {
	case *v2.SessionStopReq, *v2.WeldingDetectionReq:
		return true
	}
	return false
}

func (s waitSessionStop) handle(m *Machine, req v2.BodyElement) (v2.BodyElement, state) {
	switch r := req.(type) {
	case *v2.WeldingDetectionReq:
		if !m.Cfg.DC {
			return m.fail(req, v2.ResponseCodeFailedSequenceError, secc.ClassSequence, "welding detection at an AC EVSE")
		}
		return &v2.WeldingDetectionRes{ResponseCode: v2.ResponseCodeOK, DCEVSEStatus: m.dcStatus(), EVSEPresentVoltage: v2.Volts(m.Present.Volts)}, s
	case *v2.SessionStopReq:
		m.Send(&v2.SessionStopRes{ResponseCode: v2.ResponseCodeOK})
		if r.ChargingSession == v2.ChargingSessionPause {
			p := secc.Pause{Paused: secc.Paused{EVCCID: m.EVCCID}}
			copy(p.Paused.SessionID[:], m.session.Bytes())
			m.Out = append(m.Out, p)
		}
		m.End(secc.ClassNone, "")
	}
	return nil, nil
}
