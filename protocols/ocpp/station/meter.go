package station

import (
	"math"
	"strings"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

func (s *Station) reading(e *evse, r Reading) {
	if t := e.tx; t != nil {
		if r.Energy+t.Offset < t.Last { // a new meter, or one that began anew
			t.Offset = t.Last - r.Energy
		}
		r.Energy += t.Offset
		if t.First == 0 && t.Last == 0 && !e.hasLast {
			t.First = r.Energy
		}
		t.Last = r.Energy
	}
	e.last, e.hasLast = r, true
	s.holdDue(e)
}

func (s *Station) nextSample() time.Time {
	if d := s.model.seconds("SampledDataCtrlr", "TxUpdatedInterval"); d > 0 {
		return s.now.Add(d)
	}
	return time.Time{}
}

// meterDue sends what is due of sampled and clock-aligned values (J02).
func (s *Station) meterDue() {
	for _, e := range s.evses {
		if e.tx == nil || e.tx.restored || e.tx.sampleAt.IsZero() || s.now.Before(e.tx.sampleAt) {
			continue
		}
		e.tx.sampleAt = s.nextSample()
		t := e.tx
		s.take(e, s.signs(e, "SampledDataCtrlr", "TxUpdatedMeasurands"), v201.ReadingContextSamplePeriodic, func(p sample) {
			if v := s.sampled(p, v201.ReadingContextSamplePeriodic, "TxUpdatedMeasurands"); v != nil && e.tx == t {
				s.update(e, v201.TriggerReasonMeterValuePeriodic, v)
			}
		})
	}
	for _, e := range s.evses {
		s.keptDue(e)
	}
	if s.aligned.IsZero() || s.now.Before(s.aligned) {
		return
	}
	s.armAligned()
	if s.model.flag("AlignedDataCtrlr", "SendDuringIdle") && s.busyAt(0) { // J01.FR.20: it is set for the whole station
		return
	}
	for _, e := range s.evses {
		if e.tx == nil && !s.Accepted() {
			continue
		}
		t := e.tx
		s.take(e, s.signs(e, "AlignedDataCtrlr", "Measurands"), v201.ReadingContextSampleClock, func(p sample) {
			v := p.values(v201.ReadingContextSampleClock, s.model.value("AlignedDataCtrlr", "Measurands"))
			switch {
			case v == nil || e.tx != t:
			case t != nil:
				s.update(e, v201.TriggerReasonMeterValueClock, v)
			default:
				s.call(&v201.MeterValuesRequest{EvseId: e.n, MeterValue: v}, nil)
			}
		})
	}
}

// armAligned sets the next clock-aligned instant: whole intervals since midnight (J01.FR.06).
func (s *Station) armAligned() {
	s.aligned = time.Time{}
	d := s.model.seconds("AlignedDataCtrlr", "Interval")
	if d <= 0 || !s.model.flag("AlignedDataCtrlr", "Enabled") {
		return
	}
	s.aligned = nextAligned(s.now, d)
}

func (s *Station) sampled(p sample, ctx v201.ReadingContextEnum, variable string) []v201.MeterValue {
	if !s.model.flag("SampledDataCtrlr", "Enabled") {
		return nil
	}
	return p.values(ctx, s.model.value("SampledDataCtrlr", variable))
}

func round(v float64, digits float64) float64 { return math.Round(v*digits) / digits }

// values are the measurands of a list.
func (p sample) values(ctx v201.ReadingContextEnum, list string) []v201.MeterValue {
	if !p.has || list == "" {
		return nil
	}
	e := p.e
	var out []v201.SampledValue
	add := func(m v201.MeasurandEnum, v float64, unit string, phase v201.PhaseEnum) {
		sv := v201.SampledValue{Value: v, Context: ctx, Measurand: m, Phase: phase}
		if unit != "" {
			sv.UnitOfMeasure = &v201.UnitOfMeasure{Unit: unit}
		}
		out = append(out, sv)
	}
	r := &p.r
	phases := [3]v201.PhaseEnum{v201.PhaseL1, v201.PhaseL2, v201.PhaseL3}
	volts := [3]v201.PhaseEnum{v201.PhaseL1N, v201.PhaseL2N, v201.PhaseL3N}
	for _, name := range strings.Split(list, ",") {
		switch m := v201.MeasurandEnum(strings.TrimSpace(name)); m {
		case v201.MeasurandEnergyActiveImportRegister:
			add(m, round(float64(r.Energy), 1000), "Wh", "")
			out[len(out)-1].SignedMeterValue = p.signed
		case v201.MeasurandEnergyActiveExportRegister:
			add(m, round(float64(r.Export), 1000), "Wh", "")
		case v201.MeasurandPowerActiveImport:
			add(m, round(max(float64(r.Power), 0), 10), "W", "")
		case v201.MeasurandPowerActiveExport:
			add(m, round(max(-float64(r.Power), 0), 10), "W", "")
		case v201.MeasurandCurrentImport:
			for i, a := range r.Amps {
				if i < max(e.cfg.Rating.Phases, 1) {
					add(m, round(max(float64(a), 0), 100), "A", phases[i])
				}
			}
		case v201.MeasurandCurrentExport:
			for i, a := range r.Amps {
				if i < max(e.cfg.Rating.Phases, 1) {
					add(m, round(max(-float64(a), 0), 100), "A", phases[i])
				}
			}
		case v201.MeasurandVoltage:
			for i, v := range r.Volts {
				if i < max(e.cfg.Rating.Phases, 1) {
					add(m, round(float64(v), 10), "V", volts[i])
				}
			}
		case v201.MeasurandCurrentOffered:
			add(m, round(float64(e.limit.Amps), 10), "A", "")
		case v201.MeasurandPowerOffered:
			add(m, round(float64(e.limit.Watts), 1), "W", "")
		case v201.MeasurandSoC:
			if r.SoC >= 0 {
				add(m, round(r.SoC, 10), "Percent", "")
			}
		}
	}
	if out == nil {
		return nil
	}
	return []v201.MeterValue{{Timestamp: p.at, SampledValue: out}}
}
