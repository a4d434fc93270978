package mqtt

import (
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
	"github.com/rs/zerolog"

	"github.com/voltyard/voltyard/actors/kit"
)

// guard is a broker's access list: all may write, nobody may read what is secret.
type guard struct{ mochi.HookBase }

func (guard) Provides(b byte) bool { return b == mochi.OnConnectAuthenticate || b == mochi.OnACLCheck }

func (guard) OnConnectAuthenticate(*mochi.Client, packets.Packet) bool { return true }

func (guard) OnACLCheck(_ *mochi.Client, topic string, write bool) bool {
	return write || topic != "secret"
}

func TestRefusedSubscriptionIsReported(t *testing.T) {
	s := mochi.New(&mochi.Options{Logger: slog.New(slog.DiscardHandler)})
	if err := s.AddHook(new(guard), nil); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.AddListener(listeners.NewNet("test", l)); err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })

	env := kit.NewEnv(zerolog.Nop())
	got := make(chan any, 16)
	owner := env.System.Root.Spawn(actor.PropsFromFunc(func(c actor.Context) {
		switch c.Message().(type) {
		case Up, Failed, Down, Message:
			got <- c.Message()
		}
	}))
	c := Open(env, Config{URL: "tcp://" + l.Addr().String(), ClientID: "t", Subscribe: []string{"open", "secret"}}, NewMetrics(env), owner)
	t.Cleanup(c.Close)
	next := func() any {
		select {
		case m := <-got:
			return m
		case <-time.After(10 * time.Second):
			t.Fatal("nothing comes")
			return nil
		}
	}
	if f, ok := next().(Failed); !ok || !strings.Contains(f.Err.Error(), "secret") {
		t.Errorf("want the refusal, got %+v", f)
	}
	if m, ok := next().(Up); !ok {
		t.Errorf("want Up, got %+v", m)
	}
	c.Publish("open", 1, false, []byte("x"))
	if m, ok := next().(Message); !ok || m.Topic != "open" || string(m.Payload) != "x" {
		t.Errorf("want the message, got %+v", m)
	}
}
