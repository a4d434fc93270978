package keyring

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/voltyard/voltyard/storage/keyring"
)

func TestSwtpm(t *testing.T) {
	binary, err := exec.LookPath("swtpm")
	if err != nil {
		t.Skip("swtpm is not installed (Debian: apt-get install swtpm)")
	}
	dir, err := os.MkdirTemp("", "swtpm") // a socket's path has to be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "sock")
	cmd := exec.Command(binary, "socket", "--tpm2", "--tpmstate", "dir="+dir, "--server", "type=unixio,path="+socket, "--flags", "not-need-init,startup-clear")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(said.String())
		}
	})
	for until := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(socket); err == nil {
			break
		}
		if time.Now().After(until) {
			t.Fatal("swtpm does not come up")
		}
	}
	keys := filepath.Join(dir, "keys")
	prove(t, func(t *testing.T) keyring.Ring {
		r, err := keyring.Open("tpm:" + socket + "?keys=" + keys)
		if err != nil {
			t.Fatal(err)
		}
		return r
	})
}
