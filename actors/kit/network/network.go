// Package network gives actors their sockets. An actor gets a Network from outside: Real in the product, Memory in tests, so
// that whole sessions run in virtual time.
//
// Communication with vehicles stays on the link of one interface. Loopback addresses count as link-local on the loopback
// interface, and only there.
package network

import (
	"context"
	"net"
	"net/netip"
)

// Network makes sockets for the communication with vehicles.
type Network interface {
	// ListenSECC listens for TCP on the link-local address of an interface, on a free dynamic port.
	ListenSECC(ctx context.Context, iface string) (net.Listener, error)
	// ListenSDP listens for requests of the SECC discovery protocol on an interface.
	ListenSDP(ctx context.Context, iface string, port int) (net.PacketConn, error)
	// DialSECC connects a vehicle to the address that SDP has told it.
	DialSECC(ctx context.Context, iface string, to netip.AddrPort) (net.Conn, error)
	// OpenSDP opens a vehicle's socket for the discovery protocol, and returns where requests go.
	OpenSDP(ctx context.Context, iface string, port int) (net.PacketConn, net.Addr, error)
}

// Loopback is the name of the interface on which loopback addresses count as link-local.
const Loopback = "lo"

// OnLink reports whether traffic from addr may be that of a vehicle on this interface.
func OnLink(iface string, addr net.Addr) bool {
	var ip netip.Addr
	switch a := addr.(type) {
	case *net.TCPAddr:
		ip, _ = netip.AddrFromSlice(a.IP)
	case *net.UDPAddr:
		ip, _ = netip.AddrFromSlice(a.IP)
	}
	ip = ip.Unmap()
	if iface == Loopback {
		return ip.IsLoopback()
	}
	return ip.IsLinkLocalUnicast()
}
