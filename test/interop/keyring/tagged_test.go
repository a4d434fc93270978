//go:build !pkcs11

package keyring

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The test of PKCS#11 needs another build of this package: it is made and run here, so that a plain `go test` proves it too.
func TestPKCS11(t *testing.T) {
	if _, err := exec.LookPath("softhsm2-util"); err != nil {
		t.Skip("SoftHSM2 is not installed (Debian: apt-get install softhsm2)")
	}
	if _, err := exec.LookPath("cc"); err != nil {
		if _, err := exec.LookPath("gcc"); err != nil {
			t.Skip("PKCS#11 needs a C compiler, and there is none")
		}
	}
	cmd := exec.Command("go", "test", "-count=1", "-tags", "pkcs11", "-run", "^TestSoftHSM$", "-v", ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(string(out), "--- PASS: TestSoftHSM") {
		t.Skipf("skipped:\n%s", out)
	}
}
