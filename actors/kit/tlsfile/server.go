package tlsfile

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"github.com/voltyard/voltyard/storage/keyring"
)

// Suites of OCPP on TLS 1.2 (OCPP 2.0.1 part 2, A00.FR.318 and 421). The RSA key exchange has no forward secrecy, but a CSMS has
// to support it; it is served only with an RSA certificate. TLS 1.3 has suites of its own, which are all good.
var (
	suitesEC  = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384}
	suitesRSA = []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_GCM_SHA384}
)

// Pair is a certificate chain and its private key, in PEM files.
type Pair struct{ Cert, Key string }

// ServerFiles are the files of a server towards stations.
type ServerFiles struct {
	// Pairs are its certificates, at most one with an ECDSA and one with an RSA key.
	Pairs []Pair
	// ClientCA are roots that the clients' certificates must chain to; without it clients show none.
	ClientCA string
}

// Server is the TLS of a listener. When a file changes, the next handshake uses the new contents: certificates are renewed
// without a restart. If the new files are not good, the old ones stay in use.
type Server struct {
	files ServerFiles
	told  func(error)

	watch *Watch

	mu      sync.Mutex
	current *tls.Config
}

// NewServer reads the files. told hears of every later renewal (nil) and of files that cannot be used; it may be nil.
func NewServer(files ServerFiles, told func(error)) (*Server, error) {
	if told == nil {
		told = func(error) {}
	}
	s := &Server{files: files, told: told, watch: NewWatch(files.names()...)}
	cfg, err := files.load()
	if err != nil {
		return nil, err
	}
	s.current = cfg
	return s, nil
}

// Config is what a listener is made with.
func (s *Server) Config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return s.fresh(), nil }}
}

func (f ServerFiles) names() []string {
	var out []string
	for _, p := range f.Pairs {
		out = append(out, p.Cert, p.Key)
	}
	return append(out, f.ClientCA)
}

func (s *Server) fresh() *tls.Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.watch.Changed() {
		return s.current
	}
	cfg, err := s.files.load()
	if err != nil { // half of the files may be new: it is tried again when the other half comes
		s.told(fmt.Errorf("the changed certificate files are not used: %w", err))
		return s.current
	}
	s.current = cfg
	s.told(nil)
	return cfg
}

func (f ServerFiles) load() (*tls.Config, error) {
	if len(f.Pairs) == 0 {
		return nil, errors.New("a TLS listener needs a certificate")
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	for _, p := range f.Pairs {
		cert, err := Load(p)
		if err != nil {
			return nil, err
		}
		switch cert.PrivateKey.(type) {
		case *ecdsa.PrivateKey:
			cfg.CipherSuites = append(cfg.CipherSuites, suitesEC...)
		case *rsa.PrivateKey:
			cfg.CipherSuites = append(cfg.CipherSuites, suitesRSA...)
		}
		cfg.Certificates = append(cfg.Certificates, cert)
	}
	if f.ClientCA != "" {
		roots, err := pool(f.ClientCA)
		if err != nil {
			return nil, err
		}
		cfg.ClientAuth, cfg.ClientCAs = tls.RequireAndVerifyClientCert, roots
	}
	return cfg, nil
}

// Load reads a chain and its key. The key's file must be for its owner alone.
func Load(p Pair) (tls.Certificate, error) {
	chain, err := os.ReadFile(p.Cert)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("read certificate: %w", err)
	}
	key, err := keyring.ReadFile(p.Key)
	if err != nil {
		return tls.Certificate{}, err
	}
	cert := tls.Certificate{PrivateKey: key}
	if cert.Certificate, err = blocks(chain); err != nil {
		return tls.Certificate{}, fmt.Errorf("read certificate %s: %w", p.Cert, err)
	}
	if cert.Leaf, err = x509.ParseCertificate(cert.Certificate[0]); err != nil {
		return tls.Certificate{}, fmt.Errorf("read certificate %s: %w", p.Cert, err)
	}
	if pub, ok := cert.Leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !pub.Equal(key.Public()) {
		return tls.Certificate{}, fmt.Errorf("the private key %s does not belong to the certificate %s", p.Key, p.Cert)
	}
	return cert, nil
}

// blocks are the certificates of a PEM file.
func blocks(data []byte) ([][]byte, error) {
	var out [][]byte
	for {
		var b *pem.Block
		if b, data = pem.Decode(data); b == nil {
			if len(out) == 0 {
				return nil, errors.New("no certificate in PEM form")
			}
			return out, nil
		}
		if b.Type == "CERTIFICATE" {
			out = append(out, b.Bytes)
		}
	}
}

func pool(name string) (*x509.CertPool, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read roots: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(data) {
		return nil, errors.New("read roots " + name + ": no certificate in PEM form")
	}
	return roots, nil
}

// CSMS makes the configuration of a connection to a CSMS from PEM files; empty names are left out. It names the suites of OCPP,
// and reads the client's certificate anew for every connection, so that it is renewed without a restart.
func CSMS(caFile string, pair Pair) (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, CipherSuites: slices.Concat(suitesEC, suitesRSA)}
	if caFile != "" {
		roots, err := pool(caFile)
		if err != nil {
			return nil, err
		}
		cfg.RootCAs = roots
	}
	if pair.Cert == "" {
		return cfg, nil
	}
	if _, err := Load(pair); err != nil {
		return nil, fmt.Errorf("client certificate: %w", err)
	}
	cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		cert, err := Load(pair)
		if err != nil {
			return nil, fmt.Errorf("client certificate: %w", err)
		}
		return &cert, nil
	}
	return cfg, nil
}
