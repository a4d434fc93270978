package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/asn1"
	"strings"
	"time"
)

// Edition is the edition of the standard that a certificate serves; the editions differ in curve and hash.
type Edition uint8

// Editions.
const (
	ISO2  Edition = 2  // ISO 15118-2: P-256 and SHA-256
	ISO20 Edition = 20 // ISO 15118-20: P-521 and SHA-512; Ed448 is not served
)

// Curve is the curve of the edition's keys.
func (e Edition) Curve() elliptic.Curve {
	if e == ISO20 {
		return elliptic.P521()
	}
	return elliptic.P256()
}

// SignatureAlgorithm is how the edition's certificates are signed.
func (e Edition) SignatureAlgorithm() x509.SignatureAlgorithm {
	if e == ISO20 {
		return x509.ECDSAWithSHA512
	}
	return x509.ECDSAWithSHA256
}

// Role is what a certificate is for.
type Role uint8

// Roles. Each chain is root, sub-CA 1, sub-CA 2, leaf.
const (
	V2GRoot Role = iota
	CPOSub1
	CPOSub2
	SECC // leaf of the charge point operator, for TLS
	MORoot
	MOSub1
	MOSub2 // signs sales tariffs too
	Contract
	OEMRoot
	OEMSub1
	OEMSub2
	Provisioning // leaf of the manufacturer, with which a vehicle asks for its first contract
	CPSSub1
	CPSSub2
	CPS     // leaf of the certificate provisioning service
	Vehicle // leaf of the manufacturer, for TLS of ISO 15118-20
)

// Domain components that mark what a certificate is for.
const (
	DomainV2G = "V2G"
	DomainMO  = "MO"
	DomainOEM = "OEM"
	DomainCPO = "CPO"
	DomainCPS = "CPS"
)

// MaxDER is the longest certificate that fits in a message of ISO 15118-2, in octets.
const MaxDER = 800

// MaxDepth is the most certificates in a chain: root, two sub-CAs, leaf ([V2G2-010]).
const MaxDepth = 4

// Profile is what a certificate of one role looks like.
type Profile struct {
	Role Role
	// Name is the role in words.
	Name string
	// Domain is the DC in the subject; empty when none is demanded.
	Domain string
	CA     bool
	// PathLen is the path length constraint of a CA; -1 is none.
	PathLen int
	Usage   x509.KeyUsage
	// Lifetime is the usual time of validity.
	Lifetime time.Duration
}

const (
	day      = 24 * time.Hour
	year     = 365 * day
	usageCA  = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	usageMO2 = usageCA | x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment
)

// profiles are those of ISO 15118-2, tables F.1 to F.6. Lifetimes are within the ranges there.
var profiles = [...]Profile{
	V2GRoot:      {V2GRoot, "V2G root", DomainV2G, true, -1, usageCA, 40 * year},
	CPOSub1:      {CPOSub1, "CPO sub-CA 1", DomainV2G, true, 1, usageCA, 4 * year},
	CPOSub2:      {CPOSub2, "CPO sub-CA 2", DomainV2G, true, 0, usageCA, year},
	SECC:         {SECC, "SECC", DomainCPO, false, 0, x509.KeyUsageDigitalSignature | x509.KeyUsageKeyAgreement, 60 * day},
	MORoot:       {MORoot, "MO root", DomainMO, true, -1, usageCA, 40 * year},
	MOSub1:       {MOSub1, "MO sub-CA 1", DomainMO, true, 1, usageCA, 4 * year},
	MOSub2:       {MOSub2, "MO sub-CA 2", DomainMO, true, 0, usageMO2, 4 * year},
	Contract:     {Contract, "contract", DomainMO, false, 0, x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment | x509.KeyUsageKeyEncipherment | x509.KeyUsageKeyAgreement, 2 * year},
	OEMRoot:      {OEMRoot, "OEM root", DomainOEM, true, -1, usageCA, 40 * year},
	OEMSub1:      {OEMSub1, "OEM sub-CA 1", DomainOEM, true, 1, usageCA, 40 * year},
	OEMSub2:      {OEMSub2, "OEM sub-CA 2", DomainOEM, true, 0, usageCA, 40 * year},
	Provisioning: {Provisioning, "OEM provisioning", DomainOEM, false, 0, x509.KeyUsageDigitalSignature | x509.KeyUsageKeyAgreement, 30 * year},
	CPSSub1:      {CPSSub1, "provisioning service sub-CA 1", DomainCPS, true, 1, usageCA, 4 * year},
	CPSSub2:      {CPSSub2, "provisioning service sub-CA 2", DomainCPS, true, 0, usageCA, 2 * year},
	CPS:          {CPS, "provisioning service", DomainCPS, false, 0, x509.KeyUsageDigitalSignature, 90 * day},
	Vehicle:      {Vehicle, "vehicle", DomainOEM, false, 0, x509.KeyUsageDigitalSignature | x509.KeyUsageKeyAgreement, 30 * year},
}

// ProfileOf returns the profile of a role.
func ProfileOf(r Role) Profile { return profiles[r] }

// Check compares a certificate with the profile: curve, key usage, CA flag, path length, domain component, and for
// ISO 15118-2 the size. It checks neither validity nor signatures. The error is an *Error.
func (p Profile) Check(c *x509.Certificate, ed Edition) error {
	if pub, ok := c.PublicKey.(*ecdsa.PublicKey); !ok || pub.Curve != ed.Curve() {
		return refuse(ErrKey, c, "%s wants an ECDSA key on %s", p.Name, ed.Curve().Params().Name)
	}
	switch missing := p.Usage &^ c.KeyUsage; {
	case missing != 0:
		return refuse(ErrProfile, c, "%s lacks key usage %s", p.Name, usageNames(missing))
	case c.IsCA != p.CA:
		return refuse(ErrProfile, c, "%s: CA flag is %t", p.Name, c.IsCA)
	case p.CA && p.PathLen >= 0 && (c.MaxPathLen < 0 || c.MaxPathLen > p.PathLen):
		return refuse(ErrProfile, c, "%s: path length %d, at most %d allowed", p.Name, c.MaxPathLen, p.PathLen)
	case p.Domain != "" && !hasDomain(c, p.Domain):
		return refuse(ErrProfile, c, "%s: DC is %q, want %q", p.Name, domains(c), p.Domain)
	case ed == ISO2 && len(c.Raw) > MaxDER:
		return refuse(ErrProfile, c, "%s: %d octets, at most %d fit in a message", p.Name, len(c.Raw), MaxDER)
	}
	return nil
}

func usageNames(u x509.KeyUsage) string {
	var out []string
	for i, n := range []string{"digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement", "keyCertSign", "cRLSign"} {
		if u&(1<<i) != 0 {
			out = append(out, n)
		}
	}
	return strings.Join(out, ", ")
}

var oidDomainComponent = asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 25}

// domains are the DC attributes in the subject.
func domains(c *x509.Certificate) []string {
	var out []string
	for _, a := range c.Subject.Names {
		if s, ok := a.Value.(string); ok && a.Type.Equal(oidDomainComponent) {
			out = append(out, s)
		}
	}
	return out
}

func hasDomain(c *x509.Certificate, want string) bool {
	for _, d := range domains(c) {
		if strings.EqualFold(d, want) {
			return true
		}
	}
	return false
}
