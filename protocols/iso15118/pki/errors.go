package pki

import (
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/voltyard/voltyard/protocols/iso15118/v2"
)

// Reasons why a certificate or a chain is refused. An *Error wraps exactly one of them.
var (
	ErrNone        = errors.New("no certificate")
	ErrMalformed   = errors.New("not a certificate")
	ErrExpired     = errors.New("certificate expired")
	ErrNotYetValid = errors.New("certificate not valid yet")
	ErrChain       = errors.New("chain does not hold together")
	// ErrUnknownRoot means that the chain is sound as far as it goes, but ends at nothing that is trusted here. Somebody else
	// may know the root: the path that comes with the error is complete but for the root.
	ErrUnknownRoot = errors.New("root certificate not known here")
	ErrProfile     = errors.New("certificate does not have the profile of its role")
	ErrKey         = errors.New("unsuitable key")
	ErrRevoked     = errors.New("certificate revoked")
	ErrStatus      = errors.New("revocation status not known")
	ErrIdentity    = errors.New("certificate names somebody else")
	ErrContract    = errors.New("contract not valid")
	ErrNotAllowed  = errors.New("contract not allowed at this EVSE")
	ErrSignature   = errors.New("signature does not match")
	ErrWrap        = errors.New("encrypted key cannot be opened")
)

// Error says why which certificate is refused.
type Error struct {
	// Err is one of the Err values of this package.
	Err error
	// Subject is the common name of the certificate in question; empty when it has none.
	Subject string
	// Detail says what was found.
	Detail string
}

// Error implements the error interface.
func (e *Error) Error() string {
	s := "pki: " + e.Err.Error()
	if e.Subject != "" {
		s += fmt.Sprintf(" (%q)", e.Subject)
	}
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// ResponseCode is the wire answer of ISO 15118-2 (table 112).
func (e *Error) ResponseCode() v2.ResponseCode {
	switch {
	case errors.Is(e.Err, ErrExpired):
		return v2.ResponseCodeFailedCertificateExpired
	case errors.Is(e.Err, ErrRevoked):
		return v2.ResponseCodeFailedCertificateRevoked
	case errors.Is(e.Err, ErrNone):
		return v2.ResponseCodeFailedNoCertificateAvailable
	case errors.Is(e.Err, ErrContract):
		return v2.ResponseCodeFailedContractCanceled
	case errors.Is(e.Err, ErrNotAllowed):
		return v2.ResponseCodeFailedCertificateNotAllowedAtThisEVSE
	case errors.Is(e.Err, ErrSignature):
		return v2.ResponseCodeFailedSignatureError
	}
	return v2.ResponseCodeFailedCertChainError
}

func refuse(reason error, c *x509.Certificate, format string, args ...any) *Error {
	e := &Error{Err: reason, Detail: fmt.Sprintf(format, args...)}
	if c != nil {
		e.Subject = c.Subject.CommonName
	}
	return e
}
