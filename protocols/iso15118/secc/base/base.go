// Package base is what the machines of all protocols of a vehicle session share: the effects that they ask for, and the
// order in which everything is switched off when a session ends. The packages secc/din and secc/v2 embed it; nothing else
// uses it.
package base

import (
	"encoding/hex"
	"strings"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
)

// Base is the part of a machine that does not depend on the wording of its protocol.
type Base struct {
	Cfg      secc.Config
	Timing   secc.Timing
	Protocol string // as in secc.Progress
	Present  secc.Present
	Stage    secc.Stage
	EVCCID   string // upper-case hexadecimal
	Needs    secc.Needs
	Closed   bool // the contactor was asked to close
	DC       secc.DC
	Ended    bool

	Now time.Time
	Out []secc.Effect

	deadline time.Time
	stopAt   time.Time // since when the vehicle is asked to stop
}

// New makes the base of a session. began is when the vehicle connected.
func New(cfg secc.Config, protocol string, present secc.Present, began time.Time) Base {
	b := Base{Cfg: cfg, Timing: cfg.Timing.Filled(), Protocol: protocol, Present: present, Stage: secc.StageSetup}
	b.Needs.SoC = -1
	b.deadline = began.Add(b.Timing.Setup)
	return b
}

// Begin appends the effects of the start: the first deadline.
func (b *Base) Begin(out []secc.Effect) []secc.Effect {
	return append(out, secc.SetDeadline{At: b.deadline})
}

// Measure takes what the EVSE measures now. An emergency opens everything at once, whatever the vehicle does.
func (b *Base) Measure(p secc.Present) {
	b.Present = p
	switch {
	case !p.Stop && !p.Emergency:
		b.stopAt = time.Time{}
	case b.stopAt.IsZero():
		b.stopAt = b.Now
	}
	if p.Emergency {
		b.Shut()
	}
}

// Overdue reports whether a vehicle that was asked to stop has had its time.
func (b *Base) Overdue() bool { return !b.stopAt.IsZero() && b.Now.Sub(b.stopAt) > b.Timing.Stop }

// End opens everything and closes the connection. class is secc.ClassNone for a session that ended in good order.
func (b *Base) End(class secc.Class, why string) {
	if b.Ended {
		return
	}
	b.Ended = true
	b.ModuleOff()
	if b.Closed {
		b.Contactor(false)
	}
	b.SetDeadline(time.Time{})
	b.Out = append(b.Out, secc.Progress{Protocol: b.Protocol, Stage: secc.StageStopped, EVCCID: b.EVCCID},
		secc.End{OK: class == secc.ClassNone, Class: class, Why: why})
}

// Shut opens everything at once, with the session still alive: the vehicle must hear of it.
func (b *Base) Shut() {
	b.ModuleOff()
	if b.Closed {
		b.Contactor(false)
	}
}

// SetDeadline asks for the next deadline; zero asks for none.
func (b *Base) SetDeadline(at time.Time) {
	b.deadline = at
	b.Out = append(b.Out, secc.SetDeadline{At: at})
}

// Contactor asks for the contactor.
func (b *Base) Contactor(closed bool) {
	b.Closed = closed
	b.Out = append(b.Out, secc.Contactor{Close: closed})
}

// Module asks the power module for something else than before.
func (b *Base) Module(mode secc.DCMode, v si.Volts, a si.Amps) {
	dc := secc.DC{Mode: mode, Volts: v, Amps: a}
	if dc != b.DC {
		b.DC = dc
		b.Out = append(b.Out, dc)
	}
}

// ModuleOff switches the power module off.
func (b *Base) ModuleOff() {
	if b.DC.Mode != secc.DCOff {
		b.Module(secc.DCOff, 0, 0)
	}
}

// Demand puts what a DC vehicle asks for to the power module, within what is granted.
func (b *Base) Demand(v si.Volts, a si.Amps) {
	b.Module(secc.DCCharge, max(0, min(v, b.Present.MaxVolts)), max(0, min(a, b.Present.MaxAmps)))
}

// Enter tells of the next stage.
func (b *Base) Enter(stage secc.Stage) {
	if b.Stage != stage {
		b.Stage = stage
		b.Out = append(b.Out, secc.Progress{Protocol: b.Protocol, Stage: stage, EVCCID: b.EVCCID})
	}
}

// SetVehicle takes the vehicle's identifier.
func (b *Base) SetVehicle(id []byte) {
	b.EVCCID = strings.ToUpper(hex.EncodeToString(id))
	b.Out = append(b.Out, secc.Progress{Protocol: b.Protocol, Stage: b.Stage, EVCCID: b.EVCCID})
}

// TellNeeds reports the vehicle's needs when they have changed.
func (b *Base) TellNeeds(n secc.Needs) {
	if n != b.Needs {
		b.Needs = n
		b.Out = append(b.Out, n)
	}
}

// CableVolts is the test voltage of the cable check (IEC 61851-23:2023): up to 500 V of the vehicle 50 V more, at most 500 V;
// above, a tenth more.
func (b *Base) CableVolts() si.Volts {
	ev := b.Needs.MaxVolts
	if ev <= 500 {
		return min(500, ev+50, b.Present.MaxVolts)
	}
	return min(b.Present.MaxVolts, si.Volts(1.1*float64(ev)))
}

// PreChargeAmps is the most that flows while the voltages are matched (IEC 61851-23).
const PreChargeAmps si.Amps = 2

// MayPreCharge reports whether vehicle and EVSE can have this voltage.
func (b *Base) MayPreCharge(v si.Volts) bool {
	return v >= 0 && v <= b.Present.MaxVolts && v <= b.Needs.MaxVolts*1.05
}
