package registermap

import "math"

// Type is how registers hold a number.
type Type string

// words is how many registers a type takes, 0 for one that is not known.
func (t Type) words() int {
	switch t {
	case "u16", "s16":
		return 1
	case "u32", "s32", "float32":
		return 2
	case "u64", "s64", "float64":
		return 4
	}
	return 0
}

// number decodes registers, the high word first. It reports false for what means "not available": no number, or the value
// that is reserved for it (all ones unsigned, the lowest or the highest value signed).
func (t Type) number(regs []uint16) (float64, bool) {
	var raw uint64
	for _, r := range regs {
		raw = raw<<16 | uint64(r)
	}
	var f float64
	switch t {
	case "float32":
		f = float64(math.Float32frombits(uint32(raw)))
	case "float64":
		f = math.Float64frombits(raw)
	case "u16", "u32", "u64":
		if raw == math.MaxUint64>>(64-16*len(regs)) {
			return 0, false
		}
		f = float64(raw)
	default:
		shift := 64 - 16*len(regs)
		i := int64(raw<<shift) >> shift
		if i == math.MinInt64>>shift || i == math.MaxInt64>>shift {
			return 0, false
		}
		f = float64(i)
	}
	return f, !math.IsNaN(f) && !math.IsInf(f, 0)
}
