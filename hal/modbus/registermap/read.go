package registermap

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/modbus"
	"github.com/voltyard/voltyard/hal/si"
)

// ErrNotAvailable means that the meter answers, but not with a number.
var ErrNotAvailable = errors.New("the meter gives no number")

// slowEvery is how often voltages and energy registers are read.
const slowEvery = 5 * time.Second

// Reader reads one meter. It is not safe for concurrent use.
type Reader struct {
	m    *Map
	unit *modbus.Client
	have map[Value]float64
	next time.Time // when the slow values are due
}

// Reader returns a reader of a meter with this map.
func (m *Map) Reader(unit *modbus.Client) *Reader {
	return &Reader{m: m, unit: unit, have: map[Value]float64{}}
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
	return r.reading(at)
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

// reading puts the values together.
func (r *Reader) reading(at time.Time) (hal.MeterReading, error) {
	out := hal.MeterReading{At: at, Import: si.WattHours(r.have[Import]), Export: si.WattHours(r.have[Export])}
	total, sum := r.have[Power]
	for i, v := range currents {
		out.Voltage[i] = si.Volts(r.have[voltages[i]])
		if _, mapped := r.m.Values[v]; !mapped {
			continue
		}
		a, ok := r.have[v]
		if !ok {
			return out, fmt.Errorf("%s: %s: %w; check the register map against the meter's model", r.unit, v, ErrNotAvailable)
		}
		p, ok := r.have[powers[i]]
		switch _, mapped := r.m.Values[powers[i]]; {
		case ok && !sum:
			total += p
		case ok:
		case mapped:
			return out, fmt.Errorf("%s: %s: %w; check the register map against the meter's model", r.unit, powers[i], ErrNotAvailable)
		case !sum:
			return out, fmt.Errorf("%s: %s: %w; check the register map against the meter's model", r.unit, Power, ErrNotAvailable)
		default:
			p = total
		}
		out.Current[i] = si.Amps(math.Copysign(a, p))
	}
	out.Power = si.Watts(total)
	return out, nil
}
