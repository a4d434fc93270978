package allocate_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/allocate"
	"github.com/voltyard/voltyard/site/internal/lptest"
	"github.com/voltyard/voltyard/site/topology"
)

var rotations = []si.Rotation{{0, 1, 2}, {1, 2, 0}, {2, 0, 1}, {0, 2, 1}, {1, 0, 2}, {2, 1, 0}}

func randomSite(rnd *rand.Rand, evses int, imbalance bool) topology.Site {
	var s topology.Site
	nodes := 1 + rnd.IntN(4)
	for i := range nodes {
		n := topology.Node{ID: fmt.Sprint("n", i)}
		if i > 0 {
			n.Parent = fmt.Sprint("n", rnd.IntN(i))
		}
		if i == 0 || rnd.IntN(2) == 0 {
			n.Fuse = &si.Phases{si.Amps(10 + rnd.IntN(60)), si.Amps(10 + rnd.IntN(60)), si.Amps(10 + rnd.IntN(60))}
		}
		if rnd.IntN(2) == 0 {
			n.MaxImport = ptr(si.Watts(4000 + rnd.IntN(30000)))
		}
		if imbalance && rnd.IntN(2) == 0 {
			n.Imbalance = ptr(si.Amps(8 + rnd.IntN(20)))
		}
		s.Nodes = append(s.Nodes, n)
	}
	delta := rnd.IntN(4) == 0 && !imbalance
	for i := range evses {
		e := topology.EVSE{ID: fmt.Sprint("e", i), Node: fmt.Sprint("n", rnd.IntN(nodes)), Phases: 1 + 2*rnd.IntN(2),
			Max: si.Amps(16 + 16*rnd.IntN(2)), Rotation: rotations[rnd.IntN(6)], Weight: float64(1 + rnd.IntN(3))}
		switch {
		case rnd.IntN(5) == 0:
			e.Kind, e.Phases, e.Max, e.MaxPower = topology.DC, 3, 0, 20000
		case delta && e.Phases == 1:
			e.Wiring = topology.LineToLine
		}
		s.EVSEs = append(s.EVSEs, e)
	}
	return s
}

// lexMaxMin is the textbook definition by a sequence of linear programmes over the served.
func lexMaxMin(tr *topology.Tree, bounds []float64, served []allocate.Allocation, hi []float64) []float64 {
	n := len(served)
	w, lo := make([]float64, n), make([]float64, n)
	var a [][]float64
	var b []float64
	idx := map[int]int{}
	for i := range served {
		k, _ := tr.FindEVSE(served[i].ID)
		idx[k] = i
		w[i], lo[i] = tr.EVSE(k).Weight, float64(tr.EVSE(k).Min)
		row := make([]float64, n+1)
		row[i] = 1
		a, b = append(a, row), append(b, hi[i]-lo[i])
	}
	for r, row := range tr.Rows() {
		if math.IsInf(bounds[r], 1) {
			continue
		}
		line, rest := make([]float64, n+1), bounds[r]
		for _, t := range row.Terms {
			i, ok := idx[t.EVSE]
			if !ok {
				continue
			}
			for ph := range served[i].Phases {
				line[i] += t.Coef[ph]
			}
			rest -= line[i] * lo[i]
		}
		a, b = append(a, line), append(b, math.Max(0, rest))
	}
	fixed := make([]bool, n)
	level := make([]float64, n) // lower bound on y_i = x_i - lo_i
	for {
		open := false
		for i := range fixed {
			open = open || !fixed[i]
		}
		if !open {
			break
		}
		// The largest t with x_i >= w_i t for all open ones, in the variables z = y - level >= 0.
		build := func() ([][]float64, []float64) {
			var aa [][]float64
			var bb []float64
			for r := range a {
				rest := b[r]
				for i := range n {
					rest -= a[r][i] * level[i]
				}
				aa, bb = append(aa, a[r]), append(bb, math.Max(0, rest))
			}
			return aa, bb
		}
		aa, bb := build()
		for i := range n {
			if !fixed[i] {
				row := make([]float64, n+1)
				row[i], row[n] = -1, w[i]
				aa, bb = append(aa, row), append(bb, lo[i]+level[i])
			}
		}
		c := make([]float64, n+1)
		c[n] = 1
		_, t, ok := lptest.Maximize(c, aa, bb)
		if !ok {
			panic("unbounded")
		}
		for i := range n {
			if !fixed[i] {
				level[i] = math.Max(level[i], w[i]*t-lo[i])
			}
		}
		aa, bb = build()
		for i := range n {
			if fixed[i] {
				continue
			}
			c := make([]float64, n+1)
			c[i] = 1
			if _, more, ok := lptest.Maximize(c, aa, bb); ok && more < 1e-7 {
				fixed[i] = true
			}
		}
	}
	x := make([]float64, n)
	for i := range x {
		x[i] = lo[i] + level[i]
	}
	return x
}

// The allocation is the lexicographic max-min that a solver finds, on 1,000 random small sites.
func TestAllocationIsWhatASolverFinds(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 7))
	compared, widest := 0, 0.0
	for n := 0; compared < 1000; n++ {
		tr, err := topology.New(randomSite(rnd, 2+rnd.IntN(5), false))
		if err != nil {
			t.Fatal(err)
		}
		res := allocate.Allocate(allocate.Snapshot{Tree: tr, Now: t0, EVSEs: all(tr)})
		var served []allocate.Allocation
		var hi []float64
		for k, a := range res.EVSEs {
			if a.Served {
				served = append(served, a)
				hi = append(hi, float64(tr.EVSE(k).Max))
			}
		}
		if len(served) == 0 {
			continue
		}
		compared++
		want := lexMaxMin(tr, res.ImportBound, served, hi)
		for i, a := range served {
			d := math.Abs(float64(a.Import[0]) - want[i])
			widest = max(widest, d)
			if d > 1e-4 {
				t.Fatalf("case %d: %s gets %.6f A, the solver says %.6f A", n, a.ID, a.Import[0], want[i])
			}
		}
	}
	t.Logf("%d cases, largest difference %.1e A", compared, widest)
}
