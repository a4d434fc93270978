package pki_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"errors"
	"testing"

	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/pki"
	"github.com/voltyard/voltyard/protocols/iso15118/pki/testpki"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
	"github.com/voltyard/voltyard/protocols/iso15118/xmldsig"
	"github.com/voltyard/voltyard/protocols/iso15118/xmlsig"
)

func installReq(t *testing.T, s *testpki.Set) *v2.V2GMessage {
	t.Helper()
	p := s.Get(pki.Provisioning)
	m := &v2.V2GMessage{Header: v2.MessageHeader{SessionID: exi.MakeShortBytes([]byte{1, 2, 3, 4, 5, 6, 7, 8})},
		Body: v2.Body{BodyElement: &v2.CertificateInstallationReq{OEMProvisioningCert: p.Cert.Raw, ListOfRootCertificateIDs: rootIDs(s)}}}
	if err := xmlsig.SignISO2(rand.Reader, p.Key, m); err != nil {
		t.Fatal(err)
	}
	return wire(t, m)
}

func rootIDs(s *testpki.Set) v2.ListOfRootCertificateIDs {
	root := s.Get(pki.V2GRoot).Cert
	return v2.ListOfRootCertificateIDs{RootCertificateID: []xmldsig.X509IssuerSerial{{X509IssuerName: root.Issuer.String(), X509SerialNumber: exi.MakeInteger(1)}}}
}

// wire sends a message through its encoding.
func wire(t *testing.T, m *v2.V2GMessage) *v2.V2GMessage {
	t.Helper()
	b, err := m.AppendEXI(nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := v2.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if err := got.Validate(); err != nil {
		t.Fatal(err)
	}
	return got
}

func contractOf(s *testpki.Set) pki.NewContract {
	c := s.Get(pki.Contract)
	return pki.NewContract{EMAID: c.Cert.Subject.CommonName, Chain: c.Chain(), Key: c.Key}
}

func TestInstallation(t *testing.T) {
	s := set(t, pki.ISO2)
	trust := s.Trust()
	req := installReq(t, s)
	if _, err := trust.CheckInstallationReq(now, req); err != nil {
		t.Fatal(err)
	}
	m, err := s.Provisioner().Install(req, contractOf(s))
	if err != nil {
		t.Fatal(err)
	}
	res := wire(t, m)
	if res.Header.SessionID != req.Header.SessionID {
		t.Error("the response has another session id")
	}
	got, err := trust.Open(now, res, s.Get(pki.Provisioning).Key)
	if err != nil {
		t.Fatal(err)
	}
	if !got.Key.Equal(s.Get(pki.Contract).Key) || got.EMAID != s.Get(pki.Contract).Cert.Subject.CommonName || !got.Path.Rooted {
		t.Errorf("installed %s with %v", got.EMAID, got.Path)
	}
	// A vehicle need not know the operator's root.
	vehicle := &pki.Trust{V2G: trust.V2G}
	if got, err := vehicle.Open(now, res, s.Get(pki.Provisioning).Key); err != nil || got.Path.Rooted {
		t.Error(err)
	}
}

func TestUpdate(t *testing.T) {
	s := set(t, pki.ISO2)
	trust := s.Trust()
	old := s.Get(pki.Contract)
	chain, err := pki.WireChain(old.Chain())
	if err != nil {
		t.Fatal(err)
	}
	req := &v2.V2GMessage{Header: v2.MessageHeader{SessionID: exi.MakeShortBytes([]byte{1, 2, 3, 4, 5, 6, 7, 8})},
		Body: v2.Body{BodyElement: &v2.CertificateUpdateReq{ContractSignatureCertChain: chain, EMAID: testpki.EMAID, ListOfRootCertificateIDs: rootIDs(s)}}}
	if err := xmlsig.SignISO2(rand.Reader, old.Key, req); err != nil {
		t.Fatal(err)
	}
	req = wire(t, req)
	if _, err := trust.CheckUpdateReq(now, req); err != nil {
		t.Fatal(err)
	}
	renewed := must[*testpki.Entity](t)(s.NewContract(old.Cert.Subject.CommonName))
	m, err := s.Provisioner().Update(req, pki.NewContract{EMAID: renewed.Cert.Subject.CommonName, Chain: renewed.Chain(), Key: renewed.Key})
	if err != nil {
		t.Fatal(err)
	}
	got, err := trust.Open(now, wire(t, m), old.Key)
	if err != nil || !got.Key.Equal(renewed.Key) {
		t.Fatal(err)
	}
	req.Body.BodyElement.(*v2.CertificateUpdateReq).EMAID = "DEVYRC00000009"
	if _, err := trust.CheckUpdateReq(now, req); !errors.Is(err, pki.ErrIdentity) {
		t.Error(err)
	}
}

func TestInstallationRefusals(t *testing.T) {
	s, other := set(t, pki.ISO2), must[*testpki.Set](t)(testpki.New(pki.ISO2, now))
	trust := s.Trust()
	own := s.Get(pki.Provisioning).Key
	req := installReq(t, s)

	if _, err := trust.CheckInstallationReq(now, installReq(t, other)); !errors.Is(err, pki.ErrUnknownRoot) {
		t.Errorf("a foreign manufacturer: %v", err)
	}
	forged := installReq(t, s)
	forged.Body.BodyElement.(*v2.CertificateInstallationReq).ListOfRootCertificateIDs = rootIDs(other)
	forged.Body.BodyElement.(*v2.CertificateInstallationReq).ListOfRootCertificateIDs.RootCertificateID[0].X509IssuerName = "x"
	if _, err := trust.CheckInstallationReq(now, forged); !errors.Is(err, xmlsig.ErrDigest) {
		t.Errorf("a changed request: %v", err)
	}

	answer := func(p *pki.Provisioner, c pki.NewContract) *v2.V2GMessage {
		m, err := p.Install(req, c)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	body := func(m *v2.V2GMessage) *v2.CertificateInstallationRes {
		return m.Body.BodyElement.(*v2.CertificateInstallationRes)
	}
	good := answer(s.Provisioner(), contractOf(s))
	for name, c := range map[string]struct {
		res  func() *v2.V2GMessage
		key  *ecdsa.PrivateKey
		want error
	}{
		"failed": {func() *v2.V2GMessage {
			m := answer(s.Provisioner(), contractOf(s))
			body(m).ResponseCode = v2.ResponseCodeFailedNoCertificateAvailable
			return m
		}, own, pki.ErrNone},
		"foreign service": {func() *v2.V2GMessage { return answer(other.Provisioner(), contractOf(s)) }, own, pki.ErrUnknownRoot},
		"an operator of charge points as service": {func() *v2.V2GMessage {
			e := s.Get(pki.SECC)
			return answer(&pki.Provisioner{Chain: e.Chain(), Key: e.Key, Rand: rand.Reader}, contractOf(s))
		}, own, pki.ErrProfile},
		"wrong signature": {func() *v2.V2GMessage {
			p := s.Provisioner()
			p.Key = other.Get(pki.CPS).Key
			return answer(p, contractOf(s))
		}, own, xmlsig.ErrValue},
		"other EMAID": {func() *v2.V2GMessage {
			c := contractOf(s)
			c.EMAID = "DEVYRC00000009"
			return answer(s.Provisioner(), c)
		}, own, pki.ErrIdentity},
		"key of another contract": {func() *v2.V2GMessage {
			c := contractOf(s)
			c.Key = other.Get(pki.Contract).Key
			return answer(s.Provisioner(), c)
		}, own, pki.ErrWrap},
		"for somebody else": {func() *v2.V2GMessage { return good }, other.Get(pki.Provisioning).Key, pki.ErrWrap},
		"changed key": {func() *v2.V2GMessage {
			m := answer(s.Provisioner(), contractOf(s))
			body(m).ContractSignatureEncryptedPrivateKey.Value[20] ^= 1
			return m
		}, own, xmlsig.ErrDigest},
	} {
		if _, err := trust.Open(now, c.res(), c.key); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	stop := &v2.V2GMessage{Body: v2.Body{BodyElement: &v2.SessionStopRes{}}}
	if _, err := trust.Open(now, stop, own); err == nil {
		t.Error("opened a SessionStopRes")
	}
	if _, err := s.Provisioner().Install(stop, contractOf(s)); err == nil {
		t.Error("installed upon a SessionStopRes")
	}
}
