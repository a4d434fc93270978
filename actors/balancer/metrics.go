package balancer

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/site/allocate"
)

const unreachable = allocate.Unreachable

type metrics struct {
	decide   prometheus.Histogram
	reaction prometheus.Histogram
	grants   prometheus.Counter
	changes  prometheus.Counter
}

func newMetrics(env *kit.Env) *metrics {
	m := &metrics{
		decide: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "voltyard_balancer_decision_seconds", Help: "Time of one decision.", Buckets: prometheus.ExponentialBuckets(20e-6, 3, 10)}),
		reaction: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "voltyard_limit_reaction_seconds",
			Help: "Time from receiving a limit to the set-points that it caused.", Buckets: prometheus.ExponentialBuckets(100e-6, 3, 10)}),
		grants:  prometheus.NewCounter(prometheus.CounterOpts{Name: "voltyard_grants_total", Help: "Grants sent."}),
		changes: prometheus.NewCounter(prometheus.CounterOpts{Name: "voltyard_limit_changes_total", Help: "Limits from outside that were accepted or released."}),
	}
	env.Metrics.Registry.MustRegister(m.decide, m.reaction, m.grants, m.changes)
	return m
}

func (m *metrics) react(d time.Duration) {
	m.reaction.Observe(d.Seconds())
}
