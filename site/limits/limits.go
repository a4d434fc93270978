// Package limits holds the limits that reach a site from outside: from the grid operator, the building's energy management,
// the operator's cloud, a person, or a digital input. A Book keeps them with source, validity and failsafe, and says at any
// time which value is the smallest at each node.
//
// 0 is a limit; an absent (nil) value is no statement. A limit that expires leads to its source's failsafe, if the site
// file gives one, and only otherwise to freedom. The package has no clock: time is a parameter everywhere, and instants
// passed as now should carry a monotonic reading. The balancer owns the book; nobody else calls Apply.
package limits

import (
	"fmt"
	"time"

	"github.com/voltyard/voltyard/hal/si"
)

// DefaultReact is how long a node may stay above an external limit after it was lowered.
const DefaultReact = 5 * time.Second

// Values are the bounds a limit states; nil is no statement.
type Values struct {
	ImportW  *si.Watts  // W, >= 0
	ExportW  *si.Watts  // W, >= 0, as a positive number
	CurrentA *si.Phases // A per phase, >= 0; bounds import
}

// Empty reports whether nothing is stated.
func (v Values) Empty() bool { return v.ImportW == nil && v.ExportW == nil && v.CurrentA == nil }

// Strictest combines two statements: the smaller of each value.
func Strictest(a, b Values) Values {
	least := func(x, y *si.Watts) *si.Watts {
		if x == nil || (y != nil && *y < *x) {
			return y
		}
		return x
	}
	a.ImportW, a.ExportW = least(a.ImportW, b.ImportW), least(a.ExportW, b.ExportW)
	switch {
	case a.CurrentA == nil:
		a.CurrentA = b.CurrentA
	case b.CurrentA != nil:
		v := a.CurrentA.Min(*b.CurrentA)
		a.CurrentA = &v
	}
	return a
}

// Limit is one statement of a source about one node.
type Limit struct {
	Source string
	ID     string // chosen by the source; a new limit of the same id replaces the old one
	Node   string // "" means the root
	Values
	Issued   time.Time     // when the source says it made it; zero: unknown, then order and age are not checked
	Validity time.Duration // from Issued on; 0: until released
	Priority int           // only decides who is named when two limits are equally strict; higher first
	Retained bool          // the message was a retained one: refused, because it may be old
}

// Code says why a statement was refused; it is part of the MQTT interface and never changes its spelling.
type Code string

const (
	Accepted      Code = "accepted"
	Expired       Code = "expired"        // it was no longer valid when it came
	Retained      Code = "retained"       // set topics take no retained messages
	Negative      Code = "negative"       // a value or the validity is below zero
	NotFinite     Code = "not_finite"     // a value is NaN or infinite
	UnknownNode   Code = "unknown_node"   // the site has no such node
	UnknownSource Code = "unknown_source" // the source is not configured
	OutOfOrder    Code = "out_of_order"   // an equally new or newer statement with this id is known
	NoValue       Code = "no_value"       // it states nothing
	NoID          Code = "no_id"          // it has no id
	FromFuture    Code = "from_future"    // its time is far ahead of the site's clock
	NotFound      Code = "not_found"      // a release of something that is not in force
	TooMany       Code = "too_many"       // the source already holds MaxPerSource limits
	UnknownEVSE   Code = "unknown_evse"   // the site has no such EVSE
	NoVehicle     Code = "no_vehicle"     // the command is for a vehicle, and none is connected
	NotAble       Code = "not_able"       // EVSE or vehicle cannot do that
	Silent        Code = "no_heartbeat"   // an energy guard states a limit without having sent heartbeats
)

// Refusal is the error of Apply and Release.
type Refusal struct {
	Code Code
	Text string
}

// Error returns code and text.
func (r *Refusal) Error() string { return fmt.Sprintf("limit refused (%s): %s", r.Code, r.Text) }

func refuse(c Code, format string, args ...any) error {
	return &Refusal{Code: c, Text: fmt.Sprintf(format, args...)}
}

// Source is a configured origin of limits.
type Source struct {
	Name string
	// Failsafe applies to FailsafeNode once a limit of this source expired, until the source speaks again. An empty
	// Failsafe means that expiry sets free.
	Failsafe     Values
	FailsafeNode string // "" means the root
	// Silence makes the failsafe apply also when the source said nothing at all for this long (its limits, releases and
	// heartbeats count); 0: never. A source with Silence that has not spoken since the start is silent from the start on.
	Silence time.Duration
	React   time.Duration // how long a node may stay above a limit of this source after it came; 0 means 5 s
}

// Bound is the strictest statement about one quantity at one node.
type Bound struct {
	Value    float64 // A or W
	Source   string
	ID       string // "failsafe" for a failsafe
	Priority int
	React    time.Duration
}

// Effective is what is in force at one node; nil is no limit.
type Effective struct {
	Node    string
	ImportW *Bound
	ExportW *Bound
	Current [3]*Bound
}

func stricter(have *Bound, b Bound) *Bound {
	if have == nil || b.Value < have.Value || (b.Value == have.Value && better(b, *have)) {
		return &b
	}
	return have
}

func better(a, b Bound) bool {
	if a.Priority != b.Priority {
		return a.Priority > b.Priority
	}
	if a.Source != b.Source {
		return a.Source < b.Source
	}
	return a.ID < b.ID
}

// Tighten enters another statement; b's Value is taken from v.
func (e *Effective) Tighten(v Values, b Bound) { e.merge(v, b) }

func (e *Effective) merge(v Values, b Bound) {
	if v.ImportW != nil {
		b.Value = float64(*v.ImportW)
		e.ImportW = stricter(e.ImportW, b)
	}
	if v.ExportW != nil {
		b.Value = float64(*v.ExportW)
		e.ExportW = stricter(e.ExportW, b)
	}
	if v.CurrentA != nil {
		for p, a := range v.CurrentA {
			b.Value = float64(a)
			e.Current[p] = stricter(e.Current[p], b)
		}
	}
}
