package v2gtls

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"github.com/voltyard/voltyard/protocols/iso15118/pki"
)

// suites are those of ISO 15118-2 that crypto/tls has; it must be named, because Go leaves it out by default.
var suites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256}

// groups are those of ISO 15118-2.
var groups = []tls.CurveID{tls.CurveP256}

// Identity is one certificate chain of an EVSE.
type Identity struct {
	// Chain is leaf and sub-CAs, leaf first, without the root, in DER.
	Chain [][]byte
	// Key is the private key of the leaf. It may sit in an HSM or a TPM.
	Key crypto.Signer
	// Root is where the chain ends; vehicles ask for a chain by its root. Nil serves vehicles that do not ask.
	Root *x509.Certificate
	// OCSP is a response about the leaf, in DER; nil staples none.
	OCSP []byte
}

// identity is an Identity made ready.
type identity struct {
	cert  tls.Certificate
	bare  tls.Certificate // without the staple, for when it is out of date
	root  *x509.Certificate
	until time.Time // of the staple
	warn  string
}

// Config describes a server. Zero values take defaults.
type Config struct {
	// Identities are the chains to choose from; the first serves vehicles that ask for none of them.
	Identities []Identity
	// Deadline is how long a handshake may take, waiting included; default 10 s, well within the 18 s that the standard gives
	// the set-up of communication.
	Deadline time.Duration
	// Queue is shared by all servers of a process; nil makes one for this server alone.
	Queue *Queue
	// Renew is asked before each handshake, by many goroutines at once, and may set new identities, such as those of changed
	// files; nil for none.
	Renew func(set func([]Identity) error)
	// KeyLog receives the keys of every session, in the format that Wireshark reads; nil for none. It makes all traffic readable:
	// for debugging, on request.
	KeyLog io.Writer
}

// Server makes TLS connections of TCP connections that vehicles have opened. It may be used by many sessions at once.
type Server struct {
	cfg   Config
	gate  *Queue
	tls   *tls.Config
	chain atomic.Pointer[[]identity]
}

// Info is what a handshake has shown.
type Info struct {
	Hello
	Resumed bool
	// Root is the common name of the root whose chain was sent; Chosen reports whether the vehicle asked for it.
	Root    string
	Chosen  bool
	Stapled bool
	// Took is how long the handshake took, waiting included.
	Took time.Duration
}

// NewServer makes a server.
func NewServer(cfg Config) (*Server, error) {
	if cfg.Deadline == 0 {
		cfg.Deadline = 10 * time.Second
	}
	if cfg.Queue == nil {
		cfg.Queue = NewQueue(0, 0)
	}
	s := &Server{cfg: cfg, gate: cfg.Queue}
	if err := s.SetIdentities(cfg.Identities); err != nil {
		return nil, err
	}
	s.tls = &tls.Config{
		MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12,
		CipherSuites: suites, CurvePreferences: groups,
		GetConfigForClient: look, GetCertificate: s.choose,
		KeyLogWriter: cfg.KeyLog,
	}
	return s, nil
}

// SetIdentities replaces the chains for handshakes that begin from now on: a new certificate, or a new OCSP response.
func (s *Server) SetIdentities(list []Identity) error {
	if len(list) == 0 {
		return errors.New("tls server: no certificate; configure one, or serve vehicles without TLS")
	}
	ready := make([]identity, len(list))
	for i, id := range list {
		r, err := id.ready()
		if err != nil {
			return fmt.Errorf("tls server: identity %d: %w", i+1, err)
		}
		ready[i] = r
	}
	s.chain.Store(&ready)
	return nil
}

// Warnings are what is not right with the identities but does not keep them from serving.
func (s *Server) Warnings() []string {
	var out []string
	now := time.Now()
	for _, id := range *s.chain.Load() {
		leaf := id.bare.Leaf
		switch {
		case now.After(leaf.NotAfter):
			out = append(out, fmt.Sprintf("the certificate %q has expired on %s; vehicles will refuse it", leaf.Subject.CommonName, leaf.NotAfter.Format(time.DateTime)))
		case now.Before(leaf.NotBefore):
			out = append(out, fmt.Sprintf("the certificate %q is valid from %s only; vehicles will refuse it", leaf.Subject.CommonName, leaf.NotBefore.Format(time.DateTime)))
		case id.warn != "":
			out = append(out, id.warn)
		case id.cert.OCSPStaple == nil:
			out = append(out, fmt.Sprintf("no OCSP response for %q; vehicles that insist will close the connection", leaf.Subject.CommonName))
		}
	}
	return out
}

func (id Identity) ready() (identity, error) {
	if len(id.Chain) == 0 || id.Key == nil {
		return identity{}, errors.New("certificate or private key is missing")
	}
	certs := make([]*x509.Certificate, len(id.Chain))
	for i, der := range id.Chain {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return identity{}, fmt.Errorf("certificate %d of the chain: %w", i+1, err)
		}
		certs[i] = c
	}
	pub, ok := certs[0].PublicKey.(*ecdsa.PublicKey)
	switch {
	case !ok || pub.Curve != elliptic.P256():
		return identity{}, fmt.Errorf("the key of %q is not on P-256, which ISO 15118-2 demands", certs[0].Subject.CommonName)
	case !pub.Equal(id.Key.Public()):
		return identity{}, fmt.Errorf("the private key does not belong to the certificate %q", certs[0].Subject.CommonName)
	}
	r := identity{root: id.Root, bare: tls.Certificate{Certificate: id.Chain, PrivateKey: signer{id.Key}, Leaf: certs[0]}}
	r.cert = r.bare
	if id.OCSP != nil {
		issuer := id.Root
		if len(certs) > 1 {
			issuer = certs[1]
		}
		if issuer == nil {
			return identity{}, fmt.Errorf("the issuer of %q is not known, so its OCSP response cannot be checked; give the whole chain or the root", certs[0].Subject.CommonName)
		}
		until, err := pki.Good(time.Now(), id.OCSP, certs[0], issuer)
		switch {
		case err != nil && !until.IsZero() && time.Now().After(until): // charging goes on without
			r.warn = fmt.Sprintf("not stapled: %v; fetch a new one", err)
			return r, nil
		case err != nil:
			return identity{}, fmt.Errorf("OCSP response to staple: %w", err)
		}
		r.cert.OCSPStaple, r.until = id.OCSP, until
	}
	return r, nil
}

// signer marks failures of the private key, which are ours and not the vehicle's.
type signer struct{ crypto.Signer }

func (s signer) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	out, err := s.Signer.Sign(rand, digest, opts)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errKey, err)
	}
	return out, nil
}

// look sees the ClientHello before anything is decided. What cannot work is noted here, where it can be told apart.
func look(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	t, ok := hello.Conn.(*tap)
	if !ok {
		return nil, nil
	}
	t.info.Hello, _ = ParseHello(t.hello)
	t.hello, t.seen = nil, true
	switch {
	case !slices.Contains(hello.SupportedVersions, tls.VersionTLS12):
		t.early = CodeVersion
	case !slices.Contains(hello.CipherSuites, suites[0]):
		t.early = CodeSuite
	case len(hello.SupportedCurves) > 0 && !slices.Contains(hello.SupportedCurves, groups[0]):
		t.early = CodeGroup
	}
	return nil, nil
}

// choose picks the chain whose root the vehicle trusts, in the vehicle's order ([V2G2-651]); the first chain otherwise.
func (s *Server) choose(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	list := *s.chain.Load()
	pick := &list[0]
	t, ok := hello.Conn.(*tap)
	if ok {
	search:
		for _, a := range t.info.Trusted {
			for i := range list {
				if list[i].root != nil && a.names(list[i].root) {
					pick, t.info.Chosen = &list[i], true
					break search
				}
			}
		}
		if pick.root != nil {
			t.info.Root = pick.root.Subject.CommonName
		}
	}
	if time.Now().After(pick.until) {
		return &pick.bare, nil
	}
	if ok {
		t.info.Stapled = t.info.Status
	}
	return &pick.cert, nil
}

// Handshake makes a TLS connection of one that a vehicle has opened. It waits for a slot whenever it has to compute, and ends at
// the deadline or with ctx. On failure, which is an *Error, the connection is closed.
func (s *Server) Handshake(ctx context.Context, c net.Conn) (*tls.Conn, Info, error) {
	begun := time.Now()
	if !s.gate.enter() {
		_ = c.Close()
		return nil, Info{}, classify(ctx, errBusy, "")
	}
	defer s.gate.leave()
	if s.cfg.Renew != nil {
		s.cfg.Renew(s.SetIdentities)
	}
	within, cancel := context.WithTimeout(ctx, s.cfg.Deadline)
	defer cancel()
	t := &tap{Conn: c, ctx: within, gate: s.gate}
	_ = c.SetDeadline(begun.Add(s.cfg.Deadline))
	conn := tls.Server(t, s.tls)
	err := conn.HandshakeContext(within)
	t.info.Took = time.Since(begun)
	if err != nil {
		t.give()
		_ = c.Close()
		return nil, t.info, classify(ctx, err, t.early)
	}
	t.done()
	t.info.Resumed = conn.ConnectionState().DidResume
	return conn, t.info, nil
}
