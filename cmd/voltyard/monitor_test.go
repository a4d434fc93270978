package main

import (
	"testing"
	"time"
)

func TestGraceHoldsTheHigherLimitForFiveSecondsAfterALowering(t *testing.T) {
	t0 := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	g := &graced{now: 100, was: 100}
	for _, c := range []struct {
		s     float64
		limit float64
		want  float64
	}{
		{0, 100, 100}, {1, 40, 100}, {5.9, 40, 100}, {6, 40, 40}, {7, 40, 40},
		{8, 100, 100},               // a raise counts at once
		{9, 60, 100}, {10, 50, 100}, // lowered again within the grace: the highest of before counts
		{14.9, 50, 100}, {15, 50, 50},
	} {
		if got := g.value(c.limit, t0.Add(time.Duration(c.s*float64(time.Second)))); got != c.want {
			t.Errorf("after %v s with %v in force: %v counts, want %v", c.s, c.limit, got, c.want)
		}
	}
}
