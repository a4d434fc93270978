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
	"sync"
	"syscall"
	"time"

	"github.com/asynkron/protoactor-go/actor"
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
			"A script is a file with one JSON object a line; each sends one request, after_s seconds after the start, or when the\n" +
			"station is there:\n" +
			`  {"after_s":5,"station":"CS-A","action":"GetBaseReport","payload":{"requestId":1,"reportBase":"FullInventory"}}` + "\n" +
			`  {"station":"CS-A","action":"TriggerMessage","payload":{"requestedMessage":"SignChargingStationCertificate"}}` + "\n" +
			"The flags choose the security profile: 1 is passwords, 2 a certificate and passwords, 3 a certificate and a CA of stations.",
		Example: "  voltyard csms --listen 127.0.0.1:9080 --record frames.jsonl --script requests.jsonl\n" +
			"  voltyard pki init pki\n" +
			"  voltyard csms --listen localhost:9080 --cert-file pki/ocpp/csms-chain.pem --key-file pki/ocpp/csms.key \\\n" +
			"    --client-ca-file pki/ocpp/ocpp-root.pem --sign-with pki",
		Args: cobra.NoArgs,
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
	fl.StringToStringVar(&f.passwords, "station-password-file", nil, "the same for one station, IDENTITY=FILE; may be repeated")
	fl.StringSliceVar(&f.certs, "cert-file", nil, "its certificate and sub-CAs, PEM, for wss://; one with an ECDSA and one with an RSA key may be given")
	fl.StringSliceVar(&f.keys, "key-file", nil, "the private key of each, PEM")
	fl.StringVar(&f.clients, "client-ca-file", "", "roots of the stations' certificates, PEM: security profile 3")
	fl.StringVar(&f.sign, "sign-with", "", "folder of voltyard pki init, whose CAs issue the certificates that stations ask for")
	fl.IntVar(&f.heartbeat, "heartbeat", 300, "heartbeat interval told to stations, s")
	return c
}

type csmsFlags struct {
	listen, path, record, script, password string
	heartbeat                              int
	passwords                              map[string]string // files, by station
	certs, keys                            []string
	clients, sign                          string
}

func (f *csmsFlags) run(ctx context.Context) error {
	requests, err := readScript(f.script)
	if err != nil {
		return err
	}
	log := newLog(configs.Log{Level: "info", Format: "text"}, os.Stderr, nil)
	cfg := csms.Config{Path: f.path, Heartbeat: f.heartbeat}
	if err := f.secure(&cfg, func(err error) { log.Error().Err(err).Msg("the certificates stay as they were") }); err != nil {
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
	cfg.Listener, cfg.Record = l, rec
	env := kit.NewEnv(log)
	pid, err := env.System.Root.SpawnNamed(env.Props("csms", csms.New(env, cfg)), "csms")
	if err != nil {
		return err
	}
	scheme := "ws"
	if cfg.TLS != nil {
		scheme = "wss"
	}
	log.Info().Msgf("stations connect to %s://%s%s/IDENTITY", scheme, l.Addr(), strings.TrimRight(f.path, "/"))
	start := time.Now()
	var wait sync.WaitGroup
	for _, q := range requests {
		wait.Go(func() { play(ctx, env.System.Root, pid, log, q, start) })
	}
	<-ctx.Done()
	wait.Wait()
	_ = env.System.Root.StopFuture(pid).Wait()
	return rec.Err()
}

// play sends a request of the script in its time, when the station is there.
func play(ctx context.Context, root *actor.RootContext, pid *actor.PID, log zerolog.Logger, q scripted, start time.Time) {
	wait := time.Until(start.Add(time.Duration(q.After * float64(time.Second))))
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		away := make(chan bool, 1)
		root.Send(pid, csms.Request{Station: q.Station, Action: q.Action, Payload: q.Payload, Done: func(p []byte, fault string) {
			if away <- fault == csms.NotConnected; fault == csms.NotConnected {
				return
			}
			if p == nil {
				p = []byte("null")
			}
			log.Info().Str("station", q.Station).Str("action", q.Action).RawJSON("answer", p).Str("fault", fault).Msg("answered")
		}})
		select {
		case <-ctx.Done():
			return
		case again := <-away:
			if !again {
				return
			}
		}
		wait = 200 * time.Millisecond
	}
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
