package testpki

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/voltyard/voltyard/protocols/iso15118/pki"
)

// Identities of the leaves that New makes.
const (
	EMAID  = "DEVYRC00000001" // without its check character
	PCID   = "VYRDE000000000001"
	EVCCID = "VYRDE00000001"
	SECCID = "DEVYRS0001"
)

// Set is all certificates of one edition.
type Set struct {
	Edition pki.Edition
	now     time.Time
	by      map[pki.Role]*Entity
	order   []*Entity
}

// tree is who issues whom, issuers first.
var tree = []struct {
	role   pki.Role
	issuer pki.Role // of a root: itself
	name   string
	cn     string
}{
	{pki.V2GRoot, pki.V2GRoot, "v2g-root", "V2G root CA"},
	{pki.CPOSub1, pki.V2GRoot, "cpo-sub1", "CPO sub-CA 1"},
	{pki.CPOSub2, pki.CPOSub1, "cpo-sub2", "CPO sub-CA 2"},
	{pki.SECC, pki.CPOSub2, "secc", SECCID},
	{pki.CPSSub1, pki.V2GRoot, "cps-sub1", "CPS sub-CA 1"},
	{pki.CPSSub2, pki.CPSSub1, "cps-sub2", "CPS sub-CA 2"},
	{pki.CPS, pki.CPSSub2, "cps", "CPS"},
	{pki.MORoot, pki.MORoot, "mo-root", "MO root CA"},
	{pki.MOSub1, pki.MORoot, "mo-sub1", "MO sub-CA 1"},
	{pki.MOSub2, pki.MOSub1, "mo-sub2", "MO sub-CA 2"},
	{pki.Contract, pki.MOSub2, "contract", EMAID},
	{pki.OEMRoot, pki.OEMRoot, "oem-root", "OEM root CA"},
	{pki.OEMSub1, pki.OEMRoot, "oem-sub1", "OEM sub-CA 1"},
	{pki.OEMSub2, pki.OEMSub1, "oem-sub2", "OEM sub-CA 2"},
	{pki.Provisioning, pki.OEMSub2, "oem-provisioning", PCID},
	{pki.Vehicle, pki.OEMSub2, "vehicle", EVCCID},
}

// New makes a set that is valid from a minute before now.
func New(ed pki.Edition, now time.Time) (*Set, error) {
	s := &Set{Edition: ed, now: now, by: map[pki.Role]*Entity{}}
	for _, n := range tree {
		cn := n.cn
		if n.role == pki.Contract {
			cn += string(pki.CheckCharacter(cn))
		}
		var issuer *Entity
		if n.issuer != n.role {
			issuer = s.by[n.issuer]
		}
		e, err := newEntity(ed.Curve(), now, issuer, Subject{Name: n.name, CommonName: cn, Profile: pki.ProfileOf(n.role)})
		if err != nil {
			return nil, err
		}
		s.by[n.role] = e
		s.order = append(s.order, e)
	}
	return s, nil
}

// Get returns the entity of a role.
func (s *Set) Get(r pki.Role) *Entity { return s.by[r] }

// All returns every entity, issuers first.
func (s *Set) All() []*Entity { return s.order }

// Issue makes one more certificate, issued by that of a role, with a new key.
func (s *Set) Issue(issuer pki.Role, sub Subject) (*Entity, error) {
	return newEntity(s.Edition.Curve(), s.now, s.by[issuer], sub)
}

// IssueBy makes one more certificate, issued by any entity.
func (s *Set) IssueBy(issuer *Entity, sub Subject) (*Entity, error) {
	return newEntity(s.Edition.Curve(), s.now, issuer, sub)
}

// IssueFor makes a certificate for a public key whose private key is elsewhere, such as in an HSM.
func (s *Set) IssueFor(issuer pki.Role, key crypto.PublicKey, sub Subject) (*Entity, error) {
	return s.by[issuer].Sign(s.now, key, sub)
}

// NewContract makes one more contract of the mobility operator.
func (s *Set) NewContract(emaid string) (*Entity, error) {
	if pki.NormalEMAID(emaid) == "" {
		return nil, fmt.Errorf("testpki: %q is no contract identifier", emaid)
	}
	return s.Issue(pki.MOSub2, Subject{Name: "contract-" + emaid, CommonName: emaid, Profile: pki.ProfileOf(pki.Contract)})
}

// Trust trusts the roots of the set and knows the manufacturer's sub-CAs.
func (s *Set) Trust() *pki.Trust {
	return &pki.Trust{
		V2G: []*x509.Certificate{s.by[pki.V2GRoot].Cert}, MO: []*x509.Certificate{s.by[pki.MORoot].Cert}, OEM: []*x509.Certificate{s.by[pki.OEMRoot].Cert},
		Subs: []*x509.Certificate{s.by[pki.OEMSub1].Cert, s.by[pki.OEMSub2].Cert},
	}
}

// Provisioner is the set's certificate provisioning service.
func (s *Set) Provisioner() *pki.Provisioner {
	cps := s.by[pki.CPS]
	return &pki.Provisioner{Chain: cps.Chain(), Key: cps.Key, Rand: randReader}
}
