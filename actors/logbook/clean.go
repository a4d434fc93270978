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
	userinfo = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)[^/?#\s"'@]*@`)
	basic    = regexp.MustCompile(`(?i)\b(basic|bearer)\s+[A-Za-z0-9+/=._~-]{6,}`)
	private  = regexp.MustCompile(`(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(-----END [A-Z0-9 ]*PRIVATE KEY-----|\z)`)
	named    = regexp.MustCompile(`(?i)("?(?:password|secret|token|BasicAuthPassword)"?\s*[:=]\s*"?)([^\s",}]+)`)
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
	return named.ReplaceAll(b, []byte("${1}"+hidden))
}
