package sim

import (
	"context"
	"sync"
	"time"

	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/si"
)

// Load is anything that draws from the simulated grid.
type Load interface {
	// Draw is what it takes now, in its own phases, export negative.
	Draw() si.Phases
}

// Fixed is a load that draws the same all the time: a building, or with negative values a solar roof.
type Fixed si.Phases

// Draw returns the fixed currents.
func (f Fixed) Draw() si.Phases { return si.Phases(f) }

// Wires are the cables of a simulated site behind one connection point: what hangs on a node, and how its phases are
// turned. A meter on a node measures the sum of all beneath it.
type Wires struct {
	volts si.Volts
	speed float64

	mu    sync.Mutex
	above map[string]string // node -> parent
	loads []wired
}

type wired struct {
	node string
	turn si.Rotation
	load Load
}

// NewWires makes a site with no loads. above names the parent of each node, "" for the root.
func NewWires(volts si.Volts, speed float64, above map[string]string) *Wires {
	return &Wires{volts: volts, speed: max(speed, 0), above: above}
}

// Connect hangs a load on a node.
func (w *Wires) Connect(node string, turn si.Rotation, l Load) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.loads = append(w.loads, wired{node, turn, l})
}

// Current is what flows through a node now, per grid phase.
func (w *Wires) Current(node string) si.Phases {
	w.mu.Lock()
	loads := w.loads
	w.mu.Unlock()
	var sum si.Phases
	for _, l := range loads {
		if w.under(l.node, node) {
			sum = sum.Add(l.turn.ToGrid(l.load.Draw()))
		}
	}
	return sum
}

func (w *Wires) under(node, top string) bool {
	for depth := 0; depth < 64; depth++ {
		if node == top {
			return true
		}
		up, ok := w.above[node]
		if !ok || up == "" {
			return false
		}
		node = up
	}
	return false
}

// Meter returns a meter on a node. Its registers integrate at the speed of the simulation from reading to reading.
func (w *Wires) Meter(node string) hal.Meter {
	return &nodeMeter{wires: w, node: node, last: time.Now()}
}

type nodeMeter struct {
	wires *Wires
	node  string

	mu       sync.Mutex
	last     time.Time
	imp, exp si.WattHours
}

func (m *nodeMeter) Read(context.Context) (hal.MeterReading, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	c := m.wires.Current(m.node)
	p := c.Power(m.wires.volts)
	wh := si.WattHours(float64(p) * now.Sub(m.last).Hours() * m.wires.speed)
	if wh > 0 {
		m.imp += wh
	} else {
		m.exp -= wh
	}
	m.last = now
	v := m.wires.volts
	return hal.MeterReading{At: now, Import: m.imp, Export: m.exp, Power: p, Current: c, Voltage: [3]si.Volts{v, v, v}}, nil
}

func (m *nodeMeter) Close() error { return nil }
