package msg

import (
	"fmt"
	"log/slog"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/protocols/ocpp/station"
)

// Chore is what a station's machine asks for and another actor carries out: /firmware, /publisher or /logbook. What becomes of it
// comes back as ChoreEvent. Station role to them.
type Chore struct {
	Station string
	What    station.Effect
	Reply   *actor.PID
}

// LogValue hides the passwords of URLs.
func (c Chore) LogValue() slog.Value {
	return slog.StringValue(fmt.Sprintf("%T of %s", c.What, c.Station))
}

// ChoreEvent is for the station's machine.
type ChoreEvent struct{ What station.Event }

// StationState says how a station of this process is, whenever that changes. Station role to /firmware.
type StationState struct {
	Station  string
	Accepted bool // by the CSMS, on a connection that is up
	Complete bool // every EVSE of it has reported
	Busy     bool // a vehicle charges or is about to
}

// StationStates asks the station roles for their StationState. /firmware to them.
type StationStates struct{}
