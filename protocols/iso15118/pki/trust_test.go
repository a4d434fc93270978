package pki_test

import (
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/voltyard/voltyard/protocols/iso15118/pki"
	"github.com/voltyard/voltyard/protocols/iso15118/pki/testpki"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
)

var now = time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)

var sets = map[pki.Edition]func() (*testpki.Set, error){
	pki.ISO2:  sync.OnceValues(func() (*testpki.Set, error) { return testpki.New(pki.ISO2, now) }),
	pki.ISO20: sync.OnceValues(func() (*testpki.Set, error) { return testpki.New(pki.ISO20, now) }),
}

func set(t testing.TB, ed pki.Edition) *testpki.Set {
	t.Helper()
	s, err := sets[ed]()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func refused(t *testing.T, err, reason error, code v2.ResponseCode) {
	t.Helper()
	var e *pki.Error
	if !errors.As(err, &e) || !errors.Is(err, reason) {
		t.Fatalf("error %v, want %v", err, reason)
	}
	if e.ResponseCode() != code {
		t.Errorf("answer %v, want %v", e.ResponseCode(), code)
	}
}

func TestEveryCertificateHasItsProfile(t *testing.T) {
	for _, ed := range []pki.Edition{pki.ISO2, pki.ISO20} {
		s := set(t, ed)
		for r := pki.V2GRoot; r <= pki.Vehicle; r++ {
			e := s.Get(r)
			if e == nil {
				t.Fatalf("no entity for role %d", r)
			}
			if err := pki.ProfileOf(r).Check(e.Cert, ed); err != nil {
				t.Errorf("%s: %v", e.Name, err)
			}
			if e.Cert.SignatureAlgorithm != ed.SignatureAlgorithm() {
				t.Errorf("%s is signed with %v", e.Name, e.Cert.SignatureAlgorithm)
			}
			if pki.ProfileOf(r).Role != r {
				t.Errorf("the profile of role %d is of role %d", r, pki.ProfileOf(r).Role)
			}
		}
	}
}

func TestProfilesTellRolesApart(t *testing.T) {
	s := set(t, pki.ISO2)
	for _, c := range []struct {
		cert, as pki.Role
	}{{pki.Contract, pki.SECC}, {pki.SECC, pki.Contract}, {pki.CPS, pki.SECC}, {pki.CPOSub1, pki.CPOSub2}, {pki.MORoot, pki.V2GRoot}, {pki.MOSub1, pki.MOSub2}, {pki.SECC, pki.CPOSub2}} {
		if err := pki.ProfileOf(c.as).Check(s.Get(c.cert).Cert, pki.ISO2); !errors.Is(err, pki.ErrProfile) {
			t.Errorf("%s passes as %s: %v", s.Get(c.cert).Name, pki.ProfileOf(c.as).Name, err)
		}
	}
	if err := pki.ProfileOf(pki.SECC).Check(s.Get(pki.SECC).Cert, pki.ISO20); !errors.Is(err, pki.ErrKey) {
		t.Errorf("a P-256 certificate passes for ISO 15118-20: %v", err)
	}
}

func TestContractChains(t *testing.T) {
	for _, ed := range []pki.Edition{pki.ISO2, pki.ISO20} {
		s := set(t, ed)
		chain := s.Get(pki.Contract).Chain()
		trust := s.Trust()
		for name, chain := range map[string][][]byte{
			"leaf, sub 2, sub 1": chain,
			"leaf, sub 1, sub 2": {chain[0], chain[2], chain[1]},
			"root sent too":      append(slices.Clone(chain), s.Get(pki.MORoot).Cert.Raw),
		} {
			p, err := trust.Contract(now, ed, chain)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if len(p.Certificates) != 4 || !p.Rooted || p.EMAID() != testpki.EMAID+string(pki.CheckCharacter(testpki.EMAID)) || len(p.Subs()) != 2 {
				t.Errorf("%s: %v, EMAID %q", name, p, p.EMAID())
			}
			if got, err := pki.ParsePEM(p.PEM()); err != nil || len(got) != 3 {
				t.Errorf("%s: PEM has %d certificates, %v", name, len(got), err)
			}
		}
	}
}

func TestContractUnderV2GRoot(t *testing.T) {
	s := set(t, pki.ISO2)
	trust := &pki.Trust{V2G: []*x509.Certificate{s.Get(pki.V2GRoot).Cert}}
	sub1, err := s.Issue(pki.V2GRoot, testpki.Subject{Name: "sub1", CommonName: "MO sub-CA 1 under V2G", Profile: pki.ProfileOf(pki.MOSub1)})
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := s.IssueBy(sub1, testpki.Subject{Name: "leaf", CommonName: testpki.EMAID, Profile: pki.ProfileOf(pki.Contract)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trust.Contract(now, pki.ISO2, leaf.Chain()); err != nil {
		t.Error(err)
	}
	// An operator of charge points must not be able to make contracts.
	forged, err := s.Issue(pki.CPOSub2, testpki.Subject{Name: "forged", CommonName: testpki.EMAID, Profile: pki.ProfileOf(pki.Contract)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = trust.Contract(now, pki.ISO2, forged.Chain())
	refused(t, err, pki.ErrProfile, v2.ResponseCodeFailedCertChainError)
	// Nor somebody who does not say what he is; under an MO root, where there are no others, that is enough.
	nameless := pki.ProfileOf(pki.MOSub1)
	nameless.Domain = ""
	for root, want := range map[pki.Role]error{pki.V2GRoot: pki.ErrProfile, pki.MORoot: nil} {
		sub, err := s.Issue(root, testpki.Subject{Name: "sub", CommonName: "sub-CA without DC", Profile: nameless})
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := s.IssueBy(sub, testpki.Subject{Name: "leaf", CommonName: testpki.EMAID, Profile: pki.ProfileOf(pki.Contract)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Trust().Contract(now, pki.ISO2, leaf.Chain()); !errors.Is(err, want) {
			t.Errorf("under %s: %v, want %v", s.Get(root).Name, err, want)
		}
	}
}

func TestRefusedContractChains(t *testing.T) {
	s := set(t, pki.ISO2)
	contract := s.Get(pki.Contract)
	chain := contract.Chain()
	issue := func(issuer pki.Role, sub testpki.Subject) [][]byte {
		e, err := s.Issue(issuer, sub)
		if err != nil {
			t.Fatal(err)
		}
		return e.Chain()
	}
	p := pki.ProfileOf(pki.Contract)
	noSign := p
	noSign.Usage = x509.KeyUsageKeyAgreement
	foreign := p
	foreign.Domain = pki.DomainCPO
	third, err := s.Issue(pki.MOSub2, testpki.Subject{Name: "sub3", CommonName: "sub-CA 3", Profile: pki.ProfileOf(pki.MOSub2)})
	if err != nil {
		t.Fatal(err)
	}
	deep, err := s.IssueBy(third, testpki.Subject{Name: "deep", CommonName: testpki.EMAID, Profile: p})
	if err != nil {
		t.Fatal(err)
	}
	byLeaf, err := s.IssueBy(contract, testpki.Subject{Name: "byleaf", CommonName: testpki.EMAID, Profile: p})
	if err != nil {
		t.Fatal(err)
	}
	changed := slices.Clone(chain[0])
	changed[len(changed)-1] ^= 1
	old, err := testpki.New(pki.ISO2, now)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		at     time.Time
		chain  [][]byte
		reason error
		code   v2.ResponseCode
	}{
		{"empty", now, nil, pki.ErrNone, v2.ResponseCodeFailedNoCertificateAvailable},
		{"empty leaf", now, [][]byte{{}}, pki.ErrNone, v2.ResponseCodeFailedNoCertificateAvailable},
		{"garbage", now, [][]byte{[]byte("certificate")}, pki.ErrMalformed, v2.ResponseCodeFailedCertChainError},
		{"garbage beneath", now, [][]byte{chain[0], []byte("x")}, pki.ErrMalformed, v2.ResponseCodeFailedCertChainError},
		{"too many", now, [][]byte{chain[0], chain[1], chain[2], chain[1], chain[2], chain[1]}, pki.ErrChain, v2.ResponseCodeFailedCertChainError},
		{"leaf expired", contract.Cert.NotAfter.Add(time.Second), chain, pki.ErrExpired, v2.ResponseCodeFailedCertificateExpired},
		{"sub-CA expired", now, issue(pki.MOSub2, testpki.Subject{CommonName: testpki.EMAID, Profile: p, NotBefore: now.Add(-2 * time.Hour), NotAfter: now.Add(-time.Hour)}), pki.ErrExpired, v2.ResponseCodeFailedCertificateExpired},
		{"not yet valid", now.Add(-time.Hour), chain, pki.ErrNotYetValid, v2.ResponseCodeFailedCertChainError},
		{"sub-CA 1 missing", now, chain[:2], pki.ErrUnknownRoot, v2.ResponseCodeFailedCertChainError},
		{"unknown root", now, old.Get(pki.Contract).Chain(), pki.ErrUnknownRoot, v2.ResponseCodeFailedCertChainError},
		{"root untrusted but sent", now, append(old.Get(pki.Contract).Chain(), old.Get(pki.MORoot).Cert.Raw), pki.ErrUnknownRoot, v2.ResponseCodeFailedCertChainError},
		{"signature changed", now, [][]byte{changed, chain[1], chain[2]}, pki.ErrUnknownRoot, v2.ResponseCodeFailedCertChainError},
		{"leaf of the manufacturer", now, s.Get(pki.Provisioning).Chain(), pki.ErrProfile, v2.ResponseCodeFailedCertChainError},
		{"CA as leaf", now, chain[1:], pki.ErrProfile, v2.ResponseCodeFailedCertChainError},
		{"cannot sign", now, issue(pki.MOSub2, testpki.Subject{CommonName: testpki.EMAID, Profile: noSign}), pki.ErrProfile, v2.ResponseCodeFailedCertChainError},
		{"other domain", now, issue(pki.MOSub2, testpki.Subject{CommonName: testpki.EMAID, Profile: foreign}), pki.ErrProfile, v2.ResponseCodeFailedCertChainError},
		{"no EMAID", now, issue(pki.MOSub2, testpki.Subject{CommonName: "somebody", Profile: p}), pki.ErrProfile, v2.ResponseCodeFailedCertChainError},
		{"three sub-CAs", now, deep.Chain(), pki.ErrChain, v2.ResponseCodeFailedCertChainError},
		{"issued by a leaf", now, byLeaf.Chain(), pki.ErrUnknownRoot, v2.ResponseCodeFailedCertChainError},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := s.Trust().Contract(c.at, pki.ISO2, c.chain)
			refused(t, err, c.reason, c.code)
		})
	}
	_, err = s.Trust().Contract(now, pki.ISO20, chain)
	refused(t, err, pki.ErrKey, v2.ResponseCodeFailedCertChainError)
}

// A chain longer than its path length constraint allows is refused although every signature fits.
func TestPathLength(t *testing.T) {
	s := set(t, pki.ISO2)
	sub, err := s.Issue(pki.MOSub1, testpki.Subject{Name: "sub", CommonName: "sub-CA with path length 0", Profile: pki.ProfileOf(pki.MOSub2)})
	if err != nil {
		t.Fatal(err)
	}
	beneath, err := s.IssueBy(sub, testpki.Subject{Name: "beneath", CommonName: "sub-CA beneath it", Profile: pki.ProfileOf(pki.MOSub2)})
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := s.IssueBy(beneath, testpki.Subject{Name: "leaf", CommonName: testpki.EMAID, Profile: pki.ProfileOf(pki.Contract)})
	if err != nil {
		t.Fatal(err)
	}
	trust := &pki.Trust{MO: []*x509.Certificate{s.Get(pki.MOSub1).Cert}}
	_, err = trust.Contract(now, pki.ISO2, leaf.Chain())
	refused(t, err, pki.ErrChain, v2.ResponseCodeFailedCertChainError)
}

// The CSMS may know a root that is unknown here, so the path comes with the error.
func TestUnknownRootComesWithPath(t *testing.T) {
	s := set(t, pki.ISO2)
	p, err := (&pki.Trust{}).Contract(now, pki.ISO2, s.Get(pki.Contract).Chain())
	refused(t, err, pki.ErrUnknownRoot, v2.ResponseCodeFailedCertChainError)
	if p == nil || p.Rooted || len(p.Certificates) != 3 || len(p.Subs()) != 2 || !strings.HasSuffix(p.String(), "?") {
		t.Fatalf("path %v", p)
	}
	if got, err := pki.ParsePEM(p.PEM()); err != nil || len(got) != 3 {
		t.Errorf("%d certificates in PEM, %v", len(got), err)
	}
}

func TestOtherChains(t *testing.T) {
	s := set(t, pki.ISO2)
	trust := s.Trust()
	if _, err := trust.SECC(now, pki.ISO2, s.Get(pki.SECC).Chain()); err != nil {
		t.Error(err)
	}
	if _, err := trust.CPS(now, pki.ISO2, s.Get(pki.CPS).Chain()); err != nil {
		t.Error(err)
	}
	if _, err := trust.Provisioning(now, pki.ISO2, [][]byte{s.Get(pki.Provisioning).Cert.Raw}); err != nil {
		t.Error("the sub-CAs of the manufacturer were not found:", err)
	}
	if _, err := trust.Vehicle(now, pki.ISO2, s.Get(pki.Vehicle).Chain()); err != nil {
		t.Error(err)
	}
	// The same root, but not the role.
	_, err := trust.CPS(now, pki.ISO2, s.Get(pki.SECC).Chain())
	refused(t, err, pki.ErrProfile, v2.ResponseCodeFailedCertChainError)
	_, err = trust.SECC(now, pki.ISO2, s.Get(pki.CPS).Chain())
	refused(t, err, pki.ErrProfile, v2.ResponseCodeFailedCertChainError)
	if p, err := trust.SECC(now, pki.ISO2, s.Get(pki.Contract).Chain()); p != nil || !errors.Is(err, pki.ErrUnknownRoot) {
		t.Errorf("a contract passed as a charge point: %v, %v", p, err)
	}
}

func TestParsePEM(t *testing.T) {
	s := set(t, pki.ISO2)
	keyed, err := s.Get(pki.SECC).KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	got, err := pki.ParsePEM(append(keyed, s.Get(pki.SECC).ChainPEM()...))
	if err != nil || len(got) != 3 {
		t.Errorf("%d certificates, %v", len(got), err)
	}
	if _, err := pki.ParsePEM(keyed); !errors.Is(err, pki.ErrNone) {
		t.Errorf("no certificate: %v", err)
	}
	if _, err := pki.ParsePEM([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")); !errors.Is(err, pki.ErrMalformed) {
		t.Errorf("garbage: %v", err)
	}
}

// FuzzContract feeds chains to the check; only what the test's operator issued may pass.
func FuzzContract(f *testing.F) {
	s := set(f, pki.ISO2)
	chain := s.Get(pki.Contract).Chain()
	f.Add(chain[0], chain[1], chain[2])
	f.Add(chain[0], []byte{}, chain[1])
	trust := s.Trust()
	want := s.Get(pki.Contract).Cert
	f.Fuzz(func(t *testing.T, a, b, c []byte) {
		p, err := trust.Contract(now, pki.ISO2, [][]byte{a, b, c})
		if err == nil && !p.Leaf().Equal(want) && !slices.ContainsFunc(p.Certificates, func(c *x509.Certificate) bool { return c.Equal(s.Get(pki.MORoot).Cert) }) {
			t.Errorf("passed: %v", p)
		}
		var e *pki.Error
		if err != nil && !errors.As(err, &e) {
			t.Errorf("an error without an answer: %v", err)
		}
	})
}

func BenchmarkContract(b *testing.B) {
	s := set(b, pki.ISO2)
	trust, chain := s.Trust(), s.Get(pki.Contract).Chain()
	for b.Loop() {
		if _, err := trust.Contract(now, pki.ISO2, chain); err != nil {
			b.Fatal(err)
		}
	}
}
