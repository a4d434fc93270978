package allocate

import (
	"math"
	"slices"
)

// filler raises variables together (each in proportion to its weight, none below lo, none above hi) until a row
// or its own hi stops each of them: progressive filling. The result is the lexicographic max-min of x/weight over all
// points between lo and hi that keep the rows, provided that lo keeps them and all coefficients are >= 0.
// With negative coefficients (imbalance rows) the result keeps the rows but a second call may raise some more.
type filler struct {
	left  []float64 // bound per row
	load  []float64 // load per row at the present point; the caller's, brought up to date
	rate  []float64 // growth of the load per unit of level
	fixed []float64 // load that does not grow
	byRow [][]rowPart
	live  []int // rows with a bound
}

type rowPart struct {
	v    int
	coef float64
}

type event struct {
	level float64
	v     int
	cap   bool
}

func (p *problem) newFiller() *filler {
	n := len(p.left)
	f := &filler{left: p.left, load: p.load, rate: make([]float64, n), fixed: make([]float64, n), byRow: make([][]rowPart, n)}
	counts := make([]int, n)
	total := 0
	for i := range p.vars {
		if p.vars[i].served {
			for _, t := range p.vars[i].terms {
				counts[t.row]++
				total++
			}
		}
	}
	all := make([]rowPart, 0, total)
	for r, c := range counts {
		if c > 0 {
			f.byRow[r] = all[len(all) : len(all) : len(all)+c]
			all = all[:len(all)+c]
			f.live = append(f.live, r)
		}
	}
	for i := range p.vars {
		if p.vars[i].served {
			for _, t := range p.vars[i].terms {
				f.byRow[t.row] = append(f.byRow[t.row], rowPart{i, t.coef})
			}
		}
	}
	return f
}

const (
	low    = iota // at its lower bound, level not reached yet
	rising        // x = weight * level
	frozen
)

// run fills p.vars; lo is the present x of each variable, hi its bound. Variables that are not served are left alone.
func (f *filler) run(p *problem, hi func(v *variable) float64) {
	state := make([]uint8, len(p.vars))
	events := make([]event, 0, 2*len(p.vars))
	for _, r := range f.live {
		f.rate[r], f.fixed[r] = 0, 0
	}
	for i := range p.vars {
		v := &p.vars[i]
		if !v.served {
			state[i] = frozen
			continue
		}
		for _, t := range v.terms {
			f.fixed[t.row] += t.coef * v.x
		}
		h := hi(v)
		if h <= v.x+eps {
			state[i] = frozen
			continue
		}
		events = append(events, event{v.x / v.weight, i, false}, event{h / v.weight, i, true})
	}
	slices.SortFunc(events, func(a, b event) int {
		switch {
		case a.level < b.level:
			return -1
		case a.level > b.level:
			return 1
		default:
			return a.v - b.v
		}
	})
	level := 0.0
	freeze := func(i int, bind int) {
		v := &p.vars[i]
		if state[i] == rising {
			v.x = v.weight * level
			for _, t := range v.terms {
				f.rate[t.row] -= t.coef * v.weight
				f.fixed[t.row] += t.coef * v.x
			}
		}
		state[i] = frozen
		v.bind = bind
	}
	for next := 0; next < len(events); {
		e := events[next]
		if state[e.v] == frozen {
			next++
			continue
		}
		stop, at := -1, e.level
		for _, r := range f.live {
			if f.rate[r] > eps {
				if l := (f.left[r] - f.fixed[r]) / f.rate[r]; l < at {
					stop, at = r, l
				}
			}
		}
		level = max(level, at)
		if stop >= 0 {
			for _, part := range f.byRow[stop] {
				if part.coef > 0 && state[part.v] != frozen {
					freeze(part.v, stop)
				}
			}
			f.rate[stop] = min(f.rate[stop], 0)
			continue
		}
		next++
		v := &p.vars[e.v]
		if e.cap {
			freeze(e.v, bindOwn)
			v.x = min(v.x, hi(v))
			continue
		}
		state[e.v] = rising
		for _, t := range v.terms {
			f.fixed[t.row] -= t.coef * v.x
			f.rate[t.row] += t.coef * v.weight
		}
	}
	f.reload(p)
}

// reload recomputes the load of every row from the present point.
func (f *filler) reload(p *problem) {
	for _, r := range f.live {
		f.load[r] = 0
	}
	for i := range p.vars {
		if v := &p.vars[i]; v.served {
			for _, t := range v.terms {
				f.load[t.row] += t.coef * v.x
			}
		}
	}
}

// room returns how far variable v may be raised before a row is full, and that row.
func (f *filler) room(v *variable) (float64, int) {
	best, row := math.Inf(1), bindNone
	for _, t := range v.terms {
		if t.coef > 0 {
			if d := (f.left[t.row] - f.load[t.row]) / t.coef; d < best {
				best, row = d, t.row
			}
		}
	}
	return best, row
}

func (f *filler) move(v *variable, by float64) {
	v.x += by
	for _, t := range v.terms {
		f.load[t.row] += t.coef * by
	}
}

// share gives every served variable its current.
func (p *problem) share() {
	f := p.newFiller()
	for {
		p.fillAll(f)
		if !p.dropUnbalanced(f) {
			break
		}
		f = p.newFiller()
	}
	p.round(f)
	p.damp(f)
}

func (p *problem) fillAll(f *filler) {
	for i := range p.vars {
		v := &p.vars[i]
		v.x = v.min
	}
	capped := false
	for i := range p.vars {
		capped = capped || p.vars[i].soft < p.vars[i].max
	}
	f.run(p, func(v *variable) float64 { return v.soft })
	if capped { // what is left over goes to those who did not draw all they had, should they want it again
		f.again(p, func(v *variable) float64 { return v.max })
	}
	for range 8 * min(1, len(p.imb)) { // imbalance rows can gain room while others rise
		if !f.again(p, func(v *variable) float64 { return v.max }) {
			break
		}
	}
}

// again fills on from the present point with those variables that no row holds; it reports whether anything moved.
func (f *filler) again(p *problem, hi func(v *variable) float64) bool {
	before := 0.0
	binds := make([]int, len(p.vars))
	able := make(map[int]bool, len(p.vars))
	for i := range p.vars {
		v := &p.vars[i]
		binds[i] = v.bind
		before += v.x
		if v.served && v.x < hi(v)-1e-6 {
			if d, _ := f.room(v); d > 1e-6 {
				able[v.evse] = true
			}
		}
	}
	if len(able) == 0 {
		return false
	}
	f.run(p, func(v *variable) float64 {
		if able[v.evse] {
			return hi(v)
		}
		return v.x
	})
	after := 0.0
	for i := range p.vars {
		v := &p.vars[i]
		after += v.x
		if !able[v.evse] {
			v.bind = binds[i]
		}
	}
	return after > before+1e-6
}

// dropUnbalanced pauses one variable if an imbalance row is broken although every variable on it is at its minimum.
func (p *problem) dropUnbalanced(f *filler) bool {
	for i := range p.imb {
		r := len(p.rows) + i
		if f.load[r] <= f.left[r]+1e-6 {
			continue
		}
		worst := -1
		for _, part := range f.byRow[r] {
			if part.coef > 0 && (worst < 0 || p.later(part.v, worst)) {
				worst = part.v
			}
		}
		if worst >= 0 {
			p.vars[worst].served = false
			p.waitFor[p.vars[worst].evse] = r
			return true
		}
	}
	return false
}

// later reports whether variable a comes after b in the order of being served.
func (p *problem) later(a, b int) bool { return a > b }
