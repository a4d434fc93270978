package allocate

import (
	"math"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/limits"
	"github.com/voltyard/voltyard/site/topology"
)

// bound is the tightest limit of one row after the load that nobody controls.
type bound struct {
	room   float64 // what is left for EVSEs
	limit  float64 // the limit's own value
	kind   Kind
	source string // of a limit from outside
}

// flow is what flows through a node without any EVSE.
type flow struct {
	net   si.Phases // as measured, negative when generation prevails
	load  si.Phases // import alone: what remains when all generation is lost, >= 0
	gen   si.Phases // export alone: what remains when all load is lost, >= 0
	netW  float64
	loadW float64
	genW  float64
	stale bool // some reading beneath is missing: no load is sure enough to offset an export
}

func (p *problem) bounds() {
	t := p.tree
	flows := p.background()
	p.bound = make([]bound, len(p.rows))
	p.exp = make([]bound, len(p.rows))
	free := bound{room: math.Inf(1)}
	for r := range p.rows {
		p.bound[r], p.exp[r] = free, free
	}
	external := make([]*limits.Effective, t.Nodes())
	for i := range p.s.Limits {
		if n, ok := t.FindNode(p.s.Limits[i].Node); ok {
			external[n] = &p.s.Limits[i]
		}
	}
	quarter := make([]*Quarter, t.Nodes())
	for i := range p.s.Quarters {
		if n, ok := t.FindNode(p.s.Quarters[i].Node); ok {
			quarter[n] = &p.s.Quarters[i]
		}
	}
	importRelief, exportRelief := p.relief()
	for r := range p.rows {
		row := &p.rows[r]
		node, f := t.Node(row.Node), &flows[row.Node]
		importLimit := func(kind Kind, value float64, react time.Duration, source string) {
			b := bound{limit: value, kind: kind, source: source}
			quick := react < p.o.LossCover
			switch {
			case row.Quantity == topology.Current && quick:
				b.room = value - float64(f.load[row.Phase])
			case row.Quantity == topology.Current:
				b.room = value - float64(f.net[row.Phase])
			case quick:
				b.room = (value - f.loadW) / p.highVolt
			default:
				b.room = (value - f.netW) / p.highVolt
			}
			b.room *= row.Scale
			if !quick {
				b.room += importRelief[r]
			}
			if b.room < p.bound[r].room {
				p.bound[r] = b
			}
		}
		exportLimit := func(kind Kind, value float64, react time.Duration, source string) {
			b := bound{limit: value, kind: kind, source: source}
			quick := react < p.o.LossCover || f.stale
			switch {
			case row.Quantity == topology.Current && quick:
				b.room = value - float64(f.gen[row.Phase])
			case row.Quantity == topology.Current:
				b.room = value + float64(f.net[row.Phase])
			case quick:
				b.room = (value - f.genW) / p.highVolt
			default:
				b.room = (value + f.netW) / p.highVolt
			}
			b.room *= row.Scale
			if !quick {
				b.room += exportRelief[r]
			}
			if b.room < p.exp[r].room {
				p.exp[r] = b
			}
		}
		ext := external[row.Node]
		if row.Quantity == topology.Current {
			if node.Fuse != nil {
				importLimit(Fuse, float64(node.Fuse[row.Phase]), node.FuseReact(), "")
				exportLimit(Fuse, float64(node.Fuse[row.Phase]), node.FuseReact(), "")
			}
			if ext != nil && ext.Current[row.Phase] != nil {
				b := ext.Current[row.Phase]
				importLimit(External, b.Value, b.React, b.Source)
			}
			continue
		}
		if node.MaxImport != nil {
			importLimit(MaxImport, float64(*node.MaxImport), node.PowerReact(), "")
		}
		if node.MaxExport != nil {
			exportLimit(MaxExport, float64(*node.MaxExport), node.PowerReact(), "")
		}
		if node.Contract != nil {
			importLimit(Contract, contractRest(float64(*node.Contract), quarter[row.Node]), node.ContractReact, "")
		}
		if p.s.Fleet != nil && row.Node == t.Root() && si.Finite(*p.s.Fleet) {
			if room := max(0, float64(*p.s.Fleet)) / p.highVolt; room < p.bound[r].room {
				p.bound[r] = bound{room: room, limit: room, kind: External, source: p.s.FleetBy}
			}
		}
		if ext != nil && ext.ImportW != nil {
			importLimit(External, ext.ImportW.Value, ext.ImportW.React, ext.ImportW.Source)
		}
		if ext != nil && ext.ExportW != nil {
			exportLimit(External, ext.ExportW.Value, ext.ExportW.React, ext.ExportW.Source)
		}
	}
	p.imbalance(flows)
}

// contractRest is the power that may flow until the quarter hour ends so that its average stays at the contract.
func contractRest(contract float64, q *Quarter) float64 {
	if q == nil || !si.Finite(q.Imported) || q.Elapsed < 0 || q.Elapsed >= topology.ContractPeriod {
		return contract
	}
	rest := max((topology.ContractPeriod - q.Elapsed).Seconds(), 30)
	return max(0, (contract*topology.ContractPeriod.Seconds()-float64(q.Imported)*3600)/rest)
}

// background works out, per node, the flow that no EVSE is responsible for.
func (p *problem) background() []flow {
	t := p.tree
	flows := make([]flow, t.Nodes())
	meters := make([]*Meter, t.Nodes())
	for i := range p.s.Meters {
		if n, ok := t.FindNode(p.s.Meters[i].Node); ok {
			meters[n] = &p.s.Meters[i]
		}
	}
	delivered := make([]si.Phases, t.Nodes())
	for _, g := range p.s.Generators {
		n, ok := t.FindNode(g.Node)
		if !ok || g.Stale || !si.Finite(g.Current[:]...) {
			continue
		}
		for ; n >= 0; n = t.Parent(n) {
			delivered[n] = delivered[n].Add(g.Current.Min(si.Phases{}))
		}
	}
	drawn, drawnW := p.drawn()
	v := float64(t.Voltage()) * p.highVolt
	order := t.TopDown()
	for i := len(order) - 1; i >= 0; i-- {
		n := order[i]
		node, f := t.Node(n), &flows[n]
		switch m := meters[n]; {
		case m != nil && !m.Stale && si.Finite(m.Current[:]...) && (m.Power == nil || si.Finite(*m.Power)):
			f.stale = false
			f.net = m.Current.Sub(drawn[n])
			f.load = f.net.Sub(delivered[n]).Max(si.Phases{})
			f.gen = si.Phases{}.Sub(f.net.Min(delivered[n])).Max(si.Phases{})
			if m.Power != nil {
				f.netW = float64(*m.Power) - drawnW[n]
				less := float64(delivered[n].Sum()) * v
				f.loadW, f.genW = max(0, f.netW-less), max(0, -min(f.netW, less))
			} else {
				f.watts(v)
			}
		case node.Meter != "" || m != nil: // stale: flows holds the sum of the children
			worst := si.Same(si.Amps(math.Inf(1)))
			if node.Background != nil {
				worst = *node.Background
			} else if node.Fuse != nil {
				worst = *node.Fuse
			}
			f.load = f.load.Max(worst)
			f.net, f.stale = f.load, true
			f.watts(v)
		default:
			if node.Background != nil {
				f.net, f.load = f.net.Add(*node.Background), f.load.Add(*node.Background)
				w := float64(node.Background.Sum()) * v
				f.netW, f.loadW = f.netW+w, f.loadW+w
			}
		}
		if up := t.Parent(n); up >= 0 {
			u := &flows[up]
			u.stale = u.stale || f.stale
			u.net, u.load, u.gen = u.net.Add(f.net), u.load.Add(f.load), u.gen.Add(f.gen)
			u.netW, u.loadW, u.genW = u.netW+f.netW, u.loadW+f.loadW, u.genW+f.genW
		}
	}
	return flows
}

func (f *flow) watts(v float64) {
	f.netW, f.loadW, f.genW = float64(f.net.Sum())*v, float64(f.load.Sum())*v, float64(f.gen.Sum())*v
}

// drawn adds up, per node, what the EVSEs beneath were measured to draw. An EVSE without fresh reading is left out: its
// current then counts as load that nobody controls, which errs on the safe side; if it was told to discharge, all it was
// told is assumed, so that its discharge hides no load.
func (p *problem) drawn() ([]si.Phases, []float64) {
	t := p.tree
	amps, watts := make([]si.Phases, t.Nodes()), make([]float64, t.Nodes())
	for k := range p.ev {
		now, ok := p.fresh(k)
		if !ok {
			if p.ev[k] == nil || p.ev[k].Memory.Export == 0 {
				continue
			}
			now = t.Own(k, t.EVSE(k).Phases, -p.ev[k].Memory.Export)
		}
		g := t.ToGrid(k, now)
		w := float64(now.Sum()) * float64(t.PerAmp(k)) * p.highVolt
		for n := t.Home(k); n >= 0; n = t.Parent(n) {
			amps[n] = amps[n].Add(g)
			watts[n] += w
		}
	}
	return amps, watts
}

// relief returns per row what measured discharge takes off the import, and measured charging off the export.
func (p *problem) relief() (onImport, onExport []float64) {
	onImport, onExport = make([]float64, len(p.rows)), make([]float64, len(p.rows))
	for k, e := range p.ev {
		now, ok := p.fresh(k)
		if !ok || e.Reserved != nil {
			continue
		}
		for _, ref := range p.tree.RowsOf(k) {
			for ph, a := range now {
				if a < 0 && e.Discharge > 0 {
					onImport[ref.Row] += ref.Coef[ph] * float64(min(-a, e.Discharge))
				}
				if a > 0 && e.Wants && e.Discharge == 0 {
					onExport[ref.Row] += ref.Coef[ph] * float64(min(a, e.Memory.Import))
				}
			}
		}
	}
	return onImport, onExport
}

// imbalance appends one row for every ordered pair of phases of every node with a limit of imbalance.
func (p *problem) imbalance(flows []flow) {
	t := p.tree
	for n := range t.Nodes() {
		node := t.Node(n)
		if node.Imbalance == nil {
			continue
		}
		if p.imbOf == nil {
			p.imbOf = make([][]topology.RowRef, t.EVSEs())
		}
		for high := range 3 {
			for low := range 3 {
				if high == low || (t.System() == topology.SplitPhase && max(high, low) == 2) {
					continue
				}
				row := signedRow{node: n, high: high, low: low}
				at := len(p.rows) + len(p.imb)
				for _, k := range t.Under(n) {
					var c [3]float64
					for ph := range t.EVSE(k).Phases {
						var one si.Phases
						one[ph] = 1
						g := t.ToGrid(k, one)
						c[ph] = float64(g[high] - g[low])
					}
					if c != ([3]float64{}) {
						row.terms = append(row.terms, topology.Term{EVSE: k, Coef: c})
						p.imbOf[k] = append(p.imbOf[k], topology.RowRef{Row: at, Coef: c})
					}
				}
				p.imb = append(p.imb, row)
				f := &flows[n]
				p.bound = append(p.bound, bound{kind: Imbalance, limit: float64(*node.Imbalance),
					room: float64(*node.Imbalance - (f.net[high] - f.net[low]))})
			}
		}
	}
}

// reserve takes what unreachable EVSEs may still draw off every bound.
func (p *problem) reserve() {
	p.left = make([]float64, len(p.bound))
	p.expLeft = make([]float64, len(p.exp))
	for r := range p.bound {
		p.left[r] = p.bound[r].room
	}
	for r := range p.exp {
		p.expLeft[r] = p.exp[r].room
	}
	for k, e := range p.ev {
		if e == nil || e.Reserved == nil {
			continue
		}
		take := func(refs []topology.RowRef) {
			for _, ref := range refs {
				for ph, a := range e.Reserved {
					p.left[ref.Row] -= ref.Coef[ph] * float64(a)
				}
			}
		}
		take(p.tree.RowsOf(k))
		if p.imbOf != nil {
			take(p.imbOf[k])
		}
	}
	p.load = make([]float64, len(p.bound))
}
