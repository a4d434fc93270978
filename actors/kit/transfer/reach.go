package transfer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"
)

// ErrHere says that a URL leads to this machine itself, or to a link of its own.
var ErrHere = errors.New("it leads to this machine itself, and files of this machine are not allowed (csms.local_files in the site file)")

// here tells whether an address is this machine's or of one of its links: whoever writes URLs could make this process talk to its
// own API, or to what trusts its neighbours. own are the addresses of this machine's interfaces.
func here(a netip.Addr, own []netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if a.IsLoopback() || a.IsUnspecified() || a.IsLinkLocalUnicast() || a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return true
	}
	for _, o := range own {
		if a == o {
			return true
		}
	}
	return false
}

// interfaces are the addresses of this machine.
func interfaces() (out []netip.Addr) {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, x := range list {
		if p, err := netip.ParsePrefix(x.String()); err == nil {
			out = append(out, p.Addr().Unmap().WithZone(""))
		}
	}
	return out
}

// away refuses an address, host:port after the resolution of the name, that leads here.
func away(addr string) error {
	a, err := netip.ParseAddrPort(addr)
	if err != nil {
		return &Final{fmt.Errorf("%q is no address", addr)}
	}
	if here(a.Addr(), interfaces()) {
		return &Final{fmt.Errorf("%s: %w", a.Addr(), ErrHere)}
	}
	return nil
}

// dial connects. Addresses are looked at when the socket is about to connect: a name may resolve to another one each time, and a
// redirection leads to another name. What a dialer of the configuration has connected is looked at before anything is written.
// proxies are those of the system's configuration, which may be here.
func (c Config) dial(proxies *proxies) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		free := c.Local || proxies.has(addr)
		if c.Dial == nil {
			d := net.Dialer{Timeout: 30 * time.Second}
			if !free {
				d.ControlContext = func(_ context.Context, network, addr string, _ syscall.RawConn) error {
					if !strings.HasPrefix(network, "tcp") {
						return &Final{fmt.Errorf("%s is not TCP", network)}
					}
					return away(addr)
				}
			}
			return d.DialContext(ctx, network, addr)
		}
		conn, err := c.Dial(ctx, network, addr)
		if err != nil || free {
			return conn, err
		}
		if _, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
			if err := away(conn.RemoteAddr().String()); err != nil {
				_ = conn.Close()
				return nil, err
			}
		}
		return conn, nil
	}
}
