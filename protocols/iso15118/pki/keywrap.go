package pki

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"fmt"
	"io"
)

// The key wrap of ISO 15118-2 (7.9.2.4.3): an ephemeral and a static P-256 key agree on a secret, from which the key for
// AES-128-CBC is derived. The plain text is the private key's scalar, 32 octets, so that there is no padding; the initialisation
// vector goes before the cipher text.
const (
	scalarLen  = 32
	wrappedLen = aes.BlockSize + scalarLen
)

// otherInfo is the algorithm identifier 0x01, the sender "U" and the receiver "V" ([V2G2-818]).
var otherInfo = []byte{0x01, 'U', 'V'}

// deriveISO2 is the concatenation KDF of NIST SP 800-56A with SHA-256; one block of it is more than the key needs.
func deriveISO2(z []byte) []byte {
	h := sha256.New()
	h.Write([]byte{0, 0, 0, 1})
	h.Write(z)
	h.Write(otherInfo)
	return h.Sum(nil)[:16]
}

// WrapISO2 encrypts the private key of a contract for whoever has the private key of to: that of the provisioning certificate,
// or of the contract certificate that is to be replaced. It returns the contents of DHpublickey (65 octets) and of
// ContractSignatureEncryptedPrivateKey (48 octets).
func WrapISO2(rand io.Reader, to *ecdsa.PublicKey, contract *ecdsa.PrivateKey) (dh, wrapped []byte, err error) {
	if contract.Curve != elliptic.P256() {
		return nil, nil, fmt.Errorf("pki: wrapping a contract key: ISO 15118-2 wants a P-256 key, not %s", contract.Curve.Params().Name)
	}
	peer, err := to.ECDH()
	if err != nil || peer.Curve() != ecdh.P256() {
		return nil, nil, fmt.Errorf("pki: wrapping a contract key: the receiver's key is not on P-256 (%w)", err)
	}
	scalar, err := contract.Bytes()
	if err != nil {
		return nil, nil, fmt.Errorf("pki: wrapping a contract key: %w", err)
	}
	ephemeral, err := newKey(rand)
	if err != nil {
		return nil, nil, err
	}
	block, err := sharedCipher(ephemeral, peer)
	if err != nil {
		return nil, nil, err
	}
	wrapped = make([]byte, wrappedLen)
	if _, err := io.ReadFull(rand, wrapped[:aes.BlockSize]); err != nil {
		return nil, nil, fmt.Errorf("pki: randomness for an initialisation vector: %w", err)
	}
	cipher.NewCBCEncrypter(block, wrapped[:aes.BlockSize]).CryptBlocks(wrapped[aes.BlockSize:], scalar)
	return ephemeral.PublicKey().Bytes(), wrapped, nil
}

// newKey makes an ephemeral key from the given randomness alone.
func newKey(rand io.Reader) (*ecdh.PrivateKey, error) {
	var b [scalarLen]byte
	for range 16 { // a scalar above the order of the group, or zero, is about one in 2^32
		if _, err := io.ReadFull(rand, b[:]); err != nil {
			return nil, fmt.Errorf("pki: randomness for an ephemeral key: %w", err)
		}
		if k, err := ecdh.P256().NewPrivateKey(b[:]); err == nil {
			return k, nil
		}
	}
	return nil, fmt.Errorf("pki: the source of randomness gives no usable keys")
}

func sharedCipher(k *ecdh.PrivateKey, peer *ecdh.PublicKey) (cipher.Block, error) {
	z, err := k.ECDH(peer)
	if err != nil {
		return nil, refuse(ErrWrap, nil, "key agreement: %v", err)
	}
	return aes.NewCipher(deriveISO2(z))
}

// UnwrapISO2 opens what WrapISO2 made, and checks that the private key belongs to the contract's public key ([V2G2-823]); without
// that check a changed cipher text would go unnoticed. The error is an *Error.
func UnwrapISO2(own *ecdsa.PrivateKey, dh, wrapped []byte, contract *ecdsa.PublicKey) (*ecdsa.PrivateKey, error) {
	k, err := own.ECDH()
	if err != nil || k.Curve() != ecdh.P256() {
		return nil, refuse(ErrKey, nil, "the own key is not on P-256")
	}
	if len(wrapped) != wrappedLen {
		return nil, refuse(ErrWrap, nil, "%d octets, want %d", len(wrapped), wrappedLen)
	}
	peer, err := ecdh.P256().NewPublicKey(dh)
	if err != nil {
		return nil, refuse(ErrWrap, nil, "Diffie-Hellman public key: %v", err)
	}
	block, err := sharedCipher(k, peer)
	if err != nil {
		return nil, err
	}
	scalar := make([]byte, scalarLen)
	cipher.NewCBCDecrypter(block, wrapped[:aes.BlockSize]).CryptBlocks(scalar, wrapped[aes.BlockSize:])
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar)
	if err != nil {
		return nil, refuse(ErrWrap, nil, "what it holds is no private key")
	}
	if !key.PublicKey.Equal(contract) {
		return nil, refuse(ErrWrap, nil, "the private key does not belong to the contract certificate")
	}
	return key, nil
}
