package logbook

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/sessiontrace"
	role "github.com/voltyard/voltyard/protocols/ocpp/station"
	"github.com/voltyard/voltyard/storage/bolt"
)

// mostSessions is how many sessions with vehicles are packed, the last ones.
const mostSessions = 20

// diagnostics packs what a person needs: the log's last lines, version, site file, state, figures, and the last sessions.
func diagnostics(w io.Writer, env *kit.Env, cfg Config, e role.Upload) error {
	z := gzip.NewWriter(w)
	t := tar.NewWriter(z)
	now := time.Now()
	clean := newCleaner(cfg.Secrets)
	add := func(name string, text []byte) error {
		if len(text) == 0 {
			return nil
		}
		text = clean.text(text)
		if err := t.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(text)), ModTime: now}); err != nil {
			return err
		}
		_, err := t.Write(text)
		return err
	}
	about := fmt.Sprintf("voltyard %s\n%s %s/%s\nrunning since %s\npacked %s\n", cfg.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH,
		env.Born.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	var lines bytes.Buffer
	if cfg.Ring != nil {
		for _, l := range cfg.Ring.Between(e.Oldest, e.Latest) {
			lines.Write(l.Text)
		}
	}
	var view []byte
	if cfg.View != nil {
		if v := cfg.View.Load(); v != nil {
			view, _ = json.MarshalIndent(v, "", "  ")
		}
	}
	for _, f := range []struct {
		name string
		text []byte
	}{{"version.txt", []byte(about)}, {"log.txt", lines.Bytes()}, {"site.yaml", cfg.Site}, {"site.json", view}, {"metrics.txt", metrics(env)}} {
		if err := add(f.name, f.text); err != nil {
			return err
		}
	}
	if err := sessions(cfg.Records, e, add); err != nil {
		return err
	}
	if err := t.Close(); err != nil {
		return err
	}
	return z.Close()
}

// sessions packs the last sessions of the time that is asked for.
func sessions(r Records, e role.Upload, add func(string, []byte) error) error {
	if r == nil {
		return nil
	}
	pairs, err := r.Scan(sessiontrace.Summaries, nil)
	if err != nil {
		return add("sessions/README.txt", []byte("the sessions cannot be read: "+err.Error()+"\n"))
	}
	var some []bolt.KV
	for _, p := range pairs {
		var s sessiontrace.Summary
		if json.Unmarshal(p.Value, &s) == nil && !s.End.Before(e.Oldest) && (e.Latest.IsZero() || s.Begin.Before(e.Latest)) {
			some = append(some, p)
		}
	}
	for _, p := range some[max(0, len(some)-mostSessions):] {
		if err := add(fmt.Sprintf("sessions/%x.json", p.Key), p.Value); err != nil {
			return err
		}
	}
	return nil
}

// page collects what the handler of metrics writes.
type page struct {
	bytes.Buffer
	header http.Header
}

func (p *page) Header() http.Header { return p.header }
func (p *page) WriteHeader(int)     {}

func metrics(env *kit.Env) []byte {
	p := &page{header: http.Header{}}
	r, err := http.NewRequest(http.MethodGet, "/", nil)
	if err != nil {
		return nil
	}
	promhttp.HandlerFor(env.Metrics.Registry, promhttp.HandlerOpts{DisableCompression: true}).ServeHTTP(p, r)
	return p.Bytes()
}

// security writes the security log, one event a line.
func security(w io.Writer, cfg Config, e role.Upload) error {
	var b bytes.Buffer
	for _, r := range e.Records {
		fmt.Fprintf(&b, "%s %s %q\n", r.At.UTC().Format("2006-01-02T15:04:05.000Z"), r.Type, r.Info)
	}
	_, err := w.Write(newCleaner(cfg.Secrets).text(b.Bytes()))
	return err
}
