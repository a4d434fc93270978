package wire

import (
	"math"
	"strconv"
	"unicode/utf8"
)

// runes counts characters, which is what the schemas' maxLength means.
func runes(s string) int { return utf8.RuneCountInString(s) }

// Checker collects the first violated limit of a message.
type Checker struct {
	err  *Error
	path []byte
	ends [maxDepth]int
	n    int
}

// Err returns the first violation.
func (c *Checker) Err() error {
	if c.err != nil {
		return c.err
	}
	return nil
}

// In goes down into the property name.
func (c *Checker) In(name string) {
	c.ends[c.n%maxDepth] = len(c.path)
	c.n++
	if len(c.path) > 0 {
		c.path = append(c.path, '.')
	}
	c.path = append(c.path, name...)
}

// At goes down into element i of the property name.
func (c *Checker) At(name string, i int) {
	c.In(name)
	c.path = append(c.path, '[')
	c.path = strconv.AppendInt(c.path, int64(i), 10)
	c.path = append(c.path, ']')
}

// Out goes up again.
func (c *Checker) Out() {
	c.n--
	c.path = c.path[:c.ends[c.n%maxDepth]]
}

// Fail records a violation at the property name.
func (c *Checker) Fail(code Code, name, what string) {
	if c.err != nil {
		return
	}
	c.In(name)
	c.err = &Error{Code: code, Path: string(c.path), What: what}
	c.Out()
}

// Max checks that s has at most n characters.
func (c *Checker) Max(name, s string, n int) {
	if len(s) > n && runes(s) > n {
		c.Fail(PropertyConstraintViolation, name, "longer than "+strconv.Itoa(n)+" characters")
	}
}

// Enum reports a value that is not in the enumeration.
func (c *Checker) Enum(name string, valid bool) {
	if !valid {
		c.Fail(PropertyConstraintViolation, name, "not one of the values of the enumeration")
	}
}

// Range checks lo <= v <= hi, and that v is a number at all.
func (c *Checker) Range(name string, v, lo, hi float64) {
	if math.IsNaN(v) || v < lo || v > hi {
		c.Fail(PropertyConstraintViolation, name, "out of range")
	}
}

// Tenths checks that v is a multiple of 0.1, with room for binary rounding.
func (c *Checker) Tenths(name string, v float64) {
	if t := v * 10; math.Abs(t-math.Round(t)) > 1e-6*max(1, math.Abs(t)) {
		c.Fail(PropertyConstraintViolation, name, "not a multiple of 0.1")
	}
}

// Count checks the number of elements; hi < 0 is no upper bound.
func (c *Checker) Count(name string, n, lo, hi int) {
	if n < lo || hi >= 0 && n > hi {
		c.Fail(OccurrenceConstraintViolation, name, "wrong number of elements")
	}
}

// Present reports a required value that was left out.
func (c *Checker) Present(name string, there bool) {
	if !there {
		c.Fail(OccurrenceConstraintViolation, name, "required property is missing")
	}
}
