package main

import (
	"fmt"
	"log/slog"
	"net"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"
)

// demoBroker is the building's broker of the demo: a real one, embedded.
type demoBroker struct {
	server *mochi.Server
	addr   string
}

func startBroker() (*demoBroker, error) {
	s := mochi.New(&mochi.Options{Logger: slog.New(slog.DiscardHandler)})
	if err := s.AddHook(new(auth.AllowHook), nil); err != nil {
		return nil, fmt.Errorf("demo broker: %w", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("demo broker: %w", err)
	}
	if err := s.AddListener(listeners.NewNet("demo", l)); err != nil {
		return nil, fmt.Errorf("demo broker: %w", err)
	}
	if err := s.Serve(); err != nil {
		return nil, fmt.Errorf("demo broker: %w", err)
	}
	return &demoBroker{s, "tcp://" + l.Addr().String()}, nil
}

func (b *demoBroker) close() { _ = b.server.Close() }
