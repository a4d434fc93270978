package controller_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"testing"
	"time"

	"github.com/voltyard/voltyard/actors/kit/ws"
	"github.com/voltyard/voltyard/actors/sim/csms"
	"github.com/voltyard/voltyard/actors/sim/station"
	"github.com/voltyard/voltyard/protocols/iso15118/pki/testpki"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
	"github.com/voltyard/voltyard/storage/keyring"
)

// A third-party station renews its certificate with the CSMS through the controller, and comes back to the controller with it.
func TestAStationsCertificateIsRenewedThroughTheController(t *testing.T) {
	r := newRig(t)
	ring, err := keyring.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ask := func(q rpc.Message) {
		r.env.System.Root.Send(r.csms, csms.Request{Station: "CS-A", Action: q.ActionName(), Payload: q.AppendJSON(nil), Done: func(p []byte, fault string) {
			if fault != "" || string(p) != `{"status":"Accepted"}` {
				t.Errorf("%s: %s %s", q.ActionName(), p, fault)
			}
		}})
	}
	var issued *testpki.Entity // under the rig's lock
	r.decide = func(id string, q rpc.Message) rpc.Message {
		switch q := q.(type) {
		case *v201.BootNotificationRequest:
			ask(&v201.TriggerMessageRequest{RequestedMessage: v201.MessageTriggerSignChargingStationCertificate})
		case *v201.SignCertificateRequest:
			b, _ := pem.Decode([]byte(q.Csr))
			csr, err := x509.ParseCertificateRequest(b.Bytes)
			if err == nil {
				issued, err = r.pki.IssueFor(csr.PublicKey, testpki.Subject{Name: id, CommonName: csr.Subject.CommonName, ExtUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
			}
			if err != nil {
				t.Error(err)
				return nil
			}
			ask(&v201.CertificateSignedRequest{CertificateChain: string(issued.ChainPEM()), CertificateType: q.CertificateType})
			return &v201.SignCertificateResponse{Status: v201.GenericStatusAccepted}
		}
		return nil
	}
	own := r.pki.Stations[0].TLS()
	roots := x509.NewCertPool()
	roots.AddCert(r.pki.Root.Cert)
	r.spawn("CS-A", station.New(r.env, station.Config{URL: "wss://" + r.addrs[2] + "/ocpp", Identity: "CS-A", NewID: ws.NewID, Keys: ring, Roots: []string{string(r.pki.Root.CertPEM())},
		TLS: &tls.Config{RootCAs: roots, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own, nil }}}))
	for late := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		r.mu.Lock()
		n, done := len(r.shown), false
		if n > 1 && issued != nil {
			done = r.shown[0].Equal(own.Leaf) && r.shown[n-1].Equal(issued.Cert)
		}
		r.mu.Unlock()
		if done {
			return
		}
		if time.Now().After(late) {
			t.Fatalf("%d connections; the renewed certificate is not shown", n)
		}
	}
}
