package ocpp

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/station"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// authority is a certificate with its key.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func (a *authority) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}))
}

// certify makes a certificate of a key; without an issuer it is self-signed.
func certify(t *testing.T, name string, pub any, key *ecdsa.PrivateKey, by *authority, ca bool, from, until time.Time) *authority {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<60))
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name, Organization: []string{"Voltyard"}}, NotBefore: from, NotAfter: until,
		BasicConstraintsValid: true, IsCA: ca, KeyUsage: x509.KeyUsageDigitalSignature, OCSPServer: []string{"http://ocsp.invalid"}}
	if ca {
		tmpl.KeyUsage = x509.KeyUsageCertSign
	}
	parent, signer := tmpl, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, pub, signer)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{c, key}
}

func newAuthority(t *testing.T, name string, by *authority) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return certify(t, name, &key.PublicKey, key, by, true, start.Add(-time.Hour), start.AddDate(10, 0, 0))
}

// newSecure is a station that manages certificates, connected.
func newSecure(t *testing.T, vars ...string) *sut {
	s := newSUT(t, vars...)
	s.cfg.Certificates = true
	s.start()
	return s.boot()
}

func (s *sut) install(use v201.InstallCertificateUseEnum, pem string) v201.InstallCertificateStatusEnum {
	s.Helper()
	return ask[*v201.InstallCertificateResponse](s, &v201.InstallCertificateRequest{CertificateType: use, Certificate: pem}).Status
}

func (s *sut) certificates(uses ...v201.GetCertificateIdUseEnum) *v201.GetInstalledCertificateIdsResponse {
	s.Helper()
	return ask[*v201.GetInstalledCertificateIdsResponse](s, &v201.GetInstalledCertificateIdsRequest{CertificateType: uses})
}

func (s *sut) remove(h v201.CertificateHashData) v201.DeleteCertificateStatusEnum {
	s.Helper()
	return ask[*v201.DeleteCertificateResponse](s, &v201.DeleteCertificateRequest{CertificateHashData: h}).Status
}

// effect returns the last effect of a type.
func effect[T station.Effect](s *sut) (v T, ok bool) {
	for _, e := range s.effects {
		if x, is := e.(T); is {
			v, ok = x, true
		}
	}
	return v, ok
}

// sign has the CSMS trigger a new certificate, and returns the key of the request that the station sends.
func (s *sut) sign(trigger v201.MessageTriggerEnum, use v201.CertificateSigningUseEnum) *x509.CertificateRequest {
	s.Helper()
	r := ask[*v201.TriggerMessageResponse](s, &v201.TriggerMessageRequest{RequestedMessage: trigger})
	s.want("the trigger is accepted", r.Status == v201.TriggerMessageStatusAccepted, r)
	m, ok := effect[station.MakeKey](s)
	s.want("a key is to be made", ok && m.Use == use, m)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "CS1", Organization: []string{"Voltyard"}}}, key)
	if err != nil {
		s.Fatal(err)
	}
	s.do(station.KeyMade{Use: use, Key: "k1", CSR: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))})
	q := next[*v201.SignCertificateRequest](s)
	s.want("the type of the certificate", q.CertificateType == use, q.CertificateType)
	b, _ := pem.Decode([]byte(q.Csr))
	s.want("a PEM request", b != nil, q.Csr)
	csr, err := x509.ParseCertificateRequest(b.Bytes)
	s.want("its signature", err == nil && csr.CheckSignature() == nil, err)
	return csr
}

func (s *sut) signed(use v201.CertificateSigningUseEnum, chain string) v201.CertificateSignedStatusEnum {
	s.Helper()
	return ask[*v201.CertificateSignedResponse](s, &v201.CertificateSignedRequest{CertificateChain: chain, CertificateType: use}).Status
}

// acceptsCSR has the CSMS answer SignCertificate.
func acceptsCSR(s *sut, st v201.GenericStatusEnum) {
	s.reply["SignCertificate"] = answerWith(&v201.SignCertificateResponse{Status: st})
}
