package ocpp

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/station"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

var image = []byte("the new firmware")

// maker is a manufacturer that signs firmware.
type maker struct {
	root *authority
	leaf *authority
	key  crypto.Signer
}

func newMaker(t *testing.T, rsaKey bool) *maker {
	t.Helper()
	m := &maker{root: newAuthority(t, "maker", nil)}
	var err error
	if rsaKey {
		m.key, err = rsa.GenerateKey(rand.Reader, 2048)
	} else {
		m.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	m.leaf = certify(t, "firmware", m.key.Public(), nil, m.root, false, start.Add(-time.Hour), start.AddDate(1, 0, 0))
	return m
}

// request is an update with the signature of an image.
func (m *maker) request(t *testing.T, id int, image []byte) *v201.UpdateFirmwareRequest {
	t.Helper()
	digest := sha256.Sum256(image)
	var opts crypto.SignerOpts = crypto.SHA256
	if _, ok := m.key.(*rsa.PrivateKey); ok {
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
	}
	sig, err := m.key.Sign(rand.Reader, digest[:], opts)
	if err != nil {
		t.Fatal(err)
	}
	return &v201.UpdateFirmwareRequest{RequestId: id, Retries: new(1), RetryInterval: new(10), Firmware: v201.Firmware{Location: "https://files.example/image",
		RetrieveDateTime: start.Add(-time.Minute), SigningCertificate: m.leaf.pem(), Signature: base64.StdEncoding.EncodeToString(sig)}}
}

// newUpdatable is a station that takes firmware of a maker, connected.
func newUpdatable(t *testing.T, m *maker, vars ...string) *sut {
	s := newSUT(t, vars...)
	s.cfg.Updates = &station.Updates{Roots: []*x509.Certificate{m.root.cert}}
	s.start()
	return s.boot()
}

func (s *sut) update(q *v201.UpdateFirmwareRequest, want v201.UpdateFirmwareStatusEnum) {
	s.Helper()
	r := ask[*v201.UpdateFirmwareResponse](s, q)
	s.want("answer to UpdateFirmware", r.Status == want, r)
}

// firmware expects these statuses next, all of one request.
func (s *sut) firmware(id int, want ...v201.FirmwareStatusEnum) {
	s.Helper()
	for _, st := range want {
		q := next[*v201.FirmwareStatusNotificationRequest](s)
		if q.Status != st || q.RequestId == nil || *q.RequestId != id {
			s.Fatalf("the station sent %s, want %s of request %d", q.AppendJSON(nil), st, id)
		}
	}
}

// quiet fails when there is another status.
func (s *sut) quiet() { s.Helper(); none[*v201.FirmwareStatusNotificationRequest](s) }

// alarmed expects a security event.
func (s *sut) alarmed(kind string) {
	s.Helper()
	for next[*v201.SecurityEventNotificationRequest](s).Type != kind {
	}
}

// count is how many effects of a type there were.
func count[T station.Effect](s *sut) (n int) {
	for _, e := range s.effects {
		if _, is := e.(T); is {
			n++
		}
	}
	return n
}

func (s *sut) fetched(id int, data []byte, err error) {
	s.Helper()
	e, ok := effect[station.FetchImage](s)
	s.want("the download", ok && e.Request == id && e.URL == "https://files.example/image" && e.Retries == 1 && e.Every == 10*time.Second, e)
	s.do(station.ImageFetched{Request: id, SHA256: sha256.Sum256(data), Err: err})
}

func (s *sut) placed(id int) {
	s.Helper()
	e, ok := effect[station.InstallImage](s)
	s.want("the installation", ok && e.Request == id && e.SHA256 == sha256.Sum256(image), e)
	s.do(station.ImageInstalled{Request: id})
}

// activated restarts the station into the new firmware, and expects the end of the update.
func (s *sut) activated(id int) {
	s.Helper()
	s.firmware(id, v201.FirmwareStatusInstallRebooting)
	s.want("not before the CSMS has heard of it", count[station.ActivateImage](s) == 0)
	s.wait(5 * time.Second)
	e, ok := effect[station.ActivateImage](s)
	s.want("the restart", ok && e.Request == id, e)
	s.effects = nil
	s.disconnect()
	s.reboot()
	next[*v201.BootNotificationRequest](s)
	s.quiet()
	s.wait(5 * time.Second)
	_, ok = effect[station.ActivateImage](s)
	s.want("the new firmware asks whether it is proven", ok)
	s.do(station.UpdateEnded{Request: id})
	s.firmware(id, v201.FirmwareStatusInstalled)
	s.alarmed("FirmwareUpdated") // L01.FR.31
	s.quiet()
}

func (s *sut) unavailable(want ...int) {
	s.Helper()
	var got []int
	for n := 1; n <= 2; n++ {
		evse := v201.EVSE{Id: n, ConnectorId: new(1)}
		ask[*v201.TriggerMessageResponse](s, &v201.TriggerMessageRequest{RequestedMessage: v201.MessageTriggerStatusNotification, Evse: &evse})
		for i := len(s.got) - 1; i >= 0; i-- {
			if q, ok := s.got[i].(*v201.StatusNotificationRequest); ok {
				if q.EvseId == n && q.ConnectorStatus == v201.ConnectorStatusUnavailable {
					got = append(got, n)
				}
				break
			}
		}
	}
	s.want("unavailable EVSEs", slices.Equal(got, want), got)
}

// during updates while a transaction is going on. idle has the station wait with the download; allow lets new sessions begin.
func during(idle, allow bool) func(*testing.T) {
	return func(t *testing.T) { // L01.FR.06, FR.07, FR.13, FR.33, FR.34
		m := newMaker(t, false)
		value := "false"
		if allow {
			value = "true"
		}
		s := newUpdatable(t, m)
		s.cfg.Updates.Idle = idle
		s.want("the variable", s.set("ChargingStation", "AllowNewSessionsPendingFirmwareUpdate", value) == v201.SetVariableStatusAccepted)
		s.begin(1)
		s.update(m.request(t, 4, image), v201.UpdateFirmwareStatusAccepted)
		if idle {
			s.firmware(4, v201.FirmwareStatusDownloadScheduled)
			s.want("no download yet", count[station.FetchImage](s) == 0)
		} else {
			s.firmware(4, v201.FirmwareStatusDownloading)
			s.fetched(4, image, nil)
			s.firmware(4, v201.FirmwareStatusDownloaded, v201.FirmwareStatusSignatureVerified, v201.FirmwareStatusInstallScheduled)
			s.want("no installation yet", count[station.InstallImage](s) == 0)
		}
		s.wait(time.Minute)
		s.quiet()
		end := func(n int) {
			s.unplug(n)
			s.event(v201.TransactionEventEnded, "")
		}
		if allow {
			s.unavailable()
			s.begin(2)
			end(1)
			s.wait(time.Minute)
			s.quiet()
			end(2)
		} else {
			s.unavailable(2)
			s.plug(2)
			s.card(2, "OTHER")
			s.want("no transaction", !s.permits[2] && s.st.Transaction(2) == "")
			s.unplug(2)
			end(1)
		}
		// The statuses may have been sent between the events of the transactions.
		s.read = 0
		if idle {
			s.firmware(4, v201.FirmwareStatusDownloadScheduled, v201.FirmwareStatusDownloading)
			s.fetched(4, image, nil)
		} else {
			s.firmware(4, v201.FirmwareStatusDownloading)
		}
		s.firmware(4, v201.FirmwareStatusDownloaded, v201.FirmwareStatusSignatureVerified)
		if !idle {
			s.firmware(4, v201.FirmwareStatusInstallScheduled)
		}
		s.firmware(4, v201.FirmwareStatusInstalling)
		s.placed(4)
		s.activated(4)
		s.unavailable()
	}
}

// fails updates with something wrong, and expects how it ends.
func fails(want []v201.FirmwareStatusEnum, security string, run func(s *sut, q *v201.UpdateFirmwareRequest)) func(*testing.T) {
	return func(t *testing.T) {
		m := newMaker(t, true)
		s := newUpdatable(t, m)
		run(s, m.request(t, 8, image))
		s.firmware(8, want...)
		if security != "" { // L01.FR.03
			s.alarmed(security)
		}
		s.wait(time.Hour)
		s.quiet()
		c, ok := effect[station.CancelUpdate](s)
		s.want("it is given up", ok && c.Request == 8, c)
		ask[*v201.TriggerMessageResponse](s, &v201.TriggerMessageRequest{RequestedMessage: v201.MessageTriggerFirmwareStatusNotification})
		s.firmware(8, want[len(want)-1]) // L01.FR.26
		s.update(m.request(t, 9, image), v201.UpdateFirmwareStatusAccepted)
	}
}

func TestCasesL(t *testing.T) {
	const (
		loading  = v201.FirmwareStatusDownloading
		loaded   = v201.FirmwareStatusDownloaded
		verified = v201.FirmwareStatusSignatureVerified
	)
	accept := func(s *sut, q *v201.UpdateFirmwareRequest) { s.update(q, v201.UpdateFirmwareStatusAccepted) }
	runCases(t, []testCase{
		{"TC_L_01_CS/firmware", func(t *testing.T) { // L01.FR.01, FR.04, FR.05, FR.10, FR.12, FR.15, FR.20, FR.21, FR.28, FR.31
			for _, kind := range []bool{true, false} {
				m := newMaker(t, kind)
				s := newUpdatable(t, m)
				accept(s, m.request(t, 3, image))
				s.firmware(3, loading)
				s.fetched(3, image, nil)
				s.firmware(3, loaded, verified, v201.FirmwareStatusInstalling)
				s.unavailable(1, 2)
				s.placed(3)
				s.activated(3)
				s.unavailable()
				s.want("one download", count[station.FetchImage](s) == 0)
				ask[*v201.TriggerMessageResponse](s, &v201.TriggerMessageRequest{RequestedMessage: v201.MessageTriggerFirmwareStatusNotification})
				q := next[*v201.FirmwareStatusNotificationRequest](s)
				s.want("L01.FR.25", q.Status == v201.FirmwareStatusIdle && q.RequestId == nil, q)
			}
		}},
		{"TC_L_02_CS", func(t *testing.T) { // L01.FR.16
			m := newMaker(t, false)
			s := newUpdatable(t, m)
			q := m.request(t, 3, image)
			q.Firmware.InstallDateTime = start.Add(time.Hour)
			accept(s, q)
			s.firmware(3, loading)
			s.fetched(3, image, nil)
			s.firmware(3, loaded, verified, v201.FirmwareStatusInstallScheduled)
			s.wait(59 * time.Minute)
			s.quiet()
			s.want("nothing is installed yet", count[station.InstallImage](s) == 0)
			s.unavailable()
			s.wait(2 * time.Minute)
			s.firmware(3, v201.FirmwareStatusInstalling)
			s.placed(3)
			s.activated(3)
		}},
		{"TC_L_03_CS", func(t *testing.T) { // L01.FR.13, over a restart
			m := newMaker(t, false)
			s := newUpdatable(t, m)
			q := m.request(t, 3, image)
			q.Firmware.RetrieveDateTime = start.Add(time.Hour)
			accept(s, q)
			s.firmware(3, v201.FirmwareStatusDownloadScheduled)
			s.reboot()
			s.wait(59 * time.Minute)
			s.quiet()
			s.want("nothing is downloaded yet", count[station.FetchImage](s) == 0)
			s.wait(2 * time.Minute)
			s.firmware(3, loading)
			s.fetched(3, image, nil)
			s.firmware(3, loaded, verified, v201.FirmwareStatusInstalling)
			s.placed(3)
			s.activated(3)
		}},
		{"TC_L_05_CS", func(t *testing.T) { // L01.FR.02, FR.21, FR.22
			m := newMaker(t, false)
			s := newUpdatable(t, m)
			old := certify(t, "firmware", m.key.Public(), nil, m.root, false, start.Add(-48*time.Hour), start.Add(-24*time.Hour))
			for what, cert := range map[string]string{"another maker": newMaker(t, false).leaf.pem(), "expired": old.pem(), "a CA": m.root.pem(), "nonsense": "x"} {
				q := m.request(t, 5, image)
				q.Firmware.SigningCertificate = cert
				s.update(q, v201.UpdateFirmwareStatusInvalidCertificate)
				s.alarmed("InvalidFirmwareSigningCertificate")
				s.Log(what)
			}
			s.wait(time.Hour)
			s.quiet()
			s.want("nothing is downloaded", count[station.FetchImage](s)+count[station.ClaimUpdate](s) == 0)
		}},
		{"TC_L_06_CS", fails([]v201.FirmwareStatusEnum{loading, loaded, v201.FirmwareStatusInvalidSignature}, "InvalidFirmwareSignature", func(s *sut, q *v201.UpdateFirmwareRequest) { // L01.FR.03, FR.04
			accept(s, q)
			s.fetched(8, []byte("another image"), nil)
		})},
		{"TC_L_07_CS", fails([]v201.FirmwareStatusEnum{loading, v201.FirmwareStatusDownloadPaused, loading, v201.FirmwareStatusDownloadFailed}, "", func(s *sut, q *v201.UpdateFirmwareRequest) { // L01.FR.14, FR.30
			accept(s, q)
			s.do(station.ImageFetching{Request: 8, Paused: true})
			s.do(station.ImageFetching{Request: 8})
			s.fetched(8, nil, errors.New("404 Not Found"))
		})},
		{"TC_L_08_CS", func(t *testing.T) { // L01.FR.29
			for st, bad := range map[v201.FirmwareStatusEnum]bool{v201.FirmwareStatusInstallVerificationFailed: true, v201.FirmwareStatusInstallationFailed: false} {
				fails([]v201.FirmwareStatusEnum{loading, loaded, verified, v201.FirmwareStatusInstalling, st}, "", func(s *sut, q *v201.UpdateFirmwareRequest) {
					accept(s, q)
					s.fetched(8, image, nil)
					s.do(station.ImageInstalled{Request: 8, Bad: bad, Err: errors.New("the installer has ended with an error")})
					s.unavailable()
				})(t)
			}
			fails([]v201.FirmwareStatusEnum{loading, loaded, verified, v201.FirmwareStatusInstalling, v201.FirmwareStatusInstallRebooting, v201.FirmwareStatusInstallationFailed}, "",
				func(s *sut, q *v201.UpdateFirmwareRequest) {
					accept(s, q)
					s.fetched(8, image, nil)
					s.placed(8)
					s.wait(5 * time.Second)
					s.do(station.UpdateEnded{Request: 8, Err: errors.New("the new firmware has not proven itself")})
				})(t)
		}},
		{"TC_L_10_CS", func(t *testing.T) { // L01.FR.24
			m := newMaker(t, false)
			s := newUpdatable(t, m)
			accept(s, m.request(t, 3, image))
			s.firmware(3, loading)
			s.update(m.request(t, 4, image), v201.UpdateFirmwareStatusAcceptedCanceled)
			c, ok := effect[station.CancelUpdate](s)
			s.want("the first one ends", ok && c.Request == 3, c)
			s.do(station.ImageFetched{Request: 3, SHA256: sha256.Sum256(image)}) // too late
			s.firmware(4, loading)
			s.fetched(4, image, nil)
			s.firmware(4, loaded, verified, v201.FirmwareStatusInstalling)
			s.placed(4)
			s.activated(4)
		}},
		{"TC_L_11_CS", func(t *testing.T) { // L01.FR.27
			m := newMaker(t, false)
			s := newUpdatable(t, m)
			accept(s, m.request(t, 3, image))
			s.fetched(3, image, nil)
			s.firmware(3, loading, loaded, verified, v201.FirmwareStatusInstalling)
			s.update(m.request(t, 4, image), v201.UpdateFirmwareStatusRejected)
			s.placed(3)
			s.update(m.request(t, 4, image), v201.UpdateFirmwareStatusRejected)
			s.activated(3)
			s.want("nothing is cancelled", count[station.CancelUpdate](s) == 0)
		}},
		{"TC_L_12_CS", during(true, true)},
		{"TC_L_13_CS", during(true, false)},
		{"TC_L_14_CS", during(false, true)},
		{"TC_L_15_CS", during(false, false)},
		{"TC_L_18_CS", func(t *testing.T) { // L01.FR.11
			m := newMaker(t, false)
			s := newUpdatable(t, m)
			for _, strip := range []func(*v201.Firmware){
				func(f *v201.Firmware) { f.SigningCertificate, f.Signature = "", "" },
				func(f *v201.Firmware) { f.SigningCertificate = "" },
				func(f *v201.Firmware) { f.Signature = "" },
			} {
				q := m.request(t, 5, image)
				strip(&q.Firmware)
				s.update(q, v201.UpdateFirmwareStatusRejected)
			}
			s.wait(time.Hour)
			s.quiet()
			s.want("nothing is downloaded", count[station.FetchImage](s) == 0)
		}},
		{"TC_F_19_CS", func(t *testing.T) { // F06.FR.04, FR.05, FR.10, L01.FR.26
			m := newMaker(t, false)
			s := newUpdatable(t, m)
			accept(s, m.request(t, 3, image))
			s.firmware(3, loading)
			r := ask[*v201.TriggerMessageResponse](s, &v201.TriggerMessageRequest{RequestedMessage: v201.MessageTriggerFirmwareStatusNotification})
			s.want("accepted", r.Status == v201.TriggerMessageStatusAccepted)
			s.firmware(3, loading)
		}},
	})
}
