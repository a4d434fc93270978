// Package logbook is the actor that answers the operator's request for logs (OCPP 2.0.1, N01): it packs what a person needs to
// see what is wrong, or the security log, and uploads it. No secret is in it.
//
// Only /ems spawns it.
package logbook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/logring"
	"github.com/voltyard/voltyard/actors/kit/transfer"
	"github.com/voltyard/voltyard/actors/msg"
	role "github.com/voltyard/voltyard/protocols/ocpp/station"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
	"github.com/voltyard/voltyard/storage/bolt"
)

// Config is what is packed, and how it is sent.
type Config struct {
	Stations []string // the site's own, the controller's own identity among them
	Version  string
	Ring     *logring.Ring // the last lines of the log; nil for none
	Site     []byte        // the site file as it is in force
	Secrets  []string      // words that must not leave the controller
	View     *kit.Cell[msg.SiteView]
	Records  Records // sessions with vehicles; nil for none
	Transfer transfer.Config
}

// Records is the database as the logbook reads it; readers do not disturb its one writer.
type Records interface {
	Scan(bucket string, prefix []byte) ([]bolt.KV, error)
}

// mostUploads is how many logs may be on their way at a time: one a station, and not more than this.
const mostUploads = 8

// Logbook is the actor.
type Logbook struct {
	env  *kit.Env
	cfg  Config
	log  zerolog.Logger
	gen  uint64
	jobs map[string]job // by station
}

type job struct {
	gen     uint64
	request int
	cancel  context.CancelFunc
}

type done struct {
	station string
	gen     uint64
	err     error
	reply   *actor.PID
}

// New returns the producer of the actor.
func New(env *kit.Env, cfg Config) func() actor.Actor {
	return func() actor.Actor {
		return &Logbook{env: env, cfg: cfg, log: env.Log.With().Str("actor", "logbook").Logger(), jobs: map[string]job{}}
	}
}

// Receive handles one message.
func (l *Logbook) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		for _, id := range l.cfg.Stations {
			ctx.Send(l.env.At(msg.StationName(id)), msg.ChoreEvent{What: role.Forgotten{}})
		}
	case *actor.Stopping:
		for _, j := range l.jobs {
			j.cancel()
		}
	case msg.Chore:
		switch e := m.What.(type) {
		case role.Upload:
			l.upload(ctx, m, e)
		case role.CancelUpload:
			if j, ok := l.jobs[m.Station]; ok && j.request == e.Request {
				j.cancel()
				delete(l.jobs, m.Station)
			}
		}
	case done:
		j, ok := l.jobs[m.station]
		if !ok || j.gen != m.gen {
			return
		}
		delete(l.jobs, m.station)
		st := statusOf(m.err)
		if m.err != nil {
			l.log.Warn().Err(m.err).Str("station", m.station).Str("status", string(st)).Msg("the log was not uploaded")
		}
		ctx.Send(m.reply, msg.ChoreEvent{What: role.Uploaded{Request: j.request, Status: st}})
	}
}

// upload packs and sends a log, in a goroutine.
func (l *Logbook) upload(ctx actor.Context, c msg.Chore, e role.Upload) {
	old, ok := l.jobs[c.Station]
	switch {
	case ok && old.request == e.Request: // asked again
		return
	case ok:
		old.cancel()
	case len(l.jobs) >= mostUploads:
		ctx.Send(c.Reply, msg.ChoreEvent{What: role.Uploaded{Request: e.Request, Status: v201.UploadLogStatusUploadFailure}})
		return
	}
	l.gen++
	run, cancel := context.WithCancel(context.Background())
	l.jobs[c.Station] = job{l.gen, e.Request, cancel}
	root, self, cfg, env, d := ctx.ActorSystem().Root, ctx.Self(), l.cfg, l.env, done{station: c.Station, gen: l.gen, reply: c.Reply}
	go func() {
		defer cancel()
		d.err = send(run, env, cfg, e)
		root.Send(self, d)
	}()
}

func send(ctx context.Context, env *kit.Env, cfg Config, e role.Upload) error {
	dir, err := os.MkdirTemp("", "voltyard-log-")
	if err != nil {
		return fmt.Errorf("pack the log: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "log")
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("pack the log: %w", err)
	}
	if e.Security {
		err = security(f, cfg, e)
	} else {
		err = diagnostics(f, env, cfg, e)
	}
	if err2 := f.Close(); err == nil {
		err = err2
	}
	if err != nil {
		return fmt.Errorf("pack the log: %w", err)
	}
	return transfer.Send(ctx, cfg.Transfer, file, e.URL, e.Name, e.Retries, e.Every)
}

// statusOf is the end of an upload in the words of OCPP (N01.FR.09, N01.FR.10).
func statusOf(err error) v201.UploadLogStatusEnum {
	var st *transfer.Status
	var final *transfer.Final
	switch {
	case err == nil:
		return v201.UploadLogStatusUploaded
	case errors.As(err, &st):
		switch st.Code {
		case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
			return v201.UploadLogStatusPermissionDenied
		case http.StatusMethodNotAllowed, http.StatusNotImplemented:
			return v201.UploadLogStatusNotSupportedOperation
		}
		if st.Code >= 400 && st.Code < 500 && st.Code != http.StatusRequestTimeout && st.Code != http.StatusTooManyRequests && st.Code != http.StatusNotFound {
			return v201.UploadLogStatusBadMessage
		}
	case errors.As(err, &final): // the URL
		return v201.UploadLogStatusNotSupportedOperation
	}
	return v201.UploadLogStatusUploadFailure
}
