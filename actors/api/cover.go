package api

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// cover is a listener whose Close leaves the one beneath open, so that an actor that was started again can listen on.
type cover struct {
	net.Listener
	closed atomic.Bool
}

// Accept waits for a connection in slices, to see when the cover has been closed.
func (c *cover) Accept() (net.Conn, error) {
	for {
		if c.closed.Load() {
			return nil, net.ErrClosed
		}
		if l, ok := c.Listener.(*net.TCPListener); ok {
			_ = l.SetDeadline(time.Now().Add(time.Second))
		}
		conn, err := c.Listener.Accept()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			continue
		}
		return conn, err
	}
}

// Close ends Accept within a second.
func (c *cover) Close() error {
	c.closed.Store(true)
	if l, ok := c.Listener.(*net.TCPListener); ok {
		_ = l.SetDeadline(time.Now())
	}
	return nil
}
