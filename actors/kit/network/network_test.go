package network

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/voltyard/voltyard/test/virtual"
)

// Both networks keep the same promises.
func TestNetworks(t *testing.T) {
	t.Run("real", func(t *testing.T) { promises(t, Real{}) })
	t.Run("memory", func(t *testing.T) {
		virtual.Test(t, func(t *testing.T) { promises(t, NewMemory()) })
	})
}

func promises(t *testing.T, n Network) {
	ctx := context.Background()
	l, err := n.ListenSECC(ctx, Loopback)
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if port < 49152 {
		t.Errorf("port %d is no dynamic one; vehicles refuse it", port)
	}
	ev, err := n.DialSECC(ctx, Loopback, netip.AddrPortFrom(netip.IPv6Loopback(), uint16(port)))
	if err != nil {
		t.Fatal(err)
	}
	se, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if !OnLink(Loopback, se.RemoteAddr()) || OnLink("eth0", se.RemoteAddr()) {
		t.Errorf("%v is on link on lo only", se.RemoteAddr())
	}
	if _, err := ev.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 5)
	if _, err := io.ReadFull(se, b); err != nil || string(b) != "hello" {
		t.Fatalf("%q, %v", b, err)
	}
	_ = se.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if _, err := se.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read after the deadline: %v", err)
	}
	_ = ev.Close()
	_ = se.SetReadDeadline(time.Time{})
	if _, err := se.Read(b); !errors.Is(err, io.EOF) {
		t.Errorf("read after the other end closed: %v", err)
	}
	_ = se.Close()
	_ = l.Close()
	if _, err := n.DialSECC(ctx, Loopback, netip.AddrPortFrom(netip.IPv6Loopback(), uint16(port))); err == nil {
		t.Error("connected to a closed listener")
	}

	sdp, err := n.ListenSDP(ctx, Loopback, 35118)
	if err != nil {
		t.Fatal(err)
	}
	ask, to, err := n.OpenSDP(ctx, Loopback, 35118)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ask.WriteTo([]byte("request"), to); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64)
	k, from, err := sdp.ReadFrom(buf)
	if err != nil || string(buf[:k]) != "request" || !OnLink(Loopback, from) {
		t.Fatalf("%q from %v, %v", buf[:k], from, err)
	}
	if _, err := sdp.WriteTo([]byte("response"), from); err != nil {
		t.Fatal(err)
	}
	_ = ask.SetReadDeadline(time.Now().Add(time.Second))
	if k, _, err = ask.ReadFrom(buf); err != nil || string(buf[:k]) != "response" {
		t.Fatalf("%q, %v", buf[:k], err)
	}
	_ = ask.Close()
	_ = sdp.Close()
}
