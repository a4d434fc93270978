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
	// Signature covers the tariffs; it comes from who made them and is passed on as it is.
	Signature *xmldsig.Signature
}

// PlanTuple is one schedule.
type PlanTuple struct {
	ID      uint8 // 1 to 255
	Entries []PlanEntry
	End     time.Duration // of the last interval, from now
	Tariff  *v2.SalesTariff
}

// PlanEntry is the greatest power from Start, from now, until the next entry.
type PlanEntry struct {
	Start time.Duration
	Max   si.Watts
}

func (Plan) event() {}
