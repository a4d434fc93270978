//go:build !pkcs11

package keyring_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/voltyard/voltyard/storage/keyring"
)

// The build without a C compiler says what is missing.
func TestBuildWithoutPKCS11SaysSo(t *testing.T) {
	if _, err := keyring.Open("pkcs11:/m.so?token=a&pin-file=/p"); !errors.Is(err, keyring.ErrUnsupported) || !strings.Contains(err.Error(), "-tags pkcs11") {
		t.Error(err)
	}
}
