package tlsfile

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/voltyard/voltyard/protocols/iso15118/pki/testpki"
	"github.com/voltyard/voltyard/storage/keyring"
)

func ocpp(t *testing.T) *testpki.OCPP {
	t.Helper()
	o, err := testpki.NewOCPP(time.Now(), "LC1", "CS1")
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// store writes an entity and returns its files.
func store(t *testing.T, dir string, e *testpki.Entity) Pair {
	t.Helper()
	p := Pair{filepath.Join(dir, e.Name+".pem"), filepath.Join(dir, e.Name+".key")}
	key, err := e.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	write(t, p.Cert, e.CertPEM())
	write(t, p.Key, key)
	return p
}

// storeRSA writes a self-signed certificate with an RSA key.
func storeRSA(t *testing.T, dir string) Pair {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "rsa"}, NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	p := Pair{filepath.Join(dir, "rsa.pem"), filepath.Join(dir, "rsa.key")}
	write(t, p.Cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	write(t, p.Key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	return p
}

// shake lets a client meet the server and returns what the client sees.
func shake(s *tls.Config, c *tls.Config) (tls.ConnectionState, error) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	served := make(chan error, 1)
	go func() {
		conn := tls.Server(b, s)
		err := conn.Handshake()
		if err != nil {
			_ = b.Close()
		} else {
			_, _ = conn.Write([]byte{1}) // in TLS 1.3 the client hears of a refusal only when it reads
		}
		served <- err
	}()
	c.InsecureSkipVerify = true
	conn := tls.Client(a, c)
	err := conn.Handshake()
	if err == nil {
		_, err = conn.Read(make([]byte, 1))
	}
	if err != nil {
		_ = a.Close()
	}
	return conn.ConnectionState(), errors.Join(err, <-served)
}

// The suites that the standard demands are served, with the certificate that fits, and no others.
func TestSuites(t *testing.T) {
	dir := t.TempDir()
	s, err := NewServer(ServerFiles{Pairs: []Pair{store(t, dir, ocpp(t).CSMS), storeRSA(t, dir)}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, suite := range []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_GCM_SHA384} {
		st, err := shake(s.Config(), &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite}})
		if err != nil || st.CipherSuite != suite {
			t.Errorf("%s: %v", tls.CipherSuiteName(suite), err)
		}
	}
	for _, suite := range []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_RC4_128_SHA} {
		if _, err := shake(s.Config(), &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite}}); err == nil {
			t.Errorf("%s is served", tls.CipherSuiteName(suite))
		}
	}
	if st, err := shake(s.Config(), &tls.Config{}); err != nil || st.Version != tls.VersionTLS13 {
		t.Errorf("TLS 1.3: %v", err)
	}
	if _, err := shake(s.Config(), &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is served")
	}
	// Without an RSA certificate there is no RSA.
	ec, err := NewServer(ServerFiles{Pairs: []Pair{store(t, dir, ocpp(t).CSMS)}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := shake(ec.Config(), &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}}); err == nil {
		t.Error("RSA is served without an RSA certificate")
	}
}

// A changed file is used by the next handshake; files that do not fit together change nothing.
func TestRenewal(t *testing.T) {
	dir := t.TempDir()
	old, renewed := ocpp(t), ocpp(t)
	pair := store(t, dir, old.CSMS)
	var told []error
	s, err := NewServer(ServerFiles{Pairs: []Pair{pair}}, func(err error) { told = append(told, err) })
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	s.watch.clock = func() time.Time { return now }
	served := func(want *testpki.Entity) {
		t.Helper()
		now = now.Add(2 * checkEvery)
		st, err := shake(s.Config(), &tls.Config{})
		if err != nil || !st.PeerCertificates[0].Equal(want.Cert) {
			t.Errorf("another certificate is served: %v", err)
		}
	}
	touch := func(name string, n int) { // file times may be coarse
		t.Helper()
		at := time.Now().Add(time.Duration(n) * time.Second)
		if err := os.Chtimes(name, at, at); err != nil {
			t.Fatal(err)
		}
	}
	served(old.CSMS)
	write(t, pair.Cert, renewed.CSMS.CertPEM())
	touch(pair.Cert, 1)
	served(old.CSMS) // the key is not there yet
	if len(told) != 1 || told[0] == nil || !strings.Contains(told[0].Error(), "does not belong") {
		t.Errorf("told %v", told)
	}
	store(t, dir, renewed.CSMS)
	touch(pair.Key, 2)
	served(renewed.CSMS)
	if len(told) != 2 || told[1] != nil {
		t.Errorf("told %v", told)
	}
	served(renewed.CSMS)
	if len(told) != 2 {
		t.Errorf("it was renewed again: %v", told)
	}
	if err := os.Remove(pair.Key); err != nil {
		t.Fatal(err)
	}
	served(renewed.CSMS)
}

func TestClientCertificates(t *testing.T) {
	dir := t.TempDir()
	o, other := ocpp(t), ocpp(t)
	ca := filepath.Join(dir, "root.pem")
	write(t, ca, o.Root.CertPEM())
	s, err := NewServer(ServerFiles{Pairs: []Pair{store(t, dir, o.Controller)}, ClientCA: ca}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := shake(s.Config(), &tls.Config{Certificates: []tls.Certificate{o.Stations[0].TLS()}}); err != nil {
		t.Error(err)
	}
	if _, err := shake(s.Config(), &tls.Config{}); err == nil {
		t.Error("no certificate passes")
	}
	if _, err := shake(s.Config(), &tls.Config{Certificates: []tls.Certificate{other.Stations[0].TLS()}}); err == nil {
		t.Error("a certificate of another root passes")
	}
	if _, err := shake(s.Config(), &tls.Config{Certificates: []tls.Certificate{o.CSMS.TLS()}}); err == nil {
		t.Error("a server's certificate passes for a client's")
	}
	// The client's side reads its certificate for every connection.
	pair := store(t, dir, o.Stations[0])
	cfg, err := CSMS(ca, pair)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := shake(s.Config(), cfg.Clone()); err != nil {
		t.Error(err)
	}
	store(t, dir, other.Stations[0])
	if _, err := shake(s.Config(), cfg.Clone()); err == nil {
		t.Error("the changed certificate was not read")
	}
}

func TestFilesThatDoNotServe(t *testing.T) {
	dir := t.TempDir()
	o := ocpp(t)
	good, second := store(t, dir, o.CSMS), store(t, dir, o.Controller)
	open := filepath.Join(dir, "open.key")
	data, err := os.ReadFile(good.Key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(open, data, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]ServerFiles{
		"no certificate":  {},
		"missing":         {Pairs: []Pair{{filepath.Join(dir, "x.pem"), good.Key}}},
		"missing key":     {Pairs: []Pair{{good.Cert, filepath.Join(dir, "x.key")}}},
		"key as cert":     {Pairs: []Pair{{good.Key, good.Key}}},
		"other key":       {Pairs: []Pair{{good.Cert, second.Key}}},
		"missing roots":   {Pairs: []Pair{good}, ClientCA: filepath.Join(dir, "x.pem")},
		"no roots inside": {Pairs: []Pair{good}, ClientCA: good.Key},
	} {
		if _, err := NewServer(f, nil); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := NewServer(ServerFiles{Pairs: []Pair{{good.Cert, open}}}, nil); !errors.Is(err, keyring.ErrPermission) {
		t.Errorf("a key that others may read: %v", err)
	}
	if _, err := CSMS(good.Key, Pair{}); err == nil {
		t.Error("roots without certificates")
	}
	if _, err := CSMS("", Pair{good.Cert, second.Key}); err == nil {
		t.Error("a client's certificate with another key")
	}
}
