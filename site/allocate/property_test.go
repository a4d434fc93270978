package allocate_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/allocate"
	"github.com/voltyard/voltyard/site/topology"
)

// world is a random site with vehicles, load and meters.
type world struct {
	tree       *topology.Tree
	rnd        *rand.Rand
	background []si.Phases // per node, connected there, never negative
	evses      []allocate.EVSE
	options    allocate.Options
}

func drawWorld(t *rapid.T, imbalance, discharge bool) *world {
	rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 3))
	site := randomSite(rnd, rapid.IntRange(1, 12).Draw(t, "evses"), imbalance)
	for i := range site.Nodes {
		n := &site.Nodes[i]
		if i == 0 || rnd.IntN(2) == 0 {
			n.Meter, n.Background = "m", ptr(si.Same(20))
		}
		if rnd.IntN(2) == 0 {
			n.React = time.Duration(rnd.IntN(20)) * time.Second
		}
	}
	for i := range site.EVSEs {
		e := &site.EVSEs[i]
		e.Switchable = e.Phases == 3 && e.Kind == topology.AC && rnd.IntN(2) == 0
		if discharge && rnd.IntN(3) == 0 {
			e.MaxExport, e.MaxExportPower = 20, 10000
		}
	}
	tree, err := topology.New(site)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{tree: tree, rnd: rnd}
	for range tree.Nodes() {
		w.background = append(w.background, si.Phases{si.Amps(rnd.IntN(8)), si.Amps(rnd.IntN(8)), si.Amps(rnd.IntN(8))})
	}
	for i := range tree.EVSEs() {
		e := allocate.EVSE{ID: tree.EVSE(i).ID, Wants: rnd.IntN(4) > 0, Priority: rnd.IntN(2)}
		if rnd.IntN(4) == 0 {
			e.Accepts = ptr(si.Amps(6 + rnd.IntN(20)))
		}
		if tree.EVSE(i).MaxExport > 0 && rnd.IntN(2) == 0 {
			e.Discharge = si.Amps(1 + rnd.IntN(20))
		}
		w.evses = append(w.evses, e)
	}
	if rnd.IntN(2) == 0 {
		w.options.Step = 1
	}
	return w
}

// under returns the unmanaged load beneath each node.
func (w *world) under() []si.Phases {
	sum := make([]si.Phases, w.tree.Nodes())
	for n := range sum {
		for up := n; up >= 0; up = w.tree.Parent(up) {
			sum[up] = sum[up].Add(w.background[n])
		}
	}
	return sum
}

func (w *world) snapshot(now time.Time) allocate.Snapshot {
	s := allocate.Snapshot{Tree: w.tree, Now: now, EVSEs: w.evses, Options: w.options}
	total := w.under()
	for n := range w.tree.Nodes() {
		if w.tree.Node(n).Meter == "" {
			continue
		}
		reading := total[n]
		for _, k := range w.tree.Under(n) {
			if m := w.evses[k].Measured; m != nil {
				reading = reading.Add(w.tree.ToGrid(k, *m))
			}
		}
		s.Meters = append(s.Meters, allocate.Meter{Node: w.tree.Node(n).ID, Current: reading})
	}
	return s
}

// No row is above its bound, whatever the site; set-points are on their grid and inside their range.
func TestNoBoundIsBroken(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t, true, true)
		for i := range w.evses {
			if w.rnd.IntN(3) == 0 {
				w.evses[i].Plan = ptr([]si.Amps{0, 3, 10, 1e9, -5, si.Amps(math.NaN()), si.Amps(math.Inf(1))}[w.rnd.IntN(7)])
			}
			if w.rnd.IntN(2) == 0 {
				a := si.Amps(w.rnd.IntN(16))
				if w.evses[i].Discharge > 0 {
					a = -a
				}
				w.evses[i].Measured = ptr(w.tree.Own(i, w.tree.EVSE(i).Phases, a))
			}
		}
		res := allocate.Allocate(w.snapshot(t0))
		imports, exports := make([]si.Phases, len(res.EVSEs)), make([]si.Phases, len(res.EVSEs))
		for i, a := range res.EVSEs {
			imports[i], exports[i] = a.Import, a.Export
			top := a.Import.Highest()
			conf := w.tree.EVSE(i)
			if top > conf.Max+1e-6 || (a.Served && top < conf.Min-1e-6) || a.Export.Highest() > conf.MaxExport+1e-6 || !si.Finite(a.Import[:]...) {
				t.Fatalf("%s: %+v", a.ID, a)
			}
			if w.options.Step > 0 && a.Served && math.Abs(math.Mod(float64(top)+1e-6, 1)) > 1e-5 && math.Abs(float64(top-conf.Min)) > 1e-6 {
				t.Fatalf("%s: %v is no multiple of 1 A", a.ID, top)
			}
			if a.Served && a.Export != (si.Phases{}) {
				t.Fatalf("%s imports and exports", a.ID)
			}
		}
		for r := range w.tree.Rows() {
			if l := w.tree.Load(r, imports); l > math.Max(0, res.ImportBound[r])+1e-4 {
				t.Fatalf("row %d: %v over %v", r, l, res.ImportBound[r])
			}
			if l := w.tree.Load(r, exports); l > math.Max(0, res.ExportBound[r])+1e-4 {
				t.Fatalf("export row %d: %v over %v", r, l, res.ExportBound[r])
			}
		}
		total := w.under()
		for n := range w.tree.Nodes() {
			node := w.tree.Node(n)
			if node.Imbalance == nil || node.Meter == "" {
				continue
			}
			var sum si.Phases
			any := false
			for _, k := range w.tree.Under(n) {
				sum = sum.Add(w.tree.ToGrid(k, imports[k]))
				any = any || imports[k] != (si.Phases{})
				if w.evses[k].Discharge > 0 || (w.evses[k].Measured == nil) != (w.evses[0].Measured == nil) {
					any = false
				}
			}
			before := total[n].Highest() - total[n].Lowest()
			after := sum.Add(total[n])
			if d := after.Highest() - after.Lowest(); any && d > *node.Imbalance+1e-4 && d > before+1e-4 {
				t.Fatalf("node %s: phases differ by %v, limit %v, %v without vehicles", node.ID, d, *node.Imbalance, before)
			}
		}
	})
}

func sameServed(a, b allocate.Result) bool {
	return slices.EqualFunc(a.EVSEs, b.EVSEs, func(x, y allocate.Allocation) bool { return x.Served == y.Served })
}

// A plan, however absurd, only says who comes first: nobody who is served is kept from power that nobody else can use, and a
// plan that the limits allow is carried out.
func TestAPlanIsProjectedOnTheLimits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t, false, false)
		w.options.Step = 0
		plain := allocate.Allocate(w.snapshot(t0))
		other := w.snapshot(t0) // some content with little: what a plan may look like that the limits allow
		other.EVSEs = slices.Clone(other.EVSEs)
		for i := range other.EVSEs {
			if w.rnd.IntN(2) == 0 {
				least := max(6, w.tree.EVSE(i).Min)
				if x := other.EVSEs[i].Accepts; x == nil || *x > least {
					other.EVSEs[i].Accepts = &least
				}
			}
		}
		sparse := allocate.Allocate(other)
		share := []float64{0.5, 1, 5}[w.rnd.IntN(3)]
		for i := range w.evses {
			w.evses[i].Plan = ptr(si.Amps(share * float64(sparse.EVSEs[i].Import.Highest())))
		}
		res := allocate.Allocate(w.snapshot(t0))
		loads := make([]si.Phases, len(res.EVSEs))
		for i := range res.EVSEs {
			loads[i] = res.EVSEs[i].Import
		}
		for i, a := range res.EVSEs {
			if a.Served != plain.EVSEs[i].Served {
				t.Fatalf("%s: served %v with a plan, %v without", a.ID, a.Served, plain.EVSEs[i].Served)
			}
			if !a.Served {
				continue
			}
			top := w.tree.EVSE(i).Max
			if x := w.evses[i].Accepts; x != nil {
				top = min(top, *x)
			}
			held := a.Import[0] >= top-1e-4
			for _, ref := range w.tree.RowsOf(i) {
				held = held || w.tree.Load(ref.Row, loads) > res.ImportBound[ref.Row]-1e-3*(1+math.Abs(res.ImportBound[ref.Row]))
			}
			if !held {
				t.Fatalf("%s gets %v and nothing holds it", a.ID, a.Import[0])
			}
			if share <= 1 && sameServed(sparse, plain) && a.Import[0] < *w.evses[i].Plan-1e-4 {
				t.Fatalf("%s gets %v, the plan says %v", a.ID, a.Import[0], *w.evses[i].Plan)
			}
		}
	})
}

// Everybody served has a bottleneck: its own maximum, or a full row on which nobody has a higher level than it has, except
// by the smallest current.
func TestEverybodyServedHasABottleneck(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t, false, false)
		w.options.Step = 0
		res := allocate.Allocate(w.snapshot(t0))
		x := make([]si.Phases, len(res.EVSEs))
		for i, a := range res.EVSEs {
			x[i] = a.Import
		}
		level := func(k int) float64 { return float64(x[k].Highest()) / w.tree.EVSE(k).Weight }
		for i, a := range res.EVSEs {
			top := w.tree.EVSE(i).Max
			if c := w.evses[i].Accepts; c != nil {
				top = min(top, *c)
			}
			if !a.Served || a.Import.Highest() >= top-1e-5 {
				continue
			}
			found := false
			for _, ref := range w.tree.RowsOf(i) {
				part := 0.0
				for ph := range a.Phases {
					part += ref.Coef[ph]
				}
				if part == 0 || w.tree.Load(ref.Row, x) < res.ImportBound[ref.Row]-1e-3 {
					continue
				}
				best := true
				for _, term := range w.tree.Rows()[ref.Row].Terms {
					k := term.EVSE
					on := 0.0
					for ph := range res.EVSEs[k].Phases {
						on += term.Coef[ph]
					}
					if res.EVSEs[k].Served && on > 0 && level(k) > level(i)+1e-4 && x[k].Highest() > w.tree.EVSE(k).Min+1e-4 {
						best = false
					}
				}
				found = found || best
			}
			if !found {
				t.Fatalf("%s has %v of %v and no bottleneck", a.ID, a.Import, top)
			}
		}
	})
}

// With the same vehicles served, more capacity never gives the one that is worst off less.
func TestMoreCapacityDoesNotHurtTheWorstOff(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 5))
		site := randomSite(rnd, rapid.IntRange(1, 10).Draw(t, "evses"), false)
		run := func() (float64, int) {
			tr, err := topology.New(site)
			if err != nil {
				t.Fatal(err)
			}
			worst, served := math.Inf(1), 0
			for i, a := range allocate.Allocate(allocate.Snapshot{Tree: tr, Now: t0, EVSEs: all(tr)}).EVSEs {
				if a.Served {
					served |= 1 << i
					worst = min(worst, float64(a.Import[0])/tr.EVSE(i).Weight)
				}
			}
			return worst, served
		}
		before, who := run()
		n := &site.Nodes[rnd.IntN(len(site.Nodes))]
		if n.Fuse != nil {
			n.Fuse = ptr(n.Fuse.Add(si.Phases{5, 0, 9}))
		}
		if n.MaxImport != nil {
			n.MaxImport = ptr(*n.MaxImport + 2000)
		}
		if after, now := run(); now == who && after < before-1e-6 {
			t.Fatalf("worst off: %v, with more capacity %v", before, after)
		}
	})
}

// With constant input and vehicles that draw what they may up to their own limit, set-points come to rest.
func TestConstantInputComesToRest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t, rapid.Bool().Draw(t, "imbalance"), false)
		w.options = allocate.Options{Step: 1, RampUp: 4, Hysteresis: 1, MaxWait: 100 * time.Hour, Turn: 50 * time.Hour}
		limit := make([]si.Amps, len(w.evses))
		for i := range limit {
			limit[i] = si.Amps(5 + w.rnd.IntN(30))
			w.evses[i].Measured = &si.Phases{}
		}
		var last time.Time
		was := make([]si.Amps, len(limit))
		for now := t0; now.Before(t0.Add(25 * time.Minute)); now = now.Add(2 * time.Second) {
			res := allocate.Allocate(w.snapshot(now))
			for i, a := range res.EVSEs {
				w.evses[i].Memory = a.Memory
				w.evses[i].Measured = ptr(w.tree.Own(i, max(1, a.Phases), min(a.Import[0], limit[i])))
				if a.Import[0] != was[i] {
					was[i], last = a.Import[0], now
				}
			}
		}
		if d := last.Sub(t0); d > 15*time.Minute { // the number of phases may change after five minutes
			t.Fatalf("still changing after %v", d)
		}
	})
}

// When every discharging vehicle vanishes at once, limits that react faster than the loss can be covered still hold.
func TestVanishingDischargeBreaksNoQuickLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t, false, true)
		for i := range w.evses {
			if d := w.evses[i].Discharge; d > 0 {
				w.evses[i].Measured = ptr(w.tree.Own(i, w.tree.EVSE(i).Phases, -d))
			}
		}
		res := allocate.Allocate(w.snapshot(t0))
		total := w.under()
		v := float64(w.tree.Voltage())
		for n := range w.tree.Nodes() {
			node := w.tree.Node(n)
			if node.Meter == "" {
				continue
			}
			var amps si.Phases
			power := 0.0
			count := 0
			for _, k := range w.tree.Under(n) {
				amps = amps.Add(w.tree.ToGrid(k, res.EVSEs[k].Import))
				power += float64(res.EVSEs[k].ImportW)
				if res.EVSEs[k].Served {
					count++
				}
				if w.tree.EVSE(k).Wiring == topology.LineToLine { // currents of lines do not simply add up there
					count = 0
					break
				}
			}
			if count == 0 {
				continue
			}
			amps = amps.Add(total[n])
			for ph, a := range amps {
				if node.Fuse != nil && node.FuseReact() < 5*time.Second && a > node.Fuse[ph]+1e-4 && total[n][ph] <= node.Fuse[ph] && amps[ph] > total[n][ph]+1e-6 {
					t.Fatalf("node %s L%d: %v after the loss, fuse %v", node.ID, ph+1, a, node.Fuse[ph])
				}
			}
			if p := power + float64(total[n].Sum())*v; node.MaxImport != nil && node.PowerReact() < 5*time.Second && p > float64(*node.MaxImport)+1e-2 {
				t.Fatalf("node %s: %v W after the loss, limit %v", node.ID, p, *node.MaxImport)
			}
		}
	})
}

// On random sites with too many vehicles nobody who could be served alone waits for longer than 15 minutes.
func TestNobodyWaitsTooLong(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 9))
		site := randomSite(rnd, rapid.IntRange(4, 14).Draw(t, "evses"), false)
		for i := range site.EVSEs {
			site.EVSEs[i].Priority = rnd.IntN(3)
		}
		tr, err := topology.New(site)
		if err != nil {
			t.Fatal(err)
		}
		var states []allocate.EVSE
		for _, e := range all(tr) { // only those that can be served at all
			if allocate.Allocate(allocate.Snapshot{Tree: tr, Now: t0, EVSEs: []allocate.EVSE{e}}).EVSEs[index(tr, e.ID)].Served {
				states = append(states, e)
			}
		}
		since := map[string]time.Time{}
		for now := t0; now.Before(t0.Add(2 * time.Hour)); now = now.Add(10 * time.Second) {
			res := allocate.Allocate(allocate.Snapshot{Tree: tr, Now: now, EVSEs: states})
			for i := range states {
				a := res.EVSEs[index(tr, states[i].ID)]
				states[i].Memory = a.Memory
				if _, ok := since[a.ID]; a.Served || !ok {
					since[a.ID] = now
				}
				if d := now.Sub(since[a.ID]); d > 15*time.Minute {
					t.Fatalf("%s of %d has been waiting for %v", a.ID, len(states), d)
				}
			}
		}
	})
}

func index(tr *topology.Tree, id string) int { i, _ := tr.FindEVSE(id); return i }
