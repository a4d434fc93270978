package mqttmeter

import (
	"strings"
	"testing"
	"time"

	"github.com/voltyard/voltyard/hal/metering"
	"github.com/voltyard/voltyard/hal/si"
)

// house is a meter with a JSON document and a topic of plain numbers.
func house() *collector {
	return newCollector(map[metering.Value]Source{
		metering.CurrentL1: {"em/status", "em.0.current", 1},
		metering.CurrentL2: {"em/status", "em.1.current", 1},
		metering.CurrentL3: {"em/status", "em.2.current", 1},
		metering.Power:     {"grid/kw", "", 1000},
		metering.Import:    {"em/status", "total.import", 1000},
	}, 5*time.Second)
}

const status = `{"em":[{"current":16},{"current":"8.5"},{"current":0}],"total":{"import":12.5}}`

func TestReadingOfTwoTopics(t *testing.T) {
	now := time.Date(2026, 3, 1, 6, 0, 0, 0, time.UTC)
	c := house()
	if err := c.take(now, "em/status", []byte(status)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.reading(now); err == nil {
		t.Fatal("a reading without power")
	}
	later := now.Add(2 * time.Second)
	if err := c.take(later, "grid/kw", []byte(" -3.2\n")); err != nil {
		t.Fatal(err)
	}
	r, err := c.reading(later)
	if err != nil || r.Power != -3200 || r.Current != (si.Phases{-16, -8.5, 0}) || r.Import != 12500 || !r.At.Equal(now) {
		t.Fatalf("%+v %v", r, err)
	}
	if c.take(later, "else/where", []byte("x")) != nil {
		t.Error("a topic of somebody else matters")
	}
}

func TestSilenceOfOneValueIsSilence(t *testing.T) {
	now := time.Date(2026, 3, 1, 6, 0, 0, 0, time.UTC)
	c := house()
	_ = c.take(now, "em/status", []byte(status))
	for i := range 10 {
		at := now.Add(time.Duration(i) * time.Second)
		_ = c.take(at, "grid/kw", []byte("1"))
		if _, err := c.reading(at); (err != nil) != (i > 5) {
			t.Errorf("after %d s: %v", i, err)
		}
	}
}

func TestWhatCannotBeReadIsForgotten(t *testing.T) {
	now := time.Date(2026, 3, 1, 6, 0, 0, 0, time.UTC)
	for payload, why := range map[string]string{
		`{`: "no \"em\"",
		`{"em":[{"current":1},{"current":2}],"total":{"import":1}}`:                               "no element \"2\"",
		`{"em":[{"current":1},{"current":"much"},{"current":2}],"total":{"import":1}}`:            "much",
		`{"em":[{"current":1},{"current":2},{"current":null}],"total":{"import":1}}`:              "not a number",
		`{"em":[{"current":1},{"current":2},{"current":"NaN"}],"total":{"import":1}}`:             "no quantity",
		`{"em":{"0":{"current":1},"1":{"current":2},"x":{"current":"NaN"}},"total":{"import":1}}`: "em.2.current",
	} {
		c := house()
		_ = c.take(now, "em/status", []byte(status))
		_ = c.take(now, "grid/kw", []byte("1"))
		if err := c.take(now, "em/status", []byte(payload)); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v, want %s", payload, err, why)
		}
		if _, err := c.reading(now); err == nil {
			t.Errorf("%s: the old value still counts", payload)
		}
	}
}

func FuzzTake(f *testing.F) {
	f.Add([]byte(status))
	f.Fuzz(func(t *testing.T, payload []byte) {
		c := house()
		_ = c.take(time.Unix(0, 0), "em/status", payload)
		_ = c.take(time.Unix(0, 0), "grid/kw", payload)
		if r, err := c.reading(time.Unix(0, 0)); err == nil && !si.Finite(r.Power) {
			t.Fatalf("%+v", r)
		}
	})
}
