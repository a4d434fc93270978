package tls

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/voltyard/voltyard/protocols/iso15118/pki"
	"github.com/voltyard/voltyard/protocols/iso15118/pki/testpki"
)

// libssl, told to send trusted_ca_keys, gets the chain of the root that it names and completes the session.
func TestLibsslGetsTheChainThatItTrusts(t *testing.T) {
	python := "/usr/bin/python3" // Debian's own, whose ctypes finds Debian's libssl
	if _, err := os.Stat(python); err != nil {
		python = program(t, "python3", "python3")
	}
	if out, ok := run(t, python, "-c", "import ctypes, ctypes.util; ctypes.CDLL(ctypes.util.find_library('ssl') or 'libssl.so.3').SSL_get1_peer_certificate"); !ok {
		t.Skipf("no libssl 3 for Python: %s", out)
	}
	e := start(t)
	host, port, err := net.SplitHostPort(e.addr)
	if err != nil {
		t.Fatal(err)
	}
	id := func(s *testpki.Set) string {
		h := sha1.Sum(s.Get(pki.V2GRoot).Cert.Raw)
		return hex.EncodeToString(h[:])
	}
	other := hex.EncodeToString(make([]byte, 20))
	for name, c := range map[string]struct {
		asks   []string
		ca     string
		want   *testpki.Set
		chosen bool
	}{
		"first":                  {[]string{id(e.first)}, "first.pem", e.first, true},
		"second":                 {[]string{id(e.second)}, "second.pem", e.second, true},
		"both, second preferred": {[]string{id(e.second), id(e.first)}, "second.pem", e.second, true},
		"unknown, then second":   {[]string{other, id(e.second)}, "second.pem", e.second, true},
		"unknown":                {[]string{other}, "first.pem", e.first, false},
		"nothing":                {nil, "first.pem", e.first, false},
	} {
		t.Run(name, func(t *testing.T) {
			out, ok := run(t, python, append([]string{"vehicle.py", host, port, e.file(c.ca)}, c.asks...)...)
			sum := sha256.Sum256(c.want.Get(pki.SECC).Cert.Raw)
			if want := "0 ECDHE-ECDSA-AES128-SHA256 " + hex.EncodeToString(sum[:]); !ok || strings.TrimSpace(out) != want {
				t.Errorf("%s\nwant %s", out, want)
			}
			if e.last().Chosen != c.chosen {
				t.Errorf("the server saw %+v", e.last())
			}
		})
	}
}
