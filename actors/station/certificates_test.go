package station

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/kittest"
	"github.com/voltyard/voltyard/actors/kit/ocppstat"
	"github.com/voltyard/voltyard/actors/kit/tlsfile"
	"github.com/voltyard/voltyard/actors/kit/v2gtls"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/protocols/iso15118/pki"
	"github.com/voltyard/voltyard/protocols/iso15118/pki/testpki"
	"github.com/voltyard/voltyard/protocols/ocpp/profile"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	role "github.com/voltyard/voltyard/protocols/ocpp/station"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
	"github.com/voltyard/voltyard/storage/keyring"
)

// A combined certificate is made, signed, and used on both sides; the connection is made anew with it, and the roots of contracts
// that the CSMS installs count.
func TestACombinedCertificateIsUsedOnBothSides(t *testing.T) {
	kittest.Run(t, func(t *testing.T, env *kit.Env) {
		o, err := testpki.NewOCPP(time.Now(), "LC")
		if err != nil {
			t.Fatal(err)
		}
		ring, err := keyring.OpenDir(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		certs := &Certificates{Own: tlsfile.Own{Ring: ring, Identity: "CS"}, Uplink: tlsfile.NewUplink(&tls.Config{}, false), Vehicles: &v2gtls.Issued{},
			Trust: &kit.Cell[pki.Trust]{}, Also: &pki.Trust{}}
		kittest.NewProbe(t, env, msg.Recorder, func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case msg.Load:
				ctx.Send(m.Reply, msg.Loaded{Bucket: m.Bucket, Token: m.Token})
			case msg.Save:
				ctx.Send(m.Reply, msg.Saved{Token: m.Token})
			}
		})
		kittest.NewProbe(t, env, msg.Balancer, nil)
		var station *actor.PID
		var issued *testpki.Entity
		hangups := 0
		ask := func(ctx actor.Context, id string, q rpc.Message) {
			ctx.Send(station, msg.UplinkFrame{Station: "CS", Gen: 1, Raw: rpc.AppendCall(nil, id, q.ActionName(), q.AppendJSON(nil))})
		}
		kittest.NewProbe(t, env, msg.Controller, func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case msg.UplinkOpen:
				station = m.Reply
				ctx.Send(station, msg.UplinkIs{Station: "CS", Gen: 1, Up: true, Target: m.Target.ID})
			case msg.UplinkHangup:
				hangups++
			case msg.UplinkFrame:
				f, err := rpc.Parse(m.Raw)
				if err != nil || f.Type != rpc.Call {
					return
				}
				res := `{}`
				switch f.Action {
				case v201.ActionBootNotification:
					res = `{"currentTime":"2000-01-01T00:00:00Z","interval":300,"status":"Accepted"}`
				case v201.ActionSignCertificate:
					var q v201.SignCertificateRequest
					if err := q.UnmarshalJSON(f.Payload); err != nil {
						t.Error(err)
					}
					b, _ := pem.Decode([]byte(q.Csr))
					csr, err := x509.ParseCertificateRequest(b.Bytes)
					if err != nil {
						t.Error(err)
						return
					}
					if issued, err = o.IssueFor(csr.PublicKey, testpki.Subject{Name: "cs", CommonName: "CS"}); err != nil {
						t.Error(err)
					}
					res = `{"status":"Accepted"}`
					defer ask(ctx, "3", &v201.CertificateSignedRequest{CertificateChain: string(issued.ChainPEM())})
				}
				ctx.Send(station, msg.UplinkFrame{Station: "CS", Gen: 1, Raw: rpc.AppendResult(nil, f.ID, []byte(res))})
				if f.Action == v201.ActionBootNotification {
					ask(ctx, "1", &v201.InstallCertificateRequest{CertificateType: v201.InstallCertificateUseMORootCertificate, Certificate: string(o.Root.CertPEM())})
					ask(ctx, "2", &v201.TriggerMessageRequest{RequestedMessage: v201.MessageTriggerSignCombinedCertificate})
				}
			}
		})
		kittest.Spawn(t, env, msg.StationName("CS"), New(env, Config{Cloud: true, Stats: ocppstat.New(env), Certificates: certs, EVSEs: []string{"e1"},
			Role: role.Config{Identity: "CS", Vendor: "v", Model: "m", NewID: rand.Text, Certificates: true,
				Installed: []role.Root{{Use: v201.GetCertificateIdUseCSMSRootCertificate, PEM: string(o.Root.CertPEM())}},
				Network:   &role.Network{URL: "wss://csms/", Security: 2}, EVSEs: []role.EVSEConfig{{ConnectorType: "cType2", Rating: profile.Rating{Phases: 3, Volts: 230, Max: 32}}}}}))
		time.Sleep(time.Minute)
		synctest.Wait()
		if issued == nil || hangups != 1 {
			t.Fatalf("issued %v, %d hang-ups", issued, hangups)
		}
		if c, err := certs.Uplink.Config(false).GetClientCertificate(nil); err != nil || !c.Leaf.Equal(issued.Cert) {
			t.Errorf("towards the CSMS: %v", err)
		}
		id, _ := certs.Vehicles.Get()
		if id == nil || len(id.Chain) != 1 || id.Root == nil || !id.Root.Equal(o.Root.Cert) {
			t.Errorf("towards vehicles: %+v", id)
		}
		if tr := certs.Trust.Load(); tr == nil || len(tr.MO) != 1 || !tr.MO[0].Equal(o.Root.Cert) {
			t.Errorf("roots of contracts: %+v", tr)
		}
		if names, err := ring.List(); err != nil || len(names) != 1 {
			t.Errorf("%q, %v", names, err)
		}
	})
}

// The controller is told how long to wait between attempts to connect: with the first request for a connection, and when it changes.
func TestTheWaitBetweenAttemptsReachesTheUplink(t *testing.T) {
	kittest.Run(t, func(t *testing.T, env *kit.Env) {
		kittest.NewProbe(t, env, msg.Recorder, func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case msg.Load:
				ctx.Send(m.Reply, msg.Loaded{Bucket: m.Bucket, Token: m.Token})
			case msg.Save:
				ctx.Send(m.Reply, msg.Saved{Token: m.Token})
			}
		})
		kittest.NewProbe(t, env, msg.Balancer, nil)
		var first, now msg.UplinkTarget
		kittest.NewProbe(t, env, msg.Controller, func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case msg.UplinkOpen:
				first = m.Target
				ctx.Send(m.Reply, msg.UplinkIs{Station: "CS", Gen: 1, Up: true, Target: m.Target.ID})
				q := &v201.SetVariablesRequest{SetVariableData: []v201.SetVariableData{{Component: v201.Component{Name: "OCPPCommCtrlr"},
					Variable: v201.Variable{Name: "RetryBackOffWaitMinimum"}, AttributeValue: "17"}}}
				ctx.Send(m.Reply, msg.UplinkFrame{Station: "CS", Gen: 1, Raw: rpc.AppendCall(nil, "1", q.ActionName(), q.AppendJSON(nil))})
			case msg.UplinkTarget:
				now = m
			}
		})
		kittest.Spawn(t, env, msg.StationName("CS"), New(env, Config{Cloud: true, Stats: ocppstat.New(env),
			Role: role.Config{Identity: "CS", Vendor: "v", Model: "m", NewID: rand.Text, Network: &role.Network{URL: "wss://csms/", Security: 2}}}))
		time.Sleep(time.Second)
		synctest.Wait()
		if want := (msg.Retry{Times: 5, Minimum: time.Second, Range: 2 * time.Second}); first.Retry != want || first.URL == "" {
			t.Errorf("%+v", first)
		}
		if now.Retry.Minimum != 17*time.Second || now.ID != first.ID || now.URL != first.URL || now.Station != "CS" {
			t.Errorf("%+v", now)
		}
	})
}
