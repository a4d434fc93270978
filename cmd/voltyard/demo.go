package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/sim/ev"
	"github.com/voltyard/voltyard/configs"
	"github.com/voltyard/voltyard/hal/si"
)

// demoFlags are the command line of the demo.
type demoFlags struct {
	evs      int
	seed     uint64
	speed    float64
	duration time.Duration
	arrivals string
	data     string
	config   string
	json     bool
	trace    string
	csms     string
}

func demoCommand() *cobra.Command {
	var f demoFlags
	c := &cobra.Command{
		Use:   "demo",
		Short: "Run a whole simulated site: vehicles, stations, CSMS and building around the real controller",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, cancel := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
			defer cancel()
			return runDemo(ctx, f, c.OutOrStdout(), os.Stderr)
		},
	}
	fl := c.Flags()
	fl.IntVar(&f.evs, "evs", 0, "number of vehicles that arrive; 0: two for each EVSE in the first minute, then as many as fit")
	fl.Uint64Var(&f.seed, "seed", 0, "seed of the arrivals; 0: different each time")
	fl.Float64Var(&f.speed, "speed", 60, "how many seconds of arrivals and energy one second brings")
	fl.DurationVar(&f.duration, "duration", 0, "end after this time; 0: run until interrupted")
	fl.StringVar(&f.arrivals, "arrivals", "", "CSV file of recorded sessions to play, one EVSE for each of its stations")
	fl.StringVar(&f.data, "data", "", "data directory; default a temporary one")
	fl.StringVar(&f.config, "config", "", "site file to run with simulated hardware; default the demo's own")
	fl.BoolVar(&f.json, "json", false, "print one JSON object with the results on standard output")
	fl.StringVar(&f.trace, "trace", "", "CSV file for a trace of all meters, ten rows a second for each")
	fl.StringVar(&f.csms, "csms", "", "websocket address of a CSMS to use instead of the demo's own")
	return c
}

// demo is a running demo: the simulated surroundings, and the site among them.
type demo struct {
	flags  demoFlags
	cfg    *configs.Site
	log    zerolog.Logger
	tmp    string // data directory to remove
	broker *demoBroker
	cloud  *demoCloud
	site   *process
	world  *world
	watch  *monitor
	dim    *dimmer
	stats  kit.Cell[ev.Stats]
	fleet  *actor.PID
	trace  *os.File
	last   *summary
}

// errViolated is the end of a demo in which something was violated or failed.
var errViolated = errors.New("the demo has failed")

func runDemo(ctx context.Context, f demoFlags, out, errOut io.Writer) (err error) {
	if !(f.speed > 0) || math.IsInf(f.speed, 0) || f.duration < 0 || f.evs < 0 {
		return errors.New("demo: speed must be above 0, duration and evs not under 0")
	}
	d := &demo{flags: f}
	defer func() {
		if e := d.close(); err == nil {
			err = e
		}
	}()
	if err := d.start(ctx, errOut); err != nil {
		return err
	}
	tty, isTTY := out.(*os.File)
	live := isTTY && !f.json && term.IsTerminal(int(tty.Fd()))
	if !f.json {
		d.facts(out)
	}
	d.run(ctx, out, live)
	s := d.finish()
	if f.json {
		if err := json.NewEncoder(out).Encode(s); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(out, "%d of %d sessions completed, %d failed, %.1f kWh charged, %d limit violations\n",
			s.SessionsCompleted, s.SessionsStarted, s.SessionsFailed, s.EnergyCharged/1000, s.LimitViolations)
	}
	return d.verdict(s)
}

// verdict says why a demo that was to end by itself has failed.
func (d *demo) verdict(s summary) error {
	if d.flags.duration == 0 {
		return nil
	}
	if s.LimitViolations > 0 {
		_, first, _, _ := d.watch.figures()
		return fmt.Errorf("%w: %d limit violations, the first at %s", errViolated, s.LimitViolations, first)
	}
	return nil
}

// facts tells where everything is.
func (d *demo) facts(out io.Writer) {
	fmt.Fprintf(out, "Voltyard %s: site %s with %d EVSEs, %d third-party stations, energy at %g times real time\n",
		versionText(), d.cfg.Site.ID, len(d.cfg.EVSEs), d.stationCount(), d.flags.speed)
	fmt.Fprintf(out, "  API     http://%s/api/v1/site   /healthz   /metrics\n", d.site.http.Addr())
	fmt.Fprintf(out, "  CSMS    %s\n", d.cfg.CSMS.URL)
	fmt.Fprintf(out, "  broker  %s   topics voltyard/%s/#\n", d.cfg.MQTT.URL, d.cfg.Site.ID)
	if d.cfg.Stations != nil {
		fmt.Fprintf(out, "  OCPP    ws://%s%s/<station>\n", d.cfg.Stations.Listen, d.cfg.Stations.Path)
	}
	fmt.Fprintf(out, "  data    %s\n", d.cfg.Storage.Dir)
}

func (d *demo) stationCount() int {
	if d.cfg.Stations == nil {
		return 0
	}
	return len(d.cfg.Stations.List)
}

// start brings the surroundings up first, then the site, then the vehicles.
func (d *demo) start(ctx context.Context, errOut io.Writer) error {
	var recorded []ev.Recorded
	var err error
	if d.cfg, recorded, err = d.site0(); err != nil {
		return err
	}
	d.log = newLog(d.cfg.Log, errOut, nil)
	if d.flags.data == "" {
		if d.tmp, err = os.MkdirTemp("", "voltyard-demo-"); err != nil {
			return fmt.Errorf("data directory: %w", err)
		}
		d.cfg.Storage.Dir = d.tmp
	} else {
		d.cfg.Storage.Dir = d.flags.data
	}
	if err := d.surroundings(); err != nil {
		return err
	}
	if d.world, err = newWorld(d.cfg, d.flags.speed); err != nil {
		return err
	}
	d.connectBuilding()
	if err := d.cloud.connectStations(d); err != nil {
		return err
	}
	if d.site, err = start(ctx, d.cfg, options{log: d.log, world: d.world}); err != nil {
		return err
	}
	var trace io.Writer
	if d.flags.trace != "" {
		if d.trace, err = os.Create(d.flags.trace); err != nil {
			return fmt.Errorf("trace: %w", err)
		}
		trace = d.trace
	}
	if d.watch, err = newMonitor(d.world, d.site.view, si.Volts(d.cfg.Site.VoltageV), trace); err != nil {
		return err
	}
	if d.dim, err = newDimmer(d.cfg.MQTT.URL, d.cfg.Site.ID, d.log); err != nil {
		return err
	}
	return d.arrive(recorded)
}

// run waits for the end, and has the building limit the site half-way.
func (d *demo) run(ctx context.Context, out io.Writer, live bool) {
	period := d.flags.duration
	if period == 0 {
		period = 2 * time.Minute
	}
	began := time.Now()
	half, release := time.NewTimer(period/2), time.NewTimer(period*3/4)
	defer half.Stop()
	defer release.Stop()
	var end <-chan time.Time
	if d.flags.duration > 0 {
		t := time.NewTimer(d.flags.duration)
		defer t.Stop()
		end = t.C
	}
	show := time.NewTicker(redraw)
	defer show.Stop()
	t := &table{out: out, view: d.site.view}
	defer t.clear()
	for {
		select {
		case <-ctx.Done():
			return
		case <-end:
			return
		case <-d.site.ended:
			d.site.ended <- true
			return
		case <-half.C:
			d.dim.limit(d.lowerLimit(), period)
			half.Reset(period)
		case <-release.C:
			d.dim.release()
			release.Reset(period)
		case <-show.C:
			if live {
				t.draw()
			} else if !d.flags.json && time.Since(began).Round(redraw)%(10*time.Second) == 0 {
				fmt.Fprint(out, render(d.site.view.Load()))
			}
		}
	}
}

// lowerLimit is well under what the site draws at this moment.
func (d *demo) lowerLimit() float64 {
	p := float64(d.world.wires.Current(d.rootNode()).Power(si.Volts(d.cfg.Site.VoltageV)))
	d.log.Info().Float64("demand_w", math.Round(p)).Msg("demand when the limit comes")
	return math.Round(max(0.45*p, d.reserved()))
}

// reserved is what the site cannot go under: the fallbacks of third-party stations and the building's own load.
func (d *demo) reserved() float64 {
	w := 1000.0 + d.cloud.floor()
	if d.cfg.Stations != nil {
		for _, s := range d.cfg.Stations.List {
			w += *s.FallbackA * float64(s.Phases) * d.cfg.Site.VoltageV
		}
	}
	return w
}

func (d *demo) rootNode() string {
	for _, n := range d.cfg.Nodes {
		if n.Parent == "" {
			return n.ID
		}
	}
	return ""
}

// flushTime is how long vehicles and queues may take at the end.
const flushTime = 15 * time.Second

// finish has the vehicles leave, waits until everything is delivered, and adds up.
func (d *demo) finish() summary {
	deadline := time.Now().Add(flushTime)
	d.site.env.System.Root.Send(d.fleet, ev.Leave{})
	d.cloud.leave()
	for time.Now().Before(deadline) {
		if s := d.stats.Load(); s.Present == 0 && d.site.ocpp.Running() == 0 && d.site.ocpp.Unacknowledged() == 0 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	s := d.summary()
	d.last = &s
	return s
}

func (d *demo) summary() summary {
	st := d.stats.Load()
	v, _, peak, lowest := d.watch.figures()
	m := gather(d.site.env.Metrics.Registry)
	s := summary{EVSEs: len(d.cfg.EVSEs), Stations: d.stationCount(), SessionsStarted: st.Started, SessionsCompleted: st.Completed,
		SessionsFailed: st.Failed, Protocols: map[string]int{}, EnergyCharged: math.Round(float64(st.Energy)), PeakSitePower: math.Round(float64(peak)),
		LimitViolations: v, LimitChanges: int(m.sum("voltyard_limit_changes_total")), ReactionP99: round(1000 * m.quantile("voltyard_limit_reaction_seconds", 0.99)),
		MQTTPublished: int(m.sum("voltyard_mqtt_published_total")), Restarts: int(m.sum("voltyard_actor_respawns_total"))}
	for p, n := range st.Protocols {
		s.Protocols[string(p)] = n
	}
	if !math.IsInf(lowest, 0) {
		s.SiteLimit = &lowest
	}
	for _, o := range d.world.outlets {
		_, back := o.Cable().Energy()
		s.EnergyDischarged += float64(back)
	}
	d.cloud.addUp(d, &s)
	for _, why := range st.Failures {
		d.log.Error().Str("why", why).Msg("failed visit")
	}
	return s
}

// close ends everything, the site first.
func (d *demo) close() error {
	var errs []error
	if d.watch != nil {
		errs = append(errs, d.watch.close())
	}
	if d.site != nil {
		if d.fleet != nil {
			_ = d.site.env.System.Root.StopFuture(d.fleet).Wait()
		}
		if d.cloud != nil {
			d.cloud.closeStations(d)
		}
		if d.dim != nil {
			d.dim.close()
		}
		errs = append(errs, d.site.stop())
	}
	if d.cloud != nil {
		d.cloud.close()
	}
	if d.broker != nil {
		d.broker.close()
	}
	if d.trace != nil {
		errs = append(errs, d.trace.Close())
	}
	if d.tmp != "" {
		_ = os.RemoveAll(d.tmp)
	}
	return errors.Join(errs...)
}
