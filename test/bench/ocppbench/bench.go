package ocppbench

import (
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/voltyard/voltyard/test/bench/benchkit"
)

// Result is what the bench prints.
type Result struct {
	Bench     string  `json:"bench"`
	Stations  int     `json:"stations"`
	Calls     float64 `json:"calls_per_s"`  // relayed and understood, all stations sending as fast as they are answered
	AddedP50  float64 `json:"added_p50_ms"` // at 200 stations with an event a second each, against a direct connection
	AddedP99  float64 `json:"added_p99_ms"`
	DirectP99 float64 `json:"direct_p99_ms"`
	RSS       float64 `json:"rss_kb_per_station"`
	RSSTLS    float64 `json:"rss_kb_per_station_tls"` // TLS towards the stations and towards the CSMS
	Timeouts  int     `json:"timeouts_delivered"`     // of Stations mute ones, all at the same time
	Healthy   float64 `json:"healthy_p99_ms_during_timeouts"`
	Ready     float64 `json:"ready_ms"` // from the start of the program to the first connection it takes
	Lateness  float64 `json:"lateness_p99_ms"`
}

// paced is how many stations the latency is measured with.
const paced = 200

// Run is the bench.
func Run(args []string) (any, error) {
	fl := flag.NewFlagSet("ocpp", flag.ContinueOnError)
	stations := fl.Int("stations", 1000, "stations")
	seconds := fl.Int("seconds", 20, "of the phase with as many events as go through")
	if err := fl.Parse(args); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "ocppbench")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary, err := build(dir)
	if err != nil {
		return nil, err
	}
	r := Result{Bench: "ocpp", Stations: *stations}
	stop := benchkit.Lateness()
	for _, phase := range []func(*Result, string, string, time.Duration) error{throughput, secure, latency, timeouts} {
		if err := phase(&r, binary, dir, time.Duration(*seconds)*time.Second); err != nil {
			return nil, err
		}
	}
	r.Lateness = stop()
	return r, nil
}

// world is a CSMS, a controller in front of it, and stations.
type world struct {
	*csms
	*product
	stations []*station
}

func newWorld(binary, dir string, stations []string) (*world, error) {
	return newSecureWorld(binary, dir, "", nil, stations)
}

func newSecureWorld(binary, dir, pki string, t *tls.Config, stations []string) (*world, error) {
	c, err := newCSMS(t)
	if err != nil {
		return nil, err
	}
	p, err := start(binary, dir, c.url, pki, stations)
	if err != nil {
		c.close()
		return nil, err
	}
	return &world{csms: c, product: p}, nil
}

func (w *world) close() {
	for _, s := range w.stations {
		_ = s.ws.Close()
	}
	w.product.stop()
	w.csms.close()
}

func names(prefix string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprint(prefix, i)
	}
	return out
}

// connect connects stations, 20 at a time.
func connect(url, prefix string, t *tls.Config, n int) ([]*station, error) {
	out, errs := make([]*station, n), make([]error, n)
	slots := make(chan struct{}, 20)
	var wg sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			s, err := dial(url, fmt.Sprint(prefix, i), t)
			if err == nil {
				err = s.boot()
			}
			out[i], errs[i] = s, err
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// throughput has every station send events as fast as they are answered; before that, with all connected, it weighs them.
func throughput(r *Result, binary, dir string, d time.Duration) error {
	w, err := newWorld(binary, dir, names("S", r.Stations))
	if err != nil {
		return err
	}
	defer w.close()
	r.Ready = benchkit.Millis(w.ready)
	if r.RSS, err = w.weigh(r.Stations, nil); err != nil {
		return err
	}

	var done atomic.Bool
	var failed atomic.Int64
	var wg sync.WaitGroup
	before, began := w.events.Load(), time.Now()
	for _, s := range w.stations {
		wg.Go(func() {
			for !done.Load() {
				if s.event() != nil {
					failed.Add(1)
					return
				}
			}
		})
	}
	time.Sleep(d)
	r.Calls = float64(w.events.Load()-before) / time.Since(began).Seconds()
	done.Store(true)
	wg.Wait()
	if n := failed.Load(); n > 0 {
		return fmt.Errorf("%d stations lost their connection: %s", n, w.log)
	}
	return nil
}

// weigh connects stations and returns what each costs in memory, KB, after its first event.
func (w *world) weigh(n int, t *tls.Config) (float64, error) {
	time.Sleep(time.Second)
	empty, err := w.rss()
	if err != nil {
		return 0, err
	}
	if w.stations, err = connect(w.product.url, "S", t, n); err != nil {
		return 0, err
	}
	for _, s := range w.stations {
		if err := s.event(); err != nil {
			return 0, fmt.Errorf("station %s: %w", s.id, err)
		}
	}
	full, err := w.rss()
	return (full - empty) / float64(n), err
}

// secure weighs connections with TLS on both sides, with the certificates of a test PKI.
func secure(r *Result, binary, dir string, _ time.Duration) error {
	pki := filepath.Join(dir, "pki")
	if out, err := exec.Command(binary, "pki", "init", pki).CombinedOutput(); err != nil {
		return fmt.Errorf("pki init: %w: %s", err, out)
	}
	cloud, err := tls.LoadX509KeyPair(filepath.Join(pki, "ocpp", "csms-chain.pem"), filepath.Join(pki, "ocpp", "csms.key"))
	if err != nil {
		return err
	}
	pem, err := os.ReadFile(filepath.Join(pki, "ocpp", "ocpp-root.pem"))
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	w, err := newSecureWorld(binary, dir, pki, &tls.Config{Certificates: []tls.Certificate{cloud}, MinVersion: tls.VersionTLS12}, names("S", r.Stations))
	if err != nil {
		return err
	}
	defer w.close()
	r.RSSTLS, err = w.weigh(r.Stations, &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12})
	return err
}

// pace sends an event a second from each station and returns how long the answers took.
func pace(stations []*station, d time.Duration) ([]time.Duration, error) {
	var mu sync.Mutex
	var all []time.Duration
	var lost error
	var wg sync.WaitGroup
	for i, s := range stations {
		wg.Go(func() {
			next := time.Now().Add(time.Duration(i) * time.Second / time.Duration(len(stations)))
			for end := next.Add(d); next.Before(end); next = next.Add(time.Second) {
				time.Sleep(time.Until(next))
				began := time.Now()
				err := s.event()
				took := time.Since(began)
				mu.Lock()
				if err != nil {
					lost = err
				}
				all = append(all, took)
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return all, lost
}

// latency compares 200 stations at the CSMS itself with the same behind the controller.
func latency(r *Result, binary, dir string, d time.Duration) error {
	n := min(paced, r.Stations)
	w, err := newWorld(binary, dir, names("S", n))
	if err != nil {
		return err
	}
	defer w.close()
	direct, err := connect(w.csms.url, "D", nil, n)
	if err != nil {
		return err
	}
	straight, err := pace(direct, d)
	for _, s := range direct {
		_ = s.ws.Close()
	}
	if err != nil {
		return err
	}
	if w.stations, err = connect(w.product.url, "S", nil, n); err != nil {
		return err
	}
	through, err := pace(w.stations, d)
	if err != nil {
		return err
	}
	r.DirectP99 = benchkit.Quantile(straight, 0.99)
	r.AddedP50 = benchkit.Quantile(through, 0.5) - benchkit.Quantile(straight, 0.5)
	r.AddedP99 = benchkit.Quantile(through, 0.99) - r.DirectP99
	return nil
}

// timeouts connects stations that never answer. The controller asks each of them something of its own at once and holds a
// call of the CSMS back until that has timed out: a call that arrives is a time-out that was delivered.
func timeouts(r *Result, binary, dir string, _ time.Duration) error {
	n := min(paced, r.Stations)
	w, err := newWorld(binary, dir, append(names("H", n), names("M", r.Stations)...))
	if err != nil {
		return err
	}
	defer w.close()
	healthy, err := connect(w.product.url, "H", nil, n)
	if err != nil {
		return err
	}
	w.stations = healthy
	var delivered atomic.Int64
	for i := range r.Stations {
		s, err := dial(w.product.url, fmt.Sprint("M", i), nil)
		if err != nil {
			return err
		}
		s.mute = true
		var once sync.Once
		s.triggered = func() { once.Do(func() { delivered.Add(1) }) }
		w.stations = append(w.stations, s)
	}
	var wg sync.WaitGroup
	for _, s := range w.stations[n:] {
		wg.Go(func() {
			if s.boot() == nil {
				go s.listen()
				time.Sleep(500 * time.Millisecond)
				w.call(s.id, "T-"+s.id)
			}
		})
	}
	took, err := pace(healthy, 12*time.Second)
	wg.Wait()
	if err != nil {
		return err
	}
	r.Timeouts, r.Healthy = int(delivered.Load()), benchkit.Quantile(took, 0.99)
	return nil
}
