package ems

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"strings"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/tlsfile"
	"github.com/voltyard/voltyard/actors/kit/v2gtls"
	"github.com/voltyard/voltyard/actors/station"
	"github.com/voltyard/voltyard/configs"
	"github.com/voltyard/voltyard/protocols/iso15118/pki"
	role "github.com/voltyard/voltyard/protocols/ocpp/station"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
	"github.com/voltyard/voltyard/storage/keyring"
)

// mostManaged is how many roots of one file the CSMS may manage. A longer file is a bundle, which counts as it is.
const mostManaged = 8

// managed are the certificates of the site's own stations that the CSMS manages, by identity. Nil where there is no CSMS, or no
// place for private keys.
type managed map[string]*managedStation

type managedStation struct {
	*station.Certificates
	installed []role.Root // from the site file
}

// manage finds out what the CSMS may manage.
func manage(s *configs.Site, keys keyring.Ring) (managed, error) {
	if s.CSMS == nil || keys == nil {
		return nil, nil
	}
	base, err := uplinkTLS(s.CSMS)
	if err != nil {
		return nil, err
	}
	roots, err := certificates(s.CSMS.CAFile)
	if err != nil {
		return nil, err
	}
	out := managed{}
	add := func(id string) *managedStation {
		m := out[id]
		if m == nil {
			m = &managedStation{Certificates: &station.Certificates{Own: tlsfile.Own{Ring: keys, Identity: id}, Also: &pki.Trust{},
				Uplink: tlsfile.NewUplink(base, len(roots) == 0 || len(roots) > mostManaged)}}
			if len(roots) <= mostManaged {
				m.install(v201.GetCertificateIdUseCSMSRootCertificate, roots)
			}
			out[id] = m
		}
		return m
	}
	for _, e := range s.EVSEs {
		m := add(e.Station)
		if e.Port == nil || e.Port.TLS == nil {
			continue
		}
		if m.Vehicles == nil {
			m.Vehicles, m.Trust = &v2gtls.Issued{}, &kit.Cell[pki.Trust]{}
		}
		if k := e.Port.Contract; k != nil {
			v2g, err := certificates(k.V2GRootsFile)
			if err != nil {
				return nil, err
			}
			mo, err := certificates(k.MORootsFile)
			if err != nil {
				return nil, err
			}
			m.trust(v201.GetCertificateIdUseV2GRootCertificate, v2g, &m.Also.V2G)
			m.trust(v201.GetCertificateIdUseMORootCertificate, mo, &m.Also.MO)
		}
	}
	add(s.CSMS.Identity)
	return out, nil
}

// trust has the CSMS manage roots of contracts, unless they are a bundle.
func (m *managedStation) trust(use v201.GetCertificateIdUseEnum, roots []*x509.Certificate, also *[]*x509.Certificate) {
	if len(roots) > mostManaged {
		*also = append(*also, roots...)
		return
	}
	m.install(use, roots)
}

func (m *managedStation) install(use v201.GetCertificateIdUseEnum, roots []*x509.Certificate) {
	for _, c := range roots {
		m.installed = append(m.installed, role.Root{Use: use, PEM: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))})
	}
}

func uplinkTLS(c *configs.CSMS) (*tls.Config, error) {
	return tlsfile.CSMS(c.CAFile, tlsfile.Pair{Cert: c.CertFile, Key: c.KeyFile})
}

// into gives a station what it needs to have its certificates and its connection managed.
func (m managed) into(sc *station.Config, s *configs.Site) {
	x := m[sc.Role.Identity]
	if x == nil {
		return
	}
	sc.Certificates = x.Certificates
	sc.Role.Certificates, sc.Role.Installed, sc.Role.Certified = true, x.installed, s.CSMS.CertFile != ""
	sc.Role.Network = &role.Network{URL: s.CSMS.URL, Security: securityProfile(s.CSMS)}
	if s.CSMS.AdditionalRootCheck {
		if sc.Role.Variables == nil {
			sc.Role.Variables = map[string]string{}
		}
		sc.Role.Variables["SecurityCtrlr.AdditionalRootCertificateCheck"] = "true"
	}
}

// securityProfile is the one that the site file describes (A00).
func securityProfile(c *configs.CSMS) int {
	switch {
	case !strings.HasPrefix(c.URL, "wss:"):
		return 1
	case c.CertFile == "":
		return 2
	}
	return 3
}
