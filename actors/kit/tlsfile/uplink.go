package tlsfile

import (
	"crypto/tls"
	"crypto/x509"
	"slices"
	"sync"
	"time"
)

// Uplink is the TLS of one station towards its CSMS while certificates and roots change under it. It may be used by many
// goroutines at once.
type Uplink struct {
	base   *tls.Config
	beside bool

	mu      sync.Mutex
	managed bool // the roots below count
	roots   []*x509.Certificate
	own     []tls.Certificate // the newest first
	refused int               // times that the CSMS has refused a certificate since it took one
}

// mostOwn is how many certificates of the station's own are kept: the newest, and the one before as fallback (A02.FR.10).
const mostOwn = 2

// NewUplink makes one from what the site file gives (see CSMS); base is not changed. With beside the roots of base count whatever
// others are set: a bundle, or the system's.
func NewUplink(base *tls.Config, beside bool) *Uplink { return &Uplink{base: base, beside: beside} }

// SetRoots has these roots count, the newest first. Without any, those of the site file count, so that the station is not cut off.
func (u *Uplink) SetRoots(roots []*x509.Certificate) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.roots, u.managed = slices.Clone(roots), len(roots) > 0
}

// Use adds a certificate of the station's own. Of those that are valid the newest is shown.
func (u *Uplink) Use(cert tls.Certificate) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.refused = 0
	u.own = slices.DeleteFunc(u.own, func(c tls.Certificate) bool { return c.Leaf.Equal(cert.Leaf) })
	u.own = slices.Insert(u.own, 0, cert) // of two that begin at once the later one
	slices.SortStableFunc(u.own, func(a, b tls.Certificate) int { return b.Leaf.NotBefore.Compare(a.Leaf.NotBefore) })
	u.own = u.own[:min(len(u.own), mostOwn)]
}

// Refused says that the CSMS did not take the certificate: the next attempt shows the one before. Taken says that it did.
func (u *Uplink) Refused() {
	u.mu.Lock()
	u.refused++
	u.mu.Unlock()
}

// Taken says that the CSMS took the certificate.
func (u *Uplink) Taken() {
	u.mu.Lock()
	u.refused = 0
	u.mu.Unlock()
}

// Config is the configuration of the next connection. With newest only the newest root counts.
func (u *Uplink) Config(newest bool) *tls.Config {
	u.mu.Lock()
	defer u.mu.Unlock()
	cfg := u.base.Clone()
	if u.managed {
		pool := x509.NewCertPool()
		switch {
		case !u.beside || newest:
		case u.base.RootCAs != nil:
			pool = u.base.RootCAs.Clone()
		default:
			if system, err := x509.SystemCertPool(); err == nil {
				pool = system
			}
		}
		for i, c := range u.roots {
			if i == 0 || !newest {
				pool.AddCert(c)
			}
		}
		cfg.RootCAs = pool
	}
	file := u.base.GetClientCertificate
	if len(u.own) == 0 {
		return cfg
	}
	own, refused := slices.Clone(u.own), u.refused
	cfg.GetClientCertificate = func(i *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		var list []tls.Certificate
		now := time.Now()
		for _, c := range own {
			if !now.Before(c.Leaf.NotBefore) && !now.After(c.Leaf.NotAfter) {
				list = append(list, c)
			}
		}
		if file != nil {
			if c, err := file(i); err == nil && len(c.Certificate) > 0 {
				list = append(list, *c)
			}
		}
		slices.SortStableFunc(list, func(a, b tls.Certificate) int { return b.Leaf.NotBefore.Compare(a.Leaf.NotBefore) })
		if len(list) == 0 {
			return &tls.Certificate{}, nil
		}
		return &list[refused%len(list)], nil
	}
	return cfg
}

// Root returns the first of the managed roots, the newest first, that a CSMS's chain leads to; nil for none.
func (u *Uplink) Root(chain []*x509.Certificate) *x509.Certificate {
	if len(chain) == 0 {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, root := range u.roots {
		o := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool()}
		o.Roots.AddCert(root)
		for _, c := range chain[1:] {
			o.Intermediates.AddCert(c)
		}
		if _, err := chain[0].Verify(o); err == nil {
			return root
		}
	}
	return nil
}
