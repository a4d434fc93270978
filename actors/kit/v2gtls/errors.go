package v2gtls

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"reflect"
	"strings"
	"syscall"
)

// Code is a stable name of a kind of failed handshake; it stands in log, API and metric.
type Code string

// Codes.
const (
	CodeNotTLS      Code = "tls_not_tls"             // the vehicle does not speak TLS on this connection
	CodeVersion     Code = "tls_version"             // no TLS 1.2
	CodeSuite       Code = "tls_suite"               // none of our suites
	CodeGroup       Code = "tls_group"               // no P-256
	CodeUnknownCA   Code = "tls_unknown_ca"          // the vehicle does not know our root
	CodeCertificate Code = "tls_certificate_refused" // the vehicle does not like our certificate
	CodeAlert       Code = "tls_alert"               // the vehicle gave another reason
	CodeBroken      Code = "tls_broken"              // messages that make no sense, or a wrong key
	CodeTimeout     Code = "tls_timeout"             // the vehicle did not go on
	CodeClosed      Code = "tls_closed"              // the vehicle closed without a reason
	CodeBusy        Code = "tls_busy"                // too many vehicles at once
	CodeKey         Code = "tls_key"                 // our private key could not sign
	CodePeer        Code = "tls_peer_certificate"    // vehicle's side: the EVSE's certificate is refused
	CodeStopped     Code = "tls_stopped"             // we stopped
)

// advice says what to look at.
var advice = map[Code]string{
	CodeNotTLS:      "the vehicle asked for TLS in the discovery but sends something else",
	CodeVersion:     "the vehicle does not offer TLS 1.2",
	CodeSuite:       "the vehicle does not offer TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
	CodeGroup:       "the vehicle does not offer secp256r1",
	CodeUnknownCA:   "install a certificate chain that ends at a root which the vehicle knows",
	CodeCertificate: "look at validity, key usage and the OCSP response of the EVSE's certificate",
	CodeAlert:       "the vehicle ended the handshake",
	CodeBroken:      "record the handshake (key log, capture) and look for what the vehicle changed",
	CodeTimeout:     "the vehicle fell silent during the handshake",
	CodeClosed:      "the vehicle closed the connection during the handshake; some do that for want of status_request_v2",
	CodeBusy:        "more vehicles than the queue for handshakes holds",
	CodeKey:         "the private key could not sign: look at the key file, the HSM or the TPM",
	CodePeer:        "the EVSE's certificate is not acceptable",
	CodeStopped:     "the EVSE ended the session",
}

// Error is a handshake that failed.
type Error struct {
	Code Code
	Err  error
}

// Error implements the error interface.
func (e *Error) Error() string {
	return fmt.Sprintf("tls handshake: %s: %s (%v)", e.Code, advice[e.Code], e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Alerts of TLS that say something about certificates.
const (
	alertBadCertificate      = 42
	alertCertificateUnknown  = 46
	alertUnknownCA           = 48
	alertBadCertStatus       = 113
	alertCertificateRequired = 116
)

var errKey = errors.New("the private key does not sign")

// classify turns what crypto/tls returned into an *Error. early is what the ClientHello has shown already.
func classify(ctx context.Context, err error, early Code) *Error {
	var timeout net.Error
	var header tls.RecordHeaderError
	var op *net.OpError
	var refused *peerError
	code := CodeBroken
	switch {
	case errors.Is(err, errBusy):
		code = CodeBusy
	case strings.Contains(err.Error(), errKey.Error()): // crypto/tls does not wrap it
		code = CodeKey
	case errors.As(err, &refused):
		code = CodePeer
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		code = CodeTimeout
	case ctx.Err() != nil:
		code = CodeStopped
	case errors.As(err, &header):
		code = CodeNotTLS
	case early != "":
		code = early
	case errors.As(err, &op) && op.Op == "remote error":
		code = remote(op.Err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe), errors.Is(err, net.ErrClosed),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		code = CodeClosed
	}
	return &Error{code, err}
}

// remote classifies an alert; crypto/tls does not export its type, which is a number.
func remote(alert error) Code {
	v := reflect.ValueOf(alert)
	if v.Kind() != reflect.Uint8 {
		return CodeAlert
	}
	switch n := v.Uint(); {
	case n == alertUnknownCA:
		return CodeUnknownCA
	case n >= alertBadCertificate && n <= alertCertificateUnknown, n == alertBadCertStatus, n == alertCertificateRequired:
		return CodeCertificate
	}
	return CodeAlert
}
