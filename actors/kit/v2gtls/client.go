package v2gtls

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"time"

	"github.com/voltyard/voltyard/protocols/iso15118/pki"
)

// Client is a vehicle's side of TLS in ISO 15118-2. It cannot send trusted_ca_keys, because crypto/tls has no way to.
type Client struct {
	// Trust judges the EVSE's chain: V2G roots and what is known of revoked certificates.
	Trust *pki.Trust
	// RequireOCSP refuses an EVSE that staples no current and good OCSP response of its leaf.
	RequireOCSP bool
	// Deadline is how long a handshake may take; default 20 s, the standard's time for setting up the communication.
	Deadline time.Duration
	// Sessions keeps sessions to resume; nil resumes none.
	Sessions tls.ClientSessionCache
	// KeyLog receives the keys of every session; nil for none.
	KeyLog io.Writer
}

// peerError marks that the EVSE's certificate was refused by this side.
type peerError struct{ err error }

func (e *peerError) Error() string { return e.err.Error() }
func (e *peerError) Unwrap() error { return e.err }

// Handshake makes a TLS connection to the EVSE at the other end of c. On failure, which is an *Error, the connection is closed.
func (v *Client) Handshake(ctx context.Context, c net.Conn) (*tls.Conn, error) {
	d := v.Deadline
	if d == 0 {
		d = 20 * time.Second
	}
	within, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	_ = c.SetDeadline(time.Now().Add(d))
	conn := tls.Client(c, &tls.Config{
		MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12,
		CipherSuites: suites, CurvePreferences: groups,
		// An EVSE has no host name; its chain and profile are judged instead, on resumption too.
		InsecureSkipVerify: true, VerifyConnection: v.judge,
		ClientSessionCache: v.Sessions, ServerName: "::", // the cache is kept by this name; an address is not sent
		KeyLogWriter: v.KeyLog,
	})
	if err := conn.HandshakeContext(within); err != nil {
		_ = c.Close()
		return nil, classify(ctx, err, "")
	}
	_ = c.SetDeadline(time.Time{})
	return conn, nil
}

func (v *Client) judge(s tls.ConnectionState) error {
	now := time.Now()
	chain := make([][]byte, len(s.PeerCertificates))
	for i, c := range s.PeerCertificates {
		chain[i] = c.Raw
	}
	p, err := v.Trust.SECC(now, pki.ISO2, chain)
	if err != nil {
		return &peerError{err}
	}
	if !v.RequireOCSP {
		return nil
	}
	if _, err := pki.Good(now, s.OCSPResponse, p.Leaf(), p.Certificates[1]); err != nil {
		return &peerError{err}
	}
	return nil
}
