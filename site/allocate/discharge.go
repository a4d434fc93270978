package allocate

import "math"

// discharge divides the room for export among those that should discharge: max-min as for import, without smallest current.
func (p *problem) discharge() {
	var list []int
	for k, e := range p.ev {
		if e != nil && e.Reserved == nil && e.Discharge > 0 && p.tree.EVSE(k).MaxExport > 0 &&
			!math.IsNaN(float64(e.Discharge)) {
			list = append(list, k)
		}
	}
	if len(list) == 0 {
		return
	}
	q := &problem{s: p.s, o: p.o, tree: p.tree, rows: p.rows, ev: p.ev, left: make([]float64, len(p.expLeft)),
		load: make([]float64, len(p.expLeft))}
	for r, room := range p.expLeft {
		q.left[r] = max(0, room)
	}
	for _, k := range list {
		conf := p.tree.EVSE(k)
		v := variable{evse: k, weight: conf.Weight, max: float64(min(conf.MaxExport, p.ev[k].Discharge)), served: true, bind: bindNone}
		if w := p.ev[k].Weight; w > 0 {
			v.weight = w
		}
		n := conf.Phases
		if p.ev[k].Phases == 1 {
			n = 1
		}
		q.setPhases(&v, n)
		q.vars = append(q.vars, v)
	}
	f := q.newFiller()
	f.run(q, func(v *variable) float64 { return v.max })
	for i := range q.vars {
		v := &q.vars[i]
		p.export[v.evse] = v.x
		p.expBind[v.evse] = v.bind
	}
}
