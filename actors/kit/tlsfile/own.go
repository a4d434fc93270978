package tlsfile

import (
	"crypto"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"

	"github.com/voltyard/voltyard/storage/keyring"
)

// Own keeps the private keys of one station in a ring that it may share with others.
type Own struct {
	Ring     keyring.Ring
	Identity string
}

// prefix begins the names of the station's keys; an identity may have characters that a key's name may not.
func (o Own) prefix() string {
	sum := sha256.Sum256([]byte(o.Identity))
	return "ocpp-" + hex.EncodeToString(sum[:6]) + "-"
}

// Request makes a new key and a request for its certificate (PKCS #10, PEM). Keys of the station that are not among those
// to keep are destroyed: their certificates never came, or are used no more.
func (o Own) Request(keep []string, name, organization string) (key, csr string, err error) {
	names, err := o.Ring.List()
	if err != nil {
		return "", "", fmt.Errorf("keys of %s: %w", o.Identity, err)
	}
	for _, n := range names {
		if strings.HasPrefix(n, o.prefix()) && !slices.Contains(keep, n) {
			if err := o.Ring.Delete(n); err != nil {
				return "", "", fmt.Errorf("keys of %s: %w", o.Identity, err)
			}
		}
	}
	key = o.prefix() + rand.Text()[:16]
	signer, err := o.Ring.Generate(key, elliptic.P256())
	if err != nil {
		return "", "", fmt.Errorf("keys of %s: %w", o.Identity, err)
	}
	subject := pkix.Name{CommonName: name}
	if organization != "" {
		subject.Organization = []string{organization}
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: subject}, signer)
	if err != nil {
		return "", "", fmt.Errorf("request a certificate for %s: %w", o.Identity, err)
	}
	return key, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})), nil
}

// Certificate joins a chain in PEM with its key.
func (o Own) Certificate(key, chain string) (tls.Certificate, error) {
	signer, err := o.Ring.Get(key)
	if err != nil {
		return tls.Certificate{}, err
	}
	cert := tls.Certificate{PrivateKey: signer}
	if cert.Certificate, err = blocks([]byte(chain)); err != nil {
		return cert, fmt.Errorf("certificate of %s: %w", o.Identity, err)
	}
	if cert.Leaf, err = x509.ParseCertificate(cert.Certificate[0]); err != nil {
		return cert, fmt.Errorf("certificate of %s: %w", o.Identity, err)
	}
	if pub, ok := cert.Leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !pub.Equal(signer.Public()) {
		return cert, fmt.Errorf("the private key %s does not belong to the certificate of %s", key, o.Identity)
	}
	return cert, nil
}
