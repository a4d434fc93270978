package sessiontrace

import (
	"encoding/json"
	"testing"
	"time"
)

func TestLongSessionsKeepTheirEnds(t *testing.T) {
	var r Recorder
	const n = 2*Kept + 77
	for i := range n {
		r.Add(Message{After: time.Duration(i), From: FromVehicle, EXI: []byte{byte(i), byte(i >> 8)}})
	}
	_, stored, err := r.Trace(Summary{ID: "1", EVSE: "a"}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	text, err := JSON(stored)
	if err != nil {
		t.Fatal(err)
	}
	var got Trace
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if got.Messages != n || got.LeftOut != 77 || len(got.List) != 2*Kept {
		t.Fatalf("%d messages, %d left out, %d kept", got.Messages, got.LeftOut, len(got.List))
	}
	for i, m := range got.List {
		want := i
		if i >= Kept {
			want += 77
		}
		if m.After != time.Duration(want) || m.EXI[0] != byte(want) {
			t.Fatalf("message %d is %+v, want number %d", i, m, want)
		}
	}
}

func TestStoredNonsense(t *testing.T) {
	for _, b := range [][]byte{nil, {1, 2, 3}, []byte("{}")} {
		if _, err := JSON(b); err == nil {
			t.Errorf("%x was read", b)
		}
	}
}

func TestLongMessagesAreNamedNotKept(t *testing.T) {
	var r Recorder
	r.Add(Message{EXI: make([]byte, Longest+1)})
	if m := r.Trace(Summary{}).List[0]; m.EXI != nil || m.Withheld != "8193 octets" {
		t.Errorf("%+v", m)
	}
}
