package msg

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/lease"
	"github.com/voltyard/voltyard/site/limits"
	"github.com/voltyard/voltyard/site/topology"
)

// Grant permits an own EVSE to draw. Balancer to EVSE. The receiver takes it only
// if its Seq is higher than that of the last one it took.
type Grant struct{ lease.Grant }

// StationGrant permits a third-party station to draw. Balancer to controller. Hold is the worst case of everything the
// station may hold once the grant is out; the controller stores it before it sends the profile.
type StationGrant struct {
	lease.Grant
	Hold lease.Hold
}

// GrantAck confirms a grant: the draw of the EVSE or station cannot exceed it any more. EVSE or controller to balancer.
type GrantAck struct {
	EVSE string
	Seq  uint64
	// Refused says that a station did not take its profile; the grant is not in force.
	Refused bool
}

// EVSEOpened says that an own EVSE has begun anew with its contactor open. EVSE to balancer, once at its start.
type EVSEOpened struct{ EVSE string }

// Cap bounds what one EVSE may be granted, beneath all other limits: what the operator's charging profiles allow.
// Station role to balancer, on every change. A nil value is no limit, 0 is a pause.
type Cap struct {
	EVSE    string
	Source  string // who says so, for display: "csms"
	Current *si.Amps
	Power   *si.Watts
}

// StationReport is the state of a third-party station. Controller to balancer, on every change and with every reading.
type StationReport struct {
	Station   string
	Connected bool
	Wants     bool       // at least one vehicle is connected and would charge
	Phases    int        // phases in use, 0 when unknown
	Current   *si.Phases // measured at the station's own terminals; nil when it does not say
	Power     si.Watts
	Energy    si.WattHours  // of the running transactions
	At        time.Time     // of the reading
	State     string        // of its first connector, for display
	EVs       int           // vehicles connected
	Over      bool          // it was measured to draw more than it accepted, and still does
	Most      *si.Amps      // the most that it can be given, per phase; nil when that is its maximum
	Off       time.Duration // of its clock, ahead is positive, when that is why it can be given no more; else 0
}

// StationHeld says what a third-party station may hold since an earlier run of the controller. Controller to balancer at
// start, for every station it has a record of.
type StationHeld struct {
	Station string
	Hold    lease.Hold
}

// StationLate says that what a third-party station was granted with an end lasts until then at least: its clock is slower than
// was believed. Controller to balancer.
type StationLate struct {
	Station string
	Until   time.Time
}

// ApplyLimit asks the balancer to keep a limit from outside. The answer is one LimitAnswer at once and, if it lowered
// something, a second one when every set-point has followed.
type ApplyLimit struct {
	Limit    limits.Limit
	Received time.Time
	Reply    *actor.PID
}

// ReleaseLimit asks the balancer to lift a limit from outside; answered like ApplyLimit.
type ReleaseLimit struct {
	Source   string
	ID       string
	Issued   time.Time
	Retained bool
	Received time.Time
	Reply    *actor.PID
}

// LimitAnswer is the fate of a limit from outside. ReachedAt is zero in the first answer.
type LimitAnswer struct {
	Source    string
	ID        string
	Accepted  bool
	Code      limits.Code
	Text      string
	AppliedAt time.Time
	ReachedAt time.Time
}

// NodeReading is what a node's meter measured. The meter's poller to the balancer; Err means that there is no reading.
type NodeReading struct {
	Node    string
	Reading hal.MeterReading
	Err     error
}

// Retune has the balancer take over new limits, floors, weights and priorities. The tree has the same nodes, EVSEs and
// stations as before.
type Retune struct{ Tree *topology.Tree }
