package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
	"github.com/voltyard/voltyard/protocols/iso15118/xmlsig"
)

// Provisioner is a certificate provisioning service: what answers a vehicle's request for a contract. A charge point only passes
// such messages on; this one serves test benches and simulations.
type Provisioner struct {
	// Chain is the service's certificate and its sub-CAs, leaf first, without the root, in DER.
	Chain [][]byte
	// Key is the private key of the first of them.
	Key crypto.Signer
	// Rand is where keys and initialisation vectors come from.
	Rand io.Reader
}

// NewContract is a contract that a vehicle shall get.
type NewContract struct {
	EMAID string
	// Chain is the contract certificate and its sub-CAs, leaf first, without the root, in DER.
	Chain [][]byte
	// Key is the private key of the first of them.
	Key *ecdsa.PrivateKey
}

// Install answers a CertificateInstallationReq: the whole message, signed, with the request's session id.
func (p *Provisioner) Install(req *v2.V2GMessage, c NewContract) (*v2.V2GMessage, error) {
	r, ok := req.Body.BodyElement.(*v2.CertificateInstallationReq)
	if !ok {
		return nil, fmt.Errorf("pki: installing a contract: the request is a %T", req.Body.BodyElement)
	}
	res := &v2.CertificateInstallationRes{ResponseCode: v2.ResponseCodeOK}
	if err := p.fill(r.OEMProvisioningCert, c, &res.SAProvisioningCertificateChain, &res.ContractSignatureCertChain, &res.ContractSignatureEncryptedPrivateKey, &res.DHpublickey, &res.EMAID); err != nil {
		return nil, err
	}
	return p.sign(req, res)
}

// Update answers a CertificateUpdateReq.
func (p *Provisioner) Update(req *v2.V2GMessage, c NewContract) (*v2.V2GMessage, error) {
	r, ok := req.Body.BodyElement.(*v2.CertificateUpdateReq)
	if !ok {
		return nil, fmt.Errorf("pki: updating a contract: the request is a %T", req.Body.BodyElement)
	}
	res := &v2.CertificateUpdateRes{ResponseCode: v2.ResponseCodeOK}
	if err := p.fill(r.ContractSignatureCertChain.Certificate, c, &res.SAProvisioningCertificateChain, &res.ContractSignatureCertChain, &res.ContractSignatureEncryptedPrivateKey, &res.DHpublickey, &res.EMAID); err != nil {
		return nil, err
	}
	return p.sign(req, res)
}

func (p *Provisioner) fill(to []byte, c NewContract, sa, chain *v2.CertificateChain, key *v2.ContractSignatureEncryptedPrivateKey, dh *v2.DiffieHellmanPublickey, id *v2.EMAID) error {
	cert, err := x509.ParseCertificate(to)
	if err != nil {
		return refuse(ErrMalformed, nil, "the vehicle's certificate: %v", err)
	}
	pub, ok := cert.PublicKey.(*ecdsa.PublicKey)
	if !ok || pub.Curve != elliptic.P256() {
		return refuse(ErrKey, cert, "a contract key can only be wrapped for a P-256 key")
	}
	if dh.Value, key.Value, err = WrapISO2(p.Rand, pub, c.Key); err != nil {
		return err
	}
	if *sa, err = WireChain(p.Chain); err != nil {
		return err
	}
	if *chain, err = WireChain(c.Chain); err != nil {
		return err
	}
	id.Value = NormalEMAID(c.EMAID)
	return nil
}

func (p *Provisioner) sign(req *v2.V2GMessage, res v2.BodyElement) (*v2.V2GMessage, error) {
	m := &v2.V2GMessage{Header: v2.MessageHeader{SessionID: req.Header.SessionID}, Body: v2.Body{BodyElement: res}}
	return m, xmlsig.SignISO2(p.Rand, p.Key, m)
}

// WireChain is a chain as messages of ISO 15118-2 carry it.
func WireChain(chain [][]byte) (v2.CertificateChain, error) {
	if len(chain) == 0 {
		return v2.CertificateChain{}, refuse(ErrNone, nil, "the chain to send is empty")
	}
	out := v2.CertificateChain{Certificate: chain[0]}
	if len(chain) > 1 {
		out.SubCertificates = exi.Some(v2.SubCertificates{Certificate: chain[1:]})
	}
	return out, nil
}

// ChainOf is a chain of a message as the methods of Trust take it.
func ChainOf(c *v2.CertificateChain) [][]byte {
	return append([][]byte{c.Certificate}, c.SubCertificates.Value.Certificate...)
}

// CheckInstallationReq checks a vehicle's request for its first contract: the certificate's chain to an OEM root and the
// signature. The error is an *Error or an *xmlsig.Error.
func (t *Trust) CheckInstallationReq(now time.Time, msg *v2.V2GMessage) (*Path, error) {
	r, ok := msg.Body.BodyElement.(*v2.CertificateInstallationReq)
	if !ok {
		return nil, fmt.Errorf("pki: %T is no request for a certificate", msg.Body.BodyElement)
	}
	p, err := t.Provisioning(now, ISO2, [][]byte{r.OEMProvisioningCert})
	if err != nil {
		return nil, err
	}
	return p, xmlsig.VerifyISO2(msg, p.Leaf().PublicKey)
}

// CheckUpdateReq checks a vehicle's request for a new certificate of its contract. An expired contract certificate is refused
// like any other.
func (t *Trust) CheckUpdateReq(now time.Time, msg *v2.V2GMessage) (*Path, error) {
	r, ok := msg.Body.BodyElement.(*v2.CertificateUpdateReq)
	if !ok {
		return nil, fmt.Errorf("pki: %T is no request for a new certificate", msg.Body.BodyElement)
	}
	p, err := t.Contract(now, ISO2, ChainOf(&r.ContractSignatureCertChain))
	if err != nil {
		return nil, err
	}
	if !SameEMAID(p.EMAID(), r.EMAID) {
		return nil, refuse(ErrIdentity, p.Leaf(), "the request names the contract %q", r.EMAID)
	}
	return p, xmlsig.VerifyISO2(msg, p.Leaf().PublicKey)
}

// Installed is a contract that a vehicle has received.
type Installed struct {
	EMAID string // normalised
	Path  *Path
	Key   *ecdsa.PrivateKey
}

// Open is the vehicle's side: it checks the response to a certificate request, the service's chain and signature, the contract's
// chain and the identifier, and opens the private key with the own key, which is that of the certificate in the request. If
// anything is wrong, all of it is refused. A contract chain to a root that this vehicle does not know is accepted: the charge
// points have to know it.
func (t *Trust) Open(now time.Time, msg *v2.V2GMessage, own *ecdsa.PrivateKey) (*Installed, error) {
	var sa, chain *v2.CertificateChain
	var wrapped, dh []byte
	var id string
	var code v2.ResponseCode
	switch r := msg.Body.BodyElement.(type) {
	case *v2.CertificateInstallationRes:
		code, sa, chain, wrapped, dh, id = r.ResponseCode, &r.SAProvisioningCertificateChain, &r.ContractSignatureCertChain, r.ContractSignatureEncryptedPrivateKey.Value, r.DHpublickey.Value, r.EMAID.Value
	case *v2.CertificateUpdateRes:
		code, sa, chain, wrapped, dh, id = r.ResponseCode, &r.SAProvisioningCertificateChain, &r.ContractSignatureCertChain, r.ContractSignatureEncryptedPrivateKey.Value, r.DHpublickey.Value, r.EMAID.Value
	default:
		return nil, fmt.Errorf("pki: opening a contract: the response is a %T", msg.Body.BodyElement)
	}
	if code >= v2.ResponseCodeFailed {
		return nil, refuse(ErrNone, nil, "the answer to the certificate request is %v", code)
	}
	service, err := t.CPS(now, ISO2, ChainOf(sa))
	if err != nil {
		return nil, err
	}
	if err := xmlsig.VerifyISO2(msg, service.Leaf().PublicKey); err != nil {
		return nil, err
	}
	path, err := t.Contract(now, ISO2, ChainOf(chain))
	if err != nil && !errors.Is(err, ErrUnknownRoot) {
		return nil, err
	}
	if !SameEMAID(path.EMAID(), id) {
		return nil, refuse(ErrIdentity, path.Leaf(), "the response names the contract %q", id)
	}
	key, err := UnwrapISO2(own, dh, wrapped, path.Leaf().PublicKey.(*ecdsa.PublicKey))
	if err != nil {
		return nil, err
	}
	return &Installed{EMAID: path.EMAID(), Path: path, Key: key}, nil
}
