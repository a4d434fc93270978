package transfer

import (
	"crypto/tls"
	"crypto/x509"
	"sync"
)

// Roots are those that the servers' certificates may chain to: fixed ones, and those that a CSMS has installed at stations of this
// process (OCPP 2.0.1 part 2, N01.FR.15, N01.FR.16).
type Roots struct {
	fixed *x509.CertPool

	mu        sync.Mutex
	installed map[string][]*x509.Certificate // by station
}

// NewRoots takes the fixed ones; nil are those of the system.
func NewRoots(fixed *x509.CertPool) *Roots {
	if fixed == nil {
		var err error
		if fixed, err = x509.SystemCertPool(); err != nil {
			fixed = x509.NewCertPool()
		}
	}
	return &Roots{fixed: fixed, installed: map[string][]*x509.Certificate{}}
}

// Install replaces the roots that a station has. It may be called on nil.
func (r *Roots) Install(station string, roots []*x509.Certificate) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.installed[station] = roots
}

// config is the TLS of one transfer.
func (r *Roots) config() *tls.Config {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if r == nil {
		return cfg
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	cfg.RootCAs = r.fixed.Clone()
	for _, list := range r.installed {
		for _, c := range list {
			cfg.RootCAs.AddCert(c)
		}
	}
	return cfg
}
