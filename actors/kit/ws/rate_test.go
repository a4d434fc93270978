package ws

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/gorilla/websocket"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/kittest"
	"github.com/voltyard/voltyard/actors/kit/network"
)

// A flood of pings or pongs is read later, too, on either side, with a bound on messages and without one; nobody is told of the
// usual ones.
func TestTooManyControlFramesAreReadLater(t *testing.T) {
	for _, c := range []struct {
		name string
		kind int
		rate int  // of the side that is flooded
		dial bool // that side has dialled
		n    int
		late int64
	}{
		{"a station's pings", websocket.PingMessage, 2, false, 130, 120},
		{"a station's pongs", websocket.PongMessage, 2, false, 130, 120},
		{"a CSMS's pings", websocket.PingMessage, 0, true, 650, 600},
		{"a CSMS's pongs", websocket.PongMessage, 0, true, 650, 600},
		{"a usual number", websocket.PingMessage, 0, true, 40, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			kittest.Run(t, func(t *testing.T, env *kit.Env) {
				mem := network.NewMemory()
				l, err := mem.ListenSECC(context.Background(), "lo")
				if err != nil {
					t.Fatal(err)
				}
				var slowed, came atomic.Int64 // came: when the message did, s
				begin := time.Now()
				sink := kittest.NewProbe(t, env, "sink", func(ctx actor.Context) {
					if f, ok := ctx.Message().(Frame); ok {
						came.Store(int64(time.Since(begin) / time.Second))
						f.Peer.Handled()
					}
				})
				other := kittest.NewProbe(t, env, "other", nil)
				flooded := Options{Rate: c.rate, Slowed: func() { slowed.Add(1) }, Ping: -1}
				free := Options{Ping: -1, Rate: 10000}
				near, far := flooded, free
				if c.dial {
					near, far = free, flooded
				}
				opened := make(chan *Peer, 1)
				server := &Server{Path: "/ocpp", Options: near, Judge: func(_ context.Context, v Visitor) Verdict {
					d := letIn(v)
					d.Open = func(p *Peer) { opened <- p }
					return d
				}}
				go func() { _ = server.Serve(l) }()
				defer server.Shutdown()
				p, err := Dial(t.Context(), Target{URL: "ws://lo/ocpp", Identity: "CS-1", Subprotocols: []string{"ocpp2.0.1"}, Options: far,
					DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
						return mem.DialSECC(ctx, "lo", l.Addr().(*net.TCPAddr).AddrPort())
					}})
				if err != nil {
					t.Fatal(err)
				}
				from, to := p, <-opened
				if c.dial {
					from, to = to, from
				}
				to.Attach(env.System.Root, sink.PID)
				from.Attach(env.System.Root, other.PID)
				for range c.n {
					if err := from.conn.WriteControl(c.kind, []byte("x"), time.Now().Add(time.Hour)); err != nil {
						t.Fatal(err)
					}
				}
				from.Send([]byte("y"))
				time.Sleep(3 * time.Minute)
				from.Close(1000, "")
				time.Sleep(time.Minute)
				if slowed.Load() != c.late {
					t.Errorf("%d had to wait, want %d", slowed.Load(), c.late)
				}
				want := int64(60)
				if c.late == 0 {
					want = 0
				}
				if at := came.Load(); at < want || at > want+5 {
					t.Errorf("the message after them came after %d s, want %d", at, want)
				}
			})
		})
	}
}

// Who sends faster than he may is read later: nothing is lost, nothing overtakes, and others are not slowed.
func TestTooFastIsReadLater(t *testing.T) {
	kittest.Run(t, func(t *testing.T, env *kit.Env) {
		mem := network.NewMemory()
		l, err := mem.ListenSECC(context.Background(), "lo")
		if err != nil {
			t.Fatal(err)
		}
		var slowed atomic.Int64
		var mu sync.Mutex
		var got []string
		var last time.Time
		sink := kittest.NewProbe(t, env, "sink", func(ctx actor.Context) {
			if f, ok := ctx.Message().(Frame); ok {
				mu.Lock()
				got, last = append(got, string(f.Raw)), time.Now()
				mu.Unlock()
				f.Peer.Handled()
			}
		})
		server := &Server{Path: "/ocpp", Options: Options{Rate: 2, Slowed: func() { slowed.Add(1) }}, Judge: func(_ context.Context, v Visitor) Verdict {
			d := letIn(v)
			d.Open = func(p *Peer) { p.Attach(env.System.Root, sink.PID) }
			return d
		}}
		go func() { _ = server.Serve(l) }()
		defer server.Shutdown()
		c, err := Dial(t.Context(), Target{URL: "ws://lo/ocpp", Identity: "CS-1", Subprotocols: []string{"ocpp2.0.1"}, Options: Options{Queue: 200, Write: 5 * time.Minute},
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return mem.DialSECC(ctx, "lo", l.Addr().(*net.TCPAddr).AddrPort())
			}})
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		c.Attach(env.System.Root, kittest.NewProbe(t, env, "client", nil).PID)
		for i := range 130 {
			if !c.Send(fmt.Appendf(nil, "%d", i)) {
				t.Fatal("the connection was closed")
			}
		}
		time.Sleep(3 * time.Minute)
		c.Close(1000, "")
		time.Sleep(time.Minute)
		mu.Lock()
		defer mu.Unlock()
		for i, s := range got {
			if s != fmt.Sprint(i) {
				t.Fatalf("message %d is %s", i, s)
			}
		}
		if len(got) != 130 || slowed.Load() != 120 {
			t.Errorf("%d messages came, %d of them late; want 130 and 120", len(got), slowed.Load())
		}
		if d := last.Sub(begin); d < 55*time.Second || d > 65*time.Second {
			t.Errorf("they took %v; 120 late ones at two a second take a minute", d)
		}
	})
}
