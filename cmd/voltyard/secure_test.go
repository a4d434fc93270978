package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// program is this program in a process of its own, with what it says.
type program struct {
	t    *testing.T
	what string
	cmd  *exec.Cmd
	over chan struct{}

	mu   sync.Mutex
	text bytes.Buffer
}

func (p *program) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

func (p *program) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// starts runs a command until the test ends.
func starts(t *testing.T, args ...string) *program {
	t.Helper()
	p := &program{t: t, what: args[0], cmd: exec.Command("voltyard", args...), over: make(chan struct{})} // this test's program, see TestMain
	p.cmd.Stdout, p.cmd.Stderr = p, p
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // what it said tells why
		close(p.over)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.over
		if t.Failed() {
			t.Logf("%s said:\n%s", strings.Join(args, " "), p.said())
		}
	})
	return p
}

// ends stops it in good order.
func (p *program) ends() {
	p.t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.over:
	case <-time.After(30 * time.Second):
		p.t.Fatalf("%s does not end", p.what)
	}
}

// says waits for a line and returns what it found in it.
func (p *program) says(line string) []string {
	p.t.Helper()
	want := regexp.MustCompile(line)
	for range 600 {
		if m := want.FindStringSubmatch(p.said()); m != nil {
			return m
		}
		select {
		case <-p.over:
			p.t.Fatalf("%s ended before it said %q", p.what, line)
		case <-time.After(50 * time.Millisecond):
		}
	}
	p.t.Fatalf("%s did not say %q", p.what, line)
	return nil
}

// vault is a PKI of voltyard pki init and a folder for everything else.
type vault struct {
	t        *testing.T
	dir, pki string
	north    string // address of the CSMS
	south    string // address of the controller
}

func newVault(t *testing.T) *vault {
	v := &vault{t: t, dir: t.TempDir()}
	v.pki = filepath.Join(v.dir, "pki")
	out, err := exec.Command("voltyard", "pki", "init", "--controller", "LC", "--station", "CS-B", v.pki).CombinedOutput()
	if err != nil {
		t.Fatalf("pki init: %v: %s", err, out)
	}
	v.north, v.south = free(t), free(t)
	v.write("word", basicWord)
	v.write("wrong", "wrong-horse-battery")
	return v
}

func (v *vault) write(name, text string) string {
	path := filepath.Join(v.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		v.t.Fatal(err)
	}
	return path
}

func (v *vault) ocpp(name string) string { return filepath.Join(v.pki, "ocpp", name) }

// csms runs the CSMS of a security profile.
func (v *vault) csms(profile int, more ...string) *program {
	args := []string{"csms", "--listen", v.north, "--record", filepath.Join(v.dir, "frames")}
	if profile < 3 {
		args = append(args, "--password-file", filepath.Join(v.dir, "word"))
	} else {
		args = append(args, "--client-ca-file", v.ocpp("ocpp-root.pem"))
	}
	if profile > 1 {
		args = append(args, "--cert-file", v.ocpp("csms-chain.pem"), "--key-file", v.ocpp("csms.key"))
	}
	p := starts(v.t, append(args, more...)...)
	p.says(`stations connect to`)
	return p
}

// station runs a station of a security profile.
func (v *vault) station(profile int, addr, id string, good bool, more ...string) *program {
	url, word := "ws://"+addr+"/ocpp", "word"
	if !good {
		word = "wrong"
	}
	args := []string{"station", "--id", id, "--speed", "100", "--pause", "1s", "--wh", "100"}
	if profile > 1 {
		url = "wss://" + addr + "/ocpp"
		args = append(args, "--ca-file", v.ocpp("ocpp-root.pem"))
	}
	if profile < 3 {
		args = append(args, "--password-file", filepath.Join(v.dir, word))
	} else if good {
		args = append(args, "--cert-file", v.ocpp("station-CS-B-chain.pem"), "--key-file", v.ocpp("station-CS-B.key"))
	}
	return starts(v.t, append(append(args, "--url", url), more...)...)
}

// site runs a site with an own station and one behind it.
func (v *vault) site(profile int) *program {
	scheme, csms, south := "ws", "password_file: word", ""
	if profile > 1 {
		scheme = "wss"
		csms += ", ca_file: pki/ocpp/ocpp-root.pem"
		south = ", certificates: [{cert_file: pki/ocpp/controller-chain.pem, key_file: pki/ocpp/controller.key}]"
	}
	if profile == 3 {
		csms = "ca_file: pki/ocpp/ocpp-root.pem, cert_file: pki/ocpp/controller-chain.pem, key_file: pki/ocpp/controller.key"
		south += ", client_ca_file: pki/ocpp/ocpp-root.pem"
	}
	return starts(v.t, "run", "-c", v.write("site.yaml", fmt.Sprintf(`
site: {id: yard}
nodes: [{id: root, fuse_a: 63}]
evses: [{id: a, node: root, type: ac, max_a: 16, hal: sim, station: CS-A}]
stations: {listeners: [{listen: "%s", profile: %d%s}], list: [{id: CS-B, node: root, max_a: 32}]}
csms: {url: "%s://%s/ocpp", identity: LC, %s}
storage: {dir: %s}
http: {listen: "127.0.0.1:0"}
`, v.south, profile, south, scheme, v.north, csms, filepath.Join(v.dir, "data"))))
}

// heard waits for a frame of a station in the record of the CSMS.
func (v *vault) heard(station, action string) {
	v.t.Helper()
	want := regexp.MustCompile(fmt.Sprintf(`"station":%q,"in":true,"raw":"\[2,[^,]*,\\"%s\\"`, station, action))
	for range 600 {
		b, err := os.ReadFile(filepath.Join(v.dir, "frames"))
		if err == nil && want.Match(b) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	v.t.Fatalf("the CSMS has not heard %s of %s", action, station)
}

// Each security profile from a station through the controller to the CSMS, every one a process, with files of pki init.
func TestSecurityProfilesEndToEnd(t *testing.T) {
	for profile := 1; profile <= 3; profile++ {
		t.Run(fmt.Sprint("profile ", profile), func(t *testing.T) {
			t.Parallel()
			v := newVault(t)
			c := v.csms(profile)
			v.site(profile)
			v.station(profile, v.south, "CS-B", true)
			secured := map[int]string{1: ` station=%s version=`, 2: ` station=%s suite=TLS_\w+ tls="TLS 1.3"`, 3: ` certificate=LC .*station=%s suite=TLS_\w+ tls="TLS 1.3"`}[profile]
			for _, id := range []string{"LC", "CS-A", "CS-B"} {
				c.says(`connected .*` + fmt.Sprintf(secured, id))
				v.heard(id, "BootNotification")
			}
			v.heard("CS-B", "TransactionEvent")

			for _, addr := range []string{v.north, v.south} { // who does not show what it must is refused
				v.station(profile, addr, "CS-B", false, "--pause", "0").says(`cannot connect.* (refused with HTTP status 401|tls: certificate required)`)
			}
		})
	}
}

// The CSMS renews the certificate of the site's own station by its script: the next handshake shows it, and that of the next process.
func TestRotationByScript(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	c := v.csms(3, "--sign-with", v.pki, "--script", v.write("script", `{"station":"CS-A","action":"TriggerMessage","payload":{"requestedMessage":"SignChargingStationCertificate"}}
{"station":"CS-B","action":"TriggerMessage","payload":{"requestedMessage":"SignChargingStationCertificate"}}
`))
	site := v.site(3)
	state := filepath.Join(v.dir, "state")
	station := v.station(3, v.north, "CS-B", true, "--state", state, "--pause", "0")

	first := func(id, cn string) string {
		return c.says(`connected .*certificate=` + cn + ` serial=(\w+) station=` + id + ` `)[1]
	}
	a, b := first("CS-A", "LC"), first("CS-B", "CS-B")
	renewed := func(id, cn, old string) string {
		t.Helper()
		for range 600 {
			for _, m := range regexp.MustCompile(`connected .*certificate=`+cn+` serial=(\w+) station=`+id+` `).FindAllStringSubmatch(c.said(), -1) {
				if m[1] != old {
					return m[1]
				}
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Fatalf("%s shows no new certificate", id)
		return ""
	}
	a, b = renewed("CS-A", "CS-A", a), renewed("CS-B", "CS-B", b)
	site.ends()
	station.ends()
	again := func(id, serial string) {
		t.Helper()
		n := len(regexp.MustCompile(` serial=`+serial+` station=`+id+` `).FindAllString(c.said(), -1))
		for range 600 {
			all := regexp.MustCompile(`connected .* serial=(\w+) station=`+id+` `).FindAllStringSubmatch(c.said(), -1)
			if k := len(regexp.MustCompile(` serial=`+serial+` station=`+id+` `).FindAllString(c.said(), -1)); k > n {
				return
			}
			if last := all[len(all)-1][1]; last != serial {
				t.Fatalf("after a restart %s shows %s, not the new %s", id, last, serial)
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Fatalf("%s does not come back", id)
	}
	v.site(3)
	again("CS-A", a)
	v.station(3, v.north, "CS-B", true, "--state", state, "--pause", "0")
	again("CS-B", b)
}

// The CSMS of security profile 3 lets nobody in whose certificate is of another PKI.
func TestCSMSChecksCertificates(t *testing.T) {
	t.Parallel()
	v, other := newVault(t), newVault(t)
	v.csms(3)
	cert, err := tls.LoadX509KeyPair(other.ocpp("station-CS-B-chain.pem"), other.ocpp("station-CS-B.key"))
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(v.ocpp("ocpp-root.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	reads := func(own tls.Certificate) error {
		raw, err := net.Dial("tcp", v.north)
		if err != nil {
			t.Fatal(err)
		}
		defer raw.Close()
		conn := tls.Client(raw, &tls.Config{RootCAs: roots, ServerName: "localhost", MaxVersion: tls.VersionTLS12,
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own, nil }})
		return conn.Handshake()
	}
	if err := reads(cert); err == nil {
		t.Error("a certificate of another PKI is good")
	}
	own, err := tls.LoadX509KeyPair(v.ocpp("station-CS-B-chain.pem"), v.ocpp("station-CS-B.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := reads(own); err != nil {
		t.Error(err)
	}
}
