package network

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// Real makes sockets of the operating system.
type Real struct{}

// allNodes is the multicast group that vehicles send discovery requests to.
var allNodes = net.ParseIP("ff02::1")

// ListenSECC implements Network. Right after an interface comes up its link-local address cannot be used yet (duplicate
// address detection); the caller tries again.
func (Real) ListenSECC(ctx context.Context, iface string) (net.Listener, error) {
	addr, err := linkLocal(iface)
	if err != nil {
		return nil, err
	}
	lc := net.ListenConfig{Control: bind(iface, false)}
	for range portTries {
		port := firstPort + uint16(rand.IntN(math.MaxUint16-firstPort+1))
		var l net.Listener
		if l, err = lc.Listen(ctx, "tcp6", netip.AddrPortFrom(addr, port).String()); err == nil {
			return l, nil
		}
		if !errors.Is(err, unix.EADDRINUSE) {
			break
		}
	}
	return nil, fmt.Errorf("listen for vehicles on %s: %w", iface, err)
}

// Ports for vehicles are dynamic ones (ISO 15118-2, table 15: 49152 to 65535); some vehicles refuse others, and the operating
// system chooses among more.
const (
	firstPort = 49152
	portTries = 50
)

// ListenSDP implements Network. On loopback, where multicast does not work, it answers requests sent to [::1].
func (Real) ListenSDP(ctx context.Context, iface string, port int) (net.PacketConn, error) {
	host := "::"
	if iface == Loopback {
		host = "::1"
	}
	lc := net.ListenConfig{Control: bind(iface, true)}
	c, err := lc.ListenPacket(ctx, "udp6", net.JoinHostPort(host, fmt.Sprint(port)))
	if err != nil {
		return nil, fmt.Errorf("listen for discovery on %s port %d: %w", iface, port, err)
	}
	if iface != Loopback {
		ifi, err := net.InterfaceByName(iface)
		if err == nil {
			err = ipv6.NewPacketConn(c).JoinGroup(ifi, &net.UDPAddr{IP: allNodes})
		}
		if err != nil && !errors.Is(err, unix.EADDRINUSE) { // every node is in the group of all nodes already
			_ = c.Close()
			return nil, fmt.Errorf("listen for discovery on %s: %w", iface, err)
		}
	}
	return c, nil
}

// DialSECC implements Network.
func (Real) DialSECC(ctx context.Context, iface string, to netip.AddrPort) (net.Conn, error) {
	if iface != Loopback {
		to = netip.AddrPortFrom(to.Addr().WithZone(iface), to.Port())
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp6", to.String())
	if err != nil {
		return nil, fmt.Errorf("connect to the SECC on %s: %w", iface, err)
	}
	return c, nil
}

// OpenSDP implements Network.
func (Real) OpenSDP(ctx context.Context, iface string, port int) (net.PacketConn, net.Addr, error) {
	to := &net.UDPAddr{IP: net.IPv6loopback, Port: port}
	host := "::1"
	if iface != Loopback {
		to = &net.UDPAddr{IP: allNodes, Port: port, Zone: iface}
		addr, err := linkLocal(iface)
		if err != nil {
			return nil, nil, err
		}
		host = addr.String()
	}
	var lc net.ListenConfig
	c, err := lc.ListenPacket(ctx, "udp6", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, nil, fmt.Errorf("open discovery on %s: %w", iface, err)
	}
	return c, to, nil
}

// linkLocal is the link-local address of an interface, with its zone; [::1] of the loopback interface.
func linkLocal(iface string) (netip.Addr, error) {
	if iface == Loopback {
		return netip.IPv6Loopback(), nil
	}
	ifi, err := net.InterfaceByName(iface)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("interface %s: %w; name an interface of this machine", iface, err)
	}
	addrs, err := ifi.Addrs()
	if err != nil {
		return netip.Addr{}, fmt.Errorf("interface %s: %w", iface, err)
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok {
			if ip, ok := netip.AddrFromSlice(n.IP); ok && ip.Is6() && !ip.Is4In6() && ip.IsLinkLocalUnicast() {
				return ip.WithZone(iface), nil
			}
		}
	}
	return netip.Addr{}, fmt.Errorf("interface %s has no IPv6 link-local address; switch IPv6 on for it", iface)
}

// bind ties a socket to its interface, so that the same port can serve every interface by itself.
func bind(iface string, shared bool) func(string, string, syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error {
		var err error
		ctl := c.Control(func(fd uintptr) {
			if shared {
				err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
			}
			if err == nil && iface != Loopback {
				err = unix.BindToDevice(int(fd), iface)
			}
		})
		return errors.Join(ctl, err)
	}
}
