package frequency

import (
	"math"
	"testing"
	"time"

	"github.com/voltyard/voltyard/hal/si"
)

func TestCurve(t *testing.T) {
	c := Curve{Range: 10000}
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	for f, want := range map[si.Hertz]si.Watts{50: 0, 49.8: 0, 50.2: 0, 48.55: -5000, 51.45: 5000, 45: -10000, 55: 10000, 0: 0, 500: 0,
		si.Hertz(math.NaN()): 0, si.Hertz(math.Inf(-1)): 0} {
		if got := c.Response(f); math.Abs(float64(got-want)) > 1 {
			t.Errorf("%v Hz: %v, want %v", float64(f), got, want)
		}
	}
	for _, bad := range []Curve{{}, {Range: -1}, {Range: 1, Nominal: 400}, {Range: 1, Droop: 2}, {Range: si.Watts(math.NaN())}} {
		if bad.Check() == nil {
			t.Errorf("accepted %+v", bad)
		}
	}
}

func TestFollower(t *testing.T) {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	f := Follower{Ramp: 1000, DeadBand: 200}
	f.Begin(now, 8000)
	for i, s := range []struct{ wanted, want si.Watts }{{7900, 8000}, {4000, 7000}, {4000, 6000}, {-3000, 5000}, {9000, 6000}, {si.Watts(math.NaN()), 5000}} {
		now = now.Add(time.Second)
		if got := f.Step(now, s.wanted); got != s.want {
			t.Errorf("step %d: %v, want %v", i, got, s.want)
		}
	}
	if got := f.Step(now.Add(-time.Hour), 0); got != 5000 {
		t.Errorf("a clock that runs back moves it to %v", got)
	}
	at := Follower{}
	if got := at.Step(now, -4200); got != -4200 {
		t.Errorf("without a ramp: %v", got)
	}
}
