package exi

import (
	"encoding/binary"
	"math/big"
	"math/bits"
	"strconv"
	"unicode/utf8"
)

// Encoder writes one EXI stream, appending to a buffer the caller provides.
// Like the Decoder it keeps its first error; what is written after it is
// discarded by [Encoder.Finish].
type Encoder struct {
	acc  uint64 // the low n bits are not yet in dst
	n    uint
	dst  []byte
	base int

	depth int // of elements begun
	at    int // depth of the innermost element the path of err has
	err   *Error
}

// Reset prepares e to append a stream to dst, beginning with the header.
func (e *Encoder) Reset(dst []byte) {
	*e = Encoder{dst: append(dst, Header), base: len(dst)}
}

// Finish pads the last byte and returns the extended buffer. After an error it
// returns the buffer as it was handed to Reset.
func (e *Encoder) Finish() ([]byte, error) {
	if e.err != nil {
		return e.dst[:e.base], e.err
	}
	for e.flush(); e.n > 0; e.n = 0 {
		e.dst = append(e.dst, byte(e.acc<<(8-e.n)))
	}
	return e.dst, nil
}

// Bits writes the low n bits of v, whose other bits are zero; n is at most 57.
func (e *Encoder) Bits(v uint64, n uint) {
	if e.n+n > 64 {
		e.flush()
	}
	e.acc = e.acc<<n | v
	e.n += n
}

// flush moves whole bytes to dst and leaves at most seven bits.
func (e *Encoder) flush() {
	k := e.n >> 3
	top := e.acc << (64 - e.n)
	if at := len(e.dst); cap(e.dst)-at >= 8 {
		binary.BigEndian.PutUint64(e.dst[at:at+8], top)
		e.dst = e.dst[:at+int(k)]
	} else {
		for i := range k {
			e.dst = append(e.dst, byte(top>>(56-8*i)))
		}
	}
	e.n &= 7
}

// Missing records that something the schema requires is not there.
func (e *Encoder) Missing(what string) { e.fail(ErrMissing, what, "", "") }

// TooMany records that an element occurs more often than the schema allows.
func (e *Encoder) TooMany(what string, limit int) {
	e.fail(ErrTooMany, what, "", "at most "+strconv.Itoa(limit))
}

func (e *Encoder) fail(reason error, name, detail, expected string) {
	if e.err == nil {
		e.at = e.depth
		e.err = &Error{Err: reason, Bit: (len(e.dst)-e.base)*8 + int(e.n), Path: name, Detail: detail, Expected: expected}
	}
}

// In notes that an element with element content begins.
func (e *Encoder) In() { e.depth++ }

// Out notes that the named element has ended and reports whether encoding has
// failed. An error inside the element gets the name as part of its path.
func (e *Encoder) Out(name string) (failed bool) {
	e.depth--
	if e.err != nil && e.at > e.depth {
		e.err.within(name)
		e.at = e.depth
	}
	return e.err != nil
}

// Event writes the code of a production in a state with n productions.
func (e *Encoder) Event(code, n uint32) { e.Bits(uint64(code), uint(bits.Len32(n))) }

// small writes a simple element whose value has n bits.
func (e *Encoder) small(v uint64, n uint) { e.Bits(v<<1, n+2) }

// Bool writes a boolean element.
func (e *Encoder) Bool(_ string, v bool) {
	if v {
		e.small(1, 1)
	} else {
		e.small(0, 1)
	}
}

// BoolAttr is Bool for an attribute.
func (e *Encoder) BoolAttr(_ string, v bool) {
	if v {
		e.Bits(1, 1)
	} else {
		e.Bits(0, 1)
	}
}

// Enum writes an enumerated element of count values.
func (e *Encoder) Enum(name string, v uint8, count uint32) {
	e.checkIndex(name, v, count)
	e.small(uint64(v), width(count-1))
}

// EnumAttr is Enum for an attribute.
func (e *Encoder) EnumAttr(name string, v uint8, count uint32) {
	e.checkIndex(name, v, count)
	e.Bits(uint64(v), width(count-1))
}

func (e *Encoder) checkIndex(name string, v uint8, count uint32) {
	if uint32(v) >= count {
		e.fail(ErrValue, name, "enumeration index "+strconv.Itoa(int(v)), "at most "+strconv.Itoa(int(count-1)))
	}
}

// Ranged writes an integer element restricted to lo..hi, hi-lo below 4096.
func (e *Encoder) Ranged(name string, v, lo, hi int) {
	if v < lo || v > hi {
		e.outOfRange(name, int64(v), int64(lo), int64(hi))
		return
	}
	e.small(uint64(v-lo), width(uint32(hi-lo)))
}

// RangedAttr is Ranged for an attribute.
func (e *Encoder) RangedAttr(name string, v, lo, hi int) {
	if v < lo || v > hi {
		e.outOfRange(name, int64(v), int64(lo), int64(hi))
		return
	}
	e.Bits(uint64(v-lo), width(uint32(hi-lo)))
}

func (e *Encoder) outOfRange(name string, v, lo, hi int64) {
	e.fail(ErrValue, name, strconv.FormatInt(v, 10), strconv.FormatInt(lo, 10)+" to "+strconv.FormatInt(hi, 10))
}

// Unsigned writes an element holding an unsigned integer.
func (e *Encoder) Unsigned(_ string, v uint64) { e.packed(0, 1, v) }

// UnsignedAttr is Unsigned for an attribute.
func (e *Encoder) UnsignedAttr(_ string, v uint64) { e.varint(v) }

// Signed writes an element holding a signed integer.
func (e *Encoder) Signed(_ string, v int64) {
	if v < 0 {
		e.packed(1, 2, uint64(-(v + 1)))
	} else {
		e.packed(0, 2, uint64(v))
	}
}

// SignedAttr is Signed for an attribute.
func (e *Encoder) SignedAttr(_ string, v int64) {
	if v < 0 {
		e.Bits(1, 1)
		v = -(v + 1)
	} else {
		e.Bits(0, 1)
	}
	e.varint(uint64(v))
}

// varint writes groups of seven bits, least significant first.
func (e *Encoder) varint(v uint64) {
	for v >= 0x80 {
		e.Bits(v&0x7f|0x80, 8)
		v >>= 7
	}
	e.Bits(v, 8)
}

// Integer writes an element holding an integer of any size.
func (e *Encoder) Integer(_ string, v Integer) {
	e.Bits(0, 1)
	e.IntegerAttr("", v)
	e.Bits(0, 1)
}

// IntegerAttr is Integer for an attribute.
func (e *Encoder) IntegerAttr(_ string, v Integer) {
	if v.big == nil {
		e.SignedAttr("", v.small)
		return
	}
	m := v.big
	if m.Sign() < 0 {
		e.Bits(1, 1)
		m = new(big.Int).Not(m)
	} else {
		e.Bits(0, 1)
	}
	groups := (m.BitLen() + 6) / 7
	octets := m.Bytes()
	at := func(i int) uint { // the octet of weight 256^i
		if i >= len(octets) {
			return 0
		}
		return uint(octets[len(octets)-1-i])
	}
	for g := range groups {
		bit := g * 7
		v := (at(bit/8) | at(bit/8+1)<<8) >> (bit % 8) & 0x7f
		if g < groups-1 {
			v |= 0x80
		}
		e.Bits(uint64(v), 8)
	}
}

// Binary writes an element holding octets.
func (e *Encoder) Binary(_ string, v []byte) {
	e.Bits(0, 1)
	e.BinaryAttr("", v)
	e.Bits(0, 1)
}

// BinaryAttr is Binary for an attribute.
func (e *Encoder) BinaryAttr(_ string, v []byte) {
	e.varint(uint64(len(v)))
	for len(v) >= 4 {
		e.Bits(uint64(binary.BigEndian.Uint32(v)), 32)
		v = v[4:]
	}
	for _, b := range v {
		e.Bits(uint64(b), 8)
	}
}

// Short writes an element holding at most a few octets.
func (e *Encoder) Short(_ string, v ShortBytes) {
	e.Bits(0, 1)
	e.ShortAttr("", v)
	e.Bits(0, 1)
}

// ShortAttr is Short for an attribute.
func (e *Encoder) ShortAttr(_ string, v ShortBytes) {
	if v.long != "" {
		e.BinaryAttr("", []byte(v.long))
		return
	}
	e.varint(uint64(v.n))
	w, n := binary.BigEndian.Uint64(v.b[:]), 8*uint(v.n)
	if n > 32 {
		e.Bits(w>>32, 32)
		e.Bits(w&0xffffffff>>(64-n), n-32)
	} else {
		e.Bits(w>>(64-n), n)
	}
}

// Text writes an element holding a string, always literally.
func (e *Encoder) Text(name string, v string) {
	e.Bits(0, 1)
	e.TextAttr(name, v)
	e.Bits(0, 1)
}

// TextAttr is Text for an attribute.
func (e *Encoder) TextAttr(name string, v string) {
	for i := range len(v) {
		if v[i] >= utf8.RuneSelf || v[i] < ' ' {
			e.unicode(name, v)
			return
		}
	}
	e.varint(uint64(len(v)) + 2)
	for len(v) >= 4 {
		e.Bits(uint64(v[0])<<24|uint64(v[1])<<16|uint64(v[2])<<8|uint64(v[3]), 32)
		v = v[4:]
	}
	for i := range len(v) {
		e.Bits(uint64(v[i]), 8)
	}
}

// unicode writes a string with characters of any size.
func (e *Encoder) unicode(name, v string) {
	if !utf8.ValidString(v) {
		e.fail(ErrValue, name, "string is not valid UTF-8", "")
		return
	}
	e.varint(uint64(utf8.RuneCountInString(v)) + 2)
	for _, r := range v {
		if !isChar(uint64(r)) {
			e.fail(ErrValue, name, "code point 0x"+strconv.FormatInt(int64(r), 16), "a character XML allows")
		}
		e.varint(uint64(r))
	}
}
