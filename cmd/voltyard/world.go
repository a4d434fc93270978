package main

import (
	"fmt"
	"time"

	"github.com/voltyard/voltyard/actors/kit/network"
	"github.com/voltyard/voltyard/actors/sim/ev"
	"github.com/voltyard/voltyard/configs"
	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/hal/sim"
)

// world is the simulated hardware of a site: what `hal: sim` and `driver: sim` stand for.
type world struct {
	outlets   map[string]*sim.Outlet
	wires     *sim.Wires
	places    []ev.Place // in the order of the file
	registers []*register
}

// newWorld makes the hardware that a site file calls simulated. Energy runs at speed. Meters keep their registers in the
// site's data directory, as real ones keep theirs.
func newWorld(s *configs.Site, speed float64) (*world, error) {
	above := map[string]string{}
	for _, n := range s.Nodes {
		above[n.ID] = n.Parent
	}
	w := &world{outlets: map[string]*sim.Outlet{}, wires: sim.NewWires(si.Volts(s.Site.VoltageV), speed, above)}
	for _, e := range s.EVSEs {
		if e.HAL != "sim" {
			continue
		}
		turn, err := si.ParseRotation(e.Rotation)
		if err != nil {
			return nil, fmt.Errorf("evse %s: %w", e.ID, err)
		}
		cfg := sim.Config{Speed: speed, Volts: si.Volts(s.Site.VoltageV), Phases: e.Phases, DC: e.Type == "dc", Socket: e.Cable == "socket", Display: e.Display, Watchdog: 3 * time.Second}
		if cfg.DC {
			out := min(50e3, e.MaxW)
			cfg.Phases = 3
			cfg.Module = hal.ModuleLimits{MinVolts: 150, MaxVolts: 500, MaxAmps: si.Amps(out / 400), MaxWatts: si.Watts(out), Efficiency: 0.95}
		}
		r, err := openRegister(s.Storage.Dir, e.ID)
		if err != nil {
			return nil, err
		}
		w.registers = append(w.registers, r)
		cfg.Import, cfg.Export, cfg.Keep = r.imports, r.exports, r.keep
		if e.Signs == "ocmf" {
			if cfg.SigningKey, err = meterKey(s.Storage.Dir, e.ID); err != nil {
				return nil, err
			}
			cfg.Serial = e.ID
		}
		o := sim.NewOutlet(cfg)
		w.outlets[e.ID] = o
		w.wires.Connect(e.Node, turn, o)
		p := ev.Place{EVSE: e.ID, Outlet: o, DC: cfg.DC, Reader: e.Auth == "rfid"}
		if e.Port != nil {
			p.ISO15118, p.Interface, p.SDPPort = true, e.Port.Interface, e.Port.SDPPort
		}
		w.places = append(w.places, p)
	}
	return w, nil
}

// hal returns the simulated outlets and the meters of nodes as the controller sees them.
func (w *world) hal(s *configs.Site) (map[string]hal.Outlet, map[string]hal.Meter) {
	outlets, meters := map[string]hal.Outlet{}, map[string]hal.Meter{}
	for id, o := range w.outlets {
		outlets[id] = o.HAL()
	}
	drivers := map[string]string{}
	for _, m := range s.Meters {
		drivers[m.ID] = m.Driver
	}
	for _, n := range s.Nodes {
		if n.Meter != "" && drivers[n.Meter] == "sim" {
			meters[n.ID] = w.wires.Meter(n.ID)
		}
	}
	return outlets, meters
}

// place finds where an EVSE is.
func (w *world) place(evse string) ev.Place {
	for _, p := range w.places {
		if p.EVSE == evse {
			return p
		}
	}
	return ev.Place{}
}

// links is the network that vehicles and EVSEs of a site share.
var links network.Network = network.Real{}
