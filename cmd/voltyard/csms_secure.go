package main

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/voltyard/voltyard/actors/kit/tlsfile"
	"github.com/voltyard/voltyard/actors/kit/ws"
	"github.com/voltyard/voltyard/actors/sim/csms"
	"github.com/voltyard/voltyard/configs"
	"github.com/voltyard/voltyard/protocols/iso15118/pki"
	"github.com/voltyard/voltyard/protocols/iso15118/pki/testpki"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// secure gives the CSMS its security profile (OCPP 2.0.1 part 2, A00). told hears of changed files that cannot be used.
func (f *csmsFlags) secure(cfg *csms.Config, told func(error)) error {
	if len(f.certs) != len(f.keys) {
		return errors.New("--cert-file and --key-file go together: as many keys as certificates")
	}
	if len(f.certs) == 0 && f.clients != "" {
		return errors.New("--client-ca-file is for TLS: --cert-file and --key-file are needed too")
	}
	if f.clients != "" && (f.password != "" || len(f.passwords) > 0) {
		return errors.New("with --client-ca-file stations show certificates and no passwords (security profile 3)")
	}
	if len(f.certs) > 0 {
		files := tlsfile.ServerFiles{ClientCA: f.clients}
		for i, c := range f.certs {
			files.Pairs = append(files.Pairs, tlsfile.Pair{Cert: c, Key: f.keys[i]})
		}
		server, err := tlsfile.NewServer(files, func(err error) {
			if err != nil {
				told(err)
			}
		})
		if err != nil {
			return err
		}
		cfg.TLS = server.Config()
	}
	if err := f.admit(cfg); err != nil {
		return err
	}
	if f.sign != "" {
		a, err := openAuthority(f.sign)
		if err != nil {
			return err
		}
		cfg.Sign = a
	}
	return nil
}

// admit has stations show their passwords.
func (f *csmsFlags) admit(cfg *csms.Config) error {
	all, err := configs.Secret(f.password)
	if err != nil {
		return err
	}
	if len(f.passwords) == 0 {
		cfg.Password = all
		return nil
	}
	by := map[string]string{}
	for id, file := range f.passwords {
		if by[id], err = configs.Secret(file); err != nil {
			return err
		}
	}
	cfg.Admit = func(v ws.Visitor) int {
		want, own := by[v.Identity]
		if !own {
			want = all
		}
		if want != "" && (v.User != v.Identity || v.Pass != want) || own && want == "" {
			return http.StatusUnauthorized
		}
		return 0
	}
	return nil
}

// authority issues certificates with the CAs of a folder of voltyard pki init.
type authority struct {
	ocpp *testpki.Entity // towards the CSMS
	v2g  *testpki.Entity // towards vehicles of ISO 15118-2
}

func openAuthority(dir string) (*authority, error) {
	load := func(name string, issuer *testpki.Entity) (*testpki.Entity, error) {
		base := filepath.Join(dir, filepath.FromSlash(name))
		c, err := tlsfile.Load(tlsfile.Pair{Cert: base + ".pem", Key: base + ".key"})
		if err != nil {
			return nil, fmt.Errorf("--sign-with: %w; make the folder with voltyard pki init", err)
		}
		key, ok := c.PrivateKey.(*ecdsa.PrivateKey)
		if !ok {
			return nil, fmt.Errorf("--sign-with: %s.key is no ECDSA key; make the folder with voltyard pki init", base)
		}
		return &testpki.Entity{Name: name, Cert: c.Leaf, Key: key, Issuer: issuer}, nil
	}
	a := &authority{}
	var err error
	if a.ocpp, err = load(testpki.DirOCPP+"/ocpp-root", nil); err != nil {
		return nil, err
	}
	for _, name := range []string{"v2g-root", "cpo-sub1", "cpo-sub2"} {
		if a.v2g, err = load(testpki.DirISO2+"/"+name, a.v2g); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// Sign issues a certificate with the name of the request, once the request has proven that its sender has the key.
func (a *authority) Sign(now time.Time, use v201.CertificateSigningUseEnum, csr string) (string, error) {
	b, _ := pem.Decode([]byte(csr))
	if b == nil {
		return "", errors.New("the request for a certificate is not in PEM form")
	}
	q, err := x509.ParseCertificateRequest(b.Bytes)
	if err != nil {
		return "", fmt.Errorf("the request for a certificate: %w", err)
	}
	if err := q.CheckSignature(); err != nil {
		return "", fmt.Errorf("the request for a certificate: %w", err)
	}
	issuer, sub := a.ocpp, testpki.Subject{Name: "station", CommonName: q.Subject.CommonName, Profile: testpki.OCPPLeaf,
		ExtUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if use == v201.CertificateSigningUseV2GCertificate {
		issuer, sub = a.v2g, testpki.Subject{Name: "secc", CommonName: q.Subject.CommonName, Profile: pki.ProfileOf(pki.SECC)}
	}
	e, err := issuer.Sign(now, q.PublicKey, sub)
	if err != nil {
		return "", err
	}
	return string(e.ChainPEM()), nil
}
