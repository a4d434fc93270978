// Package plan is the slow layer of a site's energy management: it looks ahead over the stays of the vehicles and says how
// much each should get when, so that as much of the wanted energy (or value) as possible is delivered within the limits.
//
// A Problem is solved by a primal-dual interior-point method that uses the structure of the task: slots are merged into
// intervals, the network couples vehicles only through a few sums per interval, and the intervals are coupled only through
// each vehicle's energy. One Newton step is then a small dense block per interval and one n x n system for n vehicles.
// The result is advice: the fast layer (package allocate) always projects it on the measured limits.
//
// The balancer calls it outside actors' turns; replay and benchmarks too. It is pure and has no clock; a Solver holds
// buffers and must not be shared by goroutines.
package plan

import (
	"math"
	"slices"
)

// Vehicle is one connected vehicle.
type Vehicle struct {
	Parts  []Part  // where its current counts in the network
	Max    float64 // A, > 0
	Need   float64 // A times slots it still takes, > 0
	Leaves int     // slots from now until it leaves, >= 1
	// Arrives is in how many slots it will come; until the first interval that begins then or later it gets nothing.
	Arrives int
}

// Problem is one planning task. Slot 0 begins now.
type Problem struct {
	Net      *Network
	Vehicles []Vehicle
	// Worth is the value of 1 A for one slot to vehicle i in the slots [from, to), on average; it may be negative.
	Worth  func(i, from, to int) float64
	Breaks []int // slots at which Worth jumps for all, such as changes of a tariff; they become ends of intervals
	// Share is the part of the network's limits that is left for the vehicles in [from, to), 0 < share <= 1; nil means all.
	Share func(from, to int) float64
	Stop  func() bool // asked once per iteration; true ends the solving with the best plan so far; may be nil
}

// Solution is a plan: currents per interval. All are finite, >= 0, at most Max, and keep the network.
type Solution struct {
	Bounds     []int       // interval k covers the slots [Bounds[k], Bounds[k+1])
	Rates      [][]float64 // A per interval and vehicle, in the order of Problem.Vehicles
	Iterations int
	Gap        float64 // upper bound on what is missing to the optimum, relative to it
	Optimal    bool    // the gap is below Tolerance; otherwise the plan is feasible but may be poor
}

// Tolerance is the relative gap at which solving stops.
const Tolerance = 2e-4

// steps are the ends of the coarse grid that intervals have besides departures.
var steps = []int{1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 576}

// grid merges slots into intervals that end at departures, breaks and coarse steps.
func grid(vs []Vehicle, breaks []int) []int {
	end := 0
	for i := range vs {
		end = max(end, vs[i].Leaves)
	}
	b := []int{0, end}
	for i := range vs {
		b = append(b, vs[i].Leaves)
	}
	for _, s := range slices.Concat(steps, breaks) {
		if s > 0 && s < end {
			b = append(b, s)
		}
	}
	slices.Sort(b)
	return slices.Compact(b)
}

// Solver solves problems, reusing its memory.
type Solver struct {
	ipm ipm
}

// Solve returns the plan of p. A problem without vehicles has an empty plan.
func (s *Solver) Solve(p *Problem) Solution {
	sol := Solution{Bounds: grid(p.Vehicles, p.Breaks)}
	n := len(p.Vehicles)
	if n == 0 {
		sol.Bounds, sol.Optimal = []int{0}, true
		return sol
	}
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return p.Vehicles[b].Leaves - p.Vehicles[a].Leaves })
	m := &s.ipm
	m.load(p, order, sol.Bounds)
	sol.Iterations, sol.Gap, sol.Optimal = m.run(p.Stop)
	sol.Rates = make([][]float64, m.K)
	flat := make([]float64, m.K*n)
	for k := range sol.Rates {
		sol.Rates[k] = flat[k*n : (k+1)*n]
		for a := range m.nk[k] {
			i := order[a]
			x := m.x[m.off[k]+a] * p.Vehicles[i].Max
			if sol.Bounds[k] < p.Vehicles[i].Arrives || math.IsNaN(x) || math.IsInf(x, 0) {
				x = 0
			}
			sol.Rates[k][i] = x
		}
	}
	return sol
}
