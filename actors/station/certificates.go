package station

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"strings"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/tlsfile"
	"github.com/voltyard/voltyard/actors/kit/v2gtls"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/protocols/iso15118/pki"
	role "github.com/voltyard/voltyard/protocols/ocpp/station"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// Certificates is where the station's certificates are used. It outlives the actor.
type Certificates struct {
	Own      tlsfile.Own          // its private keys
	Uplink   *tlsfile.Uplink      // towards the CSMS
	Vehicles *v2gtls.Issued       // towards vehicles; nil where there are none
	Trust    *kit.Cell[pki.Trust] // roots of contracts, when the CSMS manages them; nil where there are none
	Also     *pki.Trust           // roots of contracts that the CSMS does not manage
	// Contracts is what vehicles are offered as the CSMS has it; nothing before the station role has begun.
	Contracts kit.Cell[role.PlugAndCharge]
}

// made is a private key with its request.
type made struct {
	use      v201.CertificateSigningUseEnum
	key, csr string
	err      error
}

// mostMaking is how many requests for keys wait; a key in a TPM takes seconds.
const mostMaking = 4

// makeKey makes keys one after the other, outside of the actor's turn.
func (s *Station) makeKey(ctx actor.Context, e role.MakeKey) {
	if s.cfg.Certificates == nil || len(s.making) >= mostMaking {
		s.step(ctx, role.KeyMade{Use: e.Use, Err: errors.New("no keys can be made now")})
		return
	}
	if s.making = append(s.making, e); len(s.making) == 1 {
		s.nextKey(ctx)
	}
}

func (s *Station) nextKey(ctx actor.Context) {
	if len(s.making) == 0 || s.role == nil {
		return
	}
	e, own, keep := s.making[0], s.cfg.Certificates.Own, s.role.Keys()
	root, self := ctx.ActorSystem().Root, ctx.Self()
	go func() {
		key, csr, err := own.Request(keep, e.Name, e.Organization)
		root.Send(self, made{e.Use, key, csr, err})
	}()
}

func (s *Station) keyMade(ctx actor.Context, m made) {
	if len(s.making) > 0 {
		s.making = s.making[1:]
	}
	s.step(ctx, role.KeyMade{Use: m.use, Key: m.key, CSR: m.csr, Err: m.err})
	s.nextKey(ctx)
}

// use has a certificate used: towards the CSMS with the next connection, which is made at once, towards vehicles with their next.
func (s *Station) use(ctx actor.Context, e role.UseCertificate) {
	c := s.cfg.Certificates
	if c == nil {
		return
	}
	cert, err := c.Own.Certificate(e.Key, e.PEM)
	if err != nil {
		s.log.Error().Err(err).Str("use", string(e.Use)).Msg("a certificate of the station cannot be used")
		return
	}
	s.log.Info().Str("use", string(e.Use)).Str("serial", cert.Leaf.SerialNumber.String()).Time("until", cert.Leaf.NotAfter).Msg("a certificate of the station is used")
	if e.Use == v201.GetCertificateIdUseV2GCertificateChain {
		s.secc = v2gtls.Identity{Chain: cert.Certificate, Key: cert.PrivateKey.(crypto.Signer)}
		s.secc.Root = s.rootOf(cert)
		if n := len(s.secc.Chain); n > 1 && s.secc.Root != nil && bytes.Equal(s.secc.Chain[n-1], s.secc.Root.Raw) { // vehicles have it
			s.secc.Chain = s.secc.Chain[:n-1]
		}
		s.showVehicles()
		return
	}
	c.Uplink.Use(cert)
	if s.up {
		ctx.Send(s.env.At(msg.Controller), msg.UplinkHangup{Station: s.cfg.Role.Identity, Gen: s.gen, Why: "the station has a new certificate"})
	}
}

func (s *Station) showVehicles() {
	if v := s.cfg.Certificates.Vehicles; v != nil && len(s.secc.Chain) > 0 {
		v.Set(s.secc)
	}
}

// staple shows vehicles the status of the leaf; those of sub-CAs cannot be shown (v2gtls.Gaps).
func (s *Station) staple(e role.Staple) {
	if s.cfg.Certificates == nil || len(s.secc.Chain) == 0 {
		return
	}
	leaf, err := x509.ParseCertificate(s.secc.Chain[0])
	if err != nil || !strings.EqualFold(strings.TrimLeft(e.Certificate.SerialNumber, "0"), strings.TrimLeft(hex.EncodeToString(leaf.SerialNumber.Bytes()), "0")) {
		return
	}
	s.secc.OCSP = e.OCSP
	s.showVehicles()
}

// takeRoots has the roots of a use count.
func (s *Station) takeRoots(e role.Roots) {
	c := s.cfg.Certificates
	if c == nil {
		return
	}
	var list []*x509.Certificate
	for _, text := range e.PEM {
		if b, _ := pem.Decode([]byte(text)); b != nil {
			if x, err := x509.ParseCertificate(b.Bytes); err == nil {
				list = append(list, x)
			}
		}
	}
	s.roots[e.Use] = list
	switch e.Use {
	case v201.GetCertificateIdUseCSMSRootCertificate:
		c.Uplink.SetRoots(list)
		s.cfg.Trusted.Install(s.cfg.Role.Identity, list)
	case v201.GetCertificateIdUseV2GRootCertificate, v201.GetCertificateIdUseMORootCertificate:
		if c.Trust == nil {
			return
		}
		t := &pki.Trust{V2G: s.roots[v201.GetCertificateIdUseV2GRootCertificate], MO: s.roots[v201.GetCertificateIdUseMORootCertificate]}
		if c.Also != nil {
			t.V2G, t.MO = append(t.V2G[:len(t.V2G):len(t.V2G)], c.Also.V2G...), append(t.MO[:len(t.MO):len(t.MO)], c.Also.MO...)
		}
		c.Trust.Store(t)
	}
}

// rootOf finds the root of the station's own chain, by which vehicles ask for it.
func (s *Station) rootOf(cert tls.Certificate) *x509.Certificate {
	between := x509.NewCertPool()
	for _, der := range cert.Certificate[1:] {
		if x, err := x509.ParseCertificate(der); err == nil {
			between.AddCert(x)
		}
	}
	for _, use := range []v201.GetCertificateIdUseEnum{v201.GetCertificateIdUseV2GRootCertificate, v201.GetCertificateIdUseCSMSRootCertificate} {
		for _, root := range s.roots[use] {
			o := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: between, CurrentTime: cert.Leaf.NotBefore, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
			o.Roots.AddCert(root)
			if _, err := cert.Leaf.Verify(o); err == nil {
				return root
			}
		}
	}
	return nil
}

// provenBy is the managed root that the CSMS's certificate leads to, in PEM as it was installed.
func (s *Station) provenBy(chain [][]byte) string {
	c := s.cfg.Certificates
	if c == nil || len(chain) == 0 {
		return ""
	}
	var list []*x509.Certificate
	for _, der := range chain {
		if x, err := x509.ParseCertificate(der); err == nil {
			list = append(list, x)
		}
	}
	c.Uplink.Taken()
	if root := c.Uplink.Root(list); root != nil {
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw}))
	}
	return ""
}

// target is where the uplink goes.
func (s *Station) dial(ctx actor.Context, e role.Dial) {
	s.target = msg.UplinkTarget{Station: s.cfg.Role.Identity, ID: e.ID, URL: e.URL, Profile: e.Security, Retry: s.target.Retry}
	if c := s.cfg.Certificates; c != nil {
		newest := e.Newest
		s.target.TLS = func() *tls.Config { return c.Uplink.Config(newest) }
	}
	if s.cfg.Cloud {
		ctx.Send(s.env.At(msg.Controller), s.target)
	}
}

// retry is how long the uplink waits between attempts.
func (s *Station) retry(ctx actor.Context, e role.Retry) {
	s.target.Station, s.target.Retry = s.cfg.Role.Identity, msg.Retry{Times: e.Times, Minimum: e.Minimum, Range: e.Range}
	if s.cfg.Cloud {
		ctx.Send(s.env.At(msg.Controller), s.target)
	}
}
