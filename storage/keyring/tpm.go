package keyring

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"sync"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/google/go-tpm/tpm2/transport/linuxtpm"
	"github.com/google/go-tpm/tpm2/transport/linuxudstpm"
)

// tpm is a TPM 2.0 and a folder of keys that it has wrapped with its storage root key. The files are useless elsewhere.
type tpm struct {
	folder string

	mu   sync.Mutex
	dev  transport.TPMCloser
	root *tpm2.CreatePrimaryResponse
}

// OpenTPM opens a TPM 2.0 at a device such as /dev/tpmrm0, or at the socket of an emulator, and the folder of its wrapped keys.
func OpenTPM(device, folder string) (Ring, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("keyring: open the folder of the TPM's keys: %w", err)
	}
	open := linuxtpm.Open
	if info, err := os.Stat(device); err == nil && info.Mode()&os.ModeSocket != 0 {
		open = linuxudstpm.Open
	}
	dev, err := open(device)
	if err != nil {
		return nil, fmt.Errorf("keyring: open the TPM %s: %w; look whether the process may use it (group tss)", device, err)
	}
	// The root key follows from the TPM's seed and this template, so nothing has to be stored for it.
	root, err := tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(tpm2.ECCSRKTemplate)}.Execute(dev)
	if err != nil {
		_ = dev.Close()
		return nil, fmt.Errorf("keyring: make the storage root key of the TPM %s: %w", device, err)
	}
	return &tpm{folder: folder, dev: dev, root: root}, nil
}

var errClosed = errors.New("keyring: the ring is closed")

func (t *tpm) file(name string) string { return filepath.Join(t.folder, name+".tpm") }

func (t *tpm) parent() tpm2.AuthHandle {
	return tpm2.AuthHandle{Handle: t.root.ObjectHandle, Name: t.root.Name, Auth: tpm2.PasswordAuth(nil)}
}

// Types of the PEM blocks of a wrapped key.
const (
	pemPublic  = "TPM2 PUBLIC AREA"
	pemPrivate = "TPM2 WRAPPED PRIVATE AREA"
)

// tpmKey is a key in the TPM. It is loaded for every signature: a TPM has room for three.
type tpmKey struct {
	ring    *tpm
	name    string
	public  tpm2.TPM2BPublic
	private tpm2.TPM2BPrivate
	key     *ecdsa.PublicKey
}

func (t *tpm) Get(name string) (crypto.Signer, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	data, err := readSecret(t.file(name))
	if err != nil {
		return nil, err
	}
	k := &tpmKey{ring: t, name: name}
	for {
		var b *pem.Block
		if b, data = pem.Decode(data); b == nil {
			break
		}
		switch b.Type {
		case pemPublic:
			k.public = tpm2.BytesAs2B[tpm2.TPMTPublic](b.Bytes)
		case pemPrivate:
			k.private = tpm2.TPM2BPrivate{Buffer: b.Bytes}
		}
	}
	if k.key, err = publicKey(k.public); err != nil {
		return nil, fmt.Errorf("keyring: read %s: %w", t.file(name), err)
	}
	return k, nil
}

func publicKey(p tpm2.TPM2BPublic) (*ecdsa.PublicKey, error) {
	area, err := p.Contents()
	if err != nil {
		return nil, fmt.Errorf("public area: %w", err)
	}
	parms, err := area.Parameters.ECCDetail()
	if err != nil {
		return nil, fmt.Errorf("public area: %w", err)
	}
	point, err := area.Unique.ECC()
	if err != nil {
		return nil, fmt.Errorf("public area: %w", err)
	}
	return tpm2.ECDSAPub(parms, point)
}

func (t *tpm) Generate(name string, curve elliptic.Curve) (crypto.Signer, error) {
	if err := errors.Join(checkName(name), checkCurve(curve)); err != nil {
		return nil, err
	}
	if _, err := os.Lstat(t.file(name)); err == nil {
		return nil, fmt.Errorf("keyring: make the key %s: %w", name, ErrExists)
	}
	id := map[elliptic.Curve]tpm2.TPMECCCurve{elliptic.P256(): tpm2.TPMECCNistP256, elliptic.P384(): tpm2.TPMECCNistP384, elliptic.P521(): tpm2.TPMECCNistP521}[curve]
	template := tpm2.TPMTPublic{
		Type: tpm2.TPMAlgECC, NameAlg: tpm2.TPMAlgSHA256,
		ObjectAttributes: tpm2.TPMAObject{FixedTPM: true, FixedParent: true, SensitiveDataOrigin: true, UserWithAuth: true, NoDA: true, SignEncrypt: true},
		Parameters:       tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{CurveID: id}),
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.dev == nil {
		return nil, errClosed
	}
	made, err := tpm2.Create{ParentHandle: t.parent(), InPublic: tpm2.New2B(template)}.Execute(t.dev)
	if errors.Is(err, tpm2.TPMRCCurve) || errors.Is(err, tpm2.TPMRCValue) {
		return nil, fmt.Errorf("keyring: make the key %s: this TPM has no curve %s: %w", name, curve.Params().Name, ErrUnsupported)
	}
	if err != nil {
		return nil, fmt.Errorf("keyring: make the key %s in the TPM: %w", name, err)
	}
	k := &tpmKey{ring: t, name: name, public: made.OutPublic, private: made.OutPrivate}
	if k.key, err = publicKey(k.public); err != nil {
		return nil, fmt.Errorf("keyring: make the key %s in the TPM: %w", name, err)
	}
	data := pem.EncodeToMemory(&pem.Block{Type: pemPublic, Bytes: made.OutPublic.Bytes()})
	data = append(data, pem.EncodeToMemory(&pem.Block{Type: pemPrivate, Bytes: made.OutPrivate.Buffer})...)
	if err := writeSecret(t.file(name), data); err != nil {
		return nil, err
	}
	return k, nil
}

// Delete removes the wrapped key; without it the TPM has nothing.
func (t *tpm) Delete(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	return removeSecret(t.file(name))
}

func (t *tpm) List() ([]string, error) { return listFiles(t.folder, ".tpm") }

func (t *tpm) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.dev == nil {
		return nil
	}
	_, err := tpm2.FlushContext{FlushHandle: t.root.ObjectHandle}.Execute(t.dev)
	err = errors.Join(err, t.dev.Close())
	t.dev = nil
	if err != nil {
		return fmt.Errorf("keyring: close the TPM: %w", err)
	}
	return nil
}

// Public implements crypto.Signer.
func (k *tpmKey) Public() crypto.PublicKey { return k.key }

// Sign implements crypto.Signer; the randomness is the TPM's own.
func (k *tpmKey) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	algs := map[crypto.Hash]tpm2.TPMAlgID{crypto.SHA256: tpm2.TPMAlgSHA256, crypto.SHA384: tpm2.TPMAlgSHA384, crypto.SHA512: tpm2.TPMAlgSHA512}
	alg, ok := algs[opts.HashFunc()]
	if !ok || len(digest) != opts.HashFunc().Size() {
		return nil, fmt.Errorf("keyring: sign with %s: a digest of %d octets for the hash %v is %w", k.name, len(digest), opts.HashFunc(), ErrUnsupported)
	}
	t := k.ring
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.dev == nil {
		return nil, errClosed
	}
	loaded, err := tpm2.Load{ParentHandle: t.parent(), InPrivate: k.private, InPublic: k.public}.Execute(t.dev)
	if err != nil {
		return nil, fmt.Errorf("keyring: load %s into the TPM: %w; it must be the TPM that made the key", k.name, err)
	}
	defer func() { _, _ = tpm2.FlushContext{FlushHandle: loaded.ObjectHandle}.Execute(t.dev) }()
	got, err := tpm2.Sign{
		KeyHandle:  tpm2.NamedHandle{Handle: loaded.ObjectHandle, Name: loaded.Name},
		Digest:     tpm2.TPM2BDigest{Buffer: digest},
		InScheme:   tpm2.TPMTSigScheme{Scheme: tpm2.TPMAlgECDSA, Details: tpm2.NewTPMUSigScheme(tpm2.TPMAlgECDSA, &tpm2.TPMSSchemeHash{HashAlg: alg})},
		Validation: tpm2.TPMTTKHashCheck{Tag: tpm2.TPMSTHashCheck},
	}.Execute(t.dev)
	if err != nil {
		return nil, fmt.Errorf("keyring: sign with %s in the TPM: %w", k.name, err)
	}
	sig, err := got.Signature.Signature.ECDSA()
	if err != nil {
		return nil, fmt.Errorf("keyring: sign with %s in the TPM: %w", k.name, err)
	}
	return asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(sig.SignatureR.Buffer), new(big.Int).SetBytes(sig.SignatureS.Buffer)})
}
