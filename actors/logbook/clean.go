package logbook

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// cleaner takes secrets out of texts: the words it is given, in every form in which a log, a URL or a header may show them, and what
// looks like a secret.
type cleaner struct{ words [][]byte }

var (
	userinfo = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)[^/?#\s"']*@`) // up to the last @: a password may have one
	basic    = regexp.MustCompile(`(?i)\b(basic|bearer)\s+[A-Za-z0-9+/=._~-]{6,}`)
	private  = regexp.MustCompile(`(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(-----END [A-Z0-9 ]*PRIVATE KEY-----|\z)`)
	named    = regexp.MustCompile(`(?i)(?:password|passphrase|passwd|secret|token)(\\*["'])?[ \t]*[:=][ \t]*`)
)

const hidden = "***"

// shortest is the shortest word that is looked for: shorter ones would take ordinary text apart.
const shortest = 6

func newCleaner(secrets []string) *cleaner {
	c := &cleaner{}
	for _, s := range secrets {
		if len(s) < shortest {
			continue
		}
		quoted, _ := json.Marshal(s)
		forms := []string{s, url.QueryEscape(s), url.PathEscape(s), url.UserPassword("", s).String()[1:], strings.Trim(string(quoted), `"`),
			base64.StdEncoding.EncodeToString([]byte(s))}
		for _, f := range forms {
			c.words = append(c.words, []byte(f))
		}
	}
	slices.SortFunc(c.words, func(a, b []byte) int { return len(b) - len(a) }) // a word may begin like a shorter one
	return c
}

func (c *cleaner) text(b []byte) []byte {
	for _, w := range c.words {
		b = bytes.ReplaceAll(b, w, []byte(hidden))
	}
	b = private.ReplaceAll(b, []byte(hidden))
	b = userinfo.ReplaceAll(b, []byte("${1}"+hidden+"@"))
	b = basic.ReplaceAll(b, []byte("$1 "+hidden))
	return hideNamed(b)
}

// hideNamed hides what follows a name that says that it is secret. Where the value ends is known of quoted ones alone: of another one
// the rest of the line is hidden, or of the string that it is in, as a password may have blanks, commas and braces.
func hideNamed(b []byte) []byte {
	var out []byte
	for {
		m := named.FindSubmatchIndex(b)
		if m == nil {
			return append(out, b...)
		}
		out, b = append(out, b[:m[1]]...), b[m[1]:]
		n := valueLen(b, m[2] >= 0 && m[3]-m[2] == 1)
		if n > 0 {
			out = append(out, hidden...)
		}
		b = b[n:]
	}
}

// scalar is a value of JSON without quotes.
var scalar = regexp.MustCompile(`^(?:null|true|false|-?[0-9.eE+-]+)[ \t]*[,}\]\n]`)

// valueLen is the length of the value that b begins with. key tells that its name was quoted, as in JSON, where what is in braces
// has names of its own.
func valueLen(b []byte, key bool) int {
	if len(b) == 0 {
		return 0
	}
	switch q := b[0]; {
	case key && (q == '{' || q == '['):
		return 0
	case key && scalar.Match(b):
		return bytes.IndexAny(b, " \t,}]\n")
	case q == '"' || q == '\'':
		if n := quotedLen(b, q); n > 0 {
			return n
		}
	}
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '\n', '"':
			return i
		case '\\':
			i++
		}
	}
	return len(b)
}

// quotedLen is the length of a quoted value with its quotes, 0 when it does not end in its line.
func quotedLen(b []byte, q byte) int {
	for i := 1; i < len(b) && b[i] != '\n'; i++ {
		switch {
		case b[i] == '\\' && q == '"':
			i++
		case b[i] == q && q == '\'' && i+1 < len(b) && b[i+1] == q: // YAML
			i++
		case b[i] == q:
			return i + 1
		}
	}
	return 0
}
