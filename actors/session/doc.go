// Package session is the actor of one vehicle's communication: it listens for the one connection of its vehicle, reads
// V2GTP messages, feeds the SECC machine, and carries out what the machine asks for.
//
// Bytes become messages in the machine (protocols/iso15118/secc/handshake and what it hands over to); this actor owns the
// socket, the deadline, the trace, and the words exchanged with its EVSE. Only an EVSE spawns it, under a new generation each
// time. FAILURES.md beside this file says what each failure class means and what to look at.
package session
