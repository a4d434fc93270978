// Package din is the vehicle's side of a DIN SPEC 70121 session, from supportedAppProtocol to SessionStop, as a machine
// without I/O. It obeys the limits that the EVSE tells it, ends its charging when it is asked to, and takes every failure
// code for what it is. Chargers in the field give session identifiers of one to eight octets; it takes what it is given.
//
// Each step of the dialogue is a state: what it sends, and what it does with the response. Package actors/sim/ev drives it.
package din
