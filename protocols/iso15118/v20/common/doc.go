// Package common holds the ISO 15118-20 messages that all energy transfer
// services share, and the types of the CommonTypes schema, which the packages
// of the services reuse. Decode returns a Message, a sealed interface to switch
// on. It travels under V2GTP payload type 0x8002.
//
// The types are generated; the state machines for ISO 15118-20 call the package.
package common
