// Package din is the supply equipment's side of a DIN SPEC 70121 session: DC charging with external identification, from
// SessionSetup to SessionStop, as a machine without I/O. Each state is one file with one handler: it takes a request and
// returns the response and the next state.
//
// Whatever goes wrong, the response is of the type that matches the request; then everything is asked to open and the
// connection to close. Vehicles in the field send session identifiers of one to eight octets; what was given in
// SessionSetupRes counts, whatever came before. Package handshake creates the machine; nothing else should.
package din
