package xmlsig

import (
	"bufio"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/voltyard/voltyard/protocols/iso15118/v2"
	"github.com/voltyard/voltyard/protocols/iso15118/v20/common"
	"github.com/voltyard/voltyard/protocols/iso15118/xmldsig"
)

// shared opens a file of published vectors, which are not part of this repository.
func shared(t *testing.T, name string, line func([]byte)) {
	t.Helper()
	dir := os.Getenv("VOLTYARD_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared")
	}
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		t.Skipf("published vectors are not here (%s); set VOLTYARD_SHARED to the folder that has them", name)
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<24)
	for s.Scan() {
		line(s.Bytes())
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
}

// The published known answer: four fragments, the SignedInfo over them, the key and the signature.
func TestPublishedKnownAnswer(t *testing.T) {
	var elements []Element
	var sig *xmldsig.Signature
	var pub *ecdsa.PublicKey
	shared(t, "vectors/signature_kat_iso2.jsonl", func(b []byte) {
		var r struct {
			Protocol, Hex string
			Signature     string `json:"signature_value_b64"`
			Key           string `json:"public_key_hex"`
		}
		if err := json.Unmarshal(b, &r); err != nil {
			t.Fatal(err)
		}
		in, _ := hex.DecodeString(r.Hex)
		switch {
		case r.Protocol == "iso2-fragment":
			f, err := v2.DecodeFragment(in)
			if err != nil {
				t.Fatal(err)
			}
			elements = append(elements, Element{ID: fragmentID(t, f), Fragment: f})
		case r.Protocol == "xmldsig-fragment" && r.Signature != "":
			f, err := xmldsig.DecodeFragment(in)
			if err != nil {
				t.Fatal(err)
			}
			value, _ := base64.StdEncoding.DecodeString(r.Signature)
			sig = &xmldsig.Signature{SignedInfo: *f.Value.(*xmldsig.SignedInfo), SignatureValue: xmldsig.SignatureValue{Value: value}}
			key, _ := hex.DecodeString(r.Key)
			if pub, err = ecdsa.ParseUncompressedPublicKey(elliptic.P256(), key); err != nil {
				t.Fatal(err)
			}
		}
	})
	if len(elements) != 4 || sig == nil {
		t.Fatalf("%d elements, signature %v", len(elements), sig != nil)
	}
	if err := Verify(ISO2, sig, pub, elements...); err != nil {
		t.Error(err)
	}
}

func fragmentID(t *testing.T, f v2.Fragment) string {
	switch v := f.Value.(type) {
	case *v2.CertificateChain:
		return v.ID.Value
	case *v2.ContractSignatureEncryptedPrivateKey:
		return v.ID
	case *v2.DiffieHellmanPublickey:
		return v.ID
	case *v2.EMAID:
		return v.ID
	}
	t.Fatalf("unexpected fragment %v", f.Name)
	return ""
}

// Signed messages of live sessions between stacks of others verify with the keys in their certificates.
func TestLiveSessions(t *testing.T) {
	leaf := func(der []byte) crypto.PublicKey {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return c.PublicKey
	}
	var contract, operator crypto.PublicKey // of the last PaymentDetailsReq
	verified := map[string]int{}
	shared(t, "vectors/pnc_signed_fragments.jsonl", func(b []byte) {
		var r struct{ Namespace, Kind, Hex string }
		if err := json.Unmarshal(b, &r); err != nil {
			t.Fatal(err)
		}
		in, _ := hex.DecodeString(r.Hex)
		switch {
		case r.Kind != "document":
		case r.Namespace == "Namespace.ISO_V2_MSG_DEF":
			m, err := v2.Decode(in)
			if err != nil {
				t.Fatal(err)
			}
			var key crypto.PublicKey
			name := m.Body.BodyElement.ElementName().Local
			switch b := m.Body.BodyElement.(type) {
			case *v2.PaymentDetailsReq:
				contract = leaf(b.ContractSignatureCertChain.Certificate)
				operator = leaf(b.ContractSignatureCertChain.SubCertificates.Value.Certificate[0])
				return
			case *v2.AuthorizationReq:
				key = contract
			case *v2.CertificateInstallationReq:
				key = leaf(b.OEMProvisioningCert)
			case *v2.CertificateInstallationRes:
				key = leaf(b.SAProvisioningCertificateChain.Certificate)
			case *v2.ChargeParameterDiscoveryRes:
				key = operator
			default:
				t.Fatalf("a signed %s", name)
			}
			if err := VerifyISO2(m, key); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			verified[name]++
		default: // ISO 15118-20, signed with the algorithms of the older edition by that stack
			d, err := common.Decode(in)
			if err != nil {
				t.Fatal(err)
			}
			req, ok := d.(*common.AuthorizationReq)
			if !ok {
				t.Fatalf("a signed %T", d)
			}
			mode := &req.PnCAReqAuthorizationMode.Value
			f, _ := common.NewFragment("PnC_AReqAuthorizationMode")
			f.Value = mode
			older := ISO2
			older.combined = ISO20.combined
			if err := Verify(older, req.Header.Signature, leaf(mode.ContractCertificateChain.Certificate), Element{ID: mode.ID, Fragment: f}); err != nil {
				t.Errorf("ISO 15118-20 AuthorizationReq: %v", err)
			}
			verified["ISO 15118-20 AuthorizationReq"]++
		}
	})
	t.Logf("verified: %v", verified)
	if len(verified) != 5 {
		t.Errorf("only %v verified", verified)
	}
}
