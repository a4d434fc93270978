package metering_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/metering"
	"github.com/voltyard/voltyard/hal/si"
)

type fixed hal.MeterReading

func (f fixed) Read(context.Context) (hal.MeterReading, error) { return hal.MeterReading(f), nil }

func TestRatioAndDirection(t *testing.T) {
	raw := fixed{Import: 10, Export: 20, Power: 300, Current: si.Phases{1, -2, 3}, Voltage: [3]si.Volts{230, 230, 230}}
	got, err := metering.New(raw, metering.Config{Ratio: 50, Invert: true}).Read(t.Context())
	want := hal.MeterReading{Import: 1000, Export: 500, Power: -15000, Current: si.Phases{-50, 100, -150}, Voltage: raw.Voltage}
	if err != nil || got != want {
		t.Fatalf("%+v %v, want %+v", got, err, want)
	}
	if got, err = metering.New(raw, metering.Config{}).Read(t.Context()); err != nil || got != hal.MeterReading(raw) {
		t.Fatalf("without ratio: %+v %v", got, err)
	}
}

func TestImplausible(t *testing.T) {
	for name, raw := range map[string]fixed{
		"current":       {Current: si.Phases{0, 70, 0}},
		"back":          {Current: si.Phases{0, 0, -70}},
		"voltage":       {Voltage: [3]si.Volts{0, 4000, 0}},
		"under zero":    {Voltage: [3]si.Volts{-230, 0, 0}},
		"no number":     {Power: si.Watts(math.NaN())},
		"current NaN":   {Current: si.Phases{si.Amps(math.NaN())}},
		"energy":        {Import: -5},
		"energy export": {Export: -5},
	} {
		if _, err := metering.New(raw, metering.Config{MaxA: 63}).Read(t.Context()); !errors.Is(err, metering.ErrImplausible) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
