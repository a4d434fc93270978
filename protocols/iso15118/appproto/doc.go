// Package appproto is the supported application protocol handshake that opens
// every session: the vehicle lists the protocols it speaks with priorities, and
// the charging station picks one. It travels under V2GTP payload type 0x8001.
//
// All types are generated. Decode reads either message; AppendEXI writes one.
// The state machines of the vehicle and of the station call it.
package appproto
