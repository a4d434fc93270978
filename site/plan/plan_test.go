package plan_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/allocate"
	"github.com/voltyard/voltyard/site/internal/lptest"
	"github.com/voltyard/voltyard/site/plan"
	"github.com/voltyard/voltyard/site/topology"
)

// randomProblem has rows only if linear is set, else also a ring of cones.
func randomProblem(rnd *rand.Rand, vehicles int, linear bool) *plan.Problem {
	n := &plan.Network{Groups: 3}
	for g := range 3 {
		row := plan.Row{Coef: make([]float64, 3), Limit: 20 + 40*rnd.Float64()}
		row.Coef[g] = 1
		n.Rows = append(n.Rows, row)
	}
	n.Rows = append(n.Rows, plan.Row{Coef: []float64{1, 1, 1}, Limit: 40 + 40*rnd.Float64()})
	if !linear {
		for i := range 3 {
			c := plan.Cone{Re: make([]float64, 3), Im: make([]float64, 3), Limit: 30 + 30*rnd.Float64()}
			j := (i + 1) % 3
			c.Re[i], c.Im[i] = 1, 0
			c.Re[j], c.Im[j] = 0.5, -math.Sqrt(3)/2
			n.Cones = append(n.Cones, c)
		}
	}
	p := &plan.Problem{Net: n}
	for range vehicles {
		p.Vehicles = append(p.Vehicles, plan.Vehicle{Parts: []plan.Part{{Group: rnd.IntN(3), Coef: 1}}, Max: 16 + 16*float64(rnd.IntN(2)),
			Need: 5 + 100*rnd.Float64(), Leaves: 1 + rnd.IntN(20)})
	}
	worth := make([]float64, vehicles)
	for i := range worth {
		worth[i] = 0.5 + rnd.Float64()
	}
	p.Worth = func(i, from, to int) float64 { return worth[i] * (1 - 0.01*float64(from+to)) }
	return p
}

func value(p *plan.Problem, s plan.Solution) float64 {
	v := 0.0
	for k, rates := range s.Rates {
		for i, x := range rates {
			v += x * float64(s.Bounds[k+1]-s.Bounds[k]) * p.Worth(i, s.Bounds[k], s.Bounds[k+1])
		}
	}
	return v
}

func checkFeasible(t *testing.T, p *plan.Problem, s plan.Solution) {
	t.Helper()
	got := make([]float64, len(p.Vehicles))
	for k, rates := range s.Rates {
		z := make([]float64, p.Net.Groups)
		for i, x := range rates {
			v := p.Vehicles[i]
			if !(x >= 0 && x <= v.Max+1e-9) || (s.Bounds[k] >= v.Leaves && x != 0) {
				t.Fatalf("vehicle %d has %v A in interval %d", i, x, k)
			}
			got[i] += x * float64(s.Bounds[k+1]-s.Bounds[k])
			for _, part := range v.Parts {
				z[part.Group] += part.Coef * x
			}
		}
		if v := p.Net.Violation(z); v > 1e-9 {
			t.Fatalf("interval %d: limit exceeded by %v", k, v)
		}
	}
	for i, g := range got {
		if g > p.Vehicles[i].Need+1e-6 {
			t.Fatalf("vehicle %d gets %v of %v", i, g, p.Vehicles[i].Need)
		}
	}
}

// The optimum is the one a simplex solver finds.
func TestOptimumIsWhatASolverFinds(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	var solver plan.Solver
	for n := range 200 {
		p := randomProblem(rnd, 1+rnd.IntN(6), true)
		s := solver.Solve(p)
		if !s.Optimal {
			t.Fatalf("case %d: gap %v after %d iterations", n, s.Gap, s.Iterations)
		}
		checkFeasible(t, p, s)
		best := simplex(p, s.Bounds)
		if got := value(p, s); got < best*(1-5e-4) || got > best*(1+1e-6) {
			t.Fatalf("case %d: %v, the solver finds %v", n, got, best)
		}
	}
}

// simplex solves a problem without cones as a linear programme and returns its value.
func simplex(p *plan.Problem, bounds []int) float64 {
	K, V := len(bounds)-1, len(p.Vehicles)
	var a [][]float64
	var b []float64
	add := func(limit float64, set func(row []float64)) {
		row := make([]float64, K*V)
		set(row)
		a, b = append(a, row), append(b, limit)
	}
	c := make([]float64, K*V)
	for i, v := range p.Vehicles {
		for k := range K {
			top := v.Max
			if bounds[k] >= v.Leaves {
				top = 0
			}
			c[k*V+i] = float64(bounds[k+1]-bounds[k]) * p.Worth(i, bounds[k], bounds[k+1])
			add(top, func(row []float64) { row[k*V+i] = 1 })
		}
		add(v.Need, func(row []float64) {
			for k := range K {
				row[k*V+i] = float64(bounds[k+1] - bounds[k])
			}
		})
	}
	for k := range K {
		for _, r := range p.Net.Rows {
			add(r.Limit, func(row []float64) {
				for i, v := range p.Vehicles {
					for _, part := range v.Parts {
						row[k*V+i] += r.Coef[part.Group] * part.Coef
					}
				}
			})
		}
	}
	_, best, ok := lptest.Maximize(c, a, b)
	if !ok {
		panic("unbounded")
	}
	return best
}

// With cones the result is feasible, its own gap is small, and no random improvement is possible.
func TestConesAreKept(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	var solver plan.Solver
	for n := range 300 {
		p := randomProblem(rnd, 1+rnd.IntN(20), false)
		s := solver.Solve(p)
		if !s.Optimal {
			t.Fatalf("case %d: gap %v after %d iterations", n, s.Gap, s.Iterations)
		}
		checkFeasible(t, p, s)
	}
}

func TestInterruptedPlanIsFeasible(t *testing.T) {
	rnd := rand.New(rand.NewPCG(8, 8))
	var solver plan.Solver
	for n := range 12 {
		p := randomProblem(rnd, 10, false)
		left := n
		p.Stop = func() bool { left--; return left < 0 }
		checkFeasible(t, p, solver.Solve(p))
	}
}

func TestOddProblems(t *testing.T) {
	var solver plan.Solver
	net := &plan.Network{Groups: 1, Rows: []plan.Row{{Coef: []float64{1}, Limit: 10}}}
	worth := func(int, int, int) float64 { return 1 }
	if s := solver.Solve(&plan.Problem{Net: net, Worth: worth}); len(s.Rates) != 0 || !s.Optimal {
		t.Errorf("%+v", s)
	}
	for _, v := range []plan.Vehicle{
		{Max: 32, Need: 1e-6, Leaves: 1}, {Max: 32, Need: 1e9, Leaves: 500}, {Max: 1e-3, Need: 5, Leaves: 3},
	} {
		v.Parts = []plan.Part{{Group: 0, Coef: 1}}
		p := &plan.Problem{Net: net, Worth: worth, Vehicles: []plan.Vehicle{v}}
		s := solver.Solve(p)
		checkFeasible(t, p, s)
		if !s.Optimal {
			t.Errorf("%+v: gap %v", v, s.Gap)
		}
	}
	p := &plan.Problem{Net: net, Worth: func(int, int, int) float64 { return -1 }, Vehicles: []plan.Vehicle{
		{Parts: []plan.Part{{Group: 0, Coef: 1}}, Max: 32, Need: 50, Leaves: 8}}}
	s := solver.Solve(p)
	checkFeasible(t, p, s)
	if s.Rates[0][0] > 0.05 {
		t.Errorf("energy nobody wants to pay for: %v A", s.Rates[0][0])
	}
}

func TestStaysAreLearnt(t *testing.T) {
	s := plan.Stays{PerDay: 288}
	before := s.Estimate(100, 100, 300)
	for range 50 {
		s.Add(100, 100, 20) // they say 100 and leave after 20
		s.Add(200, 100, 100)
	}
	after := s.Estimate(100, 100, 300)
	evening := s.Estimate(200, 100, 300)
	if b, a, e := before.Mean(0, 30, 31), after.Mean(0, 30, 31), evening.Mean(0, 30, 31); a > 0.2*b || e < 0.8 {
		t.Errorf("still there after 30 slots: %.2f before, %.2f learnt, %.2f in the evening", b, a, e)
	}
	if m := after.Mean(10, 0, 5); m < 0.9 {
		t.Errorf("the next five slots: %v", m)
	}
	if m := after.Mean(100000, 0, 5); !(m >= 0 && m <= 1) {
		t.Errorf("beyond the horizon: %v", m)
	}
}

// What is expected is planned for, but gets nothing before it comes.
func TestThoseWhoComeLater(t *testing.T) {
	net := &plan.Network{Groups: 1, Rows: []plan.Row{{Coef: []float64{1}, Limit: 10}}}
	part := []plan.Part{{Group: 0, Coef: 1}}
	var solver plan.Solver
	s := solver.Solve(&plan.Problem{Net: net, Worth: func(i, from, to int) float64 { return 1 }, Vehicles: []plan.Vehicle{
		{Parts: part, Max: 10, Need: 40, Leaves: 8}, {Parts: part, Max: 10, Need: 40, Arrives: 4, Leaves: 8}}})
	if !s.Optimal {
		t.Fatalf("gap %v", s.Gap)
	}
	for k, rates := range s.Rates {
		if early := s.Bounds[k] < 4; early && (rates[0] < 9.9 || rates[1] != 0) || !early && rates[1] < 9.9 {
			t.Errorf("from slot %d: %v", s.Bounds[k], rates)
		}
	}
}

// With a price, energy is taken when it is cheap, and still all of it before the vehicle leaves.
func TestThePlanWaitsForCheapEnergy(t *testing.T) {
	net := &plan.Network{Groups: 1, Rows: []plan.Row{{Coef: []float64{1}, Limit: 100}}}
	cheap := func(slot int) bool { return slot >= 6 && slot < 9 }
	car := &plan.Car{ID: 1, Departure: 12, Max: 32, Left: 80, Parts: []plan.Part{{Group: 0, Coef: 1}}}
	planner := plan.NewPlanner(true, 96)
	dear := 0.0
	for now := range 12 {
		planner.Price = func(from, to int) float64 {
			sum := 0.0
			for s := from; s < to; s++ {
				if sum += 0.2; !cheap(now + s) {
					sum += 0.4
				}
			}
			return sum / float64(to-from)
		}
		planner.Decide(now, net, []*plan.Car{car})
		car.Left -= car.Rate
		if !cheap(now) {
			dear += car.Rate
		}
	}
	if car.Left > 0.5 || dear > 1 {
		t.Errorf("%.2f A slots are missing, %.2f were dear", car.Left, dear)
	}
}

// On a real site the network comes from the tree and what the fast layer leaves over, and the plan goes back to the fast layer
// as the largest current each vehicle accepts.
func ExampleFromTree() {
	fuse := si.Same(32)
	tree, _ := topology.New(topology.Site{Nodes: []topology.Node{{ID: "F", Fuse: &fuse}}, EVSEs: []topology.EVSE{
		{ID: "a", Node: "F", Phases: 3, Max: 32}, {ID: "b", Node: "F", Phases: 3, Max: 32}}})
	snapshot := allocate.Snapshot{Tree: tree, EVSEs: []allocate.EVSE{{ID: "a", Wants: true}, {ID: "b", Wants: true}}}

	net, parts := plan.FromTree(tree, allocate.Allocate(snapshot).ImportBound)
	planner := plan.NewPlanner(true, 96)
	cars := []*plan.Car{
		{ID: 0, Departure: 20, Max: 32, Left: 100, Parts: parts[0]},
		{ID: 1, Departure: 3, Max: 32, Left: 90, Parts: parts[1]}, // leaves soon and needs nearly all there is
	}
	planner.Decide(0, net, cars)
	for i, c := range cars {
		accepts := si.Amps(c.Rate)
		snapshot.EVSEs[i].Accepts = &accepts
	}
	for _, a := range allocate.Allocate(snapshot).EVSEs {
		fmt.Printf("%s %.0f A\n", a.ID, float64(a.Import[0]))
	}
	// Output:
	// a 0 A
	// b 32 A
}

// Two vehicles share 32 A; the one that leaves first is served first, the other still gets all it needs.
func ExamplePlanner() {
	net := &plan.Network{Groups: 1, Rows: []plan.Row{{Name: "fuse", Coef: []float64{1}, Limit: 32}}}
	part := []plan.Part{{Group: 0, Coef: 1}}
	early := &plan.Car{ID: 1, Departure: 2, Max: 32, Left: 48, Parts: part}
	late := &plan.Car{ID: 2, Departure: 8, Max: 32, Left: 64, Parts: part}
	planner := plan.NewPlanner(true, 288)
	for now := range 4 {
		cars := []*plan.Car{early, late}
		planner.Decide(now, net, cars)
		fmt.Printf("%d: %.0f A and %.0f A\n", now, early.Rate, late.Rate)
		for _, c := range cars {
			c.Left -= c.Rate
		}
	}
	// Output:
	// 0: 32 A and 0 A
	// 1: 16 A and 16 A
	// 2: 0 A and 32 A
	// 3: 0 A and 16 A
}

// On trees, whose structure is exploited, the optimum is also the one a simplex solver finds.
func TestTreesAreSolvedExactly(t *testing.T) {
	rnd := rand.New(rand.NewPCG(13, 4))
	var solver plan.Solver
	for n := range 60 {
		site := topology.Site{Nodes: []topology.Node{{ID: "grid", Fuse: &si.Phases{40, 50, 45}}}}
		for i := range 2 + rnd.IntN(2) {
			site.Nodes = append(site.Nodes, topology.Node{ID: fmt.Sprint("n", i), Parent: "grid", Fuse: &si.Phases{20, 25, 30}})
			for j := range 1 + rnd.IntN(3) {
				site.EVSEs = append(site.EVSEs, topology.EVSE{ID: fmt.Sprint(i, j), Node: fmt.Sprint("n", i), Phases: 1 + 2*rnd.IntN(2), Max: 32,
					Rotation: []si.Rotation{{0, 1, 2}, {1, 2, 0}, {2, 0, 1}}[rnd.IntN(3)]})
			}
		}
		tree, err := topology.New(site)
		if err != nil {
			t.Fatal(err)
		}
		bounds := allocate.Allocate(allocate.Snapshot{Tree: tree}).ImportBound
		net, parts := plan.FromTree(tree, bounds)
		p := &plan.Problem{Net: net, Worth: func(i, from, to int) float64 { return 1 + 0.1*float64(i) - 0.02*float64(from+to) }}
		for i := range tree.EVSEs() {
			p.Vehicles = append(p.Vehicles, plan.Vehicle{Parts: parts[i], Max: 32, Need: 10 + 80*rnd.Float64(), Leaves: 1 + rnd.IntN(6)})
		}
		s := solver.Solve(p)
		checkFeasible(t, p, s)
		if best := simplex(p, s.Bounds); !s.Optimal || value(p, s) < best*(1-5e-4) || value(p, s) > best*(1+1e-6) {
			t.Fatalf("case %d, %d rows: %v, the solver finds %v", n, len(net.Rows), value(p, s), best)
		}
	}
}
