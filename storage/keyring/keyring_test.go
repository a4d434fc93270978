package keyring_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/voltyard/voltyard/storage/keyring"
	"github.com/voltyard/voltyard/storage/keyring/keyringtest"
)

func TestFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	keyringtest.Conformance(t, func(t *testing.T) keyring.Ring {
		r, err := keyring.Open("file:" + dir)
		if err != nil {
			t.Fatal(err)
		}
		return r
	})
}

// Files are made so that nobody else can read them, and nothing else is left behind.
func TestFilesAreForTheirOwnerAlone(t *testing.T) {
	dir := t.TempDir()
	r, err := keyring.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Generate("secc", elliptic.P256()); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Fatalf("%v, %v", entries, err)
	}
	path := filepath.Join(dir, "secc.key")
	for _, mode := range []os.FileMode{0o640, 0o604, 0o660, 0o644} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Get("secc"); !errors.Is(err, keyring.ErrPermission) {
			t.Errorf("mode %v: %v", mode, err)
		}
	}
	for _, mode := range []os.FileMode{0o600, 0o400} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Get("secc"); err != nil {
			t.Errorf("mode %v: %v", mode, err)
		}
	}
}

func TestWhatIsNoKeyFile(t *testing.T) {
	dir := t.TempDir()
	r, err := keyring.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(rsaKey)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ed, err := x509.MarshalPKCS8PrivateKey(edKey)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"sec1":      {append(block("EC PARAMETERS", []byte{1}), block("EC PRIVATE KEY", sec1)...), ""},
		"rsa":       {block("PRIVATE KEY", pkcs8), ""},
		"ed25519":   {block("PRIVATE KEY", ed), "make an ECDSA key"},
		"encrypted": {block("ENCRYPTED PRIVATE KEY", pkcs8), "passphrase"},
		"cert":      {block("CERTIFICATE", sec1), "no private key in PEM form"},
		"empty":     {nil, "no private key in PEM form"},
		"garbage":   {block("PRIVATE KEY", []byte("key")), "asn1"},
		"huge":      {make([]byte, 65<<10), "are no key"},
	} {
		if err := os.WriteFile(filepath.Join(dir, name+".key"), c.data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := r.Get(name)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe.key"), 0o600); err != nil {
		t.Skip("no pipes here:", err)
	}
	if _, err := r.Get("pipe"); err == nil || !strings.Contains(err.Error(), "it is no file") {
		t.Errorf("a pipe: %v", err)
	}
}

func TestPlaces(t *testing.T) {
	for in, want := range map[string]keyring.Place{
		"file:/etc/keys":                     {Kind: "file", Path: "/etc/keys"},
		"tpm:/dev/tpmrm0?keys=/v/tpm":        {Kind: "tpm", Path: "/dev/tpmrm0", Keys: "/v/tpm"},
		"pkcs11:/m.so?token=a b&pin-file=/p": {Kind: "pkcs11", Path: "/m.so", Token: "a b", PINFile: "/p"},
	} {
		if got, err := keyring.ParsePlace(in); err != nil || got != want {
			t.Errorf("%s: %+v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "/etc/keys", "file:", "usb:/x", "file:/x?keys=/y", "tpm:/dev/tpmrm0", "tpm:/d?keys=/a&keys=/b",
		"pkcs11:/m.so", "pkcs11:/m.so?token=a", "pkcs11:/m.so?token=a&pin-file=/p&pin=1234", "file:/x?%zz"} {
		if p, err := keyring.ParsePlace(in); err == nil {
			t.Errorf("%q is taken for %+v", in, p)
		}
		if _, err := keyring.Open(in); err == nil {
			t.Errorf("%q was opened", in)
		}
	}
	if _, err := keyring.Open("tpm:" + filepath.Join(t.TempDir(), "none") + "?keys=" + t.TempDir()); err == nil || !strings.Contains(err.Error(), "open the TPM") {
		t.Errorf("a TPM that is not there: %v", err)
	}
}

func FuzzParsePlace(f *testing.F) {
	f.Add("pkcs11:/m.so?token=a&pin-file=/p")
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := keyring.ParsePlace(s); err == nil && (p.Path == "" || p.Kind == "") {
			t.Errorf("%q is taken for %+v", s, p)
		}
	})
}
