package xmlsig

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	_ "crypto/sha256" // the hash of ISO2
	_ "crypto/sha512" // the hash of ISO20
	"encoding/asn1"
	"fmt"
	"math/big"

	"github.com/voltyard/voltyard/protocols/iso15118/v2"
	"github.com/voltyard/voltyard/protocols/iso15118/v20/common"
	"github.com/voltyard/voltyard/protocols/iso15118/xmldsig"
)

// Identifiers of algorithms.
const (
	canonicalEXI = "http://www.w3.org/TR/canonical-exi/"
	digest256    = "http://www.w3.org/2001/04/xmlenc#sha256"
	digest512    = "http://www.w3.org/2001/04/xmlenc#sha512"
	ecdsa256     = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
	ecdsa512     = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512"
)

// Suite is the one set of algorithms that an edition of the standard allows.
type Suite struct {
	name      string
	hash      crypto.Hash
	curve     elliptic.Curve
	signature string
	digest    string
	// combined encodes SignedInfo with the grammars of the message set, as some stacks in the field do.
	combined func([]byte, *xmldsig.SignedInfo) ([]byte, error)
}

// The suites.
var (
	// ISO2 is ECDSA on P-256 with SHA-256 ([V2G2-007], [V2G2-908]).
	ISO2 = Suite{"ISO 15118-2", crypto.SHA256, elliptic.P256(), ecdsa256, digest256, v2.AppendSignedInfoFragment}
	// ISO20 is ECDSA on P-521 with SHA-512. The standard's other choice, Ed448, is not served.
	ISO20 = Suite{"ISO 15118-20", crypto.SHA512, elliptic.P521(), ecdsa512, digest512, common.AppendSignedInfoFragment}
)

// size is the length of a signature in octets: r and s, each as long as the curve's order, one after the other.
func (s *Suite) size() int { return 2 * s.width() }

func (s *Suite) width() int { return (s.curve.Params().N.BitLen() + 7) / 8 }

func (s *Suite) sum(b []byte) []byte {
	h := s.hash.New()
	h.Write(b)
	return h.Sum(nil)
}

// raw turns an ASN.1 signature, as a crypto.Signer makes it, into r and s.
func (s *Suite) raw(der []byte) ([]byte, error) {
	var v struct{ R, S *big.Int }
	rest, err := asn1.Unmarshal(der, &v)
	if err != nil || len(rest) != 0 {
		return nil, fmt.Errorf("xmlsig: the key's signature is no ASN.1 ECDSA value: %w", err)
	}
	w := s.width()
	if v.R.Sign() <= 0 || v.S.Sign() <= 0 || v.R.BitLen() > 8*w || v.S.BitLen() > 8*w {
		return nil, fmt.Errorf("xmlsig: the key's signature does not fit %s", s.curve.Params().Name)
	}
	out := make([]byte, 2*w)
	v.R.FillBytes(out[:w])
	v.S.FillBytes(out[w:])
	return out, nil
}

func (s *Suite) verify(key *ecdsa.PublicKey, digest, sig []byte) bool {
	w := s.width()
	return len(sig) == 2*w && ecdsa.Verify(key, digest, new(big.Int).SetBytes(sig[:w]), new(big.Int).SetBytes(sig[w:]))
}
