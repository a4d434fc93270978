package plan

import (
	"math"
)

// ipm is the interior-point method. Variable x[off[k]+a] in (0, 1) is the current of vehicle a (in order of falling stay)
// in interval k over its maximum; vehicles 0..nk[k]-1 are there. Constraints: 0 < x < 1, energy of each vehicle, and per
// interval the cones and rows of the network over its group sums.
type ipm struct {
	n, K, G, C, R int
	net           *Network
	h             []float64 // slots per interval
	nk, off       []int
	share         []float64   // of the limits, per interval
	parts         [][]Part    // per vehicle, coefficients times Max
	cre, cim      [][]float64 // cones over groups, divided by their limits
	rows          [][]float64

	x, dx, c, d      []float64 // per variable: point, step, cost, diagonal
	low, high        []float64 // duals of the bounds
	dlow, dhigh      []float64
	y                []float64
	he               []float64 // h over the need of the vehicle, per variable
	se, le, dle, dse []float64 // energy: slack, dual, steps, per vehicle
	z, dz            []float64 // group sums per interval
	sc, lc, dlc, dsc []float64 // cones per interval
	sr, lr, dlr, dsr []float64 // rows per interval
	fr               []float64 // factor of the low-rank part: one row of stride numbers per variable
	s                []float64 // n x n system
	m, w, t, yb      []float64 // G x G
	v1, v2, q        []float64
	rank             []int
	stride           int // numbers per variable in fr
	tree             sparse
}

const prox = 1e-7

func grow(b *[]float64, n int) []float64 {
	if cap(*b) < n {
		*b = make([]float64, n+n/2)
	}
	*b = (*b)[:n]
	clear(*b)
	return *b
}

// load sets up the problem in scaled variables and a strictly feasible start.
func (m *ipm) load(p *Problem, order, bounds []int) {
	m.net, m.n, m.K = p.Net, len(order), len(bounds)-1
	m.G, m.C, m.R = p.Net.Groups, len(p.Net.Cones), len(p.Net.Rows)
	m.nk, m.off = append(m.nk[:0], make([]int, m.K)...), append(m.off[:0], make([]int, m.K)...)
	m.rank = append(m.rank[:0], make([]int, m.K)...)
	grow(&m.h, m.K)
	grow(&m.share, m.K)
	total := 0
	for k := range m.K {
		m.h[k] = float64(bounds[k+1] - bounds[k])
		m.share[k] = 1
		if p.Share != nil {
			m.share[k] = math.Max(1e-3, math.Min(1, p.Share(bounds[k], bounds[k+1])))
		}
		m.off[k] = total
		for _, i := range order {
			if p.Vehicles[i].Leaves > bounds[k] {
				m.nk[k]++
			}
		}
		total += m.nk[k]
	}
	m.parts = m.parts[:0]
	mean := 0.0
	for _, i := range order {
		v := &p.Vehicles[i]
		mean += v.Max / float64(m.n)
		ps := make([]Part, len(v.Parts))
		for j, part := range v.Parts {
			ps[j] = Part{part.Group, part.Coef * v.Max}
		}
		m.parts = append(m.parts, ps)
	}
	scaled := func(v []float64, limit float64) []float64 {
		out := make([]float64, len(v))
		for g := range v {
			out[g] = v[g] / limit
		}
		return out
	}
	m.cre, m.cim, m.rows = m.cre[:0], m.cim[:0], m.rows[:0]
	for i := range p.Net.Cones {
		cone := &p.Net.Cones[i]
		m.cre, m.cim = append(m.cre, scaled(cone.Re, cone.Limit)), append(m.cim, scaled(cone.Im, cone.Limit))
	}
	for i := range p.Net.Rows {
		m.rows = append(m.rows, scaled(p.Net.Rows[i].Coef, p.Net.Rows[i].Limit))
	}
	for _, b := range []*[]float64{&m.x, &m.dx, &m.c, &m.d, &m.low, &m.high, &m.dlow, &m.dhigh, &m.y, &m.he} {
		grow(b, total)
	}
	for _, b := range []*[]float64{&m.se, &m.le, &m.dle, &m.dse, &m.q} {
		grow(b, m.n)
	}
	grow(&m.z, m.K*m.G)
	grow(&m.dz, m.K*m.G)
	for _, b := range []*[]float64{&m.sc, &m.lc, &m.dlc, &m.dsc} {
		grow(b, m.K*m.C)
	}
	for _, b := range []*[]float64{&m.sr, &m.lr, &m.dlr, &m.dsr} {
		grow(b, m.K*m.R)
	}
	m.stride = m.G
	m.prepare()
	grow(&m.fr, total*m.stride)
	grow(&m.s, m.n*m.n)
	for _, b := range []*[]float64{&m.m, &m.w, &m.t, &m.yb} {
		grow(b, m.G*m.G)
	}
	grow(&m.v1, max(m.G, m.n))
	grow(&m.v2, max(m.G, m.n))
	for k := range m.K {
		for a := range m.nk[k] {
			i := order[a]
			v := &p.Vehicles[i]
			at := m.off[k] + a
			worth := -1.0 // before it comes, so that the optimum leaves it at nothing
			if bounds[k] >= v.Arrives {
				worth = p.Worth(i, bounds[k], bounds[k+1])
			}
			m.c[at] = -worth * m.h[k] * v.Max / mean
			m.he[at] = m.h[k] * v.Max / v.Need
			m.x[at] = math.Min(0.5, 0.45*v.Need/(v.Max*float64(v.Leaves)))
		}
		m.sums(k, m.x, m.z)
		worst := 0.0
		zk := m.z[k*m.G : (k+1)*m.G]
		for i := range m.C {
			worst = math.Max(worst, math.Hypot(dot(m.cre[i], zk), dot(m.cim[i], zk))/m.share[k])
		}
		for i := range m.R {
			worst = math.Max(worst, dot(m.rows[i], zk)/m.share[k])
		}
		if worst > 0.5 {
			for a := range m.nk[k] {
				m.x[m.off[k]+a] *= 0.5 / worst
			}
		}
	}
}

// sums writes the group sums of interval k of variables x into z.
func (m *ipm) sums(k int, x, z []float64) {
	zk := z[k*m.G : (k+1)*m.G]
	clear(zk)
	for a := range m.nk[k] {
		v := x[m.off[k]+a]
		for _, p := range m.parts[a] {
			zk[p.Group] += p.Coef * v
		}
	}
}

// slacks recomputes everything that follows from x.
func (m *ipm) slacks() {
	for a := range m.n {
		m.se[a] = 1
	}
	for k := range m.K {
		o := m.off[k]
		for a := range m.nk[k] {
			m.se[a] -= m.he[o+a] * m.x[o+a]
		}
		m.sums(k, m.x, m.z)
		zk := m.z[k*m.G : (k+1)*m.G]
		for i := range m.C {
			re, im := dot(m.cre[i], zk), dot(m.cim[i], zk)
			m.sc[k*m.C+i] = m.share[k]*m.share[k] - re*re - im*im
		}
		for i := range m.R {
			m.sr[k*m.R+i] = m.share[k] - dot(m.rows[i], zk)
		}
	}
}

// count is the number of constraints.
func (m *ipm) count() float64 { return float64(2*len(m.x) + m.n + m.K*(m.C+m.R)) }

// gap is the sum of dual times slack.
func (m *ipm) gap() float64 {
	g := dot(m.le, m.se) + dot(m.lc, m.sc) + dot(m.lr, m.sr)
	for i, x := range m.x {
		g += m.low[i]*x + m.high[i]*(1-x)
	}
	return g
}

// run iterates from the start that load made. The point stays strictly feasible all the time.
func (m *ipm) run(stop func() bool) (iterations int, gap float64, optimal bool) {
	m.slacks()
	worth := 0.0
	for i, x := range m.x {
		worth += math.Abs(m.c[i]) * x
	}
	mu := 1.0 * worth / m.count()
	start := func(l []float64, s []float64) {
		for i := range l {
			l[i] = math.Min(mu/s[i], 10)
		}
	}
	start(m.low, m.x)
	for i, x := range m.x {
		m.high[i] = math.Min(mu/(1-x), 10)
	}
	start(m.le, m.se)
	start(m.lc, m.sc)
	start(m.lr, m.sr)
	const most = 60
	for iterations = 0; iterations < most; iterations++ {
		value := 0.0
		for i, x := range m.x {
			value -= m.c[i] * x
		}
		g := m.gap()
		gap = g / math.Max(math.Abs(value), 1e-9)
		if gap < Tolerance && m.residual() < 1e-3 {
			return iterations, gap, true
		}
		if stop != nil && stop() {
			return iterations, gap, false
		}
		mu = g / m.count()
		if !m.factor() {
			return iterations, gap, false
		}
		m.direction(0, false)
		alpha := math.Min(1, m.longest())
		sigma := m.muAfter(alpha) / mu
		sigma = math.Min(0.5, math.Max(1e-4, sigma*sigma*sigma))
		m.direction(sigma*mu, true)
		alpha = math.Min(1, 0.99*m.longest())
		if !(alpha > 1e-9) {
			return iterations, gap, false
		}
		m.advance(alpha)
	}
	return iterations, gap, false
}

// residual is the largest component of the gradient of the Lagrangian, relative to the costs.
func (m *ipm) residual() float64 {
	worst := 0.0
	zg := m.v1[:m.G]
	for k := range m.K {
		m.pull(k, zg, func(i int) float64 { return m.lc[k*m.C+i] }, func(i int) float64 { return m.lr[k*m.R+i] })
		o := m.off[k]
		for a := range m.nk[k] {
			r := m.c[o+a] - m.low[o+a] + m.high[o+a] + m.le[a]*m.he[o+a]
			for _, p := range m.parts[a] {
				r += p.Coef * zg[p.Group]
			}
			worst = math.Max(worst, math.Abs(r)/m.h[k])
		}
	}
	return worst
}

// pull adds up, in group space, the gradients of interval k's network constraints with the given multipliers.
func (m *ipm) pull(k int, out []float64, cone, row func(i int) float64) {
	clear(out)
	zk := m.z[k*m.G : (k+1)*m.G]
	for i := range m.C {
		l := cone(i)
		re, im := 2*l*dot(m.cre[i], zk), 2*l*dot(m.cim[i], zk)
		for g := range out {
			out[g] += re*m.cre[i][g] + im*m.cim[i][g]
		}
	}
	for i := range m.R {
		l := row(i)
		for g := range out {
			out[g] += l * m.rows[i][g]
		}
	}
}

func (m *ipm) advance(alpha float64) {
	add := func(x, d []float64) {
		for i := range x {
			x[i] += alpha * d[i]
		}
	}
	keep := func(l, d []float64) {
		for i := range l {
			l[i] = math.Max(l[i]+alpha*d[i], 1e-14)
		}
	}
	add(m.x, m.dx)
	keep(m.low, m.dlow)
	keep(m.high, m.dhigh)
	keep(m.le, m.dle)
	keep(m.lc, m.dlc)
	keep(m.lr, m.dlr)
	m.slacks()
}

// longest is the largest step that keeps every slack and dual positive; for cones it is exact.
func (m *ipm) longest() float64 {
	best := 1e3
	ratio := func(s, ds float64) {
		if ds < 0 && -s/ds < best {
			best = -s / ds
		}
	}
	for i, x := range m.x {
		ratio(x, m.dx[i])
		ratio(1-x, -m.dx[i])
		ratio(m.low[i], m.dlow[i])
		ratio(m.high[i], m.dhigh[i])
	}
	for a := range m.n {
		ratio(m.se[a], m.dse[a])
		ratio(m.le[a], m.dle[a])
	}
	for i := range m.lr {
		ratio(m.sr[i], m.dsr[i])
		ratio(m.lr[i], m.dlr[i])
	}
	for k := range m.K {
		zk, dk := m.z[k*m.G:(k+1)*m.G], m.dz[k*m.G:(k+1)*m.G]
		for i := range m.C {
			ratio(m.lc[k*m.C+i], m.dlc[k*m.C+i])
			zr, zi, dr, di := dot(m.cre[i], zk), dot(m.cim[i], zk), dot(m.cre[i], dk), dot(m.cim[i], dk)
			best = math.Min(best, root(dr*dr+di*di, zr*dr+zi*di, -m.sc[k*m.C+i]))
		}
	}
	return best
}

// muAfter is the mean of dual times slack after a step, slacks taken as linear.
func (m *ipm) muAfter(alpha float64) float64 {
	g := 0.0
	for i, x := range m.x {
		g += (x+alpha*m.dx[i])*(m.low[i]+alpha*m.dlow[i]) + (1-x-alpha*m.dx[i])*(m.high[i]+alpha*m.dhigh[i])
	}
	pair := func(s, ds, l, dl []float64) {
		for i := range s {
			g += (s[i] + alpha*ds[i]) * (l[i] + alpha*dl[i])
		}
	}
	pair(m.se, m.dse, m.le, m.dle)
	pair(m.sc, m.dsc, m.lc, m.dlc)
	pair(m.sr, m.dsr, m.lr, m.dlr)
	return math.Max(0, g) / m.count()
}
