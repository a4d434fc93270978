package wire

// Message is a request or a response of some OCPP version.
type Message interface {
	// ActionName names the action the message belongs to.
	ActionName() string
	// AppendJSON appends the payload.
	AppendJSON(b []byte) []byte
	// UnmarshalJSON reads and checks a payload; its error is an *Error.
	UnmarshalJSON(data []byte) error
	// Check tells whether all values are within the limits of the schema.
	Check() error
}

// Direction says who may send the request of an action.
type Direction uint8

// The directions.
const (
	FromStation Direction = 1 << iota
	FromCSMS
	FromBoth = FromStation | FromCSMS
)

// ActionInfo describes one action. Response is nil for an action that is not answered (SEND, OCPP 2.1).
type ActionInfo struct {
	Name      string
	Direction Direction
	Request   func() Message
	Response  func() Message
}
