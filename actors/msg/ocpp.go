package msg

import (
	"log/slog"

	"github.com/asynkron/protoactor-go/actor"
)

// UplinkOpen asks for a connection to the operator's cloud under an own station's identity. The controller answers with
// UplinkIs whenever that comes or goes. Station role to controller, at its start, and again after the controller began anew.
type UplinkOpen struct {
	Station  string
	Password string // of Basic authentication, "" for the site's; secret
	Reply    *actor.PID
}

// LogValue hides the password.
func (u UplinkOpen) LogValue() slog.Value { return slog.StringValue("uplink of " + u.Station) }

// UplinkIs says whether the station's connection to the cloud is open. Gen counts connections; frames of another one than
// the last are old. Controller to station role.
type UplinkIs struct {
	Station string
	Gen     uint64
	Up      bool
}

// UplinkFrame is one OCPP-J message, in either direction. Raw belongs to the receiver.
type UplinkFrame struct {
	Station string
	Gen     uint64
	Raw     []byte
}

// UplinkHangup asks to close the station's connection and to dial again. Station role to controller.
type UplinkHangup struct {
	Station string
	Gen     uint64
	Why     string
}

// ControllerUp says that the controller began (again) and knows no uplinks. Controller to all station roles that it is
// configured with.
type ControllerUp struct{}
