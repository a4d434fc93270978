// Package evse is the actor of one of the site's own EVSEs. It owns the outlet's hardware, follows the grants of the
// balancer, keeps the contactor in hand, and supervises the communication port and the session of the vehicle.
//
// What the hardware is told is decided in one place, control.decide, from plain values: the pilot, the grant, the
// authorisation, and what the vehicle's session asks for. Everything else here brings those values in and carries the
// decision out, every time something changes and at least four times a second, which also renews the hardware's watchdog.
//
// Only /ems spawns it.
package evse
