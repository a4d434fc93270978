package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal/si"
)

// monitor looks at the meters of the simulated world ten times a second, apart from the controller, writes the trace, and
// counts the moments in which a node was over its limit.
type monitor struct {
	world *world
	view  *kit.Cell[msg.SiteView]
	volts si.Volts
	trace *csv.Writer
	began time.Time

	mu         sync.Mutex
	inForce    map[string]*graced
	violations int
	first      string // the first violation, in words
	peak       si.Watts
	lowest     float64 // W, of the grid connection; +Inf while there was none
	stop       chan struct{}
	done       sync.WaitGroup
}

const (
	sampleEvery = 100 * time.Millisecond
	grace       = 5 * time.Second // after an external lowering
	slackAmps   = 0.01            // of rounding
)

var traceHeader = []string{"t_s", "kind", "id", "i1_a", "i2_a", "i3_a", "p_w", "limit_a", "limit_w"}

// graced is a limit that has been lowered: the higher value counts for a while.
type graced struct {
	now   float64
	was   float64
	until time.Time
}

// value is the limit that counts at t, when the limit in force is v.
func (g *graced) value(v float64, t time.Time) float64 {
	switch {
	case v < g.now:
		if t.After(g.until) {
			g.was = g.now
		}
		g.now, g.until = v, t.Add(grace)
	case v > g.now:
		g.now = v
	}
	if t.Before(g.until) {
		return max(g.was, g.now)
	}
	return g.now
}

func newMonitor(w *world, view *kit.Cell[msg.SiteView], volts si.Volts, trace io.Writer) (*monitor, error) {
	m := &monitor{world: w, view: view, volts: volts, began: time.Now(), inForce: map[string]*graced{}, lowest: math.Inf(1), stop: make(chan struct{})}
	if trace != nil {
		m.trace = csv.NewWriter(trace)
		if err := m.trace.Write(traceHeader); err != nil {
			return nil, fmt.Errorf("write trace: %w", err)
		}
	}
	m.done.Go(func() {
		t := time.NewTicker(sampleEvery)
		defer t.Stop()
		for {
			select {
			case <-m.stop:
				return
			case now := <-t.C:
				m.sample(now)
			}
		}
	})
	return m, nil
}

// close ends the sampling and flushes the trace.
func (m *monitor) close() error {
	close(m.stop)
	m.done.Wait()
	if m.trace == nil {
		return nil
	}
	m.trace.Flush()
	if err := m.trace.Error(); err != nil {
		return fmt.Errorf("write trace: %w", err)
	}
	return nil
}

func (m *monitor) sample(now time.Time) {
	v := m.view.Load()
	if v == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, n := range v.Nodes {
		c := m.world.wires.Current(n.ID)
		p := c.Power(m.volts)
		if n.Parent == "" {
			m.peak = max(m.peak, p)
			if n.LimitW != nil {
				m.lowest = min(m.lowest, *n.LimitW)
			}
		}
		m.check(now, n, c, p)
		m.row(now, "node", n.ID, c, p, lowestOf(n.LimitA), n.LimitW)
	}
	for _, e := range v.EVSEs {
		o := m.world.outlets[e.ID]
		if o == nil {
			continue
		}
		c := o.Draw()
		var a, w *float64
		if e.State != "available" && e.State != "unavailable" {
			x, y := float64(e.Limit), float64(e.LimitW)
			a, w = &x, &y
		}
		m.row(now, "evse", e.ID, c, c.Power(m.volts), a, w)
	}
}

func (m *monitor) check(now time.Time, n msg.NodeView, c si.Phases, p si.Watts) {
	over := ""
	for i, l := range n.LimitA {
		if l == nil {
			continue
		}
		if limit := m.graced(fmt.Sprintf("%s/%d", n.ID, i), *l, now); float64(c[i]) > limit+slackAmps {
			over = fmt.Sprintf("node %s L%d at %.2f A over %.2f A", n.ID, i+1, float64(c[i]), limit)
		}
	}
	if n.LimitW != nil {
		if limit := m.graced(n.ID+"/w", *n.LimitW, now); float64(p) > limit+slackAmps*float64(m.volts) {
			over = fmt.Sprintf("node %s at %.0f W over %.0f W", n.ID, float64(p), limit)
		}
	}
	if over != "" {
		m.violations++
		if m.first == "" {
			m.first = fmt.Sprintf("%.1f s: %s", now.Sub(m.began).Seconds(), over)
		}
	}
}

func (m *monitor) graced(key string, v float64, now time.Time) float64 {
	g := m.inForce[key]
	if g == nil {
		g = &graced{now: v, was: v}
		m.inForce[key] = g
	}
	return g.value(v, now)
}

func (m *monitor) row(now time.Time, kind, id string, c si.Phases, p si.Watts, a, w *float64) {
	if m.trace == nil {
		return
	}
	num := func(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) }
	opt := func(v *float64) string {
		if v == nil {
			return ""
		}
		return num(*v)
	}
	_ = m.trace.Write([]string{num(now.Sub(m.began).Seconds()), kind, id, num(float64(c[0])), num(float64(c[1])), num(float64(c[2])), num(float64(p)), opt(a), opt(w)})
}

// figures returns what was seen so far: violations, the first in words, the highest power and the lowest limit.
func (m *monitor) figures() (violations int, first string, peak si.Watts, lowest float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.violations, m.first, m.peak, m.lowest
}

func lowestOf(l [3]*float64) *float64 {
	var out *float64
	for _, v := range l {
		if v != nil && (out == nil || *v < *out) {
			out = v
		}
	}
	return out
}
