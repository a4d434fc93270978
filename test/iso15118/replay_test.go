package iso15118

import (
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/capture"
	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/appproto"
	"github.com/voltyard/voltyard/protocols/iso15118/din"
	"github.com/voltyard/voltyard/protocols/iso15118/pki"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
	"github.com/voltyard/voltyard/protocols/iso15118/secc/handshake"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
)

// captures is the folder of recorded sessions, which are not part of this repository.
func captures(t *testing.T) string {
	dir := os.Getenv("VOLTYARD_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared")
	}
	dir = filepath.Join(dir, "vectors", "captures")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("recorded sessions are not here; set VOLTYARD_SHARED to the folder that has vectors/captures")
	}
	return dir
}

// recorded is one connection of a capture, in order.
type recorded struct {
	file     string
	vehicle  netip.AddrPort
	messages []capture.Message
}

// connections finds those in which a vehicle offers protocols.
func connections(t *testing.T, dir, file string) []*recorded {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, _, err := capture.Messages(f, nil)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	var out []*recorded
	open := map[[2]netip.AddrPort]*recorded{}
	for _, m := range all {
		if req, err := appproto.Decode(m.Payload); err == nil && m.Type == 0x8001 {
			if _, ok := req.(*appproto.SupportedAppProtocolReq); ok {
				c := &recorded{file: file, vehicle: m.Src, messages: []capture.Message{m}}
				open[[2]netip.AddrPort{m.Src, m.Dst}], open[[2]netip.AddrPort{m.Dst, m.Src}] = c, c
				out = append(out, c)
				continue
			}
		}
		if c := open[[2]netip.AddrPort{m.Src, m.Dst}]; c != nil {
			c.messages = append(c.messages, m)
		}
	}
	return out
}

// outcome is how far a recorded vehicle came with our machine.
type outcome struct {
	protocol         string
	requests, passed int
	why              string // where it stopped; empty when it was accepted to its end
}

// session is what the recorded EVSE gave that the vehicle refers to later.
type session struct {
	id        exi.ShortBytes
	challenge [16]byte
	dc, tls   bool
	install   []byte // the recorded response to a certificate request
	protocol  string
	finished  map[int]bool // requests to which the recorded EVSE answered that its processing has finished
	plan      map[int]secc.Plan
	services  []secc.Service
}

// look reads the recording ahead.
func look(c *recorded) session {
	s := session{dc: true, finished: map[int]bool{}, plan: map[int]secc.Plan{}}
	request := 0
	for i, m := range c.messages {
		s.tls = s.tls || m.Encrypted
		if m.Src == c.vehicle {
			request = i
			if msg, err := v2.Decode(m.Payload); err == nil {
				if p, ok := msg.Body.BodyElement.(*v2.ChargeParameterDiscoveryReq); ok {
					s.dc = p.RequestedEnergyTransferMode >= v2.EnergyTransferModeDCCore
				}
			}
			continue
		}
		if res, err := appproto.Decode(m.Payload); err == nil {
			if r, ok := res.(*appproto.SupportedAppProtocolRes); ok && s.protocol == "" {
				req, _ := appproto.Decode(c.messages[0].Payload)
				for _, p := range req.(*appproto.SupportedAppProtocolReq).AppProtocol {
					if p.SchemaID == r.SchemaID.Value {
						s.protocol = p.ProtocolNamespace
					}
				}
			}
			continue
		}
		if msg, err := v2.Decode(m.Payload); err == nil && s.protocol != handshake.NamespaceDIN {
			s.finished[request] = processing(msg.Body.BodyElement) == "Finished"
			switch b := msg.Body.BodyElement.(type) {
			case *v2.SessionSetupRes:
				s.id = msg.Header.SessionID
			case *v2.PaymentDetailsRes:
				copy(s.challenge[:], b.GenChallenge)
			case *v2.CertificateInstallationRes, *v2.CertificateUpdateRes:
				s.install = m.Payload
			case *v2.ServiceDiscoveryRes:
				for _, x := range b.ServiceList.Value.Service {
					if x.ServiceID != secc.ServiceCertificate {
						s.services = append(s.services, secc.Service{ID: x.ServiceID})
					}
				}
			case *v2.ChargeParameterDiscoveryRes:
				s.plan[request] = planOf(b.SAScheduleList.Value)
			}
		} else if msg, err := din.Decode(m.Payload); err == nil {
			s.finished[request] = processing(msg.Body.BodyElement) == "Finished"
			if _, ok := msg.Body.BodyElement.(*din.SessionSetupRes); ok {
				s.id = msg.Header.SessionID
			}
		}
	}
	return s
}

// replay plays the vehicle's side of a recording against a SECC machine whose hardware does what the recorded one must have done.
func replay(t *testing.T, c *recorded) outcome {
	t.Helper()
	s := look(c)
	o := outcome{protocol: s.protocol}
	cfg := secc.Config{DC: s.dc, EVSEID: "DE*VYD*E1", Volts: 230, PlanWait: time.Hour, Receipts: time.Millisecond, Timing: secc.Timing{CableCheck: time.Hour, PreCharge: time.Hour},
		Services: s.services, Contract: &secc.Contract{Trust: &pki.Trust{}, Central: true, Install: true, Update: true}}
	if s.protocol == handshake.NamespaceV2 {
		cfg.Without = []string{"din70121"} // as the recorded EVSE chose
	}
	if s.protocol == handshake.NamespaceDIN {
		cfg.Without = []string{"iso15118-2"}
	}
	r := &rig{t: t, m: handshake.New(cfg), now: c.messages[0].Time, noIMD: true}
	r.present = secc.Present{Connected: true, Ready: true, MaxAmps: 500, MaxWatts: 4e5, MaxVolts: 1000, MinVolts: 50, RatedAmps: 500, RatedWatts: 4e5, Phases: 3}
	if !s.dc {
		r.present.MaxAmps, r.present.RatedAmps = 600, 600
	}
	r.feed(r.present)
	start := secc.Started{TLS: s.tls, SessionID: sessionID, Challenge: s.challenge}
	if s.id.Len() == len(start.SessionID) {
		copy(start.SessionID[:], s.id.Bytes())
	}
	own := exi.MakeShortBytes(start.SessionID[:])
	r.feed(start)
	for i, m := range c.messages {
		if m.Src != c.vehicle {
			continue
		}
		o.requests++
		if r.end != nil {
			continue
		}
		r.now = m.Time
		what, b := prepare(r, s, i, m.Payload, own)
		r.sent = nil
		r.feed(secc.Received{Payload: uint16(m.Type), EXI: b})
		if r.exchange != nil && s.install != nil {
			r.feed(secc.CertificateExchanged{EXI: s.install})
			r.exchange = nil
		}
		if r.end != nil && !r.end.OK {
			o.why = fmt.Sprintf("%s: %s", what, r.end.Why)
			continue
		}
		if s.finished[i] && ongoing(r) { // our hardware takes its time, and a vehicle asks again
			r.follow()
			r.feed(secc.Received{Payload: uint16(m.Type), EXI: b})
		}
		if len(r.sent) == 0 {
			o.why = what + ": no response"
			return o
		}
		o.passed++
	}
	if r.end == nil {
		r.feed(secc.Gone{})
	}
	r.safe()
	return o
}

// prepare lets the hardware do what must have been before this request, and puts our session id in place of a recorded one of
// another length.
func prepare(r *rig, s session, i int, raw []byte, own exi.ShortBytes) (string, []byte) {
	what := "supportedAppProtocol"
	if i == 0 {
		return what, raw
	}
	var body any
	b := raw
	if msg, err := v2.Decode(raw); err == nil && s.protocol != handshake.NamespaceDIN {
		body = msg.Body.BodyElement
		if msg.Header.SessionID == s.id && s.id != own {
			msg.Header.SessionID = own
			b, _ = msg.AppendEXI(nil)
		}
	} else if msg, err := din.Decode(raw); err == nil {
		body = msg.Body.BodyElement
		if msg.Header.SessionID == s.id && s.id != own {
			msg.Header.SessionID = own
			b, _ = msg.AppendEXI(nil)
		}
	} else {
		return "a message that is neither DIN 70121 nor ISO 15118-2", raw
	}
	what = name(body)
	switch what {
	case "Authorization", "ContractAuthentication":
		if s.finished[i] {
			r.feed(secc.Authorized{Accepted: true})
		}
	case "ChargeParameterDiscovery":
		if s.finished[i] {
			r.feed(s.plan[i])
		}
		r.change(func(p *secc.Present) { p.PilotWants = true })
	case "CableCheck":
		r.noIMD = !s.finished[i]
		r.follow()
	}
	return what, b
}

// processing is what a response says about it; empty when it says nothing.
func processing(res any) string {
	f := reflect.ValueOf(res).Elem().FieldByName("EVSEProcessing")
	if !f.IsValid() {
		return ""
	}
	return fmt.Sprint(f.Interface())
}

// ongoing reports whether our last response asks the vehicle to repeat its request.
func ongoing(r *rig) bool {
	if len(r.sent) == 0 || r.end != nil {
		return false
	}
	b := r.sent[len(r.sent)-1]
	if msg, err := v2.Decode(b); err == nil {
		return strings.HasPrefix(processing(msg.Body.BodyElement), "Ongoing")
	}
	if msg, err := din.Decode(b); err == nil {
		return processing(msg.Body.BodyElement) == "Ongoing"
	}
	return false
}

// planOf is the schedules that the recorded EVSE offered.
func planOf(l v2.SAScheduleList) secc.Plan {
	var p secc.Plan
	for _, t := range l.SAScheduleTuple {
		x := secc.PlanTuple{ID: t.SAScheduleTupleID}
		for _, e := range t.PMaxSchedule.PMaxScheduleEntry {
			at := time.Duration(e.RelativeTimeInterval.Start) * time.Second
			x.Entries = append(x.Entries, secc.PlanEntry{Start: at, Max: si.Watts(e.PMax.Float())})
			x.End = at + time.Duration(e.RelativeTimeInterval.Duration.Value)*time.Second
		}
		p.Tuples = append(p.Tuples, x)
	}
	return p
}

// elsewhere are the recordings in which a vehicle leaves the standard's path, or depends on values that only its own EVSE had,
// and why. All others are accepted to their end.
var elsewhere = map[string]string{
	"dspace/ISO-2_AC_PnC_TLS_Contract_MeteringReceipt_DS5366_RiseV2G.pcapng": "the receipt is for the reading of the recorded meter",
	"pyplc/2022-11-25_v0.2_ABB_until_ChargeParamDiscovery.pcapng":            "the vehicle leaves ContractAuthentication out",
	"pyplc/2022-12-20_alpi_currentDemandSequenceErrorShutdown.pcapng":        "the vehicle demands current after PowerDelivery has ended the charging",
	"pyplc/2023-03-02_SuperCharger_CableCheck_error.pcapng":                  "the vehicle uses a session id that it was not given",
	"vw-ac-iso2.pcap": "the vehicle stops the session out of the charging loop, without PowerDelivery",
}

// The vehicle's side of every recording is played against the SECC machine. Each request is accepted up to the point where the
// recorded values force another path; the table names it.
func TestRecordedVehicles(t *testing.T) {
	dir := captures(t)
	var files []string
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && (strings.HasSuffix(path, ".pcap") || strings.HasSuffix(path, ".pcapng")) {
			rel, _ := filepath.Rel(dir, path)
			files = append(files, rel)
		}
		return nil
	})
	sort.Strings(files)
	stopped := map[string]bool{}
	var b strings.Builder
	fmt.Fprintf(&b, "%-95s %-8s %9s %9s  %s\n", "capture", "protocol", "requests", "accepted", "where another path begins")
	for _, f := range files {
		list := connections(t, dir, f)
		if len(list) == 0 {
			fmt.Fprintf(&b, "%-95s %-8s %9d %9d  %s\n", f, "-", 0, 0, "no session in it")
		}
		for _, c := range list {
			o := replay(t, c)
			protocol := map[string]string{handshake.NamespaceDIN: "DIN", handshake.NamespaceV2: "-2"}[o.protocol]
			why := o.why
			switch {
			case protocol == "" && o.why != "": // -20
				protocol = "other"
			case protocol == "":
				protocol, why = "-", "the recording ends"
			case o.why != "" && elsewhere[f] == "":
				t.Errorf("%s: after %d of %d requests %s", f, o.passed, o.requests, o.why)
			case o.why != "":
				why = elsewhere[f] + " (" + o.why + ")"
				stopped[f] = true
			}
			fmt.Fprintf(&b, "%-95s %-8s %9d %9d  %s\n", f, protocol, o.requests, o.passed, why)
		}
	}
	for f, why := range elsewhere {
		if !stopped[f] {
			t.Errorf("%s is accepted to its end now; %q no longer holds", f, why)
		}
	}
	t.Log(b.String())
}
