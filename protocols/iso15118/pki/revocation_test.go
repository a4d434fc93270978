package pki_test

import (
	"crypto"
	"crypto/x509"
	"errors"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/voltyard/voltyard/protocols/iso15118/pki"
	"github.com/voltyard/voltyard/protocols/iso15118/pki/testpki"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
)

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestRevocationByOCSP(t *testing.T) {
	s := set(t, pki.ISO2)
	contract, sub1 := s.Get(pki.Contract), s.Get(pki.MOSub1)
	bytes := must[[]byte](t)
	trust := s.Trust()
	trust.RequireStatus = true
	_, err := trust.Contract(now, pki.ISO2, contract.Chain())
	refused(t, err, pki.ErrStatus, v2.ResponseCodeFailedCertChainError)

	r := &pki.Revocations{}
	for e := contract; e.Issuer != nil; e = e.Issuer {
		if err := r.AddOCSP(bytes(e.OCSP(now, false)), e.Cert, e.Issuer.Cert); err != nil {
			t.Fatal(err)
		}
	}
	trust.Revoked = r
	if _, err := trust.Contract(now, pki.ISO2, contract.Chain()); err != nil {
		t.Error(err)
	}
	_, err = trust.Contract(now.Add(8*24*time.Hour), pki.ISO2, contract.Chain())
	refused(t, err, pki.ErrStatus, v2.ResponseCodeFailedCertChainError) // the responses are stale

	after := r.Clone()
	if err := after.AddOCSP(bytes(sub1.OCSP(now.Add(time.Hour), true)), sub1.Cert, sub1.Issuer.Cert); err != nil {
		t.Fatal(err)
	}
	trust.Revoked = after
	_, err = trust.Contract(now, pki.ISO2, contract.Chain())
	refused(t, err, pki.ErrRevoked, v2.ResponseCodeFailedCertificateRevoked)
	// An older response does not undo a revocation, and the clone's change is not the original's.
	if err := after.AddOCSP(bytes(sub1.OCSP(now, false)), sub1.Cert, sub1.Issuer.Cert); !errors.Is(err, pki.ErrStatus) {
		t.Errorf("an older response was taken: %v", err)
	}
	trust.Revoked = r
	if _, err := trust.Contract(now, pki.ISO2, contract.Chain()); err != nil {
		t.Error(err)
	}
}

func TestOCSPByWhom(t *testing.T) {
	s := set(t, pki.ISO2)
	bytes := must[[]byte](t)
	contract, secc := s.Get(pki.Contract), s.Get(pki.SECC)
	issuer := contract.Issuer
	leaf := pki.Profile{Usage: x509.KeyUsageDigitalSignature, Lifetime: time.Hour}
	responder := must[*testpki.Entity](t)(s.IssueBy(issuer, testpki.Subject{Name: "ocsp", CommonName: "responder", Profile: leaf, ExtUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}}))
	sibling := must[*testpki.Entity](t)(s.NewContract("DEVYRC00000009"))
	foreign := must[*testpki.Entity](t)(s.Issue(pki.CPOSub2, testpki.Subject{Name: "ocsp", CommonName: "responder of another CA", Profile: leaf, ExtUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}}))

	// A responder may speak for many CAs: the same number under another CA is another certificate.
	otherCA := must[[]byte](t)(ocsp.CreateResponse(s.Get(pki.MOSub1).Cert, issuer.Cert, ocsp.Response{Status: ocsp.Good, SerialNumber: contract.Cert.SerialNumber,
		ThisUpdate: now, NextUpdate: now.Add(time.Hour), IssuerHash: crypto.SHA256}, issuer.Key))

	if _, err := pki.ParseOCSP(bytes(contract.DelegatedOCSP(now, responder)), contract.Cert, issuer.Cert); err != nil {
		t.Error("a responder that the CA named:", err)
	}
	for name, der := range map[string][]byte{
		"a certificate of the same CA that is no responder": bytes(contract.DelegatedOCSP(now, sibling)),
		"a responder of another CA":                         bytes(contract.DelegatedOCSP(now, foreign)),
		"about another certificate":                         bytes(secc.OCSP(now, false)),
		"about a certificate of another CA":                 otherCA,
		"garbage":                                           []byte("ocsp"),
		"expired responder":                                 bytes(contract.DelegatedOCSP(now.Add(2*time.Hour), responder)),
	} {
		if _, err := pki.ParseOCSP(der, contract.Cert, issuer.Cert); !errors.Is(err, pki.ErrStatus) {
			t.Errorf("%s was believed: %v", name, err)
		}
	}
}

func TestRevocationByCRL(t *testing.T) {
	s := set(t, pki.ISO2)
	bytes := must[[]byte](t)
	contract, sub2 := s.Get(pki.Contract), s.Get(pki.MOSub2)
	other := must[*testpki.Entity](t)(s.NewContract("DEVYRC00000002"))
	r := &pki.Revocations{}
	if err := r.AddCRL(bytes(sub2.CRL(now, other)), sub2.Cert); err != nil {
		t.Fatal(err)
	}
	trust := s.Trust()
	trust.Revoked = r
	if _, err := trust.Contract(now, pki.ISO2, contract.Chain()); err != nil {
		t.Error(err)
	}
	_, err := trust.Contract(now, pki.ISO2, other.Chain())
	refused(t, err, pki.ErrRevoked, v2.ResponseCodeFailedCertificateRevoked)
	_, err = trust.Contract(now.Add(30*24*time.Hour), pki.ISO2, other.Chain()) // a stale list still revokes
	refused(t, err, pki.ErrRevoked, v2.ResponseCodeFailedCertificateRevoked)
	if err := r.Check(now.Add(30*24*time.Hour), contract.Cert, sub2.Cert); !errors.Is(err, pki.ErrStatus) {
		t.Errorf("a stale list says that a certificate is good: %v", err)
	}
	// A newer list replaces the older; an older one is refused.
	if err := r.AddCRL(bytes(sub2.CRL(now.Add(time.Hour))), sub2.Cert); err != nil {
		t.Fatal(err)
	}
	if _, err := trust.Contract(now, pki.ISO2, other.Chain()); err != nil {
		t.Error(err)
	}
	if err := r.AddCRL(bytes(sub2.CRL(now, other)), sub2.Cert); !errors.Is(err, pki.ErrStatus) {
		t.Errorf("an older list was taken: %v", err)
	}
	// Somebody else's list.
	if err := r.AddCRL(bytes(s.Get(pki.MOSub1).CRL(now, contract)), sub2.Cert); !errors.Is(err, pki.ErrSignature) {
		t.Errorf("somebody else's list was taken: %v", err)
	}
	if err := r.AddCRL([]byte("list"), sub2.Cert); !errors.Is(err, pki.ErrMalformed) {
		t.Errorf("garbage was taken: %v", err)
	}
}

func TestGood(t *testing.T) {
	s := set(t, pki.ISO2)
	c := s.Get(pki.SECC)
	bytes := must[[]byte](t)
	good := bytes(c.OCSP(now, false))
	until, err := pki.Good(now, good, c.Cert, c.Issuer.Cert)
	if err != nil || !until.Equal(now.Add(7*24*time.Hour)) {
		t.Errorf("until %v, %v", until, err)
	}
	for name, c := range map[string]struct {
		at   time.Time
		der  []byte
		want error
	}{
		"none":    {now, nil, pki.ErrStatus},
		"early":   {now.Add(-time.Second), good, pki.ErrStatus},
		"late":    {until.Add(time.Second), good, pki.ErrStatus},
		"revoked": {now, bytes(c.OCSP(now, true)), pki.ErrRevoked},
	} {
		if _, err := pki.Good(c.at, c.der, s.Get(pki.SECC).Cert, s.Get(pki.CPOSub2).Cert); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzRevocations feeds bytes to both parsers.
func FuzzRevocations(f *testing.F) {
	s := set(f, pki.ISO2)
	c := s.Get(pki.Contract)
	a, _ := c.OCSP(now, false)
	b, _ := c.Issuer.CRL(now, c)
	f.Add(a)
	f.Add(b)
	f.Fuzz(func(t *testing.T, der []byte) {
		r := &pki.Revocations{}
		_ = r.AddOCSP(der, c.Cert, c.Issuer.Cert)
		_ = r.AddCRL(der, c.Issuer.Cert)
		if err := r.Check(now, s.Get(pki.SECC).Cert, s.Get(pki.CPOSub2).Cert); err == nil {
			t.Error("data of another CA speaks for a certificate")
		}
	})
}
