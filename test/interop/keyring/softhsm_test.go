//go:build pkcs11

package keyring

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/voltyard/voltyard/storage/keyring"
)

// Where Debian and others install the module.
var modules = []string{"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so", "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so"}

func TestSoftHSM(t *testing.T) {
	util, err := exec.LookPath("softhsm2-util")
	if err != nil {
		t.Skip("SoftHSM2 is not installed (Debian: apt-get install softhsm2)")
	}
	module := ""
	for _, m := range modules {
		if _, err := os.Stat(m); err == nil {
			module = m
			break
		}
	}
	if module == "" {
		t.Skip("SoftHSM2 is installed but its module is not where it is looked for:", modules)
	}
	dir := t.TempDir()
	conf, tokens, pin := filepath.Join(dir, "softhsm2.conf"), filepath.Join(dir, "tokens"), filepath.Join(dir, "pin")
	for _, err := range []error{
		os.Mkdir(tokens, 0o700),
		os.WriteFile(conf, fmt.Appendf(nil, "directories.tokendir = %s\nobjectstore.backend = file\n", tokens), 0o600),
		os.WriteFile(pin, []byte("1234\n"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("SOFTHSM2_CONF", conf)
	if out, err := exec.Command(util, "--init-token", "--free", "--label", "voltyard", "--so-pin", "5678", "--pin", "1234").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	prove(t, func(t *testing.T) keyring.Ring {
		r, err := keyring.Open("pkcs11:" + module + "?token=voltyard&pin-file=" + pin)
		if err != nil {
			t.Fatal(err)
		}
		return r
	})
	if err := os.WriteFile(pin, []byte("4321\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err := keyring.Open("pkcs11:" + module + "?token=voltyard&pin-file=" + pin); err == nil {
		_ = r.Close()
		t.Error("a wrong PIN opens the token")
	}
}
