// Package v2 is the vehicle's side of an ISO 15118-2 session, from supportedAppProtocol to SessionStop, with external
// identification or Plug & Charge, as a machine without I/O. It obeys the limits that the EVSE tells it, ends its charging when it is asked
// to, and takes every failure code for what it is.
//
// Each state is one file: what it sends, and what it does with the response. Package actors/sim/ev drives it.
package v2
