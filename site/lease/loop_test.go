package lease_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/allocate"
	"github.com/voltyard/voltyard/site/lease"
	"github.com/voltyard/voltyard/site/topology"
)

// loop is a site with allocation, ledger, meters and vehicles, in virtual time.
type loop struct {
	tree       *topology.Tree
	rnd        *rand.Rand
	background []si.Phases // connected at each node
	cars       []car
	states     []allocate.EVSE
	takes      []si.Amps // what each vehicle draws at most
	gives      []si.Amps // what each vehicle discharges at most; 0: it cannot
	lost       []bool
	ledger     *lease.Ledger
	flight     []message
	now        time.Time
	slow       time.Duration
	loss       float64
}

func newLoop(t *rapid.T) *loop {
	rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 2))
	l := &loop{rnd: rnd, now: t0, slow: 600 * time.Millisecond, loss: rapid.SampledFrom([]float64{0, 0.2}).Draw(t, "loss")}
	site := topology.Site{}
	for i := range rapid.IntRange(1, 4).Draw(t, "nodes") {
		n := topology.Node{ID: fmt.Sprint("n", i), Meter: "m", Fuse: &si.Phases{50, 60, 70}, Background: ptr(si.Same(30))}
		if i > 0 {
			n.Parent = fmt.Sprint("n", rnd.IntN(i))
		}
		if rnd.IntN(2) == 0 {
			n.MaxImport = ptr(si.Watts(15000 + rnd.IntN(15000)))
			n.React = time.Duration(rnd.IntN(2)*9+1) * time.Second
		}
		site.Nodes = append(site.Nodes, n)
		l.background = append(l.background, si.Phases{si.Amps(rnd.IntN(5)), si.Amps(rnd.IntN(5)), si.Amps(rnd.IntN(5))})
	}
	for i := range rapid.IntRange(1, 8).Draw(t, "evses") {
		e := topology.EVSE{ID: fmt.Sprint("e", i), Node: fmt.Sprint("n", rnd.IntN(len(site.Nodes))), Phases: 1 + 2*rnd.IntN(2), Max: 32,
			Rotation: []si.Rotation{{0, 1, 2}, {1, 2, 0}, {2, 0, 1}}[rnd.IntN(3)], FloorFor: 20 * time.Second}
		if rnd.IntN(3) == 0 {
			e.MaxExport = 16
		}
		if rnd.IntN(4) == 0 {
			e.Floor = 6
		}
		site.EVSEs = append(site.EVSEs, e)
	}
	tree, err := topology.New(site)
	if err != nil {
		t.Skip(err)
	}
	l.tree = tree
	n := tree.EVSEs()
	l.cars, l.states = make([]car, n), make([]allocate.EVSE, n)
	l.takes, l.gives, l.lost = make([]si.Amps, n), make([]si.Amps, n), make([]bool, n)
	l.ledger = lease.New(tree, l.now, lease.Options{Settle: settle, Step: 1})
	for i := range n {
		l.cars[i].e = tree.EVSE(i)
		l.states[i] = allocate.EVSE{ID: tree.EVSE(i).ID}
		l.ledger.Opened(l.states[i].ID)
	}
	return l
}

// draw is what vehicle i draws now, negative when it discharges.
func (l *loop) draw(i int) si.Phases {
	c := &l.cars[i]
	if l.gives[i] > 0 && c.grant.Export != (si.Phases{}) && l.now.Before(c.grant.Until) {
		return si.Phases{}.Sub(c.grant.Export.Min(si.Same(l.gives[i])))
	}
	return c.may(l.now).Min(si.Same(l.takes[i]))
}

func (l *loop) flows() []si.Phases {
	f := make([]si.Phases, l.tree.Nodes())
	for n, b := range l.background {
		for up := n; up >= 0; up = l.tree.Parent(up) {
			f[up] = f[up].Add(b)
		}
	}
	for i := range l.cars {
		g := l.tree.ToGrid(i, l.draw(i))
		for n := l.tree.Home(i); n >= 0; n = l.tree.Parent(n) {
			f[n] = f[n].Add(g)
		}
	}
	return f
}

func (l *loop) deliver() {
	for k := 0; k < len(l.flight); {
		m := l.flight[k]
		if m.at.After(l.now) {
			k++
			continue
		}
		l.flight = append(l.flight[:k], l.flight[k+1:]...)
		c := &l.cars[m.to]
		switch {
		case c.cut:
		case m.ack:
			l.ledger.Ack(c.e.ID, m.g.Seq)
		case m.g.Seq > c.seq && l.now.Before(m.g.Until):
			c.before = append(c.before, c.grant)
			if !l.now.Before(c.applied) {
				c.before = c.before[len(c.before)-1:]
				c.applied = l.now.Add(time.Duration(l.rnd.Int64N(int64(time.Second))))
			}
			c.seq, c.grant = m.g.Seq, m.g
			if l.rnd.Float64() >= l.loss {
				l.flight = append(l.flight, message{at: c.applied.Add(time.Duration(l.rnd.Int64N(int64(l.slow)))), to: m.to, ack: true, g: m.g})
			}
		}
	}
}

func (l *loop) control() {
	late := map[string]bool{}
	for _, id := range l.ledger.Late(l.now, 3*time.Second) {
		i, _ := l.tree.FindEVSE(id)
		if late[id] = true; l.rnd.IntN(3) == 0 {
			l.lost[i] = true
			l.ledger.Lost(id)
		}
	}
	for i := range l.states {
		s := &l.states[i]
		if l.lost[i] && !l.cars[i].cut && l.rnd.IntN(20) == 0 {
			l.lost[i] = false
			l.ledger.Found(s.ID)
		}
		s.Measured, s.Reserved = ptr(l.draw(i)), nil
		if l.lost[i] || late[s.ID] {
			r, _ := l.ledger.Reserved(s.ID, l.now)
			s.Measured, s.Reserved = nil, &r
		}
	}
	snap := allocate.Snapshot{Tree: l.tree, Now: l.now, EVSEs: l.states, Options: allocate.Options{Step: 1, Hysteresis: 1}}
	for n, f := range l.flows() {
		snap.Meters = append(snap.Meters, allocate.Meter{Node: l.tree.Node(n).ID, Current: f})
	}
	res := allocate.Allocate(snap)
	for i := range l.states {
		l.states[i].Memory = res.EVSEs[i].Memory
	}
	targets, bounds := lease.FromResult(res)
	for _, g := range l.ledger.Plan(l.now, targets, bounds) {
		i, _ := l.tree.FindEVSE(g.EVSE)
		if l.rnd.Float64() >= l.loss {
			l.flight = append(l.flight, message{at: l.now.Add(time.Duration(l.rnd.Int64N(int64(l.slow)))), to: i, g: g})
		}
	}
}

// happen lets something happen to a vehicle: it comes, goes, wants less or more, discharges, or is cut off.
func (l *loop) happen() {
	i := l.rnd.IntN(len(l.cars))
	s := &l.states[i]
	switch l.rnd.IntN(5) {
	case 0:
		s.Wants = !s.Wants
	case 1:
		l.takes[i] = si.Amps(l.rnd.IntN(40))
	case 2:
		if s.Discharge = 0; l.tree.EVSE(i).MaxExport > 0 && l.rnd.IntN(2) == 0 {
			s.Discharge = si.Amps(1 + l.rnd.IntN(16))
			l.gives[i] = 20
		}
	case 3: // a discharging vehicle vanishes although it was told to go on
		l.gives[i] = 0
	case 4:
		l.cars[i].cut = l.rnd.IntN(3) == 0
	}
}

// Allocation and ledger together, with real flows at the meters: quick limits hold at every moment, whatever happens. Slow
// limits may be exceeded after discharge was lost, but for no longer than their reaction time if messages arrive.
func TestTheWholeLoopKeepsEveryLimit(t *testing.T) {
	discharged := false
	rapid.Check(t, func(t *rapid.T) {
		l := newLoop(t)
		over := make([]time.Time, l.tree.Nodes())
		for step := range 1200 {
			l.now = l.now.Add(100 * time.Millisecond)
			l.deliver()
			if step%5 == 0 {
				l.control()
			}
			if l.rnd.IntN(25) == 0 {
				l.happen()
			}
			for n, f := range l.flows() {
				node := l.tree.Node(n)
				for ph := range f {
					if f[ph] > node.Fuse[ph]+1e-3 && node.FuseReact() < 5*time.Second {
						t.Fatalf("%v: node %s L%d carries %v, fuse %v", l.now.Sub(t0), node.ID, ph+1, f[ph], node.Fuse[ph])
					}
				}
				above := f[0] > node.Fuse[0]+1e-3 || f[1] > node.Fuse[1]+1e-3 || f[2] > node.Fuse[2]+1e-3
				if w := f.Power(l.tree.Voltage()); node.MaxImport != nil && w > *node.MaxImport+1 {
					if node.PowerReact() < 5*time.Second {
						t.Fatalf("%v: node %s takes %v, limit %v", l.now.Sub(t0), node.ID, w, *node.MaxImport)
					}
					above = true
				}
				switch {
				case !above:
					over[n] = time.Time{}
				case over[n].IsZero():
					over[n] = l.now
				case l.now.Sub(over[n]) > node.PowerReact() && l.loss == 0 && !l.anyCut():
					t.Fatalf("%v: node %s has been over its limit for %v", l.now.Sub(t0), node.ID, l.now.Sub(over[n]))
				}
			}
			for i := range l.cars {
				discharged = discharged || l.draw(i).Lowest() < 0
			}
		}
	})
	if !discharged {
		t.Error("no vehicle ever discharged")
	}
}

func (l *loop) anyCut() bool {
	for i := range l.cars {
		if l.cars[i].cut || l.lost[i] {
			return true
		}
	}
	return false
}
