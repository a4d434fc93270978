// Package sessiontrace is the record that every session with a vehicle leaves: who, when, how it ended, and its messages with
// their times. The session actor writes it, the API and the command line show it.
//
// A trace holds the first and the last messages of a session and leaves out the middle of long charging loops. Messages that
// carry contract keys are named, not kept.
package sessiontrace

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// Buckets of the database. Both are journals with the same keys.
const (
	Summaries = "sessions"
	Traces    = "session-traces"
)

// Sides of a message.
const (
	FromVehicle = "ev"
	FromEVSE    = "evse"
)

// Summary is a session without its messages.
type Summary struct {
	ID       string    `json:"id"`
	EVSE     string    `json:"evse"`
	Vehicle  string    `json:"vehicle,omitempty"` // EVCCID
	Protocol string    `json:"protocol,omitempty"`
	TLS      bool      `json:"tls"`
	Begin    time.Time `json:"begin"`
	End      time.Time `json:"end"`
	OK       bool      `json:"ok"`
	Class    string    `json:"class,omitempty"` // failure class; empty when it ended well
	Why      string    `json:"why,omitempty"`
	Messages int       `json:"messages"`
}

// Trace is a session with its messages.
type Trace struct {
	Summary
	LeftOut int       `json:"left_out"` // messages between the first and the last that are kept
	List    []Message `json:"list"`
}

// Message is one message of a trace.
type Message struct {
	After   time.Duration `json:"after"` // since Begin, ns
	From    string        `json:"from"`
	Payload uint16        `json:"payload"`
	EXI     Hex           `json:"exi,omitempty"`
	// Withheld says what the message was when it is not kept.
	Withheld string `json:"withheld,omitempty"`
}

// Hex is written as hexadecimal digits.
type Hex []byte

// MarshalText implements encoding.TextMarshaler.
func (h Hex) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hex) UnmarshalText(b []byte) error {
	out, err := hex.DecodeString(string(b))
	*h = out
	return err
}

// Kept is how many of the first and of the last messages a trace keeps.
const Kept = 150

// Recorder gathers the messages of one session. The zero value is ready.
type Recorder struct {
	first, last []Message
	next        int // in last, once it is full
	count       int
}

// Longest is the longest message that is kept, octets; a vehicle shall not fill the memory.
const Longest = 8 << 10

// Add takes one message; exi is kept, not copied.
func (r *Recorder) Add(m Message) {
	r.count++
	if n := len(m.EXI); n > Longest {
		m.EXI, m.Withheld = nil, fmt.Sprintf("%d octets", n)
	}
	switch {
	case len(r.first) < Kept:
		r.first = append(r.first, m)
	case len(r.last) < Kept:
		r.last = append(r.last, m)
	default:
		r.last[r.next] = m
		r.next = (r.next + 1) % Kept
	}
}

// Trace returns what was gathered.
func (r *Recorder) Trace(s Summary) *Trace {
	s.Messages = r.count
	t := &Trace{Summary: s, List: append([]Message(nil), r.first...)}
	t.List = append(append(t.List, r.last[r.next:]...), r.last[:r.next]...)
	t.LeftOut = r.count - len(t.List)
	return t
}

// Encode returns the stored forms: the summary, and the whole trace, compressed.
func (t *Trace) Encode() (summary, trace []byte, err error) {
	if summary, err = json.Marshal(t.Summary); err != nil {
		return nil, nil, err
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if err = json.NewEncoder(w).Encode(t); err == nil {
		err = w.Close()
	}
	return summary, b.Bytes(), err
}

// maxTrace bounds what a stored trace may grow to, octets.
const maxTrace = 16 << 20

// JSON returns a stored trace as JSON.
func JSON(stored []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(stored))
	if err != nil {
		return nil, fmt.Errorf("session trace: %w", err)
	}
	b, err := io.ReadAll(io.LimitReader(r, maxTrace))
	if err != nil {
		return nil, fmt.Errorf("session trace: %w", err)
	}
	return b, nil
}
