// Package lptest is a small dense linear-programming solver that tests use as an oracle. Nothing else may call it.
package lptest

import "math"

// Maximize returns the x >= 0 that maximizes c'x subject to Ax <= b, for b >= 0, and the value; ok is false if the task is
// unbounded. It is the tableau simplex with Bland's rule: slow, and without cycles.
func Maximize(c []float64, a [][]float64, b []float64) (x []float64, value float64, ok bool) {
	n, m := len(c), len(a)
	t := make([][]float64, m+1)
	basis := make([]int, m)
	for i := range t {
		t[i] = make([]float64, n+m+1)
		if i < m {
			copy(t[i], a[i])
			t[i][n+i], t[i][n+m] = 1, b[i]
			basis[i] = n + i
		}
	}
	for j, v := range c {
		t[m][j] = -v
	}
	const eps = 1e-10
	for {
		enter := -1
		for j := range n + m {
			if t[m][j] < -eps {
				enter = j
				break
			}
		}
		if enter < 0 {
			break
		}
		leave, best := -1, math.Inf(1)
		for i := range m {
			if t[i][enter] > eps {
				r := t[i][n+m] / t[i][enter]
				if r < best-1e-12 || (r < best+1e-12 && leave >= 0 && basis[i] < basis[leave]) {
					leave, best = i, math.Min(r, best)
				}
			}
		}
		if leave < 0 {
			return nil, 0, false
		}
		pivot(t, leave, enter)
		basis[leave] = enter
	}
	x = make([]float64, n)
	for i, j := range basis {
		if j < n {
			x[j] = t[i][n+m]
		}
	}
	return x, t[m][n+m], true
}

func pivot(t [][]float64, row, col int) {
	p := t[row][col]
	for j := range t[row] {
		t[row][j] /= p
	}
	for i := range t {
		if i == row || t[i][col] == 0 {
			continue
		}
		f := t[i][col]
		for j := range t[i] {
			t[i][j] -= f * t[row][j]
		}
	}
}
