package v2

import (
	"bytes"
	"crypto"
	"errors"
	"time"

	"github.com/voltyard/voltyard/protocols/iso15118/pki"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
	"github.com/voltyard/voltyard/protocols/iso15118/xmlsig"
)

// contract is what the session knows of the vehicle's contract.
type contract struct {
	challenge [16]byte
	key       crypto.PublicKey // of the contract certificate; nil when the vehicle pays in another way
	claim     secc.ContractClaim
	exchange  v2.BodyElement // the certificate request that waits for its response
	served    bool           // a certificate was asked for; a vehicle gets one a session
}

// soon is how long before its end a vehicle is told that its contract certificate expires ([V2G2-681]).
const soon = 21 * 24 * time.Hour

// waitContract is the state in which a vehicle that pays by contract gets or renews a certificate, or shows the one it has.
type waitContract struct{}

func (waitContract) accepts(req v2.BodyElement) bool {
	switch req.(type) {
	case *v2.PaymentDetailsReq, *v2.CertificateInstallationReq, *v2.CertificateUpdateReq:
		return true
	}
	return false
}

// handle checks the contract's chain, compares the EMAID with the one in the certificate, and gives the vehicle a challenge to
// sign. A chain whose root nobody here knows may pass when it is judged elsewhere.
func (waitContract) handle(m *Machine, req v2.BodyElement) (v2.BodyElement, state) {
	r, ok := req.(*v2.PaymentDetailsReq)
	if !ok {
		return m.certificateService(req)
	}
	c := m.Cfg.Contract
	path, err := c.Trust.Contract(m.Now, pki.ISO2, pki.ChainOf(&r.ContractSignatureCertChain))
	if err != nil && (path == nil || !c.Central || !errors.Is(err, pki.ErrUnknownRoot)) {
		return m.fail(req, codeOf(err), secc.ClassCertificate, err.Error())
	}
	if !pki.SameEMAID(path.EMAID(), r.EMAID) {
		return m.fail(req, v2.ResponseCodeFailedCertChainError, secc.ClassCertificate, "the certificate is of another contract than the EMAID")
	}
	hash, err := path.HashData(crypto.SHA256)
	if err != nil {
		return m.fail(req, v2.ResponseCodeFailedCertChainError, secc.ClassCertificate, err.Error())
	}
	m.contract.key = path.Leaf().PublicKey
	m.contract.claim = secc.ContractClaim{EMAID: path.EMAID(), Path: path, Hash: hash}
	code := v2.ResponseCodeOK
	if path.Leaf().NotAfter.Sub(m.Now) < soon {
		code = v2.ResponseCodeOKCertificateExpiresSoon
	}
	return &v2.PaymentDetailsRes{ResponseCode: code, GenChallenge: m.contract.challenge[:], EVSETimeStamp: m.Now.Unix()}, waitContractAuthorization{}
}

// codeOf is the wire answer that an error carries.
func codeOf(err error) v2.ResponseCode {
	var c interface{ ResponseCode() v2.ResponseCode }
	if errors.As(err, &c) {
		return c.ResponseCode()
	}
	return v2.ResponseCodeFailed
}

// waitContractAuthorization is the state in which the vehicle proves that the contract is its own, and then asks again until
// it is known whether it may charge. The first request is signed; those that repeat it are signed again or empty, as vehicles in
// the field have it. The question goes out once.
type waitContractAuthorization struct{ since time.Time }

func (waitContractAuthorization) accepts(req v2.BodyElement) bool {
	_, ok := req.(*v2.AuthorizationReq)
	return ok
}

func (s waitContractAuthorization) handle(m *Machine, req v2.BodyElement) (v2.BodyElement, state) {
	r := req.(*v2.AuthorizationReq)
	challenge, given := r.GenChallenge.Get()
	if proven := !s.since.IsZero(); proven && !given && m.msg.Header.Signature == nil {
		return s.answer(m, req)
	}
	if !given || !bytes.Equal(challenge, m.contract.challenge[:]) {
		return m.fail(req, v2.ResponseCodeFailedChallengeInvalid, secc.ClassCertificate, "the vehicle signed another challenge than it was given")
	}
	if err := xmlsig.VerifyISO2(m.msg, m.contract.key); err != nil {
		return m.fail(req, codeOf(err), secc.ClassCertificate, err.Error())
	}
	if s.since.IsZero() {
		s.since = m.Now
	}
	return s.answer(m, req)
}

// answer tells the vehicle whether it may charge, as far as that is known.
func (s waitContractAuthorization) answer(m *Machine, req v2.BodyElement) (v2.BodyElement, state) {
	switch m.auth {
	case authNone:
		m.auth = authAsked
		claim := m.contract.claim
		m.Out = append(m.Out, secc.Authorize{Contract: &claim})
	case authYes:
		return &v2.AuthorizationRes{ResponseCode: v2.ResponseCodeOK, EVSEProcessing: v2.EVSEProcessingFinished}, waitChargeParameterDiscovery{}
	case authNo:
		return m.fail(req, refusals[m.refused], secc.ClassAuth, "the contract is refused")
	}
	if m.Now.Sub(s.since) > m.Timing.AuthPnC || m.Present.Stop {
		return m.fail(req, v2.ResponseCodeFailed, secc.ClassAuth, "nobody said in time whether the contract may charge")
	}
	return &v2.AuthorizationRes{ResponseCode: v2.ResponseCodeOK, EVSEProcessing: v2.EVSEProcessingOngoing}, s
}

var refusals = map[secc.Refusal]v2.ResponseCode{
	secc.RefusalNone:       v2.ResponseCodeFailedCertificateNotAllowedAtThisEVSE,
	secc.RefusalExpired:    v2.ResponseCodeFailedCertificateExpired,
	secc.RefusalRevoked:    v2.ResponseCodeFailedCertificateRevoked,
	secc.RefusalChain:      v2.ResponseCodeFailedCertChainError,
	secc.RefusalNoContract: v2.ResponseCodeFailedNoCertificateAvailable,
	secc.RefusalCanceled:   v2.ResponseCodeFailedContractCanceled,
}
