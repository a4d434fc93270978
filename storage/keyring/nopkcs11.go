//go:build !pkcs11

package keyring

import "fmt"

// OpenPKCS11 opens a token through its module; this build cannot.
func OpenPKCS11(p Place) (Ring, error) {
	return nil, fmt.Errorf("keyring: open the token %s: PKCS#11 is %w in this build; build with CGO_ENABLED=1 and -tags pkcs11", p.Token, ErrUnsupported)
}
