package guard

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/limits"
	"github.com/voltyard/voltyard/site/limits/grid"
	"github.com/voltyard/voltyard/site/limits/lpc"
)

var t0 = time.Date(2026, 3, 2, 16, 59, 0, 0, time.UTC) // a Monday

func watts(w si.Watts) *si.Watts { return &w }

func guard(t *testing.T, c Config, random float64) *Guard {
	t.Helper()
	c.Source = "dso"
	g, err := New(t0, c, func() float64 { return random })
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func imports(g *Guard, at time.Time) string {
	v, why, _ := g.Values(at)
	if v.ImportW == nil {
		return "free: " + why
	}
	return fmt.Sprintf("%.0f: %s", *v.ImportW, why)
}

func TestAnEnergyGuardByMessages(t *testing.T) {
	g := guard(t, Config{LPC: &lpc.Config{Failsafe: 4200}}, 0)
	at := func(s int) time.Time { return t0.Add(time.Duration(s) * time.Second) }
	for _, step := range []struct {
		at   int
		do   func() error
		want string
	}{
		{0, nil, "4200: init"},
		{1, func() error { return g.Write(at(1), limits.Values{ImportW: watts(9000)}, 0, false) }, "refused"},
		{2, func() error { g.Heartbeat(at(2)); return nil }, "4200: init"},
		{3, func() error { return g.Write(at(3), limits.Values{ImportW: watts(9000)}, 0, false) }, "9000: limited"},
		{60, func() error { g.Heartbeat(at(60)); return nil }, "9000: limited"},
		{61, func() error { return g.Write(at(61), limits.Values{ImportW: watts(0)}, 0, false) }, "0: limited"},
		{62, func() error { return g.Write(at(62), limits.Values{}, 0, false) }, "refused"},
		{179, nil, "0: limited"},
		{180, nil, "4200: failsafe"},
		{7400, nil, "4200: unlimited/autonomous"},
		{7401, func() error { g.Heartbeat(at(7401)); return g.Write(at(7401), limits.Values{}, 0, true) }, "free: unlimited/controlled"},
	} {
		var err error
		if step.do != nil {
			err = step.do()
		}
		var refused *limits.Refusal
		if errors.As(err, &refused) != (step.want == "refused") {
			t.Fatalf("%d s: %v", step.at, err)
		}
		if step.want != "refused" {
			if got := imports(g, at(step.at)); got != step.want {
				t.Errorf("%d s: %s, want %s", step.at, got, step.want)
			}
		}
	}
}

func TestContactsOfAReceiver(t *testing.T) {
	g := guard(t, Config{Contacts: []Contact{
		{"di1", grid.Contact{Name: "60 %", Values: limits.Values{ImportW: watts(60000)}}},
		{"di2", grid.Contact{Name: "0 %", Values: limits.Values{ImportW: watts(0)}}}}}, 0)
	if got := imports(g, t0); got != "0: stale" {
		t.Errorf("before the first reading: %s", got)
	}
	now := t0
	read := func(a, b bool) {
		for range 5 {
			now = now.Add(100 * time.Millisecond)
			g.Read(now, "di1", a)
			g.Read(now, "di2", b)
		}
	}
	for _, c := range []struct {
		a, b bool
		want string
	}{{false, false, "free: no contact"}, {true, false, "60000: 60 %"}, {true, true, "0: 60 %, 0 %"}, {false, false, "free: no contact"}} {
		read(c.a, c.b)
		if got := imports(g, now); got != c.want {
			t.Errorf("%v: %s", c, got)
		}
	}
	for range 60 { // one of two inputs is dead: the pair is
		now = now.Add(100 * time.Millisecond)
		g.Read(now, "di1", false)
	}
	if got := imports(g, now); got != "0: stale" {
		t.Errorf("with one dead input: %s", got)
	}
}

// A contact in the role of an energy guard: while it can be read it is alive.
func TestAnEnergyGuardByContact(t *testing.T) {
	g := guard(t, Config{LPC: &lpc.Config{Failsafe: 4200}, Contacts: []Contact{{"di1", grid.Contact{Name: "dim", Values: limits.Values{ImportW: watts(8400)}}}}}, 0)
	now := t0
	read := func(closed bool, n int) {
		for range n {
			now = now.Add(time.Second)
			g.Read(now, "di1", closed)
			g.Values(now)
		}
	}
	read(false, 10)
	if got := imports(g, now); got != "free: unlimited/controlled" {
		t.Error(got)
	}
	read(true, 3)
	if got := imports(g, now); got != "8400: limited" {
		t.Error(got)
	}
	now = now.Add(121 * time.Second)
	if got := imports(g, now); got != "4200: failsafe" {
		t.Error(got)
	}
	read(true, 3)
	if got := imports(g, now); got != "8400: limited" {
		t.Error(got)
	}
}

func TestScheduleWithRandomDelay(t *testing.T) {
	c := Config{Delay: 10 * time.Minute, Periods: []Period{{From: 17 * time.Hour, To: 20 * time.Hour, Values: limits.Values{ImportW: watts(11000)}}}}
	g := guard(t, c, 0.5)
	for _, s := range []struct {
		after time.Duration
		want  string
	}{
		{0, "11000: schedule, changes at random"}, // just started
		{50 * time.Second, "11000: schedule, changes at random"},
		{70 * time.Second, "11000: schedule, changes at random"}, // 17:00:10
		{7 * time.Minute, "11000: schedule"},
		{181*time.Minute + 10*time.Second, "11000: schedule, changes at random"}, // 20:00:10
		{187 * time.Minute, "free: schedule"},
	} {
		if got := imports(g, t0.Add(s.after)); got != s.want {
			t.Errorf("%v: %s, want %s", s.after, got, s.want)
		}
	}
	c.Delay = 0
	g = guard(t, c, 0)
	if got := imports(g, t0); got != "free: schedule" {
		t.Error(got)
	}
	_, _, next := g.Values(t0)
	if got := imports(g, next); got != "11000: schedule" {
		t.Errorf("%v: %s", next, got)
	}
	night := Period{Days: [7]bool{time.Friday: true}, From: 22 * time.Hour, To: 6 * time.Hour}
	for _, x := range []struct {
		day  time.Weekday
		hour int
		want bool
	}{{time.Friday, 23, true}, {time.Saturday, 5, true}, {time.Saturday, 23, false}, {time.Friday, 5, false}} {
		if got := night.covers(x.day, time.Duration(x.hour)*time.Hour); got != x.want {
			t.Errorf("%v %d:00: %v", x.day, x.hour, got)
		}
	}
}

func TestBadGuards(t *testing.T) {
	for _, c := range []Config{{}, {LPC: &lpc.Config{Failsafe: -1}}, {Contacts: []Contact{{}}, Debounce: time.Hour}} {
		if _, err := New(t0, c, nil); err == nil {
			t.Errorf("accepted %+v", c)
		}
	}
}
