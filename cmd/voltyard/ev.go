package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/voltyard/voltyard/actors/kit/v2gtls"
	"github.com/voltyard/voltyard/actors/sim/ev"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/hal/sim"
	"github.com/voltyard/voltyard/protocols/iso15118/evcc"
)

// evFlags are the command line of a vehicle.
type evFlags struct {
	protocol, mode, auth string
	tls, ocsp            bool
	install, update      bool
	renegotiate          bool
	pause                time.Duration
	iface                string
	sdpPort              int
	battery, soc         float64
	amps, power, volts   float64
	phases               int
	charge               time.Duration
	speed                float64
	pki, evccid, keyLog  string
	json, lenient        bool
}

func evCommand() *cobra.Command {
	var f evFlags
	c := &cobra.Command{
		Use:   "ev",
		Short: "Be a vehicle: discover a charge point on an interface, and charge",
		Long: "Be a vehicle for any charge point: find it by SDP on an interface, charge for a while, and say how it went.\n" +
			"Nothing but communication is simulated: no cable is there, and what flows is what the charge point grants.\n" +
			"Against voltyard run, an EVSE whose port says vehicle: external has its simulated cable follow.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, cancel := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
			defer cancel()
			return runEV(ctx, f, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	fl := c.Flags()
	fl.StringVar(&f.protocol, "protocol", "iso15118-2", "din or iso15118-2")
	fl.StringVar(&f.mode, "mode", "ac", "ac or dc")
	fl.StringVar(&f.auth, "auth", "eim", "eim (somebody else identifies) or pnc (by contract; needs --tls and --pki)")
	fl.BoolVar(&f.tls, "tls", false, "connect over TLS; needs --pki for the roots")
	fl.BoolVar(&f.ocsp, "require-ocsp", false, "refuse a charge point that staples no good OCSP response")
	fl.BoolVar(&f.install, "install-certificate", false, "have no contract yet, and install one first")
	fl.BoolVar(&f.update, "update-certificate", false, "renew the contract certificate first")
	fl.BoolVar(&f.renegotiate, "renegotiate", false, "negotiate the schedule anew while charging")
	fl.DurationVar(&f.pause, "pause", 0, "pause half-way for this long, and come back to the session; 0: do not")
	fl.StringVar(&f.iface, "iface", "lo", "network interface; on lo the charge point is asked at [::1]")
	fl.IntVar(&f.sdpPort, "sdp-port", 15118, "UDP port of the discovery protocol")
	fl.Float64Var(&f.battery, "battery", 60, "capacity of the battery, kWh")
	fl.Float64Var(&f.soc, "soc", 30, "state of charge at the start, %")
	fl.Float64Var(&f.amps, "amps", 16, "AC: what the on-board charger takes, A per phase")
	fl.IntVar(&f.phases, "phases", 3, "AC: 1 or 3")
	fl.Float64Var(&f.power, "power", 50, "what the battery takes at most, kW")
	fl.Float64Var(&f.volts, "battery-volts", 400, "DC: voltage of the battery, V")
	fl.DurationVar(&f.charge, "charge", 10*time.Second, "leave after charging for so long")
	fl.Float64Var(&f.speed, "speed", 1, "how many seconds of energy one second brings")
	fl.StringVar(&f.pki, "pki", "", "folder made by voltyard pki init: the vehicle's roots, contract and provisioning certificate")
	fl.StringVar(&f.evccid, "evccid", "02:56:59:00:00:01", "the vehicle's identifier, a MAC address")
	fl.StringVar(&f.keyLog, "key-log", "", "file for the TLS keys, in Wireshark's format, for debugging")
	fl.BoolVar(&f.lenient, "lenient", false, "wait longer for responses than the standard allows")
	fl.BoolVar(&f.json, "json", false, "print one JSON object with the result")
	return c
}

// errEVFailed is the end of a visit that did not go well.
var errEVFailed = errors.New("the vehicle could not charge")

func runEV(ctx context.Context, f evFlags, out, errOut io.Writer) error {
	trip, err := f.trip()
	if err != nil {
		return err
	}
	begun := time.Now()
	if !f.json {
		trip.Notice = func(text string) { fmt.Fprintf(errOut, "%7.3f s  %s\n", time.Since(begun).Seconds(), text) }
	}
	r := trip.Run(ctx)
	if f.json {
		if err := json.NewEncoder(out).Encode(r); err != nil {
			return err
		}
	} else if r.OK {
		fmt.Fprintf(out, "charged %.0f Wh in %d session(s) by %s; battery at %.1f %%\n", float64(r.Energy), r.Sessions, r.Protocol, float64(r.SoC))
	}
	if !r.OK {
		return fmt.Errorf("%w: %s", errEVFailed, r.Why)
	}
	return nil
}

// trip turns the command line into a visit.
func (f *evFlags) trip() (*ev.Trip, error) {
	switch {
	case f.protocol != "din" && f.protocol != "iso15118-2":
		return nil, fmt.Errorf("protocol %q: want din or iso15118-2", f.protocol)
	case f.mode != "ac" && f.mode != "dc":
		return nil, fmt.Errorf("mode %q: want ac or dc", f.mode)
	case f.auth != "eim" && f.auth != "pnc":
		return nil, fmt.Errorf("auth %q: want eim or pnc", f.auth)
	case f.protocol == "din" && (f.mode == "ac" || f.auth == "pnc" || f.tls || f.renegotiate || f.pause > 0):
		return nil, errors.New("DIN 70121 has DC charging with external identification only: --mode dc, without TLS, renegotiation or pause")
	case (f.auth == "pnc" || f.tls) && f.pki == "":
		return nil, errors.New("TLS and contracts need certificates: give --pki DIR, made by voltyard pki init DIR")
	case f.auth == "pnc" && !f.tls:
		return nil, errors.New("--auth pnc needs --tls")
	case (f.install || f.update) && f.auth != "pnc":
		return nil, errors.New("certificates are installed for Plug & Charge: add --auth pnc")
	case f.install && f.update:
		return nil, errors.New("install a first certificate or update one, not both at once")
	case f.phases != 1 && f.phases != 3:
		return nil, fmt.Errorf("%d phases: want 1 or 3", f.phases)
	case !(f.battery > 0) || !(f.soc >= 0) || f.soc > 100 || !(f.power > 0) || !(f.amps >= 6) || !(f.volts > 0) || !(f.speed > 0) || f.charge <= 0 || f.pause < 0:
		return nil, errors.New("battery, power, volts, speed and charge must be above 0, soc between 0 and 100, amps at least 6")
	}
	id, err := parseMAC(f.evccid)
	if err != nil {
		return nil, err
	}
	capacity := si.WattHours(f.battery * 1000)
	t := &ev.Trip{Net: links, Interface: f.iface, SDPPort: f.sdpPort, DIN: f.protocol == "din",
		EVCC:    evcc.Config{EVCCID: id, DC: f.mode == "dc", Phases: f.phases},
		Battery: sim.Battery{Capacity: capacity, Energy: capacity * si.WattHours(f.soc/100), MaxPower: si.Watts(f.power * 1000), Nominal: si.Volts(f.volts)},
		MaxAmps: si.Amps(f.amps), Volts: 230, Speed: f.speed, Charge: f.charge, Renegotiate: f.renegotiate, Pause: f.pause}
	if f.lenient {
		t.EVCC.Timing = evcc.Timing{Message: 10 * time.Second, Long: 20 * time.Second, CurrentDemand: 5 * time.Second, PreCharge: 20 * time.Second}
	}
	if f.pki == "" {
		return t, nil
	}
	if t.Wallet, err = pkiFolder(f.pki).wallet(f.install); err != nil {
		return nil, err
	}
	if f.auth == "pnc" {
		t.EVCC.Contract = t.Wallet.Contract(f.install, f.update)
	}
	if f.tls {
		t.TLS = &v2gtls.Client{Trust: t.Wallet.Trust, RequireOCSP: f.ocsp}
		if f.keyLog != "" {
			log, err := os.OpenFile(f.keyLog, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
			if err != nil {
				return nil, fmt.Errorf("key log: %w", err)
			}
			t.TLS.KeyLog = log // open until the process ends
		}
	}
	return t, nil
}

func parseMAC(s string) (id [6]byte, err error) {
	var rest string
	n, _ := fmt.Sscanf(strings.ToLower(s)+" ", "%02x:%02x:%02x:%02x:%02x:%02x%s", &id[0], &id[1], &id[2], &id[3], &id[4], &id[5], &rest)
	if n != len(id) {
		return id, fmt.Errorf("evccid %q: write it as 02:56:59:00:00:01", s)
	}
	return id, nil
}
