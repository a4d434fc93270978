package testpki

import (
	"fmt"
	"strings"
	"time"

	"github.com/voltyard/voltyard/protocols/iso15118/pki"
)

// File is one file of a set as it is written to disk.
type File struct {
	// Path is relative, with slashes.
	Path string
	Data []byte
	// Secret files are for their owner alone.
	Secret bool
}

// Directories of the three sets.
const (
	DirISO2  = "iso15118-2"
	DirISO20 = "iso15118-20"
	DirOCPP  = "ocpp"
)

// Files makes the whole test PKI: both editions of ISO 15118 and OCPP, and a README that says what is what.
func Files(now time.Time, controller string, stations []string) ([]File, error) {
	var out []File
	for _, s := range []struct {
		dir string
		ed  pki.Edition
	}{{DirISO2, pki.ISO2}, {DirISO20, pki.ISO20}} {
		set, err := New(s.ed, now)
		if err != nil {
			return nil, err
		}
		if out, err = appendFiles(out, s.dir, now, set.All()); err != nil {
			return nil, err
		}
	}
	o, err := NewOCPP(now, controller, stations...)
	if err != nil {
		return nil, err
	}
	if out, err = appendFiles(out, DirOCPP, now, o.All()); err != nil {
		return nil, err
	}
	return append(out, File{Path: "README.md", Data: []byte(readme(now, controller, stations))}), nil
}

func appendFiles(out []File, dir string, now time.Time, all []*Entity) ([]File, error) {
	for _, e := range all {
		key, err := e.KeyPEM()
		if err != nil {
			return nil, err
		}
		base := dir + "/" + e.Name
		out = append(out, File{base + ".pem", e.CertPEM(), false}, File{base + ".key", key, true})
		if e.Issuer == nil {
			continue
		}
		resp, err := e.OCSP(now, false)
		if err != nil {
			return nil, err
		}
		out = append(out, File{base + ".ocsp", resp, false})
		if !e.Cert.IsCA {
			out = append(out, File{base + "-chain.pem", e.ChainPEM(), false})
		}
	}
	return out, nil
}

func readme(now time.Time, controller string, stations []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Test certificates

Made by "voltyard pki init" on %s. The private keys of all authorities lie here, so nobody may trust these roots
outside a test.

| file | what |
|---|---|
| NAME.pem | the certificate |
| NAME.key | its private key, PKCS#8 |
| NAME-chain.pem | a leaf and its sub-CAs, leaf first, without the root |
| NAME.ocsp | an OCSP response about it (DER), good until %s |

Folders %s (P-256, SHA-256) and %s (P-521, SHA-512) hold the same names:

| name | what |
|---|---|
`, now.UTC().Format(time.DateOnly), now.Add(week).UTC().Format(time.DateOnly), DirISO2, DirISO20)
	for _, n := range tree {
		p := pki.ProfileOf(n.role)
		cn := n.cn
		if n.role == pki.Contract {
			cn += string(pki.CheckCharacter(cn))
		}
		fmt.Fprintf(&b, "| %s | %s, CN %s, DC %s |\n", n.name, p.Name, cn, p.Domain)
	}
	fmt.Fprintf(&b, `
Folder %s (P-256) is for security profiles 2 and 3:

| name | what |
|---|---|
| ocpp-root | the one root |
| csms | server, for localhost |
| controller | client and server, CN %s |
`, DirOCPP, controller)
	for _, id := range stations {
		fmt.Fprintf(&b, "| station-%s | client, CN %s |\n", id, id)
	}
	fmt.Fprintf(&b, `
Look at them with:

    openssl x509 -in %[1]s/secc.pem -noout -text
    openssl verify -CAfile %[1]s/v2g-root.pem -untrusted %[1]s/secc-chain.pem %[1]s/secc.pem
    openssl ocsp -respin %[1]s/secc.ocsp -text -noverify
`, DirISO2)
	return b.String()
}
