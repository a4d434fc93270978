package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"

	"github.com/goccy/go-yaml"

	"github.com/voltyard/voltyard/actors/sim/ev"
	"github.com/voltyard/voltyard/configs"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/hal/sim"
)

// site0 is the description of the demo's site, read through the same path as any other: the embedded one, one from a file,
// or one with an EVSE for each station of recorded sessions.
func (d *demo) site0() (*configs.Site, []ev.Recorded, error) {
	if d.flags.arrivals != "" {
		f, err := os.Open(d.flags.arrivals)
		if err != nil {
			return nil, nil, fmt.Errorf("arrivals: %w", err)
		}
		defer f.Close()
		rec, err := ev.ReadSessions(f)
		if err != nil {
			return nil, nil, fmt.Errorf("arrivals %s: %w", d.flags.arrivals, err)
		}
		text, err := garage(ev.Stations(rec))
		if err != nil {
			return nil, nil, err
		}
		cfg, err := configs.Parse(text, ".")
		return cfg, rec, err
	}
	if d.flags.config != "" {
		cfg, err := configs.Load(d.flags.config)
		return cfg, nil, err
	}
	cfg, err := configs.Parse(configs.Demo(), ".")
	return cfg, nil, err
}

// garage writes the site file of a garage with an EVSE for each name: single-phase outlets of 32 A, spread over the phases,
// in rows of nine behind 100 A, all behind a connection that is too small for them together.
func garage(names []string) ([]byte, error) {
	var s configs.Site
	if err := yaml.Unmarshal(configs.Demo(), &s); err != nil {
		return nil, fmt.Errorf("demo site: %w", err)
	}
	fuse := float64(max(63, 4*len(names)))
	s.Site.ID, s.Stations, s.EVSEs = "garage", nil, nil
	limit := fuse * 3 * 230 * 0.9
	s.Nodes = []configs.Node{{ID: "root", FuseA: &configs.PhaseAmps{fuse, fuse, fuse}, MaxImportW: &limit, Meter: "grid", BackgroundA: &configs.PhaseAmps{10, 10, 10}}}
	rotations := []string{"RST", "STR", "TRS"}
	for i, name := range names {
		row := fmt.Sprintf("row-%d", i/9+1)
		if i%9 == 0 {
			s.Nodes = append(s.Nodes, configs.Node{ID: row, Parent: "root", FuseA: &configs.PhaseAmps{100, 100, 100}})
		}
		s.EVSEs = append(s.EVSEs, configs.EVSE{ID: name, Node: row, Type: "ac", Phases: 1, MaxA: 32, Rotation: rotations[i%3], Auth: "free", HAL: "sim",
			Port: &configs.Port{Interface: "lo", SDPPort: 15119 + i}, Station: "GARAGE"})
	}
	return yaml.Marshal(s)
}

// surroundings starts the CSMS and the broker, and puts addresses that are free in place of those in the file.
func (d *demo) surroundings() error {
	var err error
	if d.cfg.MQTT == nil {
		d.cfg.MQTT = &configs.MQTT{ClientID: "voltyard-" + d.cfg.Site.ID}
	}
	if d.broker, err = startBroker(); err != nil {
		return err
	}
	d.cfg.MQTT.URL = d.broker.addr
	if d.cfg.CSMS == nil {
		d.cfg.CSMS = &configs.CSMS{Identity: d.cfg.Site.ID}
	}
	if d.cloud, err = startCloud(d); err != nil {
		return err
	}
	d.cfg.CSMS.URL = d.cloud.url
	d.cfg.HTTP.Listen = freeTCP(d.cfg.HTTP.Listen)
	if d.cfg.Stations != nil {
		d.cfg.Stations.Listen = freeTCP(d.cfg.Stations.Listen)
	}
	d.freeDiscovery()
	return nil
}

// freeTCP returns addr if nobody listens there, else a free port of loopback.
func freeTCP(addr string) string {
	for _, a := range []string{addr, "127.0.0.1:0"} {
		if l, err := net.Listen("tcp", a); err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	return addr
}

// freeDiscovery moves the discovery ports of all EVSEs, which share the loopback interface here, to a range that is free.
func (d *demo) freeDiscovery() {
	for base := 0; base < 20000; base += 500 {
		free := true
		for _, e := range d.cfg.EVSEs {
			if e.Port == nil || e.Port.Interface != "lo" {
				continue
			}
			c, err := net.ListenPacket("udp6", net.JoinHostPort("::1", strconv.Itoa(e.Port.SDPPort+base)))
			if err != nil {
				free = false
				break
			}
			_ = c.Close()
		}
		if free {
			for i := range d.cfg.EVSEs {
				if p := d.cfg.EVSEs[i].Port; p != nil && p.Interface == "lo" {
					p.SDPPort += base
				}
			}
			return
		}
	}
}

// connectBuilding hangs the building's own load on the grid connection.
func (d *demo) connectBuilding() {
	d.world.wires.Connect(d.rootNode(), si.Straight, sim.Fixed{12, 9, 10})
}

// arrive has the vehicles come.
func (d *demo) arrive(recorded []ev.Recorded) error {
	volts := si.Volts(d.cfg.Site.VoltageV)
	var plan []ev.Arrival
	if recorded != nil {
		plan = ev.Replay(recorded, d.world.place, d.flags.speed, volts)
	} else {
		seed := d.flags.seed
		if seed == 0 {
			seed = rand.Uint64()
		}
		n := d.flags.evs
		if n == 0 {
			n = 2 * len(d.world.places)
			if d.flags.duration == 0 {
				n = 500 * len(d.world.places)
			}
		}
		if len(d.world.places) > 0 {
			plan = ev.Random(seed, n, d.world.places, d.flags.speed, volts)
		}
	}
	pid, err := d.site.env.System.Root.SpawnNamed(d.site.env.Props("fleet", ev.NewFleet(d.site.env, links, plan, &d.stats)), ev.Name)
	d.fleet = pid
	if err != nil {
		return fmt.Errorf("vehicles: %w", err)
	}
	return nil
}
