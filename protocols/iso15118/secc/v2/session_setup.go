package v2

import (
	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
)

// waitSessionSetup is the state before anything is known about the vehicle.
type waitSessionSetup struct{}

func (waitSessionSetup) accepts(req v2.BodyElement) bool {
	_, ok := req.(*v2.SessionSetupReq)
	return ok
}

// handle joins the paused session when the vehicle is the one that left it, else begins a new one ([V2G2-740], [V2G2-741]).
func (waitSessionSetup) handle(m *Machine, req v2.BodyElement) (v2.BodyElement, state) {
	r := req.(*v2.SessionSetupReq)
	m.SetVehicle(r.EVCCID.Bytes())
	res := &v2.SessionSetupRes{ResponseCode: v2.ResponseCodeOKNewSessionEstablished, EVSEID: m.Cfg.EVSEID,
		EVSETimeStamp: exi.Some(m.Now.Unix())}
	if p := m.resume; p != nil && p.EVCCID == m.EVCCID {
		res.ResponseCode = v2.ResponseCodeOKOldSessionJoined
		m.session = exi.MakeShortBytes(p.SessionID[:])
	}
	return res, waitServiceDiscovery{}
}

// waitServiceDiscovery is the state after SessionSetup.
type waitServiceDiscovery struct{}

func (waitServiceDiscovery) accepts(req v2.BodyElement) bool {
	_, ok := req.(*v2.ServiceDiscoveryReq)
	return ok
}

func (waitServiceDiscovery) handle(m *Machine, _ v2.BodyElement) (v2.BodyElement, state) {
	m.Enter(secc.StageAuth)
	return &v2.ServiceDiscoveryRes{ResponseCode: v2.ResponseCodeOK, ChargeService: m.chargeService(),
		PaymentOptionList: v2.PaymentOptionList{PaymentOption: []v2.PaymentOption{v2.PaymentOptionExternalPayment}}}, waitPaymentServiceSelection{}
}

// chargeServiceID is the service of charging itself (ISO 15118-2, table 105).
const chargeServiceID = 1

func (m *Machine) chargeService() v2.ChargeService {
	modes := []v2.EnergyTransferMode{v2.EnergyTransferModeDCExtended, v2.EnergyTransferModeDCCore}
	if !m.Cfg.DC {
		modes = []v2.EnergyTransferMode{v2.EnergyTransferModeACSinglePhaseCore}
		if m.Present.Phases != 1 {
			modes = []v2.EnergyTransferMode{v2.EnergyTransferModeACThreePhaseCore, v2.EnergyTransferModeACSinglePhaseCore}
		}
	}
	return v2.ChargeService{ServiceID: chargeServiceID, ServiceName: exi.Some("AC_DC_Charging"), ServiceCategory: v2.ServiceCategoryEVCharging,
		FreeService: true, SupportedEnergyTransferMode: v2.SupportedEnergyTransferMode{EnergyTransferMode: modes}}
}
