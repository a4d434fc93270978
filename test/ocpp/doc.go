// Package ocpp tests the OCPP side of a site over real sockets: stations, the local controller and a CSMS together.
package ocpp
