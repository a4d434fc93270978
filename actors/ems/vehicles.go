package ems

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/v2gtls"
	"github.com/voltyard/voltyard/actors/session"
	"github.com/voltyard/voltyard/configs"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/iso15118/pki"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
)

// vehicles makes what the sessions of a site need to talk to vehicles: certificates, trust, and what they offer. EVSEs with the
// same certificates share one TLS server, so that all of them share its queue.
type vehicles struct {
	env      *kit.Env
	volts    si.Volts
	sessions *session.Factory
	bench    func(dir string) (session.Certificates, error)
	servers  map[string]*v2gtls.Server
}

func newVehicles(env *kit.Env, s *configs.Site, p Parts) *vehicles {
	return &vehicles{env: env, volts: si.Volts(s.Site.VoltageV), sessions: session.NewFactory(env, p.Net), bench: p.Bench, servers: map[string]*v2gtls.Server{}}
}

// config describes the sessions of an EVSE that has a port.
func (v *vehicles) config(e configs.EVSE) (session.Config, error) {
	p := e.Port
	c := session.Config{EVSE: e.ID, Interface: p.Interface, SECC: secc.Config{DC: e.Type == "dc", EVSEID: evseid(e.Station, e.ID), Volts: v.volts,
		PlanWait: time.Duration(p.PlanS * float64(time.Second))}}
	if p.DIN == "off" {
		c.SECC.Without = append(c.SECC.Without, "din70121")
	}
	if len(p.Internet) > 0 {
		c.SECC.Services = append(c.SECC.Services, secc.Internet(p.Internet...))
	}
	if p.TLS == nil {
		return c, nil
	}
	var err error
	if c.TLS, err = v.server(p.TLS); err != nil {
		return c, err
	}
	c.TLSOnly = p.TLS.Only
	if k := p.Contract; k != nil {
		trust := &pki.Trust{}
		if trust.V2G, err = certificates(k.V2GRootsFile); err != nil {
			return c, err
		}
		if trust.MO, err = certificates(k.MORootsFile); err != nil {
			return c, err
		}
		offered := k.Certificates != "off"
		c.SECC.Contract = &secc.Contract{Trust: trust, Central: k.Central, Install: offered, Update: offered}
		c.SECC.Receipts = time.Duration(k.ReceiptS * float64(time.Second))
		if k.Certificates == "local" {
			if v.bench == nil {
				return c, errors.New("this program cannot issue contract certificates from a test PKI")
			}
			if c.Certificates, err = v.bench(k.PKIDir); err != nil {
				return c, err
			}
		}
	}
	return c, nil
}

// server makes the TLS server for a set of identities, once.
func (v *vehicles) server(t *configs.PortTLS) (*v2gtls.Server, error) {
	key := fmt.Sprintf("%+v", *t)
	if s := v.servers[key]; s != nil {
		return s, nil
	}
	var cfg v2gtls.Config
	for _, id := range t.Identities {
		x, err := loadIdentity(id)
		if err != nil {
			return nil, err
		}
		cfg.Identities = append(cfg.Identities, x)
	}
	if t.KeyLogFile != "" {
		f, err := os.OpenFile(t.KeyLogFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			return nil, fmt.Errorf("key log of TLS: %w", err)
		}
		v.env.Log.Warn().Str("file", t.KeyLogFile).Msg("keys of TLS sessions with vehicles are written down; all their traffic can be read")
		cfg.KeyLog = io.Writer(f)
	}
	if len(v.servers) == 0 {
		v.env.Log.Info().Strs("gaps", v2gtls.Gaps()).Msg("TLS towards vehicles is served; what the standard has and this program has not")
	}
	s, err := v2gtls.NewServer(cfg)
	if err != nil {
		return nil, err
	}
	v.servers[key] = s
	return s, nil
}

func loadIdentity(id configs.Identity) (v2gtls.Identity, error) {
	pair, err := tls.LoadX509KeyPair(id.CertFile, id.KeyFile)
	if err != nil {
		return v2gtls.Identity{}, fmt.Errorf("certificate %s: %w", id.CertFile, err)
	}
	signer, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return v2gtls.Identity{}, fmt.Errorf("key %s: %T cannot sign", id.KeyFile, pair.PrivateKey)
	}
	out := v2gtls.Identity{Chain: pair.Certificate, Key: signer}
	roots, err := certificates(id.RootFile)
	if err != nil {
		return out, err
	}
	if len(roots) > 0 {
		out.Root = roots[0]
	}
	if id.OCSPFile != "" {
		if out.OCSP, err = os.ReadFile(id.OCSPFile); err != nil {
			return out, fmt.Errorf("OCSP response: %w", err)
		}
	}
	return out, nil
}

// certificates reads those of a PEM file; no file has none.
func certificates(file string) ([]*x509.Certificate, error) {
	if file == "" {
		return nil, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("certificates: %w", err)
	}
	out, err := pki.ParsePEM(b)
	if err != nil {
		return nil, fmt.Errorf("certificates in %s: %w", file, err)
	}
	return out, nil
}
