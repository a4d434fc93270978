package topology

import (
	"math"

	"github.com/voltyard/voltyard/hal/si"
)

const sqrt3 = 1.7320508075688772

// Quantity says what a row adds up.
type Quantity uint8

const (
	Current Quantity = iota // A in one line conductor of a node
	Power                   // W through a node
)

// Row is the linear form of one quantity at one node: the sum over Terms of coefficient times own-phase current. It carries
// no bound; whoever works with rows brings one bound per row, multiplied by Scale.
//
// At a node with line-to-line EVSEs a line current is the length of a sum of phasors that lie within 30 degrees of the
// line's axis. The circle it must stay in is replaced by facets of 5 degrees whose corners lie on it: there are 12 Current
// rows for such a line, each a little too strict (0.1 % at most), never too loose. All coefficients are >= 0.
type Row struct {
	Node     int
	Quantity Quantity
	Phase    int     // grid phase 0..2 of a Current row, -1 of a Power row
	Scale    float64 // 1, or less for facets: multiply the limit's value with it
	Terms    []Term
}

// Term is the part of one EVSE in a row: coefficient per own phase.
type Term struct {
	EVSE int
	Coef [3]float64
}

// RowRef is a Term seen from the EVSE.
type RowRef struct {
	Row  int
	Coef [3]float64
}

// Rows returns all rows of the tree, grouped by node. The slice must not be changed.
func (t *Tree) Rows() []Row { return t.rows }

// RowsOf returns the rows EVSE i has a part in. The slice must not be changed.
func (t *Tree) RowsOf(evse int) []RowRef { return t.rowsOf[evse] }

// RowsAt returns the indices of the rows of a node. The slice must not be changed.
func (t *Tree) RowsAt(node int) []int { return t.nodeRow[node] }

// Load returns what the own-phase currents x of all EVSEs add up to in row r.
func (t *Tree) Load(r int, x []si.Phases) float64 {
	sum := 0.0
	for _, term := range t.rows[r].Terms {
		v := &x[term.EVSE]
		sum += term.Coef[0]*float64(v[0]) + term.Coef[1]*float64(v[1]) + term.Coef[2]*float64(v[2])
	}
	return sum
}

func (t *Tree) buildRows() {
	t.rowsOf = make([][]RowRef, len(t.evses))
	t.nodeRow = make([][]int, len(t.nodes))
	for _, n := range t.order {
		delta := false
		for _, e := range t.under[n] {
			delta = delta || (t.evses[e].Wiring == LineToLine && t.system == ThreePhase)
		}
		for phase := range 3 {
			if !delta {
				t.addRow(Row{Node: n, Quantity: Current, Phase: phase, Scale: 1}, func(e int) [3]float64 {
					return t.lineCoef(e, phase, 0, false)
				})
				continue
			}
			for f := range facets {
				angle := (float64(f) - (facets-1)/2.0) * facetWidth
				row := Row{Node: n, Quantity: Current, Phase: phase, Scale: math.Cos(facetWidth / 2)}
				t.addRow(row, func(e int) [3]float64 { return t.lineCoef(e, phase, angle, true) })
			}
		}
		t.addRow(Row{Node: n, Quantity: Power, Phase: -1, Scale: 1}, func(e int) [3]float64 {
			w := float64(t.PerAmp(e))
			if t.evses[e].Phases == 1 {
				return [3]float64{w, 0, 0}
			}
			return [3]float64{w, w, w}
		})
	}
}

// lineCoef returns what 1 A on each own phase of EVSE e adds to the current of a line in the direction of angle.
func (t *Tree) lineCoef(e, phase int, angle float64, facet bool) (c [3]float64) {
	ev := &t.evses[e]
	if ev.Wiring == LineToLine {
		var other int
		switch phase {
		case int(ev.Rotation[0]):
			other = int(ev.Rotation[1])
		case int(ev.Rotation[1]):
			other = int(ev.Rotation[0])
		default:
			return c
		}
		c[0] = 1
		if facet {
			own := -30 * degrees
			if other == (phase+1)%3 {
				own = 30 * degrees
			}
			c[0] = math.Cos(own - angle)
		}
		return c
	}
	for p := range ev.Phases {
		if int(ev.Rotation[p]) == phase {
			c[p] = 1
			if facet {
				c[p] = math.Cos(angle)
			}
		}
	}
	return c
}

func (t *Tree) addRow(r Row, coef func(evse int) [3]float64) {
	for _, e := range t.under[r.Node] {
		if c := coef(e); c != ([3]float64{}) {
			r.Terms = append(r.Terms, Term{EVSE: e, Coef: c})
		}
	}
	i := len(t.rows)
	t.rows = append(t.rows, r)
	t.nodeRow[r.Node] = append(t.nodeRow[r.Node], i)
	for _, term := range r.Terms {
		t.rowsOf[term.EVSE] = append(t.rowsOf[term.EVSE], RowRef{Row: i, Coef: term.Coef})
	}
}
