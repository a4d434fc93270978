package schemasets

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"os"
	"testing"

	"github.com/voltyard/voltyard/protocols/iso15118/v2"
	"github.com/voltyard/voltyard/protocols/iso15118/xmldsig"
)

// TestPublishedSignature verifies the published known answer: the digests of
// the signed elements are those in the SignedInfo, and the signature over the
// re-encoded SignedInfo fits the public key.
func TestPublishedSignature(t *testing.T) {
	f, err := os.Open(shared(t, "vectors/signature_kat_iso2.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	digests := map[string]bool{}
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<24)
	verified := 0
	var refs []xmldsig.Reference
	for s.Scan() {
		var r struct {
			Protocol, Hex string
			Signature     string `json:"signature_value_b64"`
			Key           string `json:"public_key_hex"`
		}
		if err := json.Unmarshal(s.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		in, _ := hex.DecodeString(r.Hex)
		switch r.Protocol {
		case "iso2-fragment":
			f, err := v2.DecodeFragment(in)
			if err != nil {
				t.Fatal(err)
			}
			out, err := f.AppendEXI(nil)
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256(out)
			digests[string(sum[:])] = true
		case "xmldsig-fragment":
			if r.Signature == "" {
				continue
			}
			f, err := xmldsig.DecodeFragment(in)
			if err != nil {
				t.Fatal(err)
			}
			info := f.Value.(*xmldsig.SignedInfo)
			refs = info.Reference
			out, err := xmldsig.AppendSignedInfoFragment(nil, info)
			if err != nil {
				t.Fatal(err)
			}
			key, _ := hex.DecodeString(r.Key)
			sig, _ := base64.StdEncoding.DecodeString(r.Signature)
			pub, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), key)
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256(out)
			if !ecdsa.Verify(pub, sum[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])) {
				t.Error("the published signature does not fit")
			}
			verified++
		}
	}
	if verified == 0 || len(refs) != 4 {
		t.Fatalf("%d signatures verified, %d references", verified, len(refs))
	}
	for _, ref := range refs {
		if !digests[string(ref.DigestValue)] {
			t.Errorf("no element has the digest of %s", ref.URI.Value)
		}
	}
}
