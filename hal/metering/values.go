package metering

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/si"
)

// Value names what a meter measures.
type Value string

// Values. The unit is A, V, W or Wh; power is positive when it flows to the loads behind the meter.
const (
	CurrentL1 Value = "current_l1"
	CurrentL2 Value = "current_l2"
	CurrentL3 Value = "current_l3"
	VoltageL1 Value = "voltage_l1" // phase to neutral
	VoltageL2 Value = "voltage_l2"
	VoltageL3 Value = "voltage_l3"
	PowerL1   Value = "power_l1"
	PowerL2   Value = "power_l2"
	PowerL3   Value = "power_l3"
	Power     Value = "power"
	Import    Value = "import"
	Export    Value = "export"
)

var (
	currents = [3]Value{CurrentL1, CurrentL2, CurrentL3}
	voltages = [3]Value{VoltageL1, VoltageL2, VoltageL3}
	powers   = [3]Value{PowerL1, PowerL2, PowerL3}
)

// Names lists all values.
func Names() []Value {
	return slices.Concat(currents[:], voltages[:], powers[:], []Value{Power, Import, Export})
}

// Slow reports whether control can do with a value that is some seconds old.
func (v Value) Slow() bool { return v == Import || v == Export || slices.Contains(voltages[:], v) }

// Complete says what is missing in a list of values for keeping a fuse: a current, and a power to tell its direction.
func Complete(has func(Value) bool) error {
	if !has(CurrentL1) {
		return errors.New("no current_l1: without currents no fuse can be kept")
	}
	for i, c := range currents {
		if has(c) && !has(powers[i]) && !has(Power) {
			return fmt.Errorf("neither power nor %s: without it the direction is not known", powers[i])
		}
	}
	return nil
}

// ErrNotAvailable means that the meter answers, but not with a number.
var ErrNotAvailable = errors.New("the meter gives no number; check its values against its model")

// Reading puts values together. mapped says which values the meter is supposed to give: of these a current or a power that
// is not among have is an error. A current takes its sign from the power of its phase, else from the total, since most
// meters give currents without one.
func Reading(at time.Time, have map[Value]float64, mapped func(Value) bool) (hal.MeterReading, error) {
	out := hal.MeterReading{At: at, Import: si.WattHours(have[Import]), Export: si.WattHours(have[Export])}
	for _, v := range slices.Concat(currents[:], powers[:], []Value{Power}) {
		if _, ok := have[v]; mapped(v) && !ok {
			return out, fmt.Errorf("%s: %w", v, ErrNotAvailable)
		}
	}
	total, sum := have[Power]
	for i, v := range currents {
		out.Voltage[i] = si.Volts(have[voltages[i]])
		direction := total
		if p, ok := have[powers[i]]; ok {
			direction = p
			if !sum {
				total += p
			}
		}
		out.Current[i] = si.Amps(math.Copysign(have[v], direction))
		if have[v] == 0 {
			out.Current[i] = 0
		}
	}
	out.Power = si.Watts(total)
	return out, nil
}
