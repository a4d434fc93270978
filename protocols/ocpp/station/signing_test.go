package station

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

const useCS = v201.CertificateSigningUseChargingStationCertificate

// certified is a world that makes keys, with a root of the CSMS.
func certified(t *testing.T) (*world, *testCA) {
	root := certificateOf(t, "root", nil, nil, t0.Add(-time.Hour))
	w := newWorld(t, func(c *Config) {
		c.Serial = "SN1"
		c.Certificates, c.Installed = true, []Root{{v201.GetCertificateIdUseCSMSRootCertificate, root.pem()}}
	})
	w.answers["SignCertificate"] = func(rpc.Message) rpc.Message {
		return &v201.SignCertificateResponse{Status: v201.GenericStatusAccepted}
	}
	w.do(Connected{})
	return w, root
}

// request answers the last MakeKey, or asks for a key of its own.
func (w *world) request(name string) *ecdsa.PrivateKey {
	w.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "SN1", Organization: []string{"O"}}}, key)
	if err != nil {
		w.t.Fatal(err)
	}
	w.do(KeyMade{Use: useCS, Key: name, CSR: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))})
	return key
}

func (w *world) signed(c *testCA) string {
	w.t.Helper()
	return w.ask(&v201.CertificateSignedRequest{CertificateChain: c.pem(), CertificateType: useCS})
}

// A request that the CSMS has not got counts for nothing; one that it has is repeated after twice the time each time (A02.FR.17 to
// FR.19), until a certificate comes, be it one that is refused (A02.FR.20).
func TestRequestsForACertificateAreRepeated(t *testing.T) {
	w, root := certified(t)
	sent := func() int { return len(requests[*v201.SignCertificateRequest](w)) }
	w.do(Disconnected{})
	w.request("k1")
	w.wait(time.Hour)
	w.do(Connected{})
	if w.wait(time.Minute); sent() != 1 {
		t.Errorf("%d requests after an hour without the CSMS", sent())
	}
	for i, at := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute} {
		if w.wait(at - time.Second); sent() != i+1 {
			t.Errorf("%d requests before the %d. repeat", sent(), i+1)
		}
		if w.wait(time.Second); sent() != i+2 {
			t.Errorf("%d requests after the %d. repeat", sent(), i+1)
		}
	}
	if w.wait(24 * time.Hour); sent() != 4 {
		t.Errorf("%d requests in all", sent())
	}
	key := w.request("k2")
	if got := w.signed(certificateOf(t, "OTHER", &key.PublicKey, root, t0)); !strings.Contains(got, "Rejected") {
		t.Error(got)
	}
	if w.wait(24 * time.Hour); sent() != 5 {
		t.Errorf("%d requests after a certificate that was refused", sent()-4)
	}
	if !slices.ContainsFunc(requests[*v201.SecurityEventNotificationRequest](w), func(q *v201.SecurityEventNotificationRequest) bool {
		return q.Type == "InvalidChargingStationCertificate"
	}) {
		t.Error("the CSMS does not hear why")
	}
	if _, n := last[UseCertificate](w); n != 0 {
		t.Error("it is used")
	}
}

// What a certificate must be (A02.FR.06, A00.FR.501 to FR.511).
func TestCertificatesThatAreRefused(t *testing.T) {
	w, root := certified(t)
	w.ask(&v201.TriggerMessageRequest{RequestedMessage: v201.MessageTriggerSignChargingStationCertificate})
	if m, _ := last[MakeKey](w); m != (MakeKey{useCS, "SN1", "Voltyard"}) {
		t.Errorf("%+v", m)
	}
	key := w.request("k1")
	make1 := func(change func(*x509.Certificate), by *testCA, pub any) *testCA {
		t.Helper()
		tmpl := &x509.Certificate{SerialNumber: big.NewInt(77), Subject: pkix.Name{CommonName: "SN1", Organization: []string{"O"}}, NotBefore: t0.Add(-time.Minute),
			NotAfter: t0.AddDate(1, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature}
		change(tmpl)
		der, err := x509.CreateCertificate(rand.Reader, tmpl, by.cert, pub, by.key)
		if err != nil {
			t.Fatal(err)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return &testCA{cert: c}
	}
	none := func(*x509.Certificate) {}
	for name, c := range map[string]*testCA{
		"no organization":     make1(func(c *x509.Certificate) { c.Subject.Organization = nil }, root, &key.PublicKey),
		"another name":        make1(func(c *x509.Certificate) { c.Subject.CommonName = "CS1" }, root, &key.PublicKey),
		"expired":             make1(func(c *x509.Certificate) { c.NotAfter = t0.Add(-time.Second) }, root, &key.PublicKey),
		"another key":         make1(none, root, &root.key.PublicKey),
		"no signatures":       make1(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }, root, &key.PublicKey),
		"of another issuer":   make1(none, certificateOf(t, "root", nil, nil, t0.Add(-time.Hour)), &key.PublicKey),
		"an issuer in itself": make1(func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }, root, &key.PublicKey),
	} {
		if got := w.signed(c); !strings.Contains(got, `"status":"Rejected"`) {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := w.signed(make1(none, root, &key.PublicKey)); got != `{"status":"Accepted"}` {
		t.Errorf("a good one: %s", got)
	}
	for bits, good := range map[int]bool{1024: false, 2048: true} {
		k, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Skip(err) // too weak even to be made
		}
		tmpl := &x509.Certificate{SerialNumber: big.NewInt(int64(bits)), Subject: pkix.Name{CommonName: fmt.Sprint(bits)}, NotBefore: t0.Add(-time.Hour), NotAfter: t0.AddDate(1, 0, 0),
			IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
		der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &k.PublicKey, k)
		if err != nil {
			t.Fatal(err)
		}
		got := w.ask(&v201.InstallCertificateRequest{CertificateType: v201.InstallCertificateUseV2GRootCertificate,
			Certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))})
		if strings.Contains(got, "Accepted") != good {
			t.Errorf("a root with %d bits: %s", bits, got)
		}
	}
}

// A month before its certificate ends the station asks for the next one (A03.FR.02, FR.03), once (A03.FR.19), and uses that.
func TestACertificateIsRenewedInTime(t *testing.T) {
	w, root := certified(t)
	key := w.request("k1")
	first := certificateOf(t, "SN1", &key.PublicKey, root, t0.Add(-time.Minute))
	if got := w.signed(first); got != `{"status":"Accepted"}` {
		t.Fatal(got)
	}
	w.do(Disconnected{})
	w.start()
	w.do(Connected{})
	made := func() int { _, n := last[MakeKey](w); return n }
	w.wait(first.cert.NotAfter.AddDate(0, 0, -31).Sub(w.now))
	if made() != 0 {
		t.Error("too early")
	}
	w.wait(48 * time.Hour)
	if m, n := last[MakeKey](w); n != 1 || m != (MakeKey{useCS, "SN1", "Voltyard"}) {
		t.Fatalf("%d, %+v", n, m)
	}
	key = w.request("k2")
	w.wait(5 * 24 * time.Hour)
	if n := len(requests[*v201.SignCertificateRequest](w)); made() != 1 || n != 1+1+3 {
		t.Errorf("%d keys, %d requests", made(), n)
	}
	next := certificateOf(t, "SN1", &key.PublicKey, root, w.now.Add(-time.Minute))
	if got := w.signed(next); got != `{"status":"Accepted"}` {
		t.Fatal(got)
	}
	if u, _ := last[UseCertificate](w); u.Key != "k2" {
		t.Errorf("%+v", u)
	}
	if w.wait(20 * 24 * time.Hour); made() != 1 {
		t.Errorf("%d keys", made())
	}
	// A life shorter than a month is not all renewal.
	if from := renewFrom(&x509.Certificate{NotBefore: t0, NotAfter: t0.Add(30 * time.Hour)}); !from.Equal(t0.Add(20 * time.Hour)) {
		t.Errorf("%v", from)
	}
}
