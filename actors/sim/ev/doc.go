// Package ev simulates electric vehicles: a battery, a driver who comes and goes, and the communication of ISO 15118 over
// real sockets, or none, just the pilot's duty cycle. A vehicle knows only its end of the cable (hal/sim.Cable) and the
// interface; it obeys the limits it is told.
//
// Fleet is the actor that has vehicles arrive, and counts how they fared. The demo and the tests use it.
package ev
