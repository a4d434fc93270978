package testpki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/netip"
	"time"

	"github.com/voltyard/voltyard/protocols/iso15118/pki"
)

// Organization is the O of all subjects.
const Organization = "Voltyard test"

// Responder is where the certificates say that an OCSP responder is; nobody answers there.
const Responder = "http://ocsp.voltyard.invalid"

// Entity is a certificate with its private key.
type Entity struct {
	// Name is a short name for files, such as "cpo-sub1".
	Name   string
	Cert   *x509.Certificate
	Key    *ecdsa.PrivateKey // nil where somebody else has it
	Issuer *Entity           // nil for a root
}

// Chain is the certificate and those of its sub-CAs, leaf first, without the root, in DER.
func (e *Entity) Chain() [][]byte {
	var out [][]byte
	for c := e; c.Issuer != nil; c = c.Issuer {
		out = append(out, c.Cert.Raw)
	}
	return out
}

// Root is the root of the entity's chain.
func (e *Entity) Root() *Entity {
	for e.Issuer != nil {
		e = e.Issuer
	}
	return e
}

// ChainPEM is the chain as PEM.
func (e *Entity) ChainPEM() []byte {
	var out []byte
	for _, der := range e.Chain() {
		out = append(out, certPEM(der)...)
	}
	return out
}

// CertPEM is the certificate alone as PEM.
func (e *Entity) CertPEM() []byte { return certPEM(e.Cert.Raw) }

func certPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// KeyPEM is the private key as PKCS#8 in PEM.
func (e *Entity) KeyPEM() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(e.Key)
	if err != nil {
		return nil, fmt.Errorf("testpki: private key of %s: %w", e.Name, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// TLS is the entity for a TLS configuration.
func (e *Entity) TLS() tls.Certificate {
	return tls.Certificate{Certificate: e.Chain(), PrivateKey: e.Key, Leaf: e.Cert}
}

// Sign makes a certificate of a public key that somebody else has, issued by e, which may have been read from files.
func (e *Entity) Sign(now time.Time, key crypto.PublicKey, s Subject) (*Entity, error) {
	pub, ok := key.(*ecdsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("testpki: certificate of %s: %T is no ECDSA key", s.Name, key)
	}
	return certify(pub, nil, now, e, s)
}

// Subject says what a new certificate shall be.
type Subject struct {
	// Name is a short name for files.
	Name string
	// CommonName is the CN.
	CommonName string
	// Profile gives usage, CA flag, path length, domain and lifetime.
	Profile pki.Profile
	// Hosts are DNS names and IP addresses.
	Hosts []string
	// ExtUsage are extended key usages.
	ExtUsage []x509.ExtKeyUsage
	// NotBefore and NotAfter replace a minute ago and the profile's lifetime, where set.
	NotBefore, NotAfter time.Time
}

var oidDomainComponent = asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 25}

// newEntity makes a key and its certificate; a nil issuer makes it self-signed.
func newEntity(curve elliptic.Curve, now time.Time, issuer *Entity, s Subject) (*Entity, error) {
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("testpki: key of %s: %w", s.Name, err)
	}
	e, err := certify(&key.PublicKey, key, now, issuer, s)
	if err != nil {
		return nil, err
	}
	e.Key = key
	return e, nil
}

// certify makes the certificate of a public key; own signs where there is no issuer.
func certify(pub *ecdsa.PublicKey, own *ecdsa.PrivateKey, now time.Time, issuer *Entity, s Subject) (*Entity, error) {
	serial := make([]byte, 8)
	_, _ = rand.Read(serial)          // never fails
	serial[0] = serial[0]&0x7f | 0x40 // positive, and of one length
	p := s.Profile
	from, until := s.NotBefore, s.NotAfter
	if from.IsZero() {
		from = now.Add(-time.Minute)
	}
	if until.IsZero() {
		until = now.Add(p.Lifetime)
	}
	point, err := pub.Bytes()
	if err != nil {
		return nil, fmt.Errorf("testpki: public key of %s: %w", s.Name, err)
	}
	id := sha256.Sum256(point)
	name := pkix.Name{CommonName: s.CommonName, Organization: []string{Organization}, Country: []string{"DE"}}
	if p.Domain != "" {
		name.ExtraNames = []pkix.AttributeTypeAndValue{{Type: oidDomainComponent, Value: asn1.RawValue{Tag: asn1.TagIA5String, Bytes: []byte(p.Domain)}}}
	}
	tmpl := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial), Subject: name,
		NotBefore: from.UTC().Truncate(time.Second), NotAfter: until.UTC().Truncate(time.Second),
		KeyUsage: p.Usage, ExtKeyUsage: s.ExtUsage, BasicConstraintsValid: true, IsCA: p.CA, SubjectKeyId: id[:20],
	}
	if p.CA {
		tmpl.MaxPathLen, tmpl.MaxPathLenZero = p.PathLen, p.PathLen == 0
	}
	for _, h := range s.Hosts {
		if ip, err := netip.ParseAddr(h); err == nil {
			tmpl.IPAddresses = append(tmpl.IPAddresses, ip.AsSlice())
		} else {
			tmpl.DNSNames = append(tmpl.DNSNames, h)
		}
	}
	parent, signer := tmpl, own
	if issuer != nil {
		parent, signer = issuer.Cert, issuer.Key
		tmpl.OCSPServer = []string{Responder}
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, pub, signer)
	if err != nil {
		return nil, fmt.Errorf("testpki: certificate of %s: %w", s.Name, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("testpki: certificate of %s: %w", s.Name, err)
	}
	return &Entity{Name: s.Name, Cert: cert, Issuer: issuer}, nil
}
