package secc

import (
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
	"github.com/voltyard/voltyard/protocols/iso15118/xmldsig"
)

// MaxTuples is how many schedules a vehicle may be offered at once (ISO 15118-2, SAScheduleListType).
const MaxTuples = 3

// MaxPlanEntries is how many intervals a schedule may have (ISO 15118-2, PMaxScheduleType).
const MaxPlanEntries = 1024

// Plan is what the site plans for the vehicle: up to three schedules to choose from. Without a plan the vehicle is offered
// what the hardware can do, for a day.
type Plan struct {
	Tuples []PlanTuple
	// Age is how long ago the plan was made; the times in it are from then.
	Age time.Duration
	// More says that a better one is on its way: a vehicle waits for that, within Config.PlanWait.
	More bool
	// Signature covers the tariffs; it comes from who made them and is passed on as it is.
	Signature *xmldsig.Signature
}

// PlanTuple is one schedule.
type PlanTuple struct {
	ID      uint8 // 1 to 255
	Entries []PlanEntry
	End     time.Duration // of the last interval
	Tariff  *v2.SalesTariff
}

// PlanEntry is the greatest power from Start until the next entry.
type PlanEntry struct {
	Start time.Duration
	Max   si.Watts
}

func (Plan) event() {}

// From returns the schedule as it is after some time has passed: what lies behind is left out.
func (t PlanTuple) From(passed time.Duration) PlanTuple {
	out := PlanTuple{ID: t.ID, End: max(0, t.End-passed), Tariff: t.Tariff}
	for i, e := range t.Entries {
		if i+1 < len(t.Entries) && t.Entries[i+1].Start <= passed {
			continue
		}
		out.Entries = append(out.Entries, PlanEntry{Start: max(0, e.Start-passed), Max: e.Max})
	}
	return out
}
