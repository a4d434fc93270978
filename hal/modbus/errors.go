package modbus

import (
	"errors"
	"fmt"
)

// Exception is the answer of a unit that refuses a request (Application Protocol, section 7). The line works.
type Exception byte

// Exceptions that units answer.
const (
	IllegalFunction    Exception = 1
	IllegalAddress     Exception = 2
	IllegalValue       Exception = 3
	DeviceFailure      Exception = 4
	Acknowledge        Exception = 5
	DeviceBusy         Exception = 6
	MemoryParity       Exception = 8
	GatewayUnavailable Exception = 10
	GatewayNoAnswer    Exception = 11
)

// Error says what the unit answered and what to look at.
func (e Exception) Error() string {
	switch e {
	case IllegalFunction:
		return "exception 1: the unit does not know this function; check whether its registers are input or holding registers"
	case IllegalAddress:
		return "exception 2: the unit has no such register; check the register map against the unit's model"
	case IllegalValue:
		return "exception 3: the unit refuses the value or the number of registers"
	case DeviceFailure:
		return "exception 4: the unit has failed"
	case Acknowledge:
		return "exception 5: the unit needs longer"
	case DeviceBusy:
		return "exception 6: the unit is busy"
	case MemoryParity:
		return "exception 8: the unit's memory has a parity error"
	case GatewayUnavailable:
		return "exception 10: the gateway has no path to the unit"
	case GatewayNoAnswer:
		return "exception 11: the unit behind the gateway does not answer; check the unit's address and the wiring"
	}
	return fmt.Sprintf("exception %d", byte(e))
}

// Errors of a transaction. They are wrapped with what was tried.
var (
	// ErrTimeout means that the unit did not answer in time.
	ErrTimeout = errors.New("no answer; check the unit's address, the wiring and the line's speed and parity")
	// ErrFrame means that what came back is no answer to the request: broken, of another unit, or a collision on the line.
	ErrFrame = errors.New("broken answer; look for a second master, a unit address used twice, or a disturbed line")
	// ErrClosed means that the bus was closed.
	ErrClosed = errors.New("the bus is closed")
	// ErrRequest means that the request cannot be sent: too many registers, or none.
	ErrRequest = errors.New("not a valid request")
)
