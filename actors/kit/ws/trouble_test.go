package ws

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/voltyard/voltyard/protocols/iso15118/pki/testpki"
)

// Every way in which a connection to a CSMS fails has its name in OCPP's list of security events.
func TestSecurityEventsOfConnecting(t *testing.T) {
	o, err := testpki.NewOCPP(time.Now(), "LC")
	if err != nil {
		t.Fatal(err)
	}
	other, err := testpki.NewOCPP(time.Now(), "LC")
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(o.Root.Cert)
	for _, c := range []struct {
		want   string
		server func(*tls.Config)
		status int
	}{
		{want: "InvalidCsmsCertificate", server: func(c *tls.Config) { c.Certificates = []tls.Certificate{other.CSMS.TLS()} }},
		{want: "InvalidTLSVersion", server: func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }},
		{want: "InvalidTLSCipherSuite", server: func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA}
		}},
		{want: "FailedToAuthenticateAtCsms", server: func(c *tls.Config) { c.ClientAuth = tls.RequireAndVerifyClientCert }},
		{want: "FailedToAuthenticateAtCsms", status: http.StatusUnauthorized},
		{want: "FailedToAuthenticateAtCsms", status: http.StatusForbidden},
		{want: "", status: http.StatusNotFound},
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		cfg := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{o.CSMS.TLS()}}
		if c.server != nil {
			c.server(cfg)
		}
		s := &Server{Path: "/", TLS: cfg, Judge: func(context.Context, Visitor) Verdict { return Verdict{Status: c.status} }}
		go func() { _ = s.Serve(l) }()
		_, err = Dial(t.Context(), Target{URL: "wss://" + l.Addr().String(), Identity: "CS", TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12,
			CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}}})
		if err == nil {
			t.Fatal("connected")
		}
		if got := SecurityEvent(err); got != c.want {
			t.Errorf("%q, want %q: %v", got, c.want, err)
		}
		s.Shutdown()
	}
}
