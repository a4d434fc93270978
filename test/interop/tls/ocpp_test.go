package tls

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The product, with certificates that it has made itself, serves stations under security profiles 2 and 3 with the suites that
// OCPP demands (2.0.1 part 2, A00.FR.318 and 421).
func TestOpenSSLShowsTheSuitesOfOCPP(t *testing.T) {
	openssl := program(t, "openssl", "openssl")
	dir := t.TempDir()
	voltyard := filepath.Join(dir, "voltyard")
	build := exec.Command("go", "build", "-o", voltyard, "./cmd/voltyard")
	build.Dir = filepath.Join("..", "..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	certs := filepath.Join(dir, "certs")
	if out, ok := run(t, voltyard, "pki", "init", "--station", "CS001", certs); !ok {
		t.Fatal(out)
	}
	rsa := filepath.Join(dir, "rsa")
	if out, ok := run(t, openssl, "req", "-x509", "-newkey", "rsa:2048", "-noenc", "-subj", "/O=test/CN=localhost", "-days", "2", "-keyout", rsa+".key", "-out", rsa+".pem"); !ok {
		t.Fatal(out)
	}
	if err := os.Chmod(rsa+".key", 0o600); err != nil {
		t.Fatal(err)
	}
	var ports []string
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ports = append(ports, l.Addr().String())
		defer l.Close()
		_ = l.Close()
	}
	site := filepath.Join(dir, "site.yaml")
	if err := os.WriteFile(site, fmt.Appendf(nil, `site: {id: x}
nodes: [{id: root, fuse_a: 63}]
csms: {url: "wss://%s/ocpp", ca_file: certs/ocpp/ocpp-root.pem, cert_file: certs/ocpp/controller.pem, key_file: certs/ocpp/controller.key}
stations:
  list: [{id: CS001, node: root, max_a: 16}]
  listeners:
    - listen: "%s"
      profile: 2
      certificates: [{cert_file: certs/ocpp/controller.pem, key_file: certs/ocpp/controller.key}, {cert_file: rsa.pem, key_file: rsa.key}]
    - listen: "%s"
      profile: 3
      certificates: [{cert_file: certs/ocpp/controller.pem, key_file: certs/ocpp/controller.key}]
      client_ca_file: certs/ocpp/ocpp-root.pem
http: {listen: "127.0.0.1:0"}
storage: {dir: data}
`, ports[0], ports[1], ports[2]), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(voltyard, "run", "-c", site)
	cmd.Dir = dir
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	for _, at := range ports[1:] {
		for until := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			if c, err := net.Dial("tcp", at); err == nil {
				_ = c.Close()
				break
			}
			if time.Now().After(until) {
				t.Fatal("nobody listens at", at)
			}
		}
	}

	client := func(at string, args ...string) (string, bool) {
		return run(t, openssl, append([]string{"s_client", "-connect", at, "-CAfile", filepath.Join(certs, "ocpp", "ocpp-root.pem")}, args...)...)
	}
	for _, suite := range []string{"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "AES128-GCM-SHA256", "AES256-GCM-SHA384"} {
		out, ok := client(ports[1], "-tls1_2", "-cipher", suite)
		if !ok || !strings.Contains(out, "Cipher is "+suite) {
			t.Errorf("%s:\n%s", suite, out)
		}
	}
	if out, ok := client(ports[1], "-tls1_3", "-verify_return_error", "-verify_hostname", "localhost"); !ok || !strings.Contains(out, "TLSv1.3, Cipher is TLS_AES_") || !strings.Contains(out, "Verification: OK") {
		t.Errorf("TLS 1.3:\n%s", out)
	}
	for name, args := range map[string][]string{
		"TLS 1.1": {"-tls1_1", "-cipher", "ALL:@SECLEVEL=0"},
		"CBC":     {"-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"},
		"CHACHA":  {"-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"},
	} {
		if out, ok := client(ports[1], args...); ok {
			t.Errorf("%s is served:\n%s", name, out)
		}
	}
	station := filepath.Join(certs, "ocpp", "station-CS001")
	own := []string{"-tls1_2", "-cert", station + ".pem", "-key", station + ".key"}
	if out, ok := client(ports[2], own...); !ok || !strings.Contains(out, "Cipher is ECDHE-ECDSA-AES128-GCM-SHA256") && !strings.Contains(out, "Cipher is ECDHE-ECDSA-AES256-GCM-SHA384") {
		t.Errorf("profile 3:\n%s", out)
	}
	if out, ok := client(ports[2], "-tls1_2"); ok {
		t.Errorf("profile 3 without a certificate is served:\n%s", out)
	}
}
