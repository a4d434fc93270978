package ocpp

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"maps"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/controller"
	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/kittest"
	"github.com/voltyard/voltyard/actors/kit/network"
	"github.com/voltyard/voltyard/actors/kit/ocppstat"
	"github.com/voltyard/voltyard/actors/kit/tlsfile"
	"github.com/voltyard/voltyard/actors/kit/ws"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/actors/sim/csms"
	actorstation "github.com/voltyard/voltyard/actors/station"
	"github.com/voltyard/voltyard/hal/sim"
	"github.com/voltyard/voltyard/protocols/ocpp/profile"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/station"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
	"github.com/voltyard/voltyard/storage/keyring"
)

const linePassword = "a-password-of-24-letters"

// line is the whole station under test, with the actors that carry out what its machine says, on the way to CSMSs at hosts of
// their own: sockets and TLS are real, in virtual time.
type line struct {
	*testing.T
	env     *kit.Env
	net     *network.Memory
	conf    lineConfig
	plant   *sim.Outlet
	grant   uint64
	granted time.Time
	store   map[string][]byte
	keys    keyring.Ring

	mu    sync.Mutex
	hosts map[string]*host
	tried map[string]int // connections asked for, by host
}

// lineConfig is how the station is configured locally.
type lineConfig struct {
	url      string
	security int
	roots    []*lineCert
	own      *lineCert // its certificate at first
	vars     map[string]string
	plant    *sim.Config // hardware of its EVSE; nil: none, it says nothing
}

// host is a CSMS.
type host struct {
	*line
	name   string
	at     net.Listener
	pid    *actor.PID
	record *csms.Record

	mu    sync.Mutex
	tls   *tls.Config
	came  []ws.Visitor
	reply map[string]func(rpc.Message) rpc.Message
}

// onLine runs a test case with the whole station.
func onLine(t *testing.T, c func(*line) lineConfig, f func(l *line)) {
	kittest.Run(t, func(t *testing.T, env *kit.Env) {
		keys, err := keyring.OpenDir(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		l := &line{T: t, env: env, net: network.NewMemory(), store: map[string][]byte{}, keys: keys, hosts: map[string]*host{}, tried: map[string]int{}}
		kittest.NewProbe(t, env, msg.Recorder, func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case msg.Load:
				r := msg.Loaded{Bucket: m.Bucket, Token: m.Token}
				for k, v := range l.store {
					if strings.HasPrefix(k, string(m.Prefix)) {
						r.Pairs = append(r.Pairs, msg.KV{Key: []byte(k), Value: v})
					}
				}
				ctx.Send(m.Reply, r)
			case msg.Save:
				for _, op := range m.Ops {
					if op.Value == nil {
						delete(l.store, string(op.Key))
					} else {
						l.store[string(op.Key)] = op.Value
					}
				}
				ctx.Send(m.Reply, msg.Saved{Token: m.Token})
			}
		})
		kittest.NewProbe(t, env, msg.Balancer, l.allot)
		l.conf = c(l)
		if *sutFlag != "mute" {
			l.begin()
		}
		f(l)
	})
}

func (l *line) begin() {
	base, err := tlsfile.CSMS("", tlsfile.Pair{})
	if err != nil {
		l.Fatal(err)
	}
	base.RootCAs = x509.NewCertPool()
	c := actorstation.Config{Cloud: true, Stats: ocppstat.New(l.env), EVSEs: []string{"e1"},
		Role: station.Config{Identity: "CS1", Vendor: "Voltyard", Model: "SUT", NewID: rand.Text, Variables: maps.Clone(l.conf.vars), Certificates: true,
			EVSEs: []station.EVSEConfig{{ConnectorType: "cType2", Rating: profile.Rating{Phases: 3, Volts: 230, Max: 32}}}}}
	for _, r := range l.conf.roots {
		c.Role.Installed = append(c.Role.Installed, station.Root{Use: v201.GetCertificateIdUseCSMSRootCertificate, PEM: r.pem()})
	}
	if l.conf.own != nil {
		c.Role.Certified = true
		own := l.conf.own.tls()
		base.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own, nil }
	}
	c.Role.Network = &station.Network{URL: l.conf.url, Security: l.conf.security}
	c.Certificates = &actorstation.Certificates{Own: tlsfile.Own{Ring: l.keys, Identity: "CS1"}, Uplink: tlsfile.NewUplink(base, false)}
	l.build(&c)
	kittest.Spawn(l.T, l.env, msg.StationName("CS1"), actorstation.New(l.env, c))
	kittest.Spawn(l.T, l.env, msg.Controller, controller.New(l.env, controller.Config{Own: []string{"CS1"}, NewID: rand.Text, Stats: c.Stats,
		CSMS: &controller.CSMS{URL: l.conf.url, Password: linePassword, TLS: base, Dial: l.dial}}))
}

func (l *line) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	name, _, _ := net.SplitHostPort(addr)
	l.mu.Lock()
	l.tried[name]++
	h := l.hosts[name]
	l.mu.Unlock()
	if h == nil {
		return nil, errors.New("nobody is there")
	}
	return l.net.DialSECC(ctx, network.Loopback, h.at.Addr().(*net.TCPAddr).AddrPort())
}

func (l *line) tries(name string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tried[name]
}

// host starts a CSMS; without TLS it takes plain connections. Its TLS can be changed later.
func (l *line) host(name string, secure *tls.Config) *host {
	at, err := l.net.ListenSECC(l.Context(), network.Loopback)
	if err != nil {
		l.Fatal(err)
	}
	h := &host{line: l, name: name, at: at, tls: secure, record: csms.NewRecord(10000, nil), reply: map[string]func(rpc.Message) rpc.Message{}}
	c := csms.Config{Listener: at, Path: "/ocpp", Record: h.record, Admit: func(v ws.Visitor) int {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.came = append(h.came, v)
		return 0
	}, Decide: func(_ string, q rpc.Message) rpc.Message {
		if r := h.reply[q.ActionName()]; r != nil {
			return r(q)
		}
		return nil
	}}
	if secure != nil {
		c.TLS = &tls.Config{MinVersion: tls.VersionTLS10, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			h.mu.Lock()
			defer h.mu.Unlock()
			return h.tls, nil
		}}
	}
	h.pid = kittest.Spawn(l.T, l.env, "csms-"+name, csms.New(l.env, c))
	l.mu.Lock()
	l.hosts[name] = h
	l.mu.Unlock()
	return h
}

// secure changes the TLS for connections from now on, and cuts those that are there.
func (h *host) secure(c *tls.Config) {
	h.mu.Lock()
	h.tls = c
	h.mu.Unlock()
	h.cut()
}

func (h *host) cut() { h.env.System.Root.Send(h.pid, csms.Cut{}) }

// visitors are those who came through TLS and HTTP.
func (h *host) visitors() []ws.Visitor {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.came
}

// booted waits until the station has booted here n times.
func (h *host) booted(n int) {
	h.Helper()
	for range 600 {
		synctest.Wait()
		if len(h.record.Requests("CS1", v201.ActionBootNotification)) >= n {
			time.Sleep(time.Second)
			return
		}
		time.Sleep(time.Second)
	}
	h.Fatalf("the station has not booted at %s %d times", h.name, n)
}

// connected waits until the station has connected here n times.
func (h *host) connected(n int) {
	h.Helper()
	for range 600 {
		synctest.Wait()
		if len(h.visitors()) >= n {
			time.Sleep(time.Second)
			return
		}
		time.Sleep(time.Second)
	}
	h.Fatalf("the station has not connected to %s %d times", h.name, n)
}

// tell sends a request to the station and reads its answer.
func tell[P rpc.Message](h *host, q rpc.Message) P {
	h.Helper()
	done := make(chan string, 1)
	var payload []byte
	h.env.System.Root.Send(h.pid, csms.Request{Station: "CS1", Action: q.ActionName(), Payload: q.AppendJSON(nil), Done: func(p []byte, fault string) {
		payload = p
		done <- fault
	}})
	if fault := <-done; fault != "" {
		h.Fatalf("%s: %s", q.ActionName(), fault)
	}
	res := v201.Actions[q.ActionName()].Response()
	if err := res.UnmarshalJSON(payload); err != nil {
		h.Fatal(err)
	}
	return res.(P)
}

func (h *host) set(c, v, value string) v201.SetVariableStatusEnum {
	h.Helper()
	comp, va := variable(c, v)
	return tell[*v201.SetVariablesResponse](h, &v201.SetVariablesRequest{SetVariableData: []v201.SetVariableData{{Component: comp, Variable: va, AttributeValue: value}}}).SetVariableResult[0].AttributeStatus
}

func (h *host) get(c, v string) string {
	h.Helper()
	comp, va := variable(c, v)
	return tell[*v201.GetVariablesResponse](h, &v201.GetVariablesRequest{GetVariableData: []v201.GetVariableData{{Component: comp, Variable: va}}}).GetVariableResult[0].AttributeValue
}

func (h *host) install(root *lineCert) {
	h.Helper()
	r := tell[*v201.InstallCertificateResponse](h, &v201.InstallCertificateRequest{CertificateType: v201.InstallCertificateUseCSMSRootCertificate, Certificate: root.pem()})
	h.want("the root is installed", r.Status == v201.InstallCertificateStatusAccepted, r)
}

// roots are the installed CSMS roots.
func (h *host) roots() []v201.CertificateHashDataChain {
	h.Helper()
	return tell[*v201.GetInstalledCertificateIdsResponse](h, &v201.GetInstalledCertificateIdsRequest{
		CertificateType: []v201.GetCertificateIdUseEnum{v201.GetCertificateIdUseCSMSRootCertificate}}).CertificateHashDataChain
}

func (l *line) want(what string, ok bool, got ...any) {
	l.Helper()
	if !ok {
		l.Fatalf("%s: %+v", what, got)
	}
}

func profileOf(security int, url string) v201.NetworkConnectionProfile {
	return v201.NetworkConnectionProfile{OcppVersion: v201.OCPPVersionOCPP20, OcppTransport: v201.OCPPTransportJSON, OcppCsmsUrl: url, MessageTimeout: 30,
		SecurityProfile: security, OcppInterface: v201.OCPPInterfaceWired0}
}

// migrate sets a network profile in slot 2, its priority, and resets the station.
func (h *host) migrate(security int, url, priority string) {
	h.Helper()
	r := tell[*v201.SetNetworkProfileResponse](h, &v201.SetNetworkProfileRequest{ConfigurationSlot: 2, ConnectionData: profileOf(security, url)})
	h.want("the profile is accepted", r.Status == v201.SetNetworkProfileStatusAccepted, r)
	st := h.set("OCPPCommCtrlr", "NetworkConfigurationPriority", priority)
	h.want("the priority is accepted", st == v201.SetVariableStatusAccepted || st == v201.SetVariableStatusRebootRequired, st)
	h.reset()
}

func (h *host) reset() {
	h.Helper()
	x := tell[*v201.ResetResponse](h, &v201.ResetRequest{Type: v201.ResetImmediate})
	h.want("the reset is accepted", x.Status == v201.ResetStatusAccepted, x)
}

// events counts the security events of a type that came here.
func (h *host) events(kind string) int {
	n := 0
	for _, raw := range h.record.Requests("CS1", v201.ActionSecurityEventNotification) {
		var q v201.SecurityEventNotificationRequest
		if err := q.UnmarshalJSON(raw); err != nil {
			h.Fatal(err)
		}
		if q.Type == kind {
			n++
		}
	}
	return n
}

// lineCert is a certificate with its key.
type lineCert struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func (c *lineCert) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.cert.Raw}))
}

func (c *lineCert) tls() tls.Certificate {
	return tls.Certificate{Certificate: [][]byte{c.cert.Raw}, PrivateKey: c.key, Leaf: c.cert}
}

// issue makes a certificate for a name; without an issuer it is a root, with ca a root that the issuer signs.
func (l *line) issue(name string, by *lineCert, ca bool, change func(*x509.Certificate)) *lineCert {
	l.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		l.Fatal(err)
	}
	return l.issueFor(name, key, key.Public(), by, ca, change)
}

func (l *line) issueRSA(name string, by *lineCert) *lineCert {
	l.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		l.Fatal(err)
	}
	return l.issueFor(name, key, key.Public(), by, false, nil)
}

func (l *line) issueFor(name string, key crypto.Signer, pub any, by *lineCert, ca bool, change func(*x509.Certificate)) *lineCert {
	l.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<60))
	if err != nil {
		l.Fatal(err)
	}
	now := time.Now()
	tmpl := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name, Organization: []string{"Voltyard"}}, NotBefore: now.Add(-time.Minute),
		NotAfter: now.AddDate(1, 0, 0), BasicConstraintsValid: true, IsCA: ca || by == nil, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment, DNSNames: []string{name}}
	if tmpl.IsCA {
		tmpl.KeyUsage, tmpl.DNSNames = x509.KeyUsageCertSign, nil
	}
	if change != nil {
		change(tmpl)
	}
	parent, signer := tmpl, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, pub, signer)
	if err != nil {
		l.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		l.Fatal(err)
	}
	return &lineCert{c, key}
}

// serve is the TLS of a CSMS with one certificate.
func serve(c *lineCert) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{c.tls()}}
}

// mutual is serve for security profile 3.
func mutual(c, root *lineCert) *tls.Config {
	cfg := serve(c)
	cfg.ClientAuth, cfg.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
	cfg.ClientCAs.AddCert(root.cert)
	return cfg
}
