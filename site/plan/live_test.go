package plan_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/allocate"
	"github.com/voltyard/voltyard/site/internal/lptest"
	"github.com/voltyard/voltyard/site/plan"
	"github.com/voltyard/voltyard/site/topology"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func garage(t *testing.T, fuse si.Amps, n int) (*topology.Tree, []float64) {
	t.Helper()
	f := si.Same(fuse)
	s := topology.Site{Nodes: []topology.Node{{ID: "grid", Fuse: &f}}}
	for i := range n {
		s.EVSEs = append(s.EVSEs, topology.EVSE{ID: fmt.Sprint("e", i), Node: "grid", Phases: 3, Max: 32, MaxExport: 32})
	}
	tree, err := topology.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return tree, allocate.Allocate(allocate.Snapshot{Tree: tree, Now: noon}).ImportBound
}

func visits(n int, stay time.Duration) []plan.Visit {
	var out []plan.Visit
	for i := range n {
		out = append(out, plan.Visit{EVSE: fmt.Sprint("e", i), Since: noon, Departure: stay, Wanted: 20000, Max: 32, SoC: -1})
	}
	return out
}

var night = &plan.Tariff{Base: 0.40, Periods: []plan.Period{{From: 22 * time.Hour, To: 4 * time.Hour, Price: 0.10}}}

func TestVehiclesWaitForTheCheapHours(t *testing.T) {
	tree, bounds := garage(t, 32, 2)
	vs := visits(2, 20*time.Hour)
	l := plan.NewLive()
	var stays []plan.Record
	for i := range 200 { // here, drivers keep their word
		stays = append(stays, plan.Record{Arrival: 144 + 288*i, Stated: 240, Length: 240, Energy: 20000})
	}
	l.Learn(stays)
	cost, got := 0.0, [2]float64{}
	for s := range 240 {
		at := noon.Add(time.Duration(s) * plan.Slot)
		for i := range vs {
			vs[i].Departure, vs[i].Stay = 20*time.Hour-at.Sub(noon), at.Sub(noon)
			vs[i].Wanted = si.WattHours(20000 - got[i])
		}
		var left []plan.Visit
		for _, v := range vs {
			if v.Wanted > 1 {
				left = append(left, v)
			}
		}
		sch := l.Plan(plan.Task{Now: at, Tree: tree, Bounds: bounds, Visits: left, Tariff: night}, nil)
		sum := 0.0
		for _, a := range sch.Advices {
			x, _ := a.At(at)
			sum += float64(x.Import)
			wh := float64(x.Import) * 690 * plan.Slot.Hours()
			got[a.EVSE[1]-'0'] += wh
			cost += wh / 1000 * night.Price(at)
		}
		if sum > 32*(1+1e-6) {
			t.Fatalf("%v: %v A planned under 32 A", at, sum)
		}
	}
	if got[0] < 19000 || got[1] < 19000 {
		t.Errorf("delivered %.0f Wh of 20000 each", got)
	}
	if paid := cost / (got[0] + got[1]) * 1000; paid > 0.13 {
		t.Errorf("%.3f a kWh were paid; the night costs 0.10", paid)
	}
}

// Where drivers leave long before they say, waiting for the night would leave them with nothing.
func TestStatedDeparturesAreDiscounted(t *testing.T) {
	tree, bounds := garage(t, 64, 2)
	l := plan.NewLive()
	var stays []plan.Record
	for i := range 200 {
		stays = append(stays, plan.Record{Arrival: 144 + 288*i, Stated: 240, Length: 24, Energy: 20000})
	}
	l.Learn(stays)
	sch := l.Plan(plan.Task{Now: noon, Tree: tree, Bounds: bounds, Visits: visits(2, 20*time.Hour), Tariff: night}, nil)
	for _, a := range sch.Advices {
		if x, _ := a.At(noon); a.Waits || x.Import < 20 {
			t.Errorf("%s: waits %v, %v now", a.EVSE, a.Waits, x.Import)
		}
	}
}

func TestReserveIsChargedAtAnyPrice(t *testing.T) {
	tree, bounds := garage(t, 64, 1)
	v := visits(1, 20*time.Hour)
	v[0].SoC, v[0].Reserve, v[0].Capacity = 10, 30, 50000
	sch := plan.NewLive().Plan(plan.Task{Now: noon, Tree: tree, Bounds: bounds, Visits: v, Tariff: night}, nil)
	if x, _ := sch.Advices[0].At(noon); x.Import < 32 || sch.Advices[0].Waits {
		t.Errorf("%+v", sch.Advices[0])
	}
}

func TestStaysAreRecordedOnce(t *testing.T) {
	tree, bounds := garage(t, 64, 1)
	l := plan.NewLive()
	v := visits(1, 8*time.Hour)
	for i := range 13 {
		v[0].Stay, v[0].Delivered = time.Duration(i)*plan.Slot, si.WattHours(i*500)
		v[0].Departure = 8*time.Hour - v[0].Stay
		l.Plan(plan.Task{Now: noon.Add(time.Duration(i) * plan.Slot), Tree: tree, Bounds: bounds, Visits: v}, nil)
	}
	l.Plan(plan.Task{Now: noon.Add(65 * time.Minute), Tree: tree, Bounds: bounds}, nil)
	got := l.Ended()
	if len(got) != 1 || got[0].Length != 13 || got[0].Energy != 6000 || got[0].Stated != 96 {
		t.Errorf("%+v", got)
	}
	if again := l.Ended(); len(again) != 0 {
		t.Errorf("again: %+v", again)
	}
}

func TestStopEndsPlanning(t *testing.T) {
	tree, bounds := garage(t, 100, 8)
	asked := 0
	sch := plan.NewLive().Plan(plan.Task{Now: noon, Tree: tree, Bounds: bounds, Visits: visits(8, 8*time.Hour)}, func() bool { asked++; return true })
	if asked != 1 || len(sch.Advices) != 8 {
		t.Errorf("asked %d times, %d advices", asked, len(sch.Advices))
	}
}

func TestProfileLearnsTheWeek(t *testing.T) {
	var p plan.Profile
	for m := range 2 * 7 * 24 * 12 {
		at := noon.Add(time.Duration(m) * 5 * time.Minute)
		w := 1000.0
		if h := at.Hour(); h >= 8 && h < 18 {
			w = 5000
		}
		p.Add(at, w)
	}
	if w, ok := p.At(noon.Add(time.Hour)); !ok || w != 5000 {
		t.Errorf("%v %v", w, ok)
	}
	if w, ok := p.At(noon.Add(12 * time.Hour)); !ok || w != 1000 || !p.Sound() {
		t.Errorf("%v %v", w, ok)
	}
	if p.Add(noon, math.NaN()) {
		t.Error("NaN was learnt")
	}
	var empty plan.Profile
	if _, ok := empty.At(noon); ok {
		t.Error("it knows what it was not told")
	}
}

// The pairs that Arbitrage makes are compared with a linear programme over charging and discharging per slot.
func TestArbitrageAgainstSolver(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 5))
	worst := 1.0
	for c := range 300 {
		n := 2 + rnd.IntN(6)
		b := plan.Battery{Capacity: 60, Reserve: 10, Now: 10 + 50*rnd.Float64(), In: 2 + 8*rnd.Float64(), Out: 2 + 8*rnd.Float64(),
			Leaves: n, Loss: 0.1, Wear: 0.05}
		b.Target = b.Now
		buy, sell := make([]float64, n), make([]float64, n)
		for i := range n {
			buy[i] = rnd.Float64()
			sell[i] = buy[i] * (0.4 + 0.6*rnd.Float64())
		}
		flow := plan.Arbitrage(b, buy, sell)
		got, state := 0.0, b.Now
		for i, f := range flow {
			if f > b.In+1e-9 || f < -b.Out-1e-9 {
				t.Fatalf("case %d: %v kWh in a slot", c, f)
			}
			if f > 0 {
				state += f * (1 - b.Loss)
				got -= f * buy[i]
			} else {
				state += f
				got -= f * (sell[i] - b.Wear)
			}
			if state < b.Reserve-1e-6 || state > b.Capacity+1e-6 {
				t.Fatalf("case %d: %v kWh in the battery", c, state)
			}
		}
		if state < b.Target-1e-6 {
			t.Fatalf("case %d: %v kWh at the end instead of %v", c, state, b.Target)
		}
		best := storageOptimum(t, b, buy, sell)
		if got > best+1e-6 {
			t.Fatalf("case %d: earns %v, more than the optimum %v", c, got, best)
		}
		if best > 1e-6 {
			worst = math.Min(worst, got/best)
			if got < 0.999*best-1e-6 {
				t.Errorf("case %d: earns %v, the optimum is %v", c, got, best)
			}
		}
	}
	t.Logf("worst share of the optimum: %.4f", worst)
}

// storageOptimum solves: charge x, discharge y per slot, state within bounds, end at least the begin.
func storageOptimum(t *testing.T, b plan.Battery, buy, sell []float64) float64 {
	t.Helper()
	n, keep := len(buy), 1-b.Loss
	cost := make([]float64, 2*n)
	var a [][]float64
	var rhs []float64
	add := func(row []float64, v float64) { a, rhs = append(a, row), append(rhs, v) }
	for i := range n {
		cost[i], cost[n+i] = -buy[i], sell[i]-b.Wear
		x, y := make([]float64, 2*n), make([]float64, 2*n)
		x[i], y[n+i] = 1, 1
		add(x, b.In)
		add(y, b.Out)
		up, down := make([]float64, 2*n), make([]float64, 2*n)
		for j := range i + 1 {
			up[j], up[n+j] = keep, -1
			down[j], down[n+j] = -keep, 1
		}
		add(up, b.Capacity-b.Now)
		add(down, b.Now-b.Reserve)
		if i == n-1 {
			add(append([]float64(nil), down...), 0)
		}
	}
	_, v, ok := lptest.Maximize(cost, a, rhs)
	if !ok {
		t.Fatal("the oracle found no optimum")
	}
	return v
}

// With prices, some wait and others do not: what they get together still keeps the limits, now and in every later step.
func TestLivePlansKeepTheLimits(t *testing.T) {
	rnd := rand.New(rand.NewPCG(9, 9))
	for c := range 200 {
		n := 2 + rnd.IntN(8)
		fuse := si.Amps(20 + rnd.IntN(100))
		tree, bounds := garage(t, fuse, n)
		l := plan.NewLive()
		var stays []plan.Record
		for i := range rnd.IntN(60) {
			stays = append(stays, plan.Record{Arrival: rnd.IntN(288) + 288*i, Stated: rnd.IntN(200), Length: 1 + rnd.IntN(150), Energy: si.WattHours(rnd.IntN(40000))})
		}
		l.Learn(stays)
		vs := visits(n, time.Duration(1+rnd.IntN(30))*time.Hour)
		for i := range vs {
			vs[i].Wanted = si.WattHours(rnd.IntN(60000))
			vs[i].Departure = time.Duration(rnd.IntN(30)) * time.Hour
			vs[i].Phases = []int{0, 1, 3}[rnd.IntN(3)]
		}
		load, pv := si.Watts(5000), si.Watts(rnd.IntN(20000))
		sch := l.Plan(plan.Task{Now: noon, Tree: tree, Bounds: bounds, Visits: vs, Tariff: night, Load: &load, PV: &pv}, nil)
		var at []time.Time
		for _, a := range sch.Advices {
			for _, s := range a.Steps {
				at = append(at, s.From)
			}
		}
		for _, when := range at {
			sum := si.Amps(0)
			for _, a := range sch.Advices {
				if s, ok := a.At(when); ok {
					if !(s.Import >= 0 && s.Import <= 32+1e-6) {
						t.Fatalf("case %d: %v", c, s)
					}
					sum += s.Import
				}
			}
			if sum > fuse*(1+1e-6) {
				t.Fatalf("case %d: %v at %v under a fuse of %v", c, sum, when, fuse)
			}
		}
	}
}

// The demand charge: the site stays under the month's peak while all fits under it, and goes above it when drivers would
// lose more than it costs.
func TestThePeakIsKeptWhileItCan(t *testing.T) {
	tree, bounds := garage(t, 100, 2)
	load := si.Watts(2000)
	task := plan.Task{Now: noon, Tree: tree, Bounds: bounds, Visits: visits(2, 20*time.Hour), Load: &load, Tariff: &plan.Tariff{Base: 0.30, Demand: 1}}
	for _, c := range []struct{ peak, want si.Watts }{{40000, 40000}, {2100, 0}, {1500, 0}, {0, 0}} {
		task.Peak = c.peak
		if got := plan.NewLive().Plan(task, nil).Peak; got != c.want {
			t.Errorf("peak of %v so far: %v, want %v", c.peak, got, c.want)
		}
	}
	task.Tariff, task.Peak = &plan.Tariff{Base: 0.30, Demand: 1000}, 2100
	if got := plan.NewLive().Plan(task, nil).Peak; got != 2100 {
		t.Errorf("a dear peak is exceeded: %v", got)
	}
}

// Whoever came yesterday at one o'clock is expected again: the vehicle that is there now does not count on having the cheap
// hours for itself.
func TestArrivalsAreExpected(t *testing.T) {
	tree, bounds := garage(t, 32, 2)
	cheap := &plan.Tariff{Base: 0.40, Periods: []plan.Period{{From: 13 * time.Hour, To: 16 * time.Hour, Price: 0.05}}}
	now := int(noon.Unix() / 300)
	plans := func(others ...plan.Record) plan.Advice {
		l := plan.NewLive()
		var stays []plan.Record
		for i := range 200 {
			stays = append(stays, plan.Record{Arrival: now - 288*(20+i), Stated: 48, Length: 48, Energy: 60000})
		}
		l.Learn(append(stays, others...))
		v := visits(1, 4*time.Hour)
		v[0].Wanted = 60000
		return l.Plan(plan.Task{Now: noon, Tree: tree, Bounds: bounds, Visits: v, Tariff: cheap}, nil).Advices[0]
	}
	alone := plans()
	if x, _ := alone.At(noon); !alone.Waits || x.Import > 6 {
		t.Errorf("alone it waits %v, with %v now", alone.Waits, x.Import)
	}
	crowded := plans(plan.Record{Arrival: now - 288 + 12, Stated: 36, Length: 36, Energy: 60000, EVSE: "e1", Need: 2 * 32 * 36, Max: 32})
	if x, _ := crowded.At(noon); crowded.Waits && x.Import < 6 {
		t.Errorf("with another to come it waits %v, with %v now", crowded.Waits, x.Import)
	}
	elsewhere := plans(plan.Record{Arrival: now - 288 + 12, Stated: 36, Length: 36, Energy: 60000, EVSE: "gone", Need: 2 * 32 * 36, Max: 32})
	if x, _ := elsewhere.At(noon); x.Import > 6 {
		t.Errorf("an EVSE that is no more: %v now", x.Import)
	}
}
