package registermap

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/metering"
	"github.com/voltyard/voltyard/hal/modbus"
)

// slowEvery is how often voltages and energy registers are read.
const slowEvery = 5 * time.Second

// Reader reads one meter. It is not safe for concurrent use.
type Reader struct {
	m    *Map
	unit *modbus.Client
	have map[metering.Value]float64
	next time.Time // when the slow values are due
}

// Reader returns a reader of a meter with this map.
func (m *Map) Reader(unit *modbus.Client) *Reader {
	return &Reader{m: m, unit: unit, have: map[metering.Value]float64{}}
}

// Read takes a reading. Voltages and energies may be some seconds older than the rest.
func (r *Reader) Read(ctx context.Context) (hal.MeterReading, error) {
	if err := r.read(ctx, r.m.fast); err != nil {
		return hal.MeterReading{}, err
	}
	at := time.Now()
	if !at.Before(r.next) {
		if err := r.read(ctx, r.m.slow); err != nil {
			return hal.MeterReading{}, err
		}
		r.next = at.Add(slowEvery)
	}
	out, err := metering.Reading(at, r.have, r.m.has)
	if err != nil {
		return out, fmt.Errorf("%s: %w", r.unit, err)
	}
	return out, nil
}

func (r *Reader) read(ctx context.Context, blocks []block) error {
	get := r.unit.ReadHolding
	if r.m.Function == 4 {
		get = r.unit.ReadInput
	}
	for _, b := range blocks {
		regs, err := get(ctx, b.at, b.n)
		if err != nil {
			return err
		}
		for _, v := range b.values {
			s := r.m.Values[v]
			own := slices.Clone(regs[s.At-b.at:][:s.Type.words()])
			if r.m.WordOrder == "little" {
				slices.Reverse(own)
			}
			if x, ok := s.Type.number(own); ok {
				r.have[v] = x * s.Scale
			} else {
				delete(r.have, v)
			}
		}
	}
	return nil
}
