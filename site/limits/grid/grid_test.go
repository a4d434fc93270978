package grid

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/limits"
)

var t0 = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

func watts(w si.Watts) *si.Watts { return &w }

func TestGuaranteedPower(t *testing.T) {
	for n, want := range map[int]si.Watts{0: 0, 1: 4200, 2: 7560, 3: 10500, 5: 15120, 8: 18900, 9: 19320, 10: 21210, 100: 191310} {
		if got := Guaranteed(n, 0); math.Abs(float64(got-want)) > 1e-6 {
			t.Errorf("%d devices: %v, want %v", n, got, want)
		}
	}
	if got := Guaranteed(2, 8000); math.Abs(float64(got-11360)) > 1e-6 {
		t.Errorf("with a large heat pump: %v", got)
	}
	for n := 1; n < 60; n++ {
		if Guaranteed(n+1, 0) < Guaranteed(n, 0) {
			t.Errorf("%d devices have less than %d", n+1, n)
		}
	}
}

func ripple(t *testing.T) *Relays {
	t.Helper()
	r, err := NewRelays(Inputs{Contacts: []Contact{
		{Name: "60 %", Values: limits.Values{ExportW: watts(6000)}}, {Name: "0 %", Values: limits.Values{ExportW: watts(0)}},
		{Name: "dim", Opens: true, Values: limits.Values{ImportW: watts(4200)}}}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func show(v limits.Values, why string) string {
	s := why + ":"
	if v.ImportW != nil {
		s += fmt.Sprintf(" import %.0f", float64(*v.ImportW))
	}
	if v.ExportW != nil {
		s += fmt.Sprintf(" export %.0f", float64(*v.ExportW))
	}
	return s
}

func TestContacts(t *testing.T) {
	r := ripple(t)
	ms := func(n int) time.Time { return t0.Add(time.Duration(n) * time.Millisecond) }
	for i, c := range []struct {
		at     int
		closed []bool
		want   string
	}{
		{0, nil, "stale: import 4200 export 0"},
		{10, []bool{false, false, true}, "no contact:"},
		{20, []bool{true, false, true}, "no contact:"}, // not steady yet
		{60, []bool{false, false, true}, "no contact:"},
		{100, []bool{true, false, true}, "no contact:"},
		{200, []bool{true, false, true}, "60 %: export 6000"},
		{300, []bool{true, true, false}, "60 %: export 6000"},
		{400, []bool{true, true, false}, "60 %, 0 %, dim: import 4200 export 0"},
		{5500, nil, "stale: import 4200 export 0"},
		{5600, []bool{false, false, false}, "60 %, 0 %, dim: import 4200 export 0"}, // what was active stays until steady
		{5700, []bool{false, false, false}, "dim: import 4200"},
		{5800, []bool{false, true}, "dim: import 4200"},
	} {
		if c.closed != nil {
			r.Read(ms(c.at), c.closed)
		}
		if got := show(r.Values(ms(c.at))); got != c.want {
			t.Errorf("step %d at %d ms: %q, want %q", i, c.at, got, c.want)
		}
	}
	if !r.Next().Equal(ms(10700)) {
		t.Error(r.Next())
	}
}

func TestBadInputs(t *testing.T) {
	for _, in := range []Inputs{{}, {Contacts: make([]Contact, 1), Stale: time.Millisecond}, {Contacts: make([]Contact, 1), Debounce: -1}} {
		if _, err := NewRelays(in); err == nil {
			t.Errorf("accepted %+v", in)
		}
	}
}

// A relay dims ten wall boxes: their common limit goes into the book as a limit of the source "relay".
func ExampleRelays() {
	now := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	dim := Guaranteed(10, 0)
	r, _ := NewRelays(Inputs{Contacts: []Contact{{Name: "dim", Values: limits.Values{ImportW: &dim}}}})
	r.Read(now, []bool{true})
	v, why := r.Values(now)

	book, _ := limits.NewBook(now, "grid", func(n string) bool { return n == "grid" }, limits.Source{Name: "relay"})
	err := book.Apply(now, limits.Limit{Source: "relay", ID: "contacts", Values: v})
	fmt.Println(why, book.Effective()[0].ImportW.Value, err)
	// Output: dim 21210 <nil>
}

func TestDelayIsBounded(t *testing.T) {
	var d Delay
	if _, waiting := d.Waiting(t0); waiting {
		t.Error("waits before anything happened")
	}
	for random, want := range map[float64]time.Duration{0: 0, 0.5: 5 * time.Minute, 0.999: 599 * time.Second, 7: 10 * time.Minute, -1: 0} {
		d.Start(t0, random)
		until, waiting := d.Waiting(t0)
		if waiting != (want > 0) || (waiting && until.Sub(t0) != want) {
			t.Errorf("%v: until %v", random, until)
		}
		if _, waiting := d.Waiting(t0.Add(want)); waiting {
			t.Errorf("%v: still waiting at its end", random)
		}
	}
	d.Longest = 5 * time.Hour
	d.Start(t0, 1)
	if until, _ := d.Waiting(t0); until.Sub(t0) != LongestDelay {
		t.Error(until)
	}
	if d.Skip(); !d.until.IsZero() {
		t.Error("not skipped")
	}
}
