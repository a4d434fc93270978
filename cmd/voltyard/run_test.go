package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/configs"
	"github.com/voltyard/voltyard/hal"
)

const oneEVSE = `
site: {id: x}
nodes: [{id: root, fuse_a: 63}]
evses: [{id: a, node: root, type: ac, max_a: 16, hal: sim}]
http: {listen: "127.0.0.1:0"}
`

// The death of the root actor ends `voltyard run` with an error, and the contactor of a charging vehicle is open.
func TestRunEndsWithAnErrorWhenTheRootDies(t *testing.T) {
	cfg, err := configs.Parse([]byte(oneEVSE), ".")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Storage.Dir = t.TempDir()
	w, err := newWorld(cfg, 1)
	if err != nil {
		t.Fatal(err)
	}
	p, err := start(context.Background(), cfg, options{log: zerolog.Nop(), world: w})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- p.serve(context.Background(), &reloader{log: zerolog.Nop()}) }()

	board, car := w.outlets["a"].HAL().Board, w.outlets["a"].Cable()
	car.Plug(nil)
	car.Pilot(hal.PilotC)
	late := time.After(30 * time.Second)
	for !board.Read().Closed {
		select {
		case <-late:
			t.Fatal("the vehicle does not charge within 30 s")
		case <-time.After(10 * time.Millisecond):
		}
	}
	p.env.Send(msg.EMS, kit.Crash{Why: "test"})
	select {
	case err := <-ended:
		if !errors.Is(err, errRootFailed) {
			t.Errorf("run ended with %v", err)
		}
	case <-late:
		t.Fatal("run goes on without its root")
	}
	if board.Read().Closed {
		t.Error("the contactor is closed")
	}
}
