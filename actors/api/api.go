// Package api is the actor of the site's local web server: the picture of the site as JSON, health, and metrics.
//
// Handlers run outside the actor's turns and read one immutable snapshot; they never ask an actor and wait. On loopback the
// server answers everyone, elsewhere only who shows the token. Only /ems spawns it.
package api

import (
	"context"
	"crypto/subtle"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/zerolog"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/msg"
)

//go:generate go run ./internal/schemagen site.schema.json

//go:embed site.schema.json
var schema []byte

// Config is how the server is reached and what it shows.
type Config struct {
	Listener net.Listener // opened by who starts the site, so that a port in use is found at once
	Token    string       // "" : only loopback clients are answered
	View     *kit.Cell[msg.SiteView]
	Version  string
	Records  Records // sessions with vehicles; nil shows none
	// Reload reads the site file again and returns what could not be taken over without a restart; nil when there is no file.
	Reload func() error
}

// API is the actor.
type API struct {
	env    *kit.Env
	cfg    Config
	log    zerolog.Logger
	server *http.Server

	self    *actor.PID
	answers kit.Cell[[]Answer] // the newest last
}

// stale is the age at which the picture of the site means that its balancer has stopped.
const stale = 5 * time.Second

// New returns the producer of the actor.
func New(env *kit.Env, cfg Config) func() actor.Actor {
	return func() actor.Actor {
		return &API{env: env, cfg: cfg, log: env.Log.With().Str("actor", "api").Logger()}
	}
}

// Receive handles one message.
func (a *API) Receive(ctx actor.Context) {
	switch ctx.Message().(type) {
	case msg.LimitAnswer, msg.CommandAnswer:
		a.heard(ctx)
	case *actor.Started:
		a.self = ctx.Self()
		a.server = &http.Server{Handler: a.guarded(a.routes()), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
			WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
		// The listener outlives the actor: a server that is closed would close it, so each incarnation gets its own cover.
		l := &cover{Listener: a.cfg.Listener}
		go func() {
			if err := a.server.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
				a.log.Error().Err(err).Msg("web server has stopped")
			}
		}()
	case *actor.Stopping:
		c, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := a.server.Shutdown(c); err != nil {
			_ = a.server.Close()
		}
	}
}

func (a *API) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", a.health)
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.env.Metrics.Registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /api/v1/site", a.site)
	mux.HandleFunc("GET /api/v1/site/schema", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/schema+json")
		_, _ = w.Write(schema)
	})
	mux.HandleFunc("GET /api/v1/sessions", a.sessions)
	mux.HandleFunc("GET /api/v1/sessions/{id}/trace", a.trace)
	mux.HandleFunc("POST /api/v1/reload", a.reload)
	mux.HandleFunc("POST /api/v1/limits", jsonOnly(a.setLimit))
	mux.HandleFunc("POST /api/v1/evses/{id}/{command}", jsonOnly(a.command))
	mux.HandleFunc("GET /api/v1/answers/{id}", a.answer)
	mux.HandleFunc("GET /api/v1/estimates", a.estimates)
	return mux
}

func (a *API) site(w http.ResponseWriter, _ *http.Request) {
	v := a.cfg.View.Load()
	if v == nil {
		problem(w, http.StatusServiceUnavailable, "the site is starting")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(v)
}

// health is good while decisions are made.
func (a *API) health(w http.ResponseWriter, _ *http.Request) {
	v := a.cfg.View.Load()
	if v == nil || time.Since(v.At) > stale {
		problem(w, http.StatusServiceUnavailable, "the balancer has made no decision for 5 s")
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	_, _ = fmt.Fprintf(w, "ok %s\n", a.cfg.Version)
}

func (a *API) reload(w http.ResponseWriter, _ *http.Request) {
	if a.cfg.Reload == nil {
		problem(w, http.StatusConflict, "this site runs without a file")
		return
	}
	if err := a.cfg.Reload(); err != nil {
		problem(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func problem(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]any{"status": code, "detail": text})
}

// guarded lets loopback clients through, and others with the token. A page in a browser on the same machine is no loopback
// client: requests that name another host, or come from another site, are refused.
func (a *API) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ap, err := netip.ParseAddrPort(r.RemoteAddr)
		local := err == nil && ap.Addr().Unmap().IsLoopback() && localHost(r.Host) && r.Header.Get("Origin") == ""
		given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		token := ok && a.cfg.Token != "" && subtle.ConstantTimeCompare([]byte(given), []byte(a.cfg.Token)) == 1
		if !local && !token {
			a.env.Metrics.BadInput.WithLabelValues("http", "unauthorized").Inc()
			w.Header().Set("WWW-Authenticate", "Bearer")
			problem(w, http.StatusUnauthorized, "show the token of this site: Authorization: Bearer <token>")
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
		next.ServeHTTP(w, r)
	})
}

func localHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && ip.IsLoopback()
}
