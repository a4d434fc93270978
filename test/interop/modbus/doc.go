// Package modbus proves the Modbus client against servers and masters written by others: pymodbus as a meter on TCP,
// libmodbus as a meter on a serial line (a pseudo terminal pair of socat), mbpoll as a second master that reads what our
// tests' own server holds. In each case the meter drives the balancing of a third-party station in the real voltyard
// program. What is not installed skips.
package modbus
