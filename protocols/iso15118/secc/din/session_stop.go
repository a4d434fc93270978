package din

import (
	"github.com/voltyard/voltyard/protocols/iso15118/din"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
)

// waitSessionStop is the state after the charging: the vehicle may test its relays, then the session ends.
type waitSessionStop struct{}

func (waitSessionStop) accepts(req din.BodyElement) bool {
	switch req.(type) {
	case *din.SessionStop, *din.WeldingDetectionReq:
		return true
	}
	return false
}

func (s waitSessionStop) handle(m *Machine, req din.BodyElement) (din.BodyElement, state) {
	if _, ok := req.(*din.WeldingDetectionReq); ok {
		return &din.WeldingDetectionRes{ResponseCode: din.ResponseCodeOK, DCEVSEStatus: m.status(), EVSEPresentVoltage: din.Volts(m.Present.Volts)}, s
	}
	m.Send(&din.SessionStopRes{ResponseCode: din.ResponseCodeOK})
	m.End(secc.ClassNone, "")
	return nil, nil
}
