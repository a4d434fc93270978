package wire

import (
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

// TimeFormat is how times are written: UTC with milliseconds (OCPP 2.0.1 part 2, 2.1.2 allows at most three digits).
const TimeFormat = "2006-01-02T15:04:05.000Z"

// Key appends a property name with the comma it needs.
func Key(b []byte, name string) []byte {
	b = Comma(b)
	b = append(b, '"')
	b = append(b, name...)
	return append(b, '"', ':')
}

// Comma appends a comma unless an object or array was opened just before.
func Comma(b []byte) []byte {
	if c := b[len(b)-1]; c != '{' && c != '[' {
		b = append(b, ',')
	}
	return b
}

// Str appends a string literal.
func Str(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			if r, n := utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || n > 1 {
				i += n
				continue
			}
		}
		b = append(b, s[start:i]...)
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c == '\t':
			b = append(b, '\\', 't')
		case c >= utf8.RuneSelf:
			b = append(b, "\ufffd"...)
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		start = i
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

// Int appends an integer.
func Int(b []byte, v int) []byte { return strconv.AppendInt(b, int64(v), 10) }

// Float appends a number without exponent; what is not finite becomes 0, because JSON has no word for it.
func Float(b []byte, v float64) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		v = 0
	}
	if v == 0 || math.Abs(v) >= 1e-9 && math.Abs(v) < 1e21 {
		return strconv.AppendFloat(b, v, 'f', -1, 64)
	}
	return strconv.AppendFloat(b, v, 'e', -1, 64)
}

// Bool appends true or false.
func Bool(b []byte, v bool) []byte { return strconv.AppendBool(b, v) }

// Time appends a time, in UTC with milliseconds.
func Time(b []byte, t time.Time) []byte {
	b = append(b, '"')
	b = t.UTC().AppendFormat(b, TimeFormat)
	return append(b, '"')
}

// Any appends a raw value; nil is null.
func Any(b []byte, r Raw) []byte {
	if len(r) == 0 {
		return append(b, "null"...)
	}
	return append(b, r...)
}
