package din

import (
	"github.com/voltyard/voltyard/protocols/iso15118/din"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
)

// waitServiceDiscovery is the state after SessionSetup.
type waitServiceDiscovery struct{}

func (waitServiceDiscovery) accepts(req din.BodyElement) bool {
	_, ok := req.(*din.ServiceDiscoveryReq)
	return ok
}

func (waitServiceDiscovery) handle(m *Machine, _ din.BodyElement) (din.BodyElement, state) {
	m.Enter(secc.StageAuth)
	return discovery(din.ResponseCodeOK), waitPaymentSelection{}
}

func discovery(code din.ResponseCode) din.BodyElement {
	return &din.ServiceDiscoveryRes{ResponseCode: code,
		PaymentOptions: din.PaymentOptions{PaymentOption: []din.PaymentOption{din.PaymentOptionExternalPayment}},
		ChargeService: din.ServiceCharge{ServiceTag: din.ServiceTag{ServiceID: secc.ServiceCharge, ServiceCategory: din.ServiceCategoryEVCharging},
			FreeService: true, EnergyTransferType: din.EVSESupportedEnergyTransferDCExtended}}
}
