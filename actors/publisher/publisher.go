// Package publisher is the actor that offers firmware to the stations of a site (OCPP 2.0.1, L03 and L04): it downloads a file
// once, checks it, and serves it on an address of the controller's own, over restarts too, until it is withdrawn.
//
// Only /ems spawns it.
package publisher

import (
	"context"
	"crypto/md5" //nolint:gosec // the checksum of OCPP; stations verify the firmware's signature
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/transfer"
	"github.com/voltyard/voltyard/actors/msg"
	role "github.com/voltyard/voltyard/protocols/ocpp/station"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// Config says what is offered where.
type Config struct {
	Dir      string                                  // of the files, of this actor alone
	Listen   string                                  // host:port
	Bind     func(addr string) (net.Listener, error) // nil for the system's TCP
	Opened   func(net.Addr)                          // told where it listens; nil for nobody
	URL      string                                  // of the listener as the stations reach it
	Max      int64                                   // bytes of all files together
	Transfer transfer.Config                         // its Max is replaced by the room that is left
	Station  string                                  // the controller's own identity
}

// Publisher is the actor.
type Publisher struct {
	env    *kit.Env
	cfg    Config
	log    zerolog.Logger
	timers *kit.Timers
	shelf  *shelf
	server *http.Server
	job    *role.Publish
	gen    uint64
	cancel context.CancelFunc
	reply  *actor.PID
}

// New returns the producer of the actor.
func New(env *kit.Env, cfg Config) func() actor.Actor {
	if cfg.Bind == nil {
		cfg.Bind = func(addr string) (net.Listener, error) { return net.Listen("tcp", addr) }
	}
	if cfg.Max <= 0 {
		cfg.Max = 1 << 30
	}
	return func() actor.Actor {
		return &Publisher{env: env, cfg: cfg, log: env.Log.With().Str("actor", "publisher").Logger(), shelf: newShelf(cfg.Dir)}
	}
}

type (
	progress struct {
		gen    uint64
		status v201.PublishFirmwareStatusEnum
		end    bool
	}
	failed struct{ server *http.Server }
)

// Receive handles one message.
func (p *Publisher) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		p.timers = kit.NewTimers(ctx)
		if err := os.MkdirAll(p.cfg.Dir, 0o700); err != nil {
			p.log.Error().Err(err).Msg("the folder of published firmware cannot be made; nothing can be published")
		}
		p.listen(ctx)
		ctx.Send(p.env.At(msg.StationName(p.cfg.Station)), msg.ChoreEvent{What: role.Forgotten{}})
	case *actor.Stopping:
		p.timers.StopAll()
		if p.cancel != nil {
			p.cancel()
		}
		if p.server != nil {
			_ = p.server.Close()
		}
	case msg.Chore:
		switch e := m.What.(type) {
		case role.Publish:
			p.publish(ctx, m, e)
		case role.Unpublish:
			ctx.Send(m.Reply, msg.ChoreEvent{What: role.Unpublished{Token: e.Token, Status: p.unpublish(e.MD5)}})
		}
	case progress:
		if m.gen == p.gen {
			p.tell(ctx, m)
		}
	case failed:
		if m.server == p.server {
			p.server = nil
			p.timers.Set("listen", 2*time.Second)
		}
	case kit.Fired:
		if p.timers.Due(m) {
			p.listen(ctx)
		}
	}
}

// listen opens the web server, and tries again later when its port is still taken.
func (p *Publisher) listen(ctx actor.Context) {
	l, err := p.cfg.Bind(p.cfg.Listen)
	if err != nil {
		p.log.Error().Err(err).Str("listen", p.cfg.Listen).Msg("cannot offer firmware; is another program on this port? It is tried again")
		p.timers.Set("listen", 2*time.Second)
		return
	}
	if p.cfg.Opened != nil {
		p.cfg.Opened(l.Addr())
	}
	s := &http.Server{Handler: p.shelf, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: stall, IdleTimeout: stall, MaxHeaderBytes: 16 << 10}
	p.server = s
	root, self, log := ctx.ActorSystem().Root, ctx.Self(), p.log
	go func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error().Err(err).Msg("the web server for stations has failed")
			root.Send(self, failed{s})
		}
	}()
	p.log.Info().Stringer("addr", l.Addr()).Msg("stations may download firmware")
}

func (p *Publisher) unpublish(sum string) v201.UnpublishFirmwareStatusEnum {
	t, err := p.shelf.take(sum)
	switch {
	case err != nil:
		p.log.Error().Err(err).Msg("published firmware cannot be removed")
		return v201.UnpublishFirmwareStatusDownloadOngoing
	case t == takenNone:
		return v201.UnpublishFirmwareStatusNoFirmware
	case t == takenBusy:
		return v201.UnpublishFirmwareStatusDownloadOngoing
	}
	return v201.UnpublishFirmwareStatusUnpublished
}

// publish downloads a file beside the shelf, in a goroutine.
func (p *Publisher) publish(ctx actor.Context, c msg.Chore, e role.Publish) {
	p.reply = c.Reply
	if p.job != nil && *p.job == e || !sumRule.MatchString(e.MD5) { // the machine asks again after a restart of its own
		return
	}
	if p.cancel != nil {
		p.cancel()
	}
	p.gen++
	p.job = &e
	run, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	root, self, gen, s, cfg, log := ctx.ActorSystem().Root, ctx.Self(), p.gen, p.shelf, p.cfg, p.log
	say := func(st v201.PublishFirmwareStatusEnum, end bool) { root.Send(self, progress{gen, st, end}) }
	go func() {
		defer cancel()
		if st, err := fetch(run, s, cfg, e, func(st v201.PublishFirmwareStatusEnum) { say(st, false) }); err != nil {
			log.Error().Err(err).Str("status", string(st)).Msg("firmware is not published")
			say(st, true)
			return
		}
		say(v201.PublishFirmwareStatusPublished, true)
	}()
}

// fetch puts a file on the shelf, or says with which status it ends.
func fetch(ctx context.Context, s *shelf, cfg Config, e role.Publish, say func(v201.PublishFirmwareStatusEnum)) (v201.PublishFirmwareStatusEnum, error) {
	if s.has(e.MD5) {
		say(v201.PublishFirmwareStatusChecksumVerified)
		return "", nil
	}
	s.sweep(e.MD5)
	room := cfg.Max - s.used(e.MD5)
	if room <= 0 {
		return v201.PublishFirmwareStatusPublishFailed, fmt.Errorf("the %d bytes for published files are used; unpublish one", cfg.Max)
	}
	say(v201.PublishFirmwareStatusDownloading)
	temp, tc := s.path(e.MD5)+".get", cfg.Transfer
	tc.Max = room
	tc.Paused = func(on bool, _ error) {
		if on {
			say(v201.PublishFirmwareStatusDownloadPaused)
		} else {
			say(v201.PublishFirmwareStatusDownloading)
		}
	}
	if err := transfer.Get(ctx, tc, e.URL, temp, e.Retries, e.Every); err != nil {
		return v201.PublishFirmwareStatusDownloadFailed, err
	}
	say(v201.PublishFirmwareStatusDownloaded)
	sum, err := checksum(temp)
	if err == nil && sum != e.MD5 {
		err = fmt.Errorf("the file's MD5 is %s, not %s", sum, e.MD5)
	}
	if err != nil {
		transfer.Discard(temp)
		return v201.PublishFirmwareStatusInvalidChecksum, err
	}
	say(v201.PublishFirmwareStatusChecksumVerified)
	if err := os.Rename(temp, s.path(e.MD5)); err != nil {
		transfer.Discard(temp)
		return v201.PublishFirmwareStatusPublishFailed, err
	}
	return "", nil
}

// checksum is the MD5 over the whole file (L03.FR.02).
func checksum(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	h := md5.New() //nolint:gosec // see above
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// tell reports to the machine. A file that nobody could reach is not published.
func (p *Publisher) tell(ctx actor.Context, m progress) {
	e := role.Published{Request: p.job.Request, Status: m.status}
	if m.status == v201.PublishFirmwareStatusPublished {
		if p.server == nil {
			e.Status = v201.PublishFirmwareStatusPublishFailed
		} else {
			e.Locations = []string{location(p.cfg.URL, p.job.MD5, p.job.URL)}
		}
	}
	if m.end {
		p.job, p.cancel = nil, nil
	}
	ctx.Send(p.reply, msg.ChoreEvent{What: e})
}

var nameRule = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// location is the URI of a published file; its last part is the name that it had.
func location(base, sum, from string) string {
	name := "firmware.bin"
	if u, err := url.Parse(from); err == nil && nameRule.MatchString(path.Base(u.Path)) {
		name = path.Base(u.Path)
	}
	return strings.TrimSuffix(base, "/") + prefix + sum + "/" + name
}
