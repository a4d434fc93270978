package xmlsig

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"errors"
	"fmt"

	"github.com/voltyard/voltyard/protocols/iso15118/v2"
	"github.com/voltyard/voltyard/protocols/iso15118/xmldsig"
)

// Reasons why a signature is refused. An *Error wraps exactly one of them.
var (
	// ErrAbsent means that the message has no signature.
	ErrAbsent = errors.New("no signature")
	// ErrForbidden means content that the standard does not allow in a signature ([V2G2-771], [V2G2-909]).
	ErrForbidden = errors.New("forbidden content")
	// ErrAlgorithm means other algorithms than the standard's.
	ErrAlgorithm = errors.New("unsupported algorithm")
	// ErrReference means references that are not exactly the elements that the message has to sign.
	ErrReference = errors.New("wrong reference")
	// ErrDigest means that an element is not the one that was signed.
	ErrDigest = errors.New("digest does not match")
	// ErrValue means that the key did not make this signature.
	ErrValue = errors.New("signature does not match")
)

// Error says why a signature is refused.
type Error struct {
	Err    error
	Detail string
	// Code is what to answer.
	Code v2.ResponseCode
}

// Error implements the error interface.
func (e *Error) Error() string {
	if e.Detail == "" {
		return "xmlsig: " + e.Err.Error()
	}
	return "xmlsig: " + e.Err.Error() + ": " + e.Detail
}

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// ResponseCode is the wire answer of ISO 15118-2: FAILED_SignatureError, or FAILED_MeteringSignatureNotValid for a receipt.
func (e *Error) ResponseCode() v2.ResponseCode { return e.Code }

func refuse(reason error, format string, args ...any) *Error {
	return &Error{Err: reason, Detail: fmt.Sprintf(format, args...), Code: v2.ResponseCodeFailedSignatureError}
}

// Verify checks that sig covers exactly the elements, in any order, and was made by the key. The error is an *Error.
func Verify(s Suite, sig *xmldsig.Signature, key crypto.PublicKey, elements ...Element) error {
	if sig == nil {
		return refuse(ErrAbsent, "sign the message, or choose external payment")
	}
	pub, ok := key.(*ecdsa.PublicKey)
	if !ok || pub.Curve != s.curve {
		return refuse(ErrAlgorithm, "the certificate's key is %T; %s demands %s", key, s.name, s.curve.Params().Name)
	}
	if err := allowed(s, sig); err != nil {
		return err
	}
	if err := digests(s, &sig.SignedInfo, elements); err != nil {
		return err
	}
	// The standard computes the value over SignedInfo as a fragment of the signature schema alone; some vehicles use the
	// grammars of the message set.
	buf := make([]byte, 0, 1024)
	for _, encode := range []func([]byte, *xmldsig.SignedInfo) ([]byte, error){xmldsig.AppendSignedInfoFragment, s.combined} {
		out, err := encode(buf, &sig.SignedInfo)
		if err != nil {
			return refuse(ErrForbidden, "SignedInfo cannot be encoded: %v", err)
		}
		if s.verify(pub, s.sum(out), sig.SignatureValue.Value) {
			return nil
		}
	}
	return refuse(ErrValue, "%d octets of signature over %d references", len(sig.SignatureValue.Value), len(sig.SignedInfo.Reference))
}

// allowed checks everything in a signature but the references' contents.
func allowed(s Suite, sig *xmldsig.Signature) error {
	info := &sig.SignedInfo
	switch {
	case info.ID.Present || sig.SignatureValue.ID.Present:
		return refuse(ErrForbidden, "Id of SignedInfo or SignatureValue")
	case sig.KeyInfo.Present || len(sig.Object) != 0:
		return refuse(ErrForbidden, "KeyInfo or Object")
	case info.SignatureMethod.HMACOutputLength.Present:
		return refuse(ErrForbidden, "HMACOutputLength")
	case len(info.Reference) == 0 || len(info.Reference) > MaxReferences:
		return refuse(ErrForbidden, "%d references", len(info.Reference))
	case info.CanonicalizationMethod.Algorithm != canonicalEXI:
		return refuse(ErrAlgorithm, "canonicalization %.80q", info.CanonicalizationMethod.Algorithm)
	case info.SignatureMethod.Algorithm != s.signature:
		return refuse(ErrAlgorithm, "signature method %.80q", info.SignatureMethod.Algorithm)
	case len(sig.SignatureValue.Value) != s.size():
		return refuse(ErrValue, "%d octets, not %d (r and s, not ASN.1)", len(sig.SignatureValue.Value), s.size())
	}
	for i := range info.Reference {
		r := &info.Reference[i]
		switch {
		case r.Type.Present:
			return refuse(ErrForbidden, "Type of a reference")
		case r.DigestMethod.Algorithm != s.digest:
			return refuse(ErrAlgorithm, "digest method %.80q", r.DigestMethod.Algorithm)
		}
		for _, tr := range r.Transforms.Value.Transform {
			if tr.Algorithm != canonicalEXI || len(tr.Items) != 0 {
				return refuse(ErrAlgorithm, "transform %.80q", tr.Algorithm)
			}
		}
	}
	return nil
}

// digests checks that each element has one reference with its digest and that there are no others.
func digests(s Suite, info *xmldsig.SignedInfo, elements []Element) error {
	if len(info.Reference) != len(elements) {
		return refuse(ErrReference, "%d references for %d signed elements", len(info.Reference), len(elements))
	}
	var buf []byte
	for _, el := range elements {
		var ref *xmldsig.Reference
		for i := range info.Reference {
			if r := &info.Reference[i]; el.ID != "" && r.URI.Present && r.URI.Value == "#"+el.ID {
				ref = r
				break
			}
		}
		if ref == nil {
			return refuse(ErrReference, "none to the element with Id %.80q", el.ID)
		}
		var err error
		if buf, err = el.Fragment.AppendEXI(buf[:0]); err != nil {
			return refuse(ErrReference, "the element %.80q cannot be encoded: %v", el.ID, err)
		}
		if !bytes.Equal(ref.DigestValue, s.sum(buf)) {
			return refuse(ErrDigest, "element with Id %.80q", el.ID)
		}
	}
	return nil
}
