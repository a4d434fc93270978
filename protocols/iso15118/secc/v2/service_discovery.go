package v2

import (
	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
)

// waitServiceDiscovery is the state after SessionSetup.
type waitServiceDiscovery struct{}

func (waitServiceDiscovery) accepts(req v2.BodyElement) bool {
	_, ok := req.(*v2.ServiceDiscoveryReq)
	return ok
}

func (waitServiceDiscovery) handle(m *Machine, req v2.BodyElement) (v2.BodyElement, state) {
	r := req.(*v2.ServiceDiscoveryReq)
	m.Enter(secc.StageAuth)
	res := &v2.ServiceDiscoveryRes{ResponseCode: v2.ResponseCodeOK, ChargeService: m.chargeService(), PaymentOptionList: m.paymentOptions()}
	var list []v2.Service
	for _, s := range m.services() {
		category := categories[s.ID]
		if c, ok := r.ServiceCategory.Get(); ok && c != category {
			continue
		}
		if scope, ok := r.ServiceScope.Get(); ok && scope != s.Scope {
			continue
		}
		v := v2.Service{ServiceID: s.ID, ServiceCategory: category, FreeService: !s.Paid}
		if s.Name != "" {
			v.ServiceName = exi.Some(s.Name)
		}
		if s.Scope != "" {
			v.ServiceScope = exi.Some(s.Scope)
		}
		list = append(list, v)
	}
	if len(list) > 0 {
		res.ServiceList = exi.Some(v2.ServiceList{Service: list})
	}
	return res, waitPaymentServiceSelection{}
}

// categories of services (ISO 15118-2, table 105); what is not listed is of the category OtherCustom.
var categories = map[uint16]v2.ServiceCategory{
	secc.ServiceCertificate: v2.ServiceCategoryContractCertificate,
	secc.ServiceInternet:    v2.ServiceCategoryInternet,
	secc.ServiceUseCase:     v2.ServiceCategoryOtherCustom,
}

// Parameter sets of the certificate service (ISO 15118-2, table 106).
const (
	setInstallation int16 = 1
	setUpdate       int16 = 2
)

// services are those beside charging. The certificate service stands or falls with Plug & Charge.
func (m *Machine) services() []secc.Service {
	c := m.Cfg.Contract
	if !m.plugAndCharge() || !c.Install && !c.Update {
		return m.Cfg.Services
	}
	s := secc.Service{ID: secc.ServiceCertificate, Name: "Certificate"}
	if c.Install {
		s.Sets = append(s.Sets, secc.ServiceSet{ID: setInstallation, Values: []secc.ServiceValue{{Name: "Service", Text: "Installation"}}})
	}
	if c.Update {
		s.Sets = append(s.Sets, secc.ServiceSet{ID: setUpdate, Values: []secc.ServiceValue{{Name: "Service", Text: "Update"}}})
	}
	return append([]secc.Service{s}, m.Cfg.Services...)
}

// plugAndCharge reports whether payment by contract is served: only over TLS ([V2G2-633]).
func (m *Machine) plugAndCharge() bool { return m.tls && m.Cfg.Contract != nil }

func (m *Machine) paymentOptions() v2.PaymentOptionList {
	if m.plugAndCharge() {
		return v2.PaymentOptionList{PaymentOption: []v2.PaymentOption{v2.PaymentOptionContract, v2.PaymentOptionExternalPayment}}
	}
	return v2.PaymentOptionList{PaymentOption: []v2.PaymentOption{v2.PaymentOptionExternalPayment}}
}

func (m *Machine) chargeService() v2.ChargeService {
	modes := []v2.EnergyTransferMode{v2.EnergyTransferModeDCExtended, v2.EnergyTransferModeDCCore}
	if !m.Cfg.DC {
		modes = []v2.EnergyTransferMode{v2.EnergyTransferModeACSinglePhaseCore}
		if m.Present.Phases != 1 {
			modes = []v2.EnergyTransferMode{v2.EnergyTransferModeACThreePhaseCore, v2.EnergyTransferModeACSinglePhaseCore}
		}
	}
	return v2.ChargeService{ServiceID: secc.ServiceCharge, ServiceName: exi.Some("AC_DC_Charging"), ServiceCategory: v2.ServiceCategoryEVCharging,
		FreeService: true, SupportedEnergyTransferMode: v2.SupportedEnergyTransferMode{EnergyTransferMode: modes}}
}
