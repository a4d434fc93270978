package exi

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"strconv"
	"strings"
)

// Header is the only EXI header the profile knows: no cookie, no options,
// version 1.
const Header = 0x80

// maxDepth bounds the nesting of undeclared elements. The deepest declared
// message of any schema set has fewer levels.
const maxDepth = 24

// badEvent is what Event returns once decoding has failed. It is larger than
// any event code, also after the generated code has added its offset.
const badEvent = 1 << 20

// Decoder reads one EXI stream. Errors are sticky: after the first one every
// read returns zero values and every event is one that no grammar accepts, so
// that generated code falls through to its end without checking after each
// step. Use [Decoder.Finish] to learn the outcome.
//
// A Decoder is for generated code; its methods follow the grammar of the
// profile step by step.
type Decoder struct {
	acc uint64 // the low n bits are the next of the stream
	n   uint
	off int // next byte of buf to load
	buf []byte

	schema *Schema
	err    *Error
	info   Info
	depth  int // of undeclared elements

	slab  []byte          // memory for binary values
	text  strings.Builder // memory for strings
	table *valueTable     // non-nil only when the stream uses string-table hits
	names *nameTable      // non-nil only once an undeclared name was met
}

// Info tells what was unusual about a stream that was decoded successfully.
type Info struct {
	// Deviations counts undeclared attributes, elements and characters that
	// were skipped.
	Deviations int
	// TrailingBytes is the number of surplus bytes, 0 or 1.
	TrailingBytes int
	// Hits counts values taken from the string table.
	Hits int
}

// Reset prepares d to decode b with the names of s, and consumes the header.
func (d *Decoder) Reset(b []byte, s *Schema) {
	*d = Decoder{buf: b, schema: s}
	if h := d.Bits(8); d.err == nil && h != Header {
		d.fail(ErrHeader, "", "first byte 0x"+strconv.FormatUint(uint64(h), 16), "0x80")
	}
}

// Bits reads an n-bit unsigned integer, n at most 32.
func (d *Decoder) Bits(n uint) uint32 {
	if d.n < n {
		d.refill(n)
	}
	d.n -= n
	return uint32(d.acc>>d.n) &^ (^uint32(0) << n)
}

// refill loads whole bytes until at least need bits are available. Past the end
// of the stream it records the error and supplies ones.
func (d *Decoder) refill(need uint) {
	if d.load(); d.n < need {
		d.fail(ErrTruncated, "", "", "")
	}
}

// load loads as many whole bytes as there is room for.
func (d *Decoder) load() {
	if d.off+8 <= len(d.buf) && d.err == nil {
		k := (63 - d.n) &^ 7
		d.acc = d.acc<<k | binary.BigEndian.Uint64(d.buf[d.off:])>>(64-k)
		d.off += int(k >> 3)
		d.n += k
		return
	}
	if d.err != nil {
		d.poison()
		return
	}
	for d.n <= 56 && d.off < len(d.buf) {
		d.acc = d.acc<<8 | uint64(d.buf[d.off])
		d.off++
		d.n += 8
	}
}

// poison makes every further read return ones.
func (d *Decoder) poison() { d.acc, d.n, d.off = ^uint64(0), 64, len(d.buf) }

// offset returns the number of bits consumed.
func (d *Decoder) offset() int { return d.off*8 - int(d.n) }

// seek moves to an absolute bit offset inside the stream.
func (d *Decoder) seek(bit int) {
	d.off, d.acc, d.n = bit>>3, 0, 0
	if r := uint(bit & 7); r != 0 && d.off < len(d.buf) {
		d.acc, d.n = uint64(d.buf[d.off]), 8-r
		d.off++
	}
}

// remaining returns the number of bits left.
func (d *Decoder) remaining() int { return len(d.buf)*8 - d.offset() }

// Failed reports whether decoding has failed.
func (d *Decoder) Failed() bool { return d.err != nil }

// fail records the first error and makes the rest of the stream unreadable.
// name is the element or attribute at fault; it may be empty.
func (d *Decoder) fail(reason error, name, detail, expected string) {
	if d.err == nil {
		d.err = &Error{Err: reason, Bit: min(d.offset(), len(d.buf)*8), Path: name, Detail: detail, Expected: expected}
	}
	d.poison()
}

// Out notes that the named element has ended. An error inside it gets the name
// as part of its path.
func (d *Decoder) Out(name string) {
	if d.err != nil {
		d.err.within(name)
	}
}

// Expected records that the event just read is not one the schema allows
// here; what names the allowed ones.
func (d *Decoder) Expected(what string) {
	if d.err == nil {
		d.fail(ErrUnexpected, "", "", what)
	} else if d.err.Expected == "" && d.err.Path == "" && errors.Is(d.err, ErrUnexpected) {
		d.err.Expected = what
	}
}

// Refuse records that the named construct is known but not accepted.
func (d *Decoder) Refuse(what string) { d.fail(ErrUnsupported, "", what, "") }

// Finish checks the end of the stream and returns the outcome.
func (d *Decoder) Finish() (Info, error) {
	if d.err != nil {
		return Info{}, d.err
	}
	rest := d.remaining() / 8
	if rest > 1 {
		d.fail(ErrTrailing, "", strconv.Itoa(rest)+" bytes", "at most 1")
		return Info{}, d.err
	}
	d.info.TrailingBytes = rest
	return d.info, nil
}

// width returns the bits needed for an event code among n productions and the
// escape to the second level.
func width(n uint32) uint { return uint(bits.Len32(n)) }
