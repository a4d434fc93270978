package benchkit

import (
	"fmt"
	"math/rand/v2"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/topology"
)

// Tree builds the site that benches use: a grid connection, halls of 32 EVSEs behind a fuse each, rows of 8 behind another,
// phases rotated, single- and three-phase and a few DC EVSEs, every node metered; the capacity is about 40 % of the demand.
func (s Site) Tree() (*topology.Tree, error) {
	rnd := rand.New(rand.NewPCG(s.Seed, 1))
	fuse := func(a float64) *si.Phases { p := si.Same(si.Amps(a)); return &p }
	power := func(w float64) *si.Watts { v := si.Watts(w); return &v }
	n := float64(s.EVSEs)
	site := topology.Site{Nodes: []topology.Node{{ID: "grid", Fuse: fuse(10*n + 32), MaxImport: power((8*n + 32) * 690),
		Contract: power((9*n + 32) * 690), Meter: "grid", Background: fuse(n)}}}
	rotations := []si.Rotation{{0, 1, 2}, {1, 2, 0}, {2, 0, 1}}
	for i := range s.EVSEs {
		hall, row := fmt.Sprint("hall", i/32), fmt.Sprint("row", i/8)
		if i%32 == 0 {
			site.Nodes = append(site.Nodes, topology.Node{ID: hall, Parent: "grid", Fuse: fuse(32 * 12), Meter: hall, Background: fuse(20)})
		}
		if i%8 == 0 {
			site.Nodes = append(site.Nodes, topology.Node{ID: row, Parent: hall, Fuse: fuse(8 * 14), Meter: row, Background: fuse(8)})
		}
		e := topology.EVSE{ID: fmt.Sprint("evse", i), Node: row, Phases: 1 + 2*rnd.IntN(2), Max: 32, Rotation: rotations[i%3],
			Priority: rnd.IntN(3)}
		if i%32 == 31 {
			e = topology.EVSE{ID: e.ID, Node: row, Kind: topology.DC, MaxPower: 50000}
		}
		site.EVSEs = append(site.EVSEs, e)
	}
	return topology.New(site)
}
