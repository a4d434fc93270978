package pki

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"fmt"

	_ "crypto/sha1" // OCSP responders use it as a name
	_ "crypto/sha256"
	_ "crypto/sha512"
)

// HashData names a certificate towards OCPP (OCSPRequestDataType) and OCSP. Hashes and serial number are lower-case
// hexadecimal; the serial number has no leading zeros and no 0x.
type HashData struct {
	Algorithm      string // SHA256, SHA384 or SHA512
	IssuerNameHash string
	IssuerKeyHash  string
	SerialNumber   string
	ResponderURL   string // of the OCSP responder that the certificate names; may be empty
}

// HashAlgorithm is the name that OCPP gives a hash; ok is false for one that it does not know.
func HashAlgorithm(h crypto.Hash) (name string, ok bool) {
	switch h {
	case crypto.SHA256:
		return "SHA256", true
	case crypto.SHA384:
		return "SHA384", true
	case crypto.SHA512:
		return "SHA512", true
	}
	return "", false
}

// HashDataOf names the certificate that issuer made. The hash is one that HashAlgorithm knows.
func HashDataOf(c, issuer *x509.Certificate, h crypto.Hash) (HashData, error) {
	algorithm, ok := HashAlgorithm(h)
	if !ok {
		return HashData{}, fmt.Errorf("pki: OCPP has no name for the hash %v", h)
	}
	name, key, err := issuerHashes(issuer, h)
	if err != nil {
		return HashData{}, err
	}
	d := HashData{Algorithm: algorithm, IssuerNameHash: hex.EncodeToString(name), IssuerKeyHash: hex.EncodeToString(key), SerialNumber: c.SerialNumber.Text(16)}
	if len(c.OCSPServer) > 0 {
		d.ResponderURL = c.OCSPServer[0]
	}
	return d, nil
}

// HashData names the certificates of the path, leaf first. A root has no entry, and the last certificate of a path without a
// trusted root neither, because the issuer's key is not known.
func (p *Path) HashData(h crypto.Hash) ([]HashData, error) {
	var out []HashData
	for i, c := range p.Certificates[:len(p.Certificates)-1] {
		d, err := HashDataOf(c, p.Certificates[i+1], h)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

// issuerHashes are those of a CertID: over the DER of the issuer's name, and over its public key without the wrapping.
func issuerHashes(issuer *x509.Certificate, h crypto.Hash) (name, key []byte, err error) {
	bits, err := publicKeyBits(issuer)
	if err != nil {
		return nil, nil, err
	}
	if !h.Available() {
		return nil, nil, fmt.Errorf("pki: hash %v is not available", h)
	}
	sum := func(b []byte) []byte {
		w := h.New()
		w.Write(b)
		return w.Sum(nil)
	}
	return sum(issuer.RawSubject), sum(bits), nil
}

func publicKeyBits(c *x509.Certificate) ([]byte, error) {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		PublicKey asn1.BitString
	}
	if _, err := asn1.Unmarshal(c.RawSubjectPublicKeyInfo, &info); err != nil {
		return nil, fmt.Errorf("pki: public key of %q: %w", c.Subject.CommonName, err)
	}
	return info.PublicKey.RightAlign(), nil
}
