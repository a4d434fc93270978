package replay_test

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/voltyard/voltyard/site/replay"
)

func load(t testing.TB, network, events string) (*replay.Site, []replay.Session) {
	t.Helper()
	data, err := os.ReadFile(network)
	if err != nil {
		t.Fatal(err)
	}
	site, err := replay.ParseSite(data)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(events)
	if err != nil {
		t.Fatal(err)
	}
	sessions, err := replay.ReadSessions(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return site, sessions
}

func synthetic(t testing.TB) (*replay.Site, []replay.Session) {
	return load(t, "testdata/synthetic_network.json", "testdata/synthetic_events.csv")
}

// recorded returns real sessions from the shared folder, or skips.
func recorded(t testing.TB, events string) (*replay.Site, []replay.Session) {
	t.Helper()
	dir := os.Getenv("VOLTYARD_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared")
	}
	dir = filepath.Join(dir, "data", "ems")
	if _, err := os.Stat(filepath.Join(dir, events)); err != nil {
		t.Skipf("recorded sessions are not here (%v); set VOLTYARD_SHARED to the folder that has data/ems", err)
	}
	return load(t, filepath.Join(dir, "caltech_network.json"), filepath.Join(dir, events))
}

func run(t testing.TB, site *replay.Site, s []replay.Session, kw float64, policy, departure string) replay.Outcome {
	t.Helper()
	o, err := replay.Run(replay.Case{Site: site, Sessions: s, Capacity: kw, Policy: policy, Departure: departure})
	if err != nil {
		t.Fatal(err)
	}
	if o.Violations != 0 || math.IsNaN(o.DeliveredPercent) || o.DeliveredPercent > 100+1e-6 {
		t.Errorf("%s at %v kW: %d violations, %v %% delivered", policy, kw, o.Violations, o.DeliveredPercent)
	}
	return o
}

// On the committed synthetic set the plan delivers more than every simple policy, and with drivers' statements it delivers
// more than max-min and leaves nobody far behind what max-min would have given.
func TestSyntheticGarage(t *testing.T) {
	site, s := synthetic(t)
	for _, kw := range []float64{8, 12, 20} {
		if raceEnabled && kw != 12 {
			continue
		}
		plan := run(t, site, s, kw, "plan", replay.TrueDeparture)
		for _, simple := range []string{"fcfs", "edf", "llf", "maxmin"} {
			if o := run(t, site, s, kw, simple, replay.TrueDeparture); o.DeliveredPercent > plan.DeliveredPercent+0.02 {
				t.Errorf("%v kW: %s %.2f %%, plan %.2f %%", kw, simple, o.DeliveredPercent, plan.DeliveredPercent)
			}
		}
		fair := run(t, site, s, kw, "maxmin", replay.NoDeparture)
		for _, departure := range []string{replay.StatedDeparture, replay.NoDeparture} {
			learnt := run(t, site, s, kw, "plan", departure)
			t.Logf("%v kW: max-min %.2f %% (p5 %.3f), plan %.2f %%, with departures %s %.2f %% (p5 %.3f)", kw, fair.DeliveredPercent,
				fair.ShareP5, plan.DeliveredPercent, departure, learnt.DeliveredPercent, learnt.ShareP5)
			if learnt.DeliveredPercent < fair.DeliveredPercent-0.1 {
				t.Errorf("%v kW, departures %s: plan %.2f %%, max-min %.2f %%", kw, departure, learnt.DeliveredPercent, fair.DeliveredPercent)
			}
			for i := range s {
				if learnt.Delivered[i] < 0.75*fair.Delivered[i]-0.05 {
					t.Errorf("%v kW: session %s got %.2f kWh, max-min gives %.2f", kw, s[i].ID, learnt.Delivered[i], fair.Delivered[i])
				}
			}
		}
	}
}

func TestTheSameTwice(t *testing.T) {
	site, s := synthetic(t)
	for _, p := range replay.PolicyNames() {
		a, b := run(t, site, s, 12, p, replay.StatedDeparture), run(t, site, s, 12, p, replay.StatedDeparture)
		if fmt.Sprint(a) != fmt.Sprint(b) {
			t.Errorf("%s: two runs differ", p)
		}
	}
}

// Simple policies come within 0.3 points of independent implementations of the same rules.
func TestSimplePoliciesAgreeWithTheReference(t *testing.T) {
	site, s := recorded(t, "caltech_2019-03_events.csv")
	for policy, want := range map[string][4]float64{
		"fcfs": {67.69, 80.53, 90.87, 95.74}, "edf": {72.19, 86.33, 96.63, 99.11},
		"llf": {70.73, 86.53, 97.73, 99.70}, "maxmin": {68.82, 83.26, 91.61, 96.35},
	} {
		for i, kw := range []float64{20, 30, 40, 50} {
			if o := run(t, site, s, kw, policy, replay.TrueDeparture); math.Abs(o.DeliveredPercent-want[i]) > 0.3 {
				t.Errorf("%s at %v kW: %.2f %%, reference %.2f %%", policy, kw, o.DeliveredPercent, want[i])
			}
		}
	}
}

// Two real days, tight enough that it matters.
func TestTwoRealDays(t *testing.T) {
	site, all := recorded(t, "caltech_2019-03_events.csv")
	var s []replay.Session
	for _, x := range all {
		if d := x.Arrival / replay.PeriodsPerDay; d == 4 || d == 5 {
			s = append(s, x)
		}
	}
	for _, kw := range []float64{20, 30, 40} {
		if raceEnabled && kw != 40 {
			continue
		}
		plan, llf := run(t, site, s, kw, "plan", replay.TrueDeparture), run(t, site, s, kw, "llf", replay.TrueDeparture)
		t.Logf("%v kW, %d sessions: plan %.2f %%, llf %.2f %%", kw, len(s), plan.DeliveredPercent, llf.DeliveredPercent)
		if plan.DeliveredPercent < llf.DeliveredPercent-0.02 { // the plan stops at a small gap
			t.Errorf("%v kW: plan %.2f %%, llf %.2f %%", kw, plan.DeliveredPercent, llf.DeliveredPercent)
		}
	}
}

// long reports whether runs of many seconds are wanted.
func long() bool { return os.Getenv("VOLTYARD_LONG") != "" }

// The figures the plan is held to, on the whole month, when VOLTYARD_LONG is set.
func TestWholeMonth(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("some seconds of computing; run without -short and -race")
	}
	site, s := recorded(t, "caltech_2019-03_events.csv")
	for kw, want := range map[float64]float64{20: 77.7, 30: 92.2, 40: 98.4, 50: 99.7} {
		if !long() {
			continue
		}
		if o := run(t, site, s, kw, "plan", replay.TrueDeparture); o.DeliveredPercent < want {
			t.Errorf("%v kW: %.2f %%, want %.2f %%", kw, o.DeliveredPercent, want)
		}
	}
}

// With what drivers really said: more than max-min, and nobody starved.
func TestStatedDepartures(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("some seconds of computing; run without -short and -race")
	}
	site, s := recorded(t, "caltech_2020-12_2021-09_events_user.csv")
	for kw, more := range map[float64]float64{10: 0.8, 15: 0.8, 20: 0.4, 30: 0, 40: 0} {
		if kw != 15 && !long() {
			continue
		}
		fair, plan := run(t, site, s, kw, "maxmin", replay.StatedDeparture), run(t, site, s, kw, "plan", replay.StatedDeparture)
		if plan.DeliveredPercent < fair.DeliveredPercent+more {
			t.Errorf("%v kW: %.2f %%, max-min %.2f %%", kw, plan.DeliveredPercent, fair.DeliveredPercent)
		}
		if plan.ShareP5 < 0.9*fair.ShareP5 {
			t.Errorf("%v kW: 5th percentile %.3f, max-min %.3f", kw, plan.ShareP5, fair.ShareP5)
		}
	}
}

func TestBadFiles(t *testing.T) {
	for _, bad := range []string{"", "{}", `{"voltage_line_to_line_v":208,"evse_max_power_kw":6.6,"legs":{"A":{"evses":["x"]},"B":{"evses":["x"]}}}`,
		`{"voltage_line_to_line_v":208,"evse_max_power_kw":6.6,"legs":{"A":{"evses":["x"]}},"constraints":[{"name":"p","limit_a":"exp(1)","evses":["x"]}]}`,
		`{"voltage_line_to_line_v":208,"evse_max_power_kw":6.6,"legs":{"A":{"evses":["x"]}},"constraints":[{"name":"p","limit_a":1,"lines":{"A":"A-Z"}}]}`} {
		if _, err := replay.ParseSite([]byte(bad)); err == nil {
			t.Errorf("accepted %q", bad)
		}
	}
	head := "session_id,station,arrival_period,departure_period,requested_kwh,max_power_kw\n"
	for _, bad := range []string{"", "a,b\n", head + "1,x,5,3,1,1\n", head + "1,x,1,3,NaN,1\n", head + "1,x,1,3,-1,1\n", head + "1,x,1\n"} {
		if _, err := replay.ReadSessions(strings.NewReader(bad)); err == nil {
			t.Errorf("accepted %q", bad)
		}
	}
	site, s := synthetic(t)
	for _, c := range []replay.Case{{Policy: "best", Departure: "true"}, {Policy: "edf", Departure: "maybe"}} {
		c.Site, c.Sessions, c.Capacity = site, s, 20
		if _, err := replay.Run(c); err == nil {
			t.Errorf("%+v ran", c)
		}
	}
}

func TestPlotIsDrawn(t *testing.T) {
	site, s := synthetic(t)
	var trace replay.Trace
	o, err := replay.Run(replay.Case{Site: site, Sessions: s, Capacity: 12, Policy: "maxmin", Departure: "true", Watch: trace.Watch})
	if err != nil {
		t.Fatal(err)
	}
	if svg := string(trace.SVG(o, s)); !strings.HasPrefix(svg, "<svg") || strings.Contains(svg, "NaN") || strings.Count(svg, "<rect") != 2*len(s)+1 {
		t.Error("the plot lacks something")
	}
}

// What the replay command does.
func ExampleRun() {
	network, _ := os.ReadFile("testdata/synthetic_network.json")
	events, _ := os.Open("testdata/synthetic_events.csv")
	site, _ := replay.ParseSite(network)
	sessions, _ := replay.ReadSessions(events)
	o, err := replay.Run(replay.Case{Site: site, Sessions: sessions, Capacity: 12, Policy: "maxmin", Departure: replay.NoDeparture})
	fmt.Printf("%.1f %% delivered, %d violations, %v\n", o.DeliveredPercent, o.Violations, err)
	// Output: 63.8 % delivered, 0 violations, <nil>
}
