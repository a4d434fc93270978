package pki_test

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/voltyard/voltyard/protocols/iso15118/pki"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
)

func key(t testing.TB, scalarHex string) *ecdsa.PrivateKey {
	t.Helper()
	b, err := hex.DecodeString(scalarHex)
	if err != nil {
		t.Fatal(err)
	}
	k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), b)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// counting is a source of randomness that can be repeated.
type counting byte

func (c *counting) Read(b []byte) (int, error) {
	for i := range b {
		*c++
		b[i] = byte(*c)
	}
	return len(b), nil
}

const (
	receiverScalar = "1111111111111111111111111111111111111111111111111111111111111111"
	contractScalar = "2222222222222222222222222222222222222222222222222222222222222222"
)

// The wrap of a fixed key with fixed randomness. The values were checked with the openssl command line (pkeyutl -derive,
// dgst -sha256, enc -d -aes-128-cbc).
func TestWrapKnownAnswer(t *testing.T) {
	var r counting
	dh, wrapped, err := pki.WrapISO2(&r, &key(t, receiverScalar).PublicKey, key(t, contractScalar))
	if err != nil {
		t.Fatal(err)
	}
	const wantDH = "04515c3d6eb9e396b904d3feca7f54fdcd0cc1e997bf375dca515ad0a6c3b4035f" +
		"4536be3a50f318fbf9a5475902a221502bef0d57e08c53b2cc0a56f17d9f9354"
	const want = "2122232425262728292a2b2c2d2e2f301e6260c0daeaa2c71f3bfb3bc02e816b82379118136c872e96a3db784dfd178c"
	if got := hex.EncodeToString(dh); got != wantDH {
		t.Errorf("DHpublickey %s, want %s", got, wantDH)
	}
	if got := hex.EncodeToString(wrapped); got != want {
		t.Errorf("wrapped %s, want %s", got, want)
	}
}

func TestWrapAndUnwrap(t *testing.T) {
	receiver, contract := key(t, receiverScalar), key(t, contractScalar)
	dh, wrapped, err := pki.WrapISO2(rand.Reader, &receiver.PublicKey, contract)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pki.UnwrapISO2(receiver, dh, wrapped, &contract.PublicKey)
	if err != nil || !got.Equal(contract) {
		t.Fatalf("%v, %v", got, err)
	}
	for name, c := range map[string]struct {
		own         *ecdsa.PrivateKey
		dh, wrapped []byte
		contract    *ecdsa.PublicKey
	}{
		"other receiver":   {contract, dh, wrapped, &contract.PublicKey},
		"other contract":   {receiver, dh, wrapped, &receiver.PublicKey},
		"changed":          {receiver, dh, append(bytes.Clone(wrapped[:47]), wrapped[47]^1), &contract.PublicKey},
		"short":            {receiver, dh, wrapped[:47], &contract.PublicKey},
		"empty":            {receiver, dh, nil, &contract.PublicKey},
		"point not there":  {receiver, nil, wrapped, &contract.PublicKey},
		"point off curve":  {receiver, append([]byte{4}, bytes.Repeat([]byte{7}, 64)...), wrapped, &contract.PublicKey},
		"point at nowhere": {receiver, []byte{0}, wrapped, &contract.PublicKey},
	} {
		if _, err := pki.UnwrapISO2(c.own, c.dh, c.wrapped, c.contract); !errors.Is(err, pki.ErrWrap) {
			t.Errorf("%s: %v", name, err)
		}
	}
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pki.UnwrapISO2(p521, dh, wrapped, &contract.PublicKey); !errors.Is(err, pki.ErrKey) {
		t.Error(err)
	}
	if _, _, err := pki.WrapISO2(rand.Reader, &p521.PublicKey, contract); err == nil {
		t.Error("wrapped for a P-521 key")
	}
	if _, _, err := pki.WrapISO2(rand.Reader, &receiver.PublicKey, p521); err == nil {
		t.Error("wrapped a P-521 key")
	}
	if _, _, err := pki.WrapISO2(bytes.NewReader(nil), &receiver.PublicKey, contract); err == nil {
		t.Error("wrapped without randomness")
	}
	if _, _, err := pki.WrapISO2(zeros{}, &receiver.PublicKey, contract); err == nil {
		t.Error("wrapped with a zero key")
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// The key wrap of a live session between stacks of others.
func TestPublishedWrap(t *testing.T) {
	dir := os.Getenv("VOLTYARD_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared")
	}
	f, err := os.Open(filepath.Join(dir, "vectors/keywrap_kat_iso2.jsonl"))
	if err != nil {
		t.Skip("published vectors are not here (keywrap_kat_iso2.jsonl); set VOLTYARD_SHARED to the folder that has them")
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<24)
	n := 0
	for s.Scan() {
		var r struct {
			OEM      string `json:"oem_private_scalar_hex"`
			DH       string `json:"dh_public_key_hex"`
			Wrapped  string `json:"encrypted_private_key_hex"`
			Contract string `json:"contract_private_scalar_hex"`
			Cert     string `json:"contract_cert_der_hex"`
			Message  string `json:"full_message_exi_hex"`
		}
		if err := json.Unmarshal(s.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		raw, _ := hex.DecodeString(r.Message)
		m, err := v2.Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		res := m.Body.BodyElement.(*v2.CertificateInstallationRes)
		if hex.EncodeToString(res.DHpublickey.Value) != r.DH || hex.EncodeToString(res.ContractSignatureEncryptedPrivateKey.Value) != r.Wrapped ||
			hex.EncodeToString(res.ContractSignatureCertChain.Certificate) != r.Cert {
			t.Error("the message holds something else")
		}
		cert, err := x509.ParseCertificate(res.ContractSignatureCertChain.Certificate)
		if err != nil {
			t.Fatal(err)
		}
		got, err := pki.UnwrapISO2(key(t, r.OEM), res.DHpublickey.Value, res.ContractSignatureEncryptedPrivateKey.Value, cert.PublicKey.(*ecdsa.PublicKey))
		if err != nil || !got.Equal(key(t, r.Contract)) {
			t.Errorf("%v", err)
		}
		if err := pki.ProfileOf(pki.Contract).Check(cert, pki.ISO2); err != nil {
			t.Error(err)
		}
		cps, err := x509.ParseCertificate(res.SAProvisioningCertificateChain.Certificate)
		if err != nil {
			t.Fatal(err)
		}
		if err := pki.ProfileOf(pki.CPS).Check(cps, pki.ISO2); err != nil {
			t.Error(err)
		}
		n++
	}
	if n == 0 {
		t.Error("no vectors")
	}
}

func FuzzUnwrap(f *testing.F) {
	receiver, contract := key(f, receiverScalar), key(f, contractScalar)
	dh, wrapped, err := pki.WrapISO2(rand.Reader, &receiver.PublicKey, contract)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(dh, wrapped)
	f.Fuzz(func(t *testing.T, dh, wrapped []byte) {
		if k, err := pki.UnwrapISO2(receiver, dh, wrapped, &contract.PublicKey); err == nil && !k.Equal(contract) {
			t.Error("a key that does not belong to the certificate")
		}
	})
}
