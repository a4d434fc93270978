package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/base64"
	"encoding/pem"
	"net"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/ems"
	"github.com/voltyard/voltyard/actors/kit/kittest"
	"github.com/voltyard/voltyard/actors/kit/network"
	"github.com/voltyard/voltyard/actors/kit/v2gtls"
	"github.com/voltyard/voltyard/actors/session"
	"github.com/voltyard/voltyard/actors/sim/csms"
	"github.com/voltyard/voltyard/actors/sim/ev"
	"github.com/voltyard/voltyard/hal/sim"
	"github.com/voltyard/voltyard/protocols/iso15118/evcc"
	"github.com/voltyard/voltyard/protocols/iso15118/pki"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

const byCloud = byStation + `
csms: {url: "ws://cloud.invalid/ocpp", identity: LC}
`

// cloud is a simulated CSMS on a network of its own, which a site can dial. It is made inside the bubble.
type cloud struct {
	listener net.Listener
	net      *network.Memory
}

func newCloud(t *testing.T) *cloud {
	c := &cloud{net: network.NewMemory()}
	var err error
	if c.listener, err = c.net.ListenSECC(t.Context(), network.Loopback); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *cloud) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	return c.net.DialSECC(ctx, network.Loopback, c.listener.Addr().(*net.TCPAddr).AddrPort())
}

// TestTheCloudIssuesAndJudgesContracts has a vehicle install a contract certificate through the station role and the CSMS,
// and charge with it by the CSMS's word. The roots of contracts are known to the CSMS alone.
func TestTheCloudIssuesAndJudgesContracts(t *testing.T) {
	set, dir := withPKI(t, time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))
	for _, c := range []struct {
		name    string
		slow    bool // the CSMS takes longer than a vehicle waits for a certificate
		fails   bool // it has no certificate
		status  v201.AuthorizeCertificateStatusEnum
		why     string
		charged bool
	}{
		{name: "accepted", status: v201.AuthorizeCertificateStatusAccepted, charged: true},
		{name: "revoked", status: v201.AuthorizeCertificateStatusCertificateRevoked, why: "authorization: the SECC answers FAILED_CertificateRevoked"},
		{name: "no certificate", fails: true, why: "certificateRequest: the SECC answers FAILED"},
		{name: "too slow", slow: true, why: "certificateRequest: the SECC answers FAILED"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bench := session.NewBench(set.Trust(), set.Provisioner(), func(emaid string) ([][]byte, *ecdsa.PrivateKey, error) {
				e, err := set.NewContract(emaid)
				if err != nil {
					return nil, nil, err
				}
				return e.Chain(), e.Key, nil
			})
			var asked []*v201.AuthorizeRequest
			var wanted []*v201.Get15118EVCertificateRequest
			decide := func(_ string, q rpc.Message) rpc.Message {
				switch q := q.(type) {
				case *v201.Get15118EVCertificateRequest:
					wanted = append(wanted, q)
					if c.fails {
						return nil
					}
					request, err := base64.StdEncoding.DecodeString(q.ExiRequest)
					if err != nil {
						t.Error(err)
					}
					exi, err := bench.Answer(q.Action == v201.CertificateActionUpdate, request)
					if err != nil {
						t.Error(err)
					}
					if c.slow {
						time.Sleep(10 * time.Second)
					}
					return &v201.Get15118EVCertificateResponse{Status: v201.Iso15118EVCertificateStatusAccepted, ExiResponse: base64.StdEncoding.EncodeToString(exi)}
				case *v201.AuthorizeRequest:
					asked = append(asked, q)
					st := v201.AuthorizationStatusAccepted
					if c.status != v201.AuthorizeCertificateStatusAccepted {
						st = v201.AuthorizationStatusInvalid
					}
					return &v201.AuthorizeResponse{IdTokenInfo: v201.IdTokenInfo{Status: st}, CertificateStatus: c.status}
				}
				return nil
			}
			var k *cloud
			runSiteIn(t, byCloud, dir, func(p *ems.Parts) { k = newCloud(t); p.DialCSMS = k.dial }, func(s *site) {
				record := csms.NewRecord(10000, nil)
				kittest.Spawn(t, s.env, "csms", csms.New(s.env, csms.Config{Listener: k.listener, Path: "/ocpp", Record: record, Decide: decide}))
				kittest.Spawn(t, s.env, "standin", func() actor.Actor { return ev.StandIn(s.place("a1"), &s.view)() })
				time.Sleep(10 * time.Second)
				prov := set.Get(pki.Provisioning)
				w := &evcc.Wallet{Trust: set.Trust(), Rand: rand.Reader, Provisioning: prov.Cert.Raw, ProvisioningKey: prov.Key}
				trip := ev.Trip{Net: s.net, Interface: network.Loopback, SDPPort: 15119, Wallet: w, TLS: &v2gtls.Client{Trust: set.Trust()},
					EVCC:    evcc.Config{EVCCID: [6]byte{2, 0, 0, 0, 0, 9}, Phases: 3, Contract: w.Contract(true, false)},
					Battery: sim.Battery{Capacity: 60e3, Energy: 20e3, MaxPower: 22e3}, MaxAmps: 16, Volts: 230, Charge: 5 * time.Second}
				r := trip.Run(context.Background())
				if r.OK != c.charged || r.Why != c.why || r.Installed != (!c.slow && !c.fails) {
					t.Errorf("%+v", r)
				}
				time.Sleep(20 * time.Second)
				if len(wanted) != 1 || wanted[0].Action != v201.CertificateActionInstall {
					t.Errorf("the cloud was asked for certificates: %+v", wanted)
				}
				if (len(asked) == 1) != r.Installed {
					t.Fatalf("the cloud was asked about contracts: %+v", asked)
				}
				if r.Installed {
					q := asked[0]
					if q.IdToken.Type != v201.IdTokenEMAID || !pki.SameEMAID(q.IdToken.IdToken, r.EMAID) || certificates(q.Certificate) != 3 || len(q.Iso15118CertificateHashData) != 2 {
						t.Errorf("%+v", q)
					}
				}
				if n := len(record.Requests("bench-a1", v201.ActionTransactionEvent)); (n > 1) != c.charged {
					t.Errorf("%d transaction events", n)
				}
				if w := record.Faults(); len(w) > 0 {
					t.Errorf("faults: %v", w)
				}
			})
		})
	}
}

// certificates counts those of a PEM text.
func certificates(text string) int {
	n := 0
	for b, rest := pem.Decode([]byte(text)); b != nil; b, rest = pem.Decode(rest) {
		n++
	}
	return n
}
