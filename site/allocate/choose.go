package allocate

import (
	"math"
	"slices"
	"time"
)

// choose decides who is served. p.vars ends up in the order of the choice, the first being the surest.
func (p *problem) choose() {
	type candidate struct {
		v        variable
		waited   time.Duration
		served   time.Duration // how long it has been served, 0 if it is not
		priority int
		class    int
	}
	var list []candidate
	for k := range p.ev {
		upTo, ok := p.wants(k)
		if !ok {
			continue
		}
		e, conf := p.ev[k], p.tree.EVSE(k)
		c := candidate{v: p.makeVariable(k, upTo, p.phasesAtFirst(k)), priority: conf.Priority + e.Priority}
		if e.Memory.Served.IsZero() {
			c.waited = max(0, p.since(e.Memory.Waiting))
		} else {
			c.served = max(1, p.since(e.Memory.Served))
		}
		list = append(list, c)
	}
	p.vars = make([]variable, 0, len(list))
	turn, overdue := p.o.Turn, p.o.MaxWait
	fits := func() bool { // everybody at once
		p.clearLoad()
		ok := true
		for i := range list {
			ok = p.tryMin(&list[i].v, true) && ok
		}
		return ok
	}
	if !fits() {
		vs := make([]*variable, len(list))
		for i := range list {
			vs[i] = &list[i].v
		}
		turn, overdue = p.turns(vs)
	}
	for i := range list {
		c := &list[i]
		switch {
		case c.served == 0 && c.waited >= overdue:
			c.class = 0 // its time has come, whatever its priority
		case c.served > 0 && c.served < turn:
			c.class = 1
		case c.served == 0:
			c.class = 2
		default:
			c.class = 3
		}
	}
	slices.SortStableFunc(list, func(a, b candidate) int {
		if (a.class == 0) != (b.class == 0) {
			return a.class - b.class
		}
		if a.class != 0 && a.priority != b.priority {
			return b.priority - a.priority
		}
		if a.class != b.class {
			return a.class - b.class
		}
		if a.waited != b.waited {
			return int(min(1, max(-1, b.waited-a.waited)))
		}
		if a.served != b.served { // the one that was served for the shortest time stays
			return int(min(1, max(-1, a.served-b.served)))
		}
		return a.v.evse - b.v.evse
	})
	for i := range list {
		p.vars = append(p.vars, list[i].v)
		p.varI[list[i].v.evse] = i
	}
	if n := p.pick(false); n < len(p.vars) {
		p.pickOnOnePhase(n)
	}
}

func (p *problem) clearLoad() { clear(p.load) }

// tryMin adds the smallest current of v to the loads if every row has room for it, or in any case if force is set.
// It reports whether there was room. Imbalance is not looked at here: more vehicles can cure it.
func (p *problem) tryMin(v *variable, force bool) bool {
	ok := true
	for _, t := range v.terms {
		if t.row < len(p.rows) && p.load[t.row]+t.coef*v.min > p.left[t.row]+slack(p.left[t.row]) {
			ok = false
			p.waitFor[v.evse] = t.row
			break
		}
	}
	if ok || force {
		for _, t := range v.terms {
			p.load[t.row] += t.coef * v.min
		}
	}
	return ok
}

// pick serves the variables in their order as long as there is room, and returns how many got a place. With single set,
// vehicles that can be switched start on one phase; otherwise only those that do not fit on three.
func (p *problem) pick(single bool) int {
	p.clearLoad()
	n := 0
	for i := range p.vars {
		v := &p.vars[i]
		if single && v.phases == 3 && p.maySwitch(v.evse) {
			p.setPhases(v, 1)
		}
		v.served = p.tryMin(v, false)
		if !v.served && v.phases == 3 && p.maySwitch(v.evse) {
			p.setPhases(v, 1)
			v.served = p.tryMin(v, false)
		}
		if v.served {
			n++
		}
	}
	return n
}

// pickOnOnePhase tries whether more vehicles get a place when those that can be switched use one phase only.
func (p *problem) pickOnOnePhase(have int) {
	can := false
	for i := range p.vars {
		can = can || (p.vars[i].served && p.vars[i].phases == 3 && p.maySwitch(p.vars[i].evse))
	}
	if !can {
		return
	}
	phases := make([]int, len(p.vars))
	for i := range p.vars {
		phases[i] = p.vars[i].phases
	}
	if p.pick(true) > have {
		return
	}
	for i := range p.vars {
		p.setPhases(&p.vars[i], phases[i])
	}
	p.pick(false)
}

// phasesAtFirst is the number of phases vehicle k is considered with before any switching.
func (p *problem) phasesAtFirst(k int) int {
	e, conf := p.ev[k], p.tree.EVSE(k)
	if conf.Phases == 1 || e.Phases == 1 {
		return 1
	}
	m := &e.Memory
	if conf.Switchable && m.Phases == 1 && !m.Served.IsZero() && (p.since(m.Switched) < p.o.PhaseHold || !p.roomForThree(k)) {
		return 1
	}
	return 3
}

// maySwitch reports whether vehicle k can be taken from three phases to one now.
func (p *problem) maySwitch(k int) bool {
	e, conf := p.ev[k], p.tree.EVSE(k)
	if !conf.Switchable || conf.Phases != 3 {
		return false
	}
	m := &e.Memory
	return m.Served.IsZero() || m.Phases == 1 || p.since(m.Switched) >= p.o.PhaseHold
}

// roomForThree keeps a vehicle from going back to three phases when the smallest current would only just fit: a tenth more
// must be free.
func (p *problem) roomForThree(k int) bool {
	m := 1.1 * float64(p.tree.EVSE(k).Min)
	for _, ref := range p.tree.RowsOf(k) {
		if (ref.Coef[0]+ref.Coef[1]+ref.Coef[2])*m > p.left[ref.Row] {
			return false
		}
	}
	return true
}

// turns works out how long one that is served may keep its place, and after which waiting time nothing but waiting time
// counts, so that all that wait get their turn within MaxWait. rounds is how often the places of the tightest row must
// change hands until everybody beneath it was served once.
func (p *problem) turns(vs []*variable) (turn, overdue time.Duration) {
	need := make([]float64, len(p.rows))
	big := make([]float64, len(p.rows))
	for _, v := range vs {
		for _, t := range v.terms {
			if t.row < len(p.rows) && t.coef*v.min <= p.left[t.row]+slack(p.left[t.row]) {
				need[t.row] += t.coef * v.min
				big[t.row] = max(big[t.row], t.coef*v.min)
			}
		}
	}
	rounds := 1.0
	for r := range need {
		if big[r] <= 0 || need[r] <= p.left[r]+slack(p.left[r]) {
			continue
		}
		// What is surely in use per round: all but one vehicle's part, and at least one vehicle; exact for equal ones.
		use := max(big[r], math.Floor(p.left[r]/big[r]+eps)*big[r], p.left[r]-big[r])
		if !equalParts(vs, r, big[r]) {
			use = max(big[r], p.left[r]-big[r])
		}
		rounds = max(rounds, math.Ceil(need[r]/use-eps)-1)
	}
	span := p.o.MaxWait - p.o.Margin
	turn = min(p.o.Turn, span/time.Duration(2*rounds))
	return turn, span - time.Duration(rounds)*turn
}

func equalParts(vs []*variable, row int, part float64) bool {
	for _, v := range vs {
		for _, t := range v.terms {
			if t.row == row && math.Abs(t.coef*v.min-part) > eps {
				return false
			}
		}
	}
	return true
}
