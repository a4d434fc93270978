// Package ocppstat holds the figures that all OCPP actors share: calls, errors, messages that the cloud does not have
// yet, transactions of third-party stations. It is made once per process; the controller and the station roles write,
// metrics and the demo's summary read.
package ocppstat

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/voltyard/voltyard/actors/kit"
)

// Stats are the figures. Its methods may be called from any goroutine; the writing ones do nothing on nil.
type Stats struct {
	calls  *prometheus.CounterVec
	errors *prometheus.CounterVec

	mu       sync.Mutex
	waiting  map[string]int
	sums     Sums
	unsolved map[string]bool // transactions of third-party stations that run
}

// Sums are the figures of the demo's summary.
type Sums struct {
	Calls, Errors               int
	Started, Completed, Stopped int // transactions of third-party stations; Stopped by a fault
	EnergyWh                    float64
}

// New makes the figures and registers them.
func New(env *kit.Env) *Stats {
	s := &Stats{
		calls:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "voltyard_ocpp_calls_total", Help: "OCPP requests, by who sent them."}, []string{"by"}),
		errors:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "voltyard_ocpp_errors_total", Help: "OCPP messages that were faulty, refused or not answered."}, []string{"at"}),
		waiting: map[string]int{}, unsolved: map[string]bool{},
	}
	env.Metrics.Registry.MustRegister(s.calls, s.errors, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "voltyard_ocpp_unacknowledged",
		Help: "Transaction messages that the cloud has not acknowledged."}, func() float64 { return float64(s.Unacknowledged()) }))
	return s
}

// Call counts a request: by "station" (relayed or own), "csms" or "controller".
func (s *Stats) Call(by string) {
	if s == nil {
		return
	}
	s.calls.WithLabelValues(by).Inc()
	s.mu.Lock()
	s.sums.Calls++
	s.mu.Unlock()
}

// Fault counts an error at a station's connection.
func (s *Stats) Fault(at string) {
	if s == nil {
		return
	}
	s.errors.WithLabelValues(at).Inc()
	s.mu.Lock()
	s.sums.Errors++
	s.mu.Unlock()
}

// Waiting says how many messages of a station the cloud does not have yet.
func (s *Stats) Waiting(station string, n int) {
	if s == nil {
		return
	}
	s.mu.Lock()
	s.waiting[station] = n
	s.mu.Unlock()
}

// Unacknowledged is their sum.
func (s *Stats) Unacknowledged() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, k := range s.waiting {
		n += k
	}
	return n
}

// Session counts a transaction of a third-party station.
func (s *Stats) Session(station, tx string, ended, failed bool, wh float64) {
	if s == nil {
		return
	}
	key := station + "/" + tx
	s.mu.Lock()
	defer s.mu.Unlock()
	if !ended {
		if !s.unsolved[key] && len(s.unsolved) < 10000 {
			s.unsolved[key] = true
			s.sums.Started++
		}
		return
	}
	if !s.unsolved[key] {
		return
	}
	delete(s.unsolved, key)
	s.sums.EnergyWh += wh
	if failed {
		s.sums.Stopped++
	} else {
		s.sums.Completed++
	}
}

// Running is how many transactions of third-party stations run.
func (s *Stats) Running() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.unsolved)
}

// Sums returns the figures so far.
func (s *Stats) Sums() Sums {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sums
}
