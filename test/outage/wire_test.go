package outage

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// fault is what happens to the link to the cloud.
type fault int

const (
	cut   fault = iota // every connection ends, and none can be made for a while
	drop               // one connection ends, after what crossed it last was lost
	stall              // one connection passes nothing for a while, and then all of it
	half               // one end of a connection is closed, the other never hears of it
)

// wire forwards TCP from the controller to the cloud, and breaks it at random pieces of what crosses. A piece is what one
// side wrote at once: a frame, the beginning of a long one, a part of a handshake.
type wire struct {
	far  func(context.Context) (net.Conn, error)               // to the cloud
	pair func(context.Context) (near, out net.Conn, err error) // from the controller

	mu     sync.Mutex
	rng    *rand.Rand
	faults []fault       // that may come
	left   int           // faults still to come
	pieces int           // until the next
	gap    int           // the most pieces between two
	pause  time.Duration // the longest after a cut
	still  time.Duration // the longest stall
	hard   bool          // half of the connections end by a reset
	open   map[*joint]bool
	until  time.Time // no connection before
	count  map[fault]int
}

// joint is one connection: two sockets and the wire between them.
type joint struct {
	near, far net.Conn
	deaf      bool // half open: what still comes is lost
}

func newWire(seed uint64, faults ...fault) *wire {
	return &wire{rng: rand.New(rand.NewPCG(seed, 7)), faults: faults, gap: 150, pause: 20 * time.Second, still: 2 * time.Minute,
		open: map[*joint]bool{}, count: map[fault]int{}}
}

var errDown = errors.New("the network is down")

// dial gives the controller a connection.
func (w *wire) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	if w.down() {
		return nil, errDown
	}
	near, out, err := w.pair(ctx)
	if err != nil {
		return nil, err
	}
	if err := w.join(ctx, near); err != nil {
		_, _ = near.Close(), out.Close()
		return nil, err
	}
	return out, nil
}

func (w *wire) down() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Before(w.until)
}

// join connects a connection of the controller with the cloud.
func (w *wire) join(ctx context.Context, near net.Conn) error {
	far, err := w.far(ctx)
	if err != nil {
		return err
	}
	j := &joint{near: near, far: far}
	w.mu.Lock()
	w.open[j] = true
	w.mu.Unlock()
	go w.carry(j, near, far)
	go w.carry(j, far, near)
	return nil
}

func (w *wire) carry(j *joint, from, to net.Conn) {
	defer w.end(j)
	b := make([]byte, 64<<10)
	for {
		n, err := from.Read(b)
		if err != nil {
			return
		}
		lost, wait := w.passes(j)
		if wait > 0 {
			<-time.After(wait)
		}
		if lost {
			continue
		}
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
	}
}

// end closes both sockets of a connection that is not half open.
func (w *wire) end(j *joint) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !j.deaf {
		w.close(j)
	}
}

func (w *wire) close(j *joint) {
	if w.hard && w.rng.IntN(2) == 0 {
		for _, c := range []net.Conn{j.near, j.far} {
			_ = c.(*net.TCPConn).SetLinger(0)
		}
	}
	_ = j.near.Close()
	_ = j.far.Close()
	delete(w.open, j)
}

// passes is told of every piece and says whether it is lost, or comes later.
func (w *wire) passes(j *joint) (lost bool, wait time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if j.deaf {
		return true, 0
	}
	if w.pieces--; w.left == 0 || w.pieces > 0 {
		return false, 0
	}
	w.left--
	w.pieces = 1 + w.rng.IntN(w.gap)
	f := w.faults[w.rng.IntN(len(w.faults))]
	w.count[f]++
	switch f {
	case cut:
		w.until = time.Now().Add(time.Duration(w.rng.Int64N(int64(w.pause))))
		lost = w.rng.IntN(2) == 0
		// What was let through is delivered first, as it is when a server dies after it has read.
		defer func() {
			for o := range w.open {
				if o != j || lost {
					w.close(o)
				} else {
					go func() { <-time.After(time.Millisecond); w.end(o) }()
				}
			}
		}()
	case drop:
		w.close(j)
		lost = true
	case stall:
		wait = time.Duration(w.rng.Int64N(int64(w.still)))
	case half:
		j.deaf = true
		if w.rng.IntN(2) == 0 {
			_ = j.far.Close()
		} else {
			_ = j.near.Close()
		}
		lost = true
	}
	return lost, wait
}

// begin lets the faults come.
func (w *wire) begin(faults int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left, w.pieces = faults, 1
}

// calm lets the link be, and closes what is still half open.
func (w *wire) calm() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left = 0
	for j := range w.open {
		if j.deaf {
			w.close(j)
		}
	}
}

func (w *wire) over() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.left == 0
}
