package topology_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/topology"
)

func ptr[T any](v T) *T { return &v }

func TestDefectsSayWhereAndWhat(t *testing.T) {
	root := topology.Node{ID: "grid", Fuse: ptr(si.Same(63))}
	evse := topology.EVSE{ID: "e1", Node: "grid", Phases: 3, Max: 32}
	for name, c := range map[string]struct {
		site topology.Site
		want topology.Error // Node, EVSE and Field are compared
	}{
		"no node":        {topology.Site{}, topology.Error{Field: "Nodes"}},
		"unknown parent": {topology.Site{Nodes: []topology.Node{root, {ID: "a", Parent: "nowhere"}}}, topology.Error{Node: "a", Field: "Parent"}},
		"circle":         {topology.Site{Nodes: []topology.Node{root, {ID: "a", Parent: "b"}, {ID: "b", Parent: "a"}}}, topology.Error{Node: "a", Field: "Parent"}},
		"two roots":      {topology.Site{Nodes: []topology.Node{root, {ID: "a"}}}, topology.Error{Node: "a", Field: "Parent"}},
		"same node":      {topology.Site{Nodes: []topology.Node{root, {ID: "grid", Parent: "grid"}}}, topology.Error{Node: "grid", Field: "ID"}},
		"same evse":      {topology.Site{Nodes: []topology.Node{root}, EVSEs: []topology.EVSE{evse, evse}}, topology.Error{EVSE: "e1", Field: "ID"}},
		"unknown node":   {one(func(e *topology.EVSE) { e.Node = "nowhere" }), topology.Error{EVSE: "e1", Field: "Node"}},
		"rotation":       {one(func(e *topology.EVSE) { e.Rotation = si.Rotation{1, 1, 2} }), topology.Error{EVSE: "e1", Field: "Rotation"}},
		"two phases":     {one(func(e *topology.EVSE) { e.Phases = 2 }), topology.Error{EVSE: "e1", Field: "Phases"}},
		"floor":          {one(func(e *topology.EVSE) { e.Floor = 3 }), topology.Error{EVSE: "e1", Field: "Floor"}},
		"NaN":            {one(func(e *topology.EVSE) { e.Max = si.Amps(math.NaN()) }), topology.Error{EVSE: "e1", Field: "Max"}},
		"fallback":       {one(func(e *topology.EVSE) { e.Station = &topology.Station{Fallback: 40} }), topology.Error{EVSE: "e1", Field: "Station"}},
		"fuse under floors": {topology.Site{Nodes: []topology.Node{{ID: "grid", Fuse: ptr(si.Same(10))}}, EVSEs: []topology.EVSE{
			{ID: "e1", Node: "grid", Phases: 3, Max: 32, Floor: 6}, {ID: "e2", Node: "grid", Phases: 1, Max: 32, Station: &topology.Station{Fallback: 6}}}},
			topology.Error{Node: "grid", Field: "Fuse"}},
		"import under floors": {topology.Site{Nodes: []topology.Node{{ID: "grid", MaxImport: ptr(si.Watts(4000))}}, EVSEs: []topology.EVSE{
			{ID: "e1", Node: "grid", Phases: 3, Max: 32, Floor: 6}}}, topology.Error{Node: "grid", Field: "MaxImport"}},
	} {
		_, err := topology.New(c.site)
		var list topology.Errors
		if !errors.As(err, &list) {
			t.Errorf("%s: no error", name)
			continue
		}
		if e := list[0]; e.Node != c.want.Node || e.EVSE != c.want.EVSE || e.Field != c.want.Field || e.Advice == "" {
			t.Errorf("%s: %+v", name, *e)
		}
	}
}

func one(change func(e *topology.EVSE)) topology.Site {
	e := topology.EVSE{ID: "e1", Node: "grid", Phases: 3, Max: 32}
	change(&e)
	return topology.Site{Nodes: []topology.Node{{ID: "grid", Fuse: ptr(si.Same(63))}}, EVSEs: []topology.EVSE{e}}
}

// The facets of a delta site must never be looser than the phasors, and hardly stricter.
func TestFacetsAreTheCircle(t *testing.T) {
	tree, err := topology.New(topology.Site{Voltage: 120, Nodes: []topology.Node{{ID: "grid", Fuse: ptr(si.Same(100))}},
		EVSEs: []topology.EVSE{
			{ID: "ab", Node: "grid", Phases: 1, Wiring: topology.LineToLine, Max: 80},
			{ID: "bc", Node: "grid", Phases: 1, Wiring: topology.LineToLine, Max: 80, Rotation: si.Rotation{1, 2, 0}},
			{ID: "ca", Node: "grid", Phases: 1, Wiring: topology.LineToLine, Max: 80, Rotation: si.Rotation{2, 0, 1}},
			{ID: "a", Node: "grid", Phases: 1, Max: 80},
		}})
	if err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		ab, bc, ca, a := rnd.Float64()*80, rnd.Float64()*80, rnd.Float64()*80, rnd.Float64()*20
		x := []si.Phases{{si.Amps(ab)}, {si.Amps(bc)}, {si.Amps(ca)}, {si.Amps(a)}}
		at := func(r, deg float64) complex128 {
			return complex(r*math.Cos(deg*math.Pi/180), r*math.Sin(deg*math.Pi/180))
		}
		exact := [3]float64{abs(at(a, 0) + at(ab, 30) - at(ca, 150)), abs(at(bc, -90) - at(ab, 30)), abs(at(ca, 150) - at(bc, -90))}
		got := [3]float64{}
		for r, row := range tree.Rows() {
			if row.Quantity == topology.Current {
				got[row.Phase] = max(got[row.Phase], tree.Load(r, x)/row.Scale)
			}
		}
		for ph := range 3 {
			if got[ph] < exact[ph]-1e-9 || got[ph] > exact[ph]*1.001+1e-9 {
				t.Fatalf("line %d: %v A by facets, %v A by phasors", ph, got[ph], exact[ph])
			}
		}
	}
	if w := tree.PerAmp(0); math.Abs(float64(w)-208) > 0.2 {
		t.Errorf("1 A line to line is %v, want 208 W", w)
	}
}

func abs(c complex128) float64 { return math.Hypot(real(c), imag(c)) }

func TestDeepTree(t *testing.T) {
	site := topology.Site{}
	parent := ""
	for i := range 50 {
		id := fmt.Sprint("n", i)
		site.Nodes = append([]topology.Node{{ID: id, Parent: parent}}, site.Nodes...)
		parent = id
	}
	site.EVSEs = []topology.EVSE{{ID: "e", Node: "n49", Phases: 1, Max: 16, Rotation: si.Rotation{2, 0, 1}}}
	tree, err := topology.New(site)
	if err != nil {
		t.Fatal(err)
	}
	if tree.Node(tree.Root()).ID != "n0" || len(tree.Under(tree.Root())) != 1 || len(tree.RowsOf(0)) != 100 {
		t.Error(tree.Node(tree.Root()).ID, tree.Under(tree.Root()), len(tree.RowsOf(0)))
	}
}

// A car park: a 63 A connection, a hall behind 32 A with two rotated EVSEs, and a station of another make.
func ExampleNew() {
	fuse := func(a si.Amps) *si.Phases { p := si.Same(a); return &p }
	str, _ := si.ParseRotation("STR")
	tree, err := topology.New(topology.Site{
		Nodes: []topology.Node{
			{ID: "grid", Fuse: fuse(63), Meter: "main", Background: fuse(20)},
			{ID: "hall", Parent: "grid", Fuse: fuse(32)},
		},
		EVSEs: []topology.EVSE{
			{ID: "e1", Node: "hall", Phases: 3, Max: 32, Floor: 6},
			{ID: "e2", Node: "hall", Phases: 1, Max: 32, Rotation: str},
			{ID: "s1", Node: "grid", Phases: 3, Max: 32, Station: &topology.Station{Fallback: 6}},
			{ID: "d1", Node: "grid", Kind: topology.DC, MaxPower: 50000},
		},
	})
	fmt.Println(err)
	hall, _ := tree.FindNode("hall")
	fmt.Println(len(tree.Under(hall)), tree.ToGrid(1, si.Phases{16, 0, 0}), tree.EVSE(3).Max)

	_, err = topology.New(topology.Site{Nodes: []topology.Node{{ID: "grid", Parent: "attic"}}})
	fmt.Println(strings.Split(err.Error(), "\n")[1])
	// Output:
	// <nil>
	// 2 0.0/16.0/0.0 A 72.46 A
	// node grid: its parent "attic" does not exist; name an existing node
}
