package allocate

import (
	"math"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/topology"
)

// problem is the working state of one Allocate call.
type problem struct {
	s    Snapshot
	o    Options
	tree *topology.Tree
	rows []topology.Row
	ev   []*EVSE // per EVSE of the tree, nil without state

	bound    []bound   // import, per tree row, then the imbalance rows
	left     []float64 // import bound less what is reserved
	exp      []bound   // export, per tree row
	expLeft  []float64
	imb      []signedRow
	imbOf    [][]topology.RowRef // per EVSE, its part in the imbalance rows; nil without any
	highVolt float64             // measured over nominal voltage, at least 1
	lowVolt  float64             // the same, at most 1

	vars []variable
	varI []int // per EVSE, index in vars or -1
	load []float64

	export  []float64 // per EVSE
	expBind []int
	uses    []float64 // per EVSE: what its vehicle is known to use at most, 0: unknown
	waitFor []int     // per EVSE that waits: the row that did not have room, -1
}

// variable is one EVSE that takes part in the filling.
type variable struct {
	evse     int
	phases   int
	weight   float64
	min, max float64 // A per phase
	soft     float64 // max less what it does not draw, or what the plan gives it
	planned  bool
	x        float64
	served   bool
	bind     int // row that stopped it; see the bind constants
	terms    []term
}

type term struct {
	row  int
	coef float64
}

// Values of variable.bind that are no rows.
const (
	bindNone   = -1 - iota
	bindOwn    // the EVSE's or the vehicle's maximum
	bindUnused // more than it draws
	bindRamp
	bindHysteresis
	bindPlanned
)

type signedRow struct {
	node, high, low int
	terms           []topology.Term
}

func newProblem(s Snapshot) *problem {
	t := s.Tree
	p := &problem{s: s, o: s.Options.filled(), tree: t, rows: t.Rows(), highVolt: 1, lowVolt: 1}
	if v := float64(s.Voltage / t.Voltage()); s.Voltage > 0 && si.Finite(s.Voltage) {
		p.highVolt, p.lowVolt = max(1, min(v, 1.5)), min(1, max(v, 0.5))
	}
	p.ev = make([]*EVSE, t.EVSEs())
	for i := range s.EVSEs {
		if k, ok := t.FindEVSE(s.EVSEs[i].ID); ok {
			p.ev[k] = &s.EVSEs[i]
		}
	}
	p.varI = make([]int, t.EVSEs())
	p.uses = make([]float64, t.EVSEs())
	p.export = make([]float64, t.EVSEs())
	p.expBind = make([]int, t.EVSEs())
	p.waitFor = make([]int, t.EVSEs())
	for i := range p.varI {
		p.varI[i], p.waitFor[i], p.expBind[i] = -1, -1, bindOwn
	}
	return p
}

// wants reports whether EVSE k takes part, and up to which current.
func (p *problem) wants(k int) (upTo float64, ok bool) {
	e := p.ev[k]
	if e == nil || !e.Wants || e.Reserved != nil || e.Discharge > 0 {
		return 0, false
	}
	conf := p.tree.EVSE(k)
	upTo = float64(conf.Max)
	if e.Accepts != nil {
		if !si.Finite(*e.Accepts) {
			return 0, false
		}
		upTo = min(upTo, float64(*e.Accepts))
	}
	return upTo, upTo > 0 && upTo >= float64(conf.Min)-eps
}

// learnUse keeps p.uses[k] up to date: a little more than the vehicle was seen to draw while it might have drawn more, 0
// if it takes all it gets as far as is known. What was learnt holds until the vehicle draws more than that.
func (p *problem) learnUse(k int) {
	m := &p.ev[k].Memory
	p.uses[k] = float64(m.Uses)
	now, ok := p.fresh(k)
	if !ok || p.o.UnusedAfter < 0 || m.Import <= 0 {
		return
	}
	drawn := math.Max(0, float64(now.Highest()))
	if p.uses[k] > 0 && drawn > p.uses[k]-1 {
		p.uses[k] = 0
	}
	if drawn < float64(m.Import)-1 && p.s.Now.Sub(m.Raised) >= p.o.UnusedAfter {
		p.uses[k] = math.Ceil(drawn) + 2
	}
}

// fresh returns the measured currents of EVSE k, if there are any worth believing.
func (p *problem) fresh(k int) (si.Phases, bool) {
	e := p.ev[k]
	if e == nil || e.Measured == nil || !si.Finite(e.Measured[:]...) {
		return si.Phases{}, false
	}
	return *e.Measured, true
}

// makeVariable prepares EVSE k for the filling with n phases.
func (p *problem) makeVariable(k int, upTo float64, n int) variable {
	conf, e := p.tree.EVSE(k), p.ev[k]
	v := variable{evse: k, weight: conf.Weight, min: float64(conf.Min), max: upTo, bind: bindNone}
	if e.Weight > 0 && si.Finite(e.Weight) {
		v.weight = e.Weight
	}
	m := &e.Memory
	if p.o.RampUp > 0 {
		dt := 0.0
		if !m.At.IsZero() {
			dt = max(0, p.s.Now.Sub(m.At).Seconds())
		}
		v.max = min(v.max, max(v.min, float64(m.Import)+p.o.RampUp*dt))
	}
	if p.o.Step > 0 {
		v.max = max(v.min, floorTo(v.max, float64(p.o.Step)))
	}
	v.soft = v.max
	if p.learnUse(k); p.uses[k] > 0 {
		v.soft = min(v.max, max(v.min, p.uses[k]))
	}
	if e.Plan != nil && si.Finite(*e.Plan) {
		v.soft = min(v.soft, max(v.min, float64(*e.Plan)))
		if p.o.Step > 0 {
			v.soft = max(v.min, floorTo(v.soft, float64(p.o.Step)))
		}
		v.planned = true
	}
	p.setPhases(&v, n)
	return v
}

func (p *problem) setPhases(v *variable, n int) {
	v.phases = n
	refs := p.tree.RowsOf(v.evse)
	if v.terms == nil {
		v.terms = make([]term, 0, len(refs)+2)
	}
	v.terms = v.terms[:0]
	add := func(row int, c [3]float64) {
		a := c[0]
		if n == 3 {
			a += c[1] + c[2]
		}
		if a != 0 {
			v.terms = append(v.terms, term{row, a})
		}
	}
	for i := range refs {
		if !math.IsInf(p.left[refs[i].Row], 1) {
			add(refs[i].Row, refs[i].Coef)
		}
	}
	if p.imbOf != nil {
		for _, ref := range p.imbOf[v.evse] {
			add(ref.Row, ref.Coef)
		}
	}
}

func floorTo(x, step float64) float64 { return math.Floor(x/step+1e-9) * step }

func (p *problem) since(t time.Time) time.Duration {
	if t.IsZero() {
		return 0
	}
	return p.s.Now.Sub(t)
}
