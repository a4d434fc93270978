package outage

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// place is a network namespace with one TUN interface. A socket belongs to the namespace in which it was made, whoever uses it
// later, so only the making of sockets goes through do.
type place struct {
	ns  *os.File
	tun *os.File
}

// newPlace makes a namespace whose interface has an address in 10.99.0.0/24.
func newPlace(addr [4]byte) (*place, error) {
	type result struct {
		p   *place
		err error
	}
	out := make(chan result)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine, and with it what was unshared
		p := &place{}
		err := func() (err error) {
			if err = unix.Unshare(unix.CLONE_NEWNET); err != nil {
				return fmt.Errorf("a network namespace cannot be made: %w", err)
			}
			if p.ns, err = os.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid())); err != nil {
				return err
			}
			p.tun, err = openTUN(addr)
			return err
		}()
		out <- result{p, err}
	}()
	r := <-out
	return r.p, r.err
}

func openTUN(addr [4]byte) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("/dev/net/tun: %w", err)
	}
	set := func(fd int, name string, req uint, change func(*unix.Ifreq) error) error {
		ifr, err := unix.NewIfreq(name)
		if err == nil && change != nil {
			err = change(ifr)
		}
		if err == nil {
			err = unix.IoctlIfreq(fd, req, ifr)
		}
		return err
	}
	up := func(ifr *unix.Ifreq) error { ifr.SetUint16(unix.IFF_UP | unix.IFF_RUNNING); return nil }
	err = set(fd, "outage0", unix.TUNSETIFF, func(ifr *unix.Ifreq) error { ifr.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI); return nil })
	if err == nil {
		var s int
		if s, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err == nil {
			err = errors.Join(
				set(s, "outage0", unix.SIOCSIFADDR, func(ifr *unix.Ifreq) error { return ifr.SetInet4Addr(addr[:]) }),
				set(s, "outage0", unix.SIOCSIFNETMASK, func(ifr *unix.Ifreq) error { return ifr.SetInet4Addr([]byte{255, 255, 255, 0}) }),
				set(s, "outage0", unix.SIOCSIFFLAGS, up), set(s, "lo", unix.SIOCSIFFLAGS, up))
			_ = unix.Close(s)
		}
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("the TUN interface cannot be set up: %w", err)
	}
	return os.NewFile(uintptr(fd), "tun"), nil
}

// do runs f on a thread that is in the namespace.
func (p *place) do(f func() error) error {
	out := make(chan error)
	go func() {
		runtime.LockOSThread() // likewise
		err := unix.Setns(int(p.ns.Fd()), unix.CLONE_NEWNET)
		if err == nil {
			err = f()
		}
		out <- err
	}()
	return <-out
}

func (p *place) close() {
	_, _ = p.tun.Close(), p.ns.Close()
}

// forwarder carries IP packets between two places: it loses some, delays all of them by different times, so that they overtake
// each other, repeats some, and loses everything for a while now and then.
type forwarder struct {
	mu                               sync.Mutex
	rng                              *rand.Rand
	faults                           bool
	dark                             time.Time // everything is lost until then
	passed, lost, repeated, darkness int
}

func (f *forwarder) carry(from, to *os.File, done *sync.WaitGroup) {
	defer done.Done()
	b := make([]byte, 64<<10)
	for {
		n, err := from.Read(b)
		if err != nil {
			return
		}
		for range f.copies() {
			packet := append([]byte(nil), b[:n]...)
			time.AfterFunc(f.delay(), func() { _, _ = to.Write(packet) })
		}
	}
}

// copies is how often a packet arrives.
func (f *forwarder) copies() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.faults {
		return 1
	}
	if f.rng.IntN(2000) == 0 {
		f.dark = time.Now().Add(time.Duration(f.rng.Int64N(int64(2 * time.Second))))
		f.darkness++
	}
	switch x := f.rng.IntN(100); {
	case x < 4 || time.Now().Before(f.dark):
		f.lost++
		return 0
	case x < 8:
		f.repeated++
		return 2
	}
	f.passed++
	return 1
}

func (f *forwarder) delay() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.faults {
		return 0
	}
	return 2*time.Millisecond + time.Duration(f.rng.Int64N(int64(30*time.Millisecond)))
}

func (f *forwarder) set(faults bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = faults
}

// twoPlaces makes the controller's and the cloud's, with the forwarder between them; the test is skipped where that needs more
// rights than it has.
func twoPlaces(t *testing.T, seed uint64) (near, far *place, f *forwarder) {
	t.Helper()
	make := func(addr [4]byte) *place {
		p, err := newPlace(addr)
		if err != nil {
			t.Skipf("needs root and TUN interfaces: %v", err)
		}
		return p
	}
	near, far = make([4]byte{10, 99, 0, 1}), make([4]byte{10, 99, 0, 2})
	f = &forwarder{rng: rand.New(rand.NewPCG(seed, 13))}
	var done sync.WaitGroup
	done.Add(2)
	go f.carry(near.tun, far.tun, &done)
	go f.carry(far.tun, near.tun, &done)
	t.Cleanup(func() { near.close(); far.close(); done.Wait() })
	return near, far, f
}
