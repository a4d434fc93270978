package exi

import (
	"errors"
	"math/bits"
	"strconv"
)

// valueTable holds the string values of a stream that makes use of the string
// table. The first decoding pass does without it; only when a hit is met does
// the stream get a second pass that records every value.
type valueTable struct {
	global []string
	local  map[string][]string
}

func (t *valueTable) add(name, s string) {
	if s == "" {
		return
	}
	t.global = append(t.global, s)
	t.local[name] = append(t.local[name], s)
}

// hit reads a reference to a value that occurred before, anywhere or under
// the same name.
func (d *Decoder) hit(name string, local bool) string {
	if d.err != nil {
		return ""
	}
	if d.table == nil {
		d.fail(errNeedTable, "", "", "")
		return ""
	}
	values := d.table.global
	if local {
		values = d.table.local[name]
	}
	i := uint32(0)
	if len(values) > 0 {
		i = d.Bits(uint(bits.Len(uint(len(values) - 1))))
	}
	if d.err == nil && int(i) >= len(values) {
		d.fail(ErrValue, name, "string table index "+strconv.Itoa(int(i)), "")
	}
	if d.err != nil {
		return ""
	}
	d.info.Hits++
	return values[i]
}

// Retry prepares d for a second pass over the same stream when the first met a
// reference to an earlier string. It reports whether that is so.
func (d *Decoder) Retry() bool {
	if d.err == nil || !errors.Is(d.err, errNeedTable) {
		return false
	}
	d.Reset(d.buf, d.schema)
	d.table = &valueTable{local: map[string][]string{}}
	return true
}
