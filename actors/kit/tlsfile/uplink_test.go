package tlsfile

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"

	"github.com/voltyard/voltyard/protocols/iso15118/pki/testpki"
	"github.com/voltyard/voltyard/storage/keyring"
)

// What a station shows to its CSMS: the newest certificate that is valid, and the one before where that is refused.
func TestUplinkShowsTheNewestCertificate(t *testing.T) {
	o := ocpp(t)
	now := time.Now()
	issue := func(from, until time.Time) tls.Certificate {
		e, err := o.Issue(testpki.Subject{Name: "cs", CommonName: "CS", NotBefore: from, NotAfter: until})
		if err != nil {
			t.Fatal(err)
		}
		return e.TLS()
	}
	file := issue(now.Add(-48*time.Hour), now.Add(time.Hour))
	base := &tls.Config{GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &file, nil }}
	u := NewUplink(base, false)
	shows := func(what string, want tls.Certificate) {
		t.Helper()
		got, err := u.Config(false).GetClientCertificate(nil)
		if err != nil || !got.Leaf.Equal(want.Leaf) {
			t.Errorf("%s: another certificate is shown (%v)", what, err)
		}
	}
	shows("at first", file)
	one, two := issue(now.Add(-3*time.Hour), now.Add(time.Hour)), issue(now.Add(-2*time.Hour), now.Add(time.Hour))
	u.Use(two)
	u.Use(one)
	shows("after a new one", two)
	u.Refused()
	shows("after it was refused", one)
	u.Refused()
	shows("after both were refused", file)
	u.Taken()
	shows("after one was taken", two)
	u.Use(issue(now.Add(-time.Hour), now.Add(-time.Minute)))
	shows("when the newest has expired", two)
	u.Use(issue(now.Add(time.Hour), now.Add(2*time.Hour)))
	if got, err := u.Config(false).GetClientCertificate(nil); err != nil || got.Leaf.NotBefore.After(now) {
		t.Error("one that is not valid yet is shown")
	}
}

func TestUplinkRoots(t *testing.T) {
	a, b := ocpp(t), ocpp(t)
	base := &tls.Config{RootCAs: x509.NewCertPool()}
	base.RootCAs.AddCert(a.Root.Cert)
	trusts := func(cfg *tls.Config, by *testpki.OCPP) bool {
		_, err := by.CSMS.Cert.Verify(x509.VerifyOptions{Roots: cfg.RootCAs, DNSName: "localhost"})
		return err == nil
	}
	for _, beside := range []bool{false, true} {
		u := NewUplink(base, beside)
		if c := u.Config(false); !trusts(c, a) || trusts(c, b) {
			t.Error("the site file's roots do not count at first")
		}
		u.SetRoots([]*x509.Certificate{b.Root.Cert})
		if c := u.Config(false); trusts(c, a) != beside || !trusts(c, b) {
			t.Errorf("beside %v: the wrong roots count", beside)
		}
		if c := u.Config(true); trusts(c, a) || !trusts(c, b) {
			t.Error("more than the newest root counts")
		}
		u.SetRoots([]*x509.Certificate{b.Root.Cert, a.Root.Cert})
		if r := u.Root([]*x509.Certificate{a.CSMS.Cert}); r == nil || !r.Equal(a.Root.Cert) {
			t.Error("the root of a chain is not found")
		}
		if c := u.Config(true); trusts(c, a) || !trusts(c, b) {
			t.Error("more than the newest root counts")
		}
		u.SetRoots(nil)
		if c := u.Config(false); !trusts(c, a) {
			t.Error("without roots the station is cut off")
		}
	}
}

// A request destroys the keys that are not to be kept, and those of nobody else.
func TestOwnKeys(t *testing.T) {
	ring, err := keyring.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	mine, other := Own{ring, "CS*1"}, Own{ring, "CS2"}
	foreign, _, err := other.Request(nil, "CS2", "")
	if err != nil {
		t.Fatal(err)
	}
	first, _, err := mine.Request(nil, "CS1", "o")
	if err != nil {
		t.Fatal(err)
	}
	second, csr, err := mine.Request([]string{first}, "CS1", "o")
	if err != nil {
		t.Fatal(err)
	}
	third, _, err := mine.Request([]string{second}, "CS1", "o")
	if err != nil {
		t.Fatal(err)
	}
	names, err := ring.List()
	if err != nil || len(names) != 3 {
		t.Errorf("%q, %v", names, err)
	}
	for _, n := range []string{foreign, second, third} {
		if _, err := ring.Get(n); err != nil {
			t.Error(err)
		}
	}
	if csr == "" {
		t.Error("no request")
	}
	if _, err := mine.Certificate(second, string(ocpp(t).CSMS.CertPEM())); err == nil {
		t.Error("the certificate of another key is taken")
	}
}
