package station

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

func last[T Effect](w *world) (v T, n int) {
	for _, e := range w.effects {
		if x, ok := e.(T); ok {
			v = x
			n++
		}
	}
	return v, n
}

func TestTheSecurityLogIsBoundedAndOutlastsARestart(t *testing.T) {
	w := newWorld(t, nil)
	for i := range mostRecords + 10 {
		w.now = t0.Add(time.Duration(i) * time.Second)
		w.do(SecurityEvent{Type: "TamperDetectionActivated", Info: itoa(i)})
	}
	w.start()
	got := w.s.SecurityLog(time.Time{}, time.Time{})
	if len(got) != mostRecords || got[len(got)-1].Info != itoa(mostRecords+9) || got[0].Info != "10" {
		t.Fatalf("%d records, %+v to %+v", len(got), got[0], got[len(got)-1])
	}
	if some := w.s.SecurityLog(t0.Add(20*time.Second), t0.Add(29*time.Second)); len(some) != 10 || some[0].Info != "20" {
		t.Errorf("%+v", some)
	}
}

// However many critical events wait, the CSMS hears of each: the last ones together, by type, with how many they are and since when.
func TestNoCriticalSecurityEventIsLost(t *testing.T) {
	w := newWorld(t, nil)
	w.do(Tick{}) // the start is one
	for i := range mostEvents + 9 {
		w.now = t0.Add(time.Duration(i+1) * time.Second)
		w.do(SecurityEvent{Type: "TamperDetectionActivated", Info: itoa(i)})
	}
	w.do(SecurityEvent{Type: "InvalidFirmwareSignature", Info: "image 7"})
	w.start()
	w.do(SecurityEvent{Type: "TamperDetectionActivated", Info: "the last"}) // and the start is one
	w.do(Connected{})
	w.wait(time.Minute)
	var types []string
	var tampered []*v201.SecurityEventNotificationRequest
	for _, q := range requests[*v201.SecurityEventNotificationRequest](w) {
		if q.Type == "TamperDetectionActivated" {
			tampered = append(tampered, q)
		} else {
			types = append(types, q.Type+" "+q.TechInfo)
		}
	}
	if want := []string{"StartupOfTheDevice ", "InvalidFirmwareSignature image 7", "StartupOfTheDevice "}; !slices.Equal(types, want) {
		t.Errorf("the CSMS hears of %q", types)
	}
	if n := len(tampered); n != mostEvents {
		t.Fatalf("%d messages", n)
	}
	end := tampered[mostEvents-1]
	if want := "11 events from 2024-03-01T10:03:20Z on; the last: the last"; end.TechInfo != want || !end.Timestamp.Equal(w.now.Add(-time.Minute)) {
		t.Errorf("%q at %v, want %q", end.TechInfo, end.Timestamp, want)
	}
	for key := range w.disk {
		if strings.HasPrefix(key, keyFolded) || strings.HasPrefix(key, keyQueue) {
			t.Errorf("%s is left", key)
		}
	}
	w.do(SecurityEvent{Type: "TamperDetectionActivated", Info: "later"})
	if q := w.requests[len(w.requests)-1].(*v201.SecurityEventNotificationRequest); q.TechInfo != "later" {
		t.Errorf("a later one is told as %q", q.TechInfo)
	}
}

// A security event that the CSMS refuses again and again makes room for transactions, and is told again on the next connection.
func TestARefusedSecurityEventComesAgain(t *testing.T) {
	w := newWorld(t, nil)
	w.do(Connected{})
	w.refuse = "SecurityEventNotification"
	w.do(SecurityEvent{Type: "TamperDetectionActivated", Info: "the door"})
	if got := w.ask(&v201.GetTransactionStatusRequest{}); got != `{"messagesInQueue":false}` { // E14.FR.08
		t.Errorf("%s", got)
	}
	w.wait(time.Hour)
	if n := w.s.queue.Len(); n != 0 {
		t.Errorf("%d messages wait", n)
	}
	w.do(Disconnected{})
	w.start()
	w.refuse, w.requests = "", nil
	w.do(Connected{})
	got := requests[*v201.SecurityEventNotificationRequest](w)
	if !slices.ContainsFunc(got, func(q *v201.SecurityEventNotificationRequest) bool { return q.TechInfo == "the door" }) {
		t.Errorf("%+v", got)
	}
}

func TestWhichSecurityEventsAreTold(t *testing.T) {
	w := newWorld(t, nil)
	w.do(Connected{})
	w.do(Message{[]byte("nonsense")})
	w.do(Message{[]byte("nonsense")})
	w.do(DialFailed{Event: "FailedToAuthenticateAtCsms"})
	w.do(Stored{Token: 99, Err: errors.New("of nobody")})
	w.noCommit = true
	w.do(SecurityEvent{Type: "ResetOrReboot"})
	w.do(Stored{Token: w.saves[0].Token, Err: errors.New("no space left on device")})
	var log []string
	for _, r := range w.s.SecurityLog(time.Time{}, time.Time{}) {
		log = append(log, r.Type)
	}
	if want := []string{"StartupOfTheDevice", "InvalidMessages", "FailedToAuthenticateAtCsms", "ResetOrReboot", "MemoryExhaustion"}; !slices.Equal(log, want) {
		t.Errorf("%q", log)
	}
	if n := w.s.sec.waiting; n != 2 { // the critical ones that came when nothing could be stored
		t.Errorf("%d wait", n)
	}
}

// Slots outlast a restart; a change of the local configuration begins anew, and alone lowers the security profile.
func TestNetworkProfilesOutlastARestart(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Network = &Network{URL: "wss://one/", Security: 2} })
	w.do(Connected{})
	set := &v201.SetNetworkProfileRequest{ConfigurationSlot: 2, ConnectionData: v201.NetworkConnectionProfile{OcppVersion: v201.OCPPVersionOCPP20,
		OcppTransport: v201.OCPPTransportJSON, OcppCsmsUrl: "wss://two/", MessageTimeout: 30, SecurityProfile: 2, OcppInterface: v201.OCPPInterfaceWired0}}
	if got := w.ask(set); got != `{"status":"Accepted"}` {
		t.Fatal(got)
	}
	priority := &v201.SetVariablesRequest{SetVariableData: []v201.SetVariableData{{Component: v201.Component{Name: "OCPPCommCtrlr"},
		Variable: v201.Variable{Name: "NetworkConfigurationPriority"}, AttributeValue: "2"}}}
	w.ask(priority)
	if d, n := last[Dial](w); n != 1 || d.URL != "wss://one/" {
		t.Errorf("before the restart it dials %+v", d)
	}
	w.start()
	w.do(Tick{})
	d, n := last[Dial](w)
	if n != 2 || d.URL != "wss://two/" || d.Slot != 2 {
		t.Errorf("after it %+v", d)
	}
	for range 3 {
		w.do(DialFailed{ID: d.ID})
	}
	if d, _ = last[Dial](w); d.URL != "wss://one/" {
		t.Errorf("after three attempts %+v", d)
	}
	w.do(DialFailed{ID: d.ID - 1})
	w.do(Connected{ID: d.ID - 1})
	if _, n := last[Hangup](w); n != 1 {
		t.Error("a connection of an older attempt is kept")
	}
	w.cfg.Network = &Network{URL: "ws://three/", Security: 1}
	w.start()
	w.do(Tick{})
	if d, _ := last[Dial](w); d.URL != "ws://three/" || d.Slot != 1 || len(w.s.net.slots) != 1 || w.s.model.value("SecurityCtrlr", "SecurityProfile") != "1" {
		t.Errorf("after a new configuration %+v, %v", d, w.s.net.slots)
	}
}

type testCA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func (c *testCA) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.cert.Raw}))
}

func certificateOf(t *testing.T, name string, pub any, by *testCA, from time.Time) *testCA {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<60))
	tmpl := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name, Organization: []string{"O"}}, NotBefore: from, NotAfter: from.AddDate(1, 0, 0), BasicConstraintsValid: true,
		IsCA: by == nil, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	parent, signer := tmpl, key
	if by != nil {
		parent, signer, tmpl.KeyUsage = by.cert, by.key, x509.KeyUsageDigitalSignature
	}
	if pub == nil {
		pub = &key.PublicKey
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, pub, signer)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &testCA{c, key}
}

// A root of the configuration that the CSMS has deleted stays away until the configuration has been without it.
func TestRootsOfTheConfiguration(t *testing.T) {
	root := certificateOf(t, "root", nil, nil, t0.Add(-time.Hour))
	use := v201.GetCertificateIdUseCSMSRootCertificate
	w := newWorld(t, func(c *Config) { c.Certificates, c.Installed = true, []Root{{use, root.pem()}} })
	w.do(Connected{})
	count := func() int { r, _ := last[Roots](w); return len(r.PEM) }
	if count() != 1 || len(w.s.of(use)) != 1 {
		t.Fatal("it is not installed")
	}
	if got := w.ask(&v201.DeleteCertificateRequest{CertificateHashData: w.s.of(use)[0].Hash}); got != `{"status":"Accepted"}` || count() != 0 {
		t.Fatal(got)
	}
	w.start()
	if len(w.s.of(use)) != 0 {
		t.Error("it is back after a restart")
	}
	w.cfg.Installed = nil
	w.start()
	w.do(Tick{})
	w.cfg.Installed = []Root{{use, root.pem()}}
	w.start()
	w.do(Tick{})
	if len(w.s.of(use)) != 1 {
		t.Error("configured anew it does not come back")
	}
	w.cfg.Installed = nil
	w.start()
	w.do(Tick{})
	if len(w.s.of(use)) != 0 {
		t.Error("it stays without the configuration")
	}
}

// A certificate that comes after a restart, valid from later on, is used from then on, and again after a restart.
func TestARequestOutlastsARestart(t *testing.T) {
	root := certificateOf(t, "root", nil, nil, t0.Add(-time.Hour))
	w := newWorld(t, func(c *Config) {
		c.Certificates, c.Installed = true, []Root{{v201.GetCertificateIdUseCSMSRootCertificate, root.pem()}}
	})
	w.answers["SignCertificate"] = func(rpc.Message) rpc.Message {
		return &v201.SignCertificateResponse{Status: v201.GenericStatusAccepted}
	}
	w.do(Connected{})
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "CS1"}}, key)
	if err != nil {
		t.Fatal(err)
	}
	w.do(KeyMade{Use: v201.CertificateSigningUseChargingStationCertificate, Key: "k1", CSR: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))})
	w.start()
	w.do(Connected{})
	if !slices.Equal(w.s.Keys(), []string{"k1"}) {
		t.Fatalf("keys %q", w.s.Keys())
	}
	leaf := certificateOf(t, "CS1", &key.PublicKey, root, t0.Add(time.Hour))
	if got := w.ask(&v201.CertificateSignedRequest{CertificateChain: leaf.pem(), CertificateType: v201.CertificateSigningUseChargingStationCertificate}); got != `{"status":"Accepted"}` {
		t.Fatal(got)
	}
	if _, n := last[UseCertificate](w); n != 0 {
		t.Error("it is used before it is valid")
	}
	w.wait(time.Hour)
	if u, n := last[UseCertificate](w); n != 1 || u.Key != "k1" {
		t.Errorf("%d, %+v", n, u)
	}
	w.start()
	w.do(Tick{})
	if _, n := last[UseCertificate](w); n != 2 {
		t.Error("it is not used after a restart")
	}
}

// What cannot be stored has failed, and is not there.
func TestWhatCannotBeStoredFails(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Certificates, c.Network = true, &Network{URL: "ws://one/", Security: 1} })
	w.do(Connected{})
	root := certificateOf(t, "root", nil, nil, t0.Add(-time.Hour))
	w.noCommit = true
	for _, q := range []rpc.Message{
		&v201.InstallCertificateRequest{CertificateType: v201.InstallCertificateUseCSMSRootCertificate, Certificate: root.pem()},
		&v201.SetNetworkProfileRequest{ConfigurationSlot: 2, ConnectionData: v201.NetworkConnectionProfile{OcppVersion: v201.OCPPVersionOCPP20,
			OcppTransport: v201.OCPPTransportJSON, OcppCsmsUrl: "ws://two/", MessageTimeout: 30, SecurityProfile: 1, OcppInterface: v201.OCPPInterfaceWired0}},
	} {
		if got := w.ask(q); got != "" {
			t.Fatalf("%s is answered %q before it is stored", q.ActionName(), got)
		}
		w.results = map[string]string{}
		failed := w.saves[len(w.saves)-1].Token
		w.saves = w.saves[:len(w.saves)-1]
		w.do(Stored{Token: failed, Err: errors.New("full")})
		for _, got := range w.results {
			if got != `{"status":"Failed","statusInfo":{"reasonCode":"OutOfStorage"}}` {
				t.Errorf("%s is answered %s", q.ActionName(), got)
			}
		}
		if len(w.results) != 1 {
			t.Errorf("%s has %d answers", q.ActionName(), len(w.results))
		}
	}
	w.noCommit = false // what was undone must not come back by the writes that are tried again
	for _, s := range w.saves {
		w.commit(s)
	}
	w.wait(time.Minute)
	w.start()
	if len(w.s.certs) != 0 || len(w.s.net.slots) != 1 {
		t.Errorf("%d certificates, %d slots", len(w.s.certs), len(w.s.net.slots))
	}
}
