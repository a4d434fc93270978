package din

import (
	"github.com/voltyard/voltyard/protocols/iso15118/din"
)

// failure is the response that matches a request, with nothing to say but the code. Fields that the schema demands hold
// harmless values. Messages of the schema that DIN 70121 does not use get the response that the schema has for them.
func (m *Machine) failure(req din.BodyElement, code din.ResponseCode) din.BodyElement {
	st := m.status()
	switch req := req.(type) {
	case *din.SessionSetupReq:
		return &din.SessionSetupRes{ResponseCode: code, EVSEID: m.evseid()}
	case *din.ServiceDiscoveryReq:
		return discovery(code)
	case *din.ServiceDetailReq:
		return &din.ServiceDetailRes{ResponseCode: code, ServiceID: req.ServiceID}
	case *din.ServicePaymentSelectionReq:
		return &din.ServicePaymentSelectionRes{ResponseCode: code}
	case *din.ContractAuthenticationReq:
		return &din.ContractAuthenticationRes{ResponseCode: code, EVSEProcessing: din.EVSEProcessingFinished}
	case *din.ChargeParameterDiscoveryReq:
		return m.parameters(code, din.EVSEProcessingFinished)
	case *din.CableCheckReq:
		return &din.CableCheckRes{ResponseCode: code, DCEVSEStatus: st, EVSEProcessing: din.EVSEProcessingFinished}
	case *din.PreChargeReq:
		return &din.PreChargeRes{ResponseCode: code, DCEVSEStatus: st, EVSEPresentVoltage: din.Volts(m.Present.Volts)}
	case *din.PowerDeliveryReq:
		return &din.PowerDeliveryRes{ResponseCode: code, EVSEStatus: &st}
	case *din.CurrentDemandReq:
		return m.demand(code, 0, 0)
	case *din.WeldingDetectionReq:
		return &din.WeldingDetectionRes{ResponseCode: code, DCEVSEStatus: st, EVSEPresentVoltage: din.Volts(m.Present.Volts)}
	case *din.SessionStop:
		return &din.SessionStopRes{ResponseCode: code}
	}
	return m.unused(req, code)
}

// unused answers the requests that the schema has and DIN 70121 does not use: AC, contracts, certificates.
func (m *Machine) unused(req din.BodyElement, code din.ResponseCode) din.BodyElement {
	nothing := []byte{0}
	switch req.(type) {
	case *din.ChargingStatusReq:
		return &din.ChargingStatusRes{ResponseCode: code, EVSEID: m.evseid()}
	case *din.PaymentDetailsReq:
		return &din.PaymentDetailsRes{ResponseCode: code, DateTimeNow: m.Now.Unix()}
	case *din.MeteringReceiptReq:
		return &din.MeteringReceiptRes{ResponseCode: code}
	case *din.CertificateInstallationReq:
		return &din.CertificateInstallationRes{ID: "id1", ResponseCode: code, ContractSignatureCertChain: din.CertificateChain{Certificate: nothing},
			ContractSignatureEncryptedPrivateKey: nothing, DHParams: nothing}
	case *din.CertificateUpdateReq:
		return &din.CertificateUpdateRes{ID: "id1", ResponseCode: code, ContractSignatureCertChain: din.CertificateChain{Certificate: nothing},
			ContractSignatureEncryptedPrivateKey: nothing, DHParams: nothing}
	}
	return nil // a response
}
