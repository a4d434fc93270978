package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/sim/csms"
	"github.com/voltyard/voltyard/configs"
)

// csmsCommand runs the small CSMS alone.
func csmsCommand() *cobra.Command {
	var f csmsFlags
	c := &cobra.Command{
		Use:   "csms --listen ADDRESS",
		Short: "Run a small CSMS for tests: it records every frame and sends requests from a script",
		Long: "Accepts every OCPP 2.0.1 and 1.6 station, authorises every token that does not begin with BAD, and keeps every frame.\n" +
			"A script is a file with one JSON object a line; each sends one request, after_s seconds after the start:\n" +
			`  {"after_s":5,"station":"CS-A","action":"GetBaseReport","payload":{"requestId":1,"reportBase":"FullInventory"}}`,
		Example: "  voltyard csms --listen 127.0.0.1:9080 --record frames.jsonl --script requests.jsonl",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, cancel := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
			defer cancel()
			return f.run(ctx)
		},
	}
	fl := c.Flags()
	fl.StringVar(&f.listen, "listen", "127.0.0.1:9080", "address to listen on")
	fl.StringVar(&f.path, "path", "/ocpp", "URL path before the identity")
	fl.StringVar(&f.record, "record", "", "file for all frames, one JSON object a line")
	fl.StringVar(&f.script, "script", "", "file with requests to send")
	fl.StringVar(&f.password, "password-file", "", "file with the password that every station must show")
	fl.IntVar(&f.heartbeat, "heartbeat", 300, "heartbeat interval told to stations, s")
	return c
}

type csmsFlags struct {
	listen, path, record, script, password string
	heartbeat                              int
}

func (f *csmsFlags) run(ctx context.Context) error {
	requests, err := readScript(f.script)
	if err != nil {
		return err
	}
	password, err := configs.Secret(f.password)
	if err != nil {
		return err
	}
	rec := csms.NewRecord(10000, nil)
	if f.record != "" {
		out, err := os.OpenFile(f.record, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return fmt.Errorf("record file: %w", err)
		}
		defer func() { _ = out.Close() }() // every line was written by itself
		rec = csms.NewRecord(10000, out)
	}
	l, err := net.Listen("tcp", f.listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w; choose another with --listen", f.listen, err)
	}
	log := zerolog.New(zerolog.ConsoleWriter{Out: os.Stderr, TimeFormat: time.TimeOnly}).With().Timestamp().Logger()
	env := kit.NewEnv(log)
	pid, err := env.System.Root.SpawnNamed(env.Props("csms", csms.New(env, csms.Config{Listener: l, Path: f.path, Password: password,
		Heartbeat: f.heartbeat, Record: rec})), "csms")
	if err != nil {
		return err
	}
	log.Info().Msgf("stations connect to ws://%s%s/IDENTITY", l.Addr(), strings.TrimRight(f.path, "/"))
	start := time.Now()
	for _, q := range requests {
		t := time.AfterFunc(time.Until(start.Add(time.Duration(q.After*float64(time.Second)))), func() {
			env.System.Root.Send(pid, csms.Request{Station: q.Station, Action: q.Action, Payload: q.Payload, Done: func(p []byte, fault string) {
				log.Info().Str("station", q.Station).Str("action", q.Action).RawJSON("answer", orNull(p)).Str("fault", fault).Msg("answered")
			}})
		})
		defer t.Stop()
	}
	<-ctx.Done()
	_ = env.System.Root.StopFuture(pid).Wait()
	return rec.Err()
}

func orNull(p []byte) []byte {
	if p == nil {
		return []byte("null")
	}
	return p
}

type scripted struct {
	After   float64         `json:"after_s"`
	Station string          `json:"station"`
	Action  string          `json:"action"`
	Payload json.RawMessage `json:"payload"`
}

func readScript(name string) ([]scripted, error) {
	if name == "" {
		return nil, nil
	}
	in, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("script: %w", err)
	}
	defer func() { _ = in.Close() }() // only read
	var out []scripted
	sc := bufio.NewScanner(in)
	sc.Buffer(nil, 1<<20)
	for n := 1; sc.Scan(); n++ {
		line := strings.TrimSpace(sc.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		var q scripted
		if err := json.Unmarshal([]byte(line), &q); err != nil {
			return nil, fmt.Errorf("script %s, line %d: %w", name, n, err)
		}
		if q.Station == "" || q.Action == "" || len(q.Payload) == 0 {
			return nil, fmt.Errorf("script %s, line %d: station, action and payload are required", name, n)
		}
		out = append(out, q)
	}
	return out, sc.Err()
}
