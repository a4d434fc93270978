package controller

import (
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/test/virtual"
)

// crowd is a listener at which a test lets connections arrive.
type crowd struct{ arriving chan net.Conn }

func (c crowd) Accept() (net.Conn, error) {
	if a, ok := <-c.arriving; ok {
		return a, nil
	}
	return nil, errors.New("closed")
}
func (c crowd) Close() error   { return nil }
func (c crowd) Addr() net.Addr { return &net.TCPAddr{} }

// from is one end of a pipe with an address.
type from struct {
	net.Conn
	addr   net.Addr
	closed *bool
}

func (f from) RemoteAddr() net.Addr { return f.addr }
func (f from) Close() error         { *f.closed = true; return f.Conn.Close() }

func knock(c crowd, ip string) (closed *bool) {
	a, _ := net.Pipe()
	closed = new(bool)
	c.arriving <- from{a, &net.TCPAddr{IP: net.ParseIP(ip), Port: 4711}, closed}
	return closed
}

func TestConnectionsAreBounded(t *testing.T) {
	c := crowd{make(chan net.Conn, 10)}
	g := newGate(c, Bounds{Connections: 2}, kit.NewEnv(zerolog.Nop()).Metrics.BadInput)
	knock(c, "10.0.0.1")
	knock(c, "10.0.0.2")
	first, _ := g.Accept()
	if _, err := g.Accept(); err != nil {
		t.Fatal(err)
	}
	refused := knock(c, "10.0.0.3")
	close(c.arriving)
	if x, err := g.Accept(); err == nil || !*refused {
		t.Fatalf("a third connection came in: %v", x)
	}
	for range 2 { // counts once
		_ = first.Close()
	}
	if why := g.(*gate).enter(first.RemoteAddr(), time.Now()); why != "" {
		t.Errorf("refused after one had left: %s", why)
	}
	if why := g.(*gate).enter(first.RemoteAddr(), time.Now()); why == "" {
		t.Error("two came in where one had left")
	}
}

func TestHandshakesOfAnAddressAreBounded(t *testing.T) {
	virtual.Test(t, func(t *testing.T) {
		g := newGate(crowd{}, Bounds{Handshakes: 5}, kit.NewEnv(zerolog.Nop()).Metrics.BadInput).(*gate)
		knocks := func(ip string, n int) (in int) {
			for i := range n {
				if g.enter(&net.TCPAddr{IP: net.ParseIP(ip), Port: i}, time.Now()) == "" {
					in++
				}
			}
			return in
		}
		if n := knocks("10.0.0.1", 300); n != 100 {
			t.Errorf("%d came in at once, want 100", n)
		}
		if n := knocks("10.0.0.2", 10); n != 10 {
			t.Errorf("%d of another address came in, want all", n)
		}
		time.Sleep(2 * time.Second)
		if n := knocks("10.0.0.1", 300); n != 10 {
			t.Errorf("%d came in after two seconds, want 10", n)
		}
		for i := range 2 * maxAddresses {
			knocks(fmt.Sprintf("fd00::%x", i), 1)
		}
		if len(g.from) > maxAddresses+1 {
			t.Errorf("%d addresses are remembered", len(g.from))
		}
	})
}
