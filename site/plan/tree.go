package plan

import (
	"math"

	"github.com/voltyard/voltyard/site/topology"
)

// FromTree expresses a site's tree as a network: one group and one row for every row of the tree that could ever bind.
// bounds has what is left for EVSEs per row of the tree (allocate.Result.ImportBound), in A or W. parts are the shares of
// one ampere per phase of every EVSE, on all of its phases.
func FromTree(t *topology.Tree, bounds []float64) (net *Network, parts [][]Part) {
	return FromTreeUsing(t, bounds, nil)
}

// FromTreeUsing is FromTree for vehicles that use only some phases: phases[i] is 1 for EVSE i when its vehicle charges on
// its first phase alone, and anything else for all.
func FromTreeUsing(t *topology.Tree, bounds []float64, phases []int) (net *Network, parts [][]Part) {
	net = &Network{}
	parts = make([][]Part, t.EVSEs())
	for r, row := range t.Rows() {
		if math.IsInf(bounds[r], 1) || math.IsNaN(bounds[r]) {
			continue
		}
		most := 0.0
		coef := make([]float64, len(row.Terms))
		for i, term := range row.Terms {
			n := t.EVSE(term.EVSE).Phases
			if phases != nil && phases[term.EVSE] == 1 {
				n = 1
			}
			for ph := range n {
				coef[i] += term.Coef[ph]
			}
			most += coef[i] * float64(t.EVSE(term.EVSE).Max)
		}
		if most <= bounds[r] {
			continue
		}
		for i, term := range row.Terms {
			if coef[i] != 0 {
				parts[term.EVSE] = append(parts[term.EVSE], Part{Group: net.Groups, Coef: coef[i]})
			}
		}
		net.Groups++
		net.Rows = append(net.Rows, Row{Name: t.Node(row.Node).ID, Limit: math.Max(bounds[r], 1e-3)})
	}
	for g := range net.Rows {
		net.Rows[g].Coef = make([]float64, net.Groups)
		net.Rows[g].Coef[g] = 1
	}
	return net, parts
}
