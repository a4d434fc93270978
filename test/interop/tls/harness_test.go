package tls

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/voltyard/voltyard/actors/kit/v2gtls"
	"github.com/voltyard/voltyard/protocols/iso15118/pki"
	"github.com/voltyard/voltyard/protocols/iso15118/pki/testpki"
)

// evse is a server of vehicles on loopback with the chains of two roots.
type evse struct {
	addr          string
	first, second *testpki.Set
	dir           string // holds first.pem, second.pem: the roots

	mu    sync.Mutex
	infos []v2gtls.Info
}

func start(t *testing.T) *evse {
	t.Helper()
	e := &evse{dir: t.TempDir()}
	var list []v2gtls.Identity
	for _, n := range []struct {
		name string
		set  **testpki.Set
	}{{"first", &e.first}, {"second", &e.second}} {
		set, err := testpki.New(pki.ISO2, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		*n.set = set
		secc := set.Get(pki.SECC)
		ocsp, err := secc.OCSP(time.Now().Add(-time.Minute), false)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, v2gtls.Identity{Chain: secc.Chain(), Key: secc.Key, Root: secc.Root().Cert, OCSP: ocsp})
		if err := os.WriteFile(filepath.Join(e.dir, n.name+".pem"), secc.Root().CertPEM(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	server, err := v2gtls.NewServer(v2gtls.Config{Identities: list})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e.addr = l.Addr().String()
	var all sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				conn, info, err := server.Handshake(ctx, c)
				if err != nil {
					t.Logf("server: %v", err)
					return
				}
				e.mu.Lock()
				e.infos = append(e.infos, info)
				e.mu.Unlock()
				stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
				defer stop()
				b := make([]byte, 64)
				for {
					n, err := conn.Read(b)
					if err != nil {
						_ = conn.Close()
						return
					}
					_, _ = conn.Write(b[:n])
				}
			})
		}
	})
	t.Cleanup(func() {
		cancel()
		_ = l.Close()
		all.Wait()
	})
	return e
}

// last is what the server saw in the latest handshake.
func (e *evse) last() v2gtls.Info {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.infos) == 0 {
		return v2gtls.Info{}
	}
	return e.infos[len(e.infos)-1]
}

func (e *evse) file(name string) string { return filepath.Join(e.dir, name) }

// program finds a program or skips.
func program(t *testing.T, name, debian string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed (Debian: apt-get install %s)", name, debian)
	}
	return path
}

// run runs a program with a line on its standard input and returns all that it says, and whether it succeeded.
func run(t *testing.T, name string, args ...string) (string, bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = strings.NewReader("Q\n")
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}

func contains(t *testing.T, out string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(out, w) {
			t.Errorf("it does not say %q:\n%s", w, out)
		}
	}
}
