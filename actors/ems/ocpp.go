package ems

import (
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"slices"
	"time"

	"github.com/voltyard/voltyard/actors/controller"
	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/password"
	"github.com/voltyard/voltyard/actors/kit/tlsfile"
	"github.com/voltyard/voltyard/actors/station"
	"github.com/voltyard/voltyard/configs"
	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/ocpp/profile"
	role "github.com/voltyard/voltyard/protocols/ocpp/station"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// What the site's own stations say they are.
const (
	vendor = "Voltyard"
	model  = "Voltyard"
)

// ocppActors are the local controller, one station role for each OCPP identity among the site's EVSEs, and the role of the
// controller's own identity.
func ocppActors(env *kit.Env, s *configs.Site, p Parts, certs managed) ([]Child, error) {
	stats, firmware := p.OCPP, p.Firmware
	volts := si.Volts(s.Site.VoltageV)
	var ids []string
	evses := map[string][]configs.EVSE{}
	for _, e := range s.EVSEs {
		if evses[e.Station] == nil {
			ids = append(ids, e.Station)
		}
		evses[e.Station] = append(evses[e.Station], e)
	}
	cfg := controller.Config{Volts: volts, NewID: rand.Text, Stats: stats, Own: slices.Clone(ids), Deflate: true}
	if s.CSMS != nil {
		secret, err := configs.Secret(s.CSMS.PasswordFile)
		if err != nil {
			return nil, err
		}
		roots, err := uplinkTLS(s.CSMS)
		if err != nil {
			return nil, fmt.Errorf("csms: %w", err)
		}
		cfg.CSMS = &controller.CSMS{URL: s.CSMS.URL, Password: secret, TLS: roots, Dial: p.DialCSMS}
		if m := certs[s.CSMS.Identity]; m != nil { // what the CSMS has renewed for the controller's own identity counts for those it relays
			cfg.CSMS.Current = func() *tls.Config { return m.Uplink.Config(false) }
		}
		cfg.Own = append(cfg.Own, s.CSMS.Identity)
	}
	var chain []string
	var err error
	if st := s.Stations; st != nil {
		cfg.Listen, cfg.Path, cfg.Stay = st.Listen, st.Path, st.Offline == "answer"
		if cfg.Listeners, err = listeners(env, st); err != nil {
			return nil, err
		}
		cfg.Wire.MaxFrame = int64(st.Bounds.FrameBytes)
		cfg.Bounds = controller.Bounds{Frames: st.Bounds.FramesPerS, Connections: st.Bounds.Connections, Handshakes: st.Bounds.HandshakesPer, QueueBytes: st.Bounds.QueueBytes}
		cfg.Answer = time.Duration(st.AnswerS * float64(time.Second))
		for _, x := range st.List {
			secret, err := configs.Secret(x.PasswordFile)
			if err == nil {
				err = password.Check(secret)
			}
			if err != nil {
				return nil, fmt.Errorf("station %s: %w", x.ID, err)
			}
			cfg.Stations = append(cfg.Stations, controller.Station{ID: x.ID, Password: secret, Fallback: si.Amps(*x.FallbackA),
				MaxAmps: si.Amps(x.MaxA), Phases: x.Phases, Levels: x.Levels, Whole: x.WholeA, PerTx: x.LimitBy == "transaction", EVSEs: x.EVSEs})
			chain = append(chain, x.ID)
		}
		if st.Accept == "any" {
			cfg.Others = &controller.Station{Fallback: si.Amps(st.FallbackA), MaxAmps: si.Amps(st.MaxA), Phases: 3}
			cfg.Most = st.MaxOthers
		}
	}
	children := []Child{{"controller", "controller", controller.New(env, cfg)}}
	more, err := serve(env, s, p, cfg.Own)
	if err != nil {
		return nil, err
	}
	children = append(children, more.children...)
	for _, id := range ids {
		sc := station.Config{Cloud: s.CSMS != nil, Stats: stats, Role: role.Config{Identity: id, Vendor: vendor, Model: model, Serial: cut(id, 25),
			Firmware: cut(firmware, 50), Reason: v201.BootReasonPowerUp, NewID: rand.Text}}
		for _, e := range evses[id] {
			sc.EVSEs = append(sc.EVSEs, e.ID)
			x := role.EVSEConfig{ConnectorType: "cType2", Socket: e.Cable == "socket", Rating: profile.Rating{Phases: e.Phases, Volts: volts, Max: si.Amps(e.MaxA)}}
			if x.Socket {
				x.ConnectorType = "sType2"
			}
			if e.Type == "dc" {
				x = role.EVSEConfig{ConnectorType: "cCCS2", DC: true, Rating: profile.Rating{Phases: 3, Volts: volts, Power: si.Watts(e.MaxW)}}
			}
			sc.Role.Display = sc.Role.Display || e.Display
			if meter, ok := p.Outlets[e.ID].Meter.(hal.Signer); ok {
				x.Signs, x.PublicKey = true, meter.PublicKey()
			}
			sc.Role.EVSEs = append(sc.Role.EVSEs, x)
			if e.Port != nil && e.Port.Contract != nil && e.Port.Contract.Central {
				sc.Role.Variables = map[string]string{"ISO15118Ctrlr.CentralContractValidationAllowed": "true"}
			}
		}
		sc.Role.Fixed = fixed(s, evses[id])
		certs.into(&sc, s)
		more.into(&sc)
		children = append(children, Child{"station", "station-" + id, station.New(env, sc)})
	}
	if s.CSMS != nil {
		own := station.Config{Cloud: true, Stats: stats, Site: p.View, Role: role.Config{Identity: s.CSMS.Identity, Vendor: vendor, Model: "Local Controller",
			Serial: cut(s.CSMS.Identity, 25), Firmware: cut(firmware, 50), Reason: v201.BootReasonPowerUp, NewID: rand.Text, Control: true,
			Chain: append(chain, ids...), Rating: profile.Rating{Volts: volts}, Fixed: fixed(s, nil)}}
		certs.into(&own, s)
		more.into(&own)
		children = append(children, Child{"station", "station-" + s.CSMS.Identity, station.New(env, own)})
	}
	return children, nil
}

// fixed are the variables that the site file decides and the CSMS cannot.
func fixed(s *configs.Site, evses []configs.EVSE) map[string]string {
	out := map[string]string{}
	if s.Tariff != nil && s.Tariff.Currency != "" {
		out["TariffCostCtrlr.Currency"] = s.Tariff.Currency
	}
	has := func(what func(*configs.Port) bool) bool {
		return slices.ContainsFunc(evses, func(e configs.EVSE) bool { return e.Port != nil && what(e.Port) })
	}
	off := func(names ...string) {
		for _, n := range names {
			out["ISO15118Ctrlr."+n] = "false"
		}
	}
	if !has(func(*configs.Port) bool { return true }) {
		off("Available", "Enabled")
	}
	if !has(func(p *configs.Port) bool { return p.Contract != nil }) {
		off("PnCEnabled", "CentralContractValidationAllowed", "ContractValidationOffline")
	}
	if !has(func(p *configs.Port) bool { return p.Contract != nil && p.Contract.Certificates != "off" }) {
		off("ContractCertificateInstallationEnabled")
	}
	return out
}

// listeners are those of the site file, with their certificates read. Certificates that are renewed later are logged.
func listeners(env *kit.Env, st *configs.Stations) ([]controller.Listener, error) {
	var out []controller.Listener
	for _, l := range st.Listeners {
		x := controller.Listener{Addr: l.Listen, Profile: controller.Profile(l.Profile)}
		if x.Profile != controller.ProfileBasic {
			files := tlsfile.ServerFiles{ClientCA: l.ClientCAFile}
			for _, c := range l.Certificates {
				files.Pairs = append(files.Pairs, tlsfile.Pair{Cert: c.CertFile, Key: c.KeyFile})
			}
			server, err := tlsfile.NewServer(files, func(err error) {
				if err != nil {
					env.Log.Error().Err(err).Str("listen", l.Listen).Msg("the listener keeps its old certificates")
					return
				}
				env.Log.Info().Str("listen", l.Listen).Msg("the listener uses its new certificates")
			})
			if err != nil {
				return nil, fmt.Errorf("listener %s: %w", l.Listen, err)
			}
			x.TLS = server.Config()
		}
		out = append(out, x)
	}
	return out, nil
}

func cut(s string, n int) string { return s[:min(len(s), n)] }
