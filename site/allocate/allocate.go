// Package allocate is the fast layer of a site's energy management: it divides what the tree's limits leave over among the
// vehicles that want it, as a pure, deterministic function of one snapshot.
//
// In this order it decides who is served at all (priority, then waiting time; nobody who can be served waits longer than
// Options.MaxWait), with how many phases, and how much: exact lexicographic max-min of current per phase divided by weight,
// found by progressive filling over tree and phases, then rounded down to the set-point step with the rest handed out again.
// What a vehicle does not draw (measured) goes to others. The load that nobody controls is what a node's meter reads less
// what the EVSEs beneath it were measured to draw; a stale meter counts as the configured worst case, never as zero.
//
// The result is a target. It must go through the safety ledger (package lease), which puts the changes in an order that is
// safe whatever happens to the messages. The balancer calls Allocate; tests, replay and the planner may as well.
// Currents are A per phase, import and charging positive; export figures are positive numbers in fields named Export.
package allocate

import (
	"math"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/limits"
	"github.com/voltyard/voltyard/site/topology"
)

// Snapshot is all that Allocate looks at. Slices may be in any order; what is not mentioned has no vehicle or no reading.
type Snapshot struct {
	Tree       *topology.Tree
	Now        time.Time
	EVSEs      []EVSE
	Meters     []Meter
	Generators []Generator
	Limits     []limits.Effective // from outside
	Quarters   []Quarter
	// Fleet is the most that all EVSEs together may import: a service for the grid; nil: no such bound. FleetBy names it.
	Fleet   *si.Watts
	FleetBy string
	Voltage si.Volts // highest measured phase voltage, used where it differs from the nominal; 0: unknown
	Options Options
}

// EVSE is the present state of one EVSE or third-party station.
type EVSE struct {
	ID    string
	Wants bool // a vehicle is connected and would charge if it were allowed to

	// Accepts is the largest current per phase that vehicle or plan would take; nil means up to the EVSE's maximum. Values
	// under the smallest current of the EVSE count as "wants nothing".
	Accepts *si.Amps
	// Plan is the current per phase that the slow layer would give it now: nobody gets more than that, or than its smallest
	// current if that is more, before everybody has as much; what is left then is divided as without a plan. nil: no plan.
	Plan *si.Amps
	// Phases is how many phases the vehicle uses; 0 means all the EVSE has. A vehicle known to charge on one phase frees the
	// other two for its neighbours.
	Phases int
	// Measured is the current on the EVSE's own phases, negative when discharging; nil when its meter is stale or absent.
	Measured *si.Phases
	// Discharge is how much per phase plan or service would like it to discharge; an EVSE that discharges does not import.
	Discharge si.Amps
	// Reserved is set for an EVSE that cannot be reached: what it may still draw on its own phases (package lease knows).
	// It is taken off every limit above it, and nothing is allocated to it.
	Reserved *si.Phases

	Weight   float64 // overrides the weight of the tree if above 0
	Priority int     // added to the priority of the tree

	Memory Memory // what the last Result said for this EVSE; zero at the beginning
}

// Memory carries what is needed from one decision to the next. It belongs to this package; others store it unchanged.
type Memory struct {
	At       time.Time // of the last decision
	Waiting  time.Time // since when it wants and is not served; zero: it is served or does not want
	Served   time.Time // since when it is served; zero: it is not
	Import   si.Amps   // last target per phase
	Export   si.Amps   // last discharge target per phase, positive
	Changed  time.Time // when Import last changed
	Raised   time.Time // when Import last rose
	Uses     si.Amps   // a little more than the vehicle was seen to use at most; 0: unknown
	Phases   int       // phases of the last target
	Switched time.Time // when Phases last changed
}

// Meter is the reading of a node's meter. A node with a meter that is not mentioned here counts as stale.
type Meter struct {
	Node    string
	Current si.Phases // net, negative when exporting
	Power   *si.Watts // net; nil: current times voltage
	Stale   bool
}

// Generator is a separately measured source beneath a node (PV, battery); its current is negative while it delivers.
// What it delivers is no relief for limits that are faster than its loss. A stale one is left out.
type Generator struct {
	Node    string
	Current si.Phases
	Stale   bool
}

// Quarter is the energy that a node with a contract has imported in the running quarter hour.
type Quarter struct {
	Node     string
	Imported si.WattHours
	Elapsed  time.Duration // of the quarter hour
}

// Options are the parameters of the fast layer. The zero value gives exact continuous max-min with the default times.
type Options struct {
	MaxWait    time.Duration // nobody who can be served waits longer; 0 means 15 minutes
	Margin     time.Duration // kept free of MaxWait for messages and vehicles to react; 0 means 30 s
	Turn       time.Duration // how long one that is served keeps its place at most when others wait; 0 means 5 minutes
	Step       si.Amps       // set-points are multiples of it; 0: continuous
	RampUp     float64       // A per second that a set-point may rise above the smallest current; 0: no limit
	Hysteresis si.Amps       // a raise smaller than this waits until Hold has passed since the last change; 0: none
	Hold       time.Duration // 0 means 10 s
	// UnusedAfter is how long ago a set-point must have risen last before what is not drawn goes to others; 0 means 10 s,
	// negative: never.
	UnusedAfter time.Duration
	// LossCover is how long it takes from the loss of generation or of a discharging vehicle until every vehicle has
	// followed. Only limits with at least this reaction time count such relief; 0 means 5 s.
	LossCover time.Duration
	PhaseHold time.Duration // shortest time between two changes of the number of phases; 0 means 5 minutes
}

func (o Options) filled() Options {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&o.MaxWait, 15*time.Minute)
	set(&o.Margin, 30*time.Second)
	set(&o.Turn, 5*time.Minute)
	set(&o.Hold, 10*time.Second)
	set(&o.UnusedAfter, 10*time.Second)
	set(&o.LossCover, 5*time.Second)
	set(&o.PhaseHold, 5*time.Minute)
	return o
}

// Result has one allocation for every EVSE of the tree, in the tree's order, and the bounds they were made under.
type Result struct {
	EVSEs []Allocation
	// ImportBound and ExportBound have one value per row of the tree, +Inf where nothing limits it: what is left for the
	// EVSEs beneath after the load that nobody controls. The ledger keeps them in every order of messages.
	ImportBound, ExportBound []float64
}

// Allocation is what one EVSE should do.
type Allocation struct {
	ID      string
	Served  bool
	Phases  int       // how many of its phases are in use, 0 when it gets nothing
	Import  si.Phases // A on its own phases
	ImportW si.Watts  // the same as power from the grid, the figure to use for DC
	Export  si.Phases // A on its own phases, positive
	ExportW si.Watts
	Binding Binding
	Memory  Memory // goes into the next Snapshot
}

// Allocate divides the site's capacity.
func Allocate(s Snapshot) Result {
	p := newProblem(s)
	p.bounds()
	p.reserve()
	p.choose()
	p.share()
	p.discharge()
	return p.result()
}

const eps = 1e-7

// slack is the tolerance of a bound of size b.
func slack(b float64) float64 {
	if math.IsInf(b, 0) {
		return 0
	}
	return eps * (1 + math.Abs(b))
}
