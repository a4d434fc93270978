package localctl

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// A station that answers nothing of ours stays in reach of the CSMS: after each time-out of a call of ours, one that waited
// goes first, however urgent our next is.
func TestMuteStationStaysInReachOfTheCSMS(t *testing.T) {
	var sent []string
	l := lane{up: true, timeout: 5 * time.Second, write: func(raw []byte) { sent = append(sent, string(raw)) }}
	now := t0
	own := func(id string) {
		l.submit(now, &call{id: id, action: "SetChargingProfile", payload: []byte("{}"), own: true}, true)
	}
	own("a")
	own("b")
	own("c")
	l.submit(now, &call{id: "theirs", raw: []byte("theirs")}, false)
	if len(sent) != 1 || !strings.Contains(sent[0], `"a"`) {
		t.Fatalf("sent %v", sent)
	}
	now = now.Add(5 * time.Second)
	if c := l.expire(now); c == nil || c.id != "a" {
		t.Fatalf("expired %+v", c)
	}
	l.pump(now)
	if !slices.Contains(sent, "theirs") {
		t.Fatalf("the CSMS's call still waits: %v", sent)
	}
	l.answered(now, "theirs")
	l.pump(now)
	if !strings.Contains(sent[len(sent)-1], `"b"`) {
		t.Fatalf("our next call does not follow: %v", sent)
	}
}
