package plan

import (
	"math"
	"slices"
)

// Preferences of a plan that trusts departures: a kilowatt-hour at the end of the horizon, or at the end of the vehicle's
// stay, is worth this much less than one now. They settle who comes first where the total is the same.
const (
	worthOfEarly = 0.1
	worthOfStay  = 0.1
)

// Fairness is the share of what plain max-min would have given a driver that a plan with learnt stays gives in any case.
const Fairness = 0.75

// lookAhead is how many slots a plan with learnt stays looks ahead.
const lookAhead = 192

// tooLittle is the need, in slots at full current, under which a vehicle is left to the filling-up after the plan.
const tooLittle = 0.02

// Planner decides, slot after slot, how much every vehicle should get now, with the rest of all stays in view.
//
// With Trust it takes departures as true, and keeps in mind the vehicles that may come (Arrivals). Without, a stated
// departure is only a hint: future slots count with the chance, learnt from stays that have ended, that the vehicle is still
// there; and because such a plan would starve some for the good of the sum, every driver gets at least Fairness times what
// plain max-min would have given until now.
type Planner struct {
	Trust  bool
	PerDay int         // slots per day
	Stop   func() bool // see Problem; may be nil
	// Price is what energy costs on average in the slots [from, to) from now, in parts of what it is worth to a driver: 0 is
	// free, above 1 nobody wants it. With a price, a vehicle that can wait for a cheaper slot waits. nil means free.
	Price func(from, to int) float64
	Share func(from, to int) float64 // see Problem; may be nil
	// PartsAt gives the parts of a place in the present network, nil when it has none any more. With it, a planner with learnt
	// stays keeps the vehicles in mind that may come; those that trust departures always do.
	PartsAt func(place string) []Part

	solver Solver
	stays  *Stays
	comes  *Arrivals
	known  map[int]*twin
	played int          // the last slot that twins were played for
	Last   Solution     // the latest plan
	Of     []int        // ids of its vehicles
	Waits  map[int]bool // ids of vehicles that the latest plan has wait for a cheaper slot
}

// twin is a vehicle as it would be if plain max-min had ruled from the beginning.
type twin struct {
	Car
	need     float64
	survival Survival
}

// NewPlanner returns a planner for slots of which perDay make a day.
func NewPlanner(trust bool, perDay int) *Planner {
	return &Planner{Trust: trust, PerDay: perDay, stays: &Stays{PerDay: perDay}, comes: &Arrivals{PerDay: perDay},
		known: map[int]*twin{}, played: math.MinInt}
}

// Gone tells that a vehicle left in slot now.
func (p *Planner) Gone(now int, c *Car) {
	p.stays.Add(c.Arrival, c.stated(), now-c.Arrival)
	if t := p.known[c.ID]; t != nil && t.need > 0 {
		p.comes.add(visit{arrival: c.Arrival, departure: now, need: t.need, max: c.Max, parts: c.Parts, place: c.Place})
	}
	delete(p.known, c.ID)
}

func (c *Car) stated() int {
	if c.Departure >= Never {
		return 0
	}
	return max(1, c.Departure-c.Arrival)
}

// Decide sets the rates of all connected cars for slot now. Cars that need nothing more may be left out, but must be
// reported to Gone when they leave.
func (p *Planner) Decide(now int, net *Network, cars []*Car) {
	if p.Trust {
		p.trusting(now, net, cars)
	} else {
		p.learning(now, net, cars)
	}
}

func (p *Planner) trusting(now int, net *Network, cars []*Car) {
	horizon := 1
	for _, c := range cars {
		if p.known[c.ID] == nil {
			p.known[c.ID] = &twin{need: c.Left}
		}
		c.Rate = 0
		horizon = max(horizon, min(c.Departure-now, 4*p.PerDay))
	}
	leaves := func(c *Car) int { return max(1, min(c.Departure-now, 4*p.PerDay)) }
	p.solve(net, cars, leaves, func(c *Car, from, to int) float64 {
		t := float64(from+to) / 2
		return 1 - p.price(from, to) - worthOfEarly*t/float64(horizon) - worthOfStay*t/float64(leaves(c))
	}, func(c *Car, rate float64) { c.Rate = math.Min(c.Cap(), rate) }, p.expected(now))
	order := slices.Clone(cars)
	if p.Price != nil { // what the plan puts off stays put off; only the remainders it leaves out are served
		order = slices.DeleteFunc(order, func(c *Car) bool { return c.Left > tooLittle*c.Max })
	}
	SortBy(order, func(c *Car) float64 { return float64(c.Departure) })
	Greedy(net, order)
}

// mostBreaks bounds the changes of the price that a plan looks at.
const mostBreaks = 32

// breaks returns the slots in which the price changes, the nearest ones, two days ahead at most.
func (p *Planner) breaks() []int {
	if p.Price == nil {
		return nil
	}
	var out []int
	was := p.Price(0, 1)
	for s := 1; s < 2*p.PerDay && len(out) < mostBreaks; s++ {
		if is := p.Price(s, s+1); is != was {
			out, was = append(out, s), is
		}
	}
	return out
}

func (p *Planner) price(from, to int) float64 {
	if p.Price == nil {
		return 0
	}
	return p.Price(from, to)
}

func (p *Planner) learning(now int, net *Network, cars []*Car) {
	p.shadow(now, net, cars)
	want := make(map[*Car]float64, len(cars))
	var others []Vehicle
	if p.PartsAt != nil {
		others = p.expected(now)
	}
	p.solve(net, cars, func(*Car) int { return lookAhead }, func(c *Car, from, to int) float64 {
		return p.known[c.ID].survival.Mean(now-c.Arrival, from, to) * (1 - p.price(from, to))
	}, func(c *Car, rate float64) { want[c] = rate }, others)
	p.wait(cars)
	wanted := make([]float64, len(cars))
	for i, c := range cars {
		wanted[i] = want[c]
		t := p.known[c.ID]
		owed := Fairness*(t.need-t.Left) - (t.need - c.Left)
		c.Rate = math.Max(0, math.Min(c.Cap(), owed))
		if p.Waits[c.ID] {
			c.Rate = 0
		}
	}
	if v := net.Violation(Sums(net, cars)); v > 0 {
		for _, c := range cars {
			c.Rate /= (1 + v) * (1 + 1e-9)
		}
	}
	LevelTo(net, cars, wanted)
	if len(p.Waits) == 0 {
		Level(net, cars)
		return
	}
	for i, c := range cars { // those that wait keep what the plan gives them, and count in the limits
		if wanted[i] = c.Cap(); p.Waits[c.ID] {
			wanted[i] = c.Rate
		}
	}
	LevelTo(net, cars, wanted)
}

// enough is the part of its need that a vehicle must get by the plan to be left waiting for a cheaper slot.
const enough = 0.98

// wait finds the vehicles that the plan serves later, and nearly in full. All others are not made to wait: what they lack
// is worth more than what a cheaper slot saves.
func (p *Planner) wait(cars []*Car) {
	p.Waits = map[int]bool{}
	if p.Price == nil || len(p.Last.Rates) == 0 {
		return
	}
	of := make(map[int]*Car, len(cars))
	for _, c := range cars {
		of[c.ID] = c
	}
	for i, id := range p.Of {
		got := 0.0
		for k, rates := range p.Last.Rates {
			got += rates[i] * float64(p.Last.Bounds[k+1]-p.Last.Bounds[k])
		}
		c := of[id]
		if got >= enough*c.Left && p.Last.Rates[0][i] < 0.9*c.Cap() {
			p.Waits[id] = true
		}
	}
}

// shadow plays the coming slot for the vehicles as they would be under plain max-min.
func (p *Planner) shadow(now int, net *Network, cars []*Car) {
	for _, c := range cars {
		if p.known[c.ID] == nil {
			t := &twin{Car: *c, need: c.Left}
			t.survival = p.stays.Estimate(c.Arrival, c.stated(), 3*p.PerDay)
			p.known[c.ID] = t
		}
	}
	if now == p.played { // planned again within the slot
		return
	}
	p.played = now
	all := make([]*Car, 0, len(p.known))
	for _, t := range p.known {
		all = append(all, &t.Car)
	}
	slices.SortFunc(all, func(a, b *Car) int { return a.ID - b.ID })
	MaxMin(net, all)
	for _, c := range all {
		c.Left = math.Max(0, c.Left-c.Rate)
	}
}

// expected returns the vehicles that are not there yet, as the solver sees them.
func (p *Planner) expected(now int) []Vehicle {
	var out []Vehicle
	for _, v := range p.comes.expect(now) {
		if p.PartsAt != nil {
			v.parts = p.PartsAt(v.place)
		}
		if len(v.parts) == 0 || v.max <= 0 || v.need <= 0 || v.departure <= v.arrival {
			continue
		}
		out = append(out, Vehicle{Parts: v.parts, Max: v.max, Need: v.need, Arrives: v.arrival - now, Leaves: v.departure - now})
	}
	return out
}

// solve plans for all cars that need more than a little, and for others that are expected, and hands the first slot's
// rates to take.
func (p *Planner) solve(net *Network, cars []*Car, leaves func(*Car) int, worth func(c *Car, from, to int) float64,
	take func(c *Car, rate float64), others []Vehicle) {
	var vs []Vehicle
	var which []*Car
	p.Of = p.Of[:0]
	for _, c := range cars {
		if c.Left > tooLittle*c.Max {
			vs = append(vs, Vehicle{Parts: c.Parts, Max: c.Max, Need: c.Left, Leaves: leaves(c)})
			which = append(which, c)
			p.Of = append(p.Of, c.ID)
		}
	}
	if len(vs) == 0 {
		p.Last, p.Waits = Solution{}, nil
		return
	}
	vs = append(vs, others...)
	p.Last = p.solver.Solve(&Problem{Net: net, Vehicles: vs, Stop: p.Stop, Breaks: p.breaks(), Share: p.Share, Worth: func(i, from, to int) float64 {
		if i < len(which) {
			return worth(which[i], from, to)
		}
		v, t := &vs[i], float64(from+to)/2
		return 1 - p.price(from, to) - worthOfEarly*t/float64(p.PerDay) - worthOfStay*(t-float64(v.Arrives))/float64(v.Leaves-v.Arrives)
	}})
	for i, c := range which {
		take(c, p.Last.Rates[0][i])
	}
}
