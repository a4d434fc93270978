package xsdgen

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// goName makes an exported Go identifier of an XML name: parts separated by
// underscores or other punctuation are joined, each with an upper-case
// initial. "Id" becomes "ID".
func goName(s string) string {
	var b strings.Builder
	up := true
	for _, r := range s {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			up = true
			continue
		}
		if up {
			r = unicode.ToUpper(r)
			up = false
		}
		b.WriteRune(r)
	}
	if b.String() == "Id" {
		return "ID"
	}
	return b.String()
}

// goTypeName is goName without the suffix "Type".
func goTypeName(s string) string {
	if t := strings.TrimSuffix(s, "Type"); t != "" {
		s = t
	}
	return goName(s)
}

// enumerator makes the constant name of an enumerated value. Words in capitals
// that are not abbreviations are set in mixed case.
func enumerator(typ, value string) string {
	var b strings.Builder
	b.WriteString(typ)
	for _, w := range strings.FieldsFunc(value, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if w == "FAILED" || w == "WARNING" {
			w = w[:1] + strings.ToLower(w[1:])
		}
		b.WriteString(goName(w))
	}
	return b.String()
}

// snake makes a file name of a Go identifier.
func snake(s string) string {
	var b strings.Builder
	rs := []rune(strings.ReplaceAll(s, "IDs", "Ids"))
	for i, r := range rs {
		if unicode.IsUpper(r) && i > 0 {
			lowerBefore := !unicode.IsUpper(rs[i-1])
			lowerAfter := i+1 < len(rs) && unicode.IsLower(rs[i+1])
			if lowerBefore || lowerAfter {
				b.WriteByte('_')
			}
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

func itoa(n int) string { return strconv.Itoa(n) }

func sortNames(names []Name) { slices.SortFunc(names, Name.compare) }
