package station

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"strings"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/kit/tlsfile"
	"github.com/voltyard/voltyard/actors/kit/ws"
	role "github.com/voltyard/voltyard/protocols/ocpp/station"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

func baseTLS(c *tls.Config) *tls.Config {
	if c == nil {
		c, _ = tlsfile.CSMS("", tlsfile.Pair{}) // reads nothing
	}
	return c
}

// manage lets the CSMS manage certificates and the connection, where there is a place for keys.
func (s *Station) manage(cfg *role.Config) {
	if s.cfg.Keys == nil {
		return
	}
	cfg.Certificates = true
	cfg.Certified = s.cfg.TLS != nil && s.cfg.TLS.GetClientCertificate != nil
	cfg.Network = &role.Network{URL: s.cfg.URL, Security: 1}
	if strings.HasPrefix(s.cfg.URL, "wss:") {
		cfg.Network.Security = 2
		if cfg.Certified {
			cfg.Network.Security = 3
		}
	}
	for _, r := range s.cfg.Roots {
		cfg.Installed = append(cfg.Installed, role.Root{Use: v201.GetCertificateIdUseCSMSRootCertificate, PEM: r})
	}
}

func (s *Station) own() tlsfile.Own { return tlsfile.Own{Ring: s.cfg.Keys, Identity: s.cfg.Identity} }

func (s *Station) makeKey(e role.MakeKey) role.Event {
	key, csr, err := s.own().Request(s.role.Keys(), e.Name, e.Organization)
	return role.KeyMade{Use: e.Use, Key: key, CSR: csr, Err: err}
}

// use shows a certificate to the CSMS with a connection made anew. It has no vehicles that speak TLS.
func (s *Station) use(e role.UseCertificate) {
	if e.Use == v201.GetCertificateIdUseV2GCertificateChain {
		return
	}
	c, err := s.own().Certificate(e.Key, e.PEM)
	if err != nil {
		s.log.Error().Err(err).Msg("the certificate cannot be used")
		return
	}
	s.uplink.Use(c)
	if s.peer != nil {
		s.peer.Close(1000, "the station has a new certificate")
	}
}

func (s *Station) takeRoots(e role.Roots) {
	if e.Use != v201.GetCertificateIdUseCSMSRootCertificate {
		return
	}
	var list []*x509.Certificate
	for _, text := range e.PEM {
		if b, _ := pem.Decode([]byte(text)); b != nil {
			if c, err := x509.ParseCertificate(b.Bytes); err == nil {
				list = append(list, c)
			}
		}
	}
	s.uplink.SetRoots(list)
}

// provenBy is the managed root that the CSMS's certificate leads to, in PEM.
func (s *Station) provenBy(chain [][]byte) string {
	var list []*x509.Certificate
	for _, der := range chain {
		if c, err := x509.ParseCertificate(der); err == nil {
			list = append(list, c)
		}
	}
	s.uplink.Taken()
	if root := s.uplink.Root(list); root != nil {
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw}))
	}
	return ""
}

// failed tells the machine of an attempt in vain.
func (s *Station) failed(ctx actor.Context, d dialled) {
	e := role.DialFailed{ID: d.id}
	if d.err != nil {
		e.Event, e.Info = ws.SecurityEvent(d.err), d.err.Error()
	}
	if e.Event == "FailedToAuthenticateAtCsms" {
		s.uplink.Refused()
	}
	s.step(ctx, e)
}
