package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/ems"
	"github.com/voltyard/voltyard/actors/kit/kittest"
	"github.com/voltyard/voltyard/actors/kit/network"
	"github.com/voltyard/voltyard/actors/kit/v2gtls"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/actors/session"
	"github.com/voltyard/voltyard/actors/sim/ev"
	"github.com/voltyard/voltyard/hal/sim"
	"github.com/voltyard/voltyard/protocols/iso15118/evcc"
	"github.com/voltyard/voltyard/protocols/iso15118/pki"
	"github.com/voltyard/voltyard/protocols/iso15118/pki/testpki"
)

const external = `
site: {id: bench}
nodes: [{id: root, fuse_a: 200}]
evses:
  - {id: a1, node: root, type: ac, max_a: 32, hal: sim, port: {interface: lo, sdp_port: 15119, vehicle: external,
      internet: [http, https], tls: {identities: [{cert_file: secc.pem, key_file: secc.key, root_file: v2g.pem}]},
      contract: {mo_roots_file: mo.pem, v2g_roots_file: v2g.pem, authorize: local, certificates: local, pki_dir: ., receipt_s: 2}}}
  - id: d1
    node: root
    type: dc
    max_w: 53000
    hal: sim
    port:
      interface: lo
      sdp_port: 15120
      vehicle: external
      tls: {identities: [{cert_file: secc.pem, key_file: secc.key, root_file: v2g.pem}]}
      contract: {mo_roots_file: mo.pem, v2g_roots_file: v2g.pem, authorize: local, receipt_s: 2}
`

// withPKI makes a test PKI in a folder, as `voltyard pki init` does.
func withPKI(t *testing.T, now time.Time) (*testpki.Set, string) {
	t.Helper()
	set, err := testpki.New(pki.ISO2, now)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	key, err := set.Get(pki.SECC).KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"secc.pem": set.Get(pki.SECC).ChainPEM(), "secc.key": key,
		"v2g.pem": set.Get(pki.V2GRoot).CertPEM(), "mo.pem": set.Get(pki.MORoot).CertPEM()} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return set, dir
}

// TestVehiclesOfEveryKind is the list of what a vehicle can do at a site, over sockets and TLS, in virtual time.
func TestVehiclesOfEveryKind(t *testing.T) {
	for _, c := range []struct {
		name             string
		dc, din          bool
		tls, pnc         bool
		install, update  bool
		renegotiate      bool
		pause            time.Duration
		states           []string // that must occur
		sessions, agreed int
	}{
		{name: "DIN DC", dc: true, din: true, states: []string{"cableCheck", "preCharge", "weldingDetection"}, sessions: 1, agreed: 1},
		{name: "-2 AC EIM", states: []string{"chargingStatus"}, sessions: 1, agreed: 1},
		{name: "-2 DC EIM", dc: true, states: []string{"cableCheck", "currentDemand", "weldingDetection"}, sessions: 1, agreed: 1},
		{name: "-2 AC EIM over TLS", tls: true, states: []string{"chargingStatus"}, sessions: 1, agreed: 1},
		{name: "-2 AC PnC over TLS", tls: true, pnc: true, states: []string{"paymentDetails", "meteringReceipt", "chargingStatus"}, sessions: 1, agreed: 1},
		{name: "-2 DC PnC over TLS", dc: true, tls: true, pnc: true, states: []string{"paymentDetails", "meteringReceipt", "currentDemand"}, sessions: 1, agreed: 1},
		{name: "certificate installation", tls: true, pnc: true, install: true, states: []string{"serviceDetail", "certificateRequest", "paymentDetails"}, sessions: 1, agreed: 1},
		{name: "certificate update", tls: true, pnc: true, update: true, states: []string{"serviceDetail", "certificateRequest", "paymentDetails"}, sessions: 1, agreed: 1},
		{name: "renegotiation AC", renegotiate: true, states: []string{"renegotiate"}, sessions: 1, agreed: 2},
		{name: "renegotiation DC", dc: true, renegotiate: true, states: []string{"renegotiate", "cableCheck"}, sessions: 1, agreed: 2},
		{name: "pause and resume AC", pause: 3 * time.Second, sessions: 2, agreed: 2},
		{name: "pause and resume DC", dc: true, pause: 3 * time.Second, sessions: 2, agreed: 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			epoch := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // of virtual time
			set, dir := withPKI(t, epoch)
			bench := func(string) (session.Certificates, error) {
				return session.NewBench(set.Trust(), set.Provisioner(), func(emaid string) ([][]byte, *ecdsa.PrivateKey, error) {
					e, err := set.NewContract(emaid)
					if err != nil {
						return nil, nil, err
					}
					return e.Chain(), e.Key, nil
				}), nil
			}
			runSiteIn(t, external, dir, func(p *ems.Parts) { p.Bench = bench }, func(s *site) {
				for _, id := range []string{"a1", "d1"} {
					kittest.Spawn(t, s.env, "standin-"+id, func() actor.Actor { return ev.StandIn(s.place(id), &s.view)() })
				}
				time.Sleep(2 * time.Second)
				prov, contract := set.Get(pki.Provisioning), set.Get(pki.Contract)
				w := &evcc.Wallet{Trust: set.Trust(), Rand: rand.Reader, Provisioning: prov.Cert.Raw, ProvisioningKey: prov.Key}
				if !c.install {
					w.EMAID, w.Chain, w.Key = contract.Cert.Subject.CommonName, contract.Chain(), contract.Key
				}
				trip := ev.Trip{Net: s.net, Interface: network.Loopback, SDPPort: 15119, DIN: c.din, Wallet: w,
					EVCC:    evcc.Config{EVCCID: [6]byte{2, 0, 0, 0, 0, 9}, DC: c.dc, Phases: 3},
					Battery: sim.Battery{Capacity: 60e3, Energy: 20e3, MaxPower: 45e3, Nominal: 400}, MaxAmps: 16, Volts: 230, Speed: 60,
					Charge: 12 * time.Second, Renegotiate: c.renegotiate, Pause: c.pause}
				if c.dc {
					trip.SDPPort = 15120
				}
				if c.tls {
					trip.TLS = &v2gtls.Client{Trust: set.Trust()}
				}
				if c.pnc {
					trip.EVCC.Contract = w.Contract(c.install, c.update)
				}
				r := trip.Run(context.Background())
				if !r.OK || r.Sessions != c.sessions || r.Negotiated != c.agreed || r.Joined != (c.pause > 0) || r.Installed != (c.install || c.update) {
					t.Fatalf("%+v", r)
				}
				for _, want := range c.states {
					if !slices.Contains(r.States, want) {
						t.Errorf("no %s among %v", want, r.States)
					}
				}
				if r.Energy < 1000 {
					t.Errorf("charged %v", r.Energy)
				}
				time.Sleep(5 * time.Second)
				for id, o := range s.outlets {
					if o.HAL().Board.Read().Closed {
						t.Errorf("the contactor of %s is closed at the end", id)
					}
				}
				in, _ := s.outlets[map[bool]string{true: "d1", false: "a1"}[c.dc]].Cable().Energy()
				if in < 500 {
					t.Errorf("through the cable went %v", in)
				}
			})
		})
	}
}

func TestPlugAndChargeWithoutTLSIsRefused(t *testing.T) {
	set, dir := withPKI(t, time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))
	bench := func(string) (session.Certificates, error) { return nil, nil }
	runSiteIn(t, external, dir, func(p *ems.Parts) { p.Bench = bench }, func(s *site) {
		kittest.Spawn(t, s.env, "standin", func() actor.Actor { return ev.StandIn(s.place("a1"), &s.view)() })
		time.Sleep(2 * time.Second)
		c := set.Get(pki.Contract)
		w := &evcc.Wallet{Trust: set.Trust(), Rand: rand.Reader, EMAID: testpki.EMAID, Chain: c.Chain(), Key: c.Key}
		trip := ev.Trip{Net: s.net, Interface: network.Loopback, SDPPort: 15119, Wallet: w, EVCC: evcc.Config{Phases: 3, Contract: w.Contract(false, false)},
			Battery: sim.Battery{Capacity: 60e3, Energy: 20e3, MaxPower: 22e3}, MaxAmps: 16, Volts: 230, Charge: time.Second}
		if r := trip.Run(context.Background()); r.OK || r.Why != "serviceDiscovery: payment by Contract is not offered" {
			t.Errorf("%+v", r)
		}
		time.Sleep(5 * time.Second)
	})
}

const byStation = `
site: {id: bench}
nodes: [{id: root, fuse_a: 200}]
evses:
  - {id: a1, node: root, type: ac, max_a: 32, hal: sim, auth: remote, port: {interface: lo, sdp_port: 15119, vehicle: external,
      tls: {identities: [{cert_file: secc.pem, key_file: secc.key, root_file: v2g.pem}]},
      contract: {v2g_roots_file: v2g.pem, central: true, certificates: station}}}
`

// asked is what the station role was asked; it says yes.
type asked struct {
	contracts []msg.Contract
	requests  []msg.ContractCertificate
}

// TestTheStationRoleDecidesAboutContracts has the cloud's side judge a contract of a root that is not known here, and answer a
// request for a new certificate.
func TestTheStationRoleDecidesAboutContracts(t *testing.T) {
	set, dir := withPKI(t, time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))
	for _, refusal := range []msg.Refusal{"", msg.RefusedCanceled} {
		var heard asked
		bench := session.NewBench(set.Trust(), set.Provisioner(), func(emaid string) ([][]byte, *ecdsa.PrivateKey, error) {
			e, err := set.NewContract(emaid)
			if err != nil {
				return nil, nil, err
			}
			return e.Chain(), e.Key, nil
		})
		station := func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case msg.Authorize:
				if m.Contract != nil {
					heard.contracts = append(heard.contracts, *m.Contract)
				}
				ctx.Send(ctx.ActorSystem().NewLocalPID(msg.EVSEName(m.EVSE)), msg.Authorized{EVSE: m.EVSE, Accepted: refusal == "", Token: m.Token, Refusal: refusal})
			case msg.ContractCertificate:
				heard.requests = append(heard.requests, m)
				exi, err := bench.Answer(m.Update, m.EXI)
				if err != nil {
					t.Error(err)
				}
				ctx.Send(ctx.ActorSystem().NewLocalPID(msg.EVSEName(m.EVSE)), msg.ContractCertificateIs{EVSE: m.EVSE, Token: m.Token, EXI: exi})
			}
		}
		runSiteWith(t, byStation, dir, func(*ems.Parts) {}, station, func(s *site) {
			kittest.Spawn(t, s.env, "standin", func() actor.Actor { return ev.StandIn(s.place("a1"), &s.view)() })
			time.Sleep(2 * time.Second)
			c, prov := set.Get(pki.Contract), set.Get(pki.Provisioning)
			w := &evcc.Wallet{Trust: set.Trust(), Rand: rand.Reader, EMAID: testpki.EMAID, Chain: c.Chain(), Key: c.Key, Provisioning: prov.Cert.Raw, ProvisioningKey: prov.Key}
			trip := ev.Trip{Net: s.net, Interface: network.Loopback, SDPPort: 15119, Wallet: w, TLS: &v2gtls.Client{Trust: set.Trust()},
				EVCC:    evcc.Config{EVCCID: [6]byte{2, 0, 0, 0, 0, 9}, Phases: 3, Contract: w.Contract(false, true)},
				Battery: sim.Battery{Capacity: 60e3, Energy: 20e3, MaxPower: 22e3}, MaxAmps: 16, Volts: 230, Charge: 5 * time.Second}
			r := trip.Run(context.Background())
			if r.OK != (refusal == "") || !r.Installed {
				t.Errorf("refusal %q: %+v", refusal, r)
			}
			if refusal != "" && r.Why != "authorization: the SECC answers FAILED_ContractCanceled" {
				t.Errorf("%+v", r)
			}
			time.Sleep(5 * time.Second)
		})
		if len(heard.requests) != 1 || !heard.requests[0].Update || len(heard.contracts) != 1 {
			t.Fatalf("the station role heard of %d requests and %d contracts", len(heard.requests), len(heard.contracts))
		}
		if k := heard.contracts[0]; k.Rooted || len(k.Chain) != 3 || len(k.Hash) != 2 || !pki.SameEMAID(k.EMAID, testpki.EMAID) {
			t.Errorf("contract %+v", k)
		}
	}
}

func TestANewPlanIsNegotiatedInARunningSession(t *testing.T) {
	_, dir := withPKI(t, time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))
	bench := func(string) (session.Certificates, error) { return nil, nil }
	runSiteIn(t, external, dir, func(p *ems.Parts) { p.Bench = bench }, func(s *site) {
		kittest.Spawn(t, s.env, "standin", func() actor.Actor { return ev.StandIn(s.place("d1"), &s.view)() })
		time.Sleep(2 * time.Second)
		go func() {
			time.Sleep(6 * time.Second)
			s.env.Send(msg.EVSEName("d1"), msg.VehiclePlan{EVSE: "d1", Renegotiate: true, Tuples: []msg.PlanTuple{{ID: 9, End: time.Hour, Entries: []msg.PlanEntry{{Max: 11000}}}}})
		}()
		trip := ev.Trip{Net: s.net, Interface: network.Loopback, SDPPort: 15120, EVCC: evcc.Config{EVCCID: [6]byte{2, 0, 0, 0, 0, 9}, DC: true},
			Battery: sim.Battery{Capacity: 60e3, Energy: 20e3, MaxPower: 45e3, Nominal: 400}, Charge: 12 * time.Second}
		if r := trip.Run(context.Background()); !r.OK || r.Negotiated != 2 || !slices.Contains(r.States, "renegotiate") {
			t.Errorf("%+v", r)
		}
		time.Sleep(5 * time.Second)
	})
}
