package xmlsig

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"testing"

	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
	"github.com/voltyard/voltyard/protocols/iso15118/xmldsig"
)

// testKey is the key whose scalar is 1, 2, 3, ...
func testKey(t testing.TB, c elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	b := make([]byte, (c.Params().BitSize+7)/8)
	for i := range b[1:] {
		b[i+1] = byte(i + 1)
	}
	key, err := ecdsa.ParseRawPrivateKey(c, b)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func authorization() *v2.V2GMessage {
	return &v2.V2GMessage{
		Header: v2.MessageHeader{SessionID: exi.MakeShortBytes([]byte{1, 2, 3, 4, 5, 6, 7, 8})},
		Body:   v2.Body{BodyElement: &v2.AuthorizationReq{GenChallenge: exi.Some([]byte("0123456789abcdef"))}},
	}
}

func installation() *v2.V2GMessage {
	m := authorization()
	m.Body.BodyElement = &v2.CertificateInstallationRes{
		SAProvisioningCertificateChain:       v2.CertificateChain{Certificate: []byte{1}},
		ContractSignatureCertChain:           v2.CertificateChain{Certificate: []byte{2}},
		ContractSignatureEncryptedPrivateKey: v2.ContractSignatureEncryptedPrivateKey{Value: bytes.Repeat([]byte{3}, 48)},
		DHpublickey:                          v2.DiffieHellmanPublickey{Value: bytes.Repeat([]byte{4}, 65)},
		EMAID:                                v2.EMAID{Value: "DEABCC123ABC56"},
	}
	return m
}

func receipt() *v2.V2GMessage {
	m := authorization()
	m.Body.BodyElement = &v2.MeteringReceiptReq{SessionID: m.Header.SessionID, MeterInfo: v2.MeterInfo{MeterID: "M1"}}
	return m
}

func tariffs(n int) *v2.V2GMessage {
	m := authorization()
	var list v2.SAScheduleList
	for i := range n {
		list.SAScheduleTuple = append(list.SAScheduleTuple, v2.SAScheduleTuple{SAScheduleTupleID: uint8(i + 1),
			SalesTariff: exi.Some(v2.SalesTariff{SalesTariffID: uint8(i + 1), SalesTariffEntry: []v2.SalesTariffEntry{
				{EPriceLevel: exi.Some[uint8](1)}}})})
	}
	m.Body.BodyElement = &v2.ChargeParameterDiscoveryRes{SAScheduleList: exi.Some(list)}
	return m
}

// The signature of a fixed message with a fixed key; a nil source of randomness makes ECDSA deterministic (RFC 6979).
func TestKnownAnswer(t *testing.T) {
	const want = "da75b904a95a48ee0e1344a01a0f526ed01bcf68e8a0fd561c5b057921315fc7" +
		"4e6dcab1e6f89c5ef153568a8c1f27bb4503bb3363ec12ea5905e7d25a463388"
	m := authorization()
	if err := SignISO2(nil, testKey(t, elliptic.P256()), m); err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(m.Header.Signature.SignatureValue.Value); got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
}

func TestSignedMessagesVerifyAfterTheWire(t *testing.T) {
	key := testKey(t, elliptic.P256())
	for name, m := range map[string]*v2.V2GMessage{"authorization": authorization(), "installation": installation(), "receipt": receipt()} {
		t.Run(name, func(t *testing.T) {
			if err := SignISO2(rand.Reader, key, m); err != nil {
				t.Fatal(err)
			}
			wire, err := m.AppendEXI(nil)
			if err != nil {
				t.Fatal(err)
			}
			got, err := v2.Decode(wire)
			if err != nil {
				t.Fatal(err)
			}
			if err := got.Validate(); err != nil {
				t.Error(err)
			}
			if err := VerifyISO2(got, key.Public()); err != nil {
				t.Error(err)
			}
		})
	}
	for n := 1; n <= 3; n++ {
		m := tariffs(n)
		if err := SignISO2(rand.Reader, key, m); err != nil {
			t.Fatal(err)
		}
		if err := VerifyISO2(m, key.Public()); err != nil {
			t.Errorf("%d tariffs: %v", n, err)
		}
	}
}

func TestReferencesMayComeInAnyOrder(t *testing.T) {
	key := testKey(t, elliptic.P256())
	m := installation()
	setIDs(m.Body.BodyElement)
	el := SignedISO2(m.Body.BodyElement)
	sig, err := Sign(ISO2, rand.Reader, key, el[3], el[1], el[0], el[2])
	if err != nil {
		t.Fatal(err)
	}
	m.Header.Signature = sig
	if err := VerifyISO2(m, key.Public()); err != nil {
		t.Error(err)
	}
}

// Some vehicles hash SignedInfo with the grammars of the message set.
func TestCombinedGrammarIsAccepted(t *testing.T) {
	key := testKey(t, elliptic.P256())
	m := authorization()
	p, err := PrepareISO2(m)
	if err != nil {
		t.Fatal(err)
	}
	combined, err := v2.AppendSignedInfoFragment(nil, &p.info)
	if err != nil {
		t.Fatal(err)
	}
	if alone, _ := xmldsig.AppendSignedInfoFragment(nil, &p.info); bytes.Equal(alone, combined) {
		t.Fatal("both grammars give the same bytes: this proves nothing")
	}
	der, err := key.Sign(rand.Reader, ISO2.sum(combined), crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	if m.Header.Signature, err = p.Finish(der); err != nil {
		t.Fatal(err)
	}
	if err := VerifyISO2(m, key.Public()); err != nil {
		t.Error(err)
	}
}

func TestRefusals(t *testing.T) {
	key := testKey(t, elliptic.P256())
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p521 := testKey(t, elliptic.P521())
	info := func(m *v2.V2GMessage) *xmldsig.SignedInfo { return &m.Header.Signature.SignedInfo }
	for _, c := range []struct {
		name  string
		spoil func(*v2.V2GMessage)
		pub   crypto.PublicKey
		want  error
	}{
		{"none", func(m *v2.V2GMessage) { m.Header.Signature = nil }, nil, ErrAbsent},
		{"other key", nil, other.Public(), ErrValue},
		{"other curve", nil, p521.Public(), ErrAlgorithm},
		{"no key", nil, "key", ErrAlgorithm},
		{"other challenge", func(m *v2.V2GMessage) {
			m.Body.BodyElement.(*v2.AuthorizationReq).GenChallenge.Set([]byte("1123456789abcdef"))
		}, nil, ErrDigest},
		{"other id", func(m *v2.V2GMessage) { m.Body.BodyElement.(*v2.AuthorizationReq).ID.Set("x") }, nil, ErrReference},
		{"no id", func(m *v2.V2GMessage) {
			m.Body.BodyElement.(*v2.AuthorizationReq).ID.Clear()
			info(m).Reference[0].URI.Set("#")
		}, nil, ErrReference},
		{"no URI", func(m *v2.V2GMessage) { info(m).Reference[0].URI.Clear() }, nil, ErrReference},
		{"surplus reference", func(m *v2.V2GMessage) { info(m).Reference = append(info(m).Reference, info(m).Reference[0]) }, nil, ErrReference},
		{"five references", func(m *v2.V2GMessage) {
			for range 4 {
				info(m).Reference = append(info(m).Reference, info(m).Reference[0])
			}
		}, nil, ErrForbidden},
		{"no references", func(m *v2.V2GMessage) { info(m).Reference = nil }, nil, ErrForbidden},
		{"digest replaced too", func(m *v2.V2GMessage) {
			req := m.Body.BodyElement.(*v2.AuthorizationReq)
			req.GenChallenge.Set([]byte("1123456789abcdef"))
			p, err := Prepare(ISO2, SignedISO2(req)...)
			if err != nil {
				t.Fatal(err)
			}
			*info(m) = p.info
		}, nil, ErrValue},
		{"other digest method", func(m *v2.V2GMessage) { info(m).Reference[0].DigestMethod.Algorithm = digest512 }, nil, ErrAlgorithm},
		{"other signature method", func(m *v2.V2GMessage) { info(m).SignatureMethod.Algorithm = ecdsa512 }, nil, ErrAlgorithm},
		{"other canonicalization", func(m *v2.V2GMessage) { info(m).CanonicalizationMethod.Algorithm = "x" }, nil, ErrAlgorithm},
		{"other transform", func(m *v2.V2GMessage) { info(m).Reference[0].Transforms.Value.Transform[0].Algorithm = "x" }, nil, ErrAlgorithm},
		{"key info", func(m *v2.V2GMessage) { m.Header.Signature.KeyInfo.Present = true }, nil, ErrForbidden},
		{"object", func(m *v2.V2GMessage) { m.Header.Signature.Object = make([]xmldsig.Object, 1) }, nil, ErrForbidden},
		{"id of SignedInfo", func(m *v2.V2GMessage) { info(m).ID.Set("x") }, nil, ErrForbidden},
		{"id of value", func(m *v2.V2GMessage) { m.Header.Signature.SignatureValue.ID.Set("x") }, nil, ErrForbidden},
		{"type of reference", func(m *v2.V2GMessage) { info(m).Reference[0].Type.Set("x") }, nil, ErrForbidden},
		{"HMAC length", func(m *v2.V2GMessage) { info(m).SignatureMethod.HMACOutputLength.Present = true }, nil, ErrForbidden},
		{"short value", func(m *v2.V2GMessage) {
			m.Header.Signature.SignatureValue.Value = m.Header.Signature.SignatureValue.Value[:63]
		}, nil, ErrValue},
		{"zero value", func(m *v2.V2GMessage) { m.Header.Signature.SignatureValue.Value = make([]byte, 64) }, nil, ErrValue},
		{"message that signs nothing", func(m *v2.V2GMessage) { m.Body.BodyElement = &v2.SessionStopReq{} }, nil, ErrReference},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := authorization()
			if err := SignISO2(rand.Reader, key, m); err != nil {
				t.Fatal(err)
			}
			if c.spoil != nil {
				c.spoil(m)
			}
			if c.pub == nil {
				c.pub = key.Public()
			}
			err := VerifyISO2(m, c.pub)
			var e *Error
			if !errors.Is(err, c.want) || !errors.As(err, &e) {
				t.Fatalf("error %v, want %v", err, c.want)
			}
			if e.ResponseCode() != v2.ResponseCodeFailedSignatureError {
				t.Errorf("answer %v", e.ResponseCode())
			}
		})
	}
}

func TestReceiptHasItsOwnAnswer(t *testing.T) {
	var e *Error
	if err := VerifyISO2(receipt(), testKey(t, elliptic.P256()).Public()); !errors.As(err, &e) || e.ResponseCode() != v2.ResponseCodeFailedMeteringSignatureNotValid {
		t.Errorf("error %v", err)
	}
}

func TestSigningRefuses(t *testing.T) {
	key := testKey(t, elliptic.P256())
	m := authorization()
	m.Body.BodyElement = &v2.SessionStopReq{}
	if err := SignISO2(rand.Reader, key, m); err == nil {
		t.Error("a message without signed elements was signed")
	}
	if err := SignISO2(rand.Reader, testKey(t, elliptic.P521()), authorization()); err == nil {
		t.Error("a P-521 key signed an ISO 15118-2 message")
	}
	five := make([]Element, 5)
	if _, err := Prepare(ISO2, five...); err == nil {
		t.Error("five elements were signed")
	}
	if err := SignISO2(rand.Reader, broken{key}, authorization()); err == nil {
		t.Error("a signature that is no ASN.1 was taken")
	}
}

// broken is a device that answers nonsense.
type broken struct{ *ecdsa.PrivateKey }

func (broken) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return []byte{1, 2, 3}, nil }

func TestISO20Suite(t *testing.T) {
	key := testKey(t, elliptic.P521())
	el := Element{ID: "id1", Fragment: v2.Fragment{Name: exi.QName{Space: bodySpace, Local: "eMAID"}, Value: &v2.EMAID{ID: "id1", Value: "DEABCC123ABC56"}}}
	sig, err := Sign(ISO20, rand.Reader, key, el)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(sig.SignatureValue.Value); n != 132 {
		t.Errorf("%d octets of signature, want 132", n)
	}
	if err := Verify(ISO20, sig, key.Public(), el); err != nil {
		t.Error(err)
	}
	if err := Verify(ISO2, sig, key.Public(), el); err == nil {
		t.Error("the signature of one edition was accepted in the other")
	}
}

// FuzzVerify feeds whole messages to the verification: it must refuse whatever was not signed, and never panic.
func FuzzVerify(f *testing.F) {
	key := testKey(f, elliptic.P256())
	for _, m := range []*v2.V2GMessage{authorization(), installation(), receipt()} {
		if err := SignISO2(nil, key, m); err != nil {
			f.Fatal(err)
		}
		b, err := m.AppendEXI(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	pub := key.Public()
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := v2.Decode(b)
		if err != nil || m.Body.BodyElement == nil {
			return
		}
		var e *Error
		if err := VerifyISO2(m, pub); err != nil && !errors.As(err, &e) {
			t.Errorf("an error without an answer: %v", err)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	key := testKey(b, elliptic.P256())
	m := authorization()
	if err := SignISO2(rand.Reader, key, m); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := VerifyISO2(m, key.Public()); err != nil {
			b.Fatal(err)
		}
	}
}
