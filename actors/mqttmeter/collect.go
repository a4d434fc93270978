package mqttmeter

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/metering"
)

// Source says where a value comes from.
type Source struct {
	Topic string
	Field string // path in a JSON payload, with dots; empty when the payload is a number
	Scale float64
}

// collector keeps the last of each value.
type collector struct {
	sources map[metering.Value]Source
	fresh   time.Duration // what control needs must not be older
	have    map[metering.Value]float64
	at      map[metering.Value]time.Time
}

func newCollector(sources map[metering.Value]Source, fresh time.Duration) *collector {
	return &collector{sources, fresh, map[metering.Value]float64{}, map[metering.Value]time.Time{}}
}

func (c *collector) mapped(v metering.Value) bool {
	_, ok := c.sources[v]
	return ok
}

// topics lists what to subscribe to.
func (c *collector) topics() []string {
	seen := map[string]bool{}
	var out []string
	for _, s := range c.sources {
		if !seen[s.Topic] {
			seen[s.Topic] = true
			out = append(out, s.Topic)
		}
	}
	return out
}

// take keeps what a message holds. An error names the first value that was expected in it and is not there; that value is
// forgotten.
func (c *collector) take(now time.Time, topic string, payload []byte) (failed error) {
	var doc any
	parsed := false
	for _, v := range metering.Names() {
		s, ok := c.sources[v]
		if !ok || s.Topic != topic {
			continue
		}
		var x float64
		var err error
		if s.Field == "" {
			x, err = strconv.ParseFloat(strings.TrimSpace(string(payload)), 64)
		} else {
			if !parsed {
				if err = json.Unmarshal(payload, &doc); err != nil {
					doc = nil
				}
				parsed = true
			}
			x, err = field(doc, s.Field)
		}
		x *= s.Scale
		if err == nil && (math.IsNaN(x) || math.IsInf(x, 0)) {
			err = fmt.Errorf("%g is no quantity", x)
		}
		if err != nil {
			delete(c.at, v)
			delete(c.have, v)
			if failed == nil {
				failed = fmt.Errorf("topic %s, %s: %w", topic, v, err)
			}
			continue
		}
		c.have[v], c.at[v] = x, now
	}
	return failed
}

// field follows a path through objects and arrays to a number, or a text that is one.
func field(doc any, path string) (float64, error) {
	for key := range strings.SplitSeq(path, ".") {
		switch x := doc.(type) {
		case map[string]any:
			doc = x[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(x) {
				return 0, fmt.Errorf("no element %q on the way to %s", key, path)
			}
			doc = x[i]
		default:
			return 0, fmt.Errorf("no %q on the way to %s", key, path)
		}
	}
	switch x := doc.(type) {
	case float64:
		return x, nil
	case string:
		return strconv.ParseFloat(strings.TrimSpace(x), 64)
	}
	return 0, fmt.Errorf("%s is not a number", path)
}

// reading puts together what is there. Its age is that of the oldest value that control needs.
func (c *collector) reading(now time.Time) (hal.MeterReading, error) {
	oldest := now
	for _, v := range metering.Names() {
		if !c.mapped(v) || v.Slow() {
			continue
		}
		at, ok := c.at[v]
		switch {
		case !ok:
			return hal.MeterReading{}, fmt.Errorf("%s: nothing heard yet", v)
		case now.Sub(at) > c.fresh:
			return hal.MeterReading{}, fmt.Errorf("%s: silent for more than %v", v, c.fresh)
		case at.Before(oldest):
			oldest = at
		}
	}
	return metering.Reading(oldest, c.have, c.mapped)
}
