package pki

import (
	"bytes"
	"crypto/sha1" // a name for a key, as RFC 6960 has it; nothing rests on it
	"crypto/x509"
	"encoding/asn1"
	"slices"
	"time"

	"golang.org/x/crypto/ocsp"
)

// Limits on what is kept: a full list is refused, not forgotten.
const (
	maxLists     = 64
	maxRevoked   = 1 << 20 // entries over all lists
	maxResponses = 1024
)

// Revocations is what is known of revoked certificates: CRLs and OCSP responses that somebody else fetched. It must not be
// changed while a Trust that has it is in use: make a new one with Clone.
type Revocations struct {
	lists     []*x509.RevocationList
	responses []statement
	entries   int
}

// statement is one OCSP response about one certificate of one issuer.
type statement struct {
	resp   *ocsp.Response
	issuer *x509.Certificate
}

// Clone returns a copy that can be added to.
func (r *Revocations) Clone() *Revocations {
	if r == nil {
		return &Revocations{}
	}
	return &Revocations{lists: slices.Clone(r.lists), responses: slices.Clone(r.responses), entries: r.entries}
}

// AddCRL adds a certificate revocation list in DER. Its issuer must be given, so that a list by somebody else has no effect; an
// older list of the same issuer is replaced. Whether it is current shows when it is asked.
func (r *Revocations) AddCRL(der []byte, issuer *x509.Certificate) error {
	l, err := x509.ParseRevocationList(der)
	if err != nil {
		return refuse(ErrMalformed, issuer, "CRL: %v", err)
	}
	if err := l.CheckSignatureFrom(issuer); err != nil || !bytes.Equal(l.RawIssuer, issuer.RawSubject) {
		return refuse(ErrSignature, issuer, "the CRL is not by this CA")
	}
	for _, e := range l.Extensions {
		if e.Critical { // a delta or partial list, which cannot be read as the whole truth
			return refuse(ErrStatus, issuer, "critical extension %s of the CRL is not understood", e.Id)
		}
	}
	for i, old := range r.lists {
		if bytes.Equal(old.RawIssuer, l.RawIssuer) && bytes.Equal(old.AuthorityKeyId, l.AuthorityKeyId) {
			if l.ThisUpdate.Before(old.ThisUpdate) {
				return refuse(ErrStatus, issuer, "the CRL of %s is older than the one at hand", l.ThisUpdate.UTC().Format(time.DateTime))
			}
			r.entries += len(l.RevokedCertificateEntries) - len(old.RevokedCertificateEntries)
			r.lists[i] = l
			return nil
		}
	}
	if len(r.lists) >= maxLists || r.entries+len(l.RevokedCertificateEntries) > maxRevoked {
		return refuse(ErrStatus, issuer, "no room for the CRL: %d lists, %d entries", len(r.lists), r.entries)
	}
	r.entries += len(l.RevokedCertificateEntries)
	r.lists = append(r.lists, l)
	return nil
}

// AddOCSP adds an OCSP response about c, which issuer made. A newer response replaces an older one.
func (r *Revocations) AddOCSP(der []byte, c, issuer *x509.Certificate) error {
	resp, err := ParseOCSP(der, c, issuer)
	if err != nil {
		return err
	}
	for i, old := range r.responses {
		if old.resp.SerialNumber.Cmp(resp.SerialNumber) == 0 && old.issuer.Equal(issuer) {
			if resp.ThisUpdate.Before(old.resp.ThisUpdate) {
				return refuse(ErrStatus, c, "the OCSP response of %s is older than the one at hand", resp.ThisUpdate.UTC().Format(time.DateTime))
			}
			r.responses[i].resp = resp
			return nil
		}
	}
	if len(r.responses) >= maxResponses {
		return refuse(ErrStatus, c, "no room for the OCSP response: %d are kept", len(r.responses))
	}
	r.responses = append(r.responses, statement{resp, issuer})
	return nil
}

// Check tells whether a certificate of this issuer is good. The error is an *Error: ErrRevoked, or ErrStatus when nothing that is
// current speaks of the certificate. A revocation counts even from a list that is out of date.
func (r *Revocations) Check(now time.Time, c, issuer *x509.Certificate) error {
	if r == nil {
		return refuse(ErrStatus, c, "no revocation data at all")
	}
	good := false
	for _, s := range r.responses {
		if s.resp.SerialNumber.Cmp(c.SerialNumber) != 0 || !s.issuer.Equal(issuer) {
			continue
		}
		switch {
		case s.resp.Status == ocsp.Revoked:
			return refuse(ErrRevoked, c, "on %s, says OCSP", s.resp.RevokedAt.UTC().Format(time.DateTime))
		case s.resp.Status == ocsp.Good && current(now, s.resp.ThisUpdate, s.resp.NextUpdate):
			good = true
		}
	}
	for _, l := range r.lists {
		if !bytes.Equal(l.RawIssuer, issuer.RawSubject) || l.CheckSignatureFrom(issuer) != nil {
			continue
		}
		for i := range l.RevokedCertificateEntries {
			if e := &l.RevokedCertificateEntries[i]; e.SerialNumber.Cmp(c.SerialNumber) == 0 {
				return refuse(ErrRevoked, c, "on %s, says the CRL", e.RevocationTime.UTC().Format(time.DateTime))
			}
		}
		if current(now, l.ThisUpdate, l.NextUpdate) {
			good = true
		}
	}
	if !good {
		return refuse(ErrStatus, c, "no current OCSP response and no current CRL of %q", issuer.Subject.CommonName)
	}
	return nil
}

func current(now, from, until time.Time) bool {
	return !now.Before(from) && !until.IsZero() && !now.After(until)
}

// ParseOCSP reads an OCSP response about c and checks that issuer, or a responder that issuer named, signed it and that it is
// about this certificate of this issuer. Whether it is current is for the caller to see.
func ParseOCSP(der []byte, c, issuer *x509.Certificate) (*ocsp.Response, error) {
	resp, err := ocsp.ParseResponseForCert(der, c, issuer)
	if err != nil {
		return nil, refuse(ErrStatus, c, "OCSP response: %v", err)
	}
	if d := resp.Certificate; d != nil && !d.Equal(issuer) {
		// Without this, every certificate that the CA made could speak for it (RFC 6960, 4.2.2.2).
		switch {
		case !slices.Contains(d.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning):
			return nil, refuse(ErrStatus, c, "the OCSP response is signed by %q, which is no responder", d.Subject.CommonName)
		case !current(resp.ThisUpdate, d.NotBefore, d.NotAfter):
			return nil, refuse(ErrStatus, c, "the responder's certificate %q was not valid when it answered", d.Subject.CommonName)
		}
	}
	if !namesIssuer(resp, issuer) {
		return nil, refuse(ErrStatus, c, "the OCSP response is about a certificate of another issuer")
	}
	return resp, nil
}

// Good checks that an OCSP response, as one that was stapled, says at this time that the certificate is good, and returns until
// when it does. The error is an *Error: ErrRevoked or ErrStatus.
func Good(now time.Time, der []byte, c, issuer *x509.Certificate) (until time.Time, err error) {
	if len(der) == 0 {
		return time.Time{}, refuse(ErrStatus, c, "there is no OCSP response")
	}
	r, err := ParseOCSP(der, c, issuer)
	switch {
	case err != nil:
		return time.Time{}, err
	case r.Status == ocsp.Revoked:
		return time.Time{}, refuse(ErrRevoked, c, "on %s, says OCSP", r.RevokedAt.UTC().Format(time.DateTime))
	case r.Status != ocsp.Good:
		return time.Time{}, refuse(ErrStatus, c, "the OCSP responder does not know it")
	case !current(now, r.ThisUpdate, r.NextUpdate):
		return r.NextUpdate, refuse(ErrStatus, c, "the OCSP response is for %s to %s", r.ThisUpdate.UTC().Format(time.DateTime), r.NextUpdate.UTC().Format(time.DateTime))
	}
	return r.NextUpdate, nil
}

// namesIssuer looks for the CertID of the certificate among the signed data: the library compares serial numbers alone.
func namesIssuer(resp *ocsp.Response, issuer *x509.Certificate) bool {
	name, key, err := issuerHashes(issuer, resp.IssuerHash)
	if err != nil {
		return false
	}
	var want []byte
	for _, v := range []any{name, key, resp.SerialNumber} {
		der, err := asn1.Marshal(v)
		if err != nil {
			return false
		}
		want = append(want, der...)
	}
	return bytes.Contains(resp.TBSResponseData, want)
}

// KeyID is the SHA-1 hash of a certificate's public key, which is what trusted_ca_keys may name (RFC 6066).
func KeyID(c *x509.Certificate) [sha1.Size]byte {
	key, err := publicKeyBits(c)
	if err != nil {
		return [sha1.Size]byte{}
	}
	return sha1.Sum(key)
}
