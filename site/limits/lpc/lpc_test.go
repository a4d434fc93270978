package lpc

import (
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/voltyard/voltyard/hal/si"
)

var t0 = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// step is one event of a scenario: at a time after the start, something happens; then state and limit are compared.
type step struct {
	at    time.Duration
	do    string // beat, free, write, forever, zero, tick, bad
	state State
	limit float64 // -1: none
}

const s = time.Second

// beats returns heartbeats every minute in (from, to], in which nothing may change.
func beats(from, to time.Duration, state State, limit float64) []step {
	var out []step
	for at := from + 60*s; at <= to; at += 60 * s {
		out = append(out, step{at, "beat", state, limit})
	}
	return out
}

func join(parts ...[]step) (all []step) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func TestEveryTransition(t *testing.T) {
	controlled := []step{{0, "beat", Init, 4000}, {1 * s, "free", UnlimitedControlled, -1}}
	limited := []step{{0, "beat", Init, 4000}, {1 * s, "forever", Limited, 7000}}
	failsafe := []step{{0, "beat", Init, 4000}, {1 * s, "forever", Limited, 7000}, {120 * s, "tick", Failsafe, 4000}}
	autonomous := []step{{120 * s, "tick", UnlimitedAutonomous, 4000}}
	for name, steps := range map[string][]step{
		"init stays without anything":                           {{119 * s, "tick", Init, 4000}},
		"init to autonomous after 120 s":                        {{119 * s, "tick", Init, 4000}, {120 * s, "tick", UnlimitedAutonomous, 4000}},
		"init to autonomous although heartbeats come":           {{0, "beat", Init, 4000}, {60 * s, "beat", Init, 4000}, {120 * s, "tick", UnlimitedAutonomous, 4000}},
		"init to limited":                                       {{0, "beat", Init, 4000}, {1 * s, "write", Limited, 5000}},
		"init to controlled":                                    {{0, "beat", Init, 4000}, {1 * s, "free", UnlimitedControlled, -1}},
		"init ignores a write without heartbeat":                {{1 * s, "write!", Init, 4000}},
		"controlled to limited":                                 join(controlled, []step{{2 * s, "write", Limited, 5000}}),
		"controlled to limited by 0 W":                          join(controlled, []step{{2 * s, "zero", Limited, 0}}),
		"controlled to failsafe":                                join(controlled, []step{{119 * s, "tick", UnlimitedControlled, -1}, {120 * s, "tick", Failsafe, 4000}}),
		"controlled stays with heartbeats":                      join(controlled, beats(0, 3600*s, UnlimitedControlled, -1)),
		"limited to controlled when released":                   join(limited, []step{{2 * s, "free", UnlimitedControlled, -1}}),
		"limited to controlled at the end of its duration":      {{0, "beat", Init, 4000}, {1 * s, "write", Limited, 5000}, {30 * s, "tick", Limited, 5000}, {31 * s, "tick", UnlimitedControlled, -1}},
		"limited without duration stays":                        join(limited, beats(0, 24*3600*s, Limited, 7000)),
		"limited to another limit":                              join(limited, []step{{2 * s, "zero", Limited, 0}}),
		"limited keeps its limit when a bad one comes":          join(limited, []step{{2 * s, "bad!", Limited, 7000}}),
		"limited to failsafe":                                   join(limited, []step{{119 * s, "tick", Limited, 7000}, {120 * s, "tick", Failsafe, 4000}}),
		"failsafe stays for its duration":                       join(failsafe, []step{{7319 * s, "tick", Failsafe, 4000}}),
		"failsafe to autonomous after its duration":             join(failsafe, []step{{7320 * s, "tick", UnlimitedAutonomous, 4000}}),
		"failsafe is not left on a heartbeat alone":             join(failsafe, []step{{200 * s, "beat", Failsafe, 4000}, {300 * s, "beat", Failsafe, 4000}}),
		"failsafe to limited on heartbeat and limit":            join(failsafe, []step{{200 * s, "beat", Failsafe, 4000}, {201 * s, "write", Limited, 5000}}),
		"failsafe to controlled on heartbeat and release":       join(failsafe, []step{{200 * s, "beat", Failsafe, 4000}, {201 * s, "free", UnlimitedControlled, -1}}),
		"failsafe ignores a write without heartbeat":            join(failsafe, []step{{201 * s, "write!", Failsafe, 4000}}),
		"failsafe to autonomous 120 s after return":             join(failsafe, []step{{200 * s, "beat", Failsafe, 4000}, {260 * s, "beat", Failsafe, 4000}, {319 * s, "tick", Failsafe, 4000}, {320 * s, "tick", UnlimitedAutonomous, 4000}}),
		"failsafe counts the return anew after another loss":    join(failsafe, []step{{200 * s, "beat", Failsafe, 4000}, {200*s + 120*s - 1, "tick", Failsafe, 4000}}),
		"autonomous stays":                                      join(autonomous, []step{{9999 * s, "tick", UnlimitedAutonomous, 4000}}),
		"autonomous stays on heartbeats":                        join(autonomous, beats(120*s, 900*s, UnlimitedAutonomous, 4000)),
		"autonomous to limited":                                 join(autonomous, []step{{200 * s, "beat", UnlimitedAutonomous, 4000}, {201 * s, "write", Limited, 5000}}),
		"autonomous to controlled":                              join(autonomous, []step{{200 * s, "beat", UnlimitedAutonomous, 4000}, {201 * s, "free", UnlimitedControlled, -1}}),
		"autonomous ignores a write without heartbeat":          join(autonomous, []step{{201 * s, "write!", UnlimitedAutonomous, 4000}}),
		"a long pause in one call goes through failsafe":        join(limited, []step{{100000 * s, "tick", UnlimitedAutonomous, 4000}}),
		"the end of a duration and the loss, in their order":    {{0, "beat", Init, 4000}, {1 * s, "write", Limited, 5000}, {500 * s, "tick", Failsafe, 4000}},
		"a lost guard's limit does not come back by heartbeats": join(limited, []step{{120 * s, "tick", Failsafe, 4000}, {130 * s, "beat", Failsafe, 4000}}),
	} {
		t.Run(name, func(t *testing.T) {
			m, err := New(t0, Config{Failsafe: 4000})
			if err != nil {
				t.Fatal(err)
			}
			for i, st := range steps {
				now := t0.Add(st.at)
				var err error
				switch st.do {
				case "beat":
					m.Heartbeat(now)
				case "free":
					err = m.Write(now, Write{})
				case "write", "write!":
					err = m.Write(now, Write{Active: true, Value: 5000, Duration: 30 * s})
				case "forever":
					err = m.Write(now, Write{Active: true, Value: 7000})
				case "zero":
					err = m.Write(now, Write{Active: true})
				case "bad!":
					err = m.Write(now, Write{Active: true, Value: -1})
				case "tick":
					m.Tick(now)
				}
				if wrong := st.do[len(st.do)-1] == '!'; (err != nil) != wrong {
					t.Fatalf("step %d: error %v", i, err)
				}
				limit := -1.0
				if w, ok := m.Limit(); ok {
					limit = float64(w)
				}
				if got, _ := m.State(); got != st.state || limit != st.limit {
					t.Fatalf("step %d at %v: %v with %v W, want %v with %v W", i, st.at, got, limit, st.state, st.limit)
				}
			}
		})
	}
}

func TestProductionIsNegativeOnTheWire(t *testing.T) {
	m, _ := New(t0, Config{Direction: Production})
	m.Heartbeat(t0)
	if err := m.Write(t0, Write{Active: true, Value: 3000}); err == nil {
		t.Error("a positive production limit was taken")
	}
	if err := m.Write(t0, Write{Active: true, Value: -3000}); err != nil {
		t.Error(err)
	}
	if w, ok := m.Limit(); !ok || w != 3000 {
		t.Error(w, ok)
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	nan := si.Watts(math.NaN())
	for _, c := range []Config{{Failsafe: -1}, {Failsafe: nan}, {Duration: time.Hour}, {Duration: 25 * time.Hour}, {Autonomous: &nan}} {
		if _, err := New(t0, c); err == nil {
			t.Errorf("accepted %+v", c)
		}
	}
	m, _ := New(t0, Config{Failsafe: 4000})
	if m.SetFailsafe(t0, nan, 0) == nil || m.SetFailsafe(t0, 1, time.Minute) == nil {
		t.Error("bad failsafe values were taken")
	}
	if err := m.SetFailsafe(t0, 6000, 3*time.Hour); err != nil {
		t.Error(err)
	}
	if w, _ := m.Limit(); w != 6000 {
		t.Error(w)
	}
}

// Whatever happens, time alone never raises the limit, except at the end of a duration that the guard itself has given; and
// asking often or seldom gives the same result.
func TestSilenceNeverRaisesPower(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		often, _ := New(t0, Config{Failsafe: 4000})
		seldom, _ := New(t0, Config{Failsafe: 4000})
		now := t0
		for range rapid.IntRange(1, 30).Draw(t, "events") {
			wait := time.Duration(rapid.IntRange(0, 300).Draw(t, "wait")) * s
			for range 10 {
				now = now.Add(wait / 10)
				state, _ := often.State()
				before, was := often.Limit()
				given := state == Limited && !often.expires.IsZero()
				often.Tick(now)
				after, is := often.Limit()
				if was && !given && state != Limited && (!is || after > before) {
					t.Fatalf("%v: %v W became %v W (%v) by waiting", state, before, after, is)
				}
			}
			seldom.Tick(now)
			w := Write{Active: rapid.Bool().Draw(t, "active"), Value: si.Watts(rapid.IntRange(0, 3).Draw(t, "kW") * 1000),
				Duration: time.Duration(rapid.IntRange(0, 200).Draw(t, "duration")) * s}
			if rapid.Bool().Draw(t, "beat") {
				often.Heartbeat(now)
				seldom.Heartbeat(now)
			} else {
				_, _ = often.Write(now, w), seldom.Write(now, w)
			}
			a, b := fmt.Sprintf("%+v", *often), fmt.Sprintf("%+v", *seldom)
			if a != b {
				t.Fatalf("asked often: %s\nasked seldom: %s", a, b)
			}
		}
	})
}

// A guard limits to 4.2 kW and falls silent.
func ExampleMachine() {
	now := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	m, _ := New(now, Config{Failsafe: 6000})
	show := func() {
		state, _ := m.State()
		w, ok := m.Limit()
		fmt.Println(state, w, ok)
	}
	m.Heartbeat(now)
	_ = m.Write(now, Write{Active: true, Value: 4200})
	show()
	m.Tick(m.Next())
	show()
	// Output:
	// limited 4200 W true
	// failsafe 6000 W true
}
