package ems

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/tlsfile"
	"github.com/voltyard/voltyard/actors/kit/v2gtls"
	"github.com/voltyard/voltyard/actors/session"
	"github.com/voltyard/voltyard/configs"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/iso15118/pki"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
	"github.com/voltyard/voltyard/storage/keyring"
)

// vehicles makes what the sessions of a site need to talk to vehicles: certificates, trust, and what they offer. EVSEs with the
// same certificates share one TLS server; all servers share one queue for handshakes.
type vehicles struct {
	env      *kit.Env
	volts    si.Volts
	sessions *session.Factory
	bench    func(dir string) (session.Certificates, error)
	servers  map[string]*v2gtls.Server
	queue    *v2gtls.Queue
	certs    managed

	mu    sync.Mutex // certificates are read anew by many goroutines
	rings map[string]keyring.Ring
}

func newVehicles(env *kit.Env, s *configs.Site, p Parts, certs managed) *vehicles {
	return &vehicles{env: env, certs: certs, volts: si.Volts(s.Site.VoltageV), sessions: session.NewFactory(env, p.Net), bench: p.Bench, servers: map[string]*v2gtls.Server{},
		queue: v2gtls.NewQueue(0, 0), rings: map[string]keyring.Ring{}}
}

// config describes the sessions of an EVSE that has a port.
func (v *vehicles) config(e configs.EVSE) (session.Config, error) {
	p := e.Port
	c := session.Config{EVSE: e.ID, Interface: p.Interface, SECC: secc.Config{DC: e.Type == "dc", EVSEID: evseid(e.Station, e.ID), Volts: v.volts,
		PlanWait: seconds(p.PlanS), Timing: timing(p.Timing)}}
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
	if c.TLS, err = v.server(p.TLS, v.issued(e.Station)); err != nil {
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
		c.Contract = v.current(e.Station, c.SECC.Contract)
		c.SECC.Receipts = seconds(k.ReceiptS)
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

// current is what a vehicle that connects now is offered of contracts: what the CSMS has changed counts.
func (v *vehicles) current(station string, k *secc.Contract) func() *secc.Contract {
	m := v.certs[station]
	if m == nil || k == nil {
		return nil
	}
	return func() *secc.Contract {
		now := *k
		if m.Trust != nil {
			if t := m.Trust.Load(); t != nil {
				now.Trust = t
			}
		}
		if p := m.Contracts.Load(); p != nil {
			if !p.Enabled {
				return nil
			}
			now.Central, now.Install, now.Update = p.Central, k.Install && p.Install, k.Update && p.Install
		}
		return &now
	}
}

// issued is the chain that the CSMS has issued to a station; nil where it issues none.
func (v *vehicles) issued(station string) *v2gtls.Issued {
	if m := v.certs[station]; m != nil {
		return m.Vehicles
	}
	return nil
}

// server makes the TLS server for a set of identities and what the CSMS has issued, once.
func (v *vehicles) server(t *configs.PortTLS, issued *v2gtls.Issued) (*v2gtls.Server, error) {
	key := fmt.Sprintf("%+v %p", *t, issued)
	if s := v.servers[key]; s != nil {
		return s, nil
	}
	watch := tlsfile.NewWatch(files(t)...) // before they are read
	list, err := v.identities(t)
	if err != nil {
		return nil, err
	}
	var seen atomic.Uint64 // of what is issued
	cfg := v2gtls.Config{Identities: list, Queue: v.queue, Renew: func(set func([]v2gtls.Identity) error) {
		var own *v2gtls.Identity
		var version uint64
		if issued != nil {
			own, version = issued.Get()
		}
		if changed := watch.Changed(); !changed && seen.Load() == version {
			return
		}
		list, err := v.identities(t)
		if err == nil {
			err = set(join(list, own))
			if err != nil && own != nil && own.OCSP != nil { // a response that cannot be shown must not keep a certificate away
				own.OCSP = nil
				err = set(join(list, own))
			}
		}
		seen.Store(version)
		if err != nil { // half of the files may be new: it is tried again when the other half comes
			v.env.Log.Error().Err(err).Msg("TLS towards vehicles keeps its old certificates")
			return
		}
		v.env.Log.Info().Msg("TLS towards vehicles uses its new certificates")
	}}
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
	for _, w := range s.Warnings() {
		v.env.Log.Warn().Msg("TLS towards vehicles: " + w)
	}
	v.servers[key] = s
	return s, nil
}

// join puts an issued chain before those of files, unless one of these is newer.
func join(list []v2gtls.Identity, own *v2gtls.Identity) []v2gtls.Identity {
	if own == nil {
		return list
	}
	begins := func(id v2gtls.Identity) time.Time {
		c, err := x509.ParseCertificate(id.Chain[0])
		if err != nil || time.Now().After(c.NotAfter) {
			return time.Time{}
		}
		return c.NotBefore
	}
	i := 0
	for i < len(list) && begins(list[i]).After(begins(*own)) {
		i++
	}
	return slices.Insert(slices.Clone(list), i, *own)
}

func files(t *configs.PortTLS) []string {
	var out []string
	for _, id := range t.Identities {
		out = append(out, id.CertFile, id.KeyFile, id.RootFile, id.OCSPFile)
	}
	return out
}

// identities reads the certificates. Private keys in devices are opened once; their rings stay open as long as the process.
func (v *vehicles) identities(t *configs.PortTLS) ([]v2gtls.Identity, error) {
	var out []v2gtls.Identity
	for _, id := range t.Identities {
		x, err := v.loadIdentity(id)
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, nil
}

func (v *vehicles) key(id configs.Identity) (crypto.Signer, error) {
	if id.KeyFile != "" {
		return keyring.ReadFile(id.KeyFile)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	ring := v.rings[id.KeyRing]
	if ring == nil {
		var err error
		if ring, err = keyring.Open(id.KeyRing); err != nil {
			return nil, err
		}
		v.rings[id.KeyRing] = ring
	}
	return ring.Get(id.KeyName)
}

func (v *vehicles) loadIdentity(id configs.Identity) (v2gtls.Identity, error) {
	chain, err := certificates(id.CertFile)
	if err != nil {
		return v2gtls.Identity{}, err
	}
	key, err := v.key(id)
	if err != nil {
		return v2gtls.Identity{}, err
	}
	out := v2gtls.Identity{Key: key}
	for _, c := range chain {
		out.Chain = append(out.Chain, c.Raw)
	}
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

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func timing(t configs.PortTiming) secc.Timing {
	return secc.Timing{Setup: seconds(t.SetupS), Sequence: seconds(t.SequenceS), CPState: seconds(t.CPStateS), Contactor: seconds(t.ContactorS),
		CableCheck: seconds(t.CableCheckS), PreCharge: seconds(t.PreChargeS), AuthEIM: seconds(t.AuthEIMS), AuthPnC: seconds(t.AuthPnCS),
		Exchange: seconds(t.ExchangeS), Stop: seconds(t.StopS)}
}
