package exi

import (
	"encoding/hex"
	"strings"
)

// shortMax is the number of octets a ShortBytes holds in place.
const shortMax = 8

// ShortBytes is a binary value of at most eight octets by schema, such as a
// session identifier. It is comparable with == and is held in place. A longer
// value, which the EXI grammar permits although the schema's facets do not,
// is kept as it is, so that it can be validated and encoded again.
type ShortBytes struct {
	b    [shortMax]byte
	n    uint8
	long string
}

// MakeShortBytes returns the value with the given octets.
func MakeShortBytes(b []byte) ShortBytes {
	var s ShortBytes
	if len(b) > shortMax {
		s.long = string(b)
		return s
	}
	s.n = uint8(copy(s.b[:], b))
	return s
}

// ParseShortBytes reads hexadecimal digits.
func ParseShortBytes(s string) (ShortBytes, error) {
	b, err := hex.DecodeString(s)
	if err != nil {
		return ShortBytes{}, err
	}
	return MakeShortBytes(b), nil
}

// Len returns the number of octets.
func (s ShortBytes) Len() int {
	if s.long != "" {
		return len(s.long)
	}
	return int(s.n)
}

// Bytes returns a copy of the octets.
func (s ShortBytes) Bytes() []byte { return s.Append(nil) }

// Append appends the octets to dst.
func (s ShortBytes) Append(dst []byte) []byte {
	if s.long != "" {
		return append(dst, s.long...)
	}
	return append(dst, s.b[:s.n]...)
}

// IsZero reports whether there is no octet other than zero; the empty value
// is zero as well.
func (s ShortBytes) IsZero() bool {
	return strings.Trim(s.long, "\x00") == "" && s.b == [shortMax]byte{}
}

// String returns upper-case hexadecimal digits, the lexical form of hexBinary.
func (s ShortBytes) String() string { return strings.ToUpper(hex.EncodeToString(s.Bytes())) }

// MarshalText implements encoding.TextMarshaler.
func (s ShortBytes) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *ShortBytes) UnmarshalText(b []byte) (err error) {
	*s, err = ParseShortBytes(string(b))
	return err
}
