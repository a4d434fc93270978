package main

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/tlsfile"
	"github.com/voltyard/voltyard/actors/kit/ws"
	simstation "github.com/voltyard/voltyard/actors/sim/station"
	"github.com/voltyard/voltyard/configs"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/iso15118/pki"
)

// stationCommand runs a simulated charging station alone.
func stationCommand() *cobra.Command {
	f := stationFlags{vars: map[string]string{}}
	c := &cobra.Command{
		Use:   "station --url URL",
		Short: "Run a simulated OCPP 2.0.1 charging station against any CSMS or local controller",
		Long: "Connects to a CSMS as a real station would: it obeys charging profiles, has a meter, and vehicles come one after the\n" +
			"other, charge and leave. With --fault an EVSE breaks for ten seconds now and then.",
		Example: "  voltyard station --url ws://127.0.0.1:9000/ocpp --id CS-A --evses 2 --token 04D5E6F7\n" +
			"  voltyard station --url wss://localhost:9080/ocpp --id CS001 --state cs001 --ca-file pki/ocpp/ocpp-root.pem \\\n" +
			"    --cert-file pki/ocpp/station-CS001-chain.pem --key-file pki/ocpp/station-CS001.key",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, cancel := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
			defer cancel()
			return f.run(ctx)
		},
	}
	fl := c.Flags()
	fl.StringVar(&f.url, "url", "", "address before the identity, ws:// or wss://")
	fl.StringVar(&f.id, "id", "SIM-1", "identity of the station")
	fl.StringVar(&f.password, "password-file", "", "file with the password for Basic authentication")
	fl.StringVar(&f.ca, "ca-file", "", "roots of the CSMS, PEM; without it those of the system")
	fl.StringVar(&f.cert, "cert-file", "", "the station's certificate, PEM (security profile 3)")
	fl.StringVar(&f.key, "key-file", "", "its private key, PEM")
	fl.StringVar(&f.state, "state", "", "folder for what it keeps over a restart: its records, and the keys that it makes; without it, it forgets")
	fl.StringVar(&f.maker, "firmware-root-file", "", "roots of the maker of its firmware, PEM; with it the station takes (simulated) firmware")
	fl.IntVar(&f.evses, "evses", 1, "number of EVSEs")
	fl.Float64Var(&f.amps, "max-a", 32, "current of each EVSE, A per phase")
	fl.IntVar(&f.phases, "phases", 3, "1 or 3")
	fl.Float64Var(&f.speed, "speed", 1, "how many times faster than real batteries fill")
	fl.StringVar(&f.token, "token", "", "RFID that vehicles show; none to charge without")
	fl.Float64Var(&f.wh, "wh", 5000, "energy that a vehicle takes, Wh")
	fl.DurationVar(&f.pause, "pause", 10*time.Second, "time between vehicles; 0 for no vehicles at all")
	fl.DurationVar(&f.fault, "fault", 0, "how often an EVSE breaks for ten seconds; 0 for never")
	fl.StringToStringVar(&f.vars, "set", nil, "initial variables, such as SampledDataCtrlr.TxUpdatedInterval=10")
	_ = c.MarkFlagRequired("url")
	return c
}

type stationFlags struct {
	url, id, password, token, state string
	ca, cert, key, maker            string
	evses, phases                   int
	amps, speed, wh                 float64
	pause, fault                    time.Duration
	vars                            map[string]string
}

// separate reads the certificates of a PEM file one by one; no file has none.
func separate(file string) ([]string, error) {
	if file == "" {
		return nil, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("roots of the CSMS: %w", err)
	}
	list, err := pki.ParsePEM(b)
	if err != nil {
		return nil, fmt.Errorf("roots in %s: %w", file, err)
	}
	var out []string
	for _, c := range list {
		out = append(out, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})))
	}
	return out, nil
}

func (f *stationFlags) run(ctx context.Context) error {
	switch {
	case !strings.HasPrefix(f.url, "ws://") && !strings.HasPrefix(f.url, "wss://"):
		return fmt.Errorf("--url %q: must begin with ws:// or wss://", f.url)
	case !ws.ValidIdentity(f.id):
		return fmt.Errorf("--id %q: at most %d letters, digits and .*-_=+|@", f.id, ws.MaxIdentity)
	case f.evses < 1 || f.evses > 64:
		return fmt.Errorf("--evses %d: must be 1 to 64", f.evses)
	}
	password, err := configs.Secret(f.password)
	if err != nil {
		return err
	}
	log := newLog(configs.Log{Level: "info", Format: "text"}, os.Stderr, nil)
	secure, err := tlsfile.CSMS(f.ca, tlsfile.Pair{Cert: f.cert, Key: f.key})
	if err != nil {
		return err
	}
	roots, err := separate(f.ca)
	if err != nil {
		return err
	}
	dir := f.state
	if dir == "" { // what the station knows lives as long as the command
		if dir, err = os.MkdirTemp("", "voltyard-station-"); err != nil {
			return fmt.Errorf("state of the station: %w", err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
	}
	disk, keys, err := openState(dir, f.id)
	if err != nil {
		return err
	}
	defer func() { _ = disk.db.Close() }() // every record was written by itself
	var makers []*x509.Certificate
	if f.maker != "" {
		b, err := os.ReadFile(f.maker)
		if err != nil {
			return fmt.Errorf("roots of the maker: %w", err)
		}
		if makers, err = pki.ParsePEM(b); err != nil {
			return fmt.Errorf("roots in %s: %w", f.maker, err)
		}
	}
	env := kit.NewEnv(log)
	pid, err := env.System.Root.SpawnNamed(env.Props("sim-station", simstation.New(env, simstation.Config{URL: f.url, Identity: f.id,
		TLS: secure, Makers: makers, Keys: keys, Disk: disk, Roots: roots, Password: password, EVSEs: f.evses, MaxAmps: si.Amps(f.amps), Phases: f.phases, Speed: f.speed, Variables: f.vars, NewID: ws.NewID,
		Ended: func(wh si.WattHours) { log.Info().Stringer("energy", wh).Msg("transaction ended") }})), "station")
	if err != nil {
		return err
	}
	var arrivals, faults <-chan time.Time
	arrive := func() {
		for n := range f.evses { // where a vehicle still stands, the next one drives on
			env.System.Root.Send(pid, simstation.Arrive{Visit: simstation.Visit{EVSE: n + 1, Token: f.token,
				Car: simstation.Car{MaxAmps: si.Amps(f.amps), Phases: f.phases, Wanted: si.WattHours(f.wh)}}})
		}
	}
	if f.pause > 0 {
		t := time.NewTicker(f.pause)
		defer t.Stop()
		arrivals = t.C
		arrive()
	}
	if f.fault > 0 {
		t := time.NewTicker(f.fault)
		defer t.Stop()
		faults = t.C
	}
	for {
		select {
		case <-arrivals:
			arrive()
		case <-faults:
			env.System.Root.Send(pid, simstation.Fault{EVSE: 1, Code: "InternalError"})
			time.AfterFunc(10*time.Second, func() { env.System.Root.Send(pid, simstation.Fault{EVSE: 1}) })
		case <-ctx.Done():
			return env.System.Root.StopFuture(pid).Wait()
		}
	}
}
