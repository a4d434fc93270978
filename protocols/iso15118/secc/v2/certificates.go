package v2

import (
	"crypto/x509"

	"github.com/voltyard/voltyard/protocols/iso15118/secc"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
	"github.com/voltyard/voltyard/protocols/iso15118/xmlsig"
)

// certificateService handles a request to install or update a contract certificate. The vehicle has signed it, with the key
// of the certificate that it shows; what the certificate is worth is for the certificate authority to say. The request goes
// out as it came, and the response comes back as it is.
func (m *Machine) certificateService(req v2.BodyElement) (v2.BodyElement, state) {
	var leaf []byte
	update := false
	switch r := req.(type) {
	case *v2.CertificateInstallationReq:
		leaf = r.OEMProvisioningCert
	case *v2.CertificateUpdateReq:
		leaf, update = r.ContractSignatureCertChain.Certificate, true
	}
	c := m.Cfg.Contract
	switch {
	case update && !c.Update, !update && !c.Install:
		return m.fail(req, v2.ResponseCodeFailedSequenceError, secc.ClassSequence, "a certificate service that is not offered")
	case m.contract.served:
		return m.fail(req, v2.ResponseCodeFailedSequenceError, secc.ClassSequence, "a second certificate in the same session")
	}
	cert, err := x509.ParseCertificate(leaf)
	if err != nil {
		return m.fail(req, v2.ResponseCodeFailedCertChainError, secc.ClassCertificate, "the certificate of the request cannot be read: "+err.Error())
	}
	if err := xmlsig.VerifyISO2(m.msg, cert.PublicKey); err != nil {
		return m.fail(req, v2.ResponseCodeFailedSignatureError, secc.ClassCertificate, err.Error())
	}
	m.Out = append(m.Out, secc.CertificateExchange{Update: update, EXI: append([]byte(nil), m.raw...)})
	m.contract.exchange, m.contract.served = req, true
	m.Wait = &waiting{
		Until: m.Now.Add(m.Timing.Exchange),
		Done:  func() (v2.BodyElement, state) { return nil, nil }, // see exchanged
		Late: func() (v2.BodyElement, state) {
			return m.fail(req, v2.ResponseCodeFailed, secc.ClassCertificate, "no response about the certificate in time")
		},
	}
	return nil, nil
}

// exchanged passes the response on, byte for byte. What comes too late, or twice, is dropped.
func (m *Machine) exchanged(b []byte) {
	req := m.contract.exchange
	if req == nil || m.Wait == nil {
		return
	}
	m.contract.exchange, m.Wait = nil, nil
	msg, err := v2.Decode(b)
	if err != nil {
		m.refuse(req, v2.ResponseCodeFailed, secc.ClassCertificate, "the response about the certificate cannot be read: "+err.Error())
		return
	}
	_, update := req.(*v2.CertificateUpdateReq)
	var code v2.ResponseCode
	switch r := msg.Body.BodyElement.(type) {
	case *v2.CertificateInstallationRes:
		if code = r.ResponseCode; update {
			code = v2.ResponseCodeFailedSequenceError
		}
	case *v2.CertificateUpdateRes:
		if code = r.ResponseCode; !update {
			code = v2.ResponseCodeFailedSequenceError
		}
	default:
		code = v2.ResponseCodeFailedSequenceError
	}
	if code == v2.ResponseCodeFailedSequenceError {
		m.refuse(req, v2.ResponseCodeFailed, secc.ClassCertificate, "the response about the certificate is of another type")
		return
	}
	m.Out = append(m.Out, secc.Send{Payload: secc.PayloadEXI, EXI: b})
	if code >= v2.ResponseCodeFailed {
		m.End(secc.ClassCertificate, "the certificate authority refuses: "+code.String())
		return
	}
	m.State = waitContract{}
	m.SetDeadline(m.Now.Add(m.Timing.Sequence))
}
