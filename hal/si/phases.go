package si

import "fmt"

// Phases holds one current per grid phase: L1, L2, L3, in A.
type Phases [3]Amps

// Same returns a three-phase value with a on every phase.
func Same(a Amps) Phases { return Phases{a, a, a} }

// Add returns p + q, phase by phase.
func (p Phases) Add(q Phases) Phases { return Phases{p[0] + q[0], p[1] + q[1], p[2] + q[2]} }

// Sub returns p - q, phase by phase.
func (p Phases) Sub(q Phases) Phases { return Phases{p[0] - q[0], p[1] - q[1], p[2] - q[2]} }

// Min returns the smaller value of each phase.
func (p Phases) Min(q Phases) Phases {
	return Phases{min(p[0], q[0]), min(p[1], q[1]), min(p[2], q[2])}
}

// Max returns the larger value of each phase.
func (p Phases) Max(q Phases) Phases {
	return Phases{max(p[0], q[0]), max(p[1], q[1]), max(p[2], q[2])}
}

// Highest returns the largest of the three currents.
func (p Phases) Highest() Amps { return max(p[0], p[1], p[2]) }

// Lowest returns the smallest of the three currents.
func (p Phases) Lowest() Amps { return min(p[0], p[1], p[2]) }

// Sum returns the sum of the three currents.
func (p Phases) Sum() Amps { return p[0] + p[1] + p[2] }

// Power returns the power of the three currents at phase voltage v.
func (p Phases) Power(v Volts) Watts { return p.Sum().Times(v) }

// String formats the three currents in A with one decimal, L1/L2/L3.
func (p Phases) String() string {
	return fmt.Sprintf("%.1f/%.1f/%.1f A", float64(p[0]), float64(p[1]), float64(p[2]))
}

// Rotation says which grid phase each phase of an EVSE's supply is wired to. Rotation{0, 1, 2} is straight; an EVSE with
// Rotation{1, 2, 0} has its own L1 on the grid's L2. A single-phase EVSE uses entry 0 only.
type Rotation [3]uint8

// Straight is the rotation that changes nothing.
var Straight = Rotation{0, 1, 2}

// Valid reports whether r is a permutation of the three phases.
func (r Rotation) Valid() bool {
	var seen [3]bool
	for _, p := range r {
		if p > 2 || seen[p] {
			return false
		}
		seen[p] = true
	}
	return true
}

// ToGrid maps currents at the EVSE's own terminals to the grid's phases.
func (r Rotation) ToGrid(own Phases) Phases {
	var g Phases
	for i, p := range r {
		g[p] += own[i]
	}
	return g
}

// ToOwn maps currents of the grid's phases to the EVSE's own terminals.
func (r Rotation) ToOwn(grid Phases) Phases {
	var o Phases
	for i, p := range r {
		o[i] = grid[p]
	}
	return o
}

// ParseRotation reads the notation of OCPP and electricians, "RST", "STR", "TRS", "RTS", "SRT" or "TSR" (letter n is the
// grid phase on the EVSE's own phase n), and "" as straight.
func ParseRotation(s string) (Rotation, error) {
	if s == "" {
		return Straight, nil
	}
	var r Rotation
	if len(s) == 3 {
		for i := range 3 {
			r[i] = s[i] - 'R'
		}
		if r.Valid() {
			return r, nil
		}
	}
	return Straight, fmt.Errorf("phase rotation %q: want one of RST, STR, TRS, RTS, SRT, TSR", s)
}

// String returns the rotation in the notation of ParseRotation.
func (r Rotation) String() string {
	return string([]byte{'R' + r[0], 'R' + r[1], 'R' + r[2]})
}
