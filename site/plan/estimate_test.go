package plan_test

import (
	"math"
	"testing"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/plan"
)

func TestEstimatesForTheDriver(t *testing.T) {
	flat := func(time.Time) si.Watts { return 10000 }
	tariff := &plan.Tariff{Base: 0.30}
	got := plan.Expect(noon, 40, 50000, 0.9, flat, tariff)
	if len(got) != 3 {
		t.Fatalf("%+v", got)
	}
	// 10 % of 50 kWh are 5 kWh, 5.56 kWh from the grid, 33 minutes.
	if d := got[0].At.Sub(noon); got[0].SoC != 50 || d < 33*time.Minute || d > 34*time.Minute || math.Abs(*got[0].Cost-5.556*0.3) > 0.01 {
		t.Errorf("%v after %v for %v", got[0].SoC, d, *got[0].Cost)
	}
	if d := got[1].At.Sub(noon); d < 132*time.Minute || d > 135*time.Minute {
		t.Errorf("80 %% after %v", d)
	}
	if !got[2].At.After(got[1].At.Add(140 * time.Minute)) { // slower above 80 %
		t.Errorf("100 %% at %v", got[2].At)
	}
	if got := plan.Expect(noon, 85, 50000, 0.9, flat, nil); len(got) != 1 || got[0].Cost != nil {
		t.Errorf("%+v", got)
	}
	later := func(at time.Time) si.Watts {
		if at.Before(noon.Add(10 * time.Hour)) {
			return 0
		}
		return 10000
	}
	if got := plan.Expect(noon, 40, 50000, 0.9, later, night); len(got) == 0 || !got[0].At.After(noon.Add(10*time.Hour)) || math.Abs(*got[0].Cost-0.556) > 0.01 {
		t.Errorf("%+v", got)
	}
	for _, none := range [][]plan.Estimate{plan.Expect(noon, -1, 50000, 0.9, flat, nil), plan.Expect(noon, 40, 0, 0.9, flat, nil),
		plan.Expect(noon, si.Percent(math.NaN()), 1, 0.9, flat, nil), plan.Expect(noon, 40, 50000, 0.9, func(time.Time) si.Watts { return 0 }, nil)} {
		if len(none) != 0 {
			t.Errorf("%+v", none)
		}
	}
}
