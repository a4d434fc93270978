// Package lpc is the controllable system's side of the EEBUS use cases LPC (limitation of power consumption) and LPP
// (production): which limit of the grid operator's energy guard is in force, and what holds when the guard falls silent.
//
// It is a machine without clock or I/O: heartbeats and writes come in with their time, whatever transport they came by. Its
// value belongs into a limits.Book as a limit without validity of the source that is the guard. The balancer or the actor of the
// transport owns a Machine; nobody else calls it.
//
// Two choices go beyond what the use cases demand, because silence must never raise power: until the guard has spoken after
// a start the failsafe value holds, and in the autonomous state the value Config.Autonomous holds, by default the failsafe
// value again.
package lpc

import (
	"fmt"
	"time"

	"github.com/voltyard/voltyard/hal/si"
)

// Times of the use cases.
const (
	HeartbeatTimeout = 120 * time.Second // without heartbeat for this long the guard is lost
	WriteTimeout     = 120 * time.Second // that the guard has to state a limit after the start or its return
	ShortestFailsafe = 2 * time.Hour     // bounds of the failsafe duration minimum
	LongestFailsafe  = 24 * time.Hour
)

// State is one of the five states of a controllable system.
type State uint8

const (
	Init                State = iota // since the start the guard has stated nothing
	UnlimitedControlled              // the guard is there and limits nothing
	Limited                          // the guard's limit is in force
	Failsafe                         // the guard was lost
	UnlimitedAutonomous              // the guard is absent for long, or is back and says nothing
)

// String returns the name used in logs and in the API.
func (s State) String() string {
	switch s {
	case Init:
		return "init"
	case UnlimitedControlled:
		return "unlimited/controlled"
	case Limited:
		return "limited"
	case Failsafe:
		return "failsafe"
	case UnlimitedAutonomous:
		return "unlimited/autonomous"
	}
	return "unknown"
}

// Direction says which use case a machine is for.
type Direction uint8

const (
	Consumption Direction = iota // LPC: limits are >= 0 on the wire
	Production                   // LPP: limits are <= 0 on the wire (production is negative there)
)

// Config is what site file and guard may set.
type Config struct {
	Direction Direction
	Failsafe  si.Watts      // >= 0
	Duration  time.Duration // failsafe duration minimum, 2 h to 24 h; 0 means 2 h
	// Autonomous is the power that the site allows itself in the autonomous state, >= 0; nil means the failsafe value.
	Autonomous *si.Watts
}

func (c *Config) check() error {
	if c.Duration == 0 {
		c.Duration = ShortestFailsafe
	}
	switch {
	case !si.Finite(c.Failsafe) || c.Failsafe < 0:
		return fmt.Errorf("failsafe power %v: want 0 W or more", c.Failsafe)
	case c.Duration < ShortestFailsafe || c.Duration > LongestFailsafe:
		return fmt.Errorf("failsafe duration minimum %v: want %v to %v", c.Duration, ShortestFailsafe, LongestFailsafe)
	case c.Autonomous != nil && (!si.Finite(*c.Autonomous) || *c.Autonomous < 0):
		return fmt.Errorf("power in the autonomous state %v: want 0 W or more", *c.Autonomous)
	}
	return nil
}

// Write is the guard's statement.
type Write struct {
	Active   bool          // false: no limit is needed
	Value    si.Watts      // in the sign of the wire; 0 is a limit of 0
	Duration time.Duration // of validity; 0: until the next write
}

// Machine is one guard's limit.
type Machine struct {
	c     Config
	state State
	since time.Time

	beat    time.Time // last heartbeat; zero: none yet
	alive   bool
	back    time.Time // start of the present unbroken run of heartbeats
	value   si.Watts  // of the active limit, >= 0
	expires time.Time // of the active limit; zero: never
}

// New returns a machine that has just started.
func New(now time.Time, c Config) (*Machine, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	return &Machine{c: c, since: now}, nil
}

// State returns the present state and when it began.
func (m *Machine) State() (State, time.Time) { return m.state, m.since }

// Limit returns the power in force, >= 0; ok is false if there is no limit.
func (m *Machine) Limit() (limit si.Watts, ok bool) {
	switch m.state {
	case Limited:
		return m.value, true
	case Init, Failsafe:
		return m.c.Failsafe, true
	case UnlimitedAutonomous:
		if m.c.Autonomous != nil {
			return *m.c.Autonomous, true
		}
		return m.c.Failsafe, true
	}
	return 0, false
}

func (m *Machine) enter(now time.Time, s State) {
	if m.state != s {
		m.state, m.since = s, now
	}
}

// Heartbeat takes a heartbeat of the guard. It never changes the limit by itself.
func (m *Machine) Heartbeat(now time.Time) {
	m.Tick(now)
	if !m.alive {
		m.alive, m.back = true, now
	}
	m.beat = now
}

// Write takes a statement of the guard. It is refused, and nothing changes, if no heartbeat came before it within
// HeartbeatTimeout, or if its value is none.
func (m *Machine) Write(now time.Time, w Write) error {
	m.Tick(now)
	if !m.alive {
		return fmt.Errorf("a limit without a heartbeat in the last %v", HeartbeatTimeout)
	}
	if !w.Active {
		m.expires = time.Time{}
		m.enter(now, UnlimitedControlled)
		return nil
	}
	v := w.Value
	if m.c.Direction == Production {
		v = -v
	}
	switch {
	case !si.Finite(v):
		return fmt.Errorf("the limit is no number")
	case v < 0:
		return fmt.Errorf("a limit of %v has the wrong sign for its direction", w.Value)
	case w.Duration < 0:
		return fmt.Errorf("a duration of %v", w.Duration)
	}
	m.value, m.expires = v+0, time.Time{}
	if w.Duration > 0 {
		m.expires = now.Add(w.Duration)
	}
	m.enter(now, Limited)
	return nil
}

// SetFailsafe takes new failsafe values from the guard. A running failsafe takes them over at once.
func (m *Machine) SetFailsafe(now time.Time, power si.Watts, duration time.Duration) error {
	c := m.c
	c.Failsafe, c.Duration = power, duration
	if err := c.check(); err != nil {
		return err
	}
	m.c = c
	m.Tick(now)
	return nil
}

// Tick carries out what time alone brings about; it reports whether state or limit changed. Call it at Next.
func (m *Machine) Tick(now time.Time) bool {
	before, limit := m.state, m.value
	for {
		at, act := m.due()
		if at.IsZero() || at.After(now) {
			break
		}
		act(at)
	}
	return before != m.state || limit != m.value
}

// Next returns when Tick must be called; zero: not before the next event.
func (m *Machine) Next() time.Time {
	at, _ := m.due()
	return at
}

// due returns the next thing that time brings about.
func (m *Machine) due() (at time.Time, act func(at time.Time)) {
	sooner := func(t time.Time, f func(at time.Time)) {
		if at.IsZero() || t.Before(at) {
			at, act = t, f
		}
	}
	if m.alive {
		sooner(m.beat.Add(HeartbeatTimeout), func(at time.Time) {
			m.alive = false
			if m.state == Limited || m.state == UnlimitedControlled {
				m.enter(at, Failsafe)
			}
		})
	}
	autonomous := func(at time.Time) { m.enter(at, UnlimitedAutonomous) }
	switch m.state {
	case Init:
		sooner(m.since.Add(WriteTimeout), autonomous)
	case Limited:
		if !m.expires.IsZero() {
			sooner(m.expires, func(at time.Time) { m.enter(at, UnlimitedControlled) })
		}
	case Failsafe:
		if m.alive {
			sooner(m.back.Add(WriteTimeout), autonomous)
		} else {
			sooner(m.since.Add(m.c.Duration), autonomous)
		}
	}
	return at, act
}
