package evse

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal"
)

const (
	lockTime   = 2 * time.Second          // a lock follows within this, or has failed
	unlockTime = stopTime + 2*time.Second // a vehicle that is asked to stop, and then the lock
)

// lock is the retention lock of the socket. It outlives the vehicle: the plug may stay when the other end is taken off.
type lock struct {
	want   bool      // from an authorisation until the station role lets go
	since  time.Time // since when its feedback differs from what it was told; zero when it does not
	failed bool
	open   time.Time // an Unlock is to be answered until then; zero for none
}

// plugIn reports whether a plug is in the EVSE's own socket.
func (e *EVSE) plugIn() bool {
	return e.cfg.Socket && (e.input.Cable > 0 || e.input.Pilot.Connected())
}

// watchLock compares the lock with what it was told.
func (e *EVSE) watchLock(now time.Time) {
	if !e.cfg.Socket {
		return
	}
	if !e.plugIn() {
		e.lock.want = false
	}
	if e.input.Locked == e.decision.Out.Lock {
		e.lock.since, e.lock.failed = time.Time{}, e.input.Fault == hal.FaultLock
		return
	}
	if e.lock.since.IsZero() {
		e.lock.since = now
	}
	if failed := now.Sub(e.lock.since) > lockTime; failed && !e.lock.failed {
		e.lock.failed = true
		e.log.Error().Bool("told", e.decision.Out.Lock).Msg("the lock of the socket does not follow; no energy flows before it does")
	}
}

// unlock begins to release the plug; the answer follows when the lock says that it has, or cannot.
func (e *EVSE) unlock(ctx actor.Context, now time.Time) {
	e.stop(ctx, "unlock requested")
	e.lock.want, e.lock.open = false, now.Add(unlockTime)
}

// unlocked answers an Unlock that is done.
func (e *EVSE) unlocked(ctx actor.Context, now time.Time) {
	ok := !e.input.Locked && !e.decision.Out.Lock
	if e.lock.open.IsZero() || !ok && now.Before(e.lock.open) {
		return
	}
	e.lock.open = time.Time{}
	ctx.Send(e.env.At(msg.StationName(e.cfg.Station)), msg.Unlocked{EVSE: e.cfg.ID, OK: ok})
}

// shownAgain passes a card on that may end the charging, or free a cable that its vehicle has left.
func (e *EVSE) shownAgain(ctx actor.Context, m msg.Token) bool {
	if m.Kind == "Central" || !e.auth && (e.input.Pilot.Connected() || !e.plugIn()) { // the building's start is no card
		return false
	}
	ctx.Send(e.env.At(msg.StationName(e.cfg.Station)), msg.Authorize{EVSE: e.cfg.ID, Token: m.ID, Kind: m.Kind})
	return true
}
