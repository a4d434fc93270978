package station

import (
	"encoding/base64"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
	"github.com/voltyard/voltyard/protocols/ocpp/v21"
)

// schemaV2 names ISO 15118-2 in Get15118EVCertificate.
const schemaV2 = "urn:iso:15118:2:2013:MsgDef"

const (
	// exchangeTime is how long a vehicle's request for a certificate may take here. The vehicle has its answer 4.5 s after
	// its request; the rest is for the way to it.
	exchangeTime = 4 * time.Second
	// maxEXI is the limit of Get15118EVCertificate, in characters of base64.
	maxEXI = 5600
)

// exchange is a vehicle's request for a contract certificate.
type exchange struct {
	token uint64
	key   uint64    // of the call; it may still wait for its turn after the vehicle has heard of the failure
	by    time.Time // the vehicle is told of the failure then; zero when it was answered
}

// exchange passes a vehicle's request on to the CSMS, before everything else that waits (M01, M02).
func (s *Station) exchange(e *evse, m CertificateWanted) {
	s.exchanged(e, e.exchange.token, nil) // a vehicle asks once; another question is another vehicle's
	q := &v201.Get15118EVCertificateRequest{Iso15118SchemaVersion: schemaV2, Action: v201.CertificateActionInstall,
		ExiRequest: base64.StdEncoding.EncodeToString(m.EXI)}
	if m.Update {
		q.Action = v201.CertificateActionUpdate
	}
	old := e.exchange.key
	e.exchange = exchange{token: m.Token, by: s.now.Add(exchangeTime)}
	switch {
	case !s.Accepted():
		s.failed(e, m.Token, "there is no connection to the CSMS")
		return
	case !s.model.flag("ISO15118Ctrlr", "ContractCertificateInstallationEnabled"):
		s.failed(e, m.Token, "ContractCertificateInstallationEnabled is false")
		return
	case len(q.ExiRequest) > maxEXI:
		s.failed(e, m.Token, "the request is longer than OCPP can carry")
		return
	}
	s.key++
	e.exchange.key = s.key
	s.calls[s.key] = pending{action: q.ActionName(), done: func(res rpc.Message, why string) { s.certificate(e, m.Token, res, why) },
		res: &v21.Get15118EVCertificateResponse{}} // the chains of the field are longer than OCPP 2.0.1 foresaw; 2.1 has room for them
	s.stepRPC(rpc.Request{Key: s.key, ID: s.cfg.NewID(), Action: q.ActionName(), Payload: q.AppendJSON(nil), First: true, Replaces: old,
		Timeout: s.model.seconds("OCPPCommCtrlr", "MessageTimeout")})
}

// certificate reads the answer of the CSMS; what it holds for the vehicle is passed on byte for byte.
func (s *Station) certificate(e *evse, token uint64, res rpc.Message, why string) {
	r, ok := res.(*v21.Get15118EVCertificateResponse)
	if !ok {
		s.failed(e, token, why)
		return
	}
	if r.Status != v21.Iso15118EVCertificateStatusAccepted {
		s.failed(e, token, "the CSMS has none")
		return
	}
	exi, err := base64.StdEncoding.DecodeString(r.ExiResponse)
	if err != nil || len(exi) == 0 {
		s.failed(e, token, "the answer of the CSMS is not base64")
		return
	}
	s.exchanged(e, token, exi)
}

func (s *Station) failed(e *evse, token uint64, why string) {
	if e.exchange.token == token && !e.exchange.by.IsZero() {
		s.note(true, "EVSE %d: no contract certificate for the vehicle: %s", e.n, why)
	}
	s.exchanged(e, token, nil)
}

// exchanged answers the request that is open, once.
func (s *Station) exchanged(e *evse, token uint64, exi []byte) {
	if e.exchange.token != token || e.exchange.by.IsZero() {
		return
	}
	e.exchange.by = time.Time{}
	s.emit(CertificateIs{EVSE: e.n, Token: token, EXI: exi})
}

func (s *Station) exchangesDue() {
	for _, e := range s.evses {
		if x := e.exchange; !x.by.IsZero() && !s.now.Before(x.by) {
			s.failed(e, x.token, "the CSMS has not answered in time")
		}
	}
}
