package csms

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// Frame is one message as it crossed the wire.
type Frame struct {
	At      time.Time
	Station string
	In      bool // from the station
	Raw     []byte
}

// Record keeps the frames of a CSMS: the last ones in memory, all of them in a writer, one JSON object a line. Its methods
// may be called from any goroutine.
type Record struct {
	mu     sync.Mutex
	most   int
	frames []Frame
	faults []string
	out    io.Writer
	err    error
}

// NewRecord keeps most frames in memory and writes all to out, which may be nil.
func NewRecord(most int, out io.Writer) *Record { return &Record{most: most, out: out} }

func (r *Record) add(at time.Time, station string, in bool, raw []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.frames) >= r.most {
		r.frames = r.frames[len(r.frames)-r.most/2:]
	}
	r.frames = append(r.frames, Frame{at, station, in, raw})
	if r.out == nil || r.err != nil {
		return
	}
	line, err := json.Marshal(struct {
		T       time.Time `json:"t"`
		Station string    `json:"station"`
		In      bool      `json:"in"`
		Raw     string    `json:"raw"`
	}{at.UTC(), station, in, string(raw)})
	if err == nil {
		_, err = r.out.Write(append(line, '\n'))
	}
	r.err = err
}

func (r *Record) fault(station, action string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.faults) < 1000 {
		r.faults = append(r.faults, fmt.Sprintf("%s: %s: %v", station, action, err))
	}
}

// Faults lists requests that did not fit their schema.
func (r *Record) Faults() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.faults)
}

// Err is the first failure of the writer.
func (r *Record) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Frames returns the frames in memory, of one station or (with "") of all.
func (r *Record) Frames(station string) []Frame {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Frame
	for _, f := range r.frames {
		if station == "" || f.Station == station {
			out = append(out, f)
		}
	}
	return out
}

// Requests returns the payloads of an action that a station sent, in order, repeats included.
func (r *Record) Requests(station, action string) [][]byte {
	var out [][]byte
	for _, f := range r.Frames(station) {
		if m, err := rpc.Parse(f.Raw); err == nil && f.In && m.Type == rpc.Call && m.Action == action {
			out = append(out, m.Payload)
		}
	}
	return out
}

// CheckTransactions looks at the transaction events of a station as an operator would: after de-duplication by transaction
// id and seqNo none may be missing or out of order, repeats are identical, registers do not run backwards, and (with
// ended) each transaction has its end. It returns what is wrong.
func (r *Record) CheckTransactions(station string, ended bool) []string {
	type tx struct {
		next int
		seen map[int][]byte
		over bool
		wh   float64
	}
	var wrong []string
	all := map[string]*tx{}
	for _, p := range r.Requests(station, v201.ActionTransactionEvent) {
		var q v201.TransactionEventRequest
		if err := q.UnmarshalJSON(p); err != nil {
			wrong = append(wrong, err.Error())
			continue
		}
		id := q.TransactionInfo.TransactionId
		t := all[id]
		if t == nil {
			t = &tx{seen: map[int][]byte{}}
			all[id] = t
		}
		if old, again := t.seen[q.SeqNo]; again {
			if !bytes.Equal(old, p) {
				wrong = append(wrong, fmt.Sprintf("%s: the repeat of %s/%d differs: %s and %s", station, id, q.SeqNo, old, p))
			}
			continue
		}
		t.seen[q.SeqNo] = p
		if q.SeqNo != t.next {
			wrong = append(wrong, fmt.Sprintf("%s: %s has seqNo %d, want %d", station, id, q.SeqNo, t.next))
		}
		t.next = q.SeqNo + 1
		if (q.EventType == v201.TransactionEventStarted) != (q.SeqNo == 0) {
			wrong = append(wrong, fmt.Sprintf("%s: %s has %s at seqNo %d", station, id, q.EventType, q.SeqNo))
		}
		if t.over {
			wrong = append(wrong, fmt.Sprintf("%s: %s goes on after its end", station, id))
		}
		t.over = t.over || q.EventType == v201.TransactionEventEnded
		last := t.wh
		if t.over {
			t.wh = 0 // the end may tell of all the time from the begin (J02.FR.10)
		}
		for _, mv := range q.MeterValue {
			for _, v := range mv.SampledValue {
				if v.Measurand == v201.MeasurandEnergyActiveImportRegister {
					if v.Value < t.wh || v.Context == v201.ReadingContextTransactionEnd && v.Value < last {
						wrong = append(wrong, fmt.Sprintf("%s: register of %s runs back from %v to %v", station, id, t.wh, v.Value))
					}
					t.wh = v.Value
				}
			}
		}
	}
	for id, t := range all {
		if ended && !t.over {
			wrong = append(wrong, fmt.Sprintf("%s: %s has no end", station, id))
		}
	}
	return wrong
}
