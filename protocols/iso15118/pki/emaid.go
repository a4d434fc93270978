package pki

import "strings"

// Lengths of a contract identifier without separators: country (2 letters), provider (3), instance (9), and perhaps a check
// character (ISO 15118-2, annex H).
const (
	emaidLen      = 14
	emaidWithSign = 15
)

// NormalEMAID brings a contract identifier into the one form in which two of them can be compared: upper case, without
// separators. It is empty when s is no contract identifier. A check character stays, whether it is right or not.
func NormalEMAID(s string) string {
	if len(s) > 2*emaidWithSign {
		return ""
	}
	out := make([]byte, 0, emaidWithSign)
	for i := range len(s) {
		c := s[i]
		switch {
		case c == '-':
			continue
		case 'a' <= c && c <= 'z':
			c -= 'a' - 'A'
		case 'A' <= c && c <= 'Z', '0' <= c && c <= '9' && len(out) >= 2: // the country is letters
		default:
			return ""
		}
		if out = append(out, c); len(out) > emaidWithSign {
			return ""
		}
	}
	if len(out) < emaidLen {
		return ""
	}
	return string(out)
}

// SameEMAID reports whether two spellings name the same contract. A check character counts only where both have one: leaving it
// out is allowed.
func SameEMAID(a, b string) bool {
	a, b = NormalEMAID(a), NormalEMAID(b)
	if a == "" || b == "" {
		return false
	}
	if len(a) != len(b) {
		return a[:emaidLen] == b[:emaidLen]
	}
	return a == b
}

// ValidEMAID reports whether s is a contract identifier whose check character, if it has one, is right.
func ValidEMAID(s string) bool {
	n := NormalEMAID(s)
	return n != "" && (len(n) == emaidLen || n[emaidLen] == CheckCharacter(n[:emaidLen]))
}

// FormatEMAID writes a contract identifier with separators, for people; anything else comes back as it is.
func FormatEMAID(s string) string {
	n := NormalEMAID(s)
	if n == "" {
		return s
	}
	return strings.Join([]string{n[:2], n[2:5], n[5:emaidLen]}, "-") + strings.TrimSuffix("-"+n[emaidLen:], "-")
}

// CheckCharacter computes the check character of a contract identifier of 14 characters; it is 0 for anything else
// (ISO 15118-2, annex H). Each character stands for a pair of bits and a pair of ternary digits. Character i is multiplied with
// the i-th power of a matrix, over GF(2) and GF(3); the check character makes both sums zero, so that every single wrong
// character and every swap of neighbours shows.
func CheckCharacter(s string) byte {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	s = NormalEMAID(s)
	if len(s) != emaidLen {
		return 0
	}
	type matrix [4]int // by rows
	mul := func(m, n matrix, mod int) matrix {
		return matrix{(m[0]*n[0] + m[1]*n[2]) % mod, (m[0]*n[1] + m[1]*n[3]) % mod, (m[2]*n[0] + m[3]*n[2]) % mod, (m[2]*n[1] + m[3]*n[3]) % mod}
	}
	two, three := matrix{0, 1, 1, 1}, matrix{0, 1, 1, 2}
	p2, p3 := two, three
	var q, r [2]int
	for i := range len(s) {
		v := strings.IndexByte(alphabet, s[i])
		q1, q2, r1, r2 := v/9/2, v/9%2, v%9/3, v%3
		q[0], q[1] = (q[0]+q1*p2[0]+q2*p2[2])%2, (q[1]+q1*p2[1]+q2*p2[3])%2
		r[0], r[1] = (r[0]+r1*p3[0]+r2*p3[2])%3, (r[1]+r1*p3[1]+r2*p3[3])%3
		p2, p3 = mul(p2, two, 2), mul(p3, three, 3)
	}
	// Now p2 and p3 are the 15th powers: the first is the identity, and the inverse of the second, negated, is this.
	c := matrix{0, 2, 2, 1}
	return alphabet[9*(2*q[0]+q[1])+3*((r[0]*c[0]+r[1]*c[2])%3)+(r[0]*c[1]+r[1]*c[3])%3]
}
