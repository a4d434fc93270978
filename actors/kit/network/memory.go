package network

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// Memory is a network inside the process, for tests in virtual time: one link for each interface name, with [::1] addresses.
// Writes never block; a connection holds what its reader has not taken yet.
type Memory struct {
	mu   sync.Mutex
	port uint16
	tcp  map[string]*memListener // by interface and port
	udp  map[string]*memPacket
}

// NewMemory makes an empty network.
func NewMemory() *Memory {
	return &Memory{port: 50000, tcp: map[string]*memListener{}, udp: map[string]*memPacket{}}
}

func key(iface string, port int) string { return fmt.Sprintf("%s:%d", iface, port) }

func (n *Memory) free() int {
	n.port++
	return int(n.port)
}

// ListenSECC implements Network.
func (n *Memory) ListenSECC(_ context.Context, iface string) (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := &memListener{net: n, iface: iface, port: n.free(), conns: make(chan net.Conn, 16), done: make(chan struct{})}
	n.tcp[key(iface, l.port)] = l
	return l, nil
}

// DialSECC implements Network.
func (n *Memory) DialSECC(_ context.Context, iface string, to netip.AddrPort) (net.Conn, error) {
	n.mu.Lock()
	l := n.tcp[key(iface, int(to.Port()))]
	local := n.free()
	n.mu.Unlock()
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", io.ErrClosedPipe)}
	if l == nil {
		return nil, refused
	}
	a, b := newHalf(), newHalf()
	ev := &memConn{in: a, out: b, local: tcpAddr(local), remote: tcpAddr(l.port)}
	se := &memConn{in: b, out: a, local: tcpAddr(l.port), remote: tcpAddr(local)}
	select {
	case l.conns <- se:
		return ev, nil
	case <-l.done:
		return nil, refused
	}
}

// ListenSDP implements Network.
func (n *Memory) ListenSDP(_ context.Context, iface string, port int) (net.PacketConn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.udp[key(iface, port)] != nil {
		return nil, fmt.Errorf("listen for discovery on %s port %d: address already in use", iface, port)
	}
	p := &memPacket{net: n, iface: iface, port: port, in: make(chan packet, 64), done: make(chan struct{})}
	n.udp[key(iface, port)] = p
	return p, nil
}

// OpenSDP implements Network.
func (n *Memory) OpenSDP(ctx context.Context, iface string, port int) (net.PacketConn, net.Addr, error) {
	n.mu.Lock()
	own := n.free()
	n.mu.Unlock()
	c, err := n.ListenSDP(ctx, iface, own)
	return c, udpAddr(port), err
}

func tcpAddr(port int) *net.TCPAddr { return &net.TCPAddr{IP: net.IPv6loopback, Port: port} }
func udpAddr(port int) *net.UDPAddr { return &net.UDPAddr{IP: net.IPv6loopback, Port: port} }

type memListener struct {
	net   *Memory
	iface string
	port  int
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *memListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *memListener) Addr() net.Addr { return tcpAddr(l.port) }

func (l *memListener) Close() error {
	l.once.Do(func() {
		l.net.mu.Lock()
		delete(l.net.tcp, key(l.iface, l.port))
		l.net.mu.Unlock()
		close(l.done)
	})
	return nil
}

type packet struct {
	data []byte
	from net.Addr
}

type memPacket struct {
	net   *Memory
	iface string
	port  int
	in    chan packet
	done  chan struct{}
	once  sync.Once

	mu   sync.Mutex
	till time.Time
}

func (p *memPacket) ReadFrom(b []byte) (int, net.Addr, error) {
	p.mu.Lock()
	till := p.till
	p.mu.Unlock()
	var late <-chan time.Time
	if !till.IsZero() {
		t := time.NewTimer(time.Until(till))
		defer t.Stop()
		late = t.C
	}
	select {
	case m := <-p.in:
		return copy(b, m.data), m.from, nil
	case <-p.done:
		return 0, nil, net.ErrClosed
	case <-late:
		return 0, nil, os.ErrDeadlineExceeded
	}
}

func (p *memPacket) WriteTo(b []byte, to net.Addr) (int, error) {
	u, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, fmt.Errorf("write to %v: no UDP address", to)
	}
	p.net.mu.Lock()
	dst := p.net.udp[key(p.iface, u.Port)]
	p.net.mu.Unlock()
	if dst != nil {
		select {
		case dst.in <- packet{append([]byte(nil), b...), udpAddr(p.port)}:
		default: // lost, as datagrams are
		}
	}
	return len(b), nil
}

func (p *memPacket) Close() error {
	p.once.Do(func() {
		p.net.mu.Lock()
		delete(p.net.udp, key(p.iface, p.port))
		p.net.mu.Unlock()
		close(p.done)
	})
	return nil
}

func (p *memPacket) LocalAddr() net.Addr { return udpAddr(p.port) }
func (p *memPacket) SetDeadline(t time.Time) error {
	return p.SetReadDeadline(t)
}
func (p *memPacket) SetReadDeadline(t time.Time) error {
	p.mu.Lock()
	p.till = t
	p.mu.Unlock()
	return nil
}
func (p *memPacket) SetWriteDeadline(time.Time) error { return nil }

// half is one direction of a connection.
type half struct {
	mu   sync.Mutex
	cond *sync.Cond
	buf  []byte
	end  bool
}

func newHalf() *half {
	h := &half{}
	h.cond = sync.NewCond(&h.mu)
	return h
}

func (h *half) close() {
	h.mu.Lock()
	h.end = true
	h.cond.Broadcast()
	h.mu.Unlock()
}

type memConn struct {
	in, out       *half
	local, remote net.Addr
	mu            sync.Mutex
	timer         *time.Timer
	late          bool
}

func (c *memConn) Read(b []byte) (int, error) {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	for len(c.in.buf) == 0 {
		switch {
		case c.isLate():
			return 0, os.ErrDeadlineExceeded
		case c.in.end:
			return 0, io.EOF
		}
		c.in.cond.Wait()
	}
	n := copy(b, c.in.buf)
	c.in.buf = c.in.buf[n:]
	return n, nil
}

func (c *memConn) isLate() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.late
}

func (c *memConn) Write(b []byte) (int, error) {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if c.out.end {
		return 0, io.ErrClosedPipe
	}
	c.out.buf = append(c.out.buf, b...)
	c.out.cond.Broadcast()
	return len(b), nil
}

func (c *memConn) Close() error {
	_ = c.SetReadDeadline(time.Time{})
	c.in.close()
	c.out.close()
	return nil
}

func (c *memConn) LocalAddr() net.Addr              { return c.local }
func (c *memConn) RemoteAddr() net.Addr             { return c.remote }
func (c *memConn) SetDeadline(t time.Time) error    { return c.SetReadDeadline(t) }
func (c *memConn) SetWriteDeadline(time.Time) error { return nil }

func (c *memConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer != nil {
		c.timer.Stop()
	}
	c.late, c.timer = false, nil
	if !t.IsZero() {
		c.timer = time.AfterFunc(time.Until(t), func() {
			c.mu.Lock()
			c.late = true
			c.mu.Unlock()
			c.in.mu.Lock()
			c.in.cond.Broadcast()
			c.in.mu.Unlock()
		})
	}
	return nil
}
