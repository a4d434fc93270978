package kit

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// Timers are the timers of one actor. Make them in Started, ask Due for each Fired, and call StopAll in Stopping.
// A timer that was set again or stopped never counts as due, even when its message is already in the mailbox.
type Timers struct {
	root *actor.RootContext
	self *actor.PID
	gen  uint64
	set  map[string]*timer
}

type timer struct {
	t   *time.Timer
	gen uint64
}

// Fired is the message of a timer. Pass it to Due first.
type Fired struct {
	Key string
	gen uint64
}

// NewTimers makes the timers of the actor of this context.
func NewTimers(ctx actor.Context) *Timers {
	return &Timers{root: ctx.ActorSystem().Root, self: ctx.Self(), set: map[string]*timer{}}
}

// Set starts the timer with this key, or starts it anew.
func (t *Timers) Set(key string, d time.Duration) {
	t.Stop(key)
	t.gen++
	f := Fired{Key: key, gen: t.gen}
	root, self := t.root, t.self
	t.set[key] = &timer{t: time.AfterFunc(max(d, 0), func() { root.Send(self, f) }), gen: t.gen}
}

// SetAt starts the timer for an instant; a zero instant stops it.
func (t *Timers) SetAt(key string, at time.Time) {
	if at.IsZero() {
		t.Stop(key)
		return
	}
	t.Set(key, time.Until(at))
}

// Running reports whether the timer with this key is set.
func (t *Timers) Running(key string) bool { return t.set[key] != nil }

// Stop stops the timer with this key.
func (t *Timers) Stop(key string) {
	if old := t.set[key]; old != nil {
		old.t.Stop()
		delete(t.set, key)
	}
}

// StopAll stops all of them.
func (t *Timers) StopAll() {
	for key := range t.set {
		t.Stop(key)
	}
}

// Due reports whether this firing is the one last set, and forgets the timer if so.
func (t *Timers) Due(f Fired) bool {
	if now := t.set[f.Key]; now == nil || now.gen != f.gen {
		return false
	}
	delete(t.set, f.Key)
	return true
}
