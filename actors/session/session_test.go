package session

import (
	"context"
	"encoding/json"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/kittest"
	"github.com/voltyard/voltyard/actors/kit/network"
	"github.com/voltyard/voltyard/actors/kit/sessiontrace"
	"github.com/voltyard/voltyard/actors/kit/v2gconn"
	"github.com/voltyard/voltyard/actors/kit/v2gtls"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/protocols/iso15118/appproto"
	"github.com/voltyard/voltyard/protocols/iso15118/pki"
	"github.com/voltyard/voltyard/protocols/iso15118/pki/testpki"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
	"github.com/voltyard/voltyard/protocols/v2gtp"
)

// stage is a session with probes in place of its EVSE and the recorder.
type stage struct {
	t        *testing.T
	env      *kit.Env
	net      *network.Memory
	evse     *kittest.Probe
	recorder *kittest.Probe
	session  *actor.PID
	factory  *Factory
	at       msg.SessionListening
}

func withSession(t *testing.T, change func(*Config), f func(s *stage)) {
	kittest.Run(t, func(t *testing.T, env *kit.Env) {
		s := &stage{t: t, env: env, net: network.NewMemory()}
		s.evse = kittest.NewProbe(t, env, "evse", nil)
		s.recorder = kittest.NewProbe(t, env, msg.Recorder, nil)
		cfg := Config{EVSE: "a1", Interface: network.Loopback, SECC: secc.Config{EVSEID: "DE*VYD*E1", Volts: 230}}
		change(&cfg)
		s.factory = NewFactory(env, s.net)
		s.session = kittest.Spawn(t, env, "session", s.factory.Make(cfg, 7, s.evse.PID))
		time.Sleep(10 * time.Millisecond)
		s.at, _ = kittest.Last[msg.SessionListening](s.evse.Take())
		s.tell(msg.SessionPresent{Gen: 7, Pilot: hal.PilotB, Ready: true, RatedAmps: 32, MaxCurrent: 16, Phases: 3})
		f(s)
	})
}

func (s *stage) tell(m any) { s.env.System.Root.Send(s.session, m) }

func (s *stage) dial() net.Conn {
	s.t.Helper()
	c, err := s.net.DialSECC(context.Background(), network.Loopback, s.at.Plain)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// ended is the session's last word.
func (s *stage) ended() msg.SessionEnded {
	s.t.Helper()
	e, ok := kittest.Last[msg.SessionEnded](s.evse.Take())
	if !ok {
		s.t.Fatal("the session has not ended")
	}
	return e
}

// saved is the trace that the session left.
func (s *stage) saved() sessiontrace.Trace {
	s.t.Helper()
	var t sessiontrace.Trace
	save, ok := kittest.Last[msg.Save](s.recorder.Take())
	if !ok || len(save.Ops) != 2 {
		s.t.Fatalf("saved %+v", save)
	}
	text, err := sessiontrace.JSON(save.Ops[1].Value)
	if err == nil {
		err = json.Unmarshal(text, &t)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return t
}

// counted is the value of a counter with these label values, in any order.
func (s *stage) counted(name string, labels ...string) float64 {
	s.t.Helper()
	families, err := s.env.Metrics.Registry.Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			found := 0
			for _, l := range m.GetLabel() {
				if slices.Contains(labels, l.GetValue()) {
					found++
				}
			}
			if f.GetName() == name && found == len(labels) {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

func (s *stage) bad(where, why string) float64 {
	return s.counted("voltyard_bad_input_total", where, why)
}

func offer(t *testing.T) []byte {
	t.Helper()
	b, err := (&appproto.SupportedAppProtocolReq{AppProtocol: []appproto.AppProtocol{{ProtocolNamespace: "urn:iso:15118:2:2013:MsgDef", VersionNumberMajor: 2, SchemaID: 3, Priority: 1}}}).AppendEXI(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestOneVehicleAPortAndATraceOfIt(t *testing.T) {
	withSession(t, func(*Config) {}, func(s *stage) {
		c := s.dial()
		time.Sleep(time.Millisecond)
		second := s.dial()
		if _, err := second.Read(make([]byte, 1)); err == nil {
			t.Error("a second vehicle is served")
		}
		if n := s.bad("v2g", "second_connection"); n != 1 {
			t.Errorf("second connections counted: %v", n)
		}
		if err := v2gconn.Write(c, uint16(v2gtp.EXI), offer(t)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := v2gconn.Read(c); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		_ = c.Close()
		time.Sleep(time.Second)
		if e := s.ended(); e.Class != string(secc.ClassConnection) || e.Gen != 7 {
			t.Errorf("%+v", e)
		}
		tr := s.saved()
		if tr.Messages != 2 || tr.Class != string(secc.ClassConnection) || tr.EVSE != "a1" || tr.List[0].From != sessiontrace.FromVehicle || len(tr.List[1].EXI) == 0 {
			t.Errorf("%+v", tr)
		}
	})
}

func TestFailureClasses(t *testing.T) {
	for name, c := range map[string]struct {
		do    func(s *stage)
		class secc.Class
	}{
		"silent after the connection": {func(s *stage) { s.dial() }, secc.ClassTimeout},
		"asked and did not come":      {func(s *stage) { s.tell(msg.SessionDiscovered{Gen: 7}) }, secc.ClassDiscovery},
		"not a protocol": {func(s *stage) {
			_ = v2gconn.Write(s.dial(), uint16(v2gtp.EXI), []byte("GET /"))
		}, secc.ClassEXI},
		"framing": {func(s *stage) {
			_, _ = s.dial().Write([]byte("GET / HTTP/1.1\r\n\r\n"))
		}, secc.ClassConnection},
	} {
		t.Run(name, func(t *testing.T) {
			withSession(t, func(*Config) {}, func(s *stage) {
				c.do(s)
				time.Sleep(20 * time.Second)
				if e := s.ended(); e.Class != string(c.class) || e.OK {
					t.Errorf("%+v, want %s", e, c.class)
				}
				if n := s.counted("voltyard_sessions_ended_total", string(c.class)); n != 1 {
					t.Errorf("counted %v times", n)
				}
				if name == "framing" && s.bad("v2g", "framing") != 1 {
					t.Error("bad framing is not counted")
				}
			})
		})
	}
}

func withTLS(t *testing.T, only bool) (func(*Config), *testpki.Set) {
	t.Helper()
	set, err := testpki.New(pki.ISO2, time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	leaf := set.Get(pki.SECC)
	return func(c *Config) {
		server, err := v2gtls.NewServer(v2gtls.Config{Identities: []v2gtls.Identity{{Chain: leaf.Chain(), Key: leaf.Key, Root: leaf.Root().Cert}}})
		if err != nil {
			t.Fatal(err)
		}
		c.TLS, c.TLSOnly = server, only
	}, set
}

func TestTLSHasAPortOfItsOwnAndAFailedHandshakeItsClass(t *testing.T) {
	change, set := withTLS(t, false)
	withSession(t, change, func(s *stage) {
		if !s.at.Plain.IsValid() || !s.at.TLS.IsValid() || s.at.Plain == s.at.TLS {
			t.Fatalf("listening %+v", s.at)
		}
		c, err := s.net.DialSECC(context.Background(), network.Loopback, s.at.TLS)
		if err != nil {
			t.Fatal(err)
		}
		tls, err := (&v2gtls.Client{Trust: set.Trust()}).Handshake(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		if err := v2gconn.Write(tls, uint16(v2gtp.EXI), offer(t)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := v2gconn.Read(tls); err != nil {
			t.Fatal(err)
		}
		_ = tls.Close()
		time.Sleep(time.Second)
		if tr := s.saved(); !tr.TLS {
			t.Errorf("%+v", tr.Summary)
		}
	})
	change, _ = withTLS(t, true)
	withSession(t, change, func(s *stage) {
		if s.at.Plain.IsValid() {
			t.Error("plain connections are offered")
		}
		c, err := s.net.DialSECC(context.Background(), network.Loopback, s.at.TLS)
		if err != nil {
			t.Fatal(err)
		}
		_ = v2gconn.Write(c, uint16(v2gtp.EXI), offer(t)) // no TLS at all
		time.Sleep(20 * time.Second)
		if e := s.ended(); e.Class != string(secc.ClassTLS) {
			t.Errorf("%+v", e)
		}
	})
}

func TestAVehicleThatSendsTooFastIsSlowedDown(t *testing.T) {
	withSession(t, func(c *Config) { c.SECC.Timing.Setup = time.Hour }, func(s *stage) {
		c := s.dial()
		go func() {
			for range 3 * rateBurst {
				_ = v2gconn.Write(c, uint16(v2gtp.EXI), offer(t)) // the second is a sequence error; the rest is not read
			}
		}()
		time.Sleep(time.Second)
		if e := s.ended(); e.Class == "" {
			t.Errorf("%+v", e)
		}
	})
	rate := kit.Rate{Burst: rateBurst, Every: rateEvery}
	now, waited := time.Unix(0, 0), time.Duration(0)
	for range rateBurst + 200 {
		d := rate.Wait(now)
		now, waited = now.Add(d), waited+d
	}
	if waited < 190*rateEvery || waited > 210*rateEvery {
		t.Errorf("200 messages over the burst took %v, want about %v", waited, 200*rateEvery)
	}
	if slow := (&kit.Rate{Burst: 1, Every: rateEvery}); slow.Wait(now) != 0 || slow.Wait(now.Add(2*rateEvery)) != 0 {
		t.Error("a slow vehicle has to wait")
	}
}
