package main

import (
	"crypto/tls"
	"crypto/x509"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/voltyard/voltyard/protocols/iso15118/pki"
)

// Every key fits its certificate, every leaf chains to its root, and keys are for their owner alone.
func TestPKIInit(t *testing.T) {
	now := time.Now()
	dir := filepath.Join(t.TempDir(), "certs")
	n, err := pkiInit(dir, now, "LC1", []string{"CS1"})
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		seen++
		info, err := d.Info()
		if err != nil {
			return err
		}
		base, secret := strings.CutSuffix(path, ".key")
		if secret != (info.Mode().Perm() == 0o600) {
			t.Errorf("%s has mode %v", path, info.Mode().Perm())
		}
		if secret {
			if _, err := tls.LoadX509KeyPair(base+".pem", path); err != nil {
				t.Error(err)
			}
		}
		return nil
	})
	if err != nil || seen != n {
		t.Fatalf("%d files, said %d, %v", seen, n, err)
	}
	read := func(name string) [][]byte {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		certs, err := pki.ParsePEM(data)
		if err != nil {
			t.Fatal(err)
		}
		var out [][]byte
		for _, c := range certs {
			out = append(out, c.Raw)
		}
		return out
	}
	for sub, ed := range map[string]pki.Edition{"iso15118-2": pki.ISO2, "iso15118-20": pki.ISO20} {
		var trust pki.Trust
		for name, roots := range map[string]*[]*x509.Certificate{"v2g-root": &trust.V2G, "mo-root": &trust.MO, "oem-root": &trust.OEM} {
			data, err := os.ReadFile(filepath.Join(dir, sub, name+".pem"))
			if err != nil {
				t.Fatal(err)
			}
			if *roots, err = pki.ParsePEM(data); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := trust.SECC(now, ed, read(sub+"/secc-chain.pem")); err != nil {
			t.Error(err)
		}
		if _, err := trust.Contract(now, ed, read(sub+"/contract-chain.pem")); err != nil {
			t.Error(err)
		}
		if _, err := trust.CPS(now, ed, read(sub+"/cps-chain.pem")); err != nil {
			t.Error(err)
		}
		if _, err := trust.Vehicle(now, ed, read(sub+"/vehicle-chain.pem")); err != nil {
			t.Error(err)
		}
		if _, err := trust.Provisioning(now, ed, read(sub+"/oem-provisioning-chain.pem")); err != nil {
			t.Error(err)
		}
	}
}
