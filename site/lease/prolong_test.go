package lease_test

import (
	"testing"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/lease"
	"github.com/voltyard/voltyard/site/topology"
)

// Two stations on 40 A: one goes away with a lease on 30 A, and its clock turns out to be slow.
func TestASlowClockProlongsAReservation(t *testing.T) {
	fuse := si.Same(40)
	site := topology.Site{Nodes: []topology.Node{{ID: "n", Fuse: &fuse}}}
	for _, id := range []string{"a", "b"} {
		site.EVSEs = append(site.EVSEs, topology.EVSE{ID: id, Node: "n", Phases: 3, Max: 32, Station: &topology.Station{Fallback: 6}})
	}
	tree, err := topology.New(site)
	if err != nil {
		t.Fatal(err)
	}
	bounds := boundsOf(tree)
	l := lease.New(tree, t0, lease.Options{})
	for _, id := range []string{"a", "b"} {
		l.Restore(id, lease.Hold{Import: si.Same(6)})
	}
	plan := func(now time.Time, a, b si.Amps) {
		for _, g := range l.Plan(now, []lease.Target{{EVSE: "a", Import: si.Same(a)}, {EVSE: "b", Import: si.Same(b)}}, bounds) {
			l.Ack(g.EVSE, g.Seq)
		}
	}
	has := func(id string, now time.Time) si.Amps {
		x, _ := l.Reserved(id, now)
		return x[0]
	}
	plan(t0, 30, 6)
	l.Lost("a")
	at := t0.Add(10 * time.Minute)
	l.Prolong("a", at, t0.Add(20*time.Minute))
	if got := has("a", t0.Add(20*time.Minute+30*time.Second)); got != 30 {
		t.Errorf("%v is reserved while the slow clock may not have passed", got)
	}
	if got := has("a", t0.Add(22*time.Minute)); got != 6 {
		t.Errorf("%v is reserved afterwards", got)
	}
	at = t0.Add(25 * time.Minute) // b takes the room, and a comes back with a clock that is slower still
	plan(at, 30, 30)
	if got := has("b", at); got != 30 {
		t.Fatalf("the other one has %v", got)
	}
	l.Prolong("a", at, at.Add(5*time.Minute))
	l.Found("a")
	if got := has("a", at); got != 30 {
		t.Errorf("%v is reserved for what it still holds", got)
	}
	plan(at.Add(time.Second), 30, 30)
	if got := has("a", at.Add(time.Second)); got > 10 {
		t.Errorf("it was granted %v, which others have", got)
	}
}

// What is taken up from the journal lasts as long as was left, from then on, whatever the wall clock says.
func TestAHoldIsResumed(t *testing.T) {
	until := t0.Add(10 * time.Minute)
	for _, now := range []time.Time{t0.Add(-time.Hour), t0.Add(time.Hour)} {
		if h := (lease.Hold{Until: until, Left: 9 * time.Minute}).Resumed(now); !h.Until.Equal(now.Add(9 * time.Minute)) {
			t.Errorf("until %v", h.Until)
		}
		if h := (lease.Hold{Until: until}).Resumed(now); !h.Until.IsZero() {
			t.Errorf("nothing is known of what was left: until %v", h.Until)
		}
	}
}
