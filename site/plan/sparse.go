package plan

import (
	"math"
	"slices"
)

// sparse is the structure of a network whose every row bounds one group and that has no cones, as trees have: the groups a
// vehicle is in form a path towards the root, and eliminating groups from the leaves up creates no new couplings. A
// vehicle's part of the low-rank factor then has entries on its path only, and two vehicles share the end of their paths.
type sparse struct {
	on     bool
	below  [][]int   // per group (numbered from the leaves): coupled groups of smaller number
	reach  [][]int   // per vehicle: its path, ascending
	common []uint16  // n x n: length of the shared end of two paths
	number []int     // group -> number
	t      []float64 // G x G factor
	l      []float64 // per number: square root of the curvature
	part   []float64 // work
}

// prepare finds out whether the network is a tree's, and its structure.
func (m *ipm) prepare() {
	s := &m.tree
	s.on = m.C == 0 && m.G > 6
	for _, row := range m.rows {
		nonzero := 0
		for _, v := range row {
			if v != 0 {
				nonzero++
			}
		}
		s.on = s.on && nonzero == 1
	}
	if !s.on {
		return
	}
	G := m.G
	s.number = make([]int, G)
	for g := range s.number {
		s.number[g] = G - 1 - g // trees list rows from the root down
	}
	coupled := make([]bool, G*G)
	for _, parts := range m.parts {
		for _, p := range parts {
			for _, q := range parts {
				coupled[s.number[p.Group]*G+s.number[q.Group]] = true
			}
		}
	}
	up := make([]int, G) // next group on the way to the root
	for j := range G {
		up[j] = -1
		for i := j + 1; i < G; i++ {
			if !coupled[i*G+j] {
				continue
			}
			if up[j] < 0 {
				up[j] = i
			}
			for k := j + 1; k <= i; k++ {
				if coupled[k*G+j] {
					coupled[i*G+k] = true
				}
			}
		}
	}
	s.below = make([][]int, G)
	for i := range G {
		for j := range i {
			if coupled[i*G+j] {
				s.below[i] = append(s.below[i], j)
			}
		}
	}
	s.reach = s.reach[:0]
	m.stride = 1
	for _, parts := range m.parts {
		first := -1
		for _, p := range parts {
			if g := s.number[p.Group]; first < 0 || g < first {
				first = g
			}
		}
		var path []int
		for g := first; g >= 0; g = up[g] {
			path = append(path, g)
		}
		m.stride = max(m.stride, len(path))
		s.reach = append(s.reach, path)
	}
	s.common = slices.Grow(s.common[:0], m.n*m.n)[:m.n*m.n]
	for a := range m.n {
		for b := range a + 1 {
			x, y := s.reach[a], s.reach[b]
			c := 0
			for c < len(x) && c < len(y) && x[len(x)-1-c] == y[len(y)-1-c] {
				c++
			}
			s.common[a*m.n+b] = uint16(min(c, math.MaxUint16))
		}
	}
	grow(&s.t, G*G)
	grow(&s.l, G)
	grow(&s.part, G)
}

// factorSparse is the part of factor for one interval of a tree; it reports whether all went well.
func (m *ipm) factorSparse(k int) bool {
	s, G, o, nk := &m.tree, m.G, m.off[k], m.nk[k]
	clear(s.l)
	for i, row := range m.rows {
		f := m.lr[k*m.R+i] / m.sr[k*m.R+i]
		for g, v := range row {
			if v != 0 {
				s.l[s.number[g]] += f * v * v
			}
		}
	}
	for g := range s.l {
		s.l[g] = math.Sqrt(s.l[g])
		for _, j := range s.below[g] {
			s.t[g*G+j] = 0
		}
		s.t[g*G+g] = 0
	}
	for a := range nk {
		inv := 1 / m.d[o+a]
		for _, p := range m.parts[a] {
			i := s.number[p.Group]
			for _, q := range m.parts[a] {
				if j := s.number[q.Group]; j <= i {
					s.t[i*G+j] += p.Coef * q.Coef * inv
				}
			}
		}
	}
	for i := range G {
		ti := s.t[i*G : i*G+i+1]
		diag := 1 + s.l[i]*s.l[i]*ti[i]
		for _, j := range s.below[i] {
			tj := s.t[j*G : j*G+j+1]
			sum := s.l[i] * s.l[j] * ti[j]
			for _, q := range s.below[j] {
				sum -= ti[q] * tj[q]
			}
			ti[j] = sum / tj[j]
			diag -= ti[j] * ti[j]
		}
		if !(diag > 0) {
			return false
		}
		ti[i] = math.Sqrt(diag)
	}
	for a := range nk {
		path := s.reach[a]
		row := m.fr[(o+a)*m.stride : (o+a)*m.stride+len(path)]
		for _, g := range path {
			s.part[g] = 0
		}
		for _, p := range m.parts[a] {
			g := s.number[p.Group]
			s.part[g] += p.Coef * s.l[g]
		}
		for x, g := range path {
			sum := s.part[g]
			for y, q := range path[:x] {
				sum -= s.t[g*G+q] * row[y]
			}
			row[x] = sum / s.t[g*G+g]
		}
		for x := range row {
			row[x] /= m.d[o+a]
		}
	}
	for a := range nk {
		la := len(s.reach[a])
		fa := m.fr[(o+a)*m.stride : (o+a)*m.stride+la]
		h := m.he[o+a]
		row := m.s[a*m.n : a*m.n+a+1]
		for b := range row {
			c := int(s.common[a*m.n+b])
			if c == 0 {
				continue
			}
			lb := len(s.reach[b])
			fb := m.fr[(o+b)*m.stride+lb-c : (o+b)*m.stride+lb]
			sum := 0.0
			for x, v := range fa[la-c:] {
				sum += v * fb[x]
			}
			row[b] -= h * m.he[o+b] * sum
		}
	}
	return true
}

// invertSparse is invert for a tree.
func (m *ipm) invertSparse(k int, r []float64) {
	s, o := &m.tree, m.off[k]
	t := s.part
	clear(t)
	for a, v := range r {
		row := m.fr[(o+a)*m.stride:]
		for x, g := range s.reach[a] {
			t[g] += row[x] * v
		}
	}
	for a := range r {
		row := m.fr[(o+a)*m.stride:]
		sum := 0.0
		for x, g := range s.reach[a] {
			sum += row[x] * t[g]
		}
		r[a] = r[a]/m.d[o+a] - sum
	}
}
