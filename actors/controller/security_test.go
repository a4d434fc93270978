package controller_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	dto "github.com/prometheus/client_model/go"
	"github.com/rs/zerolog"

	"github.com/voltyard/voltyard/actors/controller"
	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/ocppstat"
	"github.com/voltyard/voltyard/actors/kit/password"
	"github.com/voltyard/voltyard/actors/kit/tlsfile"
	"github.com/voltyard/voltyard/actors/kit/ws"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/actors/sim/csms"
	"github.com/voltyard/voltyard/protocols/iso15118/pki/testpki"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
)

const (
	plainPassword  = "plain-password-16"
	hashedPassword = "hashed-password-16"
)

// rig is a controller with a listener of each security profile, below a CSMS that asks it for a certificate.
type rig struct {
	t     *testing.T
	env   *kit.Env
	pki   *testpki.OCPP
	dir   string
	addrs []string // of profiles 1, 2, 3
	sink  *actor.PID
	open  []*ws.Peer
	log   lines
	csms  *actor.PID

	mu     sync.Mutex
	decide func(station string, q rpc.Message) rpc.Message // how the CSMS answers; nil as it would
	shown  []*x509.Certificate                             // by stations under profile 3
}

// see keeps what stations show, on the way to the listener of profile 3.
func (r *rig) see(inner *tls.Config) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		c, err := inner.GetConfigForClient(h)
		if err != nil {
			return nil, err
		}
		c = c.Clone()
		c.VerifyConnection = func(s tls.ConnectionState) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.shown = append(r.shown, s.PeerCertificates[0])
			return nil
		}
		return c, nil
	}}
}

// lines counts what is logged.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	l.all = append(l.all, string(p))
	l.mu.Unlock()
	return len(p), nil
}

func (l *lines) with(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, s := range l.all {
		if strings.Contains(s, text) {
			n++
		}
	}
	return n
}

// empty is a recorder with nothing in it.
func empty(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case msg.Load:
		ctx.Send(m.Reply, msg.Loaded{Bucket: m.Bucket, Token: m.Token})
	case msg.Save:
		if m.Reply != nil {
			ctx.Send(m.Reply, msg.Saved{Token: m.Token})
		}
	}
}

func (r *rig) file(name string, data []byte) string {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		r.t.Fatal(err)
	}
	return path
}

func (r *rig) pair(name string, e *testpki.Entity) tlsfile.Pair {
	r.t.Helper()
	key, err := e.KeyPEM()
	if err != nil {
		r.t.Fatal(err)
	}
	return tlsfile.Pair{Cert: r.file(name+".pem", e.CertPEM()), Key: r.file(name+".key", key)}
}

func (r *rig) spawn(name string, make func() actor.Actor) *actor.PID {
	r.t.Helper()
	pid, err := r.env.System.Root.SpawnNamed(r.env.Props("test", make), name)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = r.env.System.Root.StopFuture(pid).Wait() })
	return pid
}

func newRig(t *testing.T) *rig {
	t.Helper()
	pki, err := testpki.NewOCPP(time.Now(), "LC1", "CS-A", "CS-B")
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, pki: pki, dir: t.TempDir()}
	r.env = kit.NewEnv(zerolog.New(&r.log).Level(zerolog.WarnLevel))
	for _, name := range []string{msg.EMS, msg.Balancer} {
		r.spawn(name, func() actor.Actor { return actor.ReceiveFunc(func(actor.Context) {}) })
	}
	r.spawn(msg.Recorder, func() actor.Actor { return actor.ReceiveFunc(empty) })
	r.sink = r.spawn("sink", func() actor.Actor { return actor.ReceiveFunc(func(actor.Context) {}) })

	root := r.file("root.pem", pki.Root.CertPEM())
	north, err := tlsfile.NewServer(tlsfile.ServerFiles{Pairs: []tlsfile.Pair{r.pair("csms", pki.CSMS)}, ClientCA: root}, nil)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.csms = r.spawn("csms", csms.New(r.env, csms.Config{Listener: l, Path: "/ocpp", TLS: north.Config(), Decide: func(station string, q rpc.Message) rpc.Message {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.decide == nil {
			return nil
		}
		return r.decide(station, q)
	}}))

	own := r.pair("controller", pki.Controller)
	up, err := tlsfile.CSMS(root, own)
	if err != nil {
		t.Fatal(err)
	}
	two, err := tlsfile.NewServer(tlsfile.ServerFiles{Pairs: []tlsfile.Pair{own}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	three, err := tlsfile.NewServer(tlsfile.ServerFiles{Pairs: []tlsfile.Pair{own}, ClientCA: root}, nil)
	if err != nil {
		t.Fatal(err)
	}
	hash, err := password.Hash(hashedPassword)
	if err != nil {
		t.Fatal(err)
	}
	opened := make(chan net.Addr, 3)
	r.spawn(msg.Controller, controller.New(r.env, controller.Config{Listen: "127.0.0.1:0", Opened: func(a net.Addr) { opened <- a }, Path: "/ocpp",
		Listeners: []controller.Listener{{Addr: "127.0.0.1:0", Profile: controller.ProfileTLS, TLS: two.Config()},
			{Addr: "127.0.0.1:0", Profile: controller.ProfileCertificate, TLS: r.see(three.Config())}},
		CSMS: &controller.CSMS{URL: "wss://" + l.Addr().String() + "/ocpp", Current: func() *tls.Config { return up }}, Volts: 230, NewID: ws.NewID, Stats: ocppstat.New(r.env),
		Stations: []controller.Station{{ID: "CS-A", Fallback: 6, MaxAmps: 32, Phases: 3, Password: hash}, {ID: "CS-B", Fallback: 6, MaxAmps: 32, Phases: 3, Password: plainPassword}},
		Backoff:  kit.Backoff{Min: 10 * time.Millisecond, Max: 50 * time.Millisecond}}))
	for range 3 {
		select {
		case a := <-opened:
			r.addrs = append(r.addrs, a.String())
		case <-time.After(10 * time.Second):
			t.Fatal("the controller does not listen")
		}
	}
	t.Cleanup(func() {
		for _, p := range r.open {
			p.Close(1000, "")
		}
		for _, p := range r.open {
			p.Wait()
		}
	})
	return r
}

// dial connects a station and returns the HTTP status with which it is refused, 101 when it is in, 0 without any.
func (r *rig) dial(profile int, secure bool, id string, cert *testpki.Entity, pass string, change func(*tls.Config)) (int, error) {
	r.t.Helper()
	t := ws.Target{URL: "ws://" + r.addrs[profile-1] + "/ocpp", Identity: id, Subprotocols: []string{"ocpp2.0.1"}}
	if secure {
		roots := x509.NewCertPool()
		roots.AddCert(r.pki.Root.Cert)
		t.URL, t.TLS = "wss://"+r.addrs[profile-1]+"/ocpp", &tls.Config{RootCAs: roots}
		if cert != nil {
			t.TLS.Certificates = []tls.Certificate{cert.TLS()}
		}
		if change != nil {
			change(t.TLS)
		}
	}
	if pass != "" {
		t.Authorization = ws.Basic(id, pass)
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), 20*time.Second)
	defer cancel()
	p, err := ws.Dial(ctx, t)
	var no *ws.Refused
	switch {
	case errors.As(err, &no):
		return no.Status, err
	case err != nil:
		return 0, err
	}
	p.Attach(r.env.System.Root, r.sink)
	r.open = append(r.open, p)
	if p.Subprotocol() != "ocpp2.0.1" {
		r.t.Errorf("subprotocol %q", p.Subprotocol())
	}
	return http.StatusSwitchingProtocols, nil
}

// Each listener lets in who its profile lets in, and each of them reaches the CSMS, which asks for the controller's certificate.
func TestSecurityProfiles(t *testing.T) {
	r := newRig(t)
	a, b := r.pki.Stations[0], r.pki.Stations[1]
	stranger, err := testpki.NewOCPP(time.Now(), "LC1", "CS-A")
	if err != nil {
		t.Fatal(err)
	}
	expired, err := r.pki.Issue(testpki.Subject{Name: "expired", CommonName: "CS-A", NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour),
		ExtUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil {
		t.Fatal(err)
	}
	old := func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }
	for _, c := range []struct {
		name    string
		profile int
		tls     bool
		id      string
		cert    *testpki.Entity
		pass    string
		change  func(*tls.Config)
		want    int
	}{
		{"1: password that is stored as a hash", 1, false, "CS-A", nil, hashedPassword, nil, 101},
		{"1: password that is stored as it is", 1, false, "CS-B", nil, plainPassword, nil, 101},
		{"1: password of another station", 1, false, "CS-A", nil, plainPassword, nil, 401},
		{"1: no password", 1, false, "CS-A", nil, "", nil, 401},
		{"1: the hash is no password", 1, false, "CS-A", nil, "$2a$10$abcdefghijklmnopqrstuv", nil, 401},
		{"1: TLS is not spoken", 1, true, "CS-A", nil, hashedPassword, nil, 0},
		{"2: TLS and password", 2, true, "CS-A", nil, hashedPassword, nil, 101},
		{"2: wrong password", 2, true, "CS-A", nil, plainPassword, nil, 401},
		{"2: no password", 2, true, "CS-B", nil, "", nil, 401},
		{"2: a certificate replaces no password", 2, true, "CS-A", a, "", nil, 401},
		{"2: no TLS", 2, false, "CS-A", nil, hashedPassword, nil, 400},
		{"2: TLS 1.1", 2, true, "CS-A", nil, hashedPassword, old, 0},
		{"3: own certificate", 3, true, "CS-A", a, "", nil, 101},
		{"3: own certificate, the other station", 3, true, "CS-B", b, "", nil, 101},
		{"3: certificate of another station", 3, true, "CS-A", b, "", nil, 403},
		{"3: a password replaces no certificate", 3, true, "CS-A", nil, hashedPassword, nil, 0},
		{"3: certificate of another root", 3, true, "CS-A", stranger.Stations[0], "", nil, 0},
		{"3: certificate that has expired", 3, true, "CS-A", expired, "", nil, 0},
		{"3: unknown station with a certificate of ours", 3, true, "LC1", r.pki.Controller, "", nil, 404},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, err := r.dial(c.profile, c.tls, c.id, c.cert, c.pass, c.change); got != c.want {
				t.Errorf("status %d, want %d: %v", got, c.want, err)
			}
		})
	}
}

// Failed handshakes are counted all, logged a few, and no password stands in the log.
func TestRefusalsAreSeen(t *testing.T) {
	r := newRig(t)
	for range 20 {
		if got, _ := r.dial(3, true, "CS-A", nil, "", nil); got != 0 {
			t.Fatalf("status %d", got)
		}
	}
	for got, late := 0.0, time.After(20*time.Second); got < 20; { // the server notes it after the client has heard
		select {
		case <-late:
			t.Fatalf("%v failed handshakes are counted", got)
		case <-time.After(5 * time.Millisecond):
		}
		var m dto.Metric
		if err := r.env.Metrics.BadInput.WithLabelValues("station", "tls").Write(&m); err != nil {
			t.Fatal(err)
		}
		got = m.GetCounter().GetValue()
	}
	if n := r.log.with("certificate"); n < 1 || n > 5 {
		t.Errorf("%d lines are logged", n)
	}
	if got, _ := r.dial(2, true, "CS-A", nil, plainPassword, nil); got != http.StatusUnauthorized || r.log.with("the password is not") != 1 || r.log.with(plainPassword) != 0 {
		t.Errorf("status %d, %q", got, r.log.all)
	}
}

// A certificate that is renewed in its files is used for the next connection; the open ones stay.
func TestCertificateIsRenewedWithoutRestart(t *testing.T) {
	r := newRig(t)
	var seen *x509.Certificate
	see := func(c *tls.Config) {
		c.VerifyConnection = func(s tls.ConnectionState) error { seen = s.PeerCertificates[0]; return nil }
	}
	if got, err := r.dial(2, true, "CS-A", nil, hashedPassword, see); got != 101 || !seen.Equal(r.pki.Controller.Cert) {
		t.Fatalf("status %d, %v", got, err)
	}
	renewed, err := r.pki.Issue(testpki.Subject{Name: "controller", CommonName: "LC1", Hosts: []string{"127.0.0.1"}, ExtUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}})
	if err != nil {
		t.Fatal(err)
	}
	r.pair("controller", renewed)
	tick := time.NewTicker(50 * time.Millisecond) // the files are looked at once a second
	defer tick.Stop()
	for late := time.After(20 * time.Second); !seen.Equal(renewed.Cert); {
		select {
		case <-tick.C:
			if got, err := r.dial(2, true, "CS-B", nil, plainPassword, see); got != 101 {
				t.Fatalf("status %d, %v", got, err)
			}
		case <-late:
			t.Fatal("the renewed certificate is not used")
		}
	}
	if !r.open[0].Send([]byte(`[2,"1","Heartbeat",{}]`)) {
		t.Error("the open connection was closed")
	}
}
