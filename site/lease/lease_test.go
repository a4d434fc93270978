package lease_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/allocate"
	"github.com/voltyard/voltyard/site/lease"
	"github.com/voltyard/voltyard/site/topology"
)

var t0 = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

func ptr[T any](v T) *T { return &v }

// car is the worst EVSE or station that still keeps the rules: it always draws all it may.
type car struct {
	e       *topology.EVSE
	station bool
	seq     uint64
	grant   lease.Grant
	before  []lease.Grant // which may still be drawn although the present grant is smaller,
	applied time.Time     // until then
	cut     bool          // connection is lost
}

const settle = 6 * time.Second

func (c *car) under(g lease.Grant, now time.Time) si.Phases {
	all := func(a si.Amps) si.Phases {
		if c.e.Phases == 1 {
			return si.Phases{a}
		}
		return si.Same(a)
	}
	switch {
	case g.Until.IsZero():
		return g.Import
	case c.station:
		if !now.Before(g.Until) {
			return all(c.e.Station.Fallback)
		}
		return g.Import
	case now.Before(g.Until.Add(settle)):
		return g.Import
	case now.Before(g.Until.Add(settle + c.e.FloorFor)):
		return g.Import.Min(all(c.e.Floor))
	}
	return si.Phases{}
}

func (c *car) may(now time.Time) si.Phases {
	p := c.under(c.grant, now)
	if now.Before(c.applied) {
		for _, g := range c.before {
			p = p.Max(c.under(g, now))
		}
	}
	return p
}

type message struct {
	at  time.Time
	to  int
	ack bool
	g   lease.Grant
}

func drawTree(t *rapid.T) *topology.Tree {
	site := topology.Site{}
	nodes := rapid.IntRange(1, 5).Draw(t, "nodes")
	for i := range nodes {
		n := topology.Node{ID: fmt.Sprint("n", i)}
		if i > 0 {
			n.Parent = fmt.Sprint("n", rapid.IntRange(0, i-1).Draw(t, "parent"))
		}
		if rapid.Bool().Draw(t, "fuse") || i == 0 {
			n.Fuse = ptr(si.Phases{si.Amps(rapid.IntRange(60, 120).Draw(t, "L1")), si.Amps(rapid.IntRange(60, 120).Draw(t, "L2")), 80})
		}
		if rapid.Bool().Draw(t, "power") {
			n.MaxImport = ptr(si.Watts(rapid.IntRange(40000, 60000).Draw(t, "W")))
		}
		site.Nodes = append(site.Nodes, n)
	}
	rotations := []si.Rotation{{0, 1, 2}, {1, 2, 0}, {2, 0, 1}, {0, 2, 1}}
	for i := range rapid.IntRange(1, 6).Draw(t, "evses") {
		e := topology.EVSE{ID: fmt.Sprint("e", i), Node: site.Nodes[rapid.IntRange(0, nodes-1).Draw(t, "at")].ID,
			Phases: rapid.SampledFrom([]int{1, 3}).Draw(t, "phases"), Max: 32,
			Rotation: rapid.SampledFrom(rotations).Draw(t, "rotation"), FloorFor: 30 * time.Second}
		if rapid.IntRange(0, 3).Draw(t, "station") == 0 {
			e.Station = &topology.Station{Fallback: rapid.SampledFrom([]si.Amps{0, 6, 10}).Draw(t, "fallback"), Levels: rapid.IntRange(1, 2).Draw(t, "levels")}
		} else {
			e.Floor = rapid.SampledFrom([]si.Amps{0, 0, 6}).Draw(t, "floor")
		}
		site.EVSEs = append(site.EVSEs, e)
	}
	tree, err := topology.New(site)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// In every order of messages, with losses, duplicates, disconnections and restarts of the ledger's owner, what all EVSEs may
// draw stays at or under every bound. Only for a while after a bound was lowered may it be above, by what nobody could take
// back in time.
func TestNoOrderOfMessagesBreaksALimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree := drawTree(t)
		rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		loss := rapid.SampledFrom([]float64{0, 0.1, 0.5}).Draw(t, "loss")
		slow := time.Duration(rapid.SampledFrom([]int{20, 800, 4000}).Draw(t, "delay ms")) * time.Millisecond
		bounds := boundsOf(tree)
		full := boundsOf(tree)
		now := t0
		ledger := lease.New(tree, now, lease.Options{Settle: settle})
		cars := make([]car, tree.EVSEs())
		for i := range cars {
			cars[i] = car{e: tree.EVSE(i), station: tree.EVSE(i).Station != nil}
			ledger.Restore(cars[i].e.ID, lease.Hold{}) // stations hold nothing
			ledger.Opened(cars[i].e.ID)
			if rapid.Bool().Draw(t, "unreachable at first") {
				cars[i].cut = true
			}
		}
		targets := randomTargets(rnd, tree)
		var flight []message
		lostAt := make([]bool, len(cars))
		lowered, old := make([]time.Time, len(bounds.Import)), make([]float64, len(bounds.Import))
		changes := rapid.Bool().Draw(t, "limits change")
		deliver := func() {
			for k := 0; k < len(flight); {
				m := flight[k]
				if m.at.After(now) {
					k++
					continue
				}
				flight = append(flight[:k], flight[k+1:]...)
				c := &cars[m.to]
				if c.cut {
					continue
				}
				if m.ack {
					ledger.Ack(c.e.ID, m.g.Seq)
					if lostAt[m.to] {
						ledger.Found(c.e.ID)
						lostAt[m.to] = false
					}
					continue
				}
				if m.g.Seq <= c.seq || (!m.g.Until.IsZero() && !now.Before(m.g.Until)) {
					continue
				}
				c.before = append(c.before, c.grant)
				if !now.Before(c.applied) { // a vehicle that is lowering already is done when it said
					c.before = c.before[len(c.before)-1:]
					c.applied = now.Add(time.Duration(rnd.Int64N(int64(2 * time.Second))))
				}
				c.seq, c.grant = m.g.Seq, m.g
				if rnd.Float64() >= loss {
					for range 1 + rnd.IntN(2) {
						flight = append(flight, message{at: c.applied.Add(time.Duration(rnd.Int64N(int64(slow)))), to: m.to, ack: true, g: m.g})
					}
				}
			}
		}
		check := func() {
			x := make([]si.Phases, len(cars))
			out := make([]si.Phases, len(cars))
			for i := range cars {
				x[i] = cars[i].may(now)
				if lostAt[i] {
					out[i] = x[i]
				}
				if r, _ := ledger.Reserved(cars[i].e.ID, now); r.Sub(x[i]).Lowest() < -1e-9 {
					t.Fatalf("%v: %s may draw %v, but only %v is reserved", now.Sub(t0), cars[i].e.ID, x[i], r)
				}
			}
			for r := range tree.Rows() {
				limit := bounds.Import[r]
				if now.Sub(lowered[r]) < 40*time.Second {
					limit = max(limit, old[r])
				}
				if !lowered[r].IsZero() {
					limit = max(limit, tree.Load(r, out))
				}
				if got := tree.Load(r, x); got > limit*(1+1e-6)+1e-3 {
					t.Fatalf("%v: row %d carries %v, bound %v", now.Sub(t0), r, got, limit)
				}
			}
		}
		for range 1500 {
			now = now.Add(100 * time.Millisecond)
			deliver()
			check()
			switch rnd.IntN(60) {
			case 0:
				targets = randomTargets(rnd, tree)
			case 1:
				cars[rnd.IntN(len(cars))].cut = rnd.IntN(2) == 0
			case 2:
				r := rnd.IntN(len(bounds.Import))
				if was := bounds.Import[r]; changes && !math.IsInf(was, 1) {
					bounds.Import[r] = full.Import[r] * (0.6 + 0.4*rnd.Float64())
					if bounds.Import[r] < was {
						if now.Sub(lowered[r]) > 40*time.Second {
							old[r] = 0
						}
						lowered[r], old[r] = now, max(old[r], was)
					}
				}
			}
			for _, id := range ledger.Late(now, 3*time.Second) {
				ledger.Lost(id)
				i, _ := tree.FindEVSE(id)
				lostAt[i] = true
			}
			for i := range cars { // the owner tries again now and then
				if lostAt[i] && rnd.IntN(30) == 0 && !cars[i].cut {
					ledger.Found(cars[i].e.ID)
					lostAt[i] = false
				}
			}
			for _, g := range ledger.Plan(now, targets, bounds) {
				i, _ := tree.FindEVSE(g.EVSE)
				if rnd.Float64() < loss {
					continue
				}
				for range 1 + rnd.IntN(2) {
					flight = append(flight, message{at: now.Add(time.Duration(rnd.Int64N(int64(slow)))), to: i, g: g})
				}
			}
			check()
		}
	})
}

// With nothing lost, the targets are reached.
func TestTargetsAreReached(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree := drawTree(t)
		rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		now := t0
		ledger := lease.New(tree, now, lease.Options{})
		for range 4 {
			states := make([]allocate.EVSE, tree.EVSEs())
			for i := range states {
				states[i] = allocate.EVSE{ID: tree.EVSE(i).ID, Wants: rnd.IntN(4) > 0, Weight: 1 + rnd.Float64()}
			}
			res := allocate.Allocate(allocate.Snapshot{Tree: tree, Now: now, EVSEs: states})
			targets, bounds := lease.FromResult(res)
			var waiting []lease.Grant
			for range 40 {
				now = now.Add(500 * time.Millisecond)
				for _, g := range waiting {
					ledger.Ack(g.EVSE, g.Seq)
				}
				waiting = ledger.Plan(now, targets, bounds)
			}
			for _, w := range targets {
				have, _ := ledger.Reserved(w.EVSE, now)
				if d := have.Sub(w.Import); max(d.Highest(), -d.Lowest()) > 1e-3 {
					t.Fatalf("%s has %v, target %v", w.EVSE, have, w.Import)
				}
			}
		}
	})
}

func boundsOf(tree *topology.Tree) lease.Bounds {
	_, b := lease.FromResult(allocate.Allocate(allocate.Snapshot{Tree: tree, Now: t0}))
	return b
}

// randomTargets asks for anything, also for more than there is.
func randomTargets(rnd *rand.Rand, tree *topology.Tree) []lease.Target {
	var out []lease.Target
	for i := range tree.EVSEs() {
		if rnd.IntN(5) == 0 {
			continue
		}
		a := si.Amps(rnd.IntN(33))
		if a < 6 {
			a = 0
		}
		n := 1 + 2*rnd.IntN(2)
		out = append(out, lease.Target{EVSE: tree.EVSE(i).ID, Import: tree.Own(i, n, a)})
	}
	return out
}

func TestRestartKnowsNothing(t *testing.T) {
	tree, err := topology.New(topology.Site{Nodes: []topology.Node{{ID: "G", Fuse: ptr(si.Same(40))}}, EVSEs: []topology.EVSE{
		{ID: "a", Node: "G", Phases: 3, Max: 32}, {ID: "b", Node: "G", Phases: 3, Max: 32},
		{ID: "s", Node: "G", Phases: 3, Max: 16, Station: &topology.Station{Fallback: 6, Levels: 1}}}})
	if err != nil {
		t.Fatal(err)
	}
	l := lease.New(tree, t0, lease.Options{})
	bounds := boundsOf(tree)
	targets := []lease.Target{{EVSE: "a", Import: si.Same(12)}, {EVSE: "b", Import: si.Same(12)}, {EVSE: "s", Import: si.Same(16)}}
	sent := l.Plan(t0, targets, bounds)
	if len(sent) != 3 {
		t.Fatalf("%v", sent)
	}
	for _, g := range sent {
		if have, _ := l.Reserved(g.EVSE, t0); have.Highest() < 16 {
			t.Errorf("%s: %v reserved before anything is known", g.EVSE, have)
		}
		if g.EVSE == "s" && !g.Until.IsZero() {
			t.Errorf("a station with one level got an end: %v", g.Until)
		}
	}
	if have, _ := l.Reserved("s", t0.Add(24*time.Hour)); have != si.Same(16) {
		t.Errorf("a silent station with one level: %v", have)
	}
	if have, _ := l.Reserved("a", t0.Add(24*time.Hour)); have != (si.Phases{}) {
		t.Errorf("an own EVSE after a day of silence: %v", have)
	}
}

// An EVSE whose acknowledgement is late is not paused, and not raised either; a bound that falls still reaches it.
func TestLateOnesKeepWhatTheyHave(t *testing.T) {
	tree, err := topology.New(topology.Site{Nodes: []topology.Node{{ID: "G", Fuse: ptr(si.Same(40))}}, EVSEs: []topology.EVSE{
		{ID: "a", Node: "G", Phases: 3, Max: 32}, {ID: "b", Node: "G", Phases: 3, Max: 32}}})
	if err != nil {
		t.Fatal(err)
	}
	l := lease.New(tree, t0, lease.Options{})
	l.Opened("a")
	l.Opened("b")
	now := t0
	plan := func(late bool) (got []lease.Grant) {
		a := allocate.EVSE{ID: "a", Wants: true}
		if late {
			r, _ := l.Reserved("a", now)
			a.Reserved = &r
		}
		targets, bounds := lease.FromResult(allocate.Allocate(allocate.Snapshot{Tree: tree, Now: now,
			EVSEs: []allocate.EVSE{a, {ID: "b", Wants: true}}}))
		return l.Plan(now, targets, bounds)
	}
	for _, g := range plan(false) { // 20 A each
		l.Ack(g.EVSE, g.Seq)
	}
	now = now.Add(6 * time.Second)
	for _, g := range plan(true) {
		if d := g.Import[0] - 20; d > 1e-6 || d < -1e-6 {
			t.Errorf("%s gets %v, want 20 A again", g.EVSE, g.Import[0])
		}
	}
	_, bounds := lease.FromResult(allocate.Allocate(allocate.Snapshot{Tree: tree, Now: now}))
	for r := range bounds.Import {
		bounds.Import[r] /= 4
	}
	for _, g := range l.Plan(now.Add(time.Second), []lease.Target{{EVSE: "a", Hold: true}}, bounds) {
		if g.EVSE == "a" && g.Import[0] > 10+1e-6 {
			t.Errorf("held at %v although only 10 A are left", g.Import[0])
		}
	}
}

// One car has the whole fuse when a second one comes: the second waits for the first one's acknowledgement.
func ExampleLedger() {
	fuse := si.Same(32)
	tree, _ := topology.New(topology.Site{Nodes: []topology.Node{{ID: "F", Fuse: &fuse}}, EVSEs: []topology.EVSE{
		{ID: "a", Node: "F", Phases: 3, Max: 32, Floor: 6}, {ID: "b", Node: "F", Phases: 3, Max: 32}}})
	now := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	ledger := lease.New(tree, now, lease.Options{})
	ledger.Opened("a") // both were just started: their contactors are open
	ledger.Opened("b")

	decide := func(states ...allocate.EVSE) {
		res := allocate.Allocate(allocate.Snapshot{Tree: tree, Now: now, EVSEs: states, Options: allocate.Options{Step: 1}})
		targets, bounds := lease.FromResult(res)
		for _, g := range ledger.Plan(now, targets, bounds) {
			fmt.Println(g.EVSE, g.Seq, g.Import[0], "for", g.Until.Sub(now))
		}
	}
	a, b := allocate.EVSE{ID: "a", Wants: true}, allocate.EVSE{ID: "b", Wants: true}
	decide(a)
	ledger.Ack("a", 1)
	ledger.Ack("b", 2)
	fmt.Println("b comes")
	decide(a, b)
	fmt.Println("a has lowered")
	ledger.Ack("a", 3)
	decide(a, b)
	// Output:
	// a 1 32.00 A for 10s
	// b 2 0.00 A for 10s
	// b comes
	// a 3 16.00 A for 10s
	// a has lowered
	// b 4 16.00 A for 10s
}
