package xmlsig

import (
	"crypto"
	"errors"
	"fmt"
	"io"

	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
)

// Names of the elements that are signed inside a message. The elements of the response to a certificate request stand in the
// namespace of the body, the tariff in that of the data types.
const (
	bodySpace = "urn:iso:15118:2:2013:MsgBody"
	dataSpace = "urn:iso:15118:2:2013:MsgDataTypes"
)

func inBody(local, id string, v exi.Value) Element {
	return Element{ID: id, Fragment: v2.Fragment{Name: exi.QName{Space: bodySpace, Local: local}, Value: v}}
}

// SignedISO2 returns the elements that a message of ISO 15118-2 signs: the request itself for AuthorizationReq (only with
// Plug & Charge), MeteringReceiptReq, CertificateInstallationReq and CertificateUpdateReq; the certificate chain, the
// encrypted key, the Diffie-Hellman key and the EMAID for the responses to the latter; every sales tariff for
// ChargeParameterDiscoveryRes. It is empty for all other messages.
func SignedISO2(body v2.BodyElement) []Element {
	switch b := body.(type) {
	case *v2.AuthorizationReq:
		return []Element{inBody("AuthorizationReq", b.ID.Value, b)}
	case *v2.MeteringReceiptReq:
		return []Element{inBody("MeteringReceiptReq", b.ID.Value, b)}
	case *v2.CertificateInstallationReq:
		return []Element{inBody("CertificateInstallationReq", b.ID, b)}
	case *v2.CertificateUpdateReq:
		return []Element{inBody("CertificateUpdateReq", b.ID, b)}
	case *v2.CertificateInstallationRes:
		return contract(&b.ContractSignatureCertChain, &b.ContractSignatureEncryptedPrivateKey, &b.DHpublickey, &b.EMAID)
	case *v2.CertificateUpdateRes:
		return contract(&b.ContractSignatureCertChain, &b.ContractSignatureEncryptedPrivateKey, &b.DHpublickey, &b.EMAID)
	case *v2.ChargeParameterDiscoveryRes:
		var out []Element
		list := b.SAScheduleList.Value.SAScheduleTuple
		for i := range list {
			if list[i].SalesTariff.Present {
				t := &list[i].SalesTariff.Value
				out = append(out, Element{ID: t.ID.Value, Fragment: v2.Fragment{Name: exi.QName{Space: dataSpace, Local: "SalesTariff"}, Value: t}})
			}
		}
		return out
	}
	return nil
}

func contract(chain *v2.CertificateChain, key *v2.ContractSignatureEncryptedPrivateKey, dh *v2.DiffieHellmanPublickey, id *v2.EMAID) []Element {
	return []Element{
		inBody("ContractSignatureCertChain", chain.ID.Value, chain),
		inBody("ContractSignatureEncryptedPrivateKey", key.ID, key),
		inBody("DHpublickey", dh.ID, dh),
		inBody("eMAID", id.ID, id),
	}
}

// setIDs gives every element to sign an Id where it has none.
func setIDs(body v2.BodyElement) {
	n := 0
	required := func(id *string) {
		if n++; *id == "" {
			*id = fmt.Sprintf("id%d", n)
		}
	}
	optional := func(id *exi.Optional[string]) {
		v := id.Value
		required(&v)
		id.Set(v)
	}
	switch b := body.(type) {
	case *v2.AuthorizationReq:
		optional(&b.ID)
	case *v2.MeteringReceiptReq:
		optional(&b.ID)
	case *v2.CertificateInstallationReq:
		required(&b.ID)
	case *v2.CertificateUpdateReq:
		required(&b.ID)
	case *v2.CertificateInstallationRes:
		optional(&b.ContractSignatureCertChain.ID)
		required(&b.ContractSignatureEncryptedPrivateKey.ID)
		required(&b.DHpublickey.ID)
		required(&b.EMAID.ID)
	case *v2.CertificateUpdateRes:
		optional(&b.ContractSignatureCertChain.ID)
		required(&b.ContractSignatureEncryptedPrivateKey.ID)
		required(&b.DHpublickey.ID)
		required(&b.EMAID.ID)
	case *v2.ChargeParameterDiscoveryRes:
		list := b.SAScheduleList.Value.SAScheduleTuple
		for i := range list {
			if list[i].SalesTariff.Present {
				optional(&list[i].SalesTariff.Value.ID)
			}
		}
	}
}

// PrepareISO2 gives the message's signed elements Ids where they have none and returns the signature to be: sign its Digest,
// and put what Finish returns in the header.
func PrepareISO2(msg *v2.V2GMessage) (*Pending, error) {
	setIDs(msg.Body.BodyElement)
	elements := SignedISO2(msg.Body.BodyElement)
	if len(elements) == 0 {
		return nil, fmt.Errorf("xmlsig: %T has nothing to sign", msg.Body.BodyElement)
	}
	return Prepare(ISO2, elements...)
}

// SignISO2 signs the message with a P-256 key and puts the signature in its header.
func SignISO2(rand io.Reader, key crypto.Signer, msg *v2.V2GMessage) error {
	setIDs(msg.Body.BodyElement)
	elements := SignedISO2(msg.Body.BodyElement)
	if len(elements) == 0 {
		return fmt.Errorf("xmlsig: %T has nothing to sign", msg.Body.BodyElement)
	}
	sig, err := Sign(ISO2, rand, key, elements...)
	if err != nil {
		return err
	}
	msg.Header.Signature = sig
	return nil
}

// VerifyISO2 checks the signature in the message's header over what a message of its type has to sign. The error is an
// *Error with the response code to answer.
func VerifyISO2(msg *v2.V2GMessage, key crypto.PublicKey) error {
	err := Verify(ISO2, msg.Header.Signature, key, SignedISO2(msg.Body.BodyElement)...)
	var e *Error
	if _, receipt := msg.Body.BodyElement.(*v2.MeteringReceiptReq); receipt && errors.As(err, &e) {
		e.Code = v2.ResponseCodeFailedMeteringSignatureNotValid
	}
	return err
}
