package allocate_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/allocate"
	"github.com/voltyard/voltyard/site/limits"
	"github.com/voltyard/voltyard/site/topology"
)

var t0 = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

func ptr[T any](v T) *T { return &v }

func tree(t testing.TB, site topology.Site) *topology.Tree {
	t.Helper()
	tr, err := topology.New(site)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func all(tr *topology.Tree) []allocate.EVSE {
	var out []allocate.EVSE
	for i := range tr.EVSEs() {
		out = append(out, allocate.EVSE{ID: tr.EVSE(i).ID, Wants: true})
	}
	return out
}

// Three single-phase cars on three phases under one three-phase fuse do not share anything.
func TestOneCarOnEachPhaseGetsTheWholeFuse(t *testing.T) {
	tr := tree(t, topology.Site{Nodes: []topology.Node{{ID: "F1", Fuse: ptr(si.Same(32))}}, EVSEs: []topology.EVSE{
		{ID: "a", Node: "F1", Phases: 1, Max: 32},
		{ID: "b", Node: "F1", Phases: 1, Max: 32, Rotation: si.Rotation{1, 2, 0}},
		{ID: "c", Node: "F1", Phases: 1, Max: 32, Rotation: si.Rotation{2, 0, 1}},
	}})
	for _, a := range allocate.Allocate(allocate.Snapshot{Tree: tr, Now: t0, EVSEs: all(tr)}).EVSEs {
		if math.Abs(float64(a.Import[0])-32) > 1e-6 {
			t.Errorf("%s gets %v, want 32 A", a.ID, a.Import[0])
		}
	}
}

// Two fast chargers with enough power for both get it.
func TestTwoFastChargersGetTheirPower(t *testing.T) {
	tr := tree(t, topology.Site{Nodes: []topology.Node{{ID: "G", MaxImport: ptr(si.Watts(300e3))}}, EVSEs: []topology.EVSE{
		{ID: "a", Node: "G", Kind: topology.DC, MaxPower: 150e3}, {ID: "b", Node: "G", Kind: topology.DC, MaxPower: 150e3}}})
	for _, a := range allocate.Allocate(allocate.Snapshot{Tree: tr, Now: t0, EVSEs: all(tr)}).EVSEs {
		if math.Abs(float64(a.ImportW)-150e3) > 1 {
			t.Errorf("%s gets %v, want 150 kW", a.ID, a.ImportW)
		}
	}
}

// rotate runs the fast layer once a minute for the given time and returns the longest wait and how often places changed.
func rotate(tr *topology.Tree, states []allocate.EVSE, d time.Duration) (longest time.Duration, changes int) {
	since := make([]time.Time, len(states))
	was := make([]bool, len(states))
	for i := range since {
		since[i] = t0
	}
	for now := t0; now.Before(t0.Add(d)); now = now.Add(time.Second * 10) {
		res := allocate.Allocate(allocate.Snapshot{Tree: tr, Now: now, EVSEs: states})
		for i := range states {
			a := res.EVSEs[i]
			states[i].Memory = a.Memory
			if a.Served != was[i] {
				changes++
				was[i] = a.Served
			}
			if a.Served {
				since[i] = now
			}
			longest = max(longest, now.Sub(since[i]))
		}
	}
	return longest, changes
}

// Six three-phase cars of at least 6 A under 32 A: five at a time, but nobody waits for more than 15 minutes.
func TestSixCarsTakeTurns(t *testing.T) {
	for _, n := range []int{6, 11, 12, 30} {
		site := topology.Site{Nodes: []topology.Node{{ID: "F", Fuse: ptr(si.Same(32))}}}
		for i := range n {
			site.EVSEs = append(site.EVSEs, topology.EVSE{ID: fmt.Sprint(i), Node: "F", Phases: 3, Max: 32, Priority: i % 3})
		}
		tr := tree(t, site)
		longest, changes := rotate(tr, all(tr), 4*time.Hour)
		if longest > 15*time.Minute {
			t.Errorf("%d cars: somebody waited %v", n, longest)
		}
		t.Logf("%d cars: longest wait %v, %d changes in 4 h", n, longest, changes)
	}
}

func TestZeroFromOutsideIsZero(t *testing.T) {
	tr := tree(t, topology.Site{Nodes: []topology.Node{{ID: "G", Fuse: ptr(si.Same(63))}}, EVSEs: []topology.EVSE{
		{ID: "a", Node: "G", Phases: 3, Max: 32}}})
	res := allocate.Allocate(allocate.Snapshot{Tree: tr, Now: t0, EVSEs: all(tr), Limits: []limits.Effective{
		{Node: "G", ImportW: &limits.Bound{Value: 0, Source: "dso", React: time.Minute}}}})
	if a := res.EVSEs[0]; a.Served || a.Import != (si.Phases{}) || a.Binding.String() != "dso limit on G 0 W, waits for its turn" {
		t.Errorf("%+v %v", a, a.Binding)
	}
}

func TestAStaleMeterIsTheWorstCase(t *testing.T) {
	tr := tree(t, topology.Site{Nodes: []topology.Node{{ID: "G", Fuse: ptr(si.Same(63)), Meter: "main", Background: ptr(si.Same(40))}},
		EVSEs: []topology.EVSE{{ID: "a", Node: "G", Phases: 3, Max: 32}}})
	s := allocate.Snapshot{Tree: tr, Now: t0, EVSEs: all(tr)}
	get := func(m ...allocate.Meter) si.Amps {
		s.Meters = m
		return allocate.Allocate(s).EVSEs[0].Import[0]
	}
	near := func(got, want si.Amps, what string) {
		if math.Abs(float64(got-want)) > 1e-6 {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	near(get(), 23, "no reading")
	near(get(allocate.Meter{Node: "G", Stale: true, Current: si.Same(1)}), 23, "stale")
	near(get(allocate.Meter{Node: "G", Current: si.Same(si.Amps(math.NaN()))}), 23, "NaN")
	near(get(allocate.Meter{Node: "G", Current: si.Phases{10, 50, 10}}), 13, "fresh")
	s.EVSEs[0].Measured = &si.Phases{16, 16, 16}
	near(get(allocate.Meter{Node: "G", Current: si.Phases{26, 56, 26}}), 23, "fresh, less its own draw")
}

func TestWhatIsNotDrawnGoesToOthers(t *testing.T) {
	tr := tree(t, topology.Site{Nodes: []topology.Node{{ID: "F", Fuse: ptr(si.Same(40))}}, EVSEs: []topology.EVSE{
		{ID: "a", Node: "F", Phases: 3, Max: 32}, {ID: "b", Node: "F", Phases: 3, Max: 32}}})
	states := all(tr)
	limit := []si.Amps{10, 32} // the first vehicle takes no more than 10 A
	var last [2]si.Amps
	changed := t0
	for now := t0; now.Before(t0.Add(5 * time.Minute)); now = now.Add(time.Second) {
		res := allocate.Allocate(allocate.Snapshot{Tree: tr, Now: now, EVSEs: states, Options: allocate.Options{Step: 1}})
		for i, a := range res.EVSEs {
			if a.Import[0] != last[i] {
				last[i], changed = a.Import[0], now
			}
			states[i].Memory = a.Memory
			states[i].Measured = ptr(si.Same(min(a.Import[0], limit[i])))
		}
	}
	if last != [2]si.Amps{12, 28} || changed.Sub(t0) > time.Minute {
		t.Errorf("got %v, last change after %v", last, changed.Sub(t0))
	}
}

func TestOnePhaseWhenThreeDoNotFit(t *testing.T) {
	tr := tree(t, topology.Site{Nodes: []topology.Node{{ID: "G", MaxImport: ptr(si.Watts(3000))}}, EVSEs: []topology.EVSE{
		{ID: "a", Node: "G", Phases: 3, Max: 16, Switchable: true}}})
	states := all(tr)
	a := allocate.Allocate(allocate.Snapshot{Tree: tr, Now: t0, EVSEs: states}).EVSEs[0]
	if a.Phases != 1 || math.Abs(float64(a.ImportW)-3000) > 1e-3 {
		t.Errorf("%+v", a)
	}
}

func TestImbalanceIsKept(t *testing.T) {
	tr := tree(t, topology.Site{Nodes: []topology.Node{{ID: "G", Fuse: ptr(si.Same(63)), Imbalance: ptr(si.Amps(20))}}, EVSEs: []topology.EVSE{
		{ID: "a", Node: "G", Phases: 1, Max: 32}, {ID: "b", Node: "G", Phases: 3, Max: 10}}})
	res := allocate.Allocate(allocate.Snapshot{Tree: tr, Now: t0, EVSEs: all(tr)})
	if a := res.EVSEs[0].Import[0]; math.Abs(float64(a)-20) > 1e-6 {
		t.Errorf("%v, want 20 A", a)
	}
}

func TestDischargeCountsOnlyWhereThereIsTime(t *testing.T) {
	site := topology.Site{Nodes: []topology.Node{{ID: "G", Fuse: ptr(si.Same(63)), MaxImport: ptr(si.Watts(6900)), React: 0}},
		EVSEs: []topology.EVSE{{ID: "a", Node: "G", Phases: 3, Max: 32}, {ID: "v", Node: "G", Phases: 3, Max: 32, MaxExport: 32}}}
	tr := tree(t, site)
	s := allocate.Snapshot{Tree: tr, Now: t0, EVSEs: []allocate.EVSE{{ID: "a", Wants: true},
		{ID: "v", Discharge: 10, Measured: ptr(si.Same(-10))}}}
	if a := allocate.Allocate(s).EVSEs[0]; math.Abs(float64(a.Import[0])-20) > 1e-6 {
		t.Errorf("the import limit has 5 s: %v, want 10 A of its own and 10 A of the other", a.Import[0])
	}
	s.EVSEs[1].Measured = nil
	if a := allocate.Allocate(s).EVSEs[0]; math.Abs(float64(a.Import[0])-10) > 1e-6 {
		t.Errorf("not measured: %v, want 10 A", a.Import[0])
	}
	site.Nodes[0].React = time.Second
	s.Tree, s.EVSEs[1].Measured = tree(t, site), ptr(si.Same(-10))
	if a := allocate.Allocate(s).EVSEs[0]; math.Abs(float64(a.Import[0])-10) > 1e-6 {
		t.Errorf("the limit is quicker than the loss: %v, want 10 A", a.Import[0])
	}
}

// Two cars share a fuse; a third on another phase does not. The building draws 8 A on L1.
func ExampleAllocate() {
	fuse := si.Same(32)
	tr, _ := topology.New(topology.Site{
		Nodes: []topology.Node{{ID: "F2", Fuse: &fuse, Meter: "m"}},
		EVSEs: []topology.EVSE{
			{ID: "a", Node: "F2", Phases: 1, Max: 32},
			{ID: "b", Node: "F2", Phases: 1, Max: 32},
			{ID: "c", Node: "F2", Phases: 1, Max: 32, Rotation: si.Rotation{1, 2, 0}},
		}})
	drawn := si.Phases{6, 0, 0}
	res := allocate.Allocate(allocate.Snapshot{
		Tree: tr, Now: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC),
		EVSEs: []allocate.EVSE{
			{ID: "a", Wants: true, Measured: &drawn},
			{ID: "b", Wants: true},
			{ID: "c", Wants: true},
		},
		Meters:  []allocate.Meter{{Node: "F2", Current: si.Phases{14, 0, 0}}},
		Options: allocate.Options{Step: 1},
	})
	for _, a := range res.EVSEs {
		fmt.Println(a.ID, a.Import, a.Binding)
	}
	// Keep a.Memory for the next snapshot, and hand the result to the ledger: lease.FromResult(res).
	// Output:
	// a 12.0/0.0/0.0 A fuse F2 phase L1 32 A, shared with 1
	// b 12.0/0.0/0.0 A fuse F2 phase L1 32 A, shared with 1
	// c 32.0/0.0/0.0 A own maximum
}
