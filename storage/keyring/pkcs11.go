//go:build pkcs11

package keyring

import (
	"bytes"
	"crypto"
	"crypto/elliptic"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ThalesGroup/crypto11"
)

// token is a PKCS#11 token. A key's label and id are its name.
type token struct {
	mu  sync.Mutex // between looking for a name and making it
	ctx *crypto11.Context
}

// OpenPKCS11 opens a token through its module.
func OpenPKCS11(p Place) (Ring, error) {
	pin, err := readSecret(p.PINFile)
	if err != nil {
		return nil, fmt.Errorf("keyring: PIN of the token %s: %w", p.Token, err)
	}
	ctx, err := crypto11.Configure(&crypto11.Config{Path: p.Path, TokenLabel: p.Token, Pin: string(bytes.TrimSpace(pin)), PoolWaitTimeout: 10 * time.Second})
	if err != nil {
		return nil, fmt.Errorf("keyring: open the token %s with %s: %w; look whether the process may read the token and the PIN is right", p.Token, p.Path, err)
	}
	return &token{ctx: ctx}, nil
}

func (t *token) Get(name string) (crypto.Signer, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	return t.find(name)
}

func (t *token) find(name string) (crypto11.Signer, error) {
	list, err := t.ctx.FindKeyPairs([]byte(name), []byte(name))
	switch {
	case err != nil:
		return nil, fmt.Errorf("keyring: look for the key %s in the token: %w", name, err)
	case len(list) == 0:
		return nil, fmt.Errorf("keyring: look for the key %s in the token: %w", name, ErrNotFound)
	case len(list) > 1:
		return nil, fmt.Errorf("keyring: the token has %d keys of the name %s; delete all but one", len(list), name)
	}
	return list[0], nil
}

func (t *token) Generate(name string, curve elliptic.Curve) (crypto.Signer, error) {
	if err := errors.Join(checkName(name), checkCurve(curve)); err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch _, err := t.find(name); {
	case err == nil:
		return nil, fmt.Errorf("keyring: make the key %s: %w", name, ErrExists)
	case !errors.Is(err, ErrNotFound):
		return nil, err
	}
	key, err := t.ctx.GenerateECDSAKeyPairWithLabel([]byte(name), []byte(name), curve)
	if err != nil {
		return nil, fmt.Errorf("keyring: make the key %s in the token: %w", name, err)
	}
	return key, nil
}

func (t *token) Delete(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	key, err := t.find(name)
	if err != nil {
		return err
	}
	if err := key.Delete(); err != nil {
		return fmt.Errorf("keyring: delete the key %s in the token: %w", name, err)
	}
	return nil
}

func (t *token) List() ([]string, error) {
	keys, err := t.ctx.FindAllKeyPairs()
	if err != nil {
		return nil, fmt.Errorf("keyring: list the keys of the token: %w", err)
	}
	var out []string
	for _, k := range keys {
		a, err := t.ctx.GetAttribute(k, crypto11.CkaLabel)
		if err != nil {
			return nil, fmt.Errorf("keyring: list the keys of the token: %w", err)
		}
		if name := string(a.Value); nameRule.MatchString(name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out, nil
}

func (t *token) Close() error {
	if err := t.ctx.Close(); err != nil {
		return fmt.Errorf("keyring: close the token: %w", err)
	}
	return nil
}
