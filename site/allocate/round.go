package allocate

import (
	"math"
	"slices"
)

// round brings the currents down to set-point steps and hands out again, lowest level first, what that leaves over.
func (p *problem) round(f *filler) {
	step := p.o.Step
	if step <= 0 {
		return
	}
	st := float64(step)
	var open []int
	for i := range p.vars {
		v := &p.vars[i]
		if !v.served {
			continue
		}
		down := max(v.min, floorTo(v.x, st))
		f.move(v, down-v.x)
		if v.x+st <= v.max+eps {
			open = append(open, i)
		}
	}
	for len(open) > 0 {
		slices.SortStableFunc(open, func(a, b int) int {
			x, y := &p.vars[a], &p.vars[b]
			switch d := x.x/x.weight - y.x/y.weight; {
			case d < -eps:
				return -1
			case d > eps:
				return 1
			}
			return x.evse - y.evse
		})
		rest := open[:0]
		for _, i := range open {
			v := &p.vars[i]
			up := math.Floor(v.x/st+1e-9)*st + st - v.x
			if d, row := f.room(v); d < up-eps {
				v.bind = row
				continue
			}
			f.move(v, up)
			if v.x+st <= v.max+eps {
				rest = append(rest, i)
			} else {
				v.bind = bindOwn
			}
		}
		open = rest
	}
	p.balance(f)
}

// balance takes back steps that broke an imbalance row, which rounding of others can do.
func (p *problem) balance(f *filler) {
	st := float64(p.o.Step)
	for i := 0; i < len(p.imb); i++ {
		r := len(p.rows) + i
		for f.load[r] > f.left[r]+1e-6 {
			top := -1
			for _, part := range f.byRow[r] {
				v := &p.vars[part.v]
				if part.coef > 0 && v.x-st >= v.min-eps && (top < 0 || v.x > p.vars[top].x) {
					top = part.v
				}
			}
			if top < 0 {
				break
			}
			f.move(&p.vars[top], -st)
			p.vars[top].bind = r
			i = -1 // lowering one phase can break the row of another pair
			break
		}
	}
}

// damp leaves a set-point where it is when the raise is small and the last change is fresh. The old set-point is lower, so
// nothing is broken.
func (p *problem) damp(f *filler) {
	if p.o.Hysteresis <= 0 || len(p.imb) > 0 {
		return
	}
	for i := range p.vars {
		v := &p.vars[i]
		m := &p.ev[v.evse].Memory
		old := float64(m.Import)
		if !v.served || m.Phases != v.phases || old < v.min || v.x <= old || v.x-old >= float64(p.o.Hysteresis) {
			continue
		}
		if p.since(m.Changed) < p.o.Hold {
			f.move(v, old-v.x)
			v.bind = bindHysteresis
		}
	}
}
