package tls

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/voltyard/voltyard/protocols/iso15118/pki/testpki"
)

func TestOpenSSLShowsSuiteChainAndStaple(t *testing.T) {
	openssl, e := program(t, "openssl", "openssl"), start(t)
	out, ok := run(t, openssl, "s_client", "-connect", e.addr, "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256", "-curves", "P-256",
		"-CAfile", e.file("first.pem"), "-verify_return_error", "-status", "-showcerts")
	if !ok {
		t.Fatalf("s_client failed:\n%s", out)
	}
	contains(t, out, "Protocol  : TLSv1.2", "Cipher    : ECDHE-ECDSA-AES128-SHA256", "Server Temp Key: ECDH, prime256v1", "Peer signing digest: SHA256",
		"OCSP Response Status: successful", "Cert Status: good", "Verify return code: 0 (ok)", "CN = "+testpki.SECCID, "CN = CPO sub-CA 2", "CN = CPO sub-CA 1")
	if i := e.last(); !i.Stapled || i.Resumed {
		t.Errorf("the server saw %+v", i)
	}
}

func TestOpenSSLResumes(t *testing.T) {
	openssl, e := program(t, "openssl", "openssl"), start(t)
	args := []string{"s_client", "-connect", e.addr, "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256", "-CAfile", e.file("first.pem")}
	session := e.file("session")
	if out, ok := run(t, openssl, append(args, "-sess_out", session)...); !ok || !strings.Contains(out, "New, ") {
		t.Fatalf("s_client failed:\n%s", out)
	}
	out, ok := run(t, openssl, append(args, "-sess_in", session)...)
	if !ok || !strings.Contains(out, "Reused, TLSv1.2") || !e.last().Resumed {
		t.Errorf("the session was not resumed:\n%s", out)
	}
}

// Nothing but the profile of the standard is served.
func TestOpenSSLIsRefusedAnythingElse(t *testing.T) {
	openssl, e := program(t, "openssl", "openssl"), start(t)
	for name, args := range map[string][]string{
		"TLS 1.3":     {"-tls1_3"},
		"TLS 1.1":     {"-tls1_1", "-cipher", "ALL:@SECLEVEL=0"},
		"GCM":         {"-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"},
		"CBC SHA-1":   {"-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"},
		"P-384 alone": {"-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256", "-curves", "P-384"},
	} {
		if out, ok := run(t, openssl, append([]string{"s_client", "-connect", e.addr}, args...)...); ok {
			t.Errorf("%s is served:\n%s", name, out)
		}
	}
}

// The certificates that `voltyard pki init` writes are those that openssl wants to see.
func TestOpenSSLReadsTheTestPKI(t *testing.T) {
	openssl := program(t, "openssl", "openssl")
	dir := t.TempDir()
	files, err := testpki.Files(time.Now(), "voltyard", []string{"CS001"})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		path := filepath.Join(dir, f.Path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ set, root, leaf string }{
		{testpki.DirISO2, "v2g-root", "secc"}, {testpki.DirISO2, "v2g-root", "cps"}, {testpki.DirISO2, "mo-root", "contract"},
		{testpki.DirISO2, "oem-root", "oem-provisioning"}, {testpki.DirISO20, "v2g-root", "secc"}, {testpki.DirISO20, "oem-root", "vehicle"},
		{testpki.DirISO20, "mo-root", "contract"}, {testpki.DirOCPP, "ocpp-root", "csms"}, {testpki.DirOCPP, "ocpp-root", "station-CS001"},
	} {
		at := func(name string) string { return filepath.Join(dir, c.set, name) }
		out, ok := run(t, openssl, "verify", "-x509_strict", "-CAfile", at(c.root+".pem"), "-untrusted", at(c.leaf+"-chain.pem"), at(c.leaf+".pem"))
		if !ok {
			t.Errorf("%s/%s: %s", c.set, c.leaf, out)
		}
		if out, ok := run(t, openssl, "pkey", "-in", at(c.leaf+".key"), "-noout", "-check"); !ok {
			t.Errorf("%s/%s: %s", c.set, c.leaf, out)
		}
		if c.set != testpki.DirISO2 || c.leaf != "secc" {
			continue
		}
		out, ok = run(t, openssl, "ocsp", "-respin", at("secc.ocsp"), "-sha256", "-issuer", at("cpo-sub2.pem"), "-cert", at("secc.pem"), "-CAfile", at("v2g-root.pem"),
			"-verify_other", at("secc-chain.pem"))
		if !ok || !strings.Contains(out, "Response verify OK") || !strings.Contains(out, "secc.pem: good") {
			t.Errorf("OCSP response: %s", out)
		}
	}
}
