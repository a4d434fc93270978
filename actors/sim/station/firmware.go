package station

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/kit/transfer"
	role "github.com/voltyard/voltyard/protocols/ocpp/station"
)

// installs is how long the simulated installer takes.
const installs = 2 * time.Second

// works are the station's updates: the image is really downloaded, and its installation is a wait.
type works struct {
	cancel  context.CancelFunc // of the download
	reboots map[int]bool       // by request: the station has restarted for it
	version int
}

// outcome is an event that comes from beside the actor.
type outcome struct{ ev role.Event }

// firmware carries out what the machine says about updates. again tells that the station is to restart.
func (s *Station) firmware(ctx actor.Context, e role.Effect) (events []role.Event, again bool) {
	w := &s.works
	switch e := e.(type) {
	case role.ClaimUpdate:
		events = append(events, role.UpdateClaimed{Request: e.Request})
	case role.FetchImage:
		w.stop()
		s.fetch(ctx, e)
	case role.CancelUpdate:
		w.stop()
	case role.InstallImage:
		root, self := ctx.ActorSystem().Root, ctx.Self()
		time.AfterFunc(installs, func() { root.Send(self, outcome{role.ImageInstalled{Request: e.Request}}) })
	case role.ActivateImage:
		if !w.reboots[e.Request] {
			w.reboots = map[int]bool{e.Request: true}
			w.version++
			if err := s.cfg.Disk.Save([]role.Op{{Key: keyVersion, Value: []byte(strconv.Itoa(w.version))}}); err != nil {
				s.log.Error().Err(err).Msg("the version is forgotten at the next start")
			}
			return nil, true
		}
		events = append(events, role.UpdateEnded{Request: e.Request})
	}
	return events, false
}

func (w *works) stop() {
	if w.cancel != nil {
		w.cancel()
	}
}

// fetch downloads an image and forgets it.
func (s *Station) fetch(ctx actor.Context, e role.FetchImage) {
	c, cancel := context.WithCancel(context.Background())
	s.works.cancel = cancel
	root, self := ctx.ActorSystem().Root, ctx.Self()
	wire := transfer.Config{Dial: s.cfg.Dial, Roots: s.cfg.Files, Local: true, Paused: func(on bool, _ error) {
		root.Send(self, outcome{role.ImageFetching{Request: e.Request, Paused: on}})
	}}
	go func() {
		defer cancel()
		done := role.ImageFetched{Request: e.Request}
		done.SHA256, done.Err = digest(c, wire, e)
		root.Send(self, outcome{done})
	}()
}

func digest(ctx context.Context, wire transfer.Config, e role.FetchImage) (out [sha256.Size]byte, err error) {
	dir, err := os.MkdirTemp("", "voltyard-station-")
	if err != nil {
		return out, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "image")
	if err := transfer.Get(ctx, wire, e.URL, file, e.Retries, e.Every); err != nil {
		return out, err
	}
	f, err := os.Open(file)
	if err != nil {
		return out, err
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return out, err
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}

// keyVersion is where the version is kept; the machine has no key like it.
const keyVersion = "simulated/version"

func (w *works) restore(saved map[string][]byte) {
	if n, err := strconv.Atoi(string(saved[keyVersion])); err == nil {
		w.version = n
	}
}

// release is the version that the station says it runs.
func (w *works) release() string { return fmt.Sprintf("1.%d", w.version) }
