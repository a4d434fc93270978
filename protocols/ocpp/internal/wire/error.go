// Package wire holds what the generated OCPP types share: a strict JSON reader that fills structs without reflection,
// the checks of values, and the writer. Only the generated packages v16, v201 and v21 and the framing in rpc call it.
package wire

import "strings"

// Code is the error code of an OCPP-J CALLERROR (OCPP 2.0.1 part 4, table 9).
type Code string

// The codes of OCPP 2.0.1 and 2.1.
const (
	FormatViolation               Code = "FormatViolation"
	GenericError                  Code = "GenericError"
	InternalError                 Code = "InternalError"
	MessageTypeNotSupported       Code = "MessageTypeNotSupported"
	NotImplemented                Code = "NotImplemented"
	NotSupported                  Code = "NotSupported"
	OccurrenceConstraintViolation Code = "OccurrenceConstraintViolation"
	PropertyConstraintViolation   Code = "PropertyConstraintViolation"
	ProtocolError                 Code = "ProtocolError"
	RpcFrameworkError             Code = "RpcFrameworkError"
	SecurityError                 Code = "SecurityError"
	TypeConstraintViolation       Code = "TypeConstraintViolation"
)

// Error is a fault that the peer is told with a CALLERROR. Path names the property, as in "meterValue[0].timestamp".
type Error struct {
	Code Code
	Path string
	What string
}

// Error describes the fault with its code.
func (e *Error) Error() string { return string(e.Code) + ": " + e.Text() }

// Text is the description for the CALLERROR, without the code and at most 255 characters (the field's limit).
func (e *Error) Text() string {
	s := e.What
	if e.Path != "" {
		s = e.Path + ": " + s
	}
	if len(s) > 255 {
		s = strings.ToValidUTF8(s[:255], "")
	}
	return s
}
