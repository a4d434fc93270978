package exi

import (
	"encoding/binary"
	"math/big"
	"strconv"
	"unicode/utf8"
)

// Elements with a simple value are wrapped in a characters event before the
// value and an end-element event after it, one bit each, both zero. The
// methods below read all three; attributes have the bare value.

// open consumes the characters event of a simple element. It reports false
// when the element turns out to have no value.
func (d *Decoder) open() bool { return d.Bits(1) == 0 || d.openDeviation() }

// close consumes the end-element event of a simple element.
func (d *Decoder) close() {
	if d.Bits(1) != 0 {
		d.closeDeviation()
	}
}

// small reads a simple element whose value has n bits, n at most 16.
func (d *Decoder) small(name string, n uint) uint32 {
	v := d.Bits(n + 2)
	if v&(1<<(n+1)|1) == 0 {
		return v >> 1
	}
	return d.smallDeviation(name, n)
}

// smallDeviation reads the element again, step by step.
func (d *Decoder) smallDeviation(name string, n uint) uint32 {
	if d.err != nil {
		return 0
	}
	d.seek(d.offset() - int(n) - 2)
	if !d.open() {
		d.noValue(name)
		return 0
	}
	v := d.Bits(n)
	d.close()
	if d.err != nil {
		return 0
	}
	return v
}

// noValue records that a simple element ended before its value.
func (d *Decoder) noValue(name string) { d.fail(ErrUnexpected, name, "end of element", "a value") }

// Bool reads a boolean element.
func (d *Decoder) Bool(name string) bool { return d.small(name, 1) == 1 }

// BoolAttr is Bool for an attribute.
func (d *Decoder) BoolAttr(string) bool { return d.Bits(1) == 1 }

// Enum reads an enumerated element of count values and returns the index.
func (d *Decoder) Enum(name string, count uint32) uint8 {
	return uint8(d.index(name, d.small(name, width(count-1)), count))
}

// EnumAttr is Enum for an attribute.
func (d *Decoder) EnumAttr(name string, count uint32) uint8 {
	return uint8(d.index(name, d.Bits(width(count-1)), count))
}

func (d *Decoder) index(name string, v, count uint32) uint32 {
	if v >= count {
		d.fail(ErrValue, name, "enumeration index "+strconv.Itoa(int(v)), "at most "+strconv.Itoa(int(count-1)))
		return 0
	}
	return v
}

// Ranged reads an integer element restricted to lo..hi, hi-lo below 4096.
func (d *Decoder) Ranged(name string, lo, hi int) int {
	return d.offsetBy(name, d.small(name, width(uint32(hi-lo))), lo, hi)
}

// RangedAttr is Ranged for an attribute.
func (d *Decoder) RangedAttr(name string, lo, hi int) int {
	return d.offsetBy(name, d.Bits(width(uint32(hi-lo))), lo, hi)
}

func (d *Decoder) offsetBy(name string, v uint32, lo, hi int) int {
	if int(v) > hi-lo {
		d.fail(ErrValue, name, strconv.Itoa(lo+int(v)), strconv.Itoa(lo)+" to "+strconv.Itoa(hi))
		return lo
	}
	return lo + int(v)
}

// Unsigned reads an element holding an unsigned integer up to limit.
func (d *Decoder) Unsigned(name string, limit uint64) uint64 {
	if !d.open() {
		d.noValue(name)
		return 0
	}
	v := d.UnsignedAttr(name, limit)
	d.close()
	return v
}

// UnsignedAttr is Unsigned for an attribute.
func (d *Decoder) UnsignedAttr(name string, limit uint64) uint64 {
	v, ok := d.varint()
	if !ok || v > limit {
		d.fail(ErrValue, name, "integer too large", "at most "+strconv.FormatUint(limit, 10))
		return 0
	}
	return v
}

// Signed reads an element holding a signed integer within lo..hi.
func (d *Decoder) Signed(name string, lo, hi int64) int64 {
	if !d.open() {
		d.noValue(name)
		return 0
	}
	v := d.SignedAttr(name, lo, hi)
	d.close()
	return v
}

// SignedAttr is Signed for an attribute.
func (d *Decoder) SignedAttr(name string, lo, hi int64) int64 {
	negative := d.Bits(1) == 1
	m, ok := d.varint()
	v := int64(m)
	if negative {
		v = -v - 1
	}
	if !ok || m > 1<<63-1 || v < lo || v > hi {
		d.fail(ErrValue, name, "integer out of range", strconv.FormatInt(lo, 10)+" to "+strconv.FormatInt(hi, 10))
		return 0
	}
	return v
}

// varint reads an unsigned integer: groups of seven bits, least significant
// first, each preceded by a bit that tells whether another follows. It reports
// false when the value does not fit 64 bits.
func (d *Decoder) varint() (uint64, bool) {
	b := d.Bits(8)
	if b < 0x80 {
		return uint64(b), true
	}
	v := uint64(b & 0x7f)
	for shift := uint(7); shift < 70; shift += 7 {
		b = d.Bits(8)
		if shift == 63 && b > 1 {
			return 0, false
		}
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return v, d.err == nil
		}
	}
	return 0, false
}

// Integer reads an element holding an integer of any size.
func (d *Decoder) Integer(name string) Integer {
	if !d.open() {
		d.noValue(name)
		return Integer{}
	}
	v := d.IntegerAttr(name)
	d.close()
	return v
}

// IntegerAttr is Integer for an attribute.
func (d *Decoder) IntegerAttr(string) Integer {
	negative := d.Bits(1) == 1
	start := d.offset()
	if v, ok := d.varint(); ok && v <= 1<<63-1 {
		if negative {
			return MakeInteger(-int64(v) - 1)
		}
		return MakeInteger(int64(v))
	}
	if d.err != nil {
		return Integer{}
	}
	d.seek(start)
	v := d.bigMagnitude()
	if negative {
		v.Not(v)
	}
	return MakeBigInteger(v)
}

// bigMagnitude reads a varint of any length in linear time.
func (d *Decoder) bigMagnitude() *big.Int {
	var groups []byte
	for {
		b := d.Bits(8)
		if d.err != nil {
			return new(big.Int)
		}
		groups = append(groups, byte(b&0x7f))
		if b < 0x80 {
			break
		}
	}
	out := make([]byte, len(groups)*7/8+1)
	for i, g := range groups {
		at, v := i*7, uint16(g)<<(i*7%8)
		low := len(out) - 1 - at/8
		out[low] |= byte(v)
		if low > 0 {
			out[low-1] |= byte(v >> 8)
		}
	}
	return new(big.Int).SetBytes(out)
}

// Binary reads an element holding octets.
func (d *Decoder) Binary(name string) []byte {
	if !d.open() {
		return nil
	}
	v := d.BinaryAttr(name)
	d.close()
	return v
}

// BinaryAttr is Binary for an attribute.
func (d *Decoder) BinaryAttr(name string) []byte {
	n, ok := d.length(name)
	if !ok {
		return nil
	}
	if cap(d.slab)-len(d.slab) < n {
		d.slab = make([]byte, 0, d.remaining()/8)
	}
	at := len(d.slab)
	d.slab = d.slab[:at+n]
	out := d.slab[at : at+n : at+n]
	d.octets(out)
	return out
}

// Short reads an element holding at most a few octets.
func (d *Decoder) Short(name string) ShortBytes {
	if !d.open() {
		return ShortBytes{}
	}
	v := d.ShortAttr(name)
	d.close()
	return v
}

// ShortAttr is Short for an attribute.
func (d *Decoder) ShortAttr(name string) ShortBytes {
	var v ShortBytes
	n, ok := d.length(name)
	switch {
	case !ok:
	case n <= shortMax:
		v.n = uint8(n)
		i := 0
		for ; i+4 <= n; i += 4 {
			binary.BigEndian.PutUint32(v.b[i:], d.Bits(32))
		}
		for ; i < n; i++ {
			v.b[i] = byte(d.Bits(8))
		}
	default:
		b := make([]byte, n)
		d.octets(b)
		v.long = string(b)
	}
	return v
}

// length reads the length of a binary value and checks that the stream can
// hold as many octets.
func (d *Decoder) length(name string) (int, bool) {
	v, ok := d.varint()
	if !ok || v > uint64(d.remaining()/8) {
		d.fail(ErrTruncated, name, "binary of "+strconv.FormatUint(v, 10)+" octets", "")
		return 0, false
	}
	return int(v), true
}

// octets fills out, whose length the stream is known to hold.
func (d *Decoder) octets(out []byte) {
	if d.err != nil {
		return
	}
	at := d.offset()
	d.seek(at + 8*len(out))
	shift := uint(at & 7)
	src := d.buf[at>>3:]
	if shift == 0 {
		copy(out, src)
		return
	}
	i := 0
	for ; i+9 <= len(src) && i+8 <= len(out); i += 8 {
		v := binary.BigEndian.Uint64(src[i:])<<shift | uint64(src[i+8])>>(8-shift)
		binary.BigEndian.PutUint64(out[i:], v)
	}
	for ; i < len(out); i++ {
		out[i] = src[i]<<shift | src[i+1]>>(8-shift)
	}
}

// Text reads an element holding a string.
func (d *Decoder) Text(name string) string {
	if !d.open() {
		return ""
	}
	v := d.TextAttr(name)
	d.close()
	return v
}

// TextAttr is Text for an attribute.
func (d *Decoder) TextAttr(name string) string {
	v, ok := d.varint()
	if !ok {
		d.fail(ErrValue, name, "string too long", "")
		return ""
	}
	if v < 2 {
		return d.hit(name, v == 0)
	}
	s := d.chars(name, v-2)
	if d.table != nil {
		d.table.add(name, s)
	}
	return s
}

// chars reads n characters. Each takes at least one octet of the stream, so
// that a length the stream cannot hold is refused before anything is reserved.
func (d *Decoder) chars(name string, n uint64) string {
	if n == 0 {
		return ""
	}
	rest := d.remaining() / 8
	if n > uint64(rest) {
		d.fail(ErrTruncated, name, "string of "+strconv.FormatUint(n, 10)+" characters", "")
		return ""
	}
	if d.text.Cap()-d.text.Len() < int(n) {
		d.text.Reset()
		d.text.Grow(rest)
	}
	from := d.text.Len()
	if d.ascii(int(n)) {
		return d.text.String()[from:]
	}
	return d.unicode(name, int(n))
}

// ascii appends n printable one-octet characters to the text memory. It reports
// false when one of them is a control character or needs more than one octet.
func (d *Decoder) ascii(n int) bool {
	start := d.offset()
	shift := uint(start & 7)
	src := d.buf[start>>3:]
	var chunk [8]byte
	for i := 0; i < n; i += 8 {
		k := min(8, n-i)
		var v uint64
		if i+9 <= len(src) {
			v = binary.BigEndian.Uint64(src[i:])<<shift | uint64(src[i+8])>>(8-shift)
		} else {
			for j := 0; j < k; j++ {
				c := src[i+j] << shift
				if shift != 0 {
					c |= src[i+j+1] >> (8 - shift)
				}
				v |= uint64(c) << (56 - 8*j)
			}
		}
		if k < 8 {
			v |= ^uint64(0) >> (8 * uint(k)) & spaces
			v &= ^(^uint64(0) >> (8 * uint(k)) &^ spaces)
		}
		if (v|(v-spaces))&highBits != 0 {
			return false
		}
		binary.BigEndian.PutUint64(chunk[:], v)
		d.text.Write(chunk[:k])
	}
	d.seek(start + 8*n)
	return true
}

// Eight spaces and the high bits of eight octets. With no high bit set in v, a
// borrow into a high bit of v-spaces shows an octet below the space.
const (
	spaces   = 0x2020202020202020
	highBits = 0x8080808080808080
)

// isChar reports whether XML allows the code point, and EXI with it.
func isChar(c uint64) bool {
	return c >= 0x20 && c < 0xd800 || c == '\t' || c == '\n' || c == '\r' ||
		c >= 0xe000 && c <= 0xfffd || c >= 0x10000 && c <= utf8.MaxRune
}

// unicode reads n characters of any size.
func (d *Decoder) unicode(name string, n int) string {
	out := make([]byte, 0, n+n/2)
	for range n {
		c, ok := d.varint()
		if !ok || !isChar(c) {
			d.fail(ErrValue, name, "code point 0x"+strconv.FormatUint(c, 16), "a character XML allows")
			return ""
		}
		out = utf8.AppendRune(out, rune(c))
	}
	return string(out)
}
