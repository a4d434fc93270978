package e2e

import (
	"context"
	"crypto/rand"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/ems"
	"github.com/voltyard/voltyard/actors/kit/kittest"
	"github.com/voltyard/voltyard/actors/kit/network"
	"github.com/voltyard/voltyard/actors/kit/v2gtls"
	"github.com/voltyard/voltyard/actors/sim/csms"
	"github.com/voltyard/voltyard/actors/sim/ev"
	"github.com/voltyard/voltyard/hal/sim"
	"github.com/voltyard/voltyard/protocols/iso15118/evcc"
	"github.com/voltyard/voltyard/protocols/iso15118/pki"
	"github.com/voltyard/voltyard/protocols/iso15118/pki/testpki"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
	"github.com/voltyard/voltyard/storage/keyring"
)

// The CSMS switches Plug & Charge and the installation of contracts off and on: vehicles are offered accordingly.
func TestTheCloudDecidesWhatVehiclesAreOffered(t *testing.T) {
	set, dir := withPKI(t, time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))
	keys, err := keyring.OpenDir(filepath.Join(dir, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	var k *cloud
	runSiteIn(t, byCloud, dir, func(p *ems.Parts) { k = newCloud(t); p.DialCSMS, p.Keys = k.dial, keys }, func(s *site) {
		t := s.t
		pid := kittest.Spawn(t, s.env, "csms", csms.New(s.env, csms.Config{Listener: k.listener, Path: "/ocpp"}))
		kittest.Spawn(t, s.env, "standin", func() actor.Actor { return ev.StandIn(s.place("a1"), &s.view)() })
		time.Sleep(10 * time.Second)
		put := func(name, value string) string {
			answer := make(chan string, 1)
			q := &v201.SetVariablesRequest{SetVariableData: []v201.SetVariableData{{AttributeValue: value,
				Component: v201.Component{Name: "ISO15118Ctrlr"}, Variable: v201.Variable{Name: name}}}}
			s.env.System.Root.Send(pid, csms.Request{Station: own, Action: q.ActionName(), Payload: q.AppendJSON(nil),
				Done: func(p []byte, fault string) { answer <- string(p) + fault }})
			a := <-answer
			time.Sleep(time.Second)
			return a
		}
		come := func(w *evcc.Wallet, install bool) ev.TripResult {
			trip := ev.Trip{Net: s.net, Interface: network.Loopback, SDPPort: 15119, Wallet: w, TLS: &v2gtls.Client{Trust: set.Trust()},
				EVCC:    evcc.Config{EVCCID: [6]byte{2, 0, 0, 0, 0, 9}, Phases: 3, Contract: w.Contract(install, false)},
				Battery: sim.Battery{Capacity: 60e3, Energy: 20e3, MaxPower: 22e3}, MaxAmps: 16, Volts: 230, Charge: 5 * time.Second}
			r := trip.Run(context.Background())
			time.Sleep(20 * time.Second)
			return r
		}
		contract, prov := set.Get(pki.Contract), set.Get(pki.Provisioning)
		has := &evcc.Wallet{Trust: set.Trust(), Rand: rand.Reader, EMAID: testpki.EMAID, Chain: contract.Chain(), Key: contract.Key}
		none := &evcc.Wallet{Trust: set.Trust(), Rand: rand.Reader, Provisioning: prov.Cert.Raw, ProvisioningKey: prov.Key}
		for _, c := range []struct {
			name, value string
			wallet      *evcc.Wallet
			why         string // the vehicle does not charge
		}{
			{wallet: has},
			{name: "PnCEnabled", value: "false", wallet: has, why: "serviceDiscovery: payment by Contract is not offered"},
			{name: "PnCEnabled", value: "true", wallet: has},
			{name: "ContractCertificateInstallationEnabled", value: "false", wallet: none, why: "serviceDiscovery: no certificate service is offered"},
			{name: "ContractCertificateInstallationEnabled", value: "true", wallet: none, why: "certificateRequest: the SECC answers FAILED"}, // nobody has one
		} {
			if c.name != "" {
				if got := put(c.name, c.value); !strings.Contains(got, `"Accepted"`) {
					t.Fatalf("%s = %s: %s", c.name, c.value, got)
				}
			}
			if r := come(c.wallet, c.wallet == none); r.OK != (c.why == "") || r.Why != c.why {
				t.Errorf("with %s = %s: %+v", c.name, c.value, r)
			}
		}
	})
}
