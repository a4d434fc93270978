package ws

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/gorilla/websocket"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/voltyard/voltyard/actors/kit"
)

// end is one side of a connection, with what it got.
type end struct {
	pid  *actor.PID
	got  chan any
	give bool // hand credits back
}

func (e *end) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case Frame:
		if e.give {
			m.Peer.Handled()
		}
		e.got <- string(m.Raw)
	case Closed:
		e.got <- m
	}
}

type fixture struct {
	t      *testing.T
	env    *kit.Env
	url    string
	server *Server
	opened chan *Peer
}

func newFixture(t *testing.T, judge func(Visitor) Verdict) *fixture {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, env: kit.NewEnv(zerolog.Nop()), url: "ws://" + l.Addr().String() + "/ocpp", opened: make(chan *Peer, 4)}
	f.server = &Server{Path: "/ocpp", Options: Options{MaxFrame: 1000, Deflate: true, Credit: 2, Queue: 4}, Judge: func(_ context.Context, v Visitor) Verdict {
		d := judge(v)
		d.Open = func(p *Peer) { f.opened <- p }
		return d
	}}
	done := make(chan error, 1)
	go func() { done <- f.server.Serve(l) }()
	t.Cleanup(func() {
		f.server.Shutdown()
		if err := <-done; err != nil {
			t.Error(err)
		}
		f.env.System.Shutdown()
		goleak.VerifyNone(t, goleak.IgnoreAnyFunction("github.com/asynkron/protoactor-go/actor.NewThrottle.func4.1"),
			goleak.IgnoreAnyFunction("github.com/asynkron/protoactor-go/actor.NewThrottleWithLogger.func2.1"))
	})
	return f
}

func (f *fixture) attach(p *Peer, give bool) *end {
	e := &end{got: make(chan any, 100), give: give}
	e.pid = f.env.System.Root.Spawn(f.env.Props("test", func() actor.Actor { return e }))
	p.Attach(f.env.System.Root, e.pid)
	f.t.Cleanup(func() {
		p.Close(1000, "")
		_ = p.conn.Close()
		p.Wait()
		_ = f.env.System.Root.StopFuture(e.pid).Wait()
	})
	return e
}

func (e *end) next(t *testing.T) any {
	t.Helper()
	select {
	case m := <-e.got:
		return m
	case <-time.After(5 * time.Second):
		t.Fatal("nothing came")
		return nil
	}
}

func letIn(v Visitor) Verdict {
	return Verdict{Status: http.StatusSwitchingProtocols, Subprotocol: Choose([]string{"ocpp2.0.1"}, v.Subprotocols)}
}

func (f *fixture) dial(t Target) (*Peer, error) {
	t.URL = f.url
	return Dial(f.t.Context(), t)
}

func (f *fixture) pair() (client, server *Peer) {
	f.t.Helper()
	c, err := f.dial(Target{Identity: "CS-1", Subprotocols: []string{"ocpp2.0.1"}, Options: Options{Deflate: true}})
	if err != nil {
		f.t.Fatal(err)
	}
	return c, <-f.opened
}

func TestMessagesPassBothWaysAndTheCloseIsMirrored(t *testing.T) {
	f := newFixture(t, letIn)
	c, s := f.pair()
	a, b := f.attach(c, true), f.attach(s, true)
	long := strings.Repeat("x", 900) // compressed
	for range 10 {
		c.Send([]byte(long))
		if got := b.next(t); got != long {
			t.Fatalf("got %v", got)
		}
		s.Send([]byte("y"))
		if got := a.next(t); got != "y" {
			t.Fatalf("got %v", got)
		}
	}
	c.Close(4001, "enough")
	if m, ok := b.next(t).(Closed); !ok || m.Code != 4001 || m.Text != "enough" {
		t.Errorf("%+v", m)
	}
	if m, ok := a.next(t).(Closed); !ok || m.Code != 4001 {
		t.Errorf("%+v", m)
	}
	if c.Send([]byte("z")) {
		t.Error("sent after the close")
	}
}

func TestTooBigAndBinaryMessagesCloseTheConnection(t *testing.T) {
	f := newFixture(t, letIn)
	c, s := f.pair()
	f.attach(c, true)
	b := f.attach(s, true)
	c.Send([]byte(strings.Repeat("x", 1001)))
	if m, ok := b.next(t).(Closed); !ok || m.Code != websocket.CloseMessageTooBig {
		t.Errorf("%+v", m)
	}
	c, s = f.pair()
	f.attach(c, true)
	b = f.attach(s, true)
	if err := c.conn.WriteMessage(websocket.BinaryMessage, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if m, ok := b.next(t).(Closed); !ok || m.Code != websocket.CloseUnsupportedData {
		t.Errorf("%+v", m)
	}
}

func TestReaderStopsWithoutCredit(t *testing.T) {
	f := newFixture(t, letIn)
	c, s := f.pair()
	f.attach(c, true)
	b := f.attach(s, false)
	for range 4 {
		c.Send([]byte("x"))
	}
	b.next(t)
	b.next(t)
	select {
	case m := <-b.got:
		t.Fatalf("%v came without credit", m)
	case <-time.After(50 * time.Millisecond):
	}
	s.Handled()
	b.next(t)
}

func TestHandshakeSaysWhy(t *testing.T) {
	f := newFixture(t, func(v Visitor) Verdict {
		if v.User != v.Identity || v.Pass != "secret-secret-16" {
			return Verdict{Status: http.StatusUnauthorized}
		}
		return letIn(v)
	})
	for _, c := range []struct {
		t      Target
		status int
	}{
		{Target{Identity: "CS1", Subprotocols: []string{"ocpp2.0.1"}}, 401},
		{Target{Identity: "CS1", Subprotocols: []string{"ocpp2.0.1"}, Authorization: Basic("CS2", "secret-secret-16")}, 401},
		{Target{Identity: "CS:1", Subprotocols: []string{"ocpp2.0.1"}}, 404},
		{Target{Identity: strings.Repeat("x", 49), Subprotocols: []string{"ocpp2.0.1"}}, 404},
	} {
		_, err := f.dial(c.t)
		var no *Refused
		if !errors.As(err, &no) || no.Status != c.status {
			t.Errorf("%s: %v, want %d", c.t, err, c.status)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Error("the error shows the password")
		}
	}
	p, err := f.dial(Target{Identity: "CS1", Subprotocols: []string{"ocpp9"}, Authorization: Basic("CS1", "secret-secret-16")})
	if err != nil || p.Subprotocol() != "" {
		t.Fatalf("%v: the handshake is completed without a subprotocol", err)
	}
	if m, ok := f.attach(p, true).next(t).(Closed); !ok || m.Code != websocket.CloseProtocolError {
		t.Errorf("%+v", m)
	}
}

func TestIDs(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id := NewID()
		if len(id) != 36 || id[14] != '4' || seen[id] {
			t.Fatal(id)
		}
		seen[id] = true
	}
	for s, ok := range map[string]bool{"CS-1*a|b@c.d=+_": true, "": false, "a:b": false, "a b": false, "é": false, strings.Repeat("x", 48): true} {
		if ValidIdentity(s) != ok {
			t.Errorf("%q", s)
		}
	}
}
