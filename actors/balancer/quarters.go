package balancer

import (
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/allocate"
	"github.com/voltyard/voltyard/site/topology"
)

// quarter adds up the import of a node in the running quarter hour of the wall clock. Spans are measured with the monotonic
// clock. What was not seen (the part before a start, a stale meter, a clock that was set) counts as the contract's power: it
// gives no room to catch up.
type quarter struct {
	node   string
	start  time.Time // of the quarter hour, wall clock
	last   time.Time
	energy si.WattHours

	full   *si.Watts // average of the last quarter hour that was seen whole, until somebody takes it
	fullAt time.Time
	whole  bool
}

// jump is how far wall and monotonic clock may drift apart between two readings before the quarter is begun anew.
const jump = 2 * time.Second

// measureQuarters takes in the power of now.
func (b *Balancer) measureQuarters(now time.Time) {
	for i := range b.tree.Nodes() {
		n := b.tree.Node(i)
		if n.Contract == nil && i != b.tree.Root() {
			continue
		}
		q := b.quarters[n.ID]
		if q == nil {
			q = &quarter{node: n.ID}
			b.quarters[n.ID] = q
		}
		power := b.managed(n.ID).Power(b.tree.Voltage())
		known := true
		if m := b.meters[n.ID]; m != nil {
			power, known = m.reading.Power, !b.stale(n.ID, now)
		} else if n.Background != nil {
			power += n.Background.Power(b.tree.Voltage())
		}
		var contract si.Watts
		if n.Contract != nil {
			contract = *n.Contract
		}
		q.add(now, power, known, contract)
	}
}

func (q *quarter) add(now time.Time, power si.Watts, known bool, contract si.Watts) {
	wall := now.Round(0)
	start := wall.Truncate(topology.ContractPeriod)
	dt := now.Sub(q.last)
	drift := wall.Sub(q.last.Round(0)) - dt
	switch {
	case q.last.IsZero() || drift > jump || drift < -jump:
		q.start, q.energy, q.whole = start, si.WattHours(float64(contract)*wall.Sub(start).Hours()), false
	case !start.Equal(q.start):
		if q.whole {
			w := si.Watts(float64(q.energy) / topology.ContractPeriod.Hours())
			q.full, q.fullAt = &w, q.start
		}
		q.start, q.energy, q.whole = start, 0, true
	default:
		if !known {
			power, q.whole = max(power, contract), false
		}
		q.energy += si.WattHours(float64(power) * dt.Hours())
	}
	q.last = now
}

// running are the quarter hours as the fast layer wants them.
func (b *Balancer) running(now time.Time) []allocate.Quarter {
	var out []allocate.Quarter
	for i := range b.tree.Nodes() {
		n := b.tree.Node(i)
		if q := b.quarters[n.ID]; q != nil && n.Contract != nil {
			out = append(out, allocate.Quarter{Node: n.ID, Imported: q.energy, Elapsed: now.Round(0).Sub(q.start)})
		}
	}
	return out
}
