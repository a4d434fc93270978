package controller_test

import (
	"context"
	"net"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/controller"
	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/kittest"
	"github.com/voltyard/voltyard/actors/kit/network"
	"github.com/voltyard/voltyard/actors/kit/ocppstat"
	"github.com/voltyard/voltyard/actors/kit/ws"
	"github.com/voltyard/voltyard/actors/msg"
)

// A station of OCPP 2.1 speaks that with a CSMS that does, SENDs included; a second connection takes the place of the first;
// without the CSMS the station is let in under 2.0.1.
func TestOCPP21(t *testing.T) {
	kittest.Run(t, func(t *testing.T, env *kit.Env) {
		mem := network.NewMemory()
		north, err := mem.ListenSECC(context.Background(), "cloud")
		if err != nil {
			t.Fatal(err)
		}
		cloud := kittest.NewProbe(t, env, "csms", func(ctx actor.Context) {
			if f, ok := ctx.Message().(ws.Frame); ok {
				f.Peer.Handled()
			}
		})
		server := &ws.Server{Path: "/ocpp", Judge: func(_ context.Context, v ws.Visitor) ws.Verdict {
			return ws.Verdict{Status: http.StatusSwitchingProtocols, Subprotocol: ws.Choose([]string{"ocpp2.1"}, v.Subprotocols),
				Open: func(p *ws.Peer) { p.Attach(env.System.Root, cloud.PID) }}
		}}
		go func() { _ = server.Serve(north) }()
		defer server.Shutdown()
		down := false
		south := make(chan net.Listener, 1)
		kittest.NewProbe(t, env, msg.Balancer, nil)
		kittest.NewProbe(t, env, msg.Recorder, empty)
		kittest.Spawn(t, env, msg.Controller, controller.New(env, controller.Config{Listen: "stations", Path: "/ocpp", Stay: true, Volts: 230, NewID: ws.NewID,
			Stats: ocppstat.New(env), Stations: []controller.Station{{ID: "CS-1", Fallback: 6, MaxAmps: 32, Phases: 3}},
			CSMS: &controller.CSMS{URL: "ws://cloud/ocpp", Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
				if down {
					return nil, net.ErrClosed
				}
				return mem.DialSECC(ctx, "cloud", north.Addr().(*net.TCPAddr).AddrPort())
			}},
			Bind: func(string) (net.Listener, error) {
				l, err := mem.ListenSECC(context.Background(), "site")
				south <- l
				return l, err
			}}))
		to := (<-south).Addr().(*net.TCPAddr).AddrPort()
		dial := func(name string) (*ws.Peer, *kittest.Probe) {
			p, err := ws.Dial(t.Context(), ws.Target{URL: "ws://site/ocpp", Identity: "CS-1", Subprotocols: []string{"ocpp2.1", "ocpp2.0.1"},
				DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return mem.DialSECC(ctx, "site", to) }})
			if err != nil {
				t.Fatal(err)
			}
			probe := kittest.NewProbe(t, env, name, nil)
			p.Attach(env.System.Root, probe.PID)
			return p, probe
		}
		heard := func() (frames []string) {
			for _, f := range kittest.Of[ws.Frame](cloud.Take()) {
				frames = append(frames, string(f.Raw))
			}
			return frames
		}
		first, ear := dial("first")
		if first.Subprotocol() != "ocpp2.1" {
			t.Fatalf("agreed on %q", first.Subprotocol())
		}
		send := `[6,"s1","NotifyPeriodicEventStream",{"id":1}]`
		first.Send([]byte(send))
		time.Sleep(time.Second)
		if got := heard(); !slices.Contains(got, send) {
			t.Errorf("the CSMS got %q", got)
		}
		second, other := dial("second")
		time.Sleep(time.Second)
		if c, ok := kittest.Last[ws.Closed](ear.Take()); !ok || c.Code != 1001 {
			t.Errorf("the first connection: %+v", c)
		}
		second.Send([]byte(send))
		time.Sleep(time.Second)
		if got := heard(); !slices.Contains(got, send) {
			t.Errorf("of the second connection the CSMS got %q", got)
		}
		down = true
		for _, c := range kittest.Of[ws.Closed](other.Take()) {
			t.Errorf("the second connection ended: %+v", c)
		}
		second.Close(1000, "")
		time.Sleep(5 * time.Second)
		third, _ := dial("third")
		if third.Subprotocol() != "ocpp2.0.1" {
			t.Errorf("without the CSMS: %q", third.Subprotocol())
		}
		third.Close(1000, "")
		synctest.Wait()
	})
}
