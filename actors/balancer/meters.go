package balancer

import (
	"slices"
	"strings"
	"time"

	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/allocate"
)

// meter is what is known from the meter of a node.
//
// The load that nobody controls is the meter's reading less what the EVSEs beneath were measured to draw. The two are not
// taken at the same instant, so that a vehicle that ramps shows up as a phantom load, of either sign. A difference is
// therefore taken over while nothing moves beneath the node, or when it has moved for longer than moving. The largest of the
// last few counts, and a little more for what the readings cannot tell apart. A difference under zero is none: generation counts as relief only where it
// is measured by itself, because what looks like it may be a reading that is late.
type meter struct {
	reading hal.MeterReading
	heard   time.Time
	taken   time.Time // when the last difference was taken over
	ok      bool
	told    bool               // that it is stale
	failed  string             // why it did not answer last, as far as it is logged
	rest    [samples]si.Phases // the last differences
	n       int
}

const (
	samples = 4                      // how many differences are kept
	margin  = si.Amps(0.3)           // per phase
	calm    = 700 * time.Millisecond // how long an EVSE's draw must have been the same
	moving  = 3 * time.Second        // after this, a difference counts although something moves
)

func (b *Balancer) measured(now time.Time, m msg.NodeReading) {
	x := b.meters[m.Node]
	if x == nil {
		return
	}
	if m.Err != nil {
		if x.ok && now.Sub(x.heard) > b.cfg.Meters[m.Node] && !x.told {
			x.told = true
			b.tell(now, "meter", m.Node, "the meter of "+m.Node+" does not answer; the worst case of its load counts")
		}
		if text := m.Err.Error(); text != x.failed { // it is read again and again
			x.failed = text
			b.log.Warn().Err(m.Err).Str("node", m.Node).Msg("meter does not answer")
		}
		return
	}
	c := m.Reading.Current
	if !si.Finite(c[0], c[1], c[2]) || !si.Finite(m.Reading.Power) {
		b.env.Metrics.BadInput.WithLabelValues("meter", "not_finite").Inc()
		return
	}
	if x.failed != "" {
		x.failed = ""
		b.log.Info().Str("node", m.Node).Msg("meter answers again")
	}
	x.reading, x.heard, x.ok, x.told = m.Reading, now, true, false
	if x.n >= samples && now.Sub(x.taken) < moving && !b.calm(m.Node, now) {
		return
	}
	made, known := b.generation(m.Node, now)
	if !known && x.n > 0 {
		return // without the generator's meter the load behind this one cannot be told
	}
	x.rest[x.n%samples] = c.Sub(b.managed(m.Node)).Sub(made).Max(si.Phases{})
	x.n++
	x.taken = now
}

// calm reports whether every draw beneath a node has been the same for a while.
func (b *Balancer) calm(node string, now time.Time) bool {
	n, _ := b.tree.FindNode(node)
	for _, i := range b.tree.Under(n) {
		if e := b.evses[b.tree.EVSE(i).ID]; e != nil && now.Sub(e.moved) < calm {
			return false
		}
	}
	return true
}

// managed is what the EVSEs and stations beneath a node were last measured to draw, per grid phase.
func (b *Balancer) managed(node string) si.Phases {
	var sum si.Phases
	n, ok := b.tree.FindNode(node)
	if !ok {
		return sum
	}
	for _, i := range b.tree.Under(n) {
		id := b.tree.EVSE(i).ID
		if e := b.evses[id]; e != nil {
			sum = sum.Add(b.tree.ToGrid(i, e.report.Draw))
		} else if s := b.station[id]; s != nil && s.report.Current != nil {
			sum = sum.Add(b.tree.ToGrid(i, *s.report.Current))
		}
	}
	return sum
}

func (b *Balancer) nodeMeters(now time.Time) []allocate.Meter {
	var out []allocate.Meter
	for node, x := range b.meters {
		m := allocate.Meter{Node: node, Stale: b.stale(node, now)}
		made, _ := b.generation(node, now)
		m.Current = x.background().Add(b.managed(node)).Add(made)
		out = append(out, m)
	}
	slices.SortFunc(out, func(x, y allocate.Meter) int {
		if x.Node < y.Node {
			return -1
		}
		return 1
	})
	return out
}

// generation is what the measured generators and batteries beneath a node exchange, per phase, negative while they deliver;
// false when one of them has no fresh reading.
func (b *Balancer) generation(node string, now time.Time) (sum si.Phases, known bool) {
	top, ok := b.tree.FindNode(node)
	if !ok {
		return sum, true
	}
	known = true
	for id := range b.cfg.Kinds {
		n, _ := b.tree.FindNode(id)
		for up := n; up >= 0; up = b.tree.Parent(up) {
			if up != top {
				continue
			}
			if b.stale(id, now) {
				known = false
			} else {
				sum = sum.Add(b.meters[id].reading.Current)
			}
		}
	}
	return sum, known
}

// generators are the sources that are measured by themselves, as the fast layer wants them.
func (b *Balancer) generators(now time.Time) []allocate.Generator {
	var out []allocate.Generator
	for id := range b.cfg.Kinds {
		out = append(out, allocate.Generator{Node: id, Current: b.meters[id].reading.Current.Min(si.Phases{}), Stale: b.stale(id, now)})
	}
	slices.SortFunc(out, func(x, y allocate.Generator) int { return strings.Compare(x.Node, y.Node) })
	return out
}

// nextStale is when the first of the meters that are fresh will be stale.
func (b *Balancer) nextStale(now time.Time) (next time.Time) {
	for node, x := range b.meters {
		if at := x.heard.Add(b.cfg.Meters[node] + time.Millisecond); x.ok && at.After(now) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
}

func (b *Balancer) stale(node string, now time.Time) bool {
	x := b.meters[node]
	return x != nil && (!x.ok || now.Sub(x.heard) > b.cfg.Meters[node])
}

// background is the largest of the last differences, phase by phase, and the margin.
func (x *meter) background() si.Phases {
	var out si.Phases
	if x.n == 0 {
		return out
	}
	for i := range min(x.n, samples) {
		out = out.Max(x.rest[i])
	}
	return out.Add(si.Same(margin))
}
