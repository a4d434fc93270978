package station

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
)

// leastRSA is the shortest RSA key that may sign firmware, in bits (A00.FR.501 to FR.503).
const leastRSA = 2048

// signedBy reads a firmware signing certificate, which may come with its sub-CAs, and checks it against the manufacturer's roots
// (L01.FR.12, L01.FR.21).
func (s *Station) signedBy(text string) (*x509.Certificate, error) {
	chain, err := parseChain(text)
	if err != nil {
		return nil, err
	}
	leaf := chain[0]
	if leaf.IsCA || leaf.KeyUsage != 0 && leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
		return nil, errors.New("the certificate is not for digital signatures")
	}
	switch key := leaf.PublicKey.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() < leastRSA {
			return nil, fmt.Errorf("the RSA key has %d bits, %d are the least", key.N.BitLen(), leastRSA)
		}
	case *ecdsa.PublicKey:
	default:
		return nil, errors.New("the key is neither RSA nor of an elliptic curve")
	}
	o := x509.VerifyOptions{CurrentTime: s.now, Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
	for _, c := range s.cfg.Updates.Roots {
		o.Roots.AddCert(c)
	}
	for _, c := range chain[1:] {
		o.Intermediates.AddCert(c)
	}
	if _, err := leaf.Verify(o); err != nil {
		return nil, err
	}
	return leaf, nil
}

// genuine checks the signature over the whole image: RSA-PSS, or ECDSA in ASN.1, over SHA-256 (L01.FR.04). The ECSchnorr of the
// standard is not there: no library that we trust has it.
func (s *Station) genuine(u *update, digest [sha256.Size]byte) error {
	cert, err := s.signedBy(u.Certificate) // it may have expired since
	if err != nil {
		return err
	}
	sig, err := base64.StdEncoding.DecodeString(u.Signature)
	if err != nil {
		return fmt.Errorf("the signature is not base64: %w", err)
	}
	switch key := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPSS(key, crypto.SHA256, digest[:], sig, nil)
	case *ecdsa.PublicKey:
		if ecdsa.VerifyASN1(key, digest[:], sig) {
			return nil
		}
	}
	return errors.New("the signature is not that of the signing certificate's key over this image")
}
