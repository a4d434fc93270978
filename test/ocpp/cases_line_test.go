package ocpp

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"testing"
	"time"

	"github.com/voltyard/voltyard/actors/kit/ws"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// world of a test case on the line: the root that the station is configured with, and the CSMS at "one".
type lineWorld struct {
	root *lineCert
	one  *host
}

// at configures a station with a CSMS at "one" under a security profile, and runs the test case.
func at(security int, vars map[string]string, f func(l *line, w *lineWorld)) func(*testing.T) {
	return func(t *testing.T) {
		w := &lineWorld{}
		onLine(t, func(l *line) lineConfig {
			w.root = l.issue("CSMS root", nil, true, nil)
			c := lineConfig{url: "wss://one/ocpp", security: security, roots: []*lineCert{w.root}, vars: vars}
			switch security {
			case 1:
				c.url, c.roots = "ws://one/ocpp", nil
				w.one = l.host("one", nil)
			case 2:
				w.one = l.host("one", serve(l.issue("one", w.root, false, nil)))
			case 3:
				c.own = l.issue("CS1", w.root, false, nil)
				w.one = l.host("one", mutual(l.issue("one", w.root, false, nil), w.root))
			}
			return c
		}, func(l *line) { f(l, w) })
	}
}

func lastAt(h *host) ws.Visitor {
	h.Helper()
	v := h.visitors()
	if len(v) == 0 {
		h.Fatal("nobody came to " + h.name)
	}
	return v[len(v)-1]
}

// rooted has the station check a new root against the one before.
var rooted = map[string]string{"SecurityCtrlr.AdditionalRootCertificateCheck": "true", "OCPPCommCtrlr.NetworkProfileConnectionAttempts": "2"}

var twice = map[string]string{"OCPPCommCtrlr.NetworkProfileConnectionAttempts": "2"}

// fallsBack is a migration to "two" in vain: after the attempts the station is back at "one".
func fallsBack(l *line, w *lineWorld) {
	w.one.booted(2)
	l.want("attempts at the new one", l.tries("two") == 2, l.tries("two"))
	l.want("the profile in use", w.one.get("OCPPCommCtrlr", "ActiveNetworkProfile") == "1")
}

func TestCasesLine(t *testing.T) {
	runCases(t, []testCase{
		{"TC_A_01_CS", func(t *testing.T) { // A00.FR.202 to FR.205, FR.301 to FR.304
			for _, security := range []int{1, 2} {
				at(security, nil, func(l *line, w *lineWorld) {
					w.one.booted(1)
					v := lastAt(w.one)
					l.want("user and password", v.HasAuth && v.User == "CS1" && v.Pass == linePassword, v.User)
					l.want("the subprotocol", len(v.Subprotocols) > 0 && v.Subprotocols[0] == "ocpp2.0.1", v.Subprotocols)
				})(t)
			}
		}},
		{"TC_A_04_CS", at(2, nil, func(l *line, w *lineWorld) { // A00.FR.312, FR.313, FR.319
			w.one.booted(1)
			ec, rsa := l.issue("one", w.root, false, nil), l.issueRSA("one", w.root)
			for i, c := range []struct {
				cert  *lineCert
				suite uint16
			}{{ec, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}, {ec, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384},
				{rsa, tls.TLS_RSA_WITH_AES_128_GCM_SHA256}, {rsa, tls.TLS_RSA_WITH_AES_256_GCM_SHA384}} {
				cfg := serve(c.cert)
				cfg.MaxVersion, cfg.CipherSuites = tls.VersionTLS12, []uint16{c.suite}
				w.one.secure(cfg)
				w.one.connected(i + 2)
				s := lastAt(w.one).TLS
				l.want("the suite", s != nil && s.Version == tls.VersionTLS12 && s.CipherSuite == c.suite, c.suite)
			}
		})},
		{"TC_A_05_CS", at(2, nil, func(l *line, w *lineWorld) { // A00.FR.309 to FR.311
			w.one.booted(1)
			for i, bad := range []*lineCert{
				l.issue("one", l.issue("another root", nil, true, nil), false, nil),
				l.issue("two", w.root, false, nil),
				l.issue("one", w.root, false, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Second) }),
			} {
				came := len(w.one.visitors())
				w.one.secure(serve(bad))
				time.Sleep(2 * time.Minute)
				l.want("nobody connects", len(w.one.visitors()) == came)
				w.one.secure(serve(l.issue("one", w.root, false, nil)))
				w.one.connected(came + 1)
				time.Sleep(time.Minute)
				l.want("one event for many attempts", w.one.events("InvalidCsmsCertificate") == i+1, w.one.events("InvalidCsmsCertificate"))
			}
		})},
		{"TC_A_06_CS", at(2, nil, func(l *line, w *lineWorld) { // A00.FR.313, FR.316, FR.416, FR.419
			w.one.booted(1)
			cert := l.issue("one", w.root, false, nil)
			w.one.secure(&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11, Certificates: []tls.Certificate{cert.tls()}})
			time.Sleep(2 * time.Minute)
			l.want("nobody connects", len(w.one.visitors()) == 1)
			w.one.secure(serve(cert))
			w.one.connected(2)
			time.Sleep(time.Minute)
			l.want("one event for many attempts", w.one.events("InvalidTLSVersion") == 1, w.one.events("InvalidTLSVersion"))
		})},
		{"TC_A_07_CS", at(3, nil, func(l *line, w *lineWorld) { // A00.FR.401, FR.402, FR.416
			w.one.booted(1)
			v := lastAt(w.one)
			l.want("its certificate", v.TLS != nil && len(v.TLS.VerifiedChains) > 0 && v.TLS.PeerCertificates[0].Subject.CommonName == "CS1" && v.TLS.Version >= tls.VersionTLS12)
			l.want("no password", !v.HasAuth)
		})},
		{"TC_A_19_CS", at(1, nil, func(l *line, w *lineWorld) { // A05.FR.04 to FR.06
			w.one.booted(1)
			two := l.host("two", serve(l.issue("two", w.root, false, nil)))
			three := l.host("three", mutual(l.issue("three", w.root, false, nil), w.root))
			w.one.install(w.root)
			w.one.migrate(2, "wss://two/ocpp", "2,1")
			two.booted(1)
			l.want("the security profile", two.get("SecurityCtrlr", "SecurityProfile") == "2")
			l.want("no lower one is left", two.get("OCPPCommCtrlr", "NetworkConfigurationPriority") == "2")
			two.rotate(w.root)
			r := tell[*v201.SetNetworkProfileResponse](two, &v201.SetNetworkProfileRequest{ConfigurationSlot: 3, ConnectionData: profileOf(3, "wss://three/ocpp")})
			l.want("the profile", r.Status == v201.SetNetworkProfileStatusAccepted, r)
			l.want("accepted", two.set("OCPPCommCtrlr", "NetworkConfigurationPriority", "3") == v201.SetVariableStatusAccepted)
			two.reset()
			three.booted(1)
			l.want("the security profile", three.get("SecurityCtrlr", "SecurityProfile") == "3" && three.get("OCPPCommCtrlr", "ActiveNetworkProfile") == "3")
			l.want("its certificate", lastAt(three).TLS.PeerCertificates[0].Subject.CommonName == "CS1")
		})},
		{"TC_A_20_CS", at(1, nil, func(l *line, w *lineWorld) { // A05.FR.02
			w.one.booted(1)
			for _, security := range []int{2, 3} {
				r := tell[*v201.SetNetworkProfileResponse](w.one, &v201.SetNetworkProfileRequest{ConfigurationSlot: 2, ConnectionData: profileOf(security, "wss://two/ocpp")})
				l.want("the profile", r.Status == v201.SetNetworkProfileStatusAccepted, r)
				l.want("rejected", w.one.set("OCPPCommCtrlr", "NetworkConfigurationPriority", "2") == v201.SetVariableStatusRejected)
			}
			l.want("nothing changes", w.one.get("SecurityCtrlr", "SecurityProfile") == "1" && w.one.get("OCPPCommCtrlr", "NetworkConfigurationPriority") == "1")
		})},
		{"TC_A_21_CS", at(2, nil, func(l *line, w *lineWorld) { // A05.FR.03
			w.one.booted(1)
			r := tell[*v201.SetNetworkProfileResponse](w.one, &v201.SetNetworkProfileRequest{ConfigurationSlot: 2, ConnectionData: profileOf(3, "wss://two/ocpp")})
			l.want("the profile", r.Status == v201.SetNetworkProfileStatusAccepted, r)
			l.want("rejected", w.one.set("OCPPCommCtrlr", "NetworkConfigurationPriority", "2") == v201.SetVariableStatusRejected)
			l.want("nothing changes", w.one.get("SecurityCtrlr", "SecurityProfile") == "2")
		})},
		{"TC_A_22_CS", at(2, nil, func(l *line, w *lineWorld) { // B09.FR.04
			w.one.booted(1)
			r := tell[*v201.SetNetworkProfileResponse](w.one, &v201.SetNetworkProfileRequest{ConfigurationSlot: 2, ConnectionData: profileOf(1, "ws://two/ocpp")})
			l.want("rejected", r.Status == v201.SetNetworkProfileStatusRejected, r)
			l.want("its slot stays empty", w.one.set("OCPPCommCtrlr", "NetworkConfigurationPriority", "2") == v201.SetVariableStatusRejected)
		})},
		{"TC_B_43_CS", at(1, nil, func(l *line, w *lineWorld) { // B09.FR.02
			w.one.booted(1)
			for what, change := range map[string]func(*v201.SetNetworkProfileRequest){
				"no URL":              func(q *v201.SetNetworkProfileRequest) { q.ConnectionData.OcppCsmsUrl = "nonsense" },
				"another scheme":      func(q *v201.SetNetworkProfileRequest) { q.ConnectionData.OcppCsmsUrl = "https://two/ocpp" },
				"no TLS where needed": func(q *v201.SetNetworkProfileRequest) { q.ConnectionData.SecurityProfile = 2 },
				"no such slot":        func(q *v201.SetNetworkProfileRequest) { q.ConfigurationSlot = 99 },
				"no such profile":     func(q *v201.SetNetworkProfileRequest) { q.ConnectionData.SecurityProfile = 7 },
				"SOAP":                func(q *v201.SetNetworkProfileRequest) { q.ConnectionData.OcppTransport = v201.OCPPTransportSOAP },
				"OCPP 1.6":            func(q *v201.SetNetworkProfileRequest) { q.ConnectionData.OcppVersion = v201.OCPPVersionOCPP16 },
				"no timeout":          func(q *v201.SetNetworkProfileRequest) { q.ConnectionData.MessageTimeout = -1 },
			} {
				q := &v201.SetNetworkProfileRequest{ConfigurationSlot: 2, ConnectionData: profileOf(1, "ws://two/ocpp")}
				change(q)
				r := tell[*v201.SetNetworkProfileResponse](w.one, q)
				l.want(what+" is rejected", r.Status == v201.SetNetworkProfileStatusRejected, r)
			}
			l.want("no slot was filled", w.one.set("OCPPCommCtrlr", "NetworkConfigurationPriority", "2") == v201.SetVariableStatusRejected)
		})},
		{"TC_B_45_CS", at(2, nil, func(l *line, w *lineWorld) { // B09.FR.01, B10.FR.01, FR.04, FR.06
			w.one.booted(1)
			two := l.host("two", serve(l.issue("two", w.root, false, nil)))
			w.one.migrate(2, "wss://two/ocpp", "2,1")
			two.booted(1)
			l.want("the profile in use", two.get("OCPPCommCtrlr", "ActiveNetworkProfile") == "2")
			l.want("the old CSMS is left", len(w.one.visitors()) == 1)
			two.cut()
			two.connected(2)
			l.want("it stays", len(w.one.visitors()) == 1)
		})},
		{"TC_B_46_CS", at(2, twice, func(l *line, w *lineWorld) { // B10.FR.03, FR.04
			w.one.booted(1)
			w.one.migrate(2, "wss://two/ocpp", "2,1")
			fallsBack(l, w)
		})},
		{"TC_B_47_CS", at(2, rooted, func(l *line, w *lineWorld) { // B10.FR.07, M05.FR.15, FR.16
			w.one.booted(1)
			w.one.install(l.issue("new root", w.root, true, nil))
			l.host("two", serve(l.issue("two", w.root, false, nil))) // good by the old root only
			w.one.migrate(2, "wss://two/ocpp", "2")
			fallsBack(l, w)
			l.want("both roots are kept", len(w.one.roots()) == 2, w.one.roots())
		})},
		{"TC_B_49_CS", at(2, twice, func(l *line, w *lineWorld) { // B10.FR.07
			w.one.booted(1)
			l.host("two", serve(l.issue("two", l.issue("another root", nil, true, nil), false, nil)))
			w.one.migrate(2, "wss://two/ocpp", "2")
			fallsBack(l, w)
		})},
		{"TC_B_50_CS", at(2, rooted, func(l *line, w *lineWorld) { // M05.FR.13
			w.one.booted(1)
			root := l.issue("new root", w.root, true, nil)
			w.one.install(root)
			two := l.host("two", serve(l.issue("two", root, false, nil)))
			w.one.migrate(2, "wss://two/ocpp", "2")
			two.booted(1)
			r := two.roots()
			l.want("the new root alone", len(r) == 1, r)
		})},
		{"TC_M_30_CS", at(2, rooted, func(l *line, w *lineWorld) { // M05.FR.13
			w.one.booted(1)
			root := l.issue("new root", w.root, true, nil)
			w.one.install(root)
			l.want("both are kept until then", len(w.one.roots()) == 2)
			w.one.secure(serve(l.issue("one", root, false, nil)))
			w.one.connected(2)
			l.want("the new root alone", len(w.one.roots()) == 1, w.one.roots())
			w.one.secure(serve(l.issue("one", w.root, false, nil)))
			time.Sleep(time.Minute)
			l.want("the old one counts no more", len(w.one.visitors()) == 2)
		})},
		{"TC_M_31_CS", at(2, rooted, func(l *line, w *lineWorld) { // M05.FR.14
			w.one.booted(1)
			w.one.install(l.issue("new root", w.root, true, nil))
			w.one.secure(serve(l.issue("one", w.root, false, nil)))
			w.one.connected(2)
			l.want("both are kept", len(w.one.roots()) == 2, w.one.roots())
		})},
	})
}

// rotate has the station get a certificate of its own that a root signs.
func (h *host) rotate(root *lineCert) {
	h.Helper()
	csr := make(chan string, 1)
	h.reply[v201.ActionSignCertificate] = func(q rpc.Message) rpc.Message {
		csr <- q.(*v201.SignCertificateRequest).Csr
		return &v201.SignCertificateResponse{Status: v201.GenericStatusAccepted}
	}
	r := tell[*v201.TriggerMessageResponse](h, &v201.TriggerMessageRequest{RequestedMessage: v201.MessageTriggerSignChargingStationCertificate})
	h.want("the trigger", r.Status == v201.TriggerMessageStatusAccepted, r)
	b, _ := pem.Decode([]byte(<-csr))
	req, err := x509.ParseCertificateRequest(b.Bytes)
	if err != nil || req.CheckSignature() != nil {
		h.Fatal(err)
	}
	c := h.issueFor(req.Subject.CommonName, nil, req.PublicKey, root, false, nil)
	s := tell[*v201.CertificateSignedResponse](h, &v201.CertificateSignedRequest{CertificateChain: c.pem(), CertificateType: v201.CertificateSigningUseChargingStationCertificate})
	h.want("the certificate", s.Status == v201.CertificateSignedStatusAccepted, s)
	time.Sleep(time.Minute) // it connects anew
}
