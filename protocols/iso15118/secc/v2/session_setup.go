package v2

import (
	"bytes"

	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
)

// waitSessionSetup is the state before anything is known about the vehicle.
type waitSessionSetup struct{}

func (waitSessionSetup) accepts(req v2.BodyElement) bool {
	_, ok := req.(*v2.SessionSetupReq)
	return ok
}

// handle joins the paused session when the vehicle names it and is the one that left it, else begins a new one ([V2G2-740],
// [V2G2-741]).
func (waitSessionSetup) handle(m *Machine, req v2.BodyElement) (v2.BodyElement, state) {
	r := req.(*v2.SessionSetupReq)
	m.SetVehicle(r.EVCCID.Bytes())
	res := &v2.SessionSetupRes{ResponseCode: v2.ResponseCodeOKNewSessionEstablished, EVSEID: m.Cfg.EVSEID,
		EVSETimeStamp: exi.Some(m.Now.Unix())}
	if p := m.resume; p != nil && p.EVCCID == m.EVCCID && bytes.Equal(m.msg.Header.SessionID.Bytes(), p.SessionID[:]) {
		res.ResponseCode = v2.ResponseCodeOKOldSessionJoined
		m.session = exi.MakeShortBytes(p.SessionID[:])
	}
	return res, waitServiceDiscovery{}
}
