package exi

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// FacetError says which value breaks a restriction of the schema that the
// wire format itself does not enforce, such as a string's maximum length.
type FacetError struct {
	// Path names the elements from the root to the value.
	Path string
	// Rule says what the schema demands.
	Rule string
	// Value says what was found.
	Value string
}

// Error implements the error interface.
func (e *FacetError) Error() string {
	return "exi: " + e.Path + ": " + e.Value + " where the schema demands " + e.Rule
}

// Validator collects the first violation while generated code walks a message.
type Validator struct {
	path []string
	err  *FacetError
}

// Err returns the first violation, or nil.
func (v *Validator) Err() error {
	if v.err == nil {
		return nil
	}
	return v.err
}

// In notes that the named element begins.
func (v *Validator) In(name string) { v.path = append(v.path, name) }

// Out notes that the element begun by the matching In has ended.
func (v *Validator) Out() { v.path = v.path[:len(v.path)-1] }

// Fail records a violation by the named child.
func (v *Validator) Fail(name, rule, value string) {
	if v.err == nil {
		v.err = &FacetError{Path: strings.Join(append(v.path[:len(v.path):len(v.path)], name), "/"), Rule: rule, Value: value}
	}
}

// Text checks the number of characters of a string; hi below zero means no
// upper limit.
func (v *Validator) Text(name, s string, lo, hi int) {
	if len(s) >= lo && len(s) <= hi && lo <= 1 {
		return
	}
	v.length(name, "characters", utf8.RuneCountInString(s), lo, hi)
}

// Octets checks the length of a binary value; hi below zero means no upper
// limit.
func (v *Validator) Octets(name string, n, lo, hi int) { v.length(name, "octets", n, lo, hi) }

// Count checks the number of occurrences of an element; hi below zero means
// no upper limit.
func (v *Validator) Count(name string, n, lo, hi int) { v.length(name, "occurrences", n, lo, hi) }

func (v *Validator) length(name, what string, n, lo, hi int) {
	switch {
	case n >= lo && (hi < 0 || n <= hi):
	case lo == hi:
		v.Fail(name, "exactly "+strconv.Itoa(lo)+" "+what, strconv.Itoa(n))
	case n < lo:
		v.Fail(name, "at least "+strconv.Itoa(lo)+" "+what, strconv.Itoa(n))
	default:
		v.Fail(name, "at most "+strconv.Itoa(hi)+" "+what, strconv.Itoa(n))
	}
}

// Int checks an integer against an inclusive range.
func (v *Validator) Int(name string, n, lo, hi int64) {
	if n < lo || n > hi {
		v.Fail(name, strconv.FormatInt(lo, 10)+" to "+strconv.FormatInt(hi, 10), strconv.FormatInt(n, 10))
	}
}

// Uint checks an unsigned integer against an inclusive range.
func (v *Validator) Uint(name string, n, lo, hi uint64) {
	if n < lo || n > hi {
		v.Fail(name, strconv.FormatUint(lo, 10)+" to "+strconv.FormatUint(hi, 10), strconv.FormatUint(n, 10))
	}
}

// Enum checks the index of an enumerated value.
func (v *Validator) Enum(name string, n uint8, count int) {
	if int(n) >= count {
		v.Fail(name, "an enumerated value", "index "+strconv.Itoa(int(n)))
	}
}

// One checks that exactly one alternative of a choice is present, or at most
// one when the choice is optional.
func (v *Validator) One(names string, present int, optional bool) {
	if present > 1 || present == 0 && !optional {
		v.Fail("", "one of "+names, strconv.Itoa(present)+" of them")
	}
}

// Missing records that a required element is absent.
func (v *Validator) Missing(name string) { v.Fail(name, "the element", "nothing") }
