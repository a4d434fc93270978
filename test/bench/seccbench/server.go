package seccbench

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/network"
	"github.com/voltyard/voltyard/actors/kit/v2gtls"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/actors/session"
	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/protocols/iso15118/pki"
	"github.com/voltyard/voltyard/protocols/iso15118/pki/testpki"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
)

// serve runs the sessions until standard input ends.
func serve(args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	set, err := testpki.New(pki.ISO2, time.Now())
	if err != nil {
		return err
	}
	leaf := set.Get(pki.SECC)
	tls, err := v2gtls.NewServer(v2gtls.Config{Identities: []v2gtls.Identity{{Chain: leaf.Chain(), Key: leaf.Key, Root: leaf.Root().Cert}}})
	if err != nil {
		return err
	}
	env := kit.NewEnv(zerolog.New(os.Stderr).Level(zerolog.WarnLevel))
	factory := session.NewFactory(env, network.Real{})
	listening := make(chan address, n)
	for i := range n {
		e := &stub{env: env, index: i, dc: i%2 == 1, listening: listening, factory: factory, tls: tls}
		if _, err := env.System.Root.SpawnNamed(env.Props("evse", func() actor.Actor { return e }), fmt.Sprintf("evse-%d", i)); err != nil {
			return err
		}
	}
	h := hello{Root: set.Get(pki.V2GRoot).CertPEM(), Addresses: make([]string, n)}
	for range n {
		a := <-listening
		h.Addresses[a.index] = a.at
	}
	b, err := json.Marshal(h)
	if err != nil {
		return err
	}
	fmt.Println(string(b))
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0) // nothing has to be put away
	return nil
}

type address struct {
	index int
	at    string
}

// stub stands in for an EVSE: it says yes, and its hardware follows at once. Its meter moves as often as a real one's.
type stub struct {
	env       *kit.Env
	index     int
	dc        bool
	listening chan<- address
	factory   *session.Factory
	tls       *v2gtls.Server

	timers  *kit.Timers
	session *actor.PID
	present msg.SessionPresent
}

func (s *stub) secure() bool { return s.index%4 >= 2 }

// Receive handles one message.
func (s *stub) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		s.timers = kit.NewTimers(ctx)
		cfg := session.Config{EVSE: fmt.Sprint(s.index), Interface: network.Loopback, SECC: secc.Config{DC: s.dc, EVSEID: "DE*VYD*E1", Volts: 230}}
		if s.secure() {
			cfg.TLS, cfg.TLSOnly = s.tls, true
		}
		s.session = ctx.Spawn(s.env.Props("session", s.factory.Make(cfg, 1, ctx.Self())))
		s.present = msg.SessionPresent{Gen: 1, Pilot: hal.PilotC, Ready: true, MaxCurrent: 16, MaxPower: 20e3, MaxVoltage: 500, MinVoltage: 150, RatedAmps: 32, RatedWatts: 50e3, Phases: 3}
		ctx.Send(s.session, s.present)
		s.timers.Set("meter", time.Duration(s.index%250)*time.Millisecond)
	case kit.Fired:
		if s.timers.Due(m) {
			s.present.Energy += 2
			ctx.Send(s.session, s.present)
			s.timers.Set("meter", 250*time.Millisecond)
		}
	case msg.SessionListening:
		a := m.Plain
		if s.secure() {
			a = m.TLS
		}
		s.listening <- address{s.index, a.String()}
	case msg.SessionAuthorize:
		ctx.Send(s.session, msg.SessionAuthorized{Gen: 1, Accepted: true})
	case msg.SessionContactor:
		s.present.Closed = m.Close
		ctx.Send(s.session, s.present)
	case msg.SessionDC:
		s.present.Volts, s.present.Amps = m.Volts, m.Amps
		if m.Mode == hal.ModuleCableCheck {
			s.present.Isolation = hal.IsolationValid
		}
		if m.Mode == hal.ModulePreCharge || m.Mode == hal.ModuleCharge {
			s.present.Volts = m.Volts
		}
		ctx.Send(s.session, s.present)
	case msg.SessionEnded:
		if !m.OK && m.Class != string(secc.ClassConnection) {
			fmt.Fprintf(os.Stderr, "session %d: %s: %s\n", s.index, m.Class, m.Why)
		}
	}
}
