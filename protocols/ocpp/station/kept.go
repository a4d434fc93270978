package station

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// Values that are kept for the end of a transaction (SampledDataCtrlr and AlignedDataCtrlr, TxEndedInterval). Each is a record
// of its own, so that another one costs one small write.
const (
	keyKept   = "kept/"
	keptMost  = 256
	keptBytes = 128 << 10
)

// kept is a value for the Ended event.
type kept struct {
	seq   int
	value v201.MeterValue
	size  int
}

type savedKept struct {
	Tx    string
	Value v201.MeterValue
}

func keptKey(n, seq int) string { return fmt.Sprintf("%s%d/%08x", keyKept, n, seq) }

func (k *kept) context() v201.ReadingContextEnum { return k.value.SampledValue[0].Context }

// keepValues adds values to those for the end.
func (s *Station) keepValues(e *evse, t *transaction, values []v201.MeterValue) {
	for _, v := range values {
		k := kept{value: v, size: len(v.AppendJSON(nil))}
		if n := len(t.kept); n > 0 {
			k.seq = t.kept[n-1].seq + 1
		}
		t.kept = append(t.kept, k)
		t.keptBytes += k.size
		if e.tx == t {
			s.save(keptKey(e.n, k.seq), savedKept{t.ID, v})
		}
	}
	for t.keptBytes > keptBytes || len(t.kept) > keptMost {
		if !s.thin(e, t) {
			return
		}
	}
}

// thin drops the 1st, 3rd, 5th... of the intermediate values (E06.FR.13), of each context by itself. The newest stay.
func (s *Station) thin(e *evse, t *transaction) bool {
	left := map[v201.ReadingContextEnum]int{}
	for i := range t.kept {
		left[t.kept[i].context()]++
	}
	seen := map[v201.ReadingContextEnum]int{}
	before := len(t.kept)
	t.kept = slices.DeleteFunc(t.kept, func(k kept) bool {
		c := k.context()
		seen[c]++
		if c == v201.ReadingContextTransactionBegin || seen[c]%2 == 0 || seen[c] == left[c] {
			return false
		}
		t.keptBytes -= k.size
		if e.tx == t {
			s.saves.put(keptKey(e.n, k.seq), nil)
		}
		return true
	})
	return len(t.kept) < before
}

// forgetKept removes the records of a transaction that is over.
func (s *Station) forgetKept(e *evse) {
	for _, k := range e.tx.kept {
		s.saves.put(keptKey(e.n, k.seq), nil)
	}
}

// ended are all values for the Ended event, in the order in which they were taken.
func (t *transaction) ended(last []v201.MeterValue) []v201.MeterValue {
	out := make([]v201.MeterValue, 0, len(t.kept)+len(last))
	for _, k := range t.kept {
		out = append(out, k.value)
	}
	if out = append(out, last...); len(out) == 0 {
		return nil
	}
	return out
}

// armKept sets when values for the end are taken next: sampled ones counted from the begin of the transaction, clock-aligned
// ones from midnight.
func (s *Station) armKept(t *transaction) {
	t.keepAt, t.clockAt = time.Time{}, time.Time{}
	if d := s.model.seconds("SampledDataCtrlr", "TxEndedInterval"); d > 0 && s.model.flag("SampledDataCtrlr", "Enabled") {
		t.keepAt = t.Began.Add(s.now.Sub(t.Began).Truncate(d) + d)
	}
	if d := s.model.seconds("AlignedDataCtrlr", "TxEndedInterval"); d > 0 && s.model.flag("AlignedDataCtrlr", "Enabled") {
		t.clockAt = nextAligned(s.now, d)
	}
}

func nextAligned(now time.Time, d time.Duration) time.Time {
	midnight := now.UTC().Truncate(24 * time.Hour)
	return midnight.Add(now.Sub(midnight).Truncate(d) + d)
}

// keptDue takes the values for the end that are due.
func (s *Station) keptDue(e *evse) {
	t := e.tx
	if t == nil {
		return
	}
	due := func(at time.Time) bool { return !at.IsZero() && !s.now.Before(at) }
	sampled, clock := due(t.keepAt), due(t.clockAt)
	if !sampled && !clock {
		return
	}
	s.armKept(t)
	if t.restored { // the EVSE has not said yet whether the vehicle is still there
		return
	}
	if sampled {
		s.take(e, s.signs(e, "SampledDataCtrlr", "TxEndedMeasurands"), v201.ReadingContextSamplePeriodic, func(p sample) {
			if e.tx == t {
				s.keepValues(e, t, p.values(v201.ReadingContextSamplePeriodic, s.model.value("SampledDataCtrlr", "TxEndedMeasurands")))
			}
		})
	}
	if clock {
		s.take(e, s.signs(e, "AlignedDataCtrlr", "TxEndedMeasurands"), v201.ReadingContextSampleClock, func(p sample) {
			if e.tx == t {
				s.keepValues(e, t, p.values(v201.ReadingContextSampleClock, s.model.value("AlignedDataCtrlr", "TxEndedMeasurands")))
			}
		})
	}
}

// restoreKept puts back what was kept for transactions that still run; what belongs to none is removed.
func (s *Station) restoreKept(saved map[string][]byte) error {
	for key, value := range saved {
		rest, ok := strings.CutPrefix(key, keyKept)
		if !ok {
			continue
		}
		var n, seq int
		var v savedKept
		if _, err := fmt.Sscanf(rest, "%d/%x", &n, &seq); err != nil {
			return fmt.Errorf("stored record %q: %w", key, err)
		}
		if err := json.Unmarshal(value, &v); err != nil {
			return fmt.Errorf("stored record %q: %w", key, err)
		}
		e := s.evse(n)
		if e == nil || e.tx == nil || e.tx.ID != v.Tx || len(v.Value.SampledValue) == 0 {
			s.saves.put(key, nil)
			continue
		}
		size := len(v.Value.AppendJSON(nil))
		e.tx.kept = append(e.tx.kept, kept{seq: seq, value: v.Value, size: size})
		e.tx.keptBytes += size
		for _, sv := range v.Value.SampledValue { // newer than what the last event has told
			if sv.Measurand == v201.MeasurandEnergyActiveImportRegister {
				e.tx.Last = max(e.tx.Last, si.WattHours(sv.Value))
			}
		}
	}
	for _, e := range s.evses {
		if t := e.tx; t != nil {
			slices.SortFunc(t.kept, func(a, b kept) int { return a.seq - b.seq })
			t.sampleAt = s.nextSample()
			s.armKept(t)
		}
	}
	return nil
}

func (s *Station) rearmKept() {
	for _, e := range s.evses {
		if e.tx != nil {
			s.armKept(e.tx)
		}
	}
}

// withoutKey takes the public key out of values that are told a second time, unless every value is to have it.
func (s *Station) withoutKey(values []v201.MeterValue) []v201.MeterValue {
	if s.model.value("OCPPCommCtrlr", "PublicKeyWithSignedMeterValue") == "EveryMeterValue" {
		return values
	}
	for i := range values {
		for j := range values[i].SampledValue {
			if p := &values[i].SampledValue[j]; p.SignedMeterValue != nil {
				bare := *p.SignedMeterValue
				bare.PublicKey = ""
				p.SignedMeterValue = &bare
			}
		}
	}
	return values
}
