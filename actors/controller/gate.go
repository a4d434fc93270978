package controller

import (
	"net"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/voltyard/voltyard/actors/kit"
)

// Bounds are what strangers and stations may cost. Zero values are no bound, but where another default is named.
type Bounds struct {
	Frames      int // messages per second of a station on average, and five seconds' worth at once; more are read later, none is lost
	Connections int // open at a listener, handshakes included
	Handshakes  int // per second from one address on average, and twenty seconds' worth at once
	QueueBytes  int // of messages for the CSMS on disk for each station, see localctl.Config
}

// gate is a listener that bounds what it lets in. What is too much is closed at once, before TLS or a password costs anything.
type gate struct {
	net.Listener
	most    int
	rate    int
	refused *prometheus.CounterVec

	mu   sync.Mutex
	open int
	from map[string]*kit.Rate
}

// maxAddresses is how many addresses' handshakes are counted; more share the count of strangers.
const maxAddresses = 4096

func newGate(l net.Listener, b Bounds, refused *prometheus.CounterVec) net.Listener {
	if b.Connections <= 0 && b.Handshakes <= 0 {
		return l
	}
	return &gate{Listener: l, most: b.Connections, rate: b.Handshakes, refused: refused, from: map[string]*kit.Rate{}}
}

// Accept returns the next connection that is within the bounds.
func (g *gate) Accept() (net.Conn, error) {
	for {
		c, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if why := g.enter(c.RemoteAddr(), time.Now()); why != "" {
			g.refused.WithLabelValues("station", why).Inc()
			_ = c.Close()
			continue
		}
		return &counted{Conn: c, g: g}, nil
	}
}

// enter counts a connection, or says why it is refused.
func (g *gate) enter(from net.Addr, now time.Time) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.most > 0 && g.open >= g.most {
		return "connections"
	}
	if g.rate > 0 {
		host, _, err := net.SplitHostPort(from.String())
		if err != nil {
			host = from.String()
		}
		r := g.from[host]
		if r == nil {
			if len(g.from) >= maxAddresses {
				host = ""
				r = g.from[host]
			}
			if r == nil {
				r = &kit.Rate{Burst: 20 * g.rate, Every: time.Second / time.Duration(g.rate)}
				g.from[host] = r
			}
		}
		if !r.Allow(now) {
			return "handshakes"
		}
	}
	g.open++
	return ""
}

// counted is a connection that says when it is closed.
type counted struct {
	net.Conn
	g    *gate
	once sync.Once
}

// Close closes the connection.
func (c *counted) Close() error {
	c.once.Do(func() {
		c.g.mu.Lock()
		c.g.open--
		c.g.mu.Unlock()
	})
	return c.Conn.Close()
}
