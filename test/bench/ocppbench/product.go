package ocppbench

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// product is the controller under test.
type product struct {
	cmd   *exec.Cmd
	url   string
	ready time.Duration // from its start until it took a connection
	log   *bytes.Buffer
}

// build compiles the program.
func build(dir string) (string, error) {
	path := filepath.Join(dir, "voltyard")
	out, err := exec.Command("go", "build", "-trimpath", "-o", path, "github.com/voltyard/voltyard/cmd/voltyard").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
}

// site is the description of a site without EVSEs that knows these stations. With a PKI both ways are TLS: security profile 2
// towards the stations.
func site(dir, csms, pki string, port, web int, stations []string) string {
	var b strings.Builder
	listen, roots := fmt.Sprintf(`listen: "127.0.0.1:%d"`, port), ""
	if pki != "" {
		listen = fmt.Sprintf(`listeners: [{listen: "127.0.0.1:%d", profile: 2, certificates: [{cert_file: %s/ocpp/controller-chain.pem, key_file: %s/ocpp/controller.key}]}]`, port, pki, pki)
		roots = fmt.Sprintf(`, ca_file: %s/ocpp/ocpp-root.pem`, pki)
	}
	fmt.Fprintf(&b, `site: {id: bench}
nodes: [{id: root, fuse_a: 100000}]
csms: {url: "%s"%s}
storage: {dir: "%s"}
http: {listen: "127.0.0.1:%d"}
log: {level: error}
stations:
  bounds: {connections: 20000, handshakes_per_s: 1000, frames_per_s: 1000}
  %s
  answer_s: 5
  list:
`, csms, roots, dir, web, listen)
	for _, id := range stations {
		fmt.Fprintf(&b, "  - {id: %s, node: root, max_a: 32}\n", id)
	}
	return b.String()
}

func start(binary, dir, csms, pki string, stations []string) (*product, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	web, err := freePort()
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, strconv.Itoa(port))
	if err := os.Mkdir(data, 0o700); err != nil {
		return nil, err
	}
	file := filepath.Join(data, "site.yaml")
	if err := os.WriteFile(file, []byte(site(data, csms, pki, port, web, stations)), 0o600); err != nil {
		return nil, err
	}
	p := &product{cmd: exec.Command(binary, "run", "-c", file), url: fmt.Sprintf("ws://127.0.0.1:%d/ocpp", port), log: &bytes.Buffer{}}
	if pki != "" {
		p.url = "wss" + strings.TrimPrefix(p.url, "ws")
	}
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	began := time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	for addr := fmt.Sprintf("127.0.0.1:%d", port); ; time.Sleep(500 * time.Microsecond) {
		if c, err := net.Dial("tcp", addr); err == nil {
			_ = c.Close()
			break
		}
		if time.Since(began) > 20*time.Second {
			p.stop()
			return nil, fmt.Errorf("the controller does not listen: %s", p.log)
		}
	}
	p.ready = time.Since(began)
	return p, nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// rss is the memory of the process, KB.
func (p *product) rss() (float64, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("memory of the controller: %w", err)
	}
	defer func() { _ = f.Close() }()
	for s := bufio.NewScanner(f); s.Scan(); {
		if v, ok := strings.CutPrefix(s.Text(), "VmRSS:"); ok {
			return strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(v, "kB")), 64)
		}
	}
	return 0, fmt.Errorf("memory of the controller: no VmRSS")
}

func (p *product) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(20*time.Second, func() { _ = p.cmd.Process.Kill() })
	_ = p.cmd.Wait()
	kill.Stop()
}
