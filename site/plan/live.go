package plan

import (
	"math"
	"slices"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/topology"
)

// Slot is the length of a slot of live plans.
const Slot = 5 * time.Minute

// slotsPerDay is the number of slots in a day.
const slotsPerDay = int(24 * time.Hour / Slot)

// Visit is a connected vehicle. Zero values mean that nobody said.
type Visit struct {
	EVSE      string
	Since     time.Time // when it came; distinguishes visits
	Stay      time.Duration
	Departure time.Duration // from now, as the driver or vehicle states it
	Wanted    si.WattHours  // still to be charged, as it states it
	Delivered si.WattHours  // in this visit
	Max       si.Amps       // per phase, what vehicle and EVSE can take
	Phases    int           // 1: it uses its first phase only
	SoC       si.Percent    // under 0: unknown
	Reserve   si.Percent    // SoC under which it is charged at any price and never discharged
	Capacity  si.WattHours
	Export    si.Amps // per phase, what it could give back; 0: nothing
}

// Task is everything a live plan is made from, at one instant.
type Task struct {
	Now    time.Time // with a monotonic reading
	Tree   *topology.Tree
	Bounds []float64 // what the limits leave for EVSEs, per row of the tree (allocate.Result.ImportBound)
	Visits []Visit
	Load   *si.Watts // unmanaged load at the grid connection, >= 0; nil: not measured
	PV     *si.Watts // generation, >= 0; nil: none, or not measured
	Tariff *Tariff   // nil: energy costs the same at all times
	Peak   si.Watts  // highest quarter-hour average of this month's import
}

// Step is one part of an advice: from From on.
type Step struct {
	From   time.Time
	Import si.Amps // per phase
	Export si.Amps // per phase, to be given back
}

// Advice is the plan for one visit.
type Advice struct {
	EVSE  string
	Since time.Time
	// Waits says that the vehicle is served best by no more than this; otherwise the currents are what it should get before
	// others get more.
	Waits bool
	Steps []Step
	Need  si.WattHours // that the plan counts with
}

// At returns the step in force at an instant; ok is false outside the plan.
func (a *Advice) At(now time.Time) (s Step, ok bool) {
	for i := range a.Steps {
		if a.Steps[i].From.After(now) {
			break
		}
		s, ok = a.Steps[i], i+1 < len(a.Steps)
	}
	return s, ok
}

// Next returns when the current after the one at now begins; zero when nothing follows.
func (a *Advice) Next(now time.Time, worth func(Step) bool) time.Time {
	for i := range a.Steps {
		if a.Steps[i].From.After(now) && worth(a.Steps[i]) {
			return a.Steps[i].From
		}
	}
	return time.Time{}
}

// Schedule is a live plan.
type Schedule struct {
	Made    time.Time
	Advices []Advice
	Optimal bool
	Gap     float64
	// Peak is the power of import that the plan keeps the site under for the sake of the demand charge; 0: none.
	Peak si.Watts
}

// Record is a stay that has ended, as it is stored.
type Record struct {
	Arrival int          `json:"arrival"` // slot, counted in wall time
	Stated  int          `json:"stated"`  // slots, 0: none
	Length  int          `json:"length"`  // slots
	Energy  si.WattHours `json:"energy_wh"`
	EVSE    string       `json:"evse,omitempty"`
	Need    float64      `json:"need,omitempty"` // A times slots that it wanted when it came
	Max     si.Amps      `json:"max_a,omitempty"`
}

// Live makes plans for a running site, one after the other, and learns from what it sees: stays, load and generation.
// It has no clock. It must not be used by two goroutines at a time.
type Live struct {
	Load, PV Profile

	planner *Planner
	ids     map[visitKey]int
	last    map[visitKey]Visit
	cars    map[visitKey]*Car
	next    int
	offset  int       // slot of the wall clock at begun
	begun   time.Time // monotonic
	ended   []Record
	energy  []float64 // of the last stays, Wh
	learned [2]bool   // load, PV: a quarter hour ended
}

type visitKey struct {
	evse  string
	since time.Time
}

// Parameters of live plans.
const (
	usualEnergy  = 15000.0 // Wh that a vehicle takes while nothing is known
	leastEnergy  = 500.0   // Wh that a vehicle that says nothing is always expected to take still
	keptEnergies = 200
	lossOfV2G    = 0.12 // on the way in and out
	v2gStep      = 3    // slots of a V2G step
)

// NewLive returns a planner that knows nothing.
func NewLive() *Live {
	return &Live{planner: NewPlanner(false, slotsPerDay), ids: map[visitKey]int{}, last: map[visitKey]Visit{}, cars: map[visitKey]*Car{}}
}

// Learn takes in stays from storage. Records that make no sense are left out.
func (l *Live) Learn(records []Record) {
	for _, r := range records {
		if r.Length < 1 || r.Stated < 0 || !si.Finite(r.Energy) || r.Energy < 0 {
			continue
		}
		l.planner.stays.Add(r.Arrival, r.Stated, r.Length)
		l.tookEnergy(float64(r.Energy))
		if r.EVSE != "" && finite(r.Need, float64(r.Max)) && r.Need > 0 && r.Max > 0 {
			l.planner.comes.add(visit{arrival: r.Arrival, departure: r.Arrival + r.Length, need: r.Need, max: float64(r.Max), place: r.EVSE})
		}
	}
}

func (l *Live) tookEnergy(wh float64) {
	if l.energy = append(l.energy, wh); len(l.energy) > keptEnergies {
		l.energy = slices.Delete(l.energy, 0, len(l.energy)-keptEnergies)
	}
}

// usual is the energy that two thirds of the last stays took at most.
func (l *Live) usual() float64 {
	if len(l.energy) < 5 {
		return usualEnergy
	}
	s := slices.Sorted(slices.Values(l.energy))
	return s[len(s)*2/3]
}

// Ended returns the stays that ended since the last call, to be stored.
func (l *Live) Ended() []Record {
	out := l.ended
	l.ended = nil
	return out
}

// Learned reports whether the profiles have learnt something since the last call.
func (l *Live) Learned() (load, pv bool) {
	load, pv = l.learned[0], l.learned[1]
	l.learned = [2]bool{}
	return load, pv
}

// slot counts slots by the monotonic clock, with the phase of the wall clock. A wall clock that was set anew moves the
// phase only.
func (l *Live) slot(now time.Time) int {
	wall := int(now.Unix() / int64(Slot/time.Second))
	if l.begun.IsZero() {
		l.begun, l.offset = now, wall
	}
	mono := l.offset + int(now.Sub(l.begun)/Slot)
	if d := wall - mono; d > 2 || d < -2 {
		l.offset += d
		if l.planner.played != math.MinInt {
			l.planner.played += d
		}
		for _, c := range l.cars {
			c.Arrival += d
		}
		for _, t := range l.planner.known {
			t.Arrival += d
		}
		mono += d
	}
	return mono
}

// Plan makes a plan. stop is asked now and then; true ends it soon with the best plan so far.
func (l *Live) Plan(t Task, stop func() bool) Schedule {
	slot := l.slot(t.Now)
	l.observe(t, slot)
	out := Schedule{Made: t.Now}
	phases := make([]int, t.Tree.EVSEs())
	for i := range t.Visits {
		if k, ok := t.Tree.FindEVSE(t.Visits[i].EVSE); ok {
			phases[k] = t.Visits[i].Phases
		}
	}
	net, parts := FromTreeUsing(t.Tree, t.Bounds, phases)
	var cars []*Car
	var of []*Visit
	for i := range t.Visits {
		if c := l.car(t, &t.Visits[i], slot, parts); c != nil {
			cars, of = append(cars, c), append(of, &t.Visits[i])
		}
	}
	p := l.planner
	p.Stop = stop
	p.Price, p.Share = l.price(t, cars, of), l.share(t)
	taken := map[string]bool{}
	for i := range t.Visits {
		taken[t.Visits[i].EVSE] = true
	}
	p.PartsAt = func(place string) []Part {
		if k, ok := t.Tree.FindEVSE(place); ok && !taken[place] { // whoever is there is in the way of who may come
			return parts[k]
		}
		return nil
	}
	p.Decide(slot, net, cars)
	out.Optimal, out.Gap = p.Last.Optimal || len(p.Last.Rates) == 0, p.Last.Gap
	out.Peak = l.peak(t, slot, cars, of)
	at := map[int]int{}
	for i, id := range p.Of {
		at[id] = i
	}
	for i, c := range cars {
		a := Advice{EVSE: of[i].EVSE, Since: of[i].Since, Waits: p.Waits[c.ID], Need: l.wattHours(t.Tree, of[i], c.Left)}
		a.Steps = append(a.Steps, Step{From: t.Now, Import: si.Amps(c.Rate)})
		if j, ok := at[c.ID]; ok {
			for k := 1; k < len(p.Last.Rates); k++ {
				a.Steps = append(a.Steps, Step{From: t.Now.Add(time.Duration(p.Last.Bounds[k]) * Slot), Import: si.Amps(p.Last.Rates[k][j])})
			}
		} else { // it needs so little that it is served at once
			a.Steps = append(a.Steps, Step{From: t.Now.Add(Slot)})
		}
		end := t.Now.Add(time.Duration(lookAhead) * Slot)
		if n := len(p.Last.Bounds); n > 0 && p.Last.Bounds[n-1] > 0 {
			end = t.Now.Add(time.Duration(p.Last.Bounds[n-1]) * Slot)
		}
		a.Steps = append(a.Steps, Step{From: end})
		l.reserve(t, of[i], &a)
		out.Advices = append(out.Advices, a)
	}
	out.Advices = append(out.Advices, l.storage(t, slot)...)
	return out
}

// observe notices what has changed since the last task.
func (l *Live) observe(t Task, slot int) {
	here := map[visitKey]Visit{}
	for _, v := range t.Visits {
		here[visitKey{v.EVSE, v.Since}] = v
	}
	gone := make([]visitKey, 0, len(l.last))
	for k := range l.last {
		if _, still := here[k]; !still {
			gone = append(gone, k)
		}
	}
	slices.SortFunc(gone, func(a, b visitKey) int { return l.ids[a] - l.ids[b] })
	for _, k := range gone {
		v := l.last[k]
		if c := l.cars[k]; c != nil {
			r := Record{Arrival: c.Arrival, Stated: c.stated(), Length: max(1, slot-c.Arrival), Energy: v.Delivered, EVSE: k.evse, Max: si.Amps(c.Max)}
			if t := l.planner.known[c.ID]; t != nil {
				r.Need = t.need
			}
			l.planner.Gone(slot, c)
			l.ended = append(l.ended, r)
			l.tookEnergy(float64(v.Delivered))
		}
		delete(l.ids, k)
		delete(l.cars, k)
	}
	l.last = here
	if t.Load != nil && l.Load.Add(t.Now, float64(*t.Load)) {
		l.learned[0] = true
	}
	if t.PV != nil && l.PV.Add(t.Now, float64(*t.PV)) {
		l.learned[1] = true
	}
}

// car is the visit as the planner sees it; nil when there is nothing to plan.
func (l *Live) car(t Task, v *Visit, slot int, parts [][]Part) *Car {
	k := visitKey{v.EVSE, v.Since}
	e, ok := t.Tree.FindEVSE(v.EVSE)
	if !ok {
		return nil
	}
	c := l.cars[k]
	if c == nil {
		l.next++
		c = &Car{ID: l.next, Arrival: slot - int(max(0, v.Stay)/Slot), Departure: Never, Place: v.EVSE}
		l.cars[k], l.ids[k] = c, l.next
	}
	if v.Departure > 0 {
		c.Departure = slot + max(1, int(v.Departure/Slot))
	}
	c.Parts, c.Rate = parts[e], 0
	c.Max = float64(min(v.Max, t.Tree.EVSE(e).Max))
	need := float64(v.Wanted)
	if need <= 0 {
		if need = l.usual() - float64(v.Delivered); need < leastEnergy {
			need = leastEnergy
		}
	}
	if per := l.wattHours(t.Tree, v, 1); per > 0 {
		c.Left = need / float64(per)
	}
	if !finite(c.Max, c.Left) || c.Max <= 0 || c.Left <= 0 {
		return nil
	}
	return c
}

// wattHours is the energy of so many ampere-slots of a visit.
func (l *Live) wattHours(tree *topology.Tree, v *Visit, ampereSlots float64) si.WattHours {
	e, ok := tree.FindEVSE(v.EVSE)
	if !ok {
		return 0
	}
	n := float64(tree.EVSE(e).Phases)
	if v.Phases == 1 {
		n = 1
	}
	return si.WattHours(ampereSlots * n * float64(tree.PerAmp(e)) * Slot.Hours())
}

// share is the part of the limits that the expected load leaves, compared with now.
func (l *Live) share(t Task) func(from, to int) float64 {
	bound := math.Inf(1)
	for _, r := range t.Tree.RowsAt(t.Tree.Root()) {
		if row := &t.Tree.Rows()[r]; r < len(t.Bounds) && !math.IsInf(t.Bounds[r], 1) {
			w := t.Bounds[r]
			if row.Quantity == topology.Current {
				w *= 3 * float64(t.Tree.Voltage())
			}
			bound = math.Min(bound, w)
		}
	}
	if t.Load == nil || math.IsInf(bound, 1) || bound <= 0 {
		return nil
	}
	if _, ok := l.Load.At(t.Now); !ok {
		return nil
	}
	return func(from, to int) float64 {
		will, ok := l.Load.At(t.Now.Add(time.Duration(from+to) * Slot / 2))
		if !ok || from == 0 {
			return 1
		}
		return math.Max(0.05, math.Min(1, (bound+float64(*t.Load)-will)/bound))
	}
}

// price is the price of energy in parts of its worth. Where generation is expected that the load does not use, energy costs
// what it would bring if it were fed in, as far as it goes for all vehicles.
func (l *Live) price(t Task, cars []*Car, of []*Visit) func(from, to int) float64 {
	if t.Tariff == nil || t.Tariff.Flat() && t.PV == nil {
		return nil
	}
	demand := 0.0
	for i, c := range cars {
		demand += float64(l.wattHours(t.Tree, of[i], c.Cap())) / Slot.Hours()
	}
	worth := t.Tariff.Worth()
	n := 2 * slotsPerDay
	sum := make([]float64, n+1)
	for s := range n {
		at := t.Now.Add(time.Duration(s)*Slot + Slot/2)
		price := t.Tariff.Price(at)
		if t.PV != nil && demand > 0 {
			part := math.Max(0, math.Min(1, l.surplus(t, at, s)/demand))
			price = part*math.Min(price, t.Tariff.FeedIn) + (1-part)*price
		}
		sum[s+1] = sum[s] + price/worth
	}
	return func(from, to int) float64 {
		a, b := min(from, n-1), min(max(to, from+1), n)
		if b <= a {
			return sum[n] / float64(n)
		}
		return (sum[b] - sum[a]) / float64(b-a)
	}
}

// surplus is the generation that the load leaves over in W: measured for the coming slot, expected later.
func (l *Live) surplus(t Task, at time.Time, slot int) float64 {
	pv, load := 0.0, 0.0
	if t.PV != nil {
		pv = float64(*t.PV)
	}
	if t.Load != nil {
		load = float64(*t.Load)
	}
	if slot > 0 {
		if w, ok := l.PV.At(at); ok {
			pv = w
		}
		if w, ok := l.Load.At(at); ok {
			load = w
		}
	}
	return pv - load
}

// reserve lifts the first step to full current while the vehicle has less than its driver's reserve.
func (l *Live) reserve(t Task, v *Visit, a *Advice) {
	if v.SoC < 0 || v.SoC >= v.Reserve || len(a.Steps) == 0 {
		return
	}
	a.Waits = false
	if e, ok := t.Tree.FindEVSE(v.EVSE); ok {
		a.Steps[0].Import = min(v.Max, t.Tree.EVSE(e).Max)
	}
}

// peak decides whether the site should stay under this month's highest quarter hour: it should as long as all that the
// vehicles need in the coming hours fits under it.
func (l *Live) peak(t Task, slot int, cars []*Car, of []*Visit) si.Watts {
	if t.Tariff == nil || t.Tariff.Demand <= 0 || t.Peak <= 0 {
		return 0
	}
	load := 0.0
	if t.Load != nil {
		load = float64(*t.Load)
	}
	free := float64(t.Peak) - load
	if free <= 0 {
		return 0
	}
	need, hours := 0.0, 0.0 // hours: how long the vehicles will stay, weighted with their needs
	for i, c := range cars {
		wh := float64(l.wattHours(t.Tree, of[i], c.Left))
		need += wh
		if k := l.planner.known[c.ID]; k != nil {
			hours += wh * k.survival.Mean(max(0, slot-c.Arrival), 0, lookAhead) * lookAhead * Slot.Hours()
		}
	}
	if need <= 0 || hours <= 0 {
		return t.Peak
	}
	hours /= need
	if need > free*hours && t.Tariff.Worth()*hours > t.Tariff.Demand { // a kW more for so long is worth its price
		return 0
	}
	return t.Peak
}

// storage plans the vehicles that can give energy back.
func (l *Live) storage(t Task, slot int) []Advice {
	var out []Advice
	if t.Tariff == nil || t.Tariff.Flat() {
		return nil
	}
	for i := range t.Visits {
		v := &t.Visits[i]
		e, ok := t.Tree.FindEVSE(v.EVSE)
		if !ok || v.Export <= 0 || v.Capacity <= 0 || v.SoC < 0 || v.Departure <= 0 {
			continue
		}
		c := l.cars[visitKey{v.EVSE, v.Since}]
		if c == nil {
			continue
		}
		steps := l.sure(c, slot, int(v.Departure/Slot)) / v2gStep
		if steps < 2 {
			continue
		}
		kwh := func(a si.Amps) float64 { return float64(l.wattHours(t.Tree, v, float64(a)*v2gStep)) / 1000 }
		b := Battery{Now: float64(v.Capacity) * float64(v.SoC) / 1e5, Reserve: float64(v.Capacity) * float64(v.Reserve) / 1e5,
			Capacity: float64(v.Capacity) / 1000, In: kwh(min(v.Max, t.Tree.EVSE(e).Max)), Out: kwh(min(v.Export, t.Tree.EVSE(e).MaxExport)),
			Leaves: steps, Loss: lossOfV2G, Wear: t.Tariff.Wear}
		b.Target = math.Min(b.Capacity, b.Now+float64(v.Wanted)/1000)
		buy, sell := make([]float64, steps), make([]float64, steps)
		for s := range steps {
			at := t.Now.Add(time.Duration(s*v2gStep) * Slot)
			buy[s] = t.Tariff.Price(at)
			sell[s] = buy[s] // what is used on the site saves the import
			if l.surplus(t, at, s) > 0 {
				sell[s] = t.Tariff.FeedIn
			}
		}
		flow := Arbitrage(b, buy, sell)
		if !slices.ContainsFunc(flow, func(f float64) bool { return f < -1e-6 }) {
			continue
		}
		a := Advice{EVSE: v.EVSE, Since: v.Since, Waits: true, Need: v.Wanted}
		for s, f := range flow {
			step := Step{From: t.Now.Add(time.Duration(s*v2gStep) * Slot)}
			if amps := si.Amps(math.Abs(f) / kwh(1)); f > 0 {
				step.Import = amps
			} else {
				step.Export = amps
			}
			a.Steps = append(a.Steps, step)
		}
		a.Steps = append(a.Steps, Step{From: t.Now.Add(time.Duration(steps*v2gStep) * Slot)})
		l.reserve(t, v, &a)
		out = append(out, a)
	}
	return out
}

// sure is the number of slots that the vehicle stays with a chance of four in five, at most the stated ones.
func (l *Live) sure(c *Car, slot, stated int) int {
	t := l.planner.known[c.ID]
	if t == nil {
		return 0
	}
	n := 0
	for n < stated && t.survival.Mean(slot-c.Arrival, n, n+1) >= 0.8 {
		n++
	}
	return n
}
