package kit

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Metrics are the figures every actor shares. Actors register their own with Registry.
type Metrics struct {
	Registry *prometheus.Registry
	Panics   *prometheus.CounterVec // by actor kind
	Respawns *prometheus.CounterVec // by actor kind
	BadInput *prometheus.CounterVec // by where it came in and why it was refused

	wait    *prometheus.HistogramVec
	service *prometheus.HistogramVec
}

// NewMetrics makes a fresh registry with the shared figures and those of the Go runtime.
func NewMetrics() *Metrics {
	m := &Metrics{
		Registry: prometheus.NewRegistry(),
		Panics:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "voltyard_actor_panics_total", Help: "Actors that failed."}, []string{"kind"}),
		Respawns: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "voltyard_actor_respawns_total", Help: "Actors started again after a failure."}, []string{"kind"}),
		BadInput: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "voltyard_bad_input_total", Help: "Input that was refused."}, []string{"where", "why"}),
		wait: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "voltyard_mailbox_wait_seconds",
			Help: "Time from posting a message to the start of its handling.", Buckets: prometheus.ExponentialBuckets(10e-6, 4, 9)}, []string{"kind"}),
		service: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "voltyard_message_service_seconds",
			Help: "Time an actor takes for one message.", Buckets: prometheus.ExponentialBuckets(10e-6, 4, 9)}, []string{"kind"}),
	}
	m.Registry.MustRegister(m.Panics, m.Respawns, m.BadInput, m.wait, m.service,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// mailboxProbe measures how long messages wait. It remembers the posting times of a bounded number of them; while a
// mailbox is longer than that, the rest goes unmeasured.
type mailboxProbe struct {
	observe func(float64)
	mu      sync.Mutex
	posted  []time.Time
	skip    int
}

const probeDepth = 256

func newMailboxProbe(m *Metrics, kind string) *mailboxProbe {
	return &mailboxProbe{observe: m.wait.WithLabelValues(kind).Observe}
}

func (p *mailboxProbe) MailboxStarted() {}
func (p *mailboxProbe) MailboxEmpty()   {}

func (p *mailboxProbe) MessagePosted(any) {
	p.mu.Lock()
	if len(p.posted) < probeDepth {
		p.posted = append(p.posted, time.Now())
	} else {
		p.skip++
	}
	p.mu.Unlock()
}

func (p *mailboxProbe) MessageReceived(any) {
	p.mu.Lock()
	var t time.Time
	switch {
	case len(p.posted) > 0:
		t = p.posted[0]
		p.posted = append(p.posted[:0], p.posted[1:]...)
	case p.skip > 0:
		p.skip--
	}
	p.mu.Unlock()
	if !t.IsZero() {
		p.observe(time.Since(t).Seconds())
	}
}
