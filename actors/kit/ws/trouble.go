package ws

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"reflect"
	"strings"
)

// Alerts of TLS (RFC 8446, 6; RFC 5246, 7.2).
const (
	alertHandshakeFailure     = 40
	alertBadCertificate       = 42
	alertCertificateUnknown   = 46
	alertUnknownCA            = 48
	alertAccessDenied         = 49
	alertProtocolVersion      = 70
	alertInsufficientSecurity = 71
	alertCertificateRequired  = 116
)

// SecurityEvent names what an error of Dial is in OCPP's list of security events (2.0.1, part 2 appendices, 1), "" when it is
// none of them.
func SecurityEvent(err error) string {
	var refused *Refused
	var cert *tls.CertificateVerificationError
	var op *net.OpError
	switch {
	case errors.As(err, &refused):
		if refused.Status == http.StatusUnauthorized || refused.Status == http.StatusForbidden {
			return "FailedToAuthenticateAtCsms"
		}
		return ""
	case errors.As(err, &cert):
		return "InvalidCsmsCertificate"
	case errors.As(err, &op) && op.Op == "remote error":
		return ofAlert(op.Err)
	}
	// crypto/tls has no types for these.
	switch text := err.Error(); {
	case strings.Contains(text, "tls: server selected unsupported protocol version"):
		return "InvalidTLSVersion"
	case strings.Contains(text, "tls: server chose an unconfigured cipher suite"):
		return "InvalidTLSCipherSuite"
	}
	return ""
}

// ofAlert reads the CSMS's alert; crypto/tls does not export its type, which is a number.
func ofAlert(alert error) string {
	v := reflect.ValueOf(alert)
	if v.Kind() != reflect.Uint8 {
		return ""
	}
	switch n := v.Uint(); {
	case n == alertProtocolVersion:
		return "InvalidTLSVersion"
	case n == alertHandshakeFailure, n == alertInsufficientSecurity: // no suite that both have
		return "InvalidTLSCipherSuite"
	case n >= alertBadCertificate && n <= alertCertificateUnknown, n == alertUnknownCA, n == alertAccessDenied, n == alertCertificateRequired:
		return "FailedToAuthenticateAtCsms"
	}
	return ""
}

// Chain is the certificate chain that the other side has shown, leaf first; nil without TLS.
func (p *Peer) Chain() [][]byte {
	c, ok := p.conn.NetConn().(*tls.Conn)
	if !ok {
		return nil
	}
	var out [][]byte
	for _, x := range c.ConnectionState().PeerCertificates {
		out = append(out, x.Raw)
	}
	return out
}
