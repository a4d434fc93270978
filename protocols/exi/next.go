package exi

// The methods below read a required element in a state that allows nothing
// else: the start event, then what the method without Next reads. Where the
// whole has a fixed number of bits they take it in one go, and only step by
// step when it is not what the schema prescribes.

// nextSmall reads a start event and a simple element of n bits.
func (d *Decoder) nextSmall(name string, n uint, s Site) uint32 {
	v := d.Bits(n + 3)
	if v&(3<<(n+1)|1) == 0 {
		return v >> 1
	}
	return d.nextSmallDeviation(name, n, s)
}

func (d *Decoder) nextSmallDeviation(name string, n uint, s Site) uint32 {
	if d.err != nil {
		return 0
	}
	d.seek(d.offset() - int(n) - 3)
	if !d.Begin(name, s) {
		return 0
	}
	return d.small(name, n)
}

// NextBool is Bool with the start event.
func (d *Decoder) NextBool(name string, s Site) bool { return d.nextSmall(name, 1, s) == 1 }

// NextEnum is Enum with the start event.
func (d *Decoder) NextEnum(name string, count uint32, s Site) uint8 {
	v := d.nextSmall(name, width(count-1), s)
	if v >= count {
		v = d.index(name, v, count)
	}
	return uint8(v)
}

// NextRanged is Ranged with the start event.
func (d *Decoder) NextRanged(name string, lo, hi int, s Site) int {
	v := int(d.nextSmall(name, width(uint32(hi-lo)), s))
	if v > hi-lo {
		return d.offsetBy(name, uint32(v), lo, hi)
	}
	return lo + v
}

// NextUnsigned is Unsigned with the start event.
func (d *Decoder) NextUnsigned(name string, limit uint64, s Site) uint64 {
	if !d.Begin(name, s) {
		return 0
	}
	return d.Unsigned(name, limit)
}

// NextSigned is Signed with the start event.
func (d *Decoder) NextSigned(name string, lo, hi int64, s Site) int64 {
	if d.n < 28 {
		d.load()
	}
	if d.n >= 28 && d.err == nil {
		if v, ok := d.nextShort(lo, hi); ok {
			return v
		}
	}
	if !d.Begin(name, s) {
		return 0
	}
	return d.Signed(name, lo, hi)
}

// nextShort reads a start event and a signed element of at most three groups
// from the 28 bits that acc is known to hold, or nothing.
func (d *Decoder) nextShort(lo, hi int64) (int64, bool) {
	w := uint32(d.acc>>(d.n-28)) & (1<<28 - 1)
	if w>>26 != 0 {
		return 0, false
	}
	v, used := int64(w>>17&0x7f), uint(12)
	if w>>17&0x80 != 0 {
		v |= int64(w>>9&0x7f) << 7
		used = 20
		if w>>9&0x80 != 0 {
			v |= int64(w>>1&0x7f) << 14
			used = 28
			if w>>1&0x80 != 0 {
				return 0, false
			}
		}
	}
	if w>>25&1 != 0 {
		v = -v - 1
	}
	if w>>(28-used)&1 != 0 || v < lo || v > hi {
		return 0, false
	}
	d.n -= used
	return v, true
}

// NextInteger is Integer with the start event.
func (d *Decoder) NextInteger(name string, s Site) Integer {
	if !d.Begin(name, s) {
		return Integer{}
	}
	return d.Integer(name)
}

// NextBinary is Binary with the start event.
func (d *Decoder) NextBinary(name string, s Site) []byte {
	if !d.Begin(name, s) {
		return nil
	}
	return d.Binary(name)
}

// NextShort is Short with the start event.
func (d *Decoder) NextShort(name string, s Site) ShortBytes {
	if !d.Begin(name, s) {
		return ShortBytes{}
	}
	return d.Short(name)
}

// NextText is Text with the start event.
func (d *Decoder) NextText(name string, s Site) string {
	if !d.Begin(name, s) {
		return ""
	}
	return d.Text(name)
}

// NextBool writes the start event of a required boolean element and the rest.
func (e *Encoder) NextBool(_ string, v bool) {
	if v {
		e.Bits(2, 4)
	} else {
		e.Bits(0, 4)
	}
}

// NextEnum is Enum with the start event.
func (e *Encoder) NextEnum(name string, v uint8, count uint32) {
	if uint32(v) >= count {
		e.checkIndex(name, v, count)
		return
	}
	e.Bits(uint64(v)<<1, width(count-1)+3)
}

// NextRanged is Ranged with the start event.
func (e *Encoder) NextRanged(name string, v, lo, hi int) {
	if v < lo || v > hi {
		e.outOfRange(name, int64(v), int64(lo), int64(hi))
		return
	}
	e.Bits(uint64(v-lo)<<1, width(uint32(hi-lo))+3)
}

// NextUnsigned is Unsigned with the start event.
func (e *Encoder) NextUnsigned(_ string, v uint64) { e.packed(0, 2, v) }

// NextSigned is Signed with the start event.
func (e *Encoder) NextSigned(_ string, v int64) {
	if v < 0 {
		e.packed(1, 3, uint64(-(v + 1)))
	} else {
		e.packed(0, 3, uint64(v))
	}
}

// packed writes a prefix, an unsigned integer and the bit that ends an element.
func (e *Encoder) packed(prefix uint64, n uint, v uint64) {
	switch {
	case v < 1<<7:
		e.Bits((prefix<<8|v)<<1, n+9)
	case v < 1<<14:
		e.Bits((prefix<<16|(v&0x7f|0x80)<<8|v>>7)<<1, n+17)
	case v < 1<<21:
		e.Bits((prefix<<24|(v&0x7f|0x80)<<16|(v>>7&0x7f|0x80)<<8|v>>14)<<1, n+25)
	default:
		e.Bits(prefix, n)
		e.varint(v)
		e.Bits(0, 1)
	}
}
