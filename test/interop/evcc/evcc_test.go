package evcc

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/voltyard/voltyard/test/interop/peer"
)

var product string

func TestMain(m *testing.M) { peer.Main(m, &product) }

// Names of the link; they are short and unlikely to be in use.
const (
	space    = "vyevcc"
	siteEnd  = "vyse0"
	otherEnd = "vyev0"
	api      = "127.0.0.1:18381"
)

// interpreter is a Python that has the vehicle.
func interpreter(t *testing.T) string {
	t.Helper()
	python := os.Getenv("VOLTYARD_EVCC_PYTHON")
	if python == "" {
		python = "python3"
	}
	if err := exec.Command(python, "-c", "import iso15118, aiofile").Run(); err != nil {
		t.Skip("no Python with the packages iso15118 and aiofile (pip install iso15118 aiofile); name one in VOLTYARD_EVCC_PYTHON")
	}
	return python
}

// link makes the virtual Ethernet link, one end of it in a namespace.
func link(t *testing.T) {
	t.Helper()
	ip := peer.Program(t, "ip", "iproute2")
	run := func(args ...string) error { return exec.Command(ip, args...).Run() }
	if os.Geteuid() != 0 || run("netns", "add", space) != nil {
		t.Skip("no network namespace can be made; run as root where that is allowed")
	}
	t.Cleanup(func() {
		_ = run("link", "del", siteEnd)
		_ = run("netns", "del", space)
	})
	for _, args := range [][]string{{"link", "add", siteEnd, "type", "veth", "peer", "name", otherEnd, "netns", space},
		{"link", "set", siteEnd, "up"}, {"-n", space, "link", "set", otherEnd, "up"}, {"-n", space, "link", "set", "lo", "up"}} {
		if err := run(args...); err != nil {
			t.Fatalf("ip %v: %v", args, err)
		}
	}
	time.Sleep(3 * time.Second) // duplicate address detection
}

// keys puts the test PKI where the vehicle looks for it.
func keys(t *testing.T, from, to string) {
	t.Helper()
	certs, private := filepath.Join(to, "iso15118_2", "certs"), filepath.Join(to, "iso15118_2", "private_keys")
	for _, d := range []string{certs, private} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	openssl := peer.Program(t, "openssl", "openssl")
	run := func(args ...string) {
		if out, err := exec.Command(openssl, args...).CombinedOutput(); err != nil {
			t.Fatalf("openssl %v: %v\n%s", args, err, out)
		}
	}
	for ours, theirs := range map[string]string{"contract": "contractLeafCert", "mo-sub2": "moSubCA2Cert", "mo-sub1": "moSubCA1Cert", "mo-root": "moRootCACert",
		"v2g-root": "v2gRootCACert", "oem-provisioning": "oemLeafCert", "oem-sub2": "oemSubCA2Cert", "oem-sub1": "oemSubCA1Cert", "oem-root": "oemRootCACert"} {
		pem := filepath.Join(from, "iso15118-2", ours+".pem")
		run("x509", "-in", pem, "-outform", "DER", "-out", filepath.Join(certs, theirs+".der"))
		run("x509", "-in", pem, "-out", filepath.Join(certs, theirs+".pem"))
	}
	for ours, theirs := range map[string]string{"contract": "contractLeaf", "oem-provisioning": "oemLeaf"} {
		run("pkcs8", "-topk8", "-in", filepath.Join(from, "iso15118-2", ours+".key"), "-out", filepath.Join(private, theirs+".key"), "-passout", "pass:12345")
		if err := os.WriteFile(filepath.Join(private, theirs+"Password.txt"), []byte("12345\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

const siteFile = `
site: {id: bench}
nodes: [{id: root, fuse_a: 200}]
evses:
  - {id: x1, node: root, %s, hal: sim, port: {interface: vyse0, vehicle: external,
      tls: {identities: [{cert_file: pki/iso15118-2/secc-chain.pem, key_file: pki/iso15118-2/secc.key, root_file: pki/iso15118-2/v2g-root.pem}]},
      contract: {mo_roots_file: pki/iso15118-2/mo-root.pem, v2g_roots_file: pki/iso15118-2/v2g-root.pem, authorize: local, certificates: local, pki_dir: pki, receipt_s: 1}}}
storage: {dir: data}
http: {listen: "127.0.0.1:18381"}
`

func TestAnIndependentVehicleCharges(t *testing.T) {
	python := interpreter(t)
	_ = peer.Program(t, "java", "default-jre-headless")
	link(t)
	dir := t.TempDir()
	if out, err := exec.Command(product, "pki", "init", filepath.Join(dir, "pki")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	keys(t, filepath.Join(dir, "pki"), filepath.Join(dir, "theirs"))
	for _, c := range []struct {
		name, evse, mode, protocol string
		tls, install               bool
		want                       string
	}{
		{"DIN", "type: dc, max_w: 53000", "DC_extended", "DIN_SPEC_70121", false, false, "din70121-dc"},
		{"AC", "type: ac, max_a: 32", "AC_three_phase_core", "ISO_15118_2", false, false, "iso15118-2-ac"},
		{"DC", "type: dc, max_w: 53000", "DC_extended", "ISO_15118_2", false, false, "iso15118-2-dc"},
		{"AC by contract", "type: ac, max_a: 32", "AC_three_phase_core", "ISO_15118_2", true, false, "iso15118-2-ac"},
		{"DC by contract", "type: dc, max_w: 53000", "DC_extended", "ISO_15118_2", true, false, "iso15118-2-dc"},
		{"certificate installation", "type: ac, max_a: 32", "AC_three_phase_core", "ISO_15118_2", true, true, "iso15118-2-ac"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_ = os.RemoveAll(filepath.Join(dir, "data"))
			site, vehicle := filepath.Join(dir, "site.yaml"), filepath.Join(dir, "vehicle.json")
			if err := os.WriteFile(site, fmt.Appendf(nil, siteFile, c.evse), 0o600); err != nil {
				t.Fatal(err)
			}
			settings, _ := json.Marshal(map[string]any{"supportedEnergyServices": []string{"AC"}, "isCertInstallNeeded": c.install, "useTls": c.tls, "enforceTls": c.tls,
				"sdpRetryCycles": 1, "maxContractCerts": 3, "supportedProtocols": []string{c.protocol}, "energyTransferMode": c.mode, "maxSupportingPoints": 1024,
				"chargeLoopCycle": 30, "chargeLoopDelay": 0})
			if err := os.WriteFile(vehicle, settings, 0o600); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
			defer cancel()
			run := exec.CommandContext(ctx, product, "run", "-c", site)
			run.Dir = dir
			run.Cancel = func() error { return run.Process.Signal(os.Interrupt) }
			if err := run.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				cancel()
				_ = run.Wait()
			}()
			time.Sleep(3 * time.Second)
			ev := exec.CommandContext(ctx, "ip", "netns", "exec", space, python, "-m", "iso15118.evcc.main")
			ev.Dir = dir
			ev.Env = append(os.Environ(), "NETWORK_INTERFACE="+otherEnd, "PKI_PATH="+filepath.Join(dir, "theirs")+"/", "EVCC_CONFIG_PATH="+vehicle, "LOG_LEVEL=INFO")
			ev.WaitDelay = time.Second
			said, evErr := ev.CombinedOutput()
			listed, err := exec.Command(product, "trace", "list", "--api", "http://"+api).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, listed)
			}
			lines := strings.Split(strings.TrimSpace(string(listed)), "\n")
			last := strings.Fields(lines[len(lines)-1])
			if evErr != nil || len(lines) != 2 || last[len(last)-1] != "ok" || !strings.Contains(lines[1], c.want) || !strings.Contains(lines[1], fmt.Sprint(c.tls)) {
				tail := strings.Split(strings.TrimSpace(string(said)), "\n")
				t.Errorf("%v\n%s\nthe vehicle's last words:\n%s", evErr, listed, strings.Join(tail[max(0, len(tail)-12):], "\n"))
			}
			t.Log(lines[len(lines)-1])
		})
	}
}
