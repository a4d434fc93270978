// Package rpc is OCPP-J, the framing of OCPP over websockets (OCPP 2.0.1 part 4), as a machine without I/O: frames are
// read and written, each direction has one outstanding CALL, answers find their calls, calls time out. Endpoint is for
// whoever answers himself (a station, a CSMS); a relay uses Parse alone and passes the received bytes on.
package rpc

import "github.com/voltyard/voltyard/protocols/ocpp/internal/wire"

// What the generated packages share, under names that every layer may use.
type (
	// Code is the error code of a CALLERROR.
	Code = wire.Code
	// Error is a fault with its code.
	Error = wire.Error
	// Message is a request or response of some version.
	Message = wire.Message
	// ActionInfo is an entry of a version's table of actions.
	ActionInfo = wire.ActionInfo
	// Direction says who may send a request.
	Direction = wire.Direction
	// Raw is a JSON value as received.
	Raw = wire.Raw
)

// The directions of requests.
const (
	FromStation = wire.FromStation
	FromCSMS    = wire.FromCSMS
	FromBoth    = wire.FromBoth
)

// The codes of OCPP 2.0.1 part 4, table 9.
const (
	FormatViolation               = wire.FormatViolation
	GenericError                  = wire.GenericError
	InternalError                 = wire.InternalError
	MessageTypeNotSupported       = wire.MessageTypeNotSupported
	NotImplemented                = wire.NotImplemented
	NotSupported                  = wire.NotSupported
	OccurrenceConstraintViolation = wire.OccurrenceConstraintViolation
	PropertyConstraintViolation   = wire.PropertyConstraintViolation
	ProtocolError                 = wire.ProtocolError
	RPCFrameworkError             = wire.RpcFrameworkError
	SecurityError                 = wire.SecurityError
	TypeConstraintViolation       = wire.TypeConstraintViolation
)

// Version is a version of OCPP-J, chosen by the websocket's subprotocol and by nothing else.
type Version uint8

// The versions.
const (
	V16 Version = iota + 1
	V201
	V21
)

// Subprotocol is the registered name of the version.
func (v Version) Subprotocol() string {
	switch v {
	case V16:
		return "ocpp1.6"
	case V201:
		return "ocpp2.0.1"
	case V21:
		return "ocpp2.1"
	}
	return ""
}

// ParseSubprotocol returns the version of a subprotocol's name.
func ParseSubprotocol(s string) (Version, bool) {
	for v := V16; v <= V21; v++ {
		if v.Subprotocol() == s {
			return v, true
		}
	}
	return 0, false
}

// Normal maps the misspelt codes of OCPP 1.6 (and of software that kept them) to the spelling of OCPP 2.0.1.
func Normal(c Code) Code {
	switch c {
	case "FormationViolation":
		return FormatViolation
	case "OccurenceConstraintViolation":
		return OccurrenceConstraintViolation
	}
	return c
}

// spelt returns the code as version v writes it: OCPP 1.6 has the two misspelt ones and lacks three others.
func spelt(c Code, v Version) Code {
	if v != V16 {
		return c
	}
	switch c {
	case FormatViolation, RPCFrameworkError, MessageTypeNotSupported:
		return "FormationViolation"
	case OccurrenceConstraintViolation:
		return "OccurenceConstraintViolation"
	}
	return c
}
