package plan

import (
	"math"
)

// Network is the set of points that currents may take together, in terms of few sums ("groups") of vehicles' currents: the
// legs and pods of a delta site, or the rows of a tree. It is convex and contains the origin.
type Network struct {
	Groups int
	Cones  []Cone
	Rows   []Row
}

// Cone bounds the magnitude of a line's current: the length of the sum over groups of (Re, Im) times the group's sum.
type Cone struct {
	Name   string
	Re, Im []float64 // per group
	Limit  float64   // A, > 0
}

// Row bounds a weighted sum of groups.
type Row struct {
	Name  string
	Coef  []float64 // per group
	Limit float64   // in the unit of the sum, > 0
}

// Part is the share of a vehicle's current in one group.
type Part struct {
	Group int
	Coef  float64
}

// Violation returns by how much sums z exceed the worst constraint, relative to its limit: 0.01 is one percent, negative is
// room. NaN in z gives +Inf.
func (n *Network) Violation(z []float64) float64 {
	worst := math.Inf(-1)
	for i := range n.Cones {
		c := &n.Cones[i]
		re, im := c.at(z)
		worst = math.Max(worst, math.Hypot(re, im)/c.Limit-1)
	}
	for i := range n.Rows {
		worst = math.Max(worst, dot(n.Rows[i].Coef, z)/n.Rows[i].Limit-1)
	}
	if math.IsNaN(worst) {
		return math.Inf(1)
	}
	return worst
}

func (c *Cone) at(z []float64) (re, im float64) { return dot(c.Re, z), dot(c.Im, z) }

func dot(a, b []float64) float64 {
	s := 0.0
	for i, v := range a {
		s += v * b[i]
	}
	return s
}

// Room returns the largest step r >= 0 such that z + r*d keeps every constraint, and the constraint that ends it (cones
// first, then rows; -1: none). z must keep them.
func (n *Network) Room(z, d []float64) (float64, int) {
	best, at := math.Inf(1), -1
	for i := range n.Cones {
		c := &n.Cones[i]
		zr, zi := c.at(z)
		dr, di := c.at(d)
		if r := root(dr*dr+di*di, zr*dr+zi*di, zr*zr+zi*zi-c.Limit*c.Limit); r < best {
			best, at = r, i
		}
	}
	for i := range n.Rows {
		row := &n.Rows[i]
		if g := dot(row.Coef, d); g > 1e-12 {
			if r := math.Max(0, (row.Limit-dot(row.Coef, z))/g); r < best {
				best, at = r, len(n.Cones)+i
			}
		}
	}
	return best, at
}

// root is the largest r >= 0 with a r^2 + 2 b r + c <= 0, for a >= 0 and c <= 0 (about).
func root(a, b, c float64) float64 {
	if a < 1e-15 {
		return math.Inf(1)
	}
	c = math.Min(c, 0)
	disc := math.Sqrt(b*b - a*c)
	if b > 0 {
		return -c / (b + disc)
	}
	return (disc - b) / a
}

// Slope returns how fast constraint i of Room grows at z per unit of d, up to a positive factor.
func (n *Network) Slope(i int, z, d []float64) float64 {
	if i < len(n.Cones) {
		c := &n.Cones[i]
		zr, zi := c.at(z)
		dr, di := c.at(d)
		return (zr*dr + zi*di) / c.Limit
	}
	return dot(n.Rows[i-len(n.Cones)].Coef, d)
}
