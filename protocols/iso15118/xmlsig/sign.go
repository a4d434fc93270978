package xmlsig

import (
	"crypto"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io"

	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/xmldsig"
)

// MaxReferences is the most elements one signature may cover ([V2G2-909]).
const MaxReferences = 4

// Element is one signed element: a fragment of its message's schema set, such as v2.Fragment or common.Fragment, and the
// value of its Id attribute.
type Element struct {
	ID       string
	Fragment interface {
		AppendEXI(dst []byte) ([]byte, error)
	}
}

// Pending is a signature that lacks its value yet.
type Pending struct {
	suite Suite
	info  xmldsig.SignedInfo
	// Digest is what the private key signs. It is a hash already.
	Digest []byte
}

// Prepare computes the digests of the elements, in that order, and the digest that the private key has to sign.
func Prepare(s Suite, elements ...Element) (*Pending, error) {
	if len(elements) == 0 || len(elements) > MaxReferences {
		return nil, fmt.Errorf("xmlsig: %d elements to sign; the standard allows 1 to %d", len(elements), MaxReferences)
	}
	p := &Pending{suite: s, info: xmldsig.SignedInfo{
		CanonicalizationMethod: xmldsig.CanonicalizationMethod{Algorithm: canonicalEXI},
		SignatureMethod:        xmldsig.SignatureMethod{Algorithm: s.signature},
		Reference:              make([]xmldsig.Reference, 0, len(elements)),
	}}
	var buf []byte
	for _, el := range elements {
		if el.ID == "" {
			return nil, errors.New("xmlsig: an element to sign has no Id; set it before")
		}
		var err error
		if buf, err = el.Fragment.AppendEXI(buf[:0]); err != nil {
			return nil, fmt.Errorf("xmlsig: encoding the element %s to sign: %w", el.ID, err)
		}
		p.info.Reference = append(p.info.Reference, xmldsig.Reference{
			URI: exi.Some("#" + el.ID),
			// Some receivers demand the transform although it changes nothing.
			Transforms:   exi.Some(xmldsig.Transforms{Transform: []xmldsig.Transform{{Algorithm: canonicalEXI}}}),
			DigestMethod: xmldsig.DigestMethod{Algorithm: s.digest},
			DigestValue:  s.sum(buf),
		})
	}
	out, err := xmldsig.AppendSignedInfoFragment(buf[:0], &p.info)
	if err != nil {
		return nil, fmt.Errorf("xmlsig: encoding SignedInfo: %w", err)
	}
	p.Digest = s.sum(out)
	return p, nil
}

// Hash is the function that made Digest, for crypto.Signer.
func (p *Pending) Hash() crypto.Hash { return p.suite.hash }

// Finish takes the ECDSA signature of Digest in ASN.1 form, as crypto.Signer returns it.
func (p *Pending) Finish(der []byte) (*xmldsig.Signature, error) {
	raw, err := p.suite.raw(der)
	if err != nil {
		return nil, err
	}
	return &xmldsig.Signature{SignedInfo: p.info, SignatureValue: xmldsig.SignatureValue{Value: raw}}, nil
}

// Sign makes the signature of the elements. The key must be an ECDSA key on the suite's curve.
func Sign(s Suite, rand io.Reader, key crypto.Signer, elements ...Element) (*xmldsig.Signature, error) {
	if pub, ok := key.Public().(*ecdsa.PublicKey); !ok || pub.Curve != s.curve {
		return nil, fmt.Errorf("xmlsig: %s signs with an ECDSA key on %s, not with %T", s.name, s.curve.Params().Name, key.Public())
	}
	p, err := Prepare(s, elements...)
	if err != nil {
		return nil, err
	}
	der, err := key.Sign(rand, p.Digest, p.suite.hash)
	if err != nil {
		return nil, fmt.Errorf("xmlsig: signing with the private key: %w", err)
	}
	return p.Finish(der)
}
