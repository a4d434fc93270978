// Package ocppbench measures the local controller as a process of its own between a thousand stations and a minimal CSMS, all
// on loopback: how many transaction events it relays and understands, what it adds to the way of one, what a connection costs
// in memory, and whether stations that never answer make others wait. Stations and CSMS run in the bench's process and take
// their share of the same processors.
package ocppbench
