package main

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/voltyard/voltyard/actors/session"
	"github.com/voltyard/voltyard/protocols/iso15118/evcc"
	"github.com/voltyard/voltyard/protocols/iso15118/pki"
	"github.com/voltyard/voltyard/protocols/iso15118/pki/testpki"
)

// pkiFolder is a folder that `voltyard pki init` has made.
type pkiFolder string

func (d pkiFolder) file(name string) string {
	return filepath.Join(string(d), testpki.DirISO2, name)
}

func (d pkiFolder) certs(names ...string) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for _, n := range names {
		b, err := os.ReadFile(d.file(n + ".pem"))
		if err != nil {
			return nil, fmt.Errorf("test PKI: %w; make one with voltyard pki init DIR", err)
		}
		c, err := pki.ParsePEM(b)
		if err != nil {
			return nil, fmt.Errorf("test PKI: %s: %w", d.file(n+".pem"), err)
		}
		out = append(out, c...)
	}
	return out, nil
}

// pair is a leaf with its key and, where there is a chain, its sub-CAs.
func (d pkiFolder) pair(cert, key string) ([][]byte, *ecdsa.PrivateKey, error) {
	p, err := tls.LoadX509KeyPair(d.file(cert+".pem"), d.file(key+".key"))
	if err != nil {
		return nil, nil, fmt.Errorf("test PKI: %w; make one with voltyard pki init DIR", err)
	}
	k, ok := p.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, nil, fmt.Errorf("test PKI: the key of %s is a %T", cert, p.PrivateKey)
	}
	return p.Certificate, k, nil
}

func (d pkiFolder) trust() (*pki.Trust, error) {
	t := &pki.Trust{}
	for name, to := range map[string]*[]*x509.Certificate{"v2g-root": &t.V2G, "mo-root": &t.MO, "oem-root": &t.OEM, "oem-sub1": &t.Subs, "oem-sub2": &t.Subs} {
		c, err := d.certs(name)
		if err != nil {
			return nil, err
		}
		*to = append(*to, c...)
	}
	return t, nil
}

// wallet is the vehicle's: its roots, its contract unless it shall install one first, and what the manufacturer gave it.
func (d pkiFolder) wallet(install bool) (*evcc.Wallet, error) {
	trust, err := d.trust()
	if err != nil {
		return nil, err
	}
	w := &evcc.Wallet{Trust: trust, Rand: rand.Reader}
	prov, key, err := d.pair("oem-provisioning", "oem-provisioning")
	if err != nil {
		return nil, err
	}
	w.Provisioning, w.ProvisioningKey = prov[0], key
	if install {
		return w, nil
	}
	if w.Chain, w.Key, err = d.pair("contract-chain", "contract"); err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(w.Chain[0])
	if err != nil {
		return nil, err
	}
	w.EMAID = leaf.Subject.CommonName
	return w, nil
}

// contractFor is how long a contract certificate of the test bench holds.
const contractFor = 365 * 24 * time.Hour

// loadBench makes the answerer of certificate requests from a folder of test certificates.
func loadBench(dir string) (session.Certificates, error) {
	d := pkiFolder(dir)
	trust, err := d.trust()
	if err != nil {
		return nil, err
	}
	cps, key, err := d.pair("cps-chain", "cps")
	if err != nil {
		return nil, err
	}
	_, signer, err := d.pair("mo-sub2", "mo-sub2")
	if err != nil {
		return nil, err
	}
	subs, err := d.certs("mo-sub2", "mo-sub1", "mo-root")
	if err != nil {
		return nil, err
	}
	operator := &testpki.Entity{Name: "mo-sub2", Cert: subs[0], Key: signer,
		Issuer: &testpki.Entity{Name: "mo-sub1", Cert: subs[1], Issuer: &testpki.Entity{Name: "mo-root", Cert: subs[2]}}}
	set := &testpki.Set{Edition: pki.ISO2}
	return session.NewBench(trust, &pki.Provisioner{Chain: cps, Key: key, Rand: rand.Reader}, func(emaid string) ([][]byte, *ecdsa.PrivateKey, error) {
		now := time.Now()
		e, err := set.IssueBy(operator, testpki.Subject{Name: "contract", CommonName: emaid, Profile: pki.ProfileOf(pki.Contract),
			NotBefore: now.Add(-time.Minute), NotAfter: now.Add(contractFor)})
		if err != nil {
			return nil, nil, err
		}
		return e.Chain(), e.Key, nil
	}), nil
}
