package din

import (
	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/din"
)

// waitSessionSetup is the state before anything is known about the vehicle.
type waitSessionSetup struct{}

func (waitSessionSetup) accepts(req din.BodyElement) bool {
	_, ok := req.(*din.SessionSetupReq)
	return ok
}

// handle begins a new session: DIN 70121 knows no pause.
func (waitSessionSetup) handle(m *Machine, req din.BodyElement) (din.BodyElement, state) {
	m.SetVehicle(req.(*din.SessionSetupReq).EVCCID.Bytes())
	return &din.SessionSetupRes{ResponseCode: din.ResponseCodeOKNewSessionEstablished, EVSEID: m.evseid(), DateTimeNow: exi.Some(m.Now.Unix())},
		waitServiceDiscovery{}
}

// evseid is the EVSE's identifier by DIN SPEC 91286; one octet of 0 says that it has none.
func (m *Machine) evseid() []byte {
	if len(m.Cfg.DIN91286) > 0 {
		return m.Cfg.DIN91286
	}
	return []byte{0}
}
