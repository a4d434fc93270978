package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/md5" //nolint:gosec // the checksum of OCPP
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/voltyard/voltyard/actors/firmware"
	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/sim/csms"
	"github.com/voltyard/voltyard/configs"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

const basicWord = "correct-horse-battery"

// yard is a site file with its surroundings: a CSMS, a web server for files and logs, and an installer.
type yard struct {
	t       *testing.T
	dir     string
	file    string
	env     *kit.Env
	cloud   *actor.PID
	north   string // address of the CSMS
	south   string // address of the controller for stations
	publish string
	said    chan said
	files   *httptest.Server
	image   []byte
	from    string // where stations are told to download it
	logs    chan []byte
	root    *x509.Certificate
	key     *ecdsa.PrivateKey
}

// said is a request of a station to the CSMS.
type said struct {
	station string
	q       rpc.Message
}

func newYard(t *testing.T) *yard {
	y := &yard{t: t, dir: t.TempDir(), env: kit.NewEnv(zerolog.Nop()), said: make(chan said, 1000), image: bytes.Repeat([]byte("firmware "), 50_000), logs: make(chan []byte, 4)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /image.bin", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", `"1"`)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(y.image))
	})
	mux.HandleFunc("PUT /logs/{name}", func(_ http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		y.logs <- b
	})
	y.files = httptest.NewServer(mux)
	y.from = y.files.URL + "/image.bin"
	t.Cleanup(y.files.Close)
	y.north, y.south, y.publish = free(t), free(t), free(t)
	var err error
	if y.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	y.root = y.certify("maker", nil)
	y.write("roots.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: y.root.Raw})), 0o600)
	y.write("password", basicWord, 0o600)
	y.write("installer", "#!/bin/sh\necho \"$1 $(wc -c < \"$2\")\" >> "+filepath.Join(y.dir, "calls")+"\necho done $1\nif [ -e "+filepath.Join(y.dir, "fail-")+"$1 ]; then exit 2; fi\n", 0o700)
	y.file = y.write("site.yaml", fmt.Sprintf(`
site: {id: yard}
nodes: [{id: root, fuse_a: 63}]
evses: [{id: a, node: root, type: ac, max_a: 16, hal: sim, station: CS-A}]
stations: {listen: "%s", list: [{id: CS-B, node: root, max_a: 16}]}
csms: {url: "ws://%s/ocpp", identity: LC, password_file: password, local_files: true}
firmware:
  root_file: roots.pem
  hook: [%s]
  confirm_s: 20
  publish: {listen: "%s", url: "http://%s"}
storage: {dir: %s}
http: {listen: "127.0.0.1:0"}
log: {level: warn}
`, y.south, y.north, filepath.Join(y.dir, "installer"), y.publish, y.publish, filepath.Join(y.dir, "data")), 0o600)
	return y
}

func free(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (y *yard) write(name, text string, mode os.FileMode) string {
	path := filepath.Join(y.dir, name)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		y.t.Fatal(err)
	}
	return path
}

// certify makes a certificate of the key of the yard; without an issuer it is a root.
func (y *yard) certify(name string, by *x509.Certificate) *x509.Certificate {
	c := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true, IsCA: by == nil, KeyUsage: x509.KeyUsageDigitalSignature}
	if by == nil {
		c.KeyUsage, by = x509.KeyUsageCertSign, c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, by, &y.key.PublicKey, y.key)
	if err != nil {
		y.t.Fatal(err)
	}
	out, err := x509.ParseCertificate(der)
	if err != nil {
		y.t.Fatal(err)
	}
	return out
}

// open starts the CSMS.
func (y *yard) open() {
	y.t.Helper()
	l, err := net.Listen("tcp", y.north)
	if err != nil {
		y.t.Fatal(err)
	}
	y.cloud = y.env.System.Root.Spawn(y.env.Props("csms", csms.New(y.env, csms.Config{Listener: l, Path: "/ocpp", Password: basicWord,
		Decide: func(station string, q rpc.Message) rpc.Message {
			select {
			case y.said <- said{station, q}:
			default:
			}
			return nil
		}})))
	y.t.Cleanup(y.shut)
}

func (y *yard) shut() {
	if y.cloud != nil {
		_ = y.env.System.Root.PoisonFuture(y.cloud).Wait()
		y.cloud = nil
	}
}

// life runs the site in a process of its own, as the service manager would.
func (y *yard) life() (ended chan error, stop func()) {
	y.t.Helper()
	return y.process("run", "-c", y.file)
}

func (y *yard) process(args ...string) (ended chan error, stop func()) {
	y.t.Helper()
	c := exec.Command("voltyard", args...) // this test's program, see TestMain
	said := &bytes.Buffer{}
	c.Stdout, c.Stderr = said, said
	if err := c.Start(); err != nil {
		y.t.Fatal(err)
	}
	ended = make(chan error, 1)
	over := make(chan struct{})
	go func() {
		err := c.Wait()
		if err != nil {
			err = fmt.Errorf("%w: %s", err, said)
		}
		ended <- err
		close(over)
	}()
	y.t.Cleanup(func() {
		_ = c.Process.Kill()
		<-over
		if y.t.Failed() {
			y.t.Logf("the process said:\n%s", said)
		}
	})
	return ended, func() { _ = c.Process.Signal(syscall.SIGTERM) }
}

// hears waits for a request of a station to the CSMS.
func hears[T rpc.Message](y *yard, station string) T {
	y.t.Helper()
	late := time.After(30 * time.Second)
	for {
		select {
		case s := <-y.said:
			if q, ok := s.q.(T); ok && s.station == station {
				return q
			}
		case <-late:
			var none T
			y.t.Fatalf("%s did not send %T within 30 s", station, none)
		}
	}
}

// ask sends a request to a station.
func (y *yard) ask(station string, q rpc.Message) string {
	y.t.Helper()
	type answer struct{ payload, fault string }
	got := make(chan answer, 1)
	for range 300 {
		y.env.System.Root.Send(y.cloud, csms.Request{Station: station, Action: q.ActionName(), Payload: q.AppendJSON(nil),
			Done: func(p []byte, fault string) { got <- answer{string(p), fault} }})
		a := <-got
		if a.fault == "not connected" || a.fault == "connection closed" { // that of the process before was the last one known
			time.Sleep(50 * time.Millisecond)
			continue
		}
		if a.fault != "" {
			y.t.Fatalf("%s of %s: %s", q.ActionName(), station, a.fault)
		}
		return a.payload
	}
	y.t.Fatalf("%s does not connect", station)
	return ""
}

func (y *yard) statuses(station string, id int, want ...v201.FirmwareStatusEnum) {
	y.t.Helper()
	for _, st := range want {
		if q := hears[*v201.FirmwareStatusNotificationRequest](y, station); q.Status != st || q.RequestId == nil || *q.RequestId != id {
			y.t.Fatalf("%s sent %s, want %s of request %d", station, q.AppendJSON(nil), st, id)
		}
	}
}

func (y *yard) update(station string, id int, want string) {
	y.t.Helper()
	digest := sha256.Sum256(y.image)
	sig, err := ecdsa.SignASN1(rand.Reader, y.key, digest[:])
	if err != nil {
		y.t.Fatal(err)
	}
	leaf := y.certify("firmware", y.root)
	q := &v201.UpdateFirmwareRequest{RequestId: id, Firmware: v201.Firmware{Location: y.from, RetrieveDateTime: time.Now().Add(-time.Minute),
		SigningCertificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw})), Signature: base64.StdEncoding.EncodeToString(sig)}}
	if got := y.ask(station, q); !strings.Contains(got, `"`+want+`"`) {
		y.t.Fatalf("UpdateFirmware of %s: %s, want %s", station, got, want)
	}
}

func (y *yard) ends(ended chan error) {
	y.t.Helper()
	select {
	case err := <-ended:
		if err != nil {
			y.t.Fatal(err)
		}
	case <-time.After(60 * time.Second):
		y.t.Fatal("the process does not end")
	}
}

func (y *yard) calls() string {
	b, err := os.ReadFile(filepath.Join(y.dir, "calls"))
	if err != nil {
		y.t.Fatal(err)
	}
	_ = os.Remove(filepath.Join(y.dir, "calls"))
	return strings.ReplaceAll(strings.TrimSpace(string(b)), fmt.Sprintf(" %d", len(y.image)), "")
}

const (
	downloading = v201.FirmwareStatusDownloading
	downloaded  = v201.FirmwareStatusDownloaded
	verified    = v201.FirmwareStatusSignatureVerified
	installing  = v201.FirmwareStatusInstalling
	rebooting   = v201.FirmwareStatusInstallRebooting
)

// A CSMS updates the controller through one of its stations; the next process proves itself, and the CSMS hears of it.
func TestTheControllerUpdatesItself(t *testing.T) {
	y := newYard(t)
	y.open()
	ended, _ := y.life()
	y.update("CS-A", 7, "Accepted")
	y.statuses("CS-A", 7, downloading, downloaded, verified, installing, rebooting)
	y.ends(ended)
	if got := y.calls(); got != "install\nactivate" {
		t.Fatalf("the installer was called: %q", got)
	}
	ended, stop := y.life()
	y.statuses("CS-A", 7, v201.FirmwareStatusInstalled)
	if q := hears[*v201.SecurityEventNotificationRequest](y, "CS-A"); q.Type != "FirmwareUpdated" {
		t.Errorf("security event %s", q.Type)
	}
	if got := y.calls(); got != "confirm" {
		t.Fatalf("the installer was called: %q", got)
	}
	if left, _ := filepath.Glob(filepath.Join(y.dir, "data", "firmware", "image-*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	stop()
	y.ends(ended)
}

// New firmware that does not reach the CSMS in time is taken back; the old one says so.
func TestFirmwareThatDoesNotProveItselfIsTakenBack(t *testing.T) {
	y := newYard(t)
	text, err := os.ReadFile(y.file)
	if err != nil {
		t.Fatal(err)
	}
	y.write("site.yaml", strings.Replace(string(text), "confirm_s: 20", "confirm_s: 2", 1), 0o600)
	y.open()
	ended, _ := y.life()
	y.update("LC", 9, "Accepted") // the controller's own identity
	y.statuses("LC", 9, downloading, downloaded, verified, installing, rebooting)
	y.ends(ended)
	y.shut()
	ended, _ = y.life()
	y.ends(ended)
	if got := y.calls(); got != "install\nactivate\nrollback" {
		t.Fatalf("the installer was called: %q", got)
	}
	y.open()
	ended, stop := y.life()
	y.statuses("LC", 9, v201.FirmwareStatusInstallationFailed)
	y.update("LC", 10, "Accepted") // and it can be tried again
	y.statuses("LC", 10, downloading)
	stop()
	y.ends(ended)
}

// New firmware that dies before it is proven is taken back after as many starts as are allowed.
func TestFirmwareThatDiesIsTakenBack(t *testing.T) {
	y := newYard(t)
	dir := filepath.Join(y.dir, "data", "firmware")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "image-00"), y.image, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "update.json"), []byte(`{"Phase":"trial","Image":"image-00","Orders":{"CS-A":1}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := configs.Load(y.file)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 5 {
		err := onTrial(cfg, zerolog.Nop())
		if back := errors.Is(err, firmware.ErrRolledBack); back != (n == 3) || err != nil && !back {
			t.Errorf("start %d: %v", n+1, err)
		}
	}
	if got := y.calls(); got != "rollback" {
		t.Errorf("the installer was called: %q", got)
	}
}

// The installer finds an image wrong, and the update of another image is refused while one is under way.
func TestUpdatesThatAreRefused(t *testing.T) {
	y := newYard(t)
	y.open()
	y.write("fail-install", "", 0o600)
	ended, stop := y.life()
	y.update("CS-A", 1, "Accepted")
	y.statuses("CS-A", 1, downloading, downloaded, verified, installing, v201.FirmwareStatusInstallVerificationFailed)
	y.image = append(y.image, 'x')
	slow := make(chan struct{})
	y.files.Config.Handler.(*http.ServeMux).HandleFunc("GET /slow", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-slow:
		case <-r.Context().Done():
		}
	})
	q := &v201.UpdateFirmwareRequest{RequestId: 2, Firmware: v201.Firmware{Location: y.files.URL + "/slow", RetrieveDateTime: time.Now(), Signature: "AAAA",
		SigningCertificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: y.certify("firmware", y.root).Raw}))}}
	if got := y.ask("CS-A", q); !strings.Contains(got, "Accepted") {
		t.Fatal(got)
	}
	y.update("LC", 3, "Rejected")
	close(slow)
	y.statuses("CS-A", 2, downloading, downloaded, v201.FirmwareStatusInvalidSignature)
	y.update("LC", 4, "Accepted")
	y.statuses("LC", 4, downloading)
	stop()
	y.ends(ended)
}

// The controller publishes a file for stations over a restart, gives it in parts, and withdraws it.
func TestFirmwareIsPublished(t *testing.T) {
	y := newYard(t)
	y.open()
	ended, stop := y.life()
	sum := md5.Sum(y.image) //nolint:gosec // the checksum of OCPP
	checksum := hex.EncodeToString(sum[:])
	bad := &v201.PublishFirmwareRequest{Location: y.files.URL + "/image.bin", Checksum: strings.Repeat("0", 32), RequestId: 4}
	y.ask("LC", bad)
	// What the process could not note as delivered before it ended comes again.
	repeats := func(q, last *v201.PublishFirmwareStatusNotificationRequest) bool {
		return last != nil && q.Status == last.Status && q.RequestId != nil && last.RequestId != nil && *q.RequestId == *last.RequestId
	}
	var q *v201.PublishFirmwareStatusNotificationRequest
	status := func(want ...v201.PublishFirmwareStatusEnum) *v201.PublishFirmwareStatusNotificationRequest {
		t.Helper()
		for _, st := range want {
			last := q
			for q = hears[*v201.PublishFirmwareStatusNotificationRequest](y, "LC"); repeats(q, last); {
				q = hears[*v201.PublishFirmwareStatusNotificationRequest](y, "LC")
			}
			if q.Status != st {
				t.Fatalf("status %s, want %s", q.Status, st)
			}
		}
		return q
	}
	status(v201.PublishFirmwareStatusDownloading, v201.PublishFirmwareStatusDownloaded, v201.PublishFirmwareStatusInvalidChecksum)
	y.ask("LC", &v201.PublishFirmwareRequest{Location: y.files.URL + "/none", Checksum: checksum, RequestId: 5})
	status(v201.PublishFirmwareStatusDownloading, v201.PublishFirmwareStatusDownloadFailed)
	y.ask("LC", &v201.PublishFirmwareRequest{Location: y.files.URL + "/image.bin", Checksum: strings.ToUpper(checksum), RequestId: 6})
	published := status(v201.PublishFirmwareStatusDownloading, v201.PublishFirmwareStatusDownloaded, v201.PublishFirmwareStatusChecksumVerified, v201.PublishFirmwareStatusPublished)
	if want := "http://" + y.publish + "/firmware/" + checksum + "/image.bin"; len(published.Location) != 1 || published.Location[0] != want {
		t.Fatalf("published at %v, want %s", published.Location, want)
	}
	stop()
	y.ends(ended)
	ended, stop = y.life()
	y.ask("LC", &v201.TriggerMessageRequest{RequestedMessage: v201.MessageTriggerPublishFirmwareStatusNotification})
	status(v201.PublishFirmwareStatusIdle)
	part := func(from int) []byte {
		r, err := http.NewRequest(http.MethodGet, published.Location[0], nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != http.StatusPartialContent {
			t.Fatalf("%s, %v", res.Status, err)
		}
		return b
	}
	if b := part(100_000); !bytes.Equal(b, y.image[100_000:]) {
		t.Errorf("%d bytes", len(b))
	}
	// A third-party station updates itself from there.
	station, leave := y.process("station", "--url", "ws://"+y.south+"/ocpp", "--id", "CS-B", "--password-file", filepath.Join(y.dir, "password"), "--pause", "0", "--firmware-root-file", filepath.Join(y.dir, "roots.pem"))
	y.from = published.Location[0]
	y.update("CS-B", 8, "Accepted")
	y.statuses("CS-B", 8, downloading, downloaded, verified, installing, rebooting, v201.FirmwareStatusInstalled)
	leave()
	y.ends(station)
	for what, want := range map[string]v201.UnpublishFirmwareStatusEnum{strings.Repeat("1", 32): v201.UnpublishFirmwareStatusNoFirmware, "x": v201.UnpublishFirmwareStatusNoFirmware} {
		if got := y.ask("LC", &v201.UnpublishFirmwareRequest{Checksum: what}); !strings.Contains(got, string(want)) {
			t.Errorf("%s: %s", what, got)
		}
	}
	late := time.Now().Add(30 * time.Second)
	for {
		got := y.ask("LC", &v201.UnpublishFirmwareRequest{Checksum: checksum})
		if strings.Contains(got, string(v201.UnpublishFirmwareStatusUnpublished)) {
			break
		}
		if !strings.Contains(got, string(v201.UnpublishFirmwareStatusDownloadOngoing)) || time.Now().After(late) {
			t.Fatal(got)
		}
		time.Sleep(20 * time.Millisecond)
	}
	res, err := http.Get(published.Location[0])
	if err != nil || res.StatusCode != http.StatusNotFound {
		t.Errorf("%v, %v", res, err)
	}
	res.Body.Close()
	stop()
	y.ends(ended)
}

// Logs are uploaded, and no secret is in them.
func TestLogsAreUploaded(t *testing.T) {
	y := newYard(t)
	y.open()
	ended, stop := y.life()
	for _, kind := range []v201.LogEnum{v201.LogDiagnosticsLog, v201.LogSecurityLog} {
		got := y.ask("LC", &v201.GetLogRequest{LogType: kind, RequestId: 3, Log: v201.LogParameters{RemoteLocation: y.files.URL + "/logs/"}})
		if !strings.Contains(got, `"Accepted"`) {
			t.Fatal(got)
		}
		for _, want := range []v201.UploadLogStatusEnum{v201.UploadLogStatusUploading, v201.UploadLogStatusUploaded} {
			if q := hears[*v201.LogStatusNotificationRequest](y, "LC"); q.Status != want || q.RequestId == nil || *q.RequestId != 3 {
				t.Fatalf("%s, want %s", q.AppendJSON(nil), want)
			}
		}
		b := <-y.logs
		if kind == v201.LogSecurityLog {
			if !bytes.Contains(b, []byte("StartupOfTheDevice")) {
				t.Errorf("security log: %s", b)
			}
			continue
		}
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		names := ""
		for r := tar.NewReader(z); ; {
			h, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(r)
			if err != nil || bytes.Contains(text, []byte(basicWord)) {
				t.Errorf("%s: %v, %s", h.Name, err, text)
			}
			names += h.Name + " "
		}
		if !strings.Contains(names, "version.txt") || !strings.Contains(names, "site.yaml") || !strings.Contains(names, "metrics.txt") {
			t.Errorf("packed: %s", names)
		}
	}
	stop()
	y.ends(ended)
}
