package iso15118

import (
	"fmt"
	"reflect"
	"sort"
	"strings"
	"sync"
	"testing"
)

// Columns of the coverage.
const (
	colOK       = "ok"
	colSequence = "sequence error"
	colTimeout  = "timeout"
	colBad      = "bad value"
)

// coverage is message x column, and which response codes each message was seen with.
type coverage struct {
	mu    sync.Mutex
	cells map[string]map[string]int
	codes map[string]map[string]bool
}

func newCoverage() *coverage {
	return &coverage{cells: map[string]map[string]int{}, codes: map[string]map[string]bool{}}
}

// name is the name of a request or response without its suffix.
func name(body any) string {
	s := fmt.Sprintf("%T", body)
	s = s[strings.LastIndex(s, ".")+1:]
	return strings.TrimSuffix(strings.TrimSuffix(s, "Req"), "Res")
}

// code is the response code of a response.
func code(res any) string {
	v := reflect.ValueOf(res)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return "none"
	}
	return fmt.Sprint(v.Elem().FieldByName("ResponseCode").Interface())
}

func (c *coverage) count(message, column string, res any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cells[message] == nil {
		c.cells[message], c.codes[message] = map[string]int{}, map[string]bool{}
	}
	c.cells[message][column]++
	c.codes[message][code(res)] = true
}

// report prints the coverage, and fails when a message lacks a column or one of the codes that apply to it.
func (c *coverage) report(t *testing.T, title string, want map[string][]string) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%-26s", title, "message")
	columns := []string{colOK, colSequence, colTimeout, colBad}
	for _, col := range columns {
		fmt.Fprintf(&b, "%16s", col)
	}
	b.WriteString("   response codes\n")
	messages := make([]string, 0, len(want))
	for m := range want {
		messages = append(messages, m)
	}
	sort.Strings(messages)
	for _, m := range messages {
		fmt.Fprintf(&b, "%-26s", m)
		for _, col := range columns {
			fmt.Fprintf(&b, "%16d", c.cells[m][col])
			if c.cells[m][col] == 0 {
				t.Errorf("%s has no case in column %q", m, col)
			}
		}
		var codes []string
		for x := range c.codes[m] {
			codes = append(codes, x)
		}
		sort.Strings(codes)
		fmt.Fprintf(&b, "   %s\n", strings.Join(codes, " "))
		for _, x := range want[m] {
			if !c.codes[m][x] {
				t.Errorf("%s was never answered with %s", m, x)
			}
		}
	}
	t.Log(b.String())
}
