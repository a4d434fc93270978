// Package guard holds the sources of limits that are more than single statements: a grid operator's energy guard with
// heartbeats (EEBUS LPC and LPP, package lpc), the contacts of a receiver (package grid), and a schedule of the site's own. A
// Guard says at any time which values its source demands; the balancer enters them in its limits.Book as one limit without
// validity, so that they count at their node like every other limit.
//
// It is pure and has no clock. now carries a monotonic reading, which all spans are measured with; only schedules read the
// wall clock, anew each time, so that a clock that is set does not keep an old hour alive.
package guard

import (
	"fmt"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/limits"
	"github.com/voltyard/voltyard/site/limits/grid"
	"github.com/voltyard/voltyard/site/limits/lpc"
)

// Config describes one guard. Exactly one of LPC (with or without Contacts) and Periods is used, or Contacts alone.
type Config struct {
	Source string // name in the book
	Node   string
	LPC    *lpc.Config
	// Contacts are what is wired to the site's inputs: a receiver's relays; for LPC, contacts whose limit counts as the guard's
	// writes while the inputs can be read, which counts as its heartbeat.
	Contacts []Contact
	Debounce time.Duration // see grid.Inputs
	Stale    time.Duration
	Failsafe limits.Values // of Contacts when they cannot be read; empty: the strictest of them
	Periods  []Period
	Zone     *time.Location // of Periods; nil means UTC
	// Delay is the longest random delay of a change by schedule, and of the first one after the start; 0: none.
	Delay time.Duration
}

// Contact is a relay contact at one of the site's inputs.
type Contact struct {
	Input string // id of the input
	grid.Contact
}

// Period is a part of days in which Values hold.
type Period struct {
	Days     [7]bool // by time.Weekday; all false means every day
	From, To time.Duration
	Values   limits.Values
}

// Guard is one source.
type Guard struct {
	c      Config
	lpc    *lpc.Machine
	relays *grid.Relays
	delay  grid.Delay
	random func() float64
	closed []bool
	heard  []time.Time // per contact

	wired   limits.Values // what the contacts last wrote to the LPC machine
	written bool
	planned limits.Values // what the schedule says, after its delay
	wanted  limits.Values
	begun   bool
}

// New returns a guard at its start: until it has heard anything its failsafe holds. random gives numbers in [0, 1).
func New(now time.Time, c Config, random func() float64) (*Guard, error) {
	g := &Guard{c: c, random: random, delay: grid.Delay{Longest: c.Delay}}
	var err error
	if c.LPC != nil {
		if g.lpc, err = lpc.New(now, *c.LPC); err != nil {
			return nil, fmt.Errorf("limit source %s: %w", c.Source, err)
		}
	}
	if len(c.Contacts) > 0 {
		in := grid.Inputs{Debounce: c.Debounce, Stale: c.Stale, Failsafe: c.Failsafe}
		for _, x := range c.Contacts {
			in.Contacts = append(in.Contacts, x.Contact)
		}
		if g.relays, err = grid.NewRelays(in); err != nil {
			return nil, fmt.Errorf("limit source %s: %w", c.Source, err)
		}
		g.closed, g.heard = make([]bool, len(c.Contacts)), make([]time.Time, len(c.Contacts))
	}
	if g.lpc == nil && g.relays == nil && len(c.Periods) == 0 {
		return nil, fmt.Errorf("limit source %s: it has neither a guard, contacts nor a schedule", c.Source)
	}
	return g, nil
}

// Source is the name of the guard's source.
func (g *Guard) Source() string { return g.c.Source }

// Node is where its values hold.
func (g *Guard) Node() string { return g.c.Node }

// Statements reports whether the source speaks in messages, so that limits with its name are for Write.
func (g *Guard) Statements() bool { return g.lpc != nil }

// Inputs names the inputs that the guard listens to.
func (g *Guard) Inputs() []string {
	out := make([]string, len(g.c.Contacts))
	for i, c := range g.c.Contacts {
		out[i] = c.Input
	}
	return out
}

// Read takes the state of one input, true for closed.
func (g *Guard) Read(now time.Time, input string, closed bool) {
	mine := false
	for i := range g.c.Contacts {
		if g.c.Contacts[i].Input == input {
			g.closed[i], g.heard[i], mine = closed, now, true
		}
	}
	if !mine || g.Deaf(now) {
		return
	}
	g.relays.Read(now, g.closed)
	if g.lpc != nil {
		g.lpc.Heartbeat(now)
		g.writeContacts(now)
	}
}

// Deaf reports whether one of the inputs has not been read for too long, which makes the others worthless too.
func (g *Guard) Deaf(now time.Time) bool {
	for _, at := range g.heard {
		if at.IsZero() || now.Sub(at) >= g.stale() {
			return true
		}
	}
	return false
}

func (g *Guard) stale() time.Duration {
	if g.c.Stale == 0 {
		return 5 * time.Second
	}
	return g.c.Stale
}

// writeContacts hands what the contacts say to the LPC machine, on every change.
func (g *Guard) writeContacts(now time.Time) {
	v, _ := g.relays.Values(now)
	if g.written && same(v, g.wired) {
		return
	}
	w := lpc.Write{}
	power := v.ImportW
	if g.c.LPC.Direction == lpc.Production {
		power = v.ExportW
	}
	if power != nil {
		w = lpc.Write{Active: true, Value: g.signed(*power)}
	}
	if g.lpc.Write(now, w) == nil {
		g.wired, g.written = v, true
	}
}

// signed is a power of a limit in the sign of the use case's wire.
func (g *Guard) signed(w si.Watts) si.Watts {
	if g.c.LPC.Direction == lpc.Production {
		return -w
	}
	return w
}

// Heartbeat is a sign of life of an energy guard.
func (g *Guard) Heartbeat(now time.Time) {
	if g.lpc != nil {
		g.lpc.Heartbeat(now)
	}
}

// Write takes a statement of an energy guard. A statement without a value for the guard's direction, and a release, mean
// that no limit is needed.
func (g *Guard) Write(now time.Time, v limits.Values, valid time.Duration, release bool) error {
	if g.lpc == nil {
		return &limits.Refusal{Code: limits.UnknownSource, Text: "source " + g.c.Source + " takes no messages"}
	}
	w := lpc.Write{Duration: valid}
	power := v.ImportW
	if g.c.LPC.Direction == lpc.Production {
		power = v.ExportW
	}
	switch {
	case release:
	case power == nil:
		return &limits.Refusal{Code: limits.NoValue, Text: "an energy guard states import_w (LPC) or export_w (LPP); use release when no limit is needed"}
	default:
		w.Active, w.Value = true, g.signed(*power)
	}
	if err := g.lpc.Write(now, w); err != nil {
		return &limits.Refusal{Code: limits.Silent, Text: err.Error()}
	}
	return nil
}

// SetFailsafe takes a new failsafe value of an energy guard.
func (g *Guard) SetFailsafe(now time.Time, power si.Watts, duration time.Duration) error {
	if g.lpc == nil {
		return &limits.Refusal{Code: limits.UnknownSource, Text: "source " + g.c.Source + " has no failsafe to be set"}
	}
	if err := g.lpc.SetFailsafe(now, power, duration); err != nil {
		return &limits.Refusal{Code: limits.Negative, Text: err.Error()}
	}
	return nil
}

// Values returns what the source demands at now, a word on why, and when that may change by itself (zero: not).
func (g *Guard) Values(now time.Time) (v limits.Values, why string, next time.Time) {
	switch {
	case g.lpc != nil:
		g.lpc.Tick(now)
		if g.relays != nil {
			if g.Deaf(now) {
				g.written = false // what the contacts say when they come back is a new statement
			}
		}
		if w, ok := g.lpc.Limit(); ok {
			if g.c.LPC.Direction == lpc.Production {
				v.ExportW = &w
			} else {
				v.ImportW = &w
			}
		}
		s, _ := g.lpc.State()
		return v, s.String(), g.lpc.Next()
	case g.relays != nil:
		if g.Deaf(now) {
			return g.relays.Failsafe(), "stale", time.Time{}
		}
		for _, at := range g.heard {
			if at = at.Add(g.stale()); next.IsZero() || at.Before(next) {
				next = at
			}
		}
		v, why = g.relays.Values(now)
		return v, why, next
	}
	return g.schedule(now)
}

// schedule is what the site's own periods say, each change put off by a random time if there is a delay.
func (g *Guard) schedule(now time.Time) (limits.Values, string, time.Time) {
	v, next := g.scheduled(now)
	if !g.begun {
		g.begun, g.wanted, g.planned = true, v, v
		if g.c.Delay > 0 { // the mains may just have come back everywhere
			g.planned = g.strictest()
			g.delay.Start(now, g.random())
		}
	}
	if !same(v, g.wanted) {
		g.wanted = v
		if g.c.Delay > 0 {
			g.delay.Start(now, g.random())
		}
	}
	if until, waits := g.delay.Waiting(now); waits {
		if until.Before(next) || next.IsZero() {
			next = until
		}
		return g.planned, "schedule, changes at random", next
	}
	g.planned = g.wanted
	return g.planned, "schedule", next
}

// strictest is the smallest of every value that the schedule ever states.
func (g *Guard) strictest() limits.Values {
	var v limits.Values
	for i := range g.c.Periods {
		v = limits.Strictest(v, g.c.Periods[i].Values)
	}
	return v
}

// scheduled is what the periods say, and when to look again: at the next full minute.
func (g *Guard) scheduled(now time.Time) (limits.Values, time.Time) {
	zone := g.c.Zone
	if zone == nil {
		zone = time.UTC
	}
	at := now.In(zone)
	day := time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute + time.Duration(at.Second())*time.Second
	var v limits.Values
	for i := range g.c.Periods {
		if g.c.Periods[i].covers(at.Weekday(), day) {
			v = limits.Strictest(v, g.c.Periods[i].Values)
		}
	}
	return v, now.Add(time.Minute - day%time.Minute)
}

// covers reports whether a time of day lies in the period. A period whose end is not after its begin runs past midnight.
func (p *Period) covers(day time.Weekday, at time.Duration) bool {
	on := func(d time.Weekday) bool { return p.Days == [7]bool{} || p.Days[d] }
	if p.From < p.To {
		return on(day) && at >= p.From && at < p.To
	}
	return on(day) && at >= p.From || on((day+6)%7) && at < p.To
}

func same(a, b limits.Values) bool {
	w := func(x, y *si.Watts) bool { return (x == nil) == (y == nil) && (x == nil || *x == *y) }
	return w(a.ImportW, b.ImportW) && w(a.ExportW, b.ExportW) && (a.CurrentA == nil) == (b.CurrentA == nil) &&
		(a.CurrentA == nil || *a.CurrentA == *b.CurrentA)
}
