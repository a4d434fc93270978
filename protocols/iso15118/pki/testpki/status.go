package testpki

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/ocsp"
)

var randReader = rand.Reader

// week is how old an OCSP response may become (ISO 15118-20 allows no more).
const week = 7 * 24 * time.Hour

// OCSP is a response about the entity, good or revoked, signed by its issuer and current for a week from now.
func (e *Entity) OCSP(now time.Time, revoked bool) ([]byte, error) {
	r := ocsp.Response{Status: ocsp.Good, SerialNumber: e.Cert.SerialNumber, ThisUpdate: now, NextUpdate: now.Add(week), IssuerHash: crypto.SHA256}
	if revoked {
		r.Status, r.RevokedAt = ocsp.Revoked, now
	}
	return e.ocsp(e.Issuer, nil, r)
}

// DelegatedOCSP is a response that somebody else than the issuer signed, whose certificate it encloses.
func (e *Entity) DelegatedOCSP(now time.Time, by *Entity) ([]byte, error) {
	return e.ocsp(by, by.Cert, ocsp.Response{Status: ocsp.Good, SerialNumber: e.Cert.SerialNumber, ThisUpdate: now, NextUpdate: now.Add(week), IssuerHash: crypto.SHA256})
}

func (e *Entity) ocsp(by *Entity, enclosed *x509.Certificate, r ocsp.Response) ([]byte, error) {
	r.Certificate = enclosed
	der, err := ocsp.CreateResponse(e.Issuer.Cert, by.Cert, r, by.Key)
	if err != nil {
		return nil, fmt.Errorf("testpki: OCSP response about %s: %w", e.Name, err)
	}
	return der, nil
}

// CRL is the list of what the entity, a CA, has revoked, current for a week from now.
func (e *Entity) CRL(now time.Time, revoked ...*Entity) ([]byte, error) {
	l := &x509.RevocationList{Number: big.NewInt(now.Unix()), ThisUpdate: now, NextUpdate: now.Add(week)}
	for _, r := range revoked {
		l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: r.Cert.SerialNumber, RevocationTime: now})
	}
	der, err := x509.CreateRevocationList(rand.Reader, l, e.Cert, e.Key)
	if err != nil {
		return nil, fmt.Errorf("testpki: CRL of %s: %w", e.Name, err)
	}
	return der, nil
}
