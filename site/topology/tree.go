package topology

import (
	"github.com/voltyard/voltyard/hal/si"
)

// Tree is a checked, indexed, immutable site. Nodes and EVSEs are addressed by index (dense, stable, in the order of the
// description) or by id.
type Tree struct {
	system  System
	voltage si.Volts
	nodes   []Node
	evses   []EVSE
	nodeAt  map[string]int
	evseAt  map[string]int
	parent  []int   // per node, -1 for the root
	root    int     // index of the root
	order   []int   // nodes, parents before children
	home    []int   // per EVSE, its node
	under   [][]int // per node, all EVSEs beneath it
	rows    []Row
	rowsOf  [][]RowRef // per EVSE
	nodeRow [][]int    // per node, its rows
}

// System returns how the supply is built.
func (t *Tree) System() System { return t.system }

// Voltage returns the nominal voltage, phase to neutral.
func (t *Tree) Voltage() si.Volts { return t.voltage }

// Nodes returns the number of nodes.
func (t *Tree) Nodes() int { return len(t.nodes) }

// EVSEs returns the number of EVSEs and third-party stations.
func (t *Tree) EVSEs() int { return len(t.evses) }

// Node returns node i with all defaults filled in. The pointers in it must not be written through.
func (t *Tree) Node(i int) Node { return t.nodes[i] }

// EVSE returns EVSE or station i with all defaults filled in: Max, Min, Floor and MaxExport are A per phase for DC too.
func (t *Tree) EVSE(i int) *EVSE { return &t.evses[i] }

// FindNode returns the index of a node.
func (t *Tree) FindNode(id string) (int, bool) { i, ok := t.nodeAt[id]; return i, ok }

// FindEVSE returns the index of an EVSE or station.
func (t *Tree) FindEVSE(id string) (int, bool) { i, ok := t.evseAt[id]; return i, ok }

// Root returns the index of the grid connection.
func (t *Tree) Root() int { return t.root }

// Parent returns the parent of node i, -1 for the root.
func (t *Tree) Parent(i int) int { return t.parent[i] }

// Home returns the node EVSE i hangs on.
func (t *Tree) Home(evse int) int { return t.home[evse] }

// Under returns the EVSEs anywhere beneath node i, in order. The slice must not be changed.
func (t *Tree) Under(node int) []int { return t.under[node] }

// TopDown returns all nodes, parents before their children. The slice must not be changed.
func (t *Tree) TopDown() []int { return t.order }

// ToGrid maps the currents at EVSE i's own terminals to the magnitudes of the line currents of the grid's phases.
// For star EVSEs this is the rotation; a line-to-line EVSE loads both of its lines with its current.
func (t *Tree) ToGrid(evse int, own si.Phases) si.Phases {
	e := &t.evses[evse]
	if e.Wiring == LineToLine {
		var g si.Phases
		g[e.Rotation[0]], g[e.Rotation[1]] = own[0], own[0]
		return g
	}
	return e.Rotation.ToGrid(own)
}

// PerAmp returns the power in W that 1 A on one own phase of EVSE i means at nominal voltage.
func (t *Tree) PerAmp(evse int) si.Watts {
	if t.evses[evse].Wiring == LineToLine {
		if t.system == SplitPhase {
			return si.Watts(2 * t.voltage)
		}
		return si.Watts(sqrt3 * float64(t.voltage))
	}
	return si.Watts(t.voltage)
}

// Own returns a on each of the phases EVSE i uses when it runs with n phases (1 or 3), 0 elsewhere.
func (t *Tree) Own(evse int, n int, a si.Amps) si.Phases {
	if n == 3 && t.evses[evse].Phases == 3 {
		return si.Same(a)
	}
	return si.Phases{a, 0, 0}
}
