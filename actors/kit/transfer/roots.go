package transfer

import (
	"crypto/tls"
	"crypto/x509"
	"sync"
)

// Roots are those that the servers' certificates may chain to: fixed ones, and those that a CSMS has installed at stations of this
// process (OCPP 2.0.1 part 2, N01.FR.15, N01.FR.16).
type Roots struct {
	fixed func() *x509.CertPool

	mu        sync.Mutex
	installed map[string][]*x509.Certificate // by station
}

// NewRoots takes the fixed ones; nil are those of the system.
func NewRoots(fixed *x509.CertPool) *Roots {
	if fixed == nil {
		return NewSystemRoots(nil)
	}
	return &Roots{fixed: func() *x509.CertPool { return fixed }, installed: map[string][]*x509.Certificate{}}
}

// NewSystemRoots takes those of the system, and those in PEM form beside them. The system's are read when they are first needed:
// that takes longer than all else at the start of the process.
func NewSystemRoots(beside []byte) *Roots {
	return &Roots{installed: map[string][]*x509.Certificate{}, fixed: sync.OnceValue(func() *x509.CertPool {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		pool.AppendCertsFromPEM(beside)
		return pool
	})}
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
	cfg.RootCAs = r.fixed().Clone()
	for _, list := range r.installed {
		for _, c := range list {
			cfg.RootCAs.AddCert(c)
		}
	}
	return cfg
}
