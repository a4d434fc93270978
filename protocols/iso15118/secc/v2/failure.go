package v2

import (
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
)

// failure is the response that matches a request, with nothing to say but the code. Fields that the schema demands hold
// harmless values.
func (m *Machine) failure(req v2.BodyElement, code v2.ResponseCode) v2.BodyElement {
	switch req := req.(type) {
	case *v2.SessionSetupReq:
		return &v2.SessionSetupRes{ResponseCode: code, EVSEID: m.Cfg.EVSEID}
	case *v2.ServiceDiscoveryReq:
		return &v2.ServiceDiscoveryRes{ResponseCode: code, PaymentOptionList: m.paymentOptions(), ChargeService: m.chargeService()}
	case *v2.ServiceDetailReq:
		return &v2.ServiceDetailRes{ResponseCode: code, ServiceID: req.ServiceID}
	case *v2.PaymentServiceSelectionReq:
		return &v2.PaymentServiceSelectionRes{ResponseCode: code}
	case *v2.PaymentDetailsReq:
		return &v2.PaymentDetailsRes{ResponseCode: code, GenChallenge: make([]byte, 16), EVSETimeStamp: m.Now.Unix()}
	case *v2.AuthorizationReq:
		return &v2.AuthorizationRes{ResponseCode: code, EVSEProcessing: v2.EVSEProcessingFinished}
	case *v2.ChargeParameterDiscoveryReq:
		return &v2.ChargeParameterDiscoveryRes{ResponseCode: code, EVSEProcessing: v2.EVSEProcessingFinished, EVSEChargeParameter: m.chargeParameter()}
	case *v2.CableCheckReq:
		return &v2.CableCheckRes{ResponseCode: code, DCEVSEStatus: m.dcStatus(), EVSEProcessing: v2.EVSEProcessingFinished}
	case *v2.PreChargeReq:
		return &v2.PreChargeRes{ResponseCode: code, DCEVSEStatus: m.dcStatus(), EVSEPresentVoltage: v2.Volts(m.Present.Volts)}
	case *v2.PowerDeliveryReq:
		return &v2.PowerDeliveryRes{ResponseCode: code, EVSEStatus: m.status()}
	case *v2.ChargingStatusReq:
		return &v2.ChargingStatusRes{ResponseCode: code, EVSEID: m.Cfg.EVSEID, SAScheduleTupleID: m.tuple, ACEVSEStatus: m.acStatus()}
	case *v2.CurrentDemandReq:
		return &v2.CurrentDemandRes{ResponseCode: code, DCEVSEStatus: m.dcStatus(), EVSEID: m.Cfg.EVSEID, SAScheduleTupleID: m.tuple,
			EVSEPresentVoltage: v2.Volts(m.Present.Volts), EVSEPresentCurrent: v2.Amps(m.Present.Amps)}
	case *v2.MeteringReceiptReq:
		return &v2.MeteringReceiptRes{ResponseCode: code, EVSEStatus: m.status()}
	case *v2.WeldingDetectionReq:
		return &v2.WeldingDetectionRes{ResponseCode: code, DCEVSEStatus: m.dcStatus(), EVSEPresentVoltage: v2.Volts(m.Present.Volts)}
	case *v2.SessionStopReq:
		return &v2.SessionStopRes{ResponseCode: code}
	case *v2.CertificateInstallationReq:
		return &v2.CertificateInstallationRes{ResponseCode: code, SAProvisioningCertificateChain: emptyChain(), ContractSignatureCertChain: emptyChain(),
			ContractSignatureEncryptedPrivateKey: v2.ContractSignatureEncryptedPrivateKey{ID: "id2", Value: []byte{0}},
			DHpublickey:                          v2.DiffieHellmanPublickey{ID: "id3", Value: []byte{0}}, EMAID: v2.EMAID{ID: "id4", Value: noEMAID}}
	case *v2.CertificateUpdateReq:
		return &v2.CertificateUpdateRes{ResponseCode: code, SAProvisioningCertificateChain: emptyChain(), ContractSignatureCertChain: emptyChain(),
			ContractSignatureEncryptedPrivateKey: v2.ContractSignatureEncryptedPrivateKey{ID: "id2", Value: []byte{0}},
			DHpublickey:                          v2.DiffieHellmanPublickey{ID: "id3", Value: []byte{0}}, EMAID: v2.EMAID{ID: "id4", Value: noEMAID}}
	}
	return nil // a response, or an abstract element: nothing matches
}

// noEMAID stands where there is none.
const noEMAID = "ZZ000000000000"

func emptyChain() v2.CertificateChain { return v2.CertificateChain{Certificate: []byte{0}} }
