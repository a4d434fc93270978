package pki

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// Trust is what a chain is judged by. The zero value trusts nobody. It is read only while it is in use, so that many sessions
// may share one.
type Trust struct {
	// V2G, MO and OEM are root certificates. A contract chain may end at an MO root or at a V2G root.
	V2G, MO, OEM []*x509.Certificate
	// Subs are sub-CA certificates that chains may lack, such as those of manufacturers: a vehicle that asks for a contract
	// sends its own certificate alone.
	Subs []*x509.Certificate
	// Revoked knows revoked certificates; nil knows none.
	Revoked *Revocations
	// RequireStatus refuses certificates, other than roots, of which Revoked knows nothing current.
	RequireStatus bool
}

// Path is a chain that was built and checked.
type Path struct {
	// Certificates begins with the leaf and ends with the root, or, when no trusted root was found, with the last sub-CA.
	Certificates []*x509.Certificate
	// Rooted reports whether the last of them is a trusted root.
	Rooted bool
}

// Leaf is the first certificate.
func (p *Path) Leaf() *x509.Certificate { return p.Certificates[0] }

// EMAID is the contract identifier that the leaf names, normalised.
func (p *Path) EMAID() string { return NormalEMAID(p.Leaf().Subject.CommonName) }

// Subs are the certificates between leaf and root.
func (p *Path) Subs() []*x509.Certificate {
	if p.Rooted {
		return p.Certificates[1 : len(p.Certificates)-1]
	}
	return p.Certificates[1:]
}

// PEM is the chain without its root, leaf first, as OCPP's Authorize takes it when the root is not known here.
func (p *Path) PEM() []byte {
	var out []byte
	for i, c := range p.Certificates {
		if i == len(p.Certificates)-1 && p.Rooted {
			break
		}
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}

// Contract checks the chain of a contract, leaf first. The order of the others does not matter. On ErrUnknownRoot the path is
// returned as well.
func (t *Trust) Contract(now time.Time, ed Edition, chain [][]byte) (*Path, error) {
	p, root, err := t.path(now, ed, chain, t.MO, t.V2G)
	if p == nil {
		return nil, err
	}
	leaf := p.Leaf()
	if leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
		return nil, refuse(ErrProfile, leaf, "a contract certificate has to sign")
	}
	if NormalEMAID(leaf.Subject.CommonName) == "" {
		return nil, refuse(ErrProfile, leaf, "the common name is no contract identifier")
	}
	// Beneath a V2G root there are operators of charge points and provisioning services too, which must not make contracts.
	for i, c := range p.Certificates {
		last := i == len(p.Certificates)-1
		switch d := domains(c); {
		case last && p.Rooted:
		case root == fromSecond && !hasDomain(c, DomainMO), len(d) > 0 && !hasDomain(c, DomainMO):
			return nil, refuse(ErrProfile, c, "a contract chain under this root wants DC %q, found %q", DomainMO, d)
		}
	}
	return p, err
}

// CPS checks the chain of a certificate provisioning service, which signs what a vehicle installs. It ends at a V2G root.
func (t *Trust) CPS(now time.Time, ed Edition, chain [][]byte) (*Path, error) {
	return t.strict(now, ed, chain, CPS, t.V2G)
}

// SECC checks the chain that a charge point presents in TLS. It ends at a V2G root.
func (t *Trust) SECC(now time.Time, ed Edition, chain [][]byte) (*Path, error) {
	return t.strict(now, ed, chain, SECC, t.V2G)
}

// Provisioning checks the certificate with which a vehicle asks for a contract; its sub-CAs come from Subs.
func (t *Trust) Provisioning(now time.Time, ed Edition, chain [][]byte) (*Path, error) {
	return t.strict(now, ed, chain, Provisioning, t.OEM)
}

// Vehicle checks the chain that a vehicle presents in TLS of ISO 15118-20. It ends at an OEM root or a V2G root.
func (t *Trust) Vehicle(now time.Time, ed Edition, chain [][]byte) (*Path, error) {
	return t.strict(now, ed, chain, Vehicle, t.OEM, t.V2G)
}

// strict checks that the leaf has the profile of its role, besides the path. Without a trusted root there is no path.
func (t *Trust) strict(now time.Time, ed Edition, chain [][]byte, role Role, roots ...[]*x509.Certificate) (*Path, error) {
	p, _, err := t.path(now, ed, chain, roots...)
	if err != nil {
		return nil, err
	}
	if err := ProfileOf(role).Check(p.Leaf(), ed); err != nil {
		return nil, err
	}
	return p, nil
}

// fromSecond is the index of the second set of roots.
const fromSecond = 1

// path builds and checks the way from the leaf to a root of one of the sets, and says which set. A path comes with
// ErrUnknownRoot too, and with no other error.
func (t *Trust) path(now time.Time, ed Edition, chain [][]byte, roots ...[]*x509.Certificate) (*Path, int, error) {
	certs, err := parse(chain)
	if err != nil {
		return nil, 0, err
	}
	leaf := certs[0]
	if pub, ok := leaf.PublicKey.(*ecdsa.PublicKey); !ok || pub.Curve != ed.Curve() {
		return nil, 0, refuse(ErrKey, leaf, "want an ECDSA key on %s", ed.Curve().Params().Name)
	}
	if leaf.IsCA {
		return nil, 0, refuse(ErrProfile, leaf, "the first certificate of the chain is a CA")
	}
	p := &Path{Certificates: []*x509.Certificate{leaf}}
	set := 0
	for cur := leaf; len(p.Certificates) < MaxDepth && !p.Rooted; {
		var next *x509.Certificate
		if next, set = issuerIn(cur, roots...); next != nil {
			p.Rooted = true
		} else if next = subOf(cur, p.Certificates, certs[1:], t.Subs); next == nil {
			break
		}
		p.Certificates = append(p.Certificates, next)
		cur = next
	}
	if err := t.check(now, p); err != nil {
		return nil, 0, err
	}
	if !p.Rooted {
		top := p.Certificates[len(p.Certificates)-1]
		return p, 0, refuse(ErrUnknownRoot, top, "issued by %q; install that root, or the missing sub-CA", top.Issuer.CommonName)
	}
	return p, set, nil
}

func parse(chain [][]byte) ([]*x509.Certificate, error) {
	if len(chain) == 0 || len(chain[0]) == 0 {
		return nil, refuse(ErrNone, nil, "the chain is empty")
	}
	if len(chain) > MaxDepth+1 { // a vehicle may send the root too, for nothing
		return nil, refuse(ErrChain, nil, "%d certificates", len(chain))
	}
	out := make([]*x509.Certificate, len(chain))
	for i, der := range chain {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, refuse(ErrMalformed, nil, "certificate %d of the chain: %v", i+1, err)
		}
		out[i] = c
	}
	return out, nil
}

// issued reports whether ca made c. CheckSignatureFrom demands the CA flag and the key usage as well.
func issued(ca, c *x509.Certificate) bool {
	return bytes.Equal(ca.RawSubject, c.RawIssuer) && c.CheckSignatureFrom(ca) == nil
}

func issuerIn(c *x509.Certificate, sets ...[]*x509.Certificate) (*x509.Certificate, int) {
	for n, set := range sets {
		for _, ca := range set {
			if issued(ca, c) {
				return ca, n
			}
		}
	}
	return nil, 0
}

func subOf(c *x509.Certificate, used []*x509.Certificate, sets ...[]*x509.Certificate) *x509.Certificate {
	for _, set := range sets {
	next:
		for _, ca := range set {
			if bytes.Equal(ca.RawSubject, ca.RawIssuer) { // a root that is not trusted
				continue
			}
			for _, u := range used {
				if u.Equal(ca) {
					continue next
				}
			}
			if issued(ca, c) {
				return ca
			}
		}
	}
	return nil
}

// check looks at validity, path lengths, critical extensions and revocation of every certificate in the path.
func (t *Trust) check(now time.Time, p *Path) error {
	for i, c := range p.Certificates {
		switch {
		case now.After(c.NotAfter):
			return refuse(ErrExpired, c, "on %s", c.NotAfter.UTC().Format(time.DateTime))
		case now.Before(c.NotBefore):
			return refuse(ErrNotYetValid, c, "before %s", c.NotBefore.UTC().Format(time.DateTime))
		case i > 0 && c.MaxPathLen >= 0 && (c.MaxPathLen > 0 || c.MaxPathLenZero) && i-1 > c.MaxPathLen:
			return refuse(ErrChain, c, "path length %d, but %d CAs beneath", c.MaxPathLen, i-1)
		case len(c.UnhandledCriticalExtensions) != 0:
			return refuse(ErrProfile, c, "critical extension %s is not understood", c.UnhandledCriticalExtensions[0])
		}
	}
	if err := verify(now, p); err != nil {
		return err
	}
	for i, c := range p.Certificates[:len(p.Certificates)-1] {
		switch err := t.Revoked.Check(now, c, p.Certificates[i+1]); {
		case err == nil:
		case errors.Is(err, ErrStatus) && !t.RequireStatus:
		default:
			return err
		}
	}
	return nil
}

// verify lets the standard library have its word on the path that was built; it knows rules (name constraints, versions,
// authority key ids) that are not repeated here.
func verify(now time.Time, p *Path) error {
	if len(p.Certificates) == 1 {
		return nil // nothing to verify it against
	}
	roots, subs := x509.NewCertPool(), x509.NewCertPool()
	last := len(p.Certificates) - 1
	roots.AddCert(p.Certificates[last])
	for _, c := range p.Certificates[1:last] {
		subs.AddCert(c)
	}
	_, err := p.Leaf().Verify(x509.VerifyOptions{Roots: roots, Intermediates: subs, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	if err != nil {
		return refuse(ErrChain, p.Leaf(), "%v", err)
	}
	return nil
}

// ParsePEM reads all certificates of a PEM file.
func ParsePEM(data []byte) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for n := 1; ; n++ {
		var b *pem.Block
		if b, data = pem.Decode(data); b == nil {
			if len(out) == 0 {
				return nil, refuse(ErrNone, nil, "no CERTIFICATE block in the PEM data")
			}
			return out, nil
		}
		if b.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, refuse(ErrMalformed, nil, "PEM block %d: %v", n, err)
		}
		out = append(out, c)
	}
}

// String tells the chain in one line, for logs.
func (p *Path) String() string {
	var b bytes.Buffer
	for i, c := range p.Certificates {
		if i > 0 {
			b.WriteString(" < ")
		}
		fmt.Fprintf(&b, "%q", c.Subject.CommonName)
	}
	if !p.Rooted {
		b.WriteString(" < ?")
	}
	return b.String()
}
