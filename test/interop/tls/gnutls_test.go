package tls

import (
	"net"
	"testing"
)

func TestGnuTLS(t *testing.T) {
	gnutls, e := program(t, "gnutls-cli", "gnutls-bin"), start(t)
	host, port, err := net.SplitHostPort(e.addr)
	if err != nil {
		t.Fatal(err)
	}
	out, ok := run(t, gnutls, "--port", port, "--x509cafile", e.file("first.pem"), "--no-ca-verification", "--ocsp",
		"--priority", "NONE:+VERS-TLS1.2:+ECDHE-ECDSA:+AES-128-CBC:+SHA256:+GROUP-SECP256R1:+SIGN-ECDSA-SECP256R1-SHA256:+SIGN-ECDSA-SHA256:+COMP-NULL:+CTYPE-X509", host)
	if !ok {
		t.Fatalf("gnutls-cli failed:\n%s", out)
	}
	contains(t, out, "(ECDHE-SECP256R1)-(ECDSA-SHA256)-(AES-128-CBC)-(SHA256)", "Description: (TLS1.2", "Handshake was completed")
	if !e.last().Stapled {
		t.Errorf("the server saw %+v", e.last())
	}
}
