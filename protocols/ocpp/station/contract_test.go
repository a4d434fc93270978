package station

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

var emaid = v201.IdToken{IdToken: "DE8AAC0001X", Type: v201.IdTokenEMAID}

func hashes(n int) []v201.OCSPRequestData {
	var out []v201.OCSPRequestData
	for i := range n {
		out = append(out, v201.OCSPRequestData{HashAlgorithm: v201.HashAlgorithmSHA256, IssuerNameHash: "aa", IssuerKeyHash: "bb", SerialNumber: itoa(i), ResponderURL: "http://ocsp"})
	}
	return out
}

func shown(c Contract) ContractShown { return ContractShown{EVSE: 1, Token: emaid, Contract: c} }

func requests[T rpc.Message](w *world) []T {
	var out []T
	for _, q := range w.requests {
		if v, ok := q.(T); ok {
			out = append(out, v)
		}
	}
	return out
}

func TestContractsAreJudgedByTheCSMS(t *testing.T) {
	rooted, foreign := Contract{Rooted: true, Hash: hashes(3)}, Contract{Hash: hashes(2), PEM: "-----BEGIN CERTIFICATE-----"}
	for name, c := range map[string]struct {
		contract Contract
		vars     map[string]string
		status   v201.AuthorizationStatusEnum
		cert     v201.AuthorizeCertificateStatusEnum
		asked    bool
		pem      string
		allowed  bool
		refusal  v201.AuthorizeCertificateStatusEnum
	}{
		"accepted":                 {contract: rooted, status: "Accepted", cert: "Accepted", asked: true, allowed: true},
		"accepted without a word":  {contract: rooted, status: "Accepted", asked: true, allowed: true},
		"revoked":                  {contract: rooted, status: "Invalid", cert: "CertificateRevoked", asked: true, refusal: "CertificateRevoked"},
		"revoked, token accepted":  {contract: rooted, status: "Accepted", cert: "CertificateRevoked", asked: true, refusal: "CertificateRevoked"},
		"expired":                  {contract: rooted, status: "Expired", cert: "CertificateExpired", asked: true, refusal: "CertificateExpired"},
		"token blocked":            {contract: rooted, status: "Blocked", cert: "Accepted", asked: true, refusal: "ContractCancelled"},
		"not at this time":         {contract: rooted, status: "NotAtThisTime", cert: "Accepted", asked: true},
		"central":                  {contract: foreign, vars: map[string]string{"ISO15118Ctrlr.CentralContractValidationAllowed": "true"}, status: "Accepted", cert: "Accepted", asked: true, pem: foreign.PEM, allowed: true},
		"central is not allowed":   {contract: foreign, refusal: "CertChainError"},
		"chain too long for OCPP":  {contract: Contract{PEM: strings.Repeat("x", 5501)}, vars: map[string]string{"ISO15118Ctrlr.CentralContractValidationAllowed": "true"}, refusal: "CertChainError"},
		"Plug & Charge is off":     {contract: rooted, vars: map[string]string{"ISO15118Ctrlr.PnCEnabled": "false"}},
		"too many hashes are left": {contract: Contract{Rooted: true, Hash: hashes(6)}, status: "Accepted", asked: true, allowed: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(k *Config) { k.Variables = c.vars })
			w.answers["Authorize"] = func(rpc.Message) rpc.Message {
				return &v201.AuthorizeResponse{IdTokenInfo: v201.IdTokenInfo{Status: c.status}, CertificateStatus: c.cert}
			}
			w.do(Connected{})
			w.do(Plugged{1})
			w.do(shown(c.contract))
			if p, ok := w.permit(1); !ok || p.Allowed != c.allowed || p.Refusal != c.refusal {
				t.Errorf("%+v", p)
			}
			asked := requests[*v201.AuthorizeRequest](w)
			if (len(asked) == 1) != c.asked {
				t.Fatalf("%d requests", len(asked))
			}
			if c.asked {
				q, want := asked[0], c.contract.Hash[:min(len(c.contract.Hash), 4)]
				if q.IdToken.Type != v201.IdTokenEMAID || q.Certificate != c.pem || len(q.Iso15118CertificateHashData) != len(want) {
					t.Fatalf("%+v", q)
				}
				for i, h := range q.Iso15118CertificateHashData {
					if h.SerialNumber != want[i].SerialNumber {
						t.Errorf("hash %d is that of %s", i, h.SerialNumber)
					}
				}
				if w.s.Transaction(1) != "" != c.allowed {
					t.Error("transaction", w.s.Transaction(1))
				}
			}
		})
	}
}

func TestContractsOffline(t *testing.T) {
	list := func(id string, st v201.AuthorizationStatusEnum) *v201.SendLocalListRequest {
		return &v201.SendLocalListRequest{VersionNumber: 1, UpdateType: v201.UpdateFull, LocalAuthorizationList: []v201.AuthorizationData{
			{IdToken: v201.IdToken{IdToken: id, Type: v201.IdTokenEMAID}, IdTokenInfo: &v201.IdTokenInfo{Status: st}}}}
	}
	good := list("de-8aa-c0001x", v201.AuthorizationStatusAccepted)
	for name, c := range map[string]struct {
		unrooted bool
		list     *v201.SendLocalListRequest
		vars     []string
		allowed  bool
		refusal  v201.AuthorizeCertificateStatusEnum
	}{
		"in the list":            {list: good, allowed: true},
		"blocked by the list":    {list: list("DE8AAC0001X", v201.AuthorizationStatusBlocked), refusal: "ContractCancelled"},
		"validation is off":      {list: good, vars: []string{"ISO15118Ctrlr.ContractValidationOffline", "false"}},
		"list is not used":       {list: good, vars: []string{"AuthCtrlr.LocalAuthorizeOffline", "false"}},
		"root is unknown":        {list: good, unrooted: true, refusal: "CertChainError"},
		"unknown":                {},
		"unknown may charge":     {vars: []string{"AuthCtrlr.OfflineTxForUnknownIdEnabled", "true"}, allowed: true},
		"unknown, no root":       {unrooted: true, vars: []string{"AuthCtrlr.OfflineTxForUnknownIdEnabled", "true"}, refusal: "CertChainError"},
		"unknown, list not used": {vars: []string{"AuthCtrlr.OfflineTxForUnknownIdEnabled", "true", "AuthCtrlr.LocalAuthorizeOffline", "false"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(k *Config) {
				k.Variables = map[string]string{}
				for v := range slices.Chunk(c.vars, 2) {
					k.Variables[v[0]] = v[1]
				}
			})
			w.do(Connected{})
			if c.list != nil {
				w.ask(c.list)
			}
			w.do(Disconnected{})
			w.do(Plugged{1})
			w.do(shown(Contract{Rooted: !c.unrooted, Hash: hashes(2)}))
			if p, ok := w.permit(1); !ok || p.Allowed != c.allowed || p.Refusal != c.refusal {
				t.Errorf("%+v", p)
			}
		})
	}
}

func TestAContractShownAgainStopsNothing(t *testing.T) {
	w := newWorld(t, nil)
	w.do(Connected{})
	w.do(Plugged{1})
	for range 2 {
		w.effects = nil
		w.do(shown(Contract{Rooted: true, Hash: hashes(2)}))
		if p, _ := w.permit(1); !p.Allowed || w.s.Transaction(1) == "" {
			t.Fatalf("%+v", p)
		}
	}
	if n := len(requests[*v201.AuthorizeRequest](w)); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

func TestTheAnswerAboutAContractOfAVehicleThatLeftIsForgotten(t *testing.T) {
	w := newWorld(t, nil)
	w.do(Connected{})
	w.do(Plugged{1})
	w.mute = true
	w.do(shown(Contract{Rooted: true, Hash: hashes(2)}))
	w.do(Unplugged{1})
	w.do(Plugged{1})
	w.do(Message{rpc.AppendResult(nil, lastID(w, "Authorize"), (&v201.AuthorizeResponse{IdTokenInfo: v201.IdTokenInfo{Status: v201.AuthorizationStatusAccepted}}).AppendJSON(nil))})
	if p, ok := w.permit(1); ok && p.Allowed {
		t.Errorf("%+v", p)
	}
}

// lastID is the message id of the last call of an action.
func lastID(w *world, action string) string {
	for _, raw := range slices.Backward(w.raw) {
		if f, err := rpc.Parse([]byte(raw)); err == nil && f.Type == rpc.Call && f.Action == action {
			return f.ID
		}
	}
	return ""
}

func (w *world) exchanged() []CertificateIs {
	var out []CertificateIs
	for _, e := range w.effects {
		if c, ok := e.(CertificateIs); ok {
			out = append(out, c)
		}
	}
	return out
}

func TestRequestsForCertificatesAreRelayedByteForByte(t *testing.T) {
	request, response := "\x80\x98\x02\x10\x00\xff", "\x80\x98\x02\x11\xfe\x00"
	for name, c := range map[string]struct {
		update  bool
		status  v201.Iso15118EVCertificateStatusEnum
		exi     string
		offline bool
		mute    bool
		vars    map[string]string
		long    bool
		want    string
		sent    int
	}{
		"installation":      {status: "Accepted", exi: "gJgCEf4A", want: response, sent: 1},
		"update":            {update: true, status: "Accepted", exi: "gJgCEf4A", want: response, sent: 1},
		"long response":     {status: "Accepted", exi: strings.Repeat("gJgC", 2500), want: strings.Repeat("\x80\x98\x02", 2500), sent: 1},
		"refused":           {status: "Failed", exi: "gJgCEf4A", sent: 1},
		"accepted, but why": {status: "Accepted", sent: 1},
		"not base64":        {status: "Accepted", exi: "%", sent: 1},
		"offline":           {offline: true},
		"no answer":         {mute: true, sent: 1},
		"switched off":      {vars: map[string]string{"ISO15118Ctrlr.ContractCertificateInstallationEnabled": "false"}},
		"too long":          {long: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(k *Config) { k.Variables = c.vars })
			w.answers["Get15118EVCertificate"] = func(rpc.Message) rpc.Message {
				return &v201.Get15118EVCertificateResponse{Status: c.status, ExiResponse: c.exi}
			}
			w.do(Connected{})
			if c.offline {
				w.do(Disconnected{})
			}
			w.mute = c.mute
			exi := []byte(request)
			if c.long {
				exi = make([]byte, 4201)
			}
			w.do(CertificateWanted{EVSE: 1, Token: 7, Update: c.update, EXI: exi})
			if c.mute {
				w.wait(exchangeTime - time.Millisecond)
				if len(w.exchanged()) != 0 {
					t.Fatal("it did not wait")
				}
				w.wait(time.Millisecond)
			}
			if got := w.exchanged(); len(got) != 1 || got[0].EVSE != 1 || got[0].Token != 7 || string(got[0].EXI) != c.want {
				t.Fatalf("%+v", got)
			}
			all := requests[*v201.Get15118EVCertificateRequest](w)
			if len(all) != c.sent {
				t.Fatalf("sent %d times", len(all))
			}
			action := v201.CertificateActionInstall
			if c.update {
				action = v201.CertificateActionUpdate
			}
			if c.sent > 0 && (all[0].Action != action || all[0].ExiRequest != "gJgCEAD/" || all[0].Iso15118SchemaVersion != "urn:iso:15118:2:2013:MsgDef") {
				t.Errorf("%+v", all[0])
			}
			if c.mute { // an answer that is too late goes nowhere
				w.do(Message{rpc.AppendResult(nil, lastID(w, "Get15118EVCertificate"), []byte(`{"status":"Accepted","exiResponse":"gJgCEf4A"}`))})
				if len(w.exchanged()) != 1 {
					t.Error("the late answer was passed on")
				}
			}
		})
	}
}

// A slow CSMS holds the one call that may be open; requests for certificates are the next to be sent, and do not heap up.
func TestARequestForACertificateGoesFirst(t *testing.T) {
	w := newWorld(t, nil)
	w.do(Connected{})
	w.mute = true
	w.do(Fault{2, "x"}) // StatusNotification, which is not answered
	w.do(Fault{1, "x"})
	w.do(CertificateWanted{EVSE: 1, Token: 1, EXI: []byte{1}})
	w.do(CertificateWanted{EVSE: 1, Token: 2, EXI: []byte{2}})
	if got := w.exchanged(); len(got) != 1 || got[0].Token != 1 || got[0].EXI != nil {
		t.Fatalf("%+v", got)
	}
	w.mute = false
	w.answers["Get15118EVCertificate"] = func(rpc.Message) rpc.Message {
		return &v201.Get15118EVCertificateResponse{Status: v201.Iso15118EVCertificateStatusAccepted, ExiResponse: "Ag=="}
	}
	n := len(w.requests)
	w.do(Message{rpc.AppendResult(nil, lastID(w, "StatusNotification"), []byte("{}"))})
	if len(w.requests) < n+2 || w.requests[n].ActionName() != "Get15118EVCertificate" || w.requests[n+1].ActionName() == "Get15118EVCertificate" {
		t.Errorf("%d requests", len(w.requests)-n)
	}
	if got := w.exchanged(); len(got) != 2 || got[1].Token != 2 || string(got[1].EXI) != "\x02" {
		t.Errorf("%+v", got)
	}
}
