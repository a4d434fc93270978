package ems

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/balancer"
	"github.com/voltyard/voltyard/actors/evse"
	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/logring"
	"github.com/voltyard/voltyard/actors/kit/mqtt"
	"github.com/voltyard/voltyard/actors/kit/network"
	"github.com/voltyard/voltyard/actors/kit/ocppstat"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/actors/port"
	"github.com/voltyard/voltyard/actors/recorder"
	"github.com/voltyard/voltyard/actors/session"
	"github.com/voltyard/voltyard/configs"
	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/allocate"
	"github.com/voltyard/voltyard/site/topology"
	"github.com/voltyard/voltyard/storage/keyring"
)

// Parts is what a site is made of besides its description.
type Parts struct {
	Net     network.Network
	Outlets map[string]hal.Outlet // by EVSE
	Meters  map[string]hal.Meter  // by node
	Inputs  map[string]hal.DigitalInput
	Broker  mqtt.Config // of the building; for meters that speak there
	Store   recorder.Store
	// Bench answers requests for contract certificates from the test PKI in a folder; nil: this program cannot.
	Bench func(dir string) (session.Certificates, error)
	View  *kit.Cell[msg.SiteView] // where the picture of the site is published
	OCPP  *ocppstat.Stats         // figures of OCPP; nil for a site without stations of its own or others (tests)
	// DialCSMS connects to the operator's cloud; nil for the system's.
	DialCSMS func(ctx context.Context, network, addr string) (net.Conn, error)
	// Keys is where the private keys of the site's own stations are, which the CSMS has renewed; nil: their certificates are managed
	// locally.
	Keys keyring.Ring
	// Log has the last lines of the log; nil for none.
	Log *logring.Ring
	// Restart ends the process in good order, for new firmware; nil: there are no updates.
	Restart func()
	// Publishing is told where stations download firmware; nil for nobody.
	Publishing func(net.Addr)
	// Firmware is the version that the site's own stations report.
	Firmware string
}

// Assemble returns the actors of a site, in the order in which they start.
func Assemble(env *kit.Env, s *configs.Site, p Parts) ([]Child, error) {
	desc, err := s.Topology()
	if err != nil {
		return nil, err
	}
	tree, err := topology.New(desc)
	if err != nil {
		return nil, err
	}
	children := []Child{{"recorder", "recorder", recorder.New(env, p.Store)}}
	bal := balancer.Config{Site: s.Site.ID, Tree: tree, Names: map[string]string{}, Sources: s.LimitSources(), Meters: map[string]time.Duration{},
		Allocate: allocate.Options{Step: 0.1, Hysteresis: 0.5}}
	if err := energy(&bal, s); err != nil {
		return nil, err
	}
	if s.Stations != nil && s.Stations.Accept == "any" {
		bal.Unlisted = configs.OtherPrefix
	}
	for _, e := range s.EVSEs {
		bal.Names[e.ID] = e.Station
	}
	var pollers []Child
	for _, n := range s.Nodes {
		if n.Meter == "" {
			continue
		}
		m, _ := s.Meter(n.Meter)
		bal.Meters[n.ID] = time.Duration(m.StaleS * float64(time.Second))
		read, err := makeMeter(env, n.ID, m, p)
		if err != nil {
			return nil, err
		}
		pollers = append(pollers, Child{"meter", "meter-" + n.ID, read})
	}
	children = append(children, Child{"balancer", "balancer", balancer.New(env, bal, p.View)})
	children = append(children, pollers...)
	others, err := aside(env, s, p.Inputs)
	if err != nil {
		return nil, err
	}
	children = append(children, others...)
	var certs managed
	if p.OCPP != nil {
		if certs, err = manage(s, p.Keys); err != nil {
			return nil, fmt.Errorf("csms: %w", err)
		}
		ocpp, err := ocppActors(env, s, p, certs)
		if err != nil {
			return nil, err
		}
		children = append(children, ocpp...)
	}
	comm := newVehicles(env, s, p, certs)
	for _, e := range s.EVSEs {
		hw, ok := p.Outlets[e.ID]
		if !ok {
			return nil, fmt.Errorf("evse %s: driver %q is not there", e.ID, e.HAL)
		}
		make, err := makeEVSE(env, s, e, hw, p.Net, comm)
		if err != nil {
			return nil, err
		}
		children = append(children, Child{"evse", "evse-" + e.ID, make})
	}
	return children, nil
}

func makeEVSE(env *kit.Env, s *configs.Site, e configs.EVSE, hw hal.Outlet, n network.Network, comm *vehicles) (func() actor.Actor, error) {
	cfg := evse.Config{ID: e.ID, Station: e.Station, DC: e.Type == "dc", Phases: e.Phases, MaxAmps: si.Amps(e.MaxA), MaxWatts: si.Watts(e.MaxW),
		Volts: si.Volts(s.Site.VoltageV), FloorFor: topology.DefaultFloorFor, Auth: evse.Auth(e.Auth), Socket: e.Cable == "socket"}
	if e.FloorA != nil {
		cfg.Floor = si.Amps(*e.FloorA)
	}
	if e.FloorW != nil {
		cfg.FloorW = si.Watts(*e.FloorW)
	}
	var kids evse.Children
	if e.Port != nil {
		pc := port.Config{EVSE: e.ID, Interface: e.Port.Interface, SDPPort: e.Port.SDPPort}
		sc, err := comm.config(e)
		if err != nil {
			return nil, fmt.Errorf("evse %s: %w", e.ID, err)
		}
		cfg.DigitalOnly = e.Port.Vehicle != ""
		cfg.LocalContracts = e.Port.Contract != nil && e.Port.Contract.Authorize == "local"
		kids.Port = func(gen uint64, pid *actor.PID) func() actor.Actor { return port.New(env, n, pc, gen, pid) }
		kids.Session = func(gen uint64, pid *actor.PID) func() actor.Actor {
			return comm.sessions.Make(sc, gen, pid)
		}
	}
	return evse.New(env, cfg, hw, kids), nil
}

// evseid is the EVSE's identifier towards vehicles, 7 to 37 characters (ISO 15118-2, annex H): country and operator codes of
// test equipment, then the station and EVSE ids with what is not allowed left out.
func evseid(station, id string) string {
	out := []byte("ZZ*VYD*E")
	for _, c := range []byte(station + "*" + id) {
		switch {
		case c >= '0' && c <= '9', c >= 'A' && c <= 'Z', c == '*':
			out = append(out, c)
		case c >= 'a' && c <= 'z':
			out = append(out, c-'a'+'A')
		}
	}
	return string(out[:min(len(out), 37)])
}
