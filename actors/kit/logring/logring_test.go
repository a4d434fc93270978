package logring

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/voltyard/voltyard/test/virtual"
)

func TestTheRingIsBoundedAndKeepsTheNewest(t *testing.T) {
	virtual.Test(t, func(t *testing.T) {
		r := New(10_000)
		began := time.Now()
		for i := range 5000 {
			fmt.Fprintf(r, "line %d\n", i)
			time.Sleep(time.Second)
		}
		_, _ = r.Write([]byte(strings.Repeat("x", 1<<20)))
		all := r.Between(time.Time{}, time.Time{})
		size := 0
		for _, l := range all {
			size += len(l.Text) + overhead
		}
		if size > 10_000 || len(all) < 50 || string(all[len(all)-2].Text) != "line 4999\n" {
			t.Fatalf("%d lines, %d bytes", len(all), size)
		}
		part := r.Between(began.Add(4990*time.Second), began.Add(4993*time.Second))
		if len(part) != 3 || string(part[0].Text) != "line 4990\n" || string(part[2].Text) != "line 4992\n" {
			t.Errorf("%d lines: %s", len(part), part)
		}
	})
}
