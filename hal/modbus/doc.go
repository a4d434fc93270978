// Package modbus is a Modbus client: function codes 1 to 6, 15, 16 and 23 over TCP, over serial lines (RTU) and over serial
// lines behind a TCP gateway (RTU frames over TCP).
//
// A Bus is one line or connection. It lets one transaction at a time on the wire, in the order in which they were asked for,
// and comes back by itself after its link was lost. A Client is one unit on a bus. What the values mean stands one package
// further: hal/modbus/registermap for meters described in a file, hal/modbus/sunspec for those that describe themselves.
//
// Sources: MODBUS Application Protocol Specification V1.1b3; MODBUS over Serial Line V1.02; MODBUS Messaging on TCP/IP
// Implementation Guide V1.0b.
package modbus
