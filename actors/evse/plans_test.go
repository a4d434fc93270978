package evse

import (
	"slices"
	"testing"
	"time"

	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal/si"
)

func entries(kw ...float64) (out []msg.PlanEntry) { // minute, kW, minute, kW
	for i := 0; i < len(kw); i += 2 {
		out = append(out, msg.PlanEntry{Start: time.Duration(kw[i]) * time.Minute, Max: si.Watts(kw[i+1] * 1000)})
	}
	return out
}

// Of the CSMS's schedules and the site's plan the lower holds at each time, whenever each was made.
func TestTheLowerPlanIsOffered(t *testing.T) {
	now := time.Date(2024, 3, 1, 10, 0, 0, 0, time.UTC)
	site := msg.VehiclePlan{Tuples: []msg.PlanTuple{{ID: 1, End: time.Hour, Entries: entries(0, 0, 20, 11)}}}
	csms := msg.VehiclePlan{Source: msg.PlanOfCSMS, Tuples: []msg.PlanTuple{{ID: 1, End: 24 * time.Hour, Entries: entries(0, 7, 30, 22)}, {ID: 2, End: 24 * time.Hour, Entries: entries(0, 4)}}}
	var p plans
	if _, ok := p.offer(); ok {
		t.Error("an offer of nobody")
	}
	p.take(site, now)
	if o, ok := p.offer(); !ok || !o.More || !slices.Equal(o.Tuples[0].Entries, site.Tuples[0].Entries) {
		t.Errorf("the site alone, before the CSMS has answered: %+v", o)
	}
	p.take(csms, now.Add(5*time.Minute))
	o, ok := p.offer()
	if !ok || o.More || len(o.Tuples) != 2 || !o.Made.Equal(now.Add(5*time.Minute)) {
		t.Fatalf("%+v", o)
	}
	// From 10:05 on: the site has 0 until 10:20 and 11 kW until 11:00, the CSMS 7 kW until 10:35 and 22 then.
	if want := entries(0, 0, 15, 7, 30, 11, 55, 22); !slices.Equal(o.Tuples[0].Entries, want) {
		t.Errorf("%v, want %v", o.Tuples[0].Entries, want)
	}
	if want := entries(0, 0, 15, 4); !slices.Equal(o.Tuples[1].Entries, want) {
		t.Errorf("%v, want %v", o.Tuples[1].Entries, want)
	}
}
