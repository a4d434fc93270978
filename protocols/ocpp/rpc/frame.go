package rpc

import (
	"strconv"
	"unicode/utf8"

	"github.com/voltyard/voltyard/protocols/ocpp/internal/wire"
)

// Type is the message type number of a frame.
type Type int

// The message types; the last two are of OCPP 2.1.
const (
	Call            Type = 2
	CallResult      Type = 3
	CallError       Type = 4
	CallResultError Type = 5
	Send            Type = 6
)

// MaxID is the longest message id in characters.
const MaxID = 36

// UnreadableID is the id of the CALLERROR for a frame whose own id could not be read.
const UnreadableID = "-1"

// Frame is one parsed message. Payload and Details are parts of the received bytes.
type Frame struct {
	Type        Type
	ID          string
	Action      string // of Call and Send
	Payload     []byte // of Call, CallResult and Send
	Code        Code   // of the errors, in the spelling of OCPP 2.0.1
	Description string // of the errors
	Details     []byte // of the errors
}

// FrameError says why a message is no frame, and what to answer, if anything: CALL-like messages and unreadable ones
// are answered with a CALLERROR under ReplyID, the rest is ignored.
type FrameError struct {
	Reply   bool
	ReplyID string
	Code    Code
	What    string
}

// Error describes the fault.
func (e *FrameError) Error() string { return "no OCPP-J frame: " + e.What }

func unreadable(what string) *FrameError {
	return &FrameError{Reply: true, ReplyID: UnreadableID, Code: RPCFrameworkError, What: what}
}

// Parse reads one message. The error, when there is one, is a *FrameError.
func Parse(raw []byte) (Frame, error) {
	var room [8][]byte
	el, ok := wire.Elements(raw, room[:0], len(room))
	if !ok {
		return Frame{}, unreadable("not a JSON array of a message's size")
	}
	if len(el) < 2 {
		return Frame{}, unreadable("fewer than two elements")
	}
	n, err := strconv.Atoi(string(el[0]))
	if err != nil {
		return Frame{}, unreadable("the message type is no integer")
	}
	f := Frame{Type: Type(n)}
	if f.Type < Call || f.Type > Send { // part 4, 4.1.3: ignored
		return f, &FrameError{What: "unknown message type " + strconv.Itoa(n)}
	}
	call := f.Type == Call
	f.ID, ok = wire.Unquote(el[1])
	if !ok || f.ID == "" {
		return f, &FrameError{Reply: call, ReplyID: UnreadableID, Code: RPCFrameworkError, What: "the message id is no string"}
	}
	if utf8.RuneCountInString(f.ID) > MaxID {
		return f, &FrameError{Reply: call, ReplyID: UnreadableID, Code: RPCFrameworkError, What: "the message id is longer than 36 characters"}
	}
	bad := func(what string) (Frame, error) {
		return f, &FrameError{Reply: call, ReplyID: f.ID, Code: RPCFrameworkError, What: what}
	}
	switch f.Type {
	case Call, Send:
		if len(el) != 4 {
			return bad("a CALL has four elements")
		}
		if f.Action, ok = wire.Unquote(el[2]); !ok {
			return bad("the action is no string")
		}
		f.Payload = el[3]
	case CallResult:
		if len(el) != 3 {
			return bad("a CALLRESULT has three elements")
		}
		f.Payload = el[2]
	default:
		if len(el) < 3 { // stations in the field leave description and details out
			return bad("a CALLERROR has five elements")
		}
		code, ok := wire.Unquote(el[2])
		if !ok {
			return bad("the error code is no string")
		}
		f.Code = Normal(Code(code))
		if len(el) > 3 {
			f.Description, _ = wire.Unquote(el[3])
		}
		if len(el) > 4 {
			f.Details = el[4]
		}
	}
	return f, nil
}

// AppendCall appends a CALL.
func AppendCall(b []byte, id, action string, payload []byte) []byte {
	return appendRequest(append(b, `[2,`...), id, action, payload)
}

// AppendSend appends a SEND (OCPP 2.1).
func AppendSend(b []byte, id, action string, payload []byte) []byte {
	return appendRequest(append(b, `[6,`...), id, action, payload)
}

func appendRequest(b []byte, id, action string, payload []byte) []byte {
	b = wire.Str(b, id)
	b = append(b, ',')
	b = wire.Str(b, action)
	b = append(b, ',')
	b = append(b, payload...)
	return append(b, ']')
}

// AppendResult appends a CALLRESULT.
func AppendResult(b []byte, id string, payload []byte) []byte {
	b = append(b, `[3,`...)
	b = wire.Str(b, id)
	b = append(b, ',')
	b = append(b, payload...)
	return append(b, ']')
}

// AppendError appends a CALLERROR in the spelling of version v; the description is cut at 255 characters.
func AppendError(b []byte, v Version, id string, code Code, description string) []byte {
	return appendError(append(b, `[4,`...), v, id, code, description)
}

// AppendResultError appends a CALLRESULTERROR (OCPP 2.1).
func AppendResultError(b []byte, id string, code Code, description string) []byte {
	return appendError(append(b, `[5,`...), V21, id, code, description)
}

func appendError(b []byte, v Version, id string, code Code, description string) []byte {
	if utf8.RuneCountInString(description) > 255 {
		description = string([]rune(description)[:255])
	}
	b = wire.Str(b, id)
	b = append(b, ',')
	b = wire.Str(b, string(spelt(code, v)))
	b = append(b, ',')
	b = wire.Str(b, description)
	return append(b, `,{}]`...)
}
