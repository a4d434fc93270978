// Package kit is what every actor of Voltyard is made with: the guard around each of them, the nursery by which a parent
// spawns and respawns its children, timers that belong to their actor, credit for readers, and metrics.
//
// The rules it enforces are those of the actor library as it really behaves: an actor is never restarted in place (its
// fields would be lost while its queue and its stale timers live on), a panic while stopping must not hang the stop, and
// timers die with their actor.
package kit
