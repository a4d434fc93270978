package allocate

import (
	"fmt"
	"math"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/topology"
)

// Kind says what kind of thing holds an allocation down.
type Kind uint8

const (
	Nothing     Kind = iota // it wants nothing
	Own                     // the EVSE, vehicle or plan takes no more
	Unused                  // the vehicle draws less than it was offered
	Ramp                    // it may not rise faster
	Hysteresis              // a small raise waits a little
	Planned                 // the plan has others come first
	Unreachable             // it does not answer; what it may still draw is kept free
	Fuse
	MaxImport
	MaxExport
	Contract
	Imbalance
	External // a limit from outside
)

// String returns the kind in one word, for machines.
func (k Kind) String() string {
	return [...]string{"none", "own", "unused", "ramp", "hysteresis", "plan", "unreachable", "fuse", "import", "export", "contract", "imbalance", "external"}[min(k, External)]
}

// Binding explains an allocation: which limit binds, where, and with how many others it is shared.
type Binding struct {
	Kind   Kind
	Node   string
	Phase  int // 1 to 3 for limits per phase, else 0
	Limit  float64
	Source string // of a limit from outside
	Shared int    // how many other vehicles draw under the same limit
	Waits  bool   // not even the smallest current fits: it waits for its turn
}

// String puts the binding in words, such as "fuse F2 phase L1 32 A, shared with 3".
func (b Binding) String() string {
	var s string
	at := func(what, unit string) string {
		w := what + " " + b.Node
		if b.Phase > 0 {
			w += fmt.Sprintf(" phase L%d", b.Phase)
		}
		if unit == "W" {
			return fmt.Sprintf("%s %.0f W", w, b.Limit)
		}
		return fmt.Sprintf("%s %.4g %s", w, b.Limit, unit)
	}
	switch b.Kind {
	case Nothing:
		return "no demand"
	case Own:
		return "own maximum"
	case Unused:
		return "draws less than offered"
	case Ramp:
		return "ramp"
	case Hysteresis:
		return "small raise held back"
	case Planned:
		return "plan: others need it first"
	case Unreachable:
		return "unreachable, its current is kept free"
	case Fuse:
		s = at("fuse", "A")
	case MaxImport:
		s = at("import limit", "W")
	case MaxExport:
		s = at("export limit", "W")
	case Contract:
		s = at("contract", "W")
	case Imbalance:
		s = at("imbalance limit", "A")
	case External:
		unit := "W"
		if b.Phase > 0 {
			unit = "A"
		}
		s = at(b.Source+" limit on", unit)
	}
	if b.Shared > 0 {
		s += fmt.Sprintf(", shared with %d", b.Shared)
	}
	if b.Waits {
		s += ", waits for its turn"
	}
	return s
}

func (p *problem) result() Result {
	t := p.tree
	res := Result{EVSEs: make([]Allocation, t.EVSEs()),
		ImportBound: make([]float64, len(p.rows)), ExportBound: make([]float64, len(p.rows))}
	for r := range p.rows {
		res.ImportBound[r], res.ExportBound[r] = p.bound[r].room, p.exp[r].room
	}
	users := make([]int, len(p.bound))
	for i := range p.vars {
		if v := &p.vars[i]; v.served {
			for _, tm := range v.terms {
				if tm.coef > 0 {
					users[tm.row]++
				}
			}
		}
	}
	for k := range res.EVSEs {
		a := &res.EVSEs[k]
		a.ID = t.EVSE(k).ID
		a.Binding.Kind = Nothing
		e := p.ev[k]
		if e == nil {
			a.Memory.At = p.s.Now
			continue
		}
		m := e.Memory
		switch i := p.varI[k]; {
		case e.Reserved != nil:
			a.Binding.Kind = Unreachable
			a.Memory = m // it goes on where it was
			a.Memory.At = p.s.Now
			continue
		case p.export[k] > 0 || e.Discharge > 0:
			n := t.EVSE(k).Phases
			if e.Phases == 1 {
				n = 1
			}
			a.Phases = n
			a.Export = t.Own(k, n, si.Amps(p.export[k]))
			a.ExportW = p.power(k, a.Export)
			a.Binding = p.explain(p.expBind[k], p.exp)
		case i >= 0 && p.vars[i].served:
			v := &p.vars[i]
			a.Served, a.Phases = true, v.phases
			a.Import = t.Own(k, v.phases, si.Amps(v.x))
			a.ImportW = p.power(k, a.Import)
			bind := v.bind
			if bind == bindNone || bind == bindOwn {
				bind = p.ownBind(v)
			}
			a.Binding = p.explain(bind, p.bound)
			if bind >= 0 {
				a.Binding.Shared = users[bind] - 1
			}
		case i >= 0:
			a.Binding = p.explain(p.waitFor[k], p.bound)
			a.Binding.Waits = true
			if r := p.waitFor[k]; r >= 0 {
				a.Binding.Shared = users[r]
			}
		}
		a.Memory = p.remember(m, a)
		a.Memory.Uses = si.Amps(p.uses[k])
		if i := p.varI[k]; i >= 0 && !a.Served && a.Memory.Waiting.IsZero() {
			a.Memory.Waiting = p.s.Now
		}
		if p.varI[k] < 0 {
			a.Memory.Waiting = time.Time{}
		}
	}
	return res
}

// ownBind tells apart the reasons for which a variable stopped below any shared limit.
func (p *problem) ownBind(v *variable) int {
	switch e := p.ev[v.evse]; {
	case v.x >= v.max-eps && p.o.RampUp > 0 && v.max < float64(p.tree.EVSE(v.evse).Max)-eps &&
		(e.Accepts == nil || v.max < float64(*e.Accepts)-float64(p.o.Step)-eps):
		return bindRamp
	case v.x < v.max-eps && v.planned && !(p.uses[v.evse] > 0 && p.uses[v.evse] <= v.soft+eps):
		return bindPlanned
	case v.x < v.max-eps && v.soft < v.max:
		return bindUnused
	}
	return bindOwn
}

func (p *problem) remember(m Memory, a *Allocation) Memory {
	now := p.s.Now
	m.At = now
	amps := a.Import.Highest()
	if amps > m.Import {
		m.Raised = now
	}
	if m.Import != amps {
		m.Import, m.Changed = amps, now
	}
	m.Export = a.Export.Highest()
	if a.Served {
		m.Waiting = time.Time{}
		if m.Served.IsZero() {
			m.Served = now
		}
		if m.Phases != a.Phases {
			m.Phases, m.Switched = a.Phases, now
		}
	} else {
		m.Served = time.Time{}
	}
	return m
}

// power is what own-phase currents mean in W; the lower of nominal and measured voltage is used, so that a DC EVSE that is
// told W does not exceed its current.
func (p *problem) power(k int, own si.Phases) si.Watts {
	return si.Watts(float64(own.Sum()) * float64(p.tree.PerAmp(k)) * p.lowVolt)
}

func (p *problem) explain(bind int, bounds []bound) Binding {
	switch {
	case bind == bindUnused:
		return Binding{Kind: Unused}
	case bind == bindRamp:
		return Binding{Kind: Ramp}
	case bind == bindPlanned:
		return Binding{Kind: Planned}
	case bind == bindHysteresis:
		return Binding{Kind: Hysteresis}
	case bind < 0:
		return Binding{Kind: Own}
	}
	b := &bounds[bind]
	out := Binding{Kind: b.kind, Limit: b.limit, Source: b.source}
	if bind >= len(p.rows) {
		row := p.imb[bind-len(p.rows)]
		out.Node, out.Phase = p.tree.Node(row.node).ID, row.high+1
		return out
	}
	row := &p.rows[bind]
	out.Node = p.tree.Node(row.Node).ID
	if row.Quantity == topology.Current {
		out.Phase = row.Phase + 1
	}
	if math.IsInf(out.Limit, 0) {
		out.Limit = 0
	}
	return out
}
