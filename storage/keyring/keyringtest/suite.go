// Package keyringtest is the one suite of tests that every kind of keyring passes. Only tests import it.
package keyringtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/voltyard/voltyard/storage/keyring"
)

// Conformance runs the suite. open opens the same, at first empty, ring each time; the suite closes it before it opens it again.
func Conformance(t *testing.T, open func(t *testing.T) keyring.Ring) {
	t.Helper()
	ring := open(t)
	closed := false
	t.Cleanup(func() {
		if !closed {
			_ = ring.Close()
		}
	})
	generate := func(name string, c elliptic.Curve) crypto.Signer {
		t.Helper()
		k, err := ring.Generate(name, c)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}

	if list, err := ring.List(); err != nil || len(list) != 0 {
		t.Fatalf("a new ring has %v, %v", list, err)
	}
	if _, err := ring.Get("secc"); !errors.Is(err, keyring.ErrNotFound) {
		t.Errorf("get a missing key: %v", err)
	}
	if err := ring.Delete("secc"); !errors.Is(err, keyring.ErrNotFound) {
		t.Errorf("delete a missing key: %v", err)
	}
	secc := generate("secc", elliptic.P256())
	generate("another.one", elliptic.P256())
	if _, err := ring.Generate("secc", elliptic.P256()); !errors.Is(err, keyring.ErrExists) {
		t.Errorf("make a key twice: %v", err)
	}
	if list, err := ring.List(); err != nil || !slices.Equal(list, []string{"another.one", "secc"}) {
		t.Errorf("list: %v, %v", list, err)
	}
	for _, name := range []string{"", ".hidden", "../up", "a/b", "a b", "-x", strings.Repeat("x", 65), "ä"} {
		if _, err := ring.Generate(name, elliptic.P256()); !errors.Is(err, keyring.ErrName) {
			t.Errorf("make a key with the name %q: %v", name, err)
		}
		if _, err := ring.Get(name); !errors.Is(err, keyring.ErrName) {
			t.Errorf("get a key with the name %q: %v", name, err)
		}
		if err := ring.Delete(name); !errors.Is(err, keyring.ErrName) {
			t.Errorf("delete a key with the name %q: %v", name, err)
		}
	}
	if _, err := ring.Generate("odd", elliptic.P224()); !errors.Is(err, keyring.ErrUnsupported) {
		t.Errorf("make a key on P-224: %v", err)
	}

	verify(t, secc, secc.Public())
	for _, c := range []elliptic.Curve{elliptic.P384(), elliptic.P521()} {
		name := "key" + c.Params().Name
		k, err := ring.Generate(name, c)
		if errors.Is(err, keyring.ErrUnsupported) {
			t.Logf("no %s: %v", c.Params().Name, err)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		verify(t, k, k.Public())
		if err := ring.Delete(name); err != nil {
			t.Error(err)
		}
	}
	request(t, secc)
	together(t, secc)

	// A key stays the same over a restart.
	if err := ring.Close(); err != nil {
		t.Fatal(err)
	}
	closed = true
	ring = open(t)
	closed = false
	again, err := ring.Get("secc")
	if err != nil {
		t.Fatal(err)
	}
	verify(t, again, secc.Public())
	if err := ring.Delete("secc"); err != nil {
		t.Error(err)
	}
	if _, err := ring.Get("secc"); !errors.Is(err, keyring.ErrNotFound) {
		t.Errorf("get a deleted key: %v", err)
	}
	fresh := generate("secc", elliptic.P256())
	if secc.Public().(*ecdsa.PublicKey).Equal(fresh.Public()) {
		t.Error("a new key is the deleted one")
	}
	if err := ring.Delete("secc"); err != nil {
		t.Error(err)
	}
	if err := ring.Delete("another.one"); err != nil {
		t.Error(err)
	}
}

// verify signs with each hash and checks with the public key.
func verify(t *testing.T, k crypto.Signer, public crypto.PublicKey) {
	t.Helper()
	pub, ok := public.(*ecdsa.PublicKey)
	if !ok || !pub.Equal(k.Public()) {
		t.Fatalf("public key %T", public)
	}
	short, long := sha256.Sum256([]byte("message")), sha512.Sum512([]byte("message"))
	for _, c := range []struct {
		digest []byte
		hash   crypto.Hash
	}{{short[:], crypto.SHA256}, {long[:], crypto.SHA512}} {
		sig, err := k.Sign(rand.Reader, c.digest, c.hash)
		if err != nil {
			t.Errorf("sign %v: %v", c.hash, err)
		} else if !ecdsa.VerifyASN1(pub, c.digest, sig) {
			t.Errorf("the signature of %v does not fit", c.hash)
		}
	}
}

// request makes a certificate request, as the rotation of certificates does.
func request(t *testing.T, k crypto.Signer) {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "CS001"}}, k)
	if err != nil {
		t.Fatal(err)
	}
	r, err := x509.ParseCertificateRequest(der)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.CheckSignature(); err != nil {
		t.Error(err)
	}
}

// together signs from many goroutines at once.
func together(t *testing.T, k crypto.Signer) {
	t.Helper()
	digest := sha256.Sum256([]byte("message"))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 4 {
				sig, err := k.Sign(rand.Reader, digest[:], crypto.SHA256)
				if err != nil || !ecdsa.VerifyASN1(k.Public().(*ecdsa.PublicKey), digest[:], sig) {
					t.Errorf("signing together: %v", err)
				}
			}
		})
	}
	all.Wait()
}
