package lease

import (
	"testing"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/topology"
)

func TestAdoptKeepsWhatMayBeDrawnAndLowersToANewFuse(t *testing.T) {
	tree := func(fuse si.Amps) *topology.Tree {
		f := si.Same(fuse)
		tr, err := topology.New(topology.Site{Nodes: []topology.Node{{ID: "root", Fuse: &f}},
			EVSEs: []topology.EVSE{{ID: "a", Node: "root", Phases: 3, Max: 32}}})
		if err != nil {
			t.Fatal(err)
		}
		return tr
	}
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	old := New(tree(32), now, Options{})
	old.Opened("a")
	bounds := func(a float64) Bounds {
		b := Bounds{}
		for range tree(32).Rows() {
			b.Import, b.Export = append(b.Import, a*1000), append(b.Export, 0)
		}
		return b
	}
	target := []Target{{EVSE: "a", Import: si.Same(32), Phases: 3}}
	g := old.Plan(now, target, bounds(1000))
	if len(g) != 1 || g[0].Import != si.Same(32) {
		t.Fatalf("%+v", g)
	}
	next := New(tree(16), now, Options{FirstSeq: g[0].Seq + 10})
	next.Adopt(old)
	if in, _ := next.Reserved("a", now); in != si.Same(32) {
		t.Fatalf("reserved %v: what was granted before must stay reserved", in)
	}
	next.Ack("a", g[0].Seq)
	g2 := next.Plan(now, []Target{{EVSE: "a", Import: si.Same(16), Phases: 3}}, bounds(1000))
	if len(g2) != 1 || g2[0].Import != si.Same(16) || g2[0].Seq <= g[0].Seq {
		t.Fatalf("%+v", g2)
	}
}
