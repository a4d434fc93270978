// Package keyring keeps private keys and hands them out as crypto.Signer: in files, in a PKCS#11 token or in a TPM 2.0. Those of
// the latter two never leave the device. Keys are ECDSA keys with names; files made elsewhere may hold RSA keys too.
//
//	ring, err := keyring.Open("file:/etc/voltyard/keys")
//	key, err := ring.Get("secc")
//
// PKCS#11 needs a C compiler and is left out unless built with `-tags pkcs11`. All kinds pass one conformance suite
// (keyringtest). Whoever serves TLS or signs calls it.
package keyring

import (
	"crypto"
	"crypto/elliptic"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// Errors that every kind of ring returns, wrapped.
var (
	// ErrNotFound means that there is no key of that name.
	ErrNotFound = errors.New("no such key")
	// ErrExists means that a key of that name is there already; it is never overwritten.
	ErrExists = errors.New("key exists already")
	// ErrName means a name that is not allowed.
	ErrName = errors.New("a name is 1 to 64 letters, digits, dots, hyphens or underscores, and begins with a letter or digit")
	// ErrUnsupported means what the device, or this build, cannot do.
	ErrUnsupported = errors.New("not supported")
	// ErrPermission means that a key lies open to others.
	ErrPermission = errors.New("private key is readable by others")
)

// Ring is a place of private keys. It may be used by many goroutines at once.
type Ring interface {
	// Get returns the key of that name. It is good until the ring is closed.
	Get(name string) (crypto.Signer, error)
	// Generate makes a key on P-256, P-384 or P-521.
	Generate(name string, curve elliptic.Curve) (crypto.Signer, error)
	// Delete destroys a key.
	Delete(name string) error
	// List returns the names in alphabetical order.
	List() ([]string, error)
	Close() error
}

var nameRule = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func checkName(name string) error {
	if !nameRule.MatchString(name) {
		return fmt.Errorf("keyring: %.80q: %w", name, ErrName)
	}
	return nil
}

func checkCurve(c elliptic.Curve) error {
	switch c {
	case elliptic.P256(), elliptic.P384(), elliptic.P521():
		return nil
	}
	return fmt.Errorf("keyring: curve: %w", ErrUnsupported)
}

// Place says where a ring is.
type Place struct {
	// Kind is file, tpm or pkcs11.
	Kind string
	// Path is the folder of key files, the TPM's device or socket, or the PKCS#11 module.
	Path string
	// Keys is the folder of a TPM's wrapped keys, which only that TPM can use.
	Keys string
	// Token is the label of the PKCS#11 token.
	Token string
	// PINFile is a file with the token's PIN. The PIN itself never stands in a configuration.
	PINFile string
}

// ParsePlace reads where a ring is:
//
//	file:/etc/voltyard/keys
//	tpm:/dev/tpmrm0?keys=/var/lib/voltyard/tpm
//	pkcs11:/usr/lib/softhsm/libsofthsm2.so?token=voltyard&pin-file=/run/credentials/pin
func ParsePlace(s string) (Place, error) {
	bad := func(why string) (Place, error) {
		return Place{}, fmt.Errorf("keyring: %.200q: %s; write file:DIR, tpm:DEVICE?keys=DIR or pkcs11:MODULE?token=LABEL&pin-file=FILE", s, why)
	}
	kind, rest, ok := strings.Cut(s, ":")
	if !ok {
		return bad("no kind")
	}
	path, query, _ := strings.Cut(rest, "?")
	p := Place{Kind: kind, Path: path}
	if path == "" {
		return bad("no path")
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return bad(err.Error())
	}
	for k, v := range values {
		switch {
		case len(v) > 1:
			return bad(k + " stands there twice")
		case kind == "tpm" && k == "keys":
			p.Keys = v[0]
		case kind == "pkcs11" && k == "token":
			p.Token = v[0]
		case kind == "pkcs11" && k == "pin-file":
			p.PINFile = v[0]
		default:
			return bad("unknown setting " + k)
		}
	}
	switch {
	case kind != "file" && kind != "tpm" && kind != "pkcs11":
		return bad("unknown kind " + kind)
	case kind == "tpm" && p.Keys == "":
		return bad("keys is missing")
	case kind == "pkcs11" && (p.Token == "" || p.PINFile == ""):
		return bad("token or pin-file is missing")
	}
	return p, nil
}

// Open opens the ring at a place that ParsePlace reads.
func Open(place string) (Ring, error) {
	p, err := ParsePlace(place)
	if err != nil {
		return nil, err
	}
	switch p.Kind {
	case "tpm":
		return OpenTPM(p.Path, p.Keys)
	case "pkcs11":
		return OpenPKCS11(p)
	}
	return OpenDir(p.Path)
}
