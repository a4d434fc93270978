// Package topology describes the electrical tree of a site: nodes (fuses, contracts, meters) of any depth and, as leaves,
// the EVSEs and third-party stations that the site controls.
//
// A Tree is built once from the site file with New, which refuses impossible trees, and is immutable afterwards: it may be
// shared by every goroutine. Besides lookups it offers the tree as linear rows (see Row): the sum of coefficient times
// current over the EVSEs beneath a node that a limit of that node bounds. Allocation, leases and planning work on rows only,
// so star, split-phase and delta sites need no special cases there.
//
// The configuration package builds trees; everything in site and the balancer read them. Import and charging are positive.
package topology

import (
	"math"
	"time"

	"github.com/voltyard/voltyard/hal/si"
)

// Defaults that New fills in where a field is zero.
const (
	DefaultMinCurrent    = si.Amps(6)       // smallest current of IEC 61851-1
	DefaultVoltage       = si.Volts(230)    // phase to neutral
	DefaultFuseReact     = time.Second      // fuses and phase limits
	DefaultPowerReact    = 5 * time.Second  // import and export power of a node
	DefaultContractReact = time.Minute      // 15-minute averages
	DefaultFloorFor      = 5 * time.Minute  // how long an EVSE stays at its floor when it hears nothing
	ContractPeriod       = 15 * time.Minute // the averaging period of a contract
	facetWidth           = 5.0 * degrees    // width of one facet of a line's current circle
	facets               = 12               // facets over the 60 degrees that line-to-line loads can span
	degrees              = math.Pi / 180    // one degree in radians
)

// System says how the supply is built.
type System uint8

const (
	ThreePhase System = iota // three phases, 120 degrees apart; Voltage is phase to neutral
	SplitPhase               // two legs L1 and L2, 180 degrees apart; Voltage is leg to neutral (120 V), phase 3 is unused
)

// Wiring says between which conductors an EVSE is connected.
type Wiring uint8

const (
	Star       Wiring = iota // phase(s) to neutral; with Phases 3 also loads without neutral that draw alike on three phases
	LineToLine               // between the first two grid phases of the rotation: RST is A-B, STR is B-C, TRS is C-A
)

// Kind tells EVSEs that deliver alternating from those that deliver direct current.
type Kind uint8

const (
	AC Kind = iota // limited in A per phase
	DC             // limited in W taken from the grid, losses included; draws alike on three phases
)

// Site is the input of New: what the site file says about the electrical installation.
type Site struct {
	System  System
	Voltage si.Volts // nominal, phase to neutral; 0 means 230 V
	Nodes   []Node   // one of them has no parent: the grid connection
	EVSEs   []EVSE
}

// Node is a point of the tree that has limits, a meter, or only a name. All limits are optional: nil is no limit, 0 is a limit.
type Node struct {
	ID     string
	Parent string // "" for the root

	Fuse      *si.Phases // A per phase, > 0; bounds import and export
	MaxImport *si.Watts  // W, >= 0
	MaxExport *si.Watts  // W, >= 0, as a positive number
	Contract  *si.Watts  // W, >= 0, averaged over quarter hours of the clock
	Imbalance *si.Amps   // A, > 0: largest difference between two phases

	// React is how long fuse and power limits may be exceeded after something outside the controller's hands changed.
	// 0 means 1 s for the fuse and 5 s for powers.
	React         time.Duration
	ContractReact time.Duration // the same for the contract; 0 means one minute

	Meter string // name of the meter that measures all that flows through the node; "" for none
	// Background is the worst case of all unmanaged load beneath a metered node, assumed when its meter is stale. For a node
	// without meter it is the unmanaged load connected at the node itself, always assumed. A per phase, >= 0.
	// A metered node without it counts as full when its meter is stale.
	Background *si.Phases
}

// EVSE is a controllable leaf: one of the site's own EVSEs, or a third-party station (Station is set).
type EVSE struct {
	ID       string
	Node     string // the node it hangs on
	Kind     Kind
	Wiring   Wiring
	Phases   int         // 1 or 3; DC always 3; line-to-line always 1
	Rotation si.Rotation // zero value means straight; single-phase uses the first entry

	Max       si.Amps // AC: largest current per phase
	Min       si.Amps // smallest current above 0; 0 means 6 A for AC and 0 for DC
	MaxExport si.Amps // largest discharge current per phase, positive; 0: cannot discharge
	Floor     si.Amps // current per phase that it may keep when the balancer is silent; 0 or at least Min

	MaxPower       si.Watts // DC: largest power from the grid; replaces Max
	MinPower       si.Watts // DC; replaces Min
	MaxExportPower si.Watts // DC; replaces MaxExport
	FloorPower     si.Watts // DC; replaces Floor

	FloorFor time.Duration // how long it keeps the floor before it opens; 0 means 5 minutes

	Weight     float64 // share relative to others when capacity is short, > 0; 0 means 1
	Priority   int     // who is served when not everybody can be; higher first
	Switchable bool    // a three-phase EVSE that can also supply its first phase alone

	Station *Station // nil: one of the site's own EVSEs
}

// Station is what a third-party station behind OCPP does when it is not told anything.
type Station struct {
	Fallback si.Amps // A per phase of the profile that lies under every grant and never expires
	// Levels is the number of stack levels it can hold; 0 means 2. With 1 there is no fallback beneath a grant: the last
	// acknowledged limit stays in force for ever.
	Levels int
}

// Error is one defect of a site description. Node or EVSE names the entry that is wrong (the other is empty), Field its
// field in the notation of this package, so that the configuration can point at the line.
type Error struct {
	Node, EVSE string
	Field      string
	Problem    string
	Advice     string
}

// Error says where, what and what to do.
func (e *Error) Error() string {
	where := "site"
	switch {
	case e.Node != "":
		where = "node " + e.Node
	case e.EVSE != "":
		where = "evse " + e.EVSE
	}
	s := where + ": " + e.Problem
	if e.Advice != "" {
		s += "; " + e.Advice
	}
	return s
}

// Errors is what New returns: every defect found, in the order of the description.
type Errors []*Error

// Error lists all defects, one a line.
func (es Errors) Error() string {
	s := ""
	for i, e := range es {
		if i > 0 {
			s += "\n"
		}
		s += e.Error()
	}
	return s
}

// FuseReact returns the reaction time of the node's fuse and other limits per phase.
func (n *Node) FuseReact() time.Duration {
	if n.React == 0 {
		return DefaultFuseReact
	}
	return n.React
}

// PowerReact returns the reaction time of the node's import and export power.
func (n *Node) PowerReact() time.Duration {
	if n.React == 0 {
		return DefaultPowerReact
	}
	return n.React
}
