// Package peer runs the product and programs written by others as processes of a test.
package peer

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Patience is how long anything may take on a busy machine.
const Patience = 30 * time.Second

// Main is the TestMain of a package that runs the product: it compiles it, and runs the tests.
func Main(m *testing.M, product *string) {
	dir, err := os.MkdirTemp("", "voltyard")
	code := 1
	if err == nil {
		*product, err = build(dir)
	}
	if err == nil {
		code = m.Run()
	} else {
		fmt.Fprintln(os.Stderr, err)
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

func build(dir string) (string, error) {
	path := filepath.Join(dir, "voltyard")
	if out, err := exec.Command("go", "build", "-o", path, "github.com/voltyard/voltyard/cmd/voltyard").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
}

// Program finds a program or skips with a word on where it comes from. Debian keeps some where only root's path leads.
func Program(t *testing.T, name, from string) string {
	t.Helper()
	for _, p := range []string{name, filepath.Join("/usr/sbin", name)} {
		if path, err := exec.LookPath(p); err == nil {
			return path
		}
	}
	t.Skipf("%s is not here; on Debian: apt-get install %s", name, from)
	return ""
}

// Process is a process that a test started. It ends with the test.
type Process struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	ended chan struct{}

	mu    sync.Mutex
	lines []string
	more  chan struct{} // closed and made anew with every line
}

// Start starts a process and collects what it prints.
func Start(t *testing.T, name string, args ...string) *Process {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := &Process{cmd: exec.Command(name, args...), ended: make(chan struct{}), more: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = w, w
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	err = p.cmd.Start()
	_ = w.Close()
	if err != nil {
		t.Fatal(err)
	}
	go p.collect(r)
	t.Cleanup(func() {
		p.End(t, syscall.SIGKILL)
		if t.Failed() {
			out := p.Printed()
			if skip := len(out) - 40; skip > 0 {
				out = append([]string{fmt.Sprintf("(%d lines more)", skip)}, out[skip:]...)
			}
			t.Logf("%s printed:\n%s", filepath.Base(name), strings.Join(out, "\n"))
		}
	})
	return p
}

func (p *Process) collect(r *os.File) {
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		p.mu.Lock()
		p.lines = append(p.lines, s.Text())
		close(p.more)
		p.more = make(chan struct{})
		p.mu.Unlock()
	}
	_ = r.Close()
	_ = p.cmd.Wait()
	close(p.ended)
}

// Say writes a line to the process.
func (p *Process) Say(t *testing.T, format string, args ...any) {
	t.Helper()
	if _, err := fmt.Fprintf(p.stdin, format+"\n", args...); err != nil {
		t.Fatalf("%s does not listen: %v", p.cmd.Path, err)
	}
}

// End sends a signal and waits until the process is gone.
func (p *Process) End(t *testing.T, with os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(with); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("signal %s: %v", p.cmd.Path, err)
	}
	select {
	case <-p.ended:
	case <-time.After(Patience):
		t.Fatalf("%s does not end on %v", p.cmd.Path, with)
	}
}

// Printed returns the lines so far, of both outputs.
func (p *Process) Printed() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.lines...)
}

// Wait returns the first line at or after from for which ok holds, and the index behind it.
func (p *Process) Wait(t *testing.T, what string, from int, ok func(line string) bool) (string, int) {
	t.Helper()
	deadline := time.After(Patience)
	for {
		p.mu.Lock()
		lines, more := p.lines, p.more
		p.mu.Unlock()
		for ; from < len(lines); from++ {
			if ok(lines[from]) {
				return lines[from], from + 1
			}
		}
		select {
		case <-more:
		case <-p.ended:
			if len(p.Printed()) == from {
				t.Fatalf("%s ended; expected %s", p.cmd.Path, what)
			}
		case <-deadline:
			t.Fatalf("%s: not within %v", what, Patience)
		}
	}
}

// Poll asks again and again until ok holds.
func Poll(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(Patience); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, Patience)
		}
	}
}

// FreePort returns a TCP port of loopback that was free a moment ago.
func FreePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// Write makes a file of lines that only its owner may read.
func Write(t *testing.T, path string, lines ...string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}
