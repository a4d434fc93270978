package outage

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/voltyard/voltyard/actors/kit/network"
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
	mem *network.Memory
	to  netip.AddrPort

	mu     sync.Mutex
	rng    *rand.Rand
	faults []fault // that may come
	left   int     // faults still to come
	pieces int     // until the next
	gap    int     // the most pieces between two
	pause  time.Duration
	open   map[*joint]bool
	until  time.Time // no connection before
	count  map[fault]int
}

// joint is one connection: two sockets and the wire between them.
type joint struct {
	near, far net.Conn
	deaf      bool // half open: what still comes is lost
}

func newWire(mem *network.Memory, to netip.AddrPort, seed uint64, faults ...fault) *wire {
	return &wire{mem: mem, to: to, rng: rand.New(rand.NewPCG(seed, 7)), faults: faults, gap: 150, pause: 20 * time.Second,
		open: map[*joint]bool{}, count: map[fault]int{}}
}

var errDown = errors.New("the network is down")

// dial gives the controller a connection.
func (w *wire) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	w.mu.Lock()
	down := time.Now().Before(w.until)
	w.mu.Unlock()
	if down {
		return nil, errDown
	}
	far, err := w.mem.DialSECC(ctx, cloud, w.to)
	if err != nil {
		return nil, err
	}
	l, err := w.mem.ListenSECC(ctx, "wire")
	if err != nil {
		return nil, err
	}
	defer l.Close()
	out, err := w.mem.DialSECC(ctx, "wire", l.Addr().(*net.TCPAddr).AddrPort())
	if err != nil {
		return nil, err
	}
	near, err := l.Accept()
	if err != nil {
		return nil, err
	}
	j := &joint{near: near, far: far}
	w.mu.Lock()
	w.open[j] = true
	w.mu.Unlock()
	go w.carry(j, near, far)
	go w.carry(j, far, near)
	return out, nil
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
			time.Sleep(wait)
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
					go func() { time.Sleep(time.Millisecond); w.end(o) }()
				}
			}
		}()
	case drop:
		w.close(j)
		lost = true
	case stall:
		wait = time.Duration(w.rng.Int64N(int64(2 * time.Minute)))
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
