package rpc

import "time"

// Event goes into an Endpoint.
type Event interface{ event() }

// Received is a text message from the peer. The endpoint keeps parts of Raw in effects, so Raw must not be reused.
type Received struct{ Raw []byte }

// Request asks for a CALL of our own. Key comes back with the outcome. First puts the call in front of those that wait;
// a Request with the Replaces key of one that still waits takes its place.
type Request struct {
	Key      uint64
	ID       string // at most 36 characters, never used before
	Action   string
	Payload  []byte
	Timeout  time.Duration // 0 for the endpoint's
	First    bool
	Replaces uint64
}

// Answer answers a CALL of the peer with a CALLRESULT.
type Answer struct {
	ID      string
	Payload []byte
}

// Reject answers a CALL of the peer with a CALLERROR.
type Reject struct {
	ID   string
	Code Code
	What string
}

// BadResult tells the peer that its CALLRESULT was invalid; OCPP 2.1 only, nothing is sent in older versions.
type BadResult struct {
	ID   string
	Code Code
	What string
}

// Notify asks for a SEND (OCPP 2.1), which does not wait for an outstanding CALL.
type Notify struct {
	ID      string
	Action  string
	Payload []byte
}

// Tick says that the time of the last Deadline may have come.
type Tick struct{}

// Closed says that the connection is gone: all calls end as Lost.
type Closed struct{}

func (Received) event()  {}
func (Request) event()   {}
func (Answer) event()    {}
func (Reject) event()    {}
func (BadResult) event() {}
func (Notify) event()    {}
func (Tick) event()      {}
func (Closed) event()    {}

// Effect comes out of an Endpoint.
type Effect interface{ effect() }

// Write sends a text message.
type Write struct{ Raw []byte }

// Incoming is a CALL of the peer; exactly one Answer or Reject with its ID must follow.
type Incoming struct {
	ID      string
	Action  string
	Payload []byte
}

// IncomingSend is a SEND of the peer; it is never answered.
type IncomingSend struct {
	ID      string
	Action  string
	Payload []byte
}

// Done is the CALLRESULT of one of our calls.
type Done struct {
	Key     uint64
	ID      string
	Action  string
	Payload []byte
}

// Refused is the CALLERROR of one of our calls.
type Refused struct {
	Key    uint64
	Action string
	Code   Code
	What   string
}

// Lost ends a call without an answer.
type Lost struct {
	Key    uint64
	Action string
	Why    LostReason
}

// ResultRefused says that the peer found our CALLRESULT invalid (CALLRESULTERROR, OCPP 2.1).
type ResultRefused struct {
	ID   string
	Code Code
	What string
}

// Fault reports a message that was no frame or came unasked, for a counter and a log line.
type Fault struct{ What string }

// Deadline asks for a Tick at the time At; the zero time cancels it.
type Deadline struct{ At time.Time }

func (Write) effect()         {}
func (Incoming) effect()      {}
func (IncomingSend) effect()  {}
func (Done) effect()          {}
func (Refused) effect()       {}
func (Lost) effect()          {}
func (ResultRefused) effect() {}
func (Fault) effect()         {}
func (Deadline) effect()      {}

// LostReason says why a call got no answer.
type LostReason uint8

// The reasons.
const (
	TimedOut   LostReason = iota + 1 // sent, no answer in time
	Cut                              // the connection closed after it was sent
	NotSent                          // the connection closed before it was sent
	QueueFull                        // too many calls wait
	Superseded                       // another Request replaced it
)

// String names the reason.
func (r LostReason) String() string {
	return [...]string{"", "timed out", "connection closed", "not sent", "queue full", "superseded"}[r]
}
