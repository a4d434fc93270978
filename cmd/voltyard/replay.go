package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/voltyard/voltyard/site/replay"
)

// replayCommand plays recorded sessions through allocation policies.
func replayCommand() *cobra.Command {
	var f replayFlags
	c := &cobra.Command{
		Use:   "replay --network FILE --sessions FILE",
		Short: "Play recorded charging sessions through allocation policies",
		Long: "Plays recorded charging sessions, in five-minute periods, through the planner and through simple policies for\n" +
			"comparison, within the exact limits of a network file, and says how much of the energy each delivers.",
		Example: "  voltyard replay --network caltech_network.json --sessions caltech_2019-03_events.csv --capacity-kw 20,30,40,50 \\\n" +
			"      --policy fcfs,edf,llf,maxmin,plan --departure true",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c) },
	}
	fl := c.Flags()
	fl.StringVar(&f.network, "network", "", "network file (JSON)")
	fl.StringVar(&f.sessions, "sessions", "", "event file (CSV)")
	fl.StringVar(&f.capacities, "capacity-kw", "30", "capacities of the transformer in kW, with commas")
	fl.StringVar(&f.policies, "policy", strings.Join(replay.PolicyNames(), ","), "policies, with commas")
	fl.StringVar(&f.departure, "departure", replay.TrueDeparture, "what policies know of departures: true, stated or none")
	fl.BoolVar(&f.json, "json", false, "print one JSON array on standard output")
	fl.StringVar(&f.plot, "plot", "", "directory for one SVG per run")
	_ = c.MarkFlagRequired("network")
	_ = c.MarkFlagRequired("sessions")
	return c
}

type replayFlags struct {
	network, sessions, capacities, policies, departure, plot string
	json                                                     bool
}

func (f *replayFlags) run(c *cobra.Command) error {
	data, err := os.ReadFile(f.network)
	if err != nil {
		return fmt.Errorf("network file: %w", err)
	}
	site, err := replay.ParseSite(data)
	if err != nil {
		return err
	}
	events, err := os.Open(f.sessions)
	if err != nil {
		return fmt.Errorf("sessions file: %w", err)
	}
	defer func() { _ = events.Close() }()
	sessions, err := replay.ReadSessions(events)
	if err != nil {
		return err
	}
	var capacities []float64
	for _, w := range strings.Split(f.capacities, ",") {
		kw, err := strconv.ParseFloat(strings.TrimSpace(w), 64)
		if err != nil || !(kw > 0) {
			return fmt.Errorf("--capacity-kw %q: want numbers above 0 with commas between", f.capacities)
		}
		capacities = append(capacities, kw)
	}
	if f.plot != "" {
		if err := os.MkdirAll(f.plot, 0o755); err != nil {
			return fmt.Errorf("plot directory: %w", err)
		}
	}
	out := c.OutOrStdout()
	if !f.json {
		fmt.Fprintf(out, "%d sessions, departures %s\n%-8s %8s %11s %8s %10s %9s %9s %9s\n", len(sessions), f.departure,
			"policy", "kW", "delivered %", "met %", "violations", "share p5", "mean ms", "p99 ms")
	}
	results := []replay.Outcome{}
	for _, policy := range strings.Split(f.policies, ",") {
		for _, kw := range capacities {
			o, err := f.one(c, site, sessions, strings.TrimSpace(policy), kw)
			if err != nil {
				return err
			}
			results = append(results, o)
			if !f.json {
				fmt.Fprintf(out, "%-8s %8g %11.2f %8.1f %10d %9.3f %9.3f %9.3f\n", o.Policy, o.CapacityKW, o.DeliveredPercent,
					o.MetPercent, o.Violations, o.ShareP5, o.MeanMS, o.P99MS)
			}
		}
	}
	if f.json {
		return json.NewEncoder(out).Encode(results)
	}
	return nil
}

func (f *replayFlags) one(c *cobra.Command, site *replay.Site, sessions []replay.Session, policy string, kw float64) (replay.Outcome, error) {
	var trace replay.Trace
	run := replay.Case{Site: site, Sessions: sessions, Capacity: kw, Policy: policy, Departure: f.departure, Clock: time.Now}
	if f.plot != "" {
		run.Watch = trace.Watch
	}
	told := time.Now()
	shown := false
	run.Progress = func(done, of int) {
		if time.Since(told) > time.Second {
			told, shown = time.Now(), true
			fmt.Fprintf(c.ErrOrStderr(), "\r%s at %g kW: %3d %%", policy, kw, 100*done/of)
		}
	}
	o, err := replay.Run(run)
	if shown {
		fmt.Fprint(c.ErrOrStderr(), "\r\x1b[K")
	}
	if err != nil || f.plot == "" {
		return o, err
	}
	name := filepath.Join(f.plot, fmt.Sprintf("%s-%gkw-%s.svg", policy, kw, f.departure))
	if err := os.WriteFile(name, trace.SVG(o, sessions), 0o644); err != nil {
		return o, fmt.Errorf("plot: %w", err)
	}
	return o, nil
}
