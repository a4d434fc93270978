package main

import (
	"math"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// summary is the one JSON object that `demo --json` prints.
type summary struct {
	EVSEs             int            `json:"evses"`
	Stations          int            `json:"stations"`
	SessionsStarted   int            `json:"sessions_started"`
	SessionsCompleted int            `json:"sessions_completed"`
	SessionsFailed    int            `json:"sessions_failed"`
	Protocols         map[string]int `json:"protocols"`
	EnergyCharged     float64        `json:"energy_charged_wh"`
	EnergyDischarged  float64        `json:"energy_discharged_wh"`
	SiteLimit         *float64       `json:"site_limit_w"`
	PeakSitePower     float64        `json:"peak_site_power_w"`
	LimitViolations   int            `json:"limit_violations"`
	LimitChanges      int            `json:"limit_changes"`
	ReactionP99       float64        `json:"reaction_ms_p99"`
	OCPPCalls         int            `json:"ocpp_calls"`
	OCPPErrors        int            `json:"ocpp_errors"`
	MQTTPublished     int            `json:"mqtt_published"`
	Restarts          int            `json:"restarts"`
	Unacknowledged    int            `json:"transactions_unacknowledged"`
}

// figures are the metrics of a process, by name.
type figures map[string]*dto.MetricFamily

func gather(reg *prometheus.Registry) figures {
	out := figures{}
	families, _ := reg.Gather() // what can be gathered is returned with the error
	for _, f := range families {
		out[f.GetName()] = f
	}
	return out
}

// sum adds up a counter or gauge over its labels.
func (f figures) sum(name string) float64 {
	total := 0.0
	if fam := f[name]; fam != nil {
		for _, m := range fam.GetMetric() {
			total += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return total
}

// quantile estimates a quantile of a histogram: the upper edge of the bucket it falls in, 0 when nothing was observed.
func (f figures) quantile(name string, q float64) float64 {
	fam := f[name]
	if fam == nil || len(fam.GetMetric()) == 0 {
		return 0
	}
	h := fam.GetMetric()[0].GetHistogram()
	rank := uint64(math.Ceil(q * float64(h.GetSampleCount())))
	if rank == 0 {
		return 0
	}
	for _, b := range h.GetBucket() {
		if b.GetCumulativeCount() >= rank {
			return b.GetUpperBound()
		}
	}
	return h.GetSampleSum() // above the last edge: at most the sum of all
}

// round keeps three significant decimals for people.
func round(v float64) float64 { return math.Round(v*1000) / 1000 }
