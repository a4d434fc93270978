// Package dc holds the ISO 15118-20 messages for
// DC charging, also bidirectional.
// Decode returns a Message, a sealed interface to switch on; the types of the
// message header and of quantities are those of package common. It travels
// under V2GTP payload type 0x8004.
//
// All types are generated; the state machines for ISO 15118-20 call the package.
package dc
