package pki_test

import (
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"golang.org/x/crypto/ocsp"

	"github.com/voltyard/voltyard/protocols/iso15118/pki"
	"github.com/voltyard/voltyard/protocols/iso15118/pki/testpki"
)

// The hashes are those that an OCSP request carries.
func TestHashDataIsThatOfOCSP(t *testing.T) {
	s := set(t, pki.ISO2)
	p, err := s.Trust().Contract(now, pki.ISO2, s.Get(pki.Contract).Chain())
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.HashData(crypto.SHA256)
	if err != nil || len(got) != 3 {
		t.Fatalf("%v, %v", got, err)
	}
	for i, d := range got {
		der, err := ocsp.CreateRequest(p.Certificates[i], p.Certificates[i+1], &ocsp.RequestOptions{Hash: crypto.SHA256})
		if err != nil {
			t.Fatal(err)
		}
		req, err := ocsp.ParseRequest(der)
		if err != nil {
			t.Fatal(err)
		}
		want := pki.HashData{Algorithm: "SHA256", IssuerNameHash: hex.EncodeToString(req.IssuerNameHash), IssuerKeyHash: hex.EncodeToString(req.IssuerKeyHash),
			SerialNumber: req.SerialNumber.Text(16), ResponderURL: testpki.Responder}
		if d != want {
			t.Errorf("certificate %d: %+v, want %+v", i, d, want)
		}
		if d.SerialNumber != strings.TrimLeft(d.SerialNumber, "0") || len(d.IssuerKeyHash) != 2*sha256.Size {
			t.Errorf("certificate %d: %+v", i, d)
		}
	}
	if _, err := p.HashData(crypto.MD5); err == nil {
		t.Error("a hash that OCPP does not know")
	}
	for _, h := range []crypto.Hash{crypto.SHA384, crypto.SHA512} {
		if _, err := p.HashData(h); err != nil {
			t.Error(err)
		}
	}
	if pki.KeyID(p.Leaf()) == pki.KeyID(p.Certificates[1]) {
		t.Error("two keys have one id")
	}
}
