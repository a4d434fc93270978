// Package v2 is the supply equipment's side of an ISO 15118-2 session, from SessionSetup to SessionStop, as a machine
// without I/O. Each state is one file with one handler: it takes a request and returns the response and the next state.
//
// Whatever goes wrong, the response is of the type that matches the request, with the standard's code ([V2G2-459],
// [V2G2-538]); then the contactor is asked to open and the connection to close.
// Package handshake creates the machine; nothing else should.
package v2
