// Package metering is what the drivers of meters share: the names of what meters measure, how a reading is put together from
// them, and how a meter is wired: transformer ratio, direction, and what is not believed.
package metering

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/si"
)

// Reader reads the values as the device gives them.
type Reader interface {
	Read(ctx context.Context) (hal.MeterReading, error)
}

// Config is how a meter is wired.
type Config struct {
	Ratio  float64 // of the current transformers, where the meter does not know it; 0 is 1
	Invert bool    // the meter counts import negative
	MaxA   si.Amps // a larger current is not believed; 0 is 10,000 A
}

// ErrImplausible means that the meter answers with what cannot be true.
var ErrImplausible = errors.New("implausible reading; check the register map and the transformer ratio")

// Bounds of what is believed.
const (
	maxCurrent = si.Amps(10_000)
	maxVoltage = si.Volts(1000)
)

// New returns the meter. It is safe for concurrent use.
func New(r Reader, cfg Config) hal.Meter {
	return &wired{r: r, cfg: cfg}
}

type wired struct {
	mu  sync.Mutex
	r   Reader
	cfg Config
}

// Read takes a reading. It returns within ctx, since a bus does.
func (w *wired) Read(ctx context.Context) (hal.MeterReading, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m, err := w.r.Read(ctx)
	if err != nil {
		return m, err
	}
	return w.cfg.Apply(m)
}

// Apply turns what the device says into what flows at the node, or says why it is not believed.
func (c Config) Apply(m hal.MeterReading) (hal.MeterReading, error) {
	k, most := c.Ratio, c.MaxA
	if k == 0 {
		k = 1
	}
	if most == 0 {
		most = maxCurrent
	}
	m.Import *= si.WattHours(k)
	m.Export *= si.WattHours(k)
	if c.Invert {
		k = -k
		m.Import, m.Export = m.Export, m.Import
	}
	m.Power *= si.Watts(k)
	if !si.Finite(m.Power) || !si.Finite(m.Import, m.Export) {
		return m, fmt.Errorf("%w: no number", ErrImplausible)
	}
	for i := range m.Current {
		m.Current[i] *= si.Amps(k)
		if !(math.Abs(float64(m.Current[i])) <= float64(most)) {
			return m, fmt.Errorf("%w: %.0f A on L%d, more than %.0f A", ErrImplausible, float64(m.Current[i]), i+1, float64(most))
		}
		if !(m.Voltage[i] >= 0 && m.Voltage[i] <= maxVoltage) {
			return m, fmt.Errorf("%w: %.0f V on L%d", ErrImplausible, float64(m.Voltage[i]), i+1)
		}
	}
	if m.Import < 0 || m.Export < 0 {
		return m, fmt.Errorf("%w: an energy register of %.0f Wh", ErrImplausible, float64(min(m.Import, m.Export)))
	}
	return m, nil
}

// Close does nothing: the bus belongs to the site.
func (w *wired) Close() error { return nil }
