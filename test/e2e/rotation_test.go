package e2e

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/ems"
	"github.com/voltyard/voltyard/actors/kit/kittest"
	"github.com/voltyard/voltyard/actors/kit/network"
	"github.com/voltyard/voltyard/actors/kit/v2gtls"
	"github.com/voltyard/voltyard/actors/kit/ws"
	"github.com/voltyard/voltyard/actors/sim/csms"
	"github.com/voltyard/voltyard/actors/sim/ev"
	"github.com/voltyard/voltyard/hal/sim"
	"github.com/voltyard/voltyard/protocols/iso15118/evcc"
	"github.com/voltyard/voltyard/protocols/iso15118/pki"
	"github.com/voltyard/voltyard/protocols/iso15118/pki/testpki"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
	"github.com/voltyard/voltyard/storage/bolt"
	"github.com/voltyard/voltyard/storage/keyring"
)

const rotated = byStation + `
csms: {url: "wss://csms.test/ocpp", identity: LC, ca_file: csms-root.pem, cert_file: lc.pem, key_file: lc.key}
`

// own is the station of the site that a vehicle can use.
const own = "bench-a1"

// kept is a store that outlives the site.
type kept struct {
	mu sync.Mutex
	m  map[string][]byte
}

func (k *kept) Apply(ops []bolt.Op) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, op := range ops {
		key := op.Bucket + "\x00" + string(op.Key)
		if op.Value == nil {
			delete(k.m, key)
		} else {
			k.m[key] = op.Value
		}
	}
	return nil
}

func (k *kept) Scan(bucket string, prefix []byte) ([]bolt.KV, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []bolt.KV
	for key, v := range k.m {
		if rest, ok := strings.CutPrefix(key, bucket+"\x00"); ok && strings.HasPrefix(rest, string(prefix)) {
			out = append(out, bolt.KV{Key: []byte(rest), Value: v})
		}
	}
	slices.SortFunc(out, func(a, b bolt.KV) int { return bytes.Compare(a.Key, b.Key) })
	return out, nil
}

func (k *kept) Size() int64 { return 0 }

// signer is a CSMS under security profile 3 that signs certificates and answers about their status.
type signer struct {
	t      *testing.T
	born   time.Time
	site   *site
	pid    *actor.PID
	record *csms.Record
	ocpp   *testpki.OCPP // signs for stations
	v2g    *testpki.Set  // signs towards vehicles
	issued []*testpki.Entity

	mu    sync.Mutex
	tls   *tls.Config
	shown map[string][]*x509.Certificate // by station: at each connection
}

// certificates of a server by the root of an OCPP PKI; clients are taken by any of the roots.
func serverTLS(t *testing.T, by *testpki.OCPP, clients ...*testpki.OCPP) *tls.Config {
	t.Helper()
	e, err := by.Issue(testpki.Subject{Name: "server", CommonName: "csms.test", Hosts: []string{"csms.test"}, ExtUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	if err != nil {
		t.Fatal(err)
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{e.TLS()}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: x509.NewCertPool()}
	for _, c := range clients {
		cfg.ClientCAs.AddCert(c.Root.Cert)
	}
	return cfg
}

// begin starts the CSMS on the site's line.
func (c *signer) begin(s *site, k *cloud) {
	c.site, c.record, c.shown = s, csms.NewRecord(10000, nil), map[string][]*x509.Certificate{}
	cfg := csms.Config{Listener: k.listener, Path: "/ocpp", Record: c.record, Decide: c.decide, Admit: func(v ws.Visitor) int {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.shown[v.Identity] = append(c.shown[v.Identity], v.TLS.PeerCertificates[0])
		return 0
	}, TLS: &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.tls, nil
	}}}
	c.pid = kittest.Spawn(c.t, s.env, "csms", csms.New(s.env, cfg))
}

// change has the CSMS show another certificate, to everybody anew.
func (c *signer) change(cfg *tls.Config) {
	c.mu.Lock()
	c.tls = cfg
	c.mu.Unlock()
	c.site.env.System.Root.Send(c.pid, csms.Cut{})
	time.Sleep(2 * time.Minute)
}

// connections are the certificates that the station has shown.
func (c *signer) connections() []*x509.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.shown[own]
}

func (c *signer) decide(station string, q rpc.Message) rpc.Message {
	switch q := q.(type) {
	case *v201.SignCertificateRequest:
		b, _ := pem.Decode([]byte(q.Csr))
		csr, err := x509.ParseCertificateRequest(b.Bytes)
		if err != nil || csr.CheckSignature() != nil {
			c.t.Errorf("the request of %s: %v", station, err)
			return &v201.SignCertificateResponse{Status: v201.GenericStatusRejected}
		}
		sub := testpki.Subject{Name: "new", CommonName: csr.Subject.CommonName, ExtUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
		var e *testpki.Entity
		if q.CertificateType == v201.CertificateSigningUseV2GCertificate {
			sub.ExtUsage, sub.Profile = nil, pki.ProfileOf(pki.SECC)
			e, err = c.v2g.IssueFor(pki.CPOSub2, csr.PublicKey, sub)
		} else {
			e, err = c.ocpp.IssueFor(csr.PublicKey, sub)
		}
		if err != nil {
			c.t.Error(err)
			return nil
		}
		c.issued = append(c.issued, e)
		c.tell(station, &v201.CertificateSignedRequest{CertificateChain: string(e.ChainPEM()), CertificateType: q.CertificateType}, nil)
		return &v201.SignCertificateResponse{Status: v201.GenericStatusAccepted}
	case *v201.GetCertificateStatusRequest:
		serial, _ := new(big.Int).SetString(q.OcspRequestData.SerialNumber, 16)
		for _, e := range append(c.v2g.All(), c.issued...) {
			if serial != nil && e.Cert.SerialNumber.Cmp(serial) == 0 && e.Issuer != nil {
				der, err := e.OCSP(c.born, false) // the clock of the second run begins again
				if err != nil {
					c.t.Error(err)
				}
				return &v201.GetCertificateStatusResponse{Status: v201.GetCertificateStatusAccepted, OcspResult: base64.StdEncoding.EncodeToString(der)}
			}
		}
	}
	return nil
}

// tell sends a request to a station; what it answers goes to done.
func (c *signer) tell(station string, q rpc.Message, done func(payload string)) {
	c.site.env.System.Root.Send(c.pid, csms.Request{Station: station, Action: q.ActionName(), Payload: q.AppendJSON(nil), Done: func(p []byte, fault string) {
		if fault != "" {
			c.t.Errorf("%s: %s", q.ActionName(), fault)
		}
		if done != nil {
			done(string(p))
		}
	}})
}

// ask is tell that waits for the answer.
func (c *signer) ask(q rpc.Message) string {
	answer := make(chan string, 1)
	c.tell(own, q, func(p string) { answer <- p })
	return <-answer
}

func (c *signer) accepted(q rpc.Message) {
	c.t.Helper()
	if a := c.ask(q); a != `{"status":"Accepted"}` {
		c.t.Fatalf("%s is answered %s", q.ActionName(), a)
	}
}

// charges has a vehicle come that insists on the status of the EVSE's certificate, and tells how it went.
func (c *signer) charges(set *testpki.Set) ev.TripResult {
	contract := set.Get(pki.Contract)
	w := &evcc.Wallet{Trust: set.Trust(), Rand: rand.Reader, EMAID: testpki.EMAID, Chain: contract.Chain(), Key: contract.Key}
	trip := ev.Trip{Net: c.site.net, Interface: network.Loopback, SDPPort: 15119, Wallet: w, TLS: &v2gtls.Client{Trust: set.Trust(), RequireOCSP: true},
		EVCC:    evcc.Config{EVCCID: [6]byte{2, 0, 0, 0, 0, 9}, Phases: 3, Contract: w.Contract(false, false)},
		Battery: sim.Battery{Capacity: 60e3, Energy: 20e3, MaxPower: 22e3}, MaxAmps: 16, Volts: 230, Charge: 5 * time.Second}
	r := trip.Run(context.Background())
	time.Sleep(20 * time.Second)
	return r
}

// TestCertificatesAreRotated is the life of a station's certificates under security profile 3: its own, the one towards vehicles
// and the root of the CSMS are renewed while the site runs, and count after a restart.
func TestCertificatesAreRotated(t *testing.T) {
	born := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	set, dir := withPKI(t, born)
	before, err := testpki.NewOCPP(born, "LC")
	if err != nil {
		t.Fatal(err)
	}
	after, err := testpki.NewOCPP(born, "LC")
	if err != nil {
		t.Fatal(err)
	}
	key, err := before.Controller.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"csms-root.pem": before.Root.CertPEM(), "lc.pem": before.Controller.CertPEM(), "lc.key": key} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	store := &kept{m: map[string][]byte{}}
	run := func(f func(s *site, k *cloud)) {
		keys, err := keyring.OpenDir(filepath.Join(dir, "keys"))
		if err != nil {
			t.Fatal(err)
		}
		var k *cloud
		runSiteIn(t, rotated, dir, func(p *ems.Parts) { k = newCloud(t); p.DialCSMS, p.Keys, p.Store = k.dial, keys, store }, func(s *site) { f(s, k) })
	}
	var shown *x509.Certificate
	run(func(s *site, k *cloud) {
		t := s.t
		c := &signer{t: t, born: born, ocpp: before, v2g: set, tls: serverTLS(t, before, before, after)}
		c.begin(s, k)
		kittest.Spawn(t, s.env, "standin", func() actor.Actor { return ev.StandIn(s.place("a1"), &s.view)() })
		time.Sleep(time.Minute)
		if n := c.connections(); len(n) != 1 || !n[0].Equal(before.Controller.Cert) {
			t.Fatalf("%d connections at first", len(n))
		}

		// The station's own certificate, and once more.
		for i := range 2 {
			c.accepted(&v201.TriggerMessageRequest{RequestedMessage: v201.MessageTriggerSignChargingStationCertificate})
			time.Sleep(time.Minute)
			if n := c.connections(); len(n) != i+2 || len(c.issued) != i+1 || !n[i+1].Equal(c.issued[i].Cert) || n[i+1].Subject.CommonName != own {
				t.Fatalf("after %d new certificates: %d connections", i+1, len(n))
			}
		}
		shown = c.issued[1].Cert

		// The certificate towards vehicles. The one of the site file has no status to show.
		if r := c.charges(set); r.OK {
			t.Fatalf("a vehicle takes a certificate without status: %+v", r)
		}
		c.accepted(&v201.TriggerMessageRequest{RequestedMessage: v201.MessageTriggerSignV2GCertificate})
		time.Sleep(time.Minute)
		if r := c.charges(set); !r.OK {
			t.Fatalf("a vehicle after the certificate towards it was renewed: %+v", r)
		}

		// The root of the CSMS.
		c.accepted(&v201.InstallCertificateRequest{CertificateType: v201.InstallCertificateUseCSMSRootCertificate, Certificate: string(after.Root.CertPEM())})
		c.change(serverTLS(t, after, before, after))
		if n := len(c.connections()); n != 4 {
			t.Fatalf("%d connections after the CSMS has a certificate of its new root", n)
		}
		old, err := pki.HashDataOf(before.Root.Cert, before.Root.Cert, crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		c.accepted(&v201.DeleteCertificateRequest{CertificateHashData: v201.CertificateHashData{HashAlgorithm: v201.HashAlgorithmEnum(old.Algorithm),
			IssuerNameHash: old.IssuerNameHash, IssuerKeyHash: old.IssuerKeyHash, SerialNumber: old.SerialNumber}})
		c.change(serverTLS(t, before, before, after))
		if n := len(c.connections()); n != 4 {
			t.Fatalf("%d connections: a certificate of the deleted root is taken", n)
		}
		c.change(serverTLS(t, after, before, after))
		if n := len(c.connections()); n != 5 {
			t.Fatalf("%d connections at last", n)
		}
		events := 0
		for _, raw := range c.record.Requests(own, v201.ActionSecurityEventNotification) {
			if strings.Contains(string(raw), "InvalidCsmsCertificate") {
				events++
			}
		}
		if events != 1 {
			t.Errorf("%d events of an invalid certificate of the CSMS", events)
		}
		if w := c.record.Faults(); len(w) > 0 {
			t.Errorf("faults: %v", w)
		}
		names, err := os.ReadDir(filepath.Join(dir, "keys"))
		if err != nil || len(names) != 3 { // two of the station, one towards vehicles
			t.Errorf("keys: %v, %v", names, err)
		}
	})
	run(func(s *site, k *cloud) {
		t := s.t
		c := &signer{t: t, born: born, ocpp: before, v2g: set, tls: serverTLS(t, before, before, after)}
		c.begin(s, k)
		kittest.Spawn(t, s.env, "standin", func() actor.Actor { return ev.StandIn(s.place("a1"), &s.view)() })
		time.Sleep(time.Minute)
		if n := len(c.connections()); n != 0 {
			t.Fatalf("%d connections after a restart: a certificate of the deleted root is taken", n)
		}
		if r := c.charges(set); r.Why == "" || strings.Contains(r.Why, "tls") {
			t.Fatalf("the certificate towards vehicles after a restart, without CSMS: %+v", r)
		}
		c.change(serverTLS(t, after, before, after))
		if n := c.connections(); len(n) != 1 || !n[0].Equal(shown) {
			t.Fatalf("%d connections after a restart", len(n))
		}
		if r := c.charges(set); !r.OK {
			t.Fatalf("a vehicle after a restart: %+v", r)
		}
	})
}
