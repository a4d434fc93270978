// Package outage cuts the way to the operator's cloud while vehicles charge at third-party stations, and looks at what the
// cloud has in the end: everything, in order, and no repeat that differs. It does so in virtual time, over loopback, over IP
// that loses, delays and repeats packets, and with a controller that is killed.
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

	"github.com/asynkron/protoactor-go/actor"
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
	"github.com/voltyard/voltyard/test/virtual"
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

// waiting is the key of a message that was not delivered, "" for none.
func (d *disk) waiting() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	for key := range d.data {
		if strings.Contains(key, "/queue/") {
			return key
		}
	}
	return ""
}

func (d *disk) fill(full bool) {
	d.mu.Lock()
	d.full = full
	d.mu.Unlock()
}

// yard is twenty stations, a controller, a cloud, and the wire between the last two.
type yard struct {
	t       *testing.T
	env     *kit.Env
	disk    *disk
	wire    *wire
	record  *csms.Record
	draws   [stations]atomic.Int64 // mA
	ended   atomic.Int64
	log     logged
	pace    pace
	pass    string
	control func() actor.Actor
	south   chan net.Addr            // where the controller listens
	at      atomic.Pointer[net.Addr] // likewise
	around  kit.Env                  // of what is not the controller's side
	visit   func(context.Context, string, string) (net.Conn, error)
}

// pace is how fast things go: virtual time costs nothing.
type pace struct {
	beat     time.Duration // between two looks
	come     time.Duration // until the vehicles come
	interval string        // of the stations' readings, s
	real     bool
	wire     ws.Options
	backoff  kit.Backoff
}

var (
	virtualTime = pace{beat: time.Second, come: 20 * time.Second, interval: "10"}
	wallClock   = pace{beat: 20 * time.Millisecond, come: time.Second, interval: "1", real: true,
		wire:    ws.Options{Ping: 300 * time.Millisecond, Write: 500 * time.Millisecond},
		backoff: kit.Backoff{Min: 50 * time.Millisecond, Max: 500 * time.Millisecond}}
)

func (y *yard) spawn(name string, make func() actor.Actor) {
	y.t.Helper()
	if !y.pace.real {
		kittest.Spawn(y.t, y.env, name, make)
		return
	}
	pid, err := y.env.System.Root.SpawnNamed(y.env.Props(name, make), name)
	if err != nil {
		y.t.Fatal(err)
	}
	y.t.Cleanup(func() { _ = y.env.System.Root.PoisonFuture(pid).Wait() })
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

func (l *logged) tail(n int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := strings.Split(l.text.String(), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

func id(i int) string { return fmt.Sprintf("CS-%02d", i) }

type setup struct {
	stay    bool
	profile controller.Profile // towards the cloud
	seed    uint64
	faults  []fault
	count   int
	gap     int
	land    *land  // nil for the network in memory
	pass    string // of all stations, which the cloud wants; "" for none
	stored  string // the same in the site file, or its hash
}

// land is the network that a yard is built on.
type land struct {
	pace  pace
	north net.Listener // of the cloud
	dial  func(context.Context, string, string) (net.Conn, error)
	wire  *wire // nil when faults come from elsewhere
	south func() (net.Listener, error)
	visit func(ctx context.Context, to net.Addr) (net.Conn, error)
}

func inMemory(t *testing.T, s setup) *land {
	t.Helper()
	mem := network.NewMemory()
	north, err := mem.ListenSECC(context.Background(), cloud)
	if err != nil {
		t.Fatal(err)
	}
	to := north.Addr().(*net.TCPAddr).AddrPort()
	w := newWire(s.seed, s.faults...)
	w.far = func(ctx context.Context) (net.Conn, error) { return mem.DialSECC(ctx, cloud, to) }
	w.pair = func(ctx context.Context) (near, out net.Conn, err error) {
		l, err := mem.ListenSECC(ctx, "wire")
		if err != nil {
			return nil, nil, err
		}
		defer l.Close()
		if out, err = mem.DialSECC(ctx, "wire", l.Addr().(*net.TCPAddr).AddrPort()); err == nil {
			near, err = l.Accept()
		}
		return near, out, err
	}
	return &land{pace: virtualTime, north: north, dial: w.dial, wire: w,
		south: func() (net.Listener, error) { return mem.ListenSECC(context.Background(), site) },
		visit: func(ctx context.Context, to net.Addr) (net.Conn, error) {
			return mem.DialSECC(ctx, site, to.(*net.TCPAddr).AddrPort())
		}}
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
	at := s.land
	if at == nil {
		at = inMemory(t, s)
	}
	y := &yard{t: t, env: env, disk: &disk{data: map[string][]byte{}}, record: csms.NewRecord(1<<20, nil), wire: at.wire, pace: at.pace}
	env.Log = zerolog.New(&y.log).Level(zerolog.WarnLevel)
	y.around = *env
	y.around.Log = zerolog.Nop()
	server, client := tlsPair(t, s.profile)
	scheme := "ws://localhost/ocpp"
	if client != nil {
		scheme = "wss://localhost/ocpp"
	}
	y.spawn("csms", csms.New(&y.around, csms.Config{Listener: at.north, Path: "/ocpp", Record: y.record, Password: s.pass, TLS: server, Wire: y.pace.wire}))
	if s.gap > 0 {
		y.wire.gap = s.gap
	}
	y.spawn(msg.Balancer, func() actor.Actor { return &kittest.Probe{} })
	y.spawn(msg.Recorder, recorder.New(env, y.disk))
	y.south = make(chan net.Addr, 1)
	var listed []controller.Station
	for i := range stations {
		listed = append(listed, controller.Station{ID: id(i), Fallback: 6, MaxAmps: 32, Phases: 3, Password: s.stored})
	}
	y.pass = s.pass
	y.control = controller.New(env, controller.Config{Listen: "stations", Path: "/ocpp", Stay: s.stay, Stations: listed, Volts: 230,
		CSMS: &controller.CSMS{URL: scheme, Dial: at.dial, TLS: client}, NewID: ws.NewID, Stats: ocppstat.New(env), Wire: y.pace.wire, Backoff: y.pace.backoff,
		Bind: func(string) (net.Listener, error) {
			l, err := at.south()
			if err == nil {
				y.south <- l.Addr()
			}
			return l, err
		}})
	y.spawn(msg.Controller, y.control)
	to := <-y.south
	y.at.Store(&to)
	y.visit = func(ctx context.Context, _, _ string) (net.Conn, error) { return at.visit(ctx, *y.at.Load()) }
	for i := range stations {
		y.spawn(id(i), y.station(&y.around, i, y.visit, "ws://site/ocpp"))
	}
	y.until("all charging at once", time.Hour, y.allCharging)
	if y.wire != nil {
		y.wire.begin(s.count)
	}
	return y
}

// station makes a station with one vehicle that stays until it is told to leave.
func (y *yard) station(env *kit.Env, i int, dial func(ctx context.Context, network, addr string) (net.Conn, error), url string) func() actor.Actor {
	return station.New(env, station.Config{URL: url, Identity: id(i), Password: y.pass, MaxAmps: 32, NewID: ws.NewID, Dial: dial,
		Variables: map[string]string{"SampledDataCtrlr.TxUpdatedInterval": y.pace.interval},
		Load:      func(p si.Phases) { y.draws[i].Store(int64(1000 * p.Highest())) },
		Ended:     func(si.WattHours) { y.ended.Add(1) },
		Visits:    []station.Visit{{After: y.pace.come, EVSE: 1, Token: "04D5E6F7", Car: station.Car{MaxAmps: 16, Phases: 3}}}})
}

// limit is how long something may take: on the wall clock three minutes.
func (p pace) limit(d time.Duration) time.Duration {
	if p.real {
		return min(d, 3*time.Minute) // a call that was lost takes half a minute to time out, and the pause before the next connection as long
	}
	return d
}

// until lets time pass until something comes true.
func (y *yard) until(what string, most time.Duration, ok func() bool) {
	y.t.Helper()
	for end := time.Now().Add(y.pace.limit(most)); !ok(); <-time.After(y.pace.beat) {
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
	if !y.pace.real {
		time.Sleep(30 * time.Minute)
		return
	}
	t := y.t
	t.Cleanup(func() {
		for i := range stations {
			for _, wrong := range y.record.CheckTransactions(id(i), true) {
				if t.Failed() {
					t.Log("the cloud lacks: ", wrong)
				}
			}
		}
	})
	y.until("the delivery of all events", time.Hour, func() bool {
		for i := range stations {
			if len(y.record.CheckTransactions(id(i), true)) > 0 {
				return false
			}
		}
		return y.disk.waiting() == ""
	})
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
	y.t.Logf("%d events, %d of them repeats", events, repeats)
	if y.wire != nil {
		y.t.Logf("faults of the link (cut, drop, stall, half open): %v", y.wire.count)
	}
	least := stations * 10
	if virtual.Fewer() {
		least = stations * 4
	}
	if events < least {
		y.t.Errorf("only %d events: nothing was tested", events)
	}
	if key := y.disk.waiting(); key != "" {
		y.t.Errorf("%q still waits on disk", key)
	}
	if y.t.Failed() {
		y.t.Log(y.log.tail(60))
	}
}
