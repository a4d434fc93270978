package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/voltyard/voltyard/actors/ems"
	"github.com/voltyard/voltyard/actors/firmware"
	"github.com/voltyard/voltyard/actors/kit/logring"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/configs"
	"github.com/voltyard/voltyard/site/topology"
)

func runCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "run -c FILE",
		Short: "Run a site",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, cancel := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
			defer cancel()
			return runSite(ctx, file)
		},
	}
	c.Flags().StringVarP(&file, "config", "c", "", "site file")
	_ = c.MarkFlagRequired("config")
	return c
}

// runSite runs a site until ctx ends or the site fails.
func runSite(ctx context.Context, file string) error {
	cfg, err := configs.Load(file)
	if err != nil {
		return err
	}
	ring := logring.New(ringSize)
	log := newLog(cfg.Log, os.Stderr, ring)
	if err := onTrial(cfg, log); err != nil {
		return err
	}
	ctx, restart := context.WithCancel(ctx)
	defer restart()
	w, err := newWorld(cfg, 1)
	if err != nil {
		return err
	}
	var p *process
	r := &reloader{file: file, cfg: cfg, log: log, send: func(m any) { p.env.Send(msg.Balancer, m) }}
	if p, err = start(ctx, cfg, options{log: log, world: w, reload: r.reload, ring: ring, restart: restart}); err != nil {
		return err
	}
	log.Info().Str("site", cfg.Site.ID).Str("http", p.http.Addr().String()).Str("version", versionText()).Msg("site is running")
	return p.serve(ctx, r)
}

// ringSize is how much of the log is kept for diagnostics, in bytes.
const ringSize = 4 << 20

// onTrial counts the start of new firmware, and ends the process when it has started too often without being proven.
func onTrial(cfg *configs.Site, log zerolog.Logger) error {
	f := cfg.Firmware
	if f == nil || len(f.Hook) == 0 {
		return nil
	}
	err := firmware.Begin(f.Dir, ems.Hook(f), f.Starts, log)
	if errors.Is(err, firmware.ErrRolledBack) {
		return err
	}
	if err != nil {
		log.Error().Err(err).Msg("a firmware update that is under way cannot be followed")
	}
	return nil
}

// serve keeps a site that has started until ctx ends, which is good, or until its root fails, which is an error.
func (p *process) serve(ctx context.Context, r *reloader) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	_, _ = daemon.SdNotify(false, daemon.SdNotifyReady)
	beat := watchdog()
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			_, _ = daemon.SdNotify(false, daemon.SdNotifyStopping)
			return p.stop()
		case <-p.ended:
			p.release()
			return errRootFailed
		case <-hup:
			if err := r.reload(); err != nil {
				r.log.Error().Err(err).Msg("site file is not taken over; the site goes on as before")
			}
		case <-beat.C:
			if v := p.view.Load(); v != nil && time.Since(v.At) < 5*time.Second { // a site that decides nothing is not alive
				_, _ = daemon.SdNotify(false, daemon.SdNotifyWatchdog)
			}
		}
	}
}

// watchdog ticks at half the interval in which the service manager wants to hear from this process.
func watchdog() *time.Ticker {
	d, err := daemon.SdWatchdogEnabled(false)
	if err != nil || d <= 0 {
		d = time.Minute
	}
	return time.NewTicker(d / 2)
}

// reloader takes over what can change in a running site: limits, floors, weights and priorities of the tree.
type reloader struct {
	file string
	cfg  *configs.Site
	log  zerolog.Logger
	send func(any)
}

// errNeedsRestart is for changes that a running site cannot take over.
var errNeedsRestart = errors.New("nodes, EVSEs or stations were added, removed or rewired: restart the service to take that over; nothing is changed")

func (r *reloader) reload() error {
	cfg, err := configs.Load(r.file)
	if err != nil {
		return err
	}
	desc, err := cfg.Topology()
	if err != nil {
		return err
	}
	tree, err := topology.New(desc)
	if err != nil {
		return err
	}
	old, err := r.cfg.Topology()
	if err != nil {
		return err
	}
	if !sameShape(old, desc) {
		return errNeedsRestart
	}
	r.cfg = cfg
	r.send(msg.Retune{Tree: tree})
	r.log.Info().Str("file", r.file).Msg("site file is taken over: limits, floors, weights and priorities")
	return nil
}

// sameShape reports whether two sites differ only in figures.
func sameShape(a, b topology.Site) bool {
	shape := func(s topology.Site) string {
		out := ""
		for _, n := range s.Nodes {
			out += fmt.Sprintln("node", n.ID, n.Parent, n.Meter)
		}
		for _, e := range s.EVSEs {
			out += fmt.Sprintln("evse", e.ID, e.Node, e.Kind, e.Wiring, e.Phases, e.Rotation, e.Station != nil)
		}
		return out
	}
	return shape(a) == shape(b)
}
