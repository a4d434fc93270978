package station

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// signing is a certificate of the station's own on its way (A02, A03).
type signing struct {
	use  v201.CertificateSigningUseEnum // empty for one that serves both sides
	csr  string
	key  string
	wait time.Duration // until the request is sent again
	left int           // times that it is sent again
	next time.Time
	lost bool // the CSMS has not got it yet, so that it counts for nothing
}

// signingUse is what a trigger asks for; ok is false for another trigger.
func signingUse(m v201.MessageTriggerEnum) (use v201.CertificateSigningUseEnum, ok bool) {
	switch m {
	case v201.MessageTriggerSignChargingStationCertificate:
		return v201.CertificateSigningUseChargingStationCertificate, true
	case v201.MessageTriggerSignV2GCertificate:
		return v201.CertificateSigningUseV2GCertificate, true
	case v201.MessageTriggerSignCombinedCertificate:
		return "", true
	}
	return "", false
}

// keyMade sends the request for a certificate of a new key (A02.FR.02, A02.FR.03).
func (s *Station) keyMade(ev KeyMade) {
	if ev.Err != nil {
		s.note(true, "no new key could be made: %v", ev.Err)
		s.renewal = renewal{at: s.now.Add(renewRetry)}
		return
	}
	s.signing = &signing{use: ev.Use, csr: ev.CSR, key: ev.Key, wait: s.model.seconds("SecurityCtrlr", "CertSigningWaitMinimum"),
		left: s.model.number("SecurityCtrlr", "CertSigningRepeatTimes")}
	s.saveSigning()
	s.sendCSR()
}

// renewal asks for a new certificate before the one of the station's own expires (A03).
type renewal struct {
	at    time.Time       // when to look
	asked map[string]bool // of what certificates a new one was asked for: once, the rest is the CSMS's (A03.FR.19)
}

const (
	renewBefore = 30 * 24 * time.Hour // A03.FR.02: one month
	renewRetry  = time.Hour
)

// renewFrom is when a certificate is to be renewed: a month before it ends, or when two thirds of a shorter life are over.
func renewFrom(c *x509.Certificate) time.Time {
	before := min(renewBefore, c.NotAfter.Sub(c.NotBefore)/3)
	return c.NotAfter.Add(-before)
}

// renewDue asks for the next certificate in time. What is under way goes first.
func (s *Station) renewDue() {
	if s.renewal.at.IsZero() || s.now.Before(s.renewal.at) {
		return
	}
	s.renewal.at = time.Time{}
	for _, use := range []v201.CertificateSigningUseEnum{v201.CertificateSigningUseChargingStationCertificate, v201.CertificateSigningUseV2GCertificate} {
		own := s.of(ownUse(use))
		if len(own) == 0 || s.renewal.asked[own[0].id()] {
			continue
		}
		chain, err := parseChain(own[0].PEM)
		if err != nil {
			continue
		}
		from := renewFrom(chain[0])
		if s.now.Before(from) {
			s.lookAgain(from)
			continue
		}
		if !s.Accepted() || s.signing != nil && !s.signing.next.IsZero() {
			s.lookAgain(s.now.Add(renewRetry))
			continue
		}
		for _, other := range s.certs { // one that serves both sides is followed by such a one (A03.FR.13)
			if other != own[0] && other.Key == own[0].Key {
				use = ""
			}
		}
		s.note(false, "a certificate of the station ends at %v; a new one is asked for", chain[0].NotAfter)
		if s.renewal.asked == nil {
			s.renewal.asked = map[string]bool{}
		}
		s.renewal.asked[own[0].id()] = true
		s.lookAgain(s.now.Add(renewRetry)) // for the other one
		s.makeKey(use)
		return
	}
}

func (s *Station) lookAgain(at time.Time) {
	if s.renewal.at.IsZero() || at.Before(s.renewal.at) {
		s.renewal.at = at
	}
}

func ownUse(use v201.CertificateSigningUseEnum) v201.GetCertificateIdUseEnum {
	if use == v201.CertificateSigningUseV2GCertificate {
		return v201.GetCertificateIdUseV2GCertificateChain
	}
	return useStation
}

// makeKey asks for a key and a request for its certificate, in the name of the station's serial number (A00.FR.511).
func (s *Station) makeKey(use v201.CertificateSigningUseEnum) {
	name := s.cfg.Serial
	if name == "" {
		name = s.cfg.Identity
	}
	s.emit(MakeKey{Use: use, Name: name, Organization: s.model.value("SecurityCtrlr", "OrganizationName")})
}

const keySigning = "signing"

// savedSigning is a request that waits for its certificate over a restart.
type savedSigning struct {
	Use      v201.CertificateSigningUseEnum
	CSR, Key string
}

func (s *Station) saveSigning() {
	if s.signing == nil {
		s.saves.put(keySigning, nil)
		return
	}
	s.save(keySigning, savedSigning{s.signing.use, s.signing.csr, s.signing.key})
}

// restoreSigning goes on waiting for a certificate; the request is not sent again.
func (s *Station) restoreSigning(saved []byte) error {
	if saved == nil {
		return nil
	}
	var v savedSigning
	if err := json.Unmarshal(saved, &v); err != nil {
		return fmt.Errorf("stored record %q: %w", keySigning, err)
	}
	s.signing = &signing{use: v.Use, csr: v.CSR, key: v.Key}
	return nil
}

func (s *Station) sendCSR() {
	g := s.signing
	g.next, g.lost = s.now.Add(g.wait), false
	s.callAsked(&v201.SignCertificateRequest{Csr: g.csr, CertificateType: g.use}, func(res rpc.Message, why string) {
		g.lost = unheard(why)
		if r, ok := res.(*v201.SignCertificateResponse); ok && r.Status != v201.GenericStatusAccepted && s.signing == g {
			s.note(true, "the CSMS signs no certificate")
			s.signing = nil // until the CSMS asks for one again
			s.saveSigning()
		}
	})
}

// signingDue sends the request again, after twice as long each time (A02.FR.17 to FR.19).
func (s *Station) signingDue() {
	g := s.signing
	if g == nil || g.next.IsZero() || s.now.Before(g.next) {
		return
	}
	if g.lost {
		s.sendCSR()
		return
	}
	if g.left <= 0 {
		g.next = time.Time{}
		s.note(true, "no certificate came for the request; it is not repeated any more")
		return
	}
	g.left--
	g.wait *= 2
	s.sendCSR()
}

func certificateSigned(s *Station, q *v201.CertificateSignedRequest) (rpc.Message, error) {
	if !s.cfg.Certificates {
		return nil, noCertificates()
	}
	refuse := func(code string, err error) (rpc.Message, error) {
		s.note(true, "the signed certificate is refused: %v", err)
		text := err.Error()
		s.then(func() { s.securityEvent("InvalidChargingStationCertificate", text) }) // A02.FR.07
		return &v201.CertificateSignedResponse{Status: v201.CertificateSignedStatusRejected, StatusInfo: info(code)}, nil
	}
	g := s.signing
	if g == nil || q.CertificateType != "" && g.use != "" && q.CertificateType != g.use {
		return refuse("InvalidCSR", fmt.Errorf("no certificate was asked for"))
	}
	if most := s.model.number("SecurityCtrlr", "MaxCertificateChainSize"); most > 0 && len(q.CertificateChain) > most { // A02.FR.16
		return refuse("TooLargeElement", fmt.Errorf("the chain is longer than %d characters", most))
	}
	chain, err := parseChain(q.CertificateChain)
	if err != nil {
		g.next = time.Time{} // A02.FR.20
		return refuse("InvalidCertificate", err)
	}
	uses := map[v201.CertificateSigningUseEnum][]v201.GetCertificateIdUseEnum{
		v201.CertificateSigningUseChargingStationCertificate: {useStation},
		v201.CertificateSigningUseV2GCertificate:             {v201.GetCertificateIdUseV2GCertificateChain},
		"":                                                   {useStation, v201.GetCertificateIdUseV2GCertificateChain},
	}[g.use]
	root := v201.GetCertificateIdUseCSMSRootCertificate
	if g.use == v201.CertificateSigningUseV2GCertificate {
		root = v201.GetCertificateIdUseV2GRootCertificate
	}
	path, err := s.verified(chain, g, root)
	if err != nil {
		g.next = time.Time{} // A02.FR.20
		return refuse("InvalidCertificate", err)
	}
	own := installed{PEM: q.CertificateChain, Key: g.key, From: chain[0].NotBefore}
	for i, c := range path[:len(path)-1] {
		h, ok := hashOf(c, path[i+1])
		if !ok {
			return refuse("InvalidCertificate", fmt.Errorf("certificate %d cannot be named", i))
		}
		if i == 0 {
			own.Hash = h
		} else if len(own.Children) < 4 {
			own.Children = append(own.Children, h)
		}
	}
	s.signing = nil
	s.saveSigning()
	s.securityEvent("ReconfigurationOfSecurityParameters", "a certificate of the station's own")
	s.then(func() { s.ocspAt = s.now; s.ocspDue() }) // M06.FR.07
	for _, use := range uses {
		c := own
		c.Use = use
		s.keepCertificate(&c)
		for _, old := range s.of(use)[min(2, len(s.of(use))):] { // A02.FR.10: the one before stays as fallback
			s.discardCertificate(old)
		}
	}
	s.then(s.useDue)
	return &v201.CertificateSignedResponse{Status: v201.CertificateSignedStatusAccepted}, nil
}

// verified checks a chain from the leaf on against the request and the installed roots of a use (A02.FR.06), and returns it
// with its root.
func (s *Station) verified(chain []*x509.Certificate, g *signing, root v201.GetCertificateIdUseEnum) ([]*x509.Certificate, error) {
	leaf := chain[0]
	b, _ := pem.Decode([]byte(g.csr))
	if b == nil {
		return nil, fmt.Errorf("the request cannot be read")
	}
	csr, err := x509.ParseCertificateRequest(b.Bytes)
	if err != nil {
		return nil, fmt.Errorf("the request cannot be read: %w", err)
	}
	switch {
	case !bytes.Equal(csr.RawSubjectPublicKeyInfo, leaf.RawSubjectPublicKeyInfo):
		return nil, fmt.Errorf("the certificate is of another key")
	case leaf.Subject.CommonName != csr.Subject.CommonName:
		return nil, fmt.Errorf("the certificate is for %q", leaf.Subject.CommonName)
	case leaf.IsCA || leaf.KeyUsage != 0 && leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return nil, fmt.Errorf("the certificate is not for digital signatures")
	case g.use != v201.CertificateSigningUseV2GCertificate && strings.Join(leaf.Subject.Organization, "") == "": // A00.FR.509
		return nil, fmt.Errorf("the certificate names no organization")
	}
	at := s.now
	if leaf.NotBefore.After(at) { // it counts from then on
		at = leaf.NotBefore
	}
	o := x509.VerifyOptions{CurrentTime: at, Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
	for _, c := range s.of(root) {
		o.Roots.AppendCertsFromPEM([]byte(c.PEM))
	}
	for _, c := range chain[1:] {
		o.Intermediates.AddCert(c)
	}
	paths, err := leaf.Verify(o)
	if err != nil {
		return nil, err
	}
	for _, c := range paths[0] {
		if err := strong(c); err != nil {
			return nil, err
		}
	}
	return paths[0], nil
}

// strong says why the key of a certificate is too weak (A00.FR.501 to FR.503); nil when it is not.
func strong(c *x509.Certificate) error {
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		if n := key.N.BitLen(); n < 2048 {
			return fmt.Errorf("the key of %q has %d bits, and RSA needs 2048", c.Subject.CommonName, n)
		}
	case *ecdsa.PublicKey:
		if n := key.Curve.Params().BitSize; n < 224 {
			return fmt.Errorf("the key of %q has %d bits, and elliptic curves need 224", c.Subject.CommonName, n)
		}
	}
	return nil
}
