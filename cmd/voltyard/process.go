package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/voltyard/voltyard/actors/api"
	"github.com/voltyard/voltyard/actors/building"
	"github.com/voltyard/voltyard/actors/ems"
	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/logring"
	"github.com/voltyard/voltyard/actors/kit/mqtt"
	"github.com/voltyard/voltyard/actors/kit/ocppstat"
	"github.com/voltyard/voltyard/actors/kit/tlsfile"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/actors/sim/ev"
	"github.com/voltyard/voltyard/configs"
	"github.com/voltyard/voltyard/storage/bolt"
	"github.com/voltyard/voltyard/storage/keyring"
)

// process is a running site: `run` and `demo` start it in the same way from a site file.
type process struct {
	env   *kit.Env
	cfg   *configs.Site
	world *world
	view  *kit.Cell[msg.SiteView]
	http  net.Listener
	store *bolt.DB
	root  *actor.PID
	ended chan bool // whether /ems failed
	ocpp  *ocppstat.Stats
	buses []io.Closer // of Modbus
	keys  keyring.Ring
}

// options are what a command adds to a site file.
type options struct {
	log    zerolog.Logger
	world  *world
	reload func() error

	ring    *logring.Ring // the log's last lines
	restart func()        // ends the process in good order
}

// start brings a site up. What fails here fails before any contactor can close.
func start(ctx context.Context, cfg *configs.Site, o options) (_ *process, err error) {
	p := &process{cfg: cfg, world: o.world, env: kit.NewEnv(o.log), view: &kit.Cell[msg.SiteView]{}, ended: make(chan bool, 1)}
	p.ocpp = ocppstat.New(p.env)
	defer func() {
		if err != nil {
			p.release()
		}
	}()
	token, err := configs.Secret(cfg.HTTP.TokenFile)
	if err != nil {
		return nil, err
	}
	if p.http, err = net.Listen("tcp", cfg.HTTP.Listen); err != nil {
		return nil, fmt.Errorf("web server: %w; choose another address in http.listen", err)
	}
	if p.store, _, err = openStore(ctx, cfg.Storage.Dir, o.log); err != nil {
		return nil, err
	}
	outlets, meters := p.world.hal(cfg)
	onBus, buses, err := openMeters(cfg)
	if err != nil {
		return nil, err
	}
	p.buses = buses
	maps.Copy(meters, onBus)
	broker, err := brokerConfig(cfg)
	if err != nil {
		return nil, err
	}
	if cfg.CSMS != nil {
		place := cfg.CSMS.KeyRing
		if place == "" {
			place = "file:" + filepath.Join(cfg.Storage.Dir, "keys")
		}
		if p.keys, err = keyring.Open(place); err != nil {
			return nil, fmt.Errorf("csms: %w", err)
		}
	}
	children, err := ems.Assemble(p.env, cfg, ems.Parts{Keys: p.keys, Net: links, Outlets: outlets, Meters: meters, Inputs: openInputs(cfg), Broker: broker, Store: p.store, View: p.view, OCPP: p.ocpp, Firmware: versionText(), Bench: loadBench, Log: o.ring, Restart: o.restart})
	if err != nil {
		return nil, err
	}
	if cfg.MQTT != nil {
		children = append(children, ems.Child{Kind: "building", Name: "building", Make: building.New(p.env, cfg.Site.ID, broker, p.view, buildingOptions(cfg))})
	}
	children = append(children, ems.Child{Kind: "api", Name: "api", Make: api.New(p.env, api.Config{Listener: p.http, Token: token, View: p.view,
		Version: versionText(), Reload: o.reload, Records: p.store})})
	if p.root, err = ems.Spawn(p.env, msg.EMS, children, func(failed bool) { p.ended <- failed }); err != nil {
		return nil, err
	}
	return p, p.standIns()
}

// buildingOptions is what the building is told besides the state of the site.
func buildingOptions(cfg *configs.Site) building.Options {
	o := building.Options{Discovery: cfg.MQTT.HomeAssistant}
	for _, l := range cfg.Limits {
		if len(l.Periods) == 0 && (len(l.Contacts) == 0 || l.LPC != nil || l.LPP != nil) {
			o.Sources = append(o.Sources, l.Source)
		}
	}
	return o
}

func brokerConfig(cfg *configs.Site) (mqtt.Config, error) {
	m := cfg.MQTT
	if m == nil {
		return mqtt.Config{}, nil
	}
	password, err := configs.Secret(m.PasswordFile)
	if err != nil {
		return mqtt.Config{}, err
	}
	tls, err := tlsfile.Client(m.CAFile, m.CertFile, m.KeyFile)
	if err != nil {
		return mqtt.Config{}, fmt.Errorf("mqtt: %w", err)
	}
	return mqtt.Config{URL: m.URL, ClientID: m.ClientID, Username: m.Username, Password: password, TLS: tls}, nil
}

// standIns puts a vehicle's end to every simulated cable whose vehicle speaks from outside this process.
func (p *process) standIns() error {
	for _, e := range p.cfg.EVSEs {
		if e.Port == nil || e.Port.Vehicle == "" {
			continue
		}
		if _, err := p.env.System.Root.SpawnNamed(p.env.Props("standin", ev.StandIn(p.world.place(e.ID), p.view)), "standin-"+e.ID); err != nil {
			return fmt.Errorf("evse %s: %w", e.ID, err)
		}
	}
	return nil
}

// errRootFailed is the end of a site whose root actor has failed.
var errRootFailed = errors.New("the root of the site has failed: every contactor is open; see the log for the cause")

// stopTime is how long an orderly stop may take.
const stopTime = 15 * time.Second

// stop ends the site in order and gives everything back.
func (p *process) stop() error {
	p.env.System.Root.Send(p.root, ems.Stop{})
	select {
	case failed := <-p.ended:
		p.release()
		if failed {
			return errRootFailed
		}
		return nil
	case <-time.After(stopTime):
		p.release()
		return fmt.Errorf("the site did not stop within %v", stopTime)
	}
}

// release closes hardware, database and sockets. The hardware comes first: it opens every contactor.
func (p *process) release() {
	if p.world != nil {
		for _, o := range p.world.outlets {
			_ = o.HAL().Board.Close()
		}
		for _, r := range p.world.registers {
			r.close()
		}
	}
	for _, b := range p.buses {
		_ = b.Close()
	}
	if p.keys != nil {
		_ = p.keys.Close()
	}
	if p.store != nil {
		_ = p.store.Close()
	}
	if p.http != nil {
		_ = p.http.Close()
	}
}

// newLog makes the log of a command. Text is for people. The ring, which may be nil, gets what is logged as JSON.
func newLog(cfg configs.Log, out io.Writer, ring *logring.Ring) zerolog.Logger {
	level, err := zerolog.ParseLevel(cfg.Level)
	if err != nil {
		level = zerolog.InfoLevel
	}
	if cfg.Format == "text" {
		out = zerolog.ConsoleWriter{Out: out, TimeFormat: "15:04:05", NoColor: !isTerminal(out)}
	}
	if ring != nil {
		out = zerolog.MultiLevelWriter(out, ring)
	}
	return zerolog.New(out).Level(level).With().Timestamp().Logger()
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
