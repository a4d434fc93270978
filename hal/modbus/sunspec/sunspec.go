// Package sunspec reads meters that describe themselves by the SunSpec information model: the models 201 to 204 (whole
// numbers with scale factors: single phase, split phase, wye, delta) and 211 to 214 (the same as floating point).
//
// Source: SunSpec Device Information Model Specification; the models' published definitions.
package sunspec

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

// ErrNoMeter means that the unit speaks SunSpec and has no meter model.
var ErrNoMeter = errors.New("the unit has no SunSpec meter model (201 to 204, 211 to 214)")

// ErrNotSunSpec means that the mark "SunS" was found at none of the places where it may stand.
var ErrNotSunSpec = errors.New("no SunSpec device; check the unit's address, or use a register map")

// bases are where a device may begin its map.
var bases = []uint16{40000, 50000, 0}

const (
	markHigh, markLow = 0x5375, 0x6E53 // "SunS"
	endModel          = 0xFFFF
	maxModels         = 64 // in a chain, so that a faulty device cannot keep us busy
)

// Reader reads one SunSpec meter. It is not safe for concurrent use.
type Reader struct {
	unit  *modbus.Client
	model *model
	at    uint16 // of the model's first data register
}

// NewReader returns a reader; it looks for the meter model with its first reading.
func NewReader(unit *modbus.Client) *Reader { return &Reader{unit: unit} }

// Read takes a reading.
func (r *Reader) Read(ctx context.Context) (hal.MeterReading, error) {
	if r.model == nil {
		if err := r.find(ctx); err != nil {
			return hal.MeterReading{}, err
		}
	}
	regs, err := r.unit.ReadHolding(ctx, r.at, r.model.words)
	if err != nil {
		return hal.MeterReading{}, err
	}
	out, err := r.model.reading(regs)
	if err != nil {
		return out, fmt.Errorf("%s: %w", r.unit, err)
	}
	out.At = time.Now()
	return out, nil
}

// find walks the chain of models.
func (r *Reader) find(ctx context.Context) error {
	for _, base := range bases {
		regs, err := r.unit.ReadHolding(ctx, base, 2)
		var refused modbus.Exception
		if errors.As(err, &refused) {
			continue
		}
		if err != nil {
			return err
		}
		if regs[0] == markHigh && regs[1] == markLow {
			return r.walk(ctx, int(base)+2)
		}
	}
	return fmt.Errorf("%s: %w", r.unit, ErrNotSunSpec)
}

func (r *Reader) walk(ctx context.Context, at int) error {
	for range maxModels {
		if at > math.MaxUint16-1 {
			break
		}
		head, err := r.unit.ReadHolding(ctx, uint16(at), 2)
		if err != nil {
			return err
		}
		id, length := head[0], int(head[1])
		if id == endModel {
			break
		}
		if m := find(id); m != nil && length >= m.words {
			r.model, r.at = m, uint16(at+2)
			return nil
		}
		at += 2 + length
	}
	return fmt.Errorf("%s: %w", r.unit, ErrNoMeter)
}

func find(id uint16) *model {
	i := slices.IndexFunc(models, func(m model) bool { return slices.Contains(m.ids, id) })
	if i < 0 {
		return nil
	}
	return &models[i]
}

// model says where the points of a family of models stand, counted from the register after the length.
type model struct {
	ids                []uint16
	words              int
	float              bool
	amps, volts        [3]int // of the phases
	watts              [3]int
	total              int
	exported, imported int
	ampsSF, voltsSF    int
	wattsSF, whSF      int
}

var models = []model{
	{ids: []uint16{201, 202, 203, 204}, words: 53, amps: [3]int{1, 2, 3}, ampsSF: 4, volts: [3]int{6, 7, 8}, voltsSF: 13, total: 16,
		watts: [3]int{17, 18, 19}, wattsSF: 20, exported: 36, imported: 44, whSF: 52},
	{ids: []uint16{211, 212, 213, 214}, words: 68, float: true, amps: [3]int{2, 4, 6}, volts: [3]int{10, 12, 14}, total: 26,
		watts: [3]int{28, 30, 32}, exported: 58, imported: 66},
}

// errAbsent means that a point that control needs is marked as not implemented.
var errAbsent = errors.New("the SunSpec meter does not implement its currents or its power")

func (m *model) reading(regs []uint16) (hal.MeterReading, error) {
	var out hal.MeterReading
	total, ok := m.value(regs, m.total, m.wattsSF)
	if !ok {
		return out, errAbsent
	}
	out.Power = si.Watts(total)
	seen := false
	for i := range 3 {
		if v, ok := m.value(regs, m.volts[i], m.voltsSF); ok {
			out.Voltage[i] = si.Volts(v)
		}
		a, ok := m.value(regs, m.amps[i], m.ampsSF)
		if !ok {
			continue // a meter of fewer phases
		}
		seen = true
		direction := total
		if p, ok := m.value(regs, m.watts[i], m.wattsSF); ok {
			direction = p
		}
		out.Current[i] = si.Amps(math.Copysign(a, direction))
	}
	if !seen {
		return out, errAbsent
	}
	out.Import, out.Export = si.WattHours(m.energy(regs, m.imported)), si.WattHours(m.energy(regs, m.exported))
	return out, nil
}

// value returns a point and whether it is implemented.
func (m *model) value(regs []uint16, at, sf int) (float64, bool) {
	if m.float {
		f := float64(math.Float32frombits(uint32(regs[at])<<16 | uint32(regs[at+1])))
		return f, !math.IsNaN(f) && !math.IsInf(f, 0)
	}
	v, scale := int16(regs[at]), int16(regs[sf])
	if v == math.MinInt16 || scale < -10 || scale > 10 {
		return 0, false
	}
	return float64(v) * math.Pow10(int(scale)), true
}

// energy returns an accumulator in Wh, 0 when it is not implemented.
func (m *model) energy(regs []uint16, at int) float64 {
	if m.float {
		f, ok := m.value(regs, at, 0)
		if !ok {
			return 0
		}
		return f
	}
	scale := int16(regs[m.whSF])
	if scale < -10 || scale > 10 {
		return 0
	}
	return float64(uint32(regs[at])<<16|uint32(regs[at+1])) * math.Pow10(int(scale))
}
