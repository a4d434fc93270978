package plan

import "math"

// factor prepares the Newton system at the present point: per interval D + B'MB with D diagonal and M small, inverted as
// D^-1 - F F' with a factor F of few columns, and the n x n matrix that couples the intervals through the energies.
func (m *ipm) factor() bool {
	n, G := m.n, m.G
	for i := range m.s {
		m.s[i] = 0
	}
	for i, x := range m.x {
		m.d[i] = m.low[i]/x + m.high[i]/(1-x) + prox
	}
	for a := range n {
		m.s[a*n+a] = m.se[a] / m.le[a]
	}
	for k := range m.K {
		o, nk := m.off[k], m.nk[k]
		for a := range nk {
			m.s[a*n+a] += m.he[o+a] * m.he[o+a] / m.d[o+a]
		}
		if m.tree.on {
			if !m.factorSparse(k) {
				return false
			}
			continue
		}
		m.rank[k] = m.middle(k)
		if m.rank[k] == 0 {
			continue
		}
		// W = B D^-1 B', then I + L'WL = TT', and the factor's row of vehicle a is (T^-1 L' b_a) / d_a.
		w, t, l := m.w, m.t, m.m
		clear(w)
		for a := range nk {
			inv := 1 / m.d[o+a]
			for _, p := range m.parts[a] {
				for _, q := range m.parts[a] {
					w[p.Group*G+q.Group] += p.Coef * q.Coef * inv
				}
			}
		}
		for i := range G { // yb = W L
			for j := range G {
				sum := 0.0
				for g := j; g < G; g++ {
					sum += w[i*G+g] * l[g*G+j]
				}
				m.yb[i*G+j] = sum
			}
		}
		for i := range G {
			for j := 0; j <= i; j++ {
				sum := 0.0
				for g := i; g < G; g++ {
					sum += l[g*G+i] * m.yb[g*G+j]
				}
				t[i*G+j] = sum
			}
			t[i*G+i]++
		}
		if !cholesky(t, G) {
			return false
		}
		// yb = T^-1 L'
		for col := range G {
			for i := range G {
				sum := l[col*G+i]
				if col < i {
					sum = 0
				}
				for j := range i {
					sum -= t[i*G+j] * m.yb[j*G+col]
				}
				m.yb[i*G+col] = sum / t[i*G+i]
			}
		}
		for a := range nk {
			row := m.fr[(o+a)*G : (o+a+1)*G]
			clear(row)
			for _, p := range m.parts[a] {
				f := p.Coef / m.d[o+a]
				for i := range row {
					row[i] += f * m.yb[i*G+p.Group]
				}
			}
		}
		m.couple(k)
	}
	return cholesky(m.s, n)
}

// middle sets m.m to the Cholesky factor of the network constraints' curvature in the group space of interval k. It returns
// 0 if the curvature is negligible, else G.
func (m *ipm) middle(k int) int {
	G := m.G
	clear(m.m)
	zk := m.z[k*G : (k+1)*G]
	size := 0.0
	for i := range m.C {
		l, s := m.lc[k*m.C+i], m.sc[k*m.C+i]
		re, im := m.cre[i], m.cim[i]
		zr, zi := dot(re, zk), dot(im, zk)
		f := 4 * l / s
		for g := range G {
			if re[g] == 0 && im[g] == 0 {
				continue
			}
			gg := zr*re[g] + zi*im[g]
			for j := 0; j <= g; j++ {
				m.m[g*G+j] += 2*l*(re[g]*re[j]+im[g]*im[j]) + f*gg*(zr*re[j]+zi*im[j])
			}
		}
	}
	for i := range m.R {
		f := m.lr[k*m.R+i] / m.sr[k*m.R+i]
		row := m.rows[i]
		for g := range G {
			if row[g] == 0 {
				continue
			}
			for j := 0; j <= g; j++ {
				m.m[g*G+j] += f * row[g] * row[j]
			}
		}
	}
	for g := range G {
		size = math.Max(size, m.m[g*G+g])
	}
	if !(size > 1e-13) {
		return 0
	}
	// Semidefinite Cholesky: a pivot that vanishes leaves a zero column.
	for i := range G {
		for j := 0; j <= i; j++ {
			sum := m.m[i*G+j]
			for g := range j {
				sum -= m.m[i*G+g] * m.m[j*G+g]
			}
			switch {
			case i == j && sum > 1e-14*size:
				m.m[i*G+i] = math.Sqrt(sum)
			case i == j:
				m.m[i*G+i] = 0
			case m.m[j*G+j] == 0:
				m.m[i*G+j] = 0
			default:
				m.m[i*G+j] = sum / m.m[j*G+j]
			}
		}
	}
	return G
}

// couple subtracts what interval k's low-rank part takes off the coupling matrix.
func (m *ipm) couple(k int) {
	n, G, o, nk := m.n, m.G, m.off[k], m.nk[k]
	if G == 5 {
		for a := range nk {
			p := m.fr[(o+a)*5 : (o+a)*5+5 : (o+a)*5+5]
			h := m.he[o+a]
			p0, p1, p2, p3, p4 := p[0]*h, p[1]*h, p[2]*h, p[3]*h, p[4]*h
			row := m.s[a*n : a*n+a+1]
			for b := range row {
				q := m.fr[(o+b)*5 : (o+b)*5+5 : (o+b)*5+5]
				row[b] -= m.he[o+b] * (p0*q[0] + p1*q[1] + p2*q[2] + p3*q[3] + p4*q[4])
			}
		}
		return
	}
	for a := range nk {
		p := m.fr[(o+a)*G : (o+a+1)*G]
		h := m.he[o+a]
		row := m.s[a*n : a*n+a+1]
		for b := range row {
			row[b] -= h * m.he[o+b] * dot(p, m.fr[(o+b)*G:(o+b+1)*G])
		}
	}
}

// invert applies the inverse of interval k's block in place.
func (m *ipm) invert(k int, r []float64) {
	G, o := m.G, m.off[k]
	if m.tree.on {
		m.invertSparse(k, r)
		return
	}
	if m.rank[k] == 0 {
		for a := range r {
			r[a] /= m.d[o+a]
		}
		return
	}
	t := m.v1[:G]
	clear(t)
	for a, v := range r {
		row := m.fr[(o+a)*G : (o+a+1)*G]
		for g, f := range row {
			t[g] += f * v
		}
	}
	for a := range r {
		r[a] = r[a]/m.d[o+a] - dot(m.fr[(o+a)*G:(o+a+1)*G], t)
	}
}

// direction computes the step towards the point where dual times slack is mu for every constraint. With correct set, the
// products of the last direction's steps are taken into account.
func (m *ipm) direction(mu float64, correct bool) {
	one := 0.0
	if correct {
		one = 1
	}
	zg := m.v2[:m.G]
	for k := range m.K {
		o, nk := m.off[k], m.nk[k]
		m.pull(k, zg, func(i int) float64 {
			at := k*m.C + i
			return (mu - one*m.dsc[at]*m.dlc[at]) / m.sc[at]
		}, func(i int) float64 {
			at := k*m.R + i
			return (mu - one*m.dsr[at]*m.dlr[at]) / m.sr[at]
		})
		for a := range nk {
			at := o + a
			x := m.x[at]
			r := -m.c[at] + (mu-one*m.dx[at]*m.dlow[at])/x - (mu+one*m.dx[at]*m.dhigh[at])/(1-x)
			r -= m.he[at] * (mu - one*m.dse[a]*m.dle[a]) / m.se[a]
			for _, p := range m.parts[a] {
				r -= p.Coef * zg[p.Group]
			}
			m.y[at] = r
		}
	}
	clear(m.q)
	for k := range m.K {
		o, nk := m.off[k], m.nk[k]
		m.invert(k, m.y[o:o+nk])
		for a := range nk {
			m.q[a] += m.he[o+a] * m.y[o+a]
		}
	}
	backsolve(m.s, m.n, m.q)
	for k := range m.K {
		o, nk := m.off[k], m.nk[k]
		t := m.v2[:nk]
		for a := range nk {
			t[a] = m.he[o+a] * m.q[a]
		}
		m.invert(k, t)
		for a := range nk {
			m.y[o+a] -= t[a]
		}
	}
	m.duals(mu, one)
}

// duals takes over m.y as the step of x and works out the steps of slacks and duals.
func (m *ipm) duals(mu, one float64) {
	next := func(s, ds, l, dl, dsNew float64) float64 { // the step of the dual
		return (mu-one*ds*dl)/s - l/s*dsNew - l
	}
	// energies
	ds := m.v1[:m.n]
	clear(ds)
	for k := range m.K {
		o := m.off[k]
		for a := range m.nk[k] {
			ds[a] -= m.he[o+a] * m.y[o+a]
		}
	}
	for a := range m.n {
		m.dle[a] = next(m.se[a], m.dse[a], m.le[a], m.dle[a], ds[a])
		m.dse[a] = ds[a]
	}
	for i, x := range m.x {
		d := m.y[i]
		m.dlow[i] = next(x, m.dx[i], m.low[i], m.dlow[i], d)
		m.dhigh[i] = next(1-x, -m.dx[i], m.high[i], m.dhigh[i], -d)
	}
	copy(m.dx, m.y)
	for k := range m.K {
		m.sums(k, m.dx, m.dz)
		zk, dk := m.z[k*m.G:(k+1)*m.G], m.dz[k*m.G:(k+1)*m.G]
		for i := range m.C {
			at := k*m.C + i
			d := -2 * (dot(m.cre[i], zk)*dot(m.cre[i], dk) + dot(m.cim[i], zk)*dot(m.cim[i], dk))
			m.dlc[at] = next(m.sc[at], m.dsc[at], m.lc[at], m.dlc[at], d)
			m.dsc[at] = d
		}
		for i := range m.R {
			at := k*m.R + i
			d := -dot(m.rows[i], dk)
			m.dlr[at] = next(m.sr[at], m.dsr[at], m.lr[at], m.dlr[at], d)
			m.dsr[at] = d
		}
	}
}

// cholesky replaces the lower triangle of the symmetric n x n matrix a by its factor; false if it is not positive definite.
func cholesky(a []float64, n int) bool {
	for i := range n {
		ri := a[i*n : i*n+i+1]
		for j := range i {
			rj := a[j*n : j*n+j+1]
			sum := ri[j]
			for k, v := range rj[:j] {
				sum -= ri[k] * v
			}
			ri[j] = sum / rj[j]
		}
		sum := ri[i]
		for _, v := range ri[:i] {
			sum -= v * v
		}
		if !(sum > 0) {
			if !(sum > -1e-9) { // also true for NaN
				return false
			}
			sum = 1e-12
		}
		ri[i] = math.Sqrt(sum)
	}
	return true
}

// backsolve solves with the factor that cholesky left in a, in place.
func backsolve(a []float64, n int, b []float64) {
	for i := range n {
		sum := b[i]
		for k, v := range a[i*n : i*n+i] {
			sum -= v * b[k]
		}
		b[i] = sum / a[i*n+i]
	}
	for i := n - 1; i >= 0; i-- {
		b[i] /= a[i*n+i]
		for k, v := range a[i*n : i*n+i] {
			b[k] -= v * b[i]
		}
	}
}
