package lease_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/lease"
	"github.com/voltyard/voltyard/site/topology"
)

// The sum of the set-points themselves, as sent, goes down with a bound and never up on the way: one message after the other,
// in any order, it stays under the highest of what it was and the bound.
func TestSetpointsFallTogether(t *testing.T) {
	fuse := si.Same(200)
	rapid.Check(t, func(t *rapid.T) {
		site := topology.Site{Nodes: []topology.Node{{ID: "root", Fuse: &fuse}}}
		n := rapid.IntRange(2, 5).Draw(t, "evses")
		for i := range n {
			site.EVSEs = append(site.EVSEs, topology.EVSE{ID: fmt.Sprint("e", i), Node: "root", Phases: 1, Max: 32})
		}
		tree, err := topology.New(site)
		if err != nil {
			t.Fatal(err)
		}
		l := lease.New(tree, t0, lease.Options{})
		for i := range n {
			l.Opened(tree.EVSE(i).ID)
		}
		now, set := t0, make([]si.Amps, n)
		var open []lease.Grant
		sum := func() (s si.Amps) {
			for _, a := range set {
				s += a
			}
			return s
		}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(1, 2000).Draw(t, "ms")) * time.Millisecond)
			bound := rapid.Float64Range(0, 100).Draw(t, "bound")
			bounds := lease.Bounds{Import: make([]float64, len(tree.Rows()))}
			for r := range bounds.Import {
				bounds.Import[r] = 1e9
			}
			bounds.Import[0] = bound
			var targets []lease.Target
			for i := range n {
				a := si.Amps(rapid.IntRange(0, 32).Draw(t, "target"))
				targets = append(targets, lease.Target{EVSE: tree.EVSE(i).ID, Import: si.Phases{a}, Phases: 1})
			}
			before := sum()
			grants := l.Plan(now, targets, bounds)
			for _, k := range rapid.Permutation(grants).Draw(t, "order") {
				i, _ := tree.FindEVSE(k.EVSE)
				set[i] = k.Import[0]
				open = append(open, k)
				if s := float64(sum()); s > max(float64(before), bound)+1e-3 {
					t.Fatalf("set-points of %.2f A on the way from %.2f A to a bound of %.2f A", s, float64(before), bound)
				}
			}
			rest := open[:0]
			for _, g := range open {
				if rapid.IntRange(0, 2).Draw(t, "acked") == 0 {
					l.Ack(g.EVSE, g.Seq)
				} else {
					rest = append(rest, g)
				}
			}
			open = rest
		}
	})
}
