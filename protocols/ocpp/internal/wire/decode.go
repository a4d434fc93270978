package wire

import (
	"strconv"
	"time"
)

// maxDepth bounds the nesting of a document; the deepest OCPP message has eight levels.
const maxDepth = 32

// Raw is a JSON value kept as it was received. The bytes are the receiver's own copy.
type Raw []byte

// MarshalJSON returns the bytes themselves.
func (r Raw) MarshalJSON() ([]byte, error) {
	if r == nil {
		return []byte("null"), nil
	}
	return r, nil
}

type step struct {
	key   []byte // nil in an array
	index int
}

// Decoder reads one JSON document front to back. The first error sticks: later calls return zero values.
type Decoder struct {
	scanner
	err   *Error
	path  [maxDepth]step
	depth int
	first bool // the object or array was entered just now
}

// NewDecoder returns a decoder over data, which must not change while it is used.
func NewDecoder(data []byte) *Decoder { return &Decoder{scanner: scanner{data: data}} }

// Err returns the first fault, after making sure that nothing but white space follows the document.
func (d *Decoder) Err() error {
	if d.err == nil {
		d.space()
		if d.pos < len(d.data) {
			d.Fail(FormatViolation, "text after the end of the document")
		}
	}
	if d.err != nil {
		return d.err
	}
	return nil
}

// Fail records a fault at the current property, unless there is one already.
func (d *Decoder) Fail(code Code, what string) {
	if d.err == nil {
		d.err = &Error{Code: code, Path: d.where(), What: what}
	}
	d.pos = len(d.data)
}

func (d *Decoder) where() string {
	var b []byte
	for _, s := range d.path[:d.depth] {
		switch {
		case s.key != nil:
			if len(b) > 0 {
				b = append(b, '.')
			}
			if len(s.key) > 64 {
				s.key = s.key[:64]
			}
			b = append(b, s.key...)
		case s.index >= 0:
			b = append(b, '[')
			b = strconv.AppendInt(b, int64(s.index), 10)
			b = append(b, ']')
		}
	}
	return string(b)
}

func (d *Decoder) syntax() { d.Fail(FormatViolation, "not JSON at byte "+strconv.Itoa(d.pos)) }

// expect skips white space and takes the byte c; a value of another kind is a type violation.
func (d *Decoder) expect(c byte, kind string) bool {
	if d.err != nil {
		return false
	}
	switch got := d.peek(); {
	case got == c:
		d.pos++
		return true
	case startsValue(got):
		d.Fail(TypeConstraintViolation, "want "+kind)
	default:
		d.syntax()
	}
	return false
}

func (d *Decoder) enter() {
	if d.depth == maxDepth {
		d.Fail(FormatViolation, "nested too deeply")
		return
	}
	d.path[d.depth] = step{index: -1}
	d.depth++
	d.first = true
}

// Object enters an object; NextKey then walks its properties.
func (d *Decoder) Object() {
	if d.expect('{', "an object") {
		d.enter()
	}
}

// NextKey moves to the next property of the object and returns false at its end.
func (d *Decoder) NextKey() bool {
	if d.err != nil {
		return false
	}
	c := d.peek()
	if c == '}' {
		d.pos++
		d.depth--
		d.first = false
		return false
	}
	if !d.first {
		if c != ',' {
			d.syntax()
			return false
		}
		d.pos++
		c = d.peek()
	}
	d.first = false
	if c != '"' {
		d.syntax()
		return false
	}
	key, ok := d.str()
	if !ok || d.peek() != ':' {
		d.syntax()
		return false
	}
	d.pos++
	if key == nil {
		key = []byte{}
	}
	d.path[d.depth-1].key = key
	return true
}

// Key is the property that NextKey found.
func (d *Decoder) Key() []byte { return d.path[d.depth-1].key }

// Array enters an array; Next then walks its elements.
func (d *Decoder) Array() {
	if d.expect('[', "an array") {
		d.enter()
	}
}

// Next moves to the next element of the array and returns false at its end.
func (d *Decoder) Next() bool {
	if d.err != nil {
		return false
	}
	c := d.peek()
	if c == ']' {
		d.pos++
		d.depth--
		d.first = false
		return false
	}
	if !d.first {
		if c != ',' {
			d.syntax()
			return false
		}
		d.pos++
	}
	d.first = false
	d.path[d.depth-1].index++
	return true
}

// Unknown reports a property that the schema does not have.
func (d *Decoder) Unknown() { d.Fail(FormatViolation, "unknown property") }

// Missing reports the first of the names whose bit in seen is not set.
func (d *Decoder) Missing(seen uint64, names ...string) {
	for i, n := range names {
		if seen&(1<<i) == 0 {
			if w := d.where(); w != "" && d.err == nil {
				n = w + "." + n
			}
			if d.err == nil {
				d.err = &Error{Code: OccurrenceConstraintViolation, Path: n, What: "required property is missing"}
			}
			d.pos = len(d.data)
			return
		}
	}
}

// String reads a string.
func (d *Decoder) String() string { return string(d.text()) }

func (d *Decoder) text() []byte {
	if !d.expect('"', "a string") {
		return nil
	}
	d.pos--
	s, ok := d.str()
	if !ok {
		d.syntax()
	}
	return s
}

// Word reads a string that may not be empty: the value of an enumeration.
func (d *Decoder) Word() string {
	s := d.text()
	if len(s) == 0 && d.err == nil {
		d.Fail(PropertyConstraintViolation, "empty value")
	}
	return string(s)
}

// Bool reads true or false.
func (d *Decoder) Bool() bool {
	if d.err != nil {
		return false
	}
	switch c := d.peek(); {
	case c == 't' && d.literal("true"):
		return true
	case c == 'f' && d.literal("false"):
		return false
	case startsValue(c):
		d.Fail(TypeConstraintViolation, "want true or false")
	default:
		d.syntax()
	}
	return false
}

func (d *Decoder) numeral(kind string) []byte {
	if d.err != nil {
		return nil
	}
	c := d.peek()
	if c == '-' || c >= '0' && c <= '9' {
		if n, ok := d.number(); ok {
			return n
		}
		d.syntax()
		return nil
	}
	if startsValue(c) {
		d.Fail(TypeConstraintViolation, "want "+kind)
	} else {
		d.syntax()
	}
	return nil
}

// Int reads an integer; 5.0 and 5e0 count as 5, as in JSON Schema.
func (d *Decoder) Int() int {
	n := d.numeral("an integer")
	if n == nil {
		return 0
	}
	if i, err := strconv.ParseInt(string(n), 10, 64); err == nil {
		return int(i)
	}
	f, err := strconv.ParseFloat(string(n), 64)
	if err != nil || f != float64(int64(f)) || f > 1<<53 || f < -(1<<53) {
		d.Fail(TypeConstraintViolation, "want an integer")
		return 0
	}
	return int(f)
}

// Float reads a number.
func (d *Decoder) Float() float64 {
	n := d.numeral("a number")
	if n == nil {
		return 0
	}
	f, err := strconv.ParseFloat(string(n), 64)
	if err != nil {
		d.Fail(TypeConstraintViolation, "number out of range")
		return 0
	}
	return f
}

// Time reads an RFC 3339 time. A time without zone counts as UTC, because stations in the field leave the Z out.
func (d *Decoder) Time() time.Time {
	s := d.text()
	if d.err != nil {
		return time.Time{}
	}
	t, ok := ParseTime(string(s))
	if !ok {
		d.Fail(TypeConstraintViolation, "want a time as in RFC 3339")
	}
	return t
}

// ParseTime reads a time as OCPP messages carry it.
func ParseTime(s string) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		if t, err = time.Parse("2006-01-02T15:04:05.999999999", s); err != nil {
			return time.Time{}, false
		}
	}
	// Year 0 is the zero time's neighbour and stands for "absent" in the structs; beyond 9999 RFC 3339 has no form.
	if t.IsZero() || t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}, false
	}
	return t.UTC(), true
}

// Any reads any value and keeps its bytes.
func (d *Decoder) Any() Raw {
	if d.err != nil {
		return nil
	}
	d.space()
	start := d.pos
	if !d.skip(maxDepth - d.depth) {
		d.syntax()
		return nil
	}
	return append(Raw(nil), d.data[start:d.pos]...)
}

// CustomData reads a customData object: any properties, vendorId (at most 255 characters) required.
func (d *Decoder) CustomData() Raw {
	if d.err != nil {
		return nil
	}
	d.space()
	start, vendor := d.pos, false
	for d.Object(); d.NextKey(); {
		if string(d.Key()) != "vendorId" {
			if !d.skip(maxDepth - d.depth) {
				d.syntax()
			}
			continue
		}
		vendor = true
		if s := d.text(); runes(string(s)) > 255 {
			d.Fail(PropertyConstraintViolation, "longer than 255 characters")
		}
	}
	if !vendor {
		d.Missing(0, "vendorId")
	}
	if d.err != nil {
		return nil
	}
	return append(Raw(nil), d.data[start:d.pos]...)
}
