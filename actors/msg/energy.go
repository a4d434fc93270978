package msg

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/limits"
	"github.com/voltyard/voltyard/site/plan"
)

// PlanTask asks for a plan. Balancer to planner, with every event and at least once a minute; a newer one replaces one that is
// being worked on. What it points at is never changed.
type PlanTask struct {
	plan.Task
	// Average is the import of the last full quarter hour, which began at Quarter; nil: none ended since the last task.
	Average *si.Watts
	Quarter time.Time
}

// Planned is a plan. Planner to balancer. It is advice, and may come late or never.
type Planned struct{ plan.Schedule }

// InputReading is the state of a digital input. Its poller to the balancer; Err means that nothing is known.
type InputReading struct {
	Input  string
	Closed bool
	Err    error
}

// SourceAlive is a heartbeat of a source of limits. Building to balancer.
type SourceAlive struct{ Source string }

// SetFailsafe is an energy guard's statement of its failsafe value. Building to balancer; answered by LimitAnswer.
type SetFailsafe struct {
	Source   string
	ID       string
	Power    si.Watts
	Duration time.Duration
	Issued   time.Time
	Retained bool
	Reply    *actor.PID
}

// Setpoint asks all vehicles together to exchange a power, W, negative when giving back, for Validity. Release ends it.
// Building to balancer; answered by LimitAnswer.
type Setpoint struct {
	Source   string
	ID       string
	Power    si.Watts
	Validity time.Duration
	Release  bool
	Issued   time.Time
	Retained bool
	Reply    *actor.PID
}

// GridFrequency is the frequency of the grid, measured just now. Building to balancer.
type GridFrequency struct{ Hz si.Hertz }

// EVSECommand is what the building, or a person, asks of one EVSE. Building or API to balancer; the answer is CommandAnswer.
type EVSECommand struct {
	EVSE     string
	ID       string
	Verb     Verb
	On       bool          // pause, operative
	Number   float64       // priority; target_energy in Wh of the visit; setpoint in W, negative when giving back
	At       time.Time     // departure
	Validity time.Duration // setpoint
	Text     string        // start: token; stop: why
	Issued   time.Time
	Retained bool
	Reply    *actor.PID
}

// Verb names a command.
type Verb string

// Commands to an EVSE.
const (
	Start        Verb = "start"
	Stop         Verb = "stop"
	Pause        Verb = "pause"
	Priority     Verb = "priority"
	Departure    Verb = "departure"
	TargetEnergy Verb = "target_energy"
	InService    Verb = "operative"
	EVSESetpoint Verb = "setpoint"
)

// CommandAnswer is the fate of an EVSECommand.
type CommandAnswer struct {
	EVSE     string
	Verb     Verb
	ID       string
	Accepted bool
	Code     limits.Code
	Text     string
	At       time.Time
}

// Event is something that people or machines around the site may want to hear about. Balancer to building.
type Event struct {
	At   time.Time `json:"at"`
	Kind string    `json:"kind"` // limit, release, expired, evse, station, meter, plan, command
	ID   string    `json:"id,omitempty"`
	Text string    `json:"text"`
}
