package keyring

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// maxFile is the longest key file that is read.
const maxFile = 64 << 10

// dir is a folder of PEM files, NAME.key each.
type dir struct{ path string }

// OpenDir opens a folder of private keys in PEM files (PKCS#8, or SEC 1 as openssl ecparam writes it), NAME.key each. A file that
// others than its owner may read is refused. The folder is made when it is missing.
func OpenDir(path string) (Ring, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("keyring: open the folder of keys: %w", err)
	}
	return &dir{path}, nil
}

func (d *dir) file(name string) string { return filepath.Join(d.path, name+".key") }

func (d *dir) Get(name string) (crypto.Signer, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	return ReadFile(d.file(name))
}

// ReadFile reads one private key, ECDSA or RSA, from a PEM file that nobody but its owner may read.
func ReadFile(path string) (crypto.Signer, error) {
	data, err := readSecret(path)
	if err != nil {
		return nil, err
	}
	for {
		var b *pem.Block
		if b, data = pem.Decode(data); b == nil {
			return nil, fmt.Errorf("keyring: read %s: no private key in PEM form (PRIVATE KEY or EC PRIVATE KEY)", path)
		}
		var key any
		switch b.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(b.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(b.Bytes)
		case "ENCRYPTED PRIVATE KEY":
			return nil, fmt.Errorf("keyring: read %s: keys with a passphrase are %w; use a TPM or PKCS#11", path, ErrUnsupported)
		default:
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("keyring: read %s: %w", path, err)
		}
		switch k := key.(type) {
		case *ecdsa.PrivateKey:
			return k, nil
		case *rsa.PrivateKey: // stations of OCPP may know no other
			if k.N.BitLen() >= 2048 {
				return k, nil
			}
		}
		return nil, fmt.Errorf("keyring: read %s: this %T is %w; make an ECDSA key, or RSA with 2048 bits or more", path, key, ErrUnsupported)
	}
}

// readSecret reads a small file that nobody but its owner may read. The mode is that of the file that was opened, whatever the
// name points to later.
func readSecret(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe in its place must not stop the process
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("keyring: read %s: %w", path, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("keyring: %w", err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("keyring: read %s: it is no file", path)
	case info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("keyring: read %s: mode %#o: %w; chmod 600", path, info.Mode().Perm(), ErrPermission)
	case info.Size() > maxFile:
		return nil, fmt.Errorf("keyring: read %s: %d octets are no key", path, info.Size())
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return nil, fmt.Errorf("keyring: read %s: %w", path, err)
	}
	return data, nil
}

func (d *dir) Generate(name string, curve elliptic.Curve) (crypto.Signer, error) {
	if err := errors.Join(checkName(name), checkCurve(curve)); err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("keyring: make the key %s: %w", name, err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("keyring: make the key %s: %w", name, err)
	}
	if err := writeSecret(d.file(name), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})); err != nil {
		return nil, err
	}
	return key, nil
}

// writeSecret writes a new file that is there whole or not at all, after a power cut too.
func writeSecret(path string, data []byte) error {
	folder := filepath.Dir(path)
	f, err := os.CreateTemp(folder, ".new-*") // with mode 0600
	if err != nil {
		return fmt.Errorf("keyring: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("keyring: write %s: %w", path, err)
	}
	switch err := os.Link(f.Name(), path); { // unlike a rename it never replaces a key
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("keyring: write %s: %w", path, ErrExists)
	case err != nil:
		return fmt.Errorf("keyring: write %s: %w", path, err)
	}
	return syncDir(folder)
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("keyring: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("keyring: make %s durable: %w", path, err)
	}
	return nil
}

func (d *dir) Delete(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	return removeSecret(d.file(name))
}

func removeSecret(path string) error {
	switch err := os.Remove(path); {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("keyring: delete %s: %w", path, ErrNotFound)
	case err != nil:
		return fmt.Errorf("keyring: %w", err)
	}
	return syncDir(filepath.Dir(path))
}

func (d *dir) List() ([]string, error) { return listFiles(d.path, ".key") }

func listFiles(folder, suffix string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("keyring: list %s: %w", folder, err)
	}
	var out []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), suffix); ok && nameRule.MatchString(name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out, nil
}

func (d *dir) Close() error { return nil }
