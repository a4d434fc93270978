package mosquitto

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/voltyard/voltyard/test/interop/peer"
)

// Every client shows a password, and may only do what it must: the building's source writes its own limits and nothing else.
func TestPasswordsAndAccessList(t *testing.T) {
	dir := t.TempDir()
	passwords, list := filepath.Join(dir, "passwords"), filepath.Join(dir, "acl")
	peer.Write(t, passwords)
	for name, password := range map[string]string{"voltyard": "site secret", "bems": "building secret", "watcher": "watcher secret"} {
		if out, err := exec.Command(program(t, "mosquitto_passwd"), "-b", passwords, name, password).CombinedOutput(); err != nil {
			t.Fatalf("mosquitto_passwd: %v: %s", err, out)
		}
	}
	example, err := os.ReadFile("../../../configs/mosquitto/acl")
	if err != nil {
		t.Fatal(err)
	}
	peer.Write(t, list, strings.ReplaceAll(string(example), "/depot-north/", "/"+siteID+"/"))
	b := startBroker(t, "allow_anonymous false", "password_file "+passwords, "acl_file "+list)
	b.access = []string{"-u", "watcher", "-P", "watcher secret"}
	w := b.watch(t)

	secret := filepath.Join(dir, "secret")
	peer.Write(t, secret, "not the secret")
	mqtt := `{url: "tcp://127.0.0.1:` + b.port + `", username: voltyard, password_file: "` + secret + `", home_assistant: homeassistant}`
	wrong := runSite(t, siteFile(t, mqtt))
	wrong.Wait(t, "the refusal in the log", 0, func(l string) bool {
		return strings.Contains(l, "does not serve this site") && strings.Contains(l, "not Authorized")
	})
	wrong.End(t, syscall.SIGTERM)
	if got := w.heard("$state"); len(got) > 0 {
		t.Errorf("with a wrong password voltyard publishes: %v", got)
	}

	peer.Write(t, secret, "site secret")
	site := runSite(t, siteFile(t, mqtt))
	w.ready(t)
	for _, l := range site.Printed() {
		if strings.Contains(l, "does not serve this site") {
			t.Errorf("the example's list does not let the site do its work: %s", l)
		}
	}

	b.access = []string{"-u", "bems", "-P", "building secret", "-V", "5"} // only in MQTT 5 a publisher hears of its refusal
	if err := b.publish(t, "limit/dso/set", set("foreign", time.Now(), `"import_w":1`)); err == nil || !strings.Contains(err.Error(), "Not authorized") {
		t.Errorf("the building writes limits of the network operator: %v", err)
	}
	if err := b.publish(t, "$state", "ready", "-r"); err == nil || !strings.Contains(err.Error(), "Not authorized") {
		t.Errorf("the building writes the state of the site: %v", err)
	}
	b.mustPublish(t, "limit/bems/set", set("own", time.Now(), `"import_w":5000,"valid_s":60`))
	w.taken(t, "bems", "own")
	w.value(t, "node/root/limit_power", "5000")
	b.mustPublish(t, "limit/bems/set", set("own", time.Now(), `"release":true`))
	w.taken(t, "bems", "own")
	w.value(t, "node/root/limit_power", "40000")
	if got := append(w.heard("limit/dso/set"), w.heard("limit/dso/ack")...); len(got) > 0 {
		t.Errorf("what the broker refuses has come to the site: %v", got)
	}
	b.access = []string{"-u", "bems", "-P", "guessed"}
	if err := b.publish(t, "limit/bems/set", set("guessed", time.Now(), `"import_w":1`)); err == nil {
		t.Error("a wrong password is let in")
	}
}

// The broker shows a certificate and wants one of every client.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	ca := newAuthority(t, dir, "ca")
	ca.issue(t, "broker", x509.ExtKeyUsageServerAuth)
	ca.issue(t, "voltyard", x509.ExtKeyUsageClientAuth)
	ca.issue(t, "watcher", x509.ExtKeyUsageClientAuth)
	newAuthority(t, dir, "stranger")
	file := func(name string) string { return filepath.Join(dir, name+".pem") }
	b := startBroker(t, "allow_anonymous true", "cafile "+file("ca"), "certfile "+file("broker"), "keyfile "+file("broker-key"),
		"require_certificate true")
	b.access = []string{"--cafile", file("ca"), "--cert", file("watcher"), "--key", file("watcher-key")}
	w := b.watch(t)

	mqtt := func(ca, rest string) string {
		return `{url: "ssl://127.0.0.1:` + b.port + `", ca_file: "` + file(ca) + `"` + rest + `}`
	}
	own := `, cert_file: "` + file("voltyard") + `", key_file: "` + file("voltyard-key") + `"`
	for _, wrong := range []struct{ what, mqtt, log string }{
		{"a broker of another authority", mqtt("stranger", own), "unknown authority"},
		{"no certificate of its own", mqtt("ca", ""), ""}, // how the refusal reads depends on when the broker closes
	} {
		site := runSite(t, siteFile(t, wrong.mqtt))
		site.Wait(t, wrong.what+" in the log", 0, func(l string) bool {
			return strings.Contains(l, "does not serve this site") && strings.Contains(l, wrong.log)
		})
		site.End(t, syscall.SIGTERM)
	}
	if got := w.heard("$state"); len(got) > 0 {
		t.Errorf("without the right certificates voltyard publishes: %v", got)
	}

	runSite(t, siteFile(t, mqtt("ca", own)))
	w.ready(t)
	b.mustPublish(t, "limit/bems/set", set("own", time.Now(), `"import_w":5000,"valid_s":60`))
	w.taken(t, "bems", "own")
	w.value(t, "node/root/limit_power", "5000")
}

// authority issues certificates and writes them to files.
type authority struct {
	dir    string
	key    *ecdsa.PrivateKey
	cert   *x509.Certificate
	serial int64
}

func newAuthority(t *testing.T, dir, name string) *authority {
	t.Helper()
	a := &authority{dir: dir, serial: 1}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	a.key = newKey(t)
	a.cert = a.sign(t, name, template, template, &a.key.PublicKey)
	return a
}

// issue writes <name>.pem and <name>-key.pem.
func (a *authority) issue(t *testing.T, name string, usage x509.ExtKeyUsage) {
	t.Helper()
	a.serial++
	key := newKey(t)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	peer.Write(t, filepath.Join(a.dir, name+"-key.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	a.sign(t, name, &x509.Certificate{SerialNumber: big.NewInt(a.serial), Subject: pkix.Name{CommonName: name},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{usage},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}, a.cert, &key.PublicKey)
}

func (a *authority) sign(t *testing.T, name string, template, parent *x509.Certificate, public *ecdsa.PublicKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, a.key)
	if err != nil {
		t.Fatal(err)
	}
	peer.Write(t, filepath.Join(a.dir, name+".pem"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
