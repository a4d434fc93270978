package station

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/voltyard/voltyard/protocols/ocpp/profile"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// maker signs firmware.
type maker struct {
	root *x509.Certificate
	leaf string
	sign func(image string) string
}

func newMaker(t *testing.T) *maker {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	certify := func(name string, by *x509.Certificate) *x509.Certificate {
		c := &x509.Certificate{SerialNumber: big.NewInt(int64(len(name))), Subject: pkix.Name{CommonName: name}, NotBefore: t0.Add(-time.Hour), NotAfter: t0.AddDate(1, 0, 0),
			BasicConstraintsValid: true, IsCA: by == nil}
		if by == nil {
			by = c
		}
		der, err := x509.CreateCertificate(rand.Reader, c, by, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		out, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	m := &maker{root: certify("maker", nil)}
	m.leaf = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certify("firmware", m.root).Raw}))
	m.sign = func(image string) string {
		digest := sha256.Sum256([]byte(image))
		sig, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString(sig)
	}
	return m
}

// lab drives a station's update at random: the CSMS asks, vehicles come and go, the installer succeeds or fails, the connection
// breaks and the process dies.
type lab struct {
	*rapid.T
	s        *Station
	maker    *maker
	good     string // signature of the image
	now      time.Time
	deadline time.Time
	disk     map[string][]byte
	pending  []Save
	open     []Effect // not answered
	ids      int
	orders   map[int]*v201.UpdateFirmwareRequest
	online   bool
	last     v201.FirmwareStatusEnum
	cars     map[int]bool
	held     map[int]bool
	inbox    []Event
	busy     bool
	allow    string // AllowNewSessionsPendingFirmwareUpdate
}

func (l *lab) start() {
	s, err := New(Config{Identity: "CS1", Vendor: "v", Model: "m", Firmware: "1", NewID: func() string { l.ids++; return fmt.Sprint("id", l.ids) },
		Updates: &Updates{Roots: []*x509.Certificate{l.maker.root}}, Variables: map[string]string{"ChargingStation.AllowNewSessionsPendingFirmwareUpdate": l.allow},
		EVSEs: []EVSEConfig{{Rating: profile.Rating{Max: 32}}, {Rating: profile.Rating{Max: 32}}}}, l.disk, l.now)
	if err != nil {
		l.Fatal(err)
	}
	l.s, l.pending, l.open, l.online, l.deadline, l.held = s, nil, nil, false, time.Time{}, map[int]bool{}
	for n := 1; n <= 2; n++ {
		if l.cars[n] {
			l.do(Plugged{n})
		} else {
			l.do(Unplugged{n})
		}
	}
	l.do(Tick{})
}

// do feeds an event and what follows from its effects, one after the other.
func (l *lab) do(ev Event) {
	l.inbox = append(l.inbox, ev)
	if l.busy {
		return
	}
	l.busy = true
	for len(l.inbox) > 0 {
		ev, l.inbox = l.inbox[0], l.inbox[1:]
		l.step(ev)
	}
	l.busy = false
}

func (l *lab) step(ev Event) {
	for _, e := range l.s.Step(l.now, ev, nil) {
		switch e := e.(type) {
		case Write:
			l.got(e.Raw)
		case Save:
			l.pending = append(l.pending, e)
		case Deadline:
			l.deadline = e.At
		case Operative:
			l.held[e.EVSE] = !e.On
		case ClaimUpdate:
			l.open = append(l.open, e)
		case FetchImage:
			if q := l.orders[e.Request]; q == nil || l.now.Before(q.Firmware.RetrieveDateTime) {
				l.Fatalf("the download of request %d begins at %v", e.Request, l.now)
			}
			l.open = append(l.open, e)
		case InstallImage:
			q := l.orders[e.Request]
			if l.s.Busy() || q == nil || l.now.Before(q.Firmware.InstallDateTime) || e.SHA256 != sha256.Sum256([]byte("good")) || q.Firmware.Signature != l.good {
				l.Fatalf("request %d is installed at %v, %x", e.Request, l.now, e.SHA256)
			}
			l.open = append(l.open, e)
		case ActivateImage:
			if l.s.Busy() {
				l.Fatal("the station restarts while a vehicle charges")
			}
			l.open = append(l.open, e)
		}
	}
}

func (l *lab) got(raw []byte) {
	f, err := rpc.Parse(raw)
	if err != nil {
		l.Fatal(err)
	}
	if f.Type != rpc.Call {
		return
	}
	info := v201.Actions[f.Action]
	q := info.Request()
	if err := q.UnmarshalJSON(f.Payload); err != nil {
		l.Fatalf("%s: %v", raw, err)
	}
	res := info.Response()
	switch q := q.(type) {
	case *v201.FirmwareStatusNotificationRequest:
		if q.RequestId == nil || l.orders[*q.RequestId] == nil {
			l.Fatalf("a status of no request: %s", raw)
		}
		l.last = q.Status
	case *v201.BootNotificationRequest:
		res = &v201.BootNotificationResponse{CurrentTime: l.now, Interval: 300, Status: v201.RegistrationStatusAccepted}
	case *v201.HeartbeatRequest:
		res = &v201.HeartbeatResponse{CurrentTime: l.now}
	case *v201.AuthorizeRequest:
		res = &v201.AuthorizeResponse{IdTokenInfo: v201.IdTokenInfo{Status: v201.AuthorizationStatusAccepted}}
	}
	if l.online {
		l.do(Message{rpc.AppendResult(nil, f.ID, res.AppendJSON(nil))})
	}
}

func (l *lab) commit() {
	for len(l.pending) > 0 {
		s := l.pending[0]
		l.pending = l.pending[1:]
		for _, op := range s.Ops {
			if op.Value == nil {
				delete(l.disk, op.Key)
			} else {
				l.disk[op.Key] = op.Value
			}
		}
		l.do(Stored{Token: s.Token})
	}
}

func (l *lab) wait(d time.Duration) {
	for end := l.now.Add(d); ; l.do(Tick{}) {
		if l.deadline.IsZero() || l.deadline.After(end) {
			l.now = end
			return
		}
		l.now, l.deadline = l.deadline, time.Time{}
	}
}

// carry answers the oldest effect.
func (l *lab) carry(well bool) {
	if len(l.open) == 0 {
		return
	}
	e := l.open[0]
	l.open = l.open[1:]
	var err error
	if !well {
		err = errors.New("it failed")
	}
	switch e := e.(type) {
	case ClaimUpdate:
		refused := ""
		if !well {
			refused = "busy"
		}
		l.do(UpdateClaimed{e.Request, refused})
	case FetchImage:
		image := "good"
		if !well && l.ids%2 == 0 {
			image, err = "bad", nil
		}
		l.do(ImageFetched{e.Request, sha256.Sum256([]byte(image)), err})
	case InstallImage:
		l.do(ImageInstalled{e.Request, l.ids%2 == 0, err})
	case ActivateImage:
		l.do(UpdateEnded{e.Request, err})
	}
}

func (l *lab) connect() {
	if !l.online {
		l.online = true
		l.do(Connected{})
	}
}

func TestUpdatesAtRandom(t *testing.T) {
	m := newMaker(t)
	good := m.sign("good")
	rapid.Check(t, func(rt *rapid.T) {
		l := &lab{T: rt, maker: m, good: good, now: t0, disk: map[string][]byte{}, orders: map[int]*v201.UpdateFirmwareRequest{}, cars: map[int]bool{}}
		l.allow = rapid.SampledFrom([]string{"true", "false"}).Draw(rt, "allow")
		l.start()
		l.connect()
		l.commit()
		for range rapid.IntRange(1, 60).Draw(rt, "events") {
			n := rapid.IntRange(1, 2).Draw(rt, "evse")
			switch rapid.IntRange(0, 10).Draw(rt, "event") {
			case 0, 1:
				id := len(l.orders) + 1
				f := v201.Firmware{Location: "https://files.example/x", RetrieveDateTime: l.now.Add(time.Duration(rapid.IntRange(-10, 10).Draw(rt, "retrieve")) * time.Minute),
					SigningCertificate: m.leaf, Signature: good}
				if rapid.Bool().Draw(rt, "later") {
					f.InstallDateTime = l.now.Add(time.Duration(rapid.IntRange(-10, 60).Draw(rt, "install")) * time.Minute)
				}
				if rapid.IntRange(0, 5).Draw(rt, "forged") == 0 {
					f.Signature = m.sign("other")
				}
				l.orders[id] = &v201.UpdateFirmwareRequest{RequestId: id, Firmware: f}
				l.connect()
				l.do(Message{rpc.AppendCall(nil, fmt.Sprint("c", id), "UpdateFirmware", l.orders[id].AppendJSON(nil))})
			case 2, 3:
				l.carry(rapid.IntRange(0, 3).Draw(rt, "well") > 0)
			case 4:
				l.cars[n] = true
				l.do(Plugged{n})
				l.do(Presented{n, card("A")})
				l.do(Flow{EVSE: n, State: v201.ChargingStateCharging})
			case 5:
				l.cars[n] = false
				l.do(Unplugged{n})
			case 6:
				l.wait(time.Duration(rapid.IntRange(1, 3600).Draw(rt, "s")) * time.Second)
			case 7:
				l.commit()
			case 8: // the process dies
				l.start()
				l.connect()
			case 9:
				if l.online {
					l.online = false
					l.do(Disconnected{})
				}
			case 10: // who carries it out begins anew
				l.open = nil
				l.do(Forgotten{})
			}
		}
		// In the end every update ends, and all EVSEs serve again.
		l.connect()
		for n := 1; n <= 2; n++ {
			l.cars[n] = false
			l.do(Unplugged{n})
		}
		for range 20 {
			l.commit()
			l.carry(true)
			l.wait(10 * time.Minute)
		}
		l.commit()
		if l.s.upd.Step != stepNone || l.s.upd.claim != nil || l.held[1] || l.held[2] {
			rt.Fatalf("it does not end: %+v, %v", l.s.upd, l.held)
		}
		switch l.last {
		case "", v201.FirmwareStatusInstalled, v201.FirmwareStatusDownloadFailed, v201.FirmwareStatusInstallationFailed, v201.FirmwareStatusInstallVerificationFailed, v201.FirmwareStatusInvalidSignature:
		default:
			rt.Fatalf("the last status is %s", l.last)
		}
	})
}

func TestAnotherStationsUpdateHoldsTheEVSEs(t *testing.T) {
	m := newMaker(t)
	w := newWorld(t, func(c *Config) { c.Updates = &Updates{Roots: []*x509.Certificate{m.root}} })
	w.do(Connected{})
	w.do(Restarting{On: true})
	w.do(Plugged{1})
	w.do(Presented{1, card("A")})
	if w.s.Busy() || w.s.evse(1).status() != v201.ConnectorStatusUnavailable {
		t.Error("a session begins")
	}
	w.do(Restarting{})
	w.do(Presented{1, card("A")})
	if !w.s.Busy() || w.s.evse(2).status() != v201.ConnectorStatusAvailable {
		t.Error("no session afterwards")
	}
}

func TestPublishing(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Publishes, c.Control, c.EVSEs = true, true, nil })
	w.do(Connected{})
	sum := strings.Repeat("ab", 16)
	order := func(id int, sum string) string {
		return w.ask(&v201.PublishFirmwareRequest{Location: "https://files.example/x", Checksum: sum, RequestId: id, Retries: new(3), RetryInterval: new(7)})
	}
	if got := order(1, "xyz"); !strings.Contains(got, "Rejected") {
		t.Errorf("a checksum that is none: %s", got)
	}
	if got := order(2, strings.ToUpper(sum)); !strings.Contains(got, "Accepted") {
		t.Fatal(got)
	}
	want := Publish{Request: 2, URL: "https://files.example/x", MD5: sum, Retries: 3, Every: 7 * time.Second}
	asked := func() (n int) {
		for _, e := range w.effects {
			if e == Effect(want) {
				n++
			}
		}
		return n
	}
	if asked() != 1 {
		t.Fatalf("asked %d times: %v", asked(), w.effects)
	}
	if got := order(3, sum); !strings.Contains(got, "Rejected") {
		t.Errorf("a second one: %s", got)
	}
	if got := w.ask(&v201.UnpublishFirmwareRequest{Checksum: sum}); !strings.Contains(got, "DownloadOngoing") {
		t.Errorf("unpublished while it is downloaded: %s", got)
	}
	triggered := func() string { // L03.FR.10, L03.FR.11
		w.ask(&v201.TriggerMessageRequest{RequestedMessage: v201.MessageTriggerPublishFirmwareStatusNotification})
		q := w.requests[len(w.requests)-1].(*v201.PublishFirmwareStatusNotificationRequest)
		return string(q.Status) + map[bool]string{true: " of a request"}[q.RequestId != nil]
	}
	w.do(Published{Request: 2, Status: v201.PublishFirmwareStatusDownloading})
	if got := triggered(); got != "Downloading of a request" {
		t.Error(got)
	}
	w.start() // a restart: it is asked for again
	w.do(Tick{})
	w.do(Connected{})
	if asked() != 2 {
		t.Errorf("asked %d times", asked())
	}
	w.do(Published{Request: 2, Status: v201.PublishFirmwareStatusPublished, Locations: []string{"http://192.0.2.1/x"}})
	if q, ok := w.requests[len(w.requests)-1].(*v201.PublishFirmwareStatusNotificationRequest); !ok || q.Status != v201.PublishFirmwareStatusPublished || len(q.Location) != 1 {
		t.Errorf("told %v", w.requests[len(w.requests)-1])
	}
	if got := triggered(); got != "Idle" {
		t.Error(got)
	}
	w.effects = nil
	got := w.ask(&v201.UnpublishFirmwareRequest{Checksum: sum})
	if u, ok := w.effects[len(w.effects)-1].(Unpublish); !ok || u.MD5 != sum || got != "" {
		t.Fatalf("%v, %s", w.effects, got)
	}
	w.do(Unpublished{Token: 1, Status: v201.UnpublishFirmwareStatusUnpublished})
	if !strings.Contains(w.raw[len(w.raw)-1], "Unpublished") {
		t.Error(w.raw[len(w.raw)-1])
	}
}

func TestRetriesAreBounded(t *testing.T) {
	for _, x := range []struct {
		retries, interval *int
		n                 int
		every             time.Duration
	}{
		{nil, nil, 0, retryEvery}, {new(3), nil, 3, retryEvery}, {new(3), new(60), 3, time.Minute}, {new(3), new(0), 3, time.Second}, {new(-1), new(-5), 0, time.Second},
		{new(1 << 40), new(1 << 40), 100, 24 * time.Hour},
	} {
		if n, every := bounded(x.retries, x.interval); n != x.n || every != x.every {
			t.Errorf("%v %v: %d, %v", x.retries, x.interval, n, every)
		}
	}
}
