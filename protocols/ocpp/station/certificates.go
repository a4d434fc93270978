package station

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/voltyard/voltyard/protocols/iso15118/pki"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// keyCert is the prefix of what is saved about certificates.
const keyCert = "certificate/"

// keyAway is the prefix of what is saved about roots of the configuration that the CSMS has deleted.
const keyAway = "certificate-away/"

// useStation marks the station's own certificate towards the CSMS, which has no name among the uses that can be asked for.
const useStation v201.GetCertificateIdUseEnum = "ChargingStationCertificate"

// installed is a certificate that the station keeps: a root, or the chain of one of its own.
type installed struct {
	Use      v201.GetCertificateIdUseEnum
	PEM      string // a root, or a chain from the leaf on
	Hash     v201.CertificateHashData
	Children []v201.CertificateHashData // of a chain: its sub-CAs
	Key      string                     // of a chain: the name of its private key
	From     time.Time                  // begin of validity
	At       time.Time                  // when it came
	OCSP     []byte                     `json:",omitempty"` // of a chain: the last status of its leaf
	Local    bool                       `json:",omitempty"` // of a root: the station is configured with it
	used     bool
}

func (c *installed) id() string {
	return string(c.Use) + "/" + c.Hash.SerialNumber + "/" + c.Hash.IssuerKeyHash
}

// restoreCertificates puts back what was saved.
func (s *Station) restoreCertificates(saved map[string][]byte) error {
	for key, value := range saved {
		if !strings.HasPrefix(key, keyCert) {
			continue
		}
		c := new(installed)
		if err := json.Unmarshal(value, c); err != nil {
			return fmt.Errorf("stored record %q: %w", key, err)
		}
		s.certs = append(s.certs, c)
	}
	slices.SortFunc(s.certs, func(a, b *installed) int { return strings.Compare(a.id(), b.id()) })
	s.configured(saved)
	s.countCertificates()
	s.ocspAt = s.now
	return s.restoreSigning(saved[keySigning])
}

// configured brings the roots of the configuration in, and those out that it has no more.
func (s *Station) configured(saved map[string][]byte) {
	want := map[string]bool{}
	for _, r := range s.cfg.Installed {
		chain, err := parseChain(r.PEM)
		if err != nil || len(chain) != 1 {
			continue
		}
		hash, ok := hashOf(chain[0], chain[0])
		if !ok {
			continue
		}
		c := &installed{Use: r.Use, PEM: r.PEM, Hash: hash, From: chain[0].NotBefore, Local: true}
		want[c.id()] = true
		there := slices.ContainsFunc(s.certs, func(o *installed) bool { return o.id() == c.id() })
		if _, away := saved[keyAway+c.id()]; !away && !there {
			s.keepCertificate(c)
		}
	}
	for _, c := range slices.Clone(s.certs) {
		if c.Local && !want[c.id()] {
			c.Local = false // so that it may come again
			s.discardCertificate(c)
		}
	}
	for key := range saved {
		if id, ok := strings.CutPrefix(key, keyAway); ok && !want[id] {
			s.saves.put(key, nil)
		}
	}
}

// useDue has certificates of the station's own used whose validity has begun, the newest last (A02.FR.08).
func (s *Station) useDue() {
	s.useAt = time.Time{}
	for _, use := range []v201.GetCertificateIdUseEnum{useStation, v201.GetCertificateIdUseV2GCertificateChain} {
		list := s.of(use)
		slices.Reverse(list)
		for _, c := range list {
			switch {
			case c.used:
			case c.From.After(s.now):
				if s.useAt.IsZero() || c.From.Before(s.useAt) {
					s.useAt = c.From
				}
			default:
				c.used, s.renewal.at = true, s.now
				s.emit(UseCertificate{Use: use, Key: c.Key, PEM: c.PEM, From: c.From})
			}
		}
	}
}

// proven removes the CSMS root that was kept as fallback when the connection was made with the new one (M05.FR.13).
func (s *Station) proven(root string) {
	list := s.of(v201.GetCertificateIdUseCSMSRootCertificate)
	if root == "" || len(list) < 2 || !samePEM(list[0].PEM, root) || !s.model.flag("SecurityCtrlr", "AdditionalRootCertificateCheck") {
		return
	}
	for _, old := range list[1:] {
		s.discardCertificate(old)
	}
	s.roots(v201.GetCertificateIdUseCSMSRootCertificate)
}

func samePEM(a, b string) bool {
	x, _ := pem.Decode([]byte(a))
	y, _ := pem.Decode([]byte(b))
	return x != nil && y != nil && bytes.Equal(x.Bytes, y.Bytes)
}

// Keys are the names of the private keys that the station needs.
func (s *Station) Keys() []string {
	var out []string
	if s.signing != nil {
		out = append(out, s.signing.key)
	}
	for _, c := range s.certs {
		if c.Key != "" {
			out = append(out, c.Key)
		}
	}
	return out
}

func (s *Station) countCertificates() {
	s.model.set("SecurityCtrlr", "CertificateEntries", itoa(len(s.certs)))
}

// keepCertificate stores a certificate in the place of the same one (M05.FR.17).
func (s *Station) keepCertificate(c *installed) {
	s.certs = slices.DeleteFunc(s.certs, func(o *installed) bool { return o.id() == c.id() })
	if c.At.IsZero() {
		c.At = s.now
	}
	s.certs = append(s.certs, c)
	s.save(keyCert+c.id(), c)
	s.countCertificates()
}

func (s *Station) discardCertificate(c *installed) {
	s.certs = slices.DeleteFunc(s.certs, func(o *installed) bool { return o == c })
	s.saves.put(keyCert+c.id(), nil)
	if c.Local {
		s.saves.put(keyAway+c.id(), []byte("1"))
	}
	s.countCertificates()
}

// of lists the certificates of one use, the newest first (A02.FR.09, A02.FR.15).
func (s *Station) of(use v201.GetCertificateIdUseEnum) []*installed {
	var out []*installed
	for _, c := range s.certs {
		if c.Use == use {
			out = append(out, c)
		}
	}
	slices.SortStableFunc(out, func(a, b *installed) int {
		if n := b.From.Compare(a.From); n != 0 {
			return n
		}
		return b.At.Compare(a.At)
	})
	return out
}

// roots tells whoever drives the machine which roots of a use count now.
func (s *Station) roots(use v201.GetCertificateIdUseEnum) {
	r := Roots{Use: use}
	for _, c := range s.of(use) {
		r.PEM = append(r.PEM, c.PEM)
	}
	s.emit(r)
}

// parseChain reads PEM certificates; anything else in the text is an error.
func parseChain(text string) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	rest := []byte(strings.TrimSpace(text))
	for len(rest) > 0 {
		b, more := pem.Decode(rest)
		if b == nil || b.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("no PEM certificate")
		}
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, err
		}
		out, rest = append(out, c), []byte(strings.TrimSpace(string(more)))
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no certificate")
	}
	return out, nil
}

// hashOf names a certificate; ok is false for an issuer whose key cannot be named.
func hashOf(c, issuer *x509.Certificate) (v201.CertificateHashData, bool) {
	h, err := pki.HashDataOf(c, issuer, crypto.SHA256)
	return v201.CertificateHashData{HashAlgorithm: v201.HashAlgorithmEnum(h.Algorithm), IssuerNameHash: h.IssuerNameHash,
		IssuerKeyHash: h.IssuerKeyHash, SerialNumber: h.SerialNumber}, err == nil && len(h.SerialNumber) <= 40
}

func sameHash(a, b v201.CertificateHashData) bool {
	return a.HashAlgorithm == b.HashAlgorithm && strings.EqualFold(a.IssuerNameHash, b.IssuerNameHash) && strings.EqualFold(a.IssuerKeyHash, b.IssuerKeyHash) &&
		strings.EqualFold(strings.TrimLeft(a.SerialNumber, "0"), strings.TrimLeft(b.SerialNumber, "0"))
}

func installCertificate(s *Station, q *v201.InstallCertificateRequest) (rpc.Message, error) {
	refuse := func(code string) (rpc.Message, error) {
		return &v201.InstallCertificateResponse{Status: v201.InstallCertificateStatusRejected, StatusInfo: info(code)}, nil
	}
	if !s.cfg.Certificates {
		return nil, noCertificates()
	}
	chain, err := parseChain(q.Certificate)
	if err != nil || len(chain) != 1 { // M05.FR.07
		return refuse("InvalidCertificate")
	}
	c, issuer := chain[0], chain[0]
	if !c.BasicConstraintsValid || !c.IsCA || s.now.After(c.NotAfter) || strong(c) != nil {
		return refuse("InvalidCertificate")
	}
	use := v201.GetCertificateIdUseEnum(q.CertificateType)
	old := s.of(use)
	if use == v201.GetCertificateIdUseCSMSRootCertificate && s.model.flag("SecurityCtrlr", "AdditionalRootCertificateCheck") && len(old) > 0 {
		if issuer = s.signer(c, old); issuer == nil { // M05.FR.11
			return refuse("InvalidCertificate")
		}
	} else if c.CheckSignatureFrom(c) != nil { // a sub-CA could never be told apart from a root again
		return refuse("InvalidCertificate")
	}
	hash, ok := hashOf(c, issuer)
	if !ok {
		return refuse("InvalidCertificate")
	}
	n := &installed{Use: use, PEM: q.Certificate, Hash: hash, From: c.NotBefore}
	for _, o := range old { // the CSMS may delete it for good only when it has put it there itself
		n.Local = n.Local || o.id() == n.id() && o.Local
	}
	most := s.model.byName[fullName("SecurityCtrlr", "CertificateEntries")].hi
	if !slices.ContainsFunc(old, func(o *installed) bool { return o.id() == n.id() }) && float64(len(s.certs)) >= most { // M05.FR.06
		return refuse("TooManyElements")
	}
	if issuer != c {
		for _, o := range old[1:] { // M05.FR.09: the new one, and the one before as fallback
			s.discardCertificate(o)
		}
	}
	was := slices.Clone(s.certs)
	s.keepCertificate(n)
	s.otherwise(func() rpc.Message { // M05.FR.03
		s.discardCertificate(n)
		for _, o := range was {
			if o.id() == n.id() {
				s.keepCertificate(o)
			}
		}
		return &v201.InstallCertificateResponse{Status: v201.InstallCertificateStatusFailed, StatusInfo: info("OutOfStorage")}
	})
	s.securityEvent("ReconfigurationOfSecurityParameters", "installed a "+string(use))
	s.then(func() { s.roots(use) })
	return &v201.InstallCertificateResponse{Status: v201.InstallCertificateStatusAccepted}, nil
}

// signer is the newest of the certificates, if it signed c (M05.FR.10).
func (s *Station) signer(c *x509.Certificate, old []*installed) *x509.Certificate {
	chain, err := parseChain(old[0].PEM)
	if err != nil || c.CheckSignatureFrom(chain[0]) != nil {
		return nil
	}
	return chain[0]
}

func noCertificates() error {
	return &rpc.Error{Code: rpc.NotSupported, What: "this station's certificates are managed locally"}
}

func getInstalledCertificateIds(s *Station, q *v201.GetInstalledCertificateIdsRequest) (rpc.Message, error) {
	if !s.cfg.Certificates {
		return nil, noCertificates()
	}
	res := &v201.GetInstalledCertificateIdsResponse{Status: v201.GetInstalledCertificateStatusNotFound} // M03.FR.02
	for _, c := range s.certs {
		if c.Use == useStation || len(q.CertificateType) > 0 && !slices.Contains(q.CertificateType, c.Use) {
			continue
		}
		res.Status = v201.GetInstalledCertificateStatusAccepted
		res.CertificateHashDataChain = append(res.CertificateHashDataChain, v201.CertificateHashDataChain{CertificateHashData: c.Hash, CertificateType: c.Use,
			ChildCertificateHashData: c.Children}) // M03.FR.05
	}
	return res, nil
}

func deleteCertificate(s *Station, q *v201.DeleteCertificateRequest) (rpc.Message, error) {
	if !s.cfg.Certificates {
		return nil, noCertificates()
	}
	for _, c := range s.certs {
		if !sameHash(c.Hash, q.CertificateHashData) {
			continue
		}
		if c.Key != "" { // M04.FR.06, and M04.FR.03 for the one towards vehicles
			return &v201.DeleteCertificateResponse{Status: v201.DeleteCertificateStatusFailed, StatusInfo: info("InUse")}, nil
		}
		if c.Use == v201.GetCertificateIdUseCSMSRootCertificate && len(s.of(c.Use)) == 1 && s.model.number("SecurityCtrlr", "SecurityProfile") > 1 {
			// M04.FR.03: the next connection would be verified with no root, or with this one after all.
			return &v201.DeleteCertificateResponse{Status: v201.DeleteCertificateStatusFailed, StatusInfo: info("InUse")}, nil
		}
		s.discardCertificate(c)
		s.securityEvent("ReconfigurationOfSecurityParameters", "deleted a "+string(c.Use))
		s.then(func() { s.roots(c.Use) })
		return &v201.DeleteCertificateResponse{Status: v201.DeleteCertificateStatusAccepted}, nil
	}
	return &v201.DeleteCertificateResponse{Status: v201.DeleteCertificateStatusNotFound}, nil // M04.FR.04
}
