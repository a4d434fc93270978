package handshake

import (
	"testing"
	"time"

	"github.com/voltyard/voltyard/protocols/iso15118/appproto"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
)

// What vehicles in the field offer: namespace, priority and schema id are theirs.
func TestTheVehiclesPriorityDecidesAmongWhatIsServed(t *testing.T) {
	const tesla = "urn:tesla:din:2018:MsgDef"
	offer := func(ns string, id, priority uint8, major, minor uint32) appproto.AppProtocol {
		return appproto.AppProtocol{ProtocolNamespace: ns, VersionNumberMajor: major, VersionNumberMinor: minor, SchemaID: id, Priority: priority}
	}
	const ok, deviation, refused = appproto.ResponseCodeOKSuccessfulNegotiation, appproto.ResponseCodeOKSuccessfulNegotiationWithMinorDeviation, appproto.ResponseCodeFailedNoNegotiation
	for name, c := range map[string]struct {
		offers  []appproto.AppProtocol
		ac      bool
		without string
		code    appproto.ResponseCode
		id      uint8
	}{
		"DIN preferred, Tesla's own passed over": {offers: []appproto.AppProtocol{offer(NamespaceDIN, 1, 2, 2, 0), offer(tesla, 2, 1, 0, 7)}, code: ok, id: 1},
		"Tesla's own only":                       {offers: []appproto.AppProtocol{offer(tesla, 2, 1, 0, 7)}, code: refused},
		"DIN before -2":                          {offers: []appproto.AppProtocol{offer(NamespaceDIN, 1, 1, 2, 0), offer(NamespaceV2, 0, 2, 2, 0)}, code: ok, id: 1},
		"-2 before DIN, schema 0":                {offers: []appproto.AppProtocol{offer(NamespaceDIN, 1, 2, 2, 0), offer(NamespaceV2, 0, 1, 2, 0)}, code: ok, id: 0},
		"DIN with schema 0":                      {offers: []appproto.AppProtocol{offer(NamespaceDIN, 0, 1, 2, 0)}, code: ok, id: 0},
		"DIN at an AC EVSE":                      {offers: []appproto.AppProtocol{offer(NamespaceDIN, 1, 1, 2, 0)}, ac: true, code: refused},
		"DIN switched off":                       {offers: []appproto.AppProtocol{offer(NamespaceDIN, 1, 1, 2, 0), offer(NamespaceV2, 222, 2, 2, 0)}, without: "din70121", code: ok, id: 222},
		"minor deviation":                        {offers: []appproto.AppProtocol{offer(NamespaceV2, 111, 1, 2, 1)}, code: deviation, id: 111},
		"another major version":                  {offers: []appproto.AppProtocol{offer(NamespaceV2, 10, 1, 3, 0)}, code: refused},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := secc.Config{DC: !c.ac, EVSEID: "DE*VYD*E1", Volts: 230}
			if c.without != "" {
				cfg.Without = []string{c.without}
			}
			m := New(cfg)
			m.Step(epoch, secc.Started{SessionID: [8]byte{1}}, nil)
			b, err := (&appproto.SupportedAppProtocolReq{AppProtocol: c.offers}).AppendEXI(nil)
			if err != nil {
				t.Fatal(err)
			}
			var res *appproto.SupportedAppProtocolRes
			var end *secc.End
			for _, e := range m.Step(epoch.Add(time.Second), secc.Received{Payload: secc.PayloadEXI, EXI: b}, nil) {
				switch e := e.(type) {
				case secc.Send:
					msg, err := appproto.Decode(e.EXI)
					if err != nil {
						t.Fatal(err)
					}
					res, _ = msg.(*appproto.SupportedAppProtocolRes)
				case secc.End:
					end = &e
				}
			}
			switch {
			case res == nil || res.ResponseCode != c.code:
				t.Fatalf("response %+v", res)
			case c.code == refused:
				if res.SchemaID.Present || end == nil || end.Class != secc.ClassNegotiation {
					t.Errorf("response %+v, end %+v", res, end)
				}
			case res.SchemaID.Value != c.id || !res.SchemaID.Present || end != nil:
				t.Errorf("response %+v, end %+v", res, end)
			}
		})
	}
}
