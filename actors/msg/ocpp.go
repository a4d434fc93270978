package msg

import (
	"crypto/tls"
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// UplinkOpen asks for a connection to the operator's cloud under an own station's identity. The controller answers with
// UplinkIs whenever that comes or goes. Station role to controller, at its start, and again after the controller began anew.
type UplinkOpen struct {
	Station  string
	Begun    int64  // tells roles apart: each hears of a connection from its beginning
	Password string // of Basic authentication, "" for the site's; secret
	Target   UplinkTarget
	Reply    *actor.PID
}

// UplinkTarget says how to connect from the next attempt on. Station role to controller, whenever it changes; it closes no
// connection. The zero value is what the site file says.
type UplinkTarget struct {
	Station string
	ID      uint64 // comes back in UplinkIs and UplinkFailed
	URL     string // "" for the site's
	// Profile is the security profile: with the third no password is shown. 0: what the site file says.
	Profile int
	TLS     func() *tls.Config // asked before each attempt; nil for the site's
	Retry   Retry
}

// Retry is the wait before an attempt to connect: Minimum before the first, doubled after each failure for Times times, and each time
// up to Range more by chance. The zero value leaves it to the controller.
type Retry struct {
	Times          int
	Minimum, Range time.Duration
}

// UplinkFailed says that an attempt to connect has failed. It is repeated by itself. Controller to station role.
type UplinkFailed struct {
	Station string
	Target  uint64
	Event   string // by OCPP's list of security events, "" for none of them
	Why     string
}

// LogValue hides the password.
func (u UplinkOpen) LogValue() slog.Value { return slog.StringValue("uplink of " + u.Station) }

// UplinkIs says whether the station's connection to the cloud is open. Gen counts connections; frames of another one than
// the last are old. Controller to station role.
type UplinkIs struct {
	Station string
	Gen     uint64
	Up      bool
	Target  uint64   // ID of the UplinkTarget it was made for
	Chain   [][]byte // of the CSMS's certificates, leaf first, in DER; nil without TLS
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
