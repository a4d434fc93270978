// Package outage cuts the way to the operator's cloud while vehicles charge at third-party stations, and looks at what the
// cloud has in the end: everything, in order, and no repeat that differs. It runs in virtual time.
package outage

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/voltyard/voltyard/actors/controller"
	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/kittest"
	"github.com/voltyard/voltyard/actors/kit/network"
	"github.com/voltyard/voltyard/actors/kit/ocppstat"
	"github.com/voltyard/voltyard/actors/kit/ws"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/actors/recorder"
	"github.com/voltyard/voltyard/actors/sim/csms"
	"github.com/voltyard/voltyard/actors/sim/station"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/iso15118/pki/testpki"
	"github.com/voltyard/voltyard/storage/bolt"
)

const (
	stations = 20
	cloud    = "cloud" // interfaces of the network in memory
	site     = "site"
)

// disk is a database in memory that can be full.
type disk struct {
	mu   sync.Mutex
	full bool
	data map[string][]byte
	no   int // refused writes
}

var errFull = errors.New("write database: no space left on device")

func (d *disk) Apply(ops []bolt.Op) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.full {
		d.no++
		return errFull
	}
	for _, op := range ops {
		key := op.Bucket + "\x00" + string(op.Key)
		if op.Value == nil {
			delete(d.data, key)
		} else {
			d.data[key] = append([]byte{}, op.Value...)
		}
	}
	return nil
}

func (d *disk) Scan(bucket string, prefix []byte) ([]bolt.KV, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []bolt.KV
	for k, v := range d.data {
		if key, ok := strings.CutPrefix(k, bucket+"\x00"); ok && strings.HasPrefix(key, string(prefix)) {
			out = append(out, bolt.KV{Key: []byte(key), Value: v})
		}
	}
	return out, nil
}

func (d *disk) Size() int64 { return 0 }

func (d *disk) fill(full bool) {
	d.mu.Lock()
	d.full = full
	d.mu.Unlock()
}

// yard is twenty stations, a controller, a cloud, and the wire between the last two.
type yard struct {
	t      *testing.T
	env    *kit.Env
	disk   *disk
	wire   *wire
	record *csms.Record
	draws  [stations]atomic.Int64 // mA
	ended  atomic.Int64
	log    logged
}

// logged keeps what the controller's side says.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) has(s string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), s)
}

func id(i int) string { return fmt.Sprintf("CS-%02d", i) }

type setup struct {
	stay    bool
	profile controller.Profile // towards the cloud
	seed    uint64
	faults  []fault
	count   int
	gap     int
}

// tlsPair is what both ends of the northern connection use.
func tlsPair(t *testing.T, p controller.Profile) (server, client *tls.Config) {
	t.Helper()
	if p < controller.ProfileTLS {
		return nil, nil
	}
	pki, err := testpki.NewOCPP(time.Now(), "LC1")
	if err != nil {
		t.Fatal(err)
	}
	load := func(e *testpki.Entity) tls.Certificate {
		key, err := e.KeyPEM()
		if err != nil {
			t.Fatal(err)
		}
		c, err := tls.X509KeyPair(e.CertPEM(), key)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pki.Root.CertPEM())
	server = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{load(pki.CSMS)}}
	client = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	if p == controller.ProfileCertificate {
		server.ClientAuth, server.ClientCAs = tls.RequireAndVerifyClientCert, roots
		client.Certificates = []tls.Certificate{load(pki.Controller)}
	}
	return server, client
}

func newYard(t *testing.T, env *kit.Env, s setup) *yard {
	t.Helper()
	y := &yard{t: t, env: env, disk: &disk{data: map[string][]byte{}}, record: csms.NewRecord(1<<20, nil)}
	env.Log = zerolog.New(&y.log).Level(zerolog.WarnLevel)
	mem := network.NewMemory()
	around := *env
	around.Log = zerolog.Nop()
	north, err := mem.ListenSECC(context.Background(), cloud)
	if err != nil {
		t.Fatal(err)
	}
	server, client := tlsPair(t, s.profile)
	scheme := "ws://localhost/ocpp"
	if client != nil {
		scheme = "wss://localhost/ocpp"
	}
	kittest.Spawn(t, env, "csms", csms.New(&around, csms.Config{Listener: north, Path: "/ocpp", Record: y.record, TLS: server}))
	y.wire = newWire(mem, north.Addr().(*net.TCPAddr).AddrPort(), s.seed, s.faults...)
	if s.gap > 0 {
		y.wire.gap = s.gap
	}
	kittest.NewProbe(t, env, msg.Balancer, nil)
	kittest.Spawn(t, env, msg.Recorder, recorder.New(env, y.disk))
	south := make(chan *net.TCPAddr, 1)
	var listed []controller.Station
	for i := range stations {
		listed = append(listed, controller.Station{ID: id(i), Fallback: 6, MaxAmps: 32, Phases: 3})
	}
	kittest.Spawn(t, env, msg.Controller, controller.New(env, controller.Config{Listen: "stations", Path: "/ocpp", Stay: s.stay, Stations: listed, Volts: 230,
		CSMS: &controller.CSMS{URL: scheme, Dial: y.wire.dial, TLS: client}, NewID: ws.NewID, Stats: ocppstat.New(env),
		Bind: func(string) (net.Listener, error) {
			l, err := mem.ListenSECC(context.Background(), site)
			if err == nil {
				south <- l.Addr().(*net.TCPAddr)
			}
			return l, err
		}}))
	at := (<-south).AddrPort()
	for i := range stations {
		kittest.Spawn(t, env, id(i), station.New(&around, station.Config{URL: "ws://site/ocpp", Identity: id(i), MaxAmps: 32, NewID: ws.NewID,
			Variables: map[string]string{"SampledDataCtrlr.TxUpdatedInterval": "10"},
			Dial:      func(ctx context.Context, _, _ string) (net.Conn, error) { return mem.DialSECC(ctx, site, at) },
			Load:      func(p si.Phases) { y.draws[i].Store(int64(1000 * p.Highest())) },
			Ended:     func(si.WattHours) { y.ended.Add(1) },
			Visits:    []station.Visit{{After: 20 * time.Second, EVSE: 1, Token: "04D5E6F7", Car: station.Car{MaxAmps: 16, Phases: 3}}}}))
	}
	y.until("all charging at once", time.Hour, y.allCharging)
	y.wire.begin(s.count)
	return y
}

// until lets virtual time pass until something comes true.
func (y *yard) until(what string, most time.Duration, ok func() bool) {
	y.t.Helper()
	for end := time.Now().Add(most); !ok(); time.Sleep(time.Second) {
		if time.Now().After(end) {
			y.t.Fatalf("%s did not come true within %v", what, most)
		}
	}
}

func (y *yard) allCharging() bool {
	for i := range y.draws {
		if y.draws[i].Load() < 5000 {
			return false
		}
	}
	return true
}

// leave ends all transactions and waits until the cloud has had time to hear all of it.
func (y *yard) leave() {
	y.t.Helper()
	for i := range stations {
		y.env.Send(id(i), station.Leave{EVSE: 1})
	}
	y.until("the end of all transactions", time.Hour, func() bool { return y.ended.Load() == stations })
	time.Sleep(30 * time.Minute)
}

// check compares what the cloud has with what happened.
func (y *yard) check() {
	y.t.Helper()
	events, repeats := 0, 0
	for i := range stations {
		for _, wrong := range y.record.CheckTransactions(id(i), true) {
			y.t.Error(wrong)
		}
		n, all, again := transactions(y.t, y.record.Requests(id(i), "TransactionEvent"))
		if n != 1 {
			y.t.Errorf("%s: the cloud knows %d transactions, want 1", id(i), n)
		}
		events, repeats = events+all, repeats+again
	}
	for _, f := range y.record.Faults() {
		y.t.Error(f)
	}
	y.t.Logf("%d events, %d of them repeats; faults of the link (cut, drop, stall, half open): %v", events, repeats, y.wire.count)
	if events < stations*10 {
		y.t.Errorf("only %d events: nothing was tested", events)
	}
	for key := range y.disk.data {
		if strings.Contains(key, "/queue/") {
			y.t.Errorf("%q still waits on disk", key)
		}
	}
	if y.t.Failed() {
		y.t.Log(y.log.text.String())
	}
}
