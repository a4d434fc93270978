package mosquitto

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything may take on a busy machine.
const patience = 30 * time.Second

var binary struct {
	once sync.Once
	dir  string
	path string
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if binary.dir != "" {
		_ = os.RemoveAll(binary.dir)
	}
	os.Exit(code)
}

// voltyard builds the product, once for all tests.
func voltyard(t *testing.T) string {
	t.Helper()
	binary.once.Do(func() {
		if binary.dir, binary.err = os.MkdirTemp("", "voltyard"); binary.err != nil {
			return
		}
		binary.path = filepath.Join(binary.dir, "voltyard")
		cmd := exec.Command("go", "build", "-o", binary.path, "./cmd/voltyard")
		cmd.Dir = filepath.Join("..", "..", "..")
		if out, err := cmd.CombinedOutput(); err != nil {
			binary.err = fmt.Errorf("go build: %w\n%s", err, out)
		}
	})
	if binary.err != nil {
		t.Fatal(binary.err)
	}
	return binary.path
}

// program finds a program of Mosquitto or skips. Debian keeps the broker where only root's path leads.
func program(t *testing.T, name string) string {
	t.Helper()
	for _, p := range []string{name, filepath.Join("/usr/sbin", name)} {
		if path, err := exec.LookPath(p); err == nil {
			return path
		}
	}
	t.Skipf("%s is not here; on Debian: apt-get install mosquitto mosquitto-clients", name)
	return ""
}

// child is a process that a test started. It ends with the test.
type child struct {
	cmd   *exec.Cmd
	ended chan struct{}

	mu    sync.Mutex
	lines []string
	more  chan struct{} // closed and made anew with every line
}

// spawn starts a process and collects what it prints.
func spawn(t *testing.T, name string, args ...string) *child {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: exec.Command(name, args...), ended: make(chan struct{}), more: make(chan struct{})}
	c.cmd.Stdout, c.cmd.Stderr = w, w
	err = c.cmd.Start()
	_ = w.Close()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		s := bufio.NewScanner(r)
		s.Buffer(nil, 1<<20)
		for s.Scan() {
			c.mu.Lock()
			c.lines = append(c.lines, s.Text())
			close(c.more)
			c.more = make(chan struct{})
			c.mu.Unlock()
		}
		_ = r.Close()
		_ = c.cmd.Wait()
		close(c.ended)
	}()
	t.Cleanup(func() {
		c.end(t, syscall.SIGKILL)
		if t.Failed() {
			out := c.printed()
			if skip := len(out) - 40; skip > 0 {
				out = append([]string{fmt.Sprintf("(%d lines more)", skip)}, out[skip:]...)
			}
			t.Logf("%s printed:\n%s", filepath.Base(name), strings.Join(out, "\n"))
		}
	})
	return c
}

// end sends a signal and waits until the process is gone.
func (c *child) end(t *testing.T, with os.Signal) {
	t.Helper()
	if err := c.cmd.Process.Signal(with); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("signal %s: %v", c.cmd.Path, err)
	}
	select {
	case <-c.ended:
	case <-time.After(patience):
		t.Fatalf("%s does not end on %v", c.cmd.Path, with)
	}
}

func (c *child) printed() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.lines...)
}

// wait returns the first line at or after from for which ok holds, and the index behind it.
func (c *child) wait(t *testing.T, what string, from int, ok func(line string) bool) (string, int) {
	t.Helper()
	deadline := time.After(patience)
	for {
		c.mu.Lock()
		lines, more := c.lines, c.more
		c.mu.Unlock()
		for ; from < len(lines); from++ {
			if ok(lines[from]) {
				return lines[from], from + 1
			}
		}
		select {
		case <-more:
		case <-c.ended:
			if len(c.printed()) == from {
				t.Fatalf("%s ended; expected %s", c.cmd.Path, what)
			}
		case <-deadline:
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// broker is a Mosquitto of the test's own.
type broker struct {
	*child
	port   string
	config string
	// access is what clients must add to their command line to be let in.
	access   []string
	watchers int
}

// startBroker runs Mosquitto on a free port of loopback with these lines in its configuration.
func startBroker(t *testing.T, lines ...string) *broker {
	t.Helper()
	program(t, "mosquitto_sub")
	program(t, "mosquitto_pub")
	b := &broker{port: freePort(t), config: filepath.Join(t.TempDir(), "mosquitto.conf")}
	me, err := user.Current() // started by root, it would become a user who may not read the test's files
	if err != nil {
		t.Fatal(err)
	}
	head := []string{"listener " + b.port + " 127.0.0.1", "persistence false", "user " + me.Username, "log_dest stderr", "log_type all"}
	write(t, b.config, append(head, lines...)...)
	b.start(t)
	return b
}

// start runs it, also once more after it was ended.
func (b *broker) start(t *testing.T) {
	t.Helper()
	b.child = spawn(t, program(t, "mosquitto"), "-c", b.config)
	b.wait(t, "the broker runs", 0, func(l string) bool { return strings.HasSuffix(l, " running") })
}

func freePort(t *testing.T) string {
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

func write(t *testing.T, path string, lines ...string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// message is what mosquitto_sub printed about one; its topic is without the site.
type message struct {
	topic, payload string
	retained       bool
}

func parse(line string) (message, bool) {
	retain, rest, ok1 := strings.Cut(line, " ")
	topic, payload, ok2 := strings.Cut(rest, " ")
	topic, ours := strings.CutPrefix(topic, base)
	return message{topic, payload, retain == "1"}, ok1 && ok2 && ours
}

// watcher is a mosquitto_sub.
type watcher struct {
	*child
	at map[string]int // where to go on reading, per topic: the order of messages counts only within a topic
}

// watch subscribes to the whole site and waits until the broker has the subscription.
func (b *broker) watch(t *testing.T) *watcher {
	t.Helper()
	b.watchers++
	id := fmt.Sprintf("watcher-%d", b.watchers)
	args := append([]string{"-h", "127.0.0.1", "-p", b.port, "-i", id, "-q", "1", "-t", base + "#", "-F", "%r %t %p"}, b.access...)
	w := &watcher{child: spawn(t, program(t, "mosquitto_sub"), args...), at: map[string]int{}}
	b.wait(t, "subscription of "+id, 0, func(l string) bool { return strings.HasSuffix(l, " Sending SUBACK to "+id) })
	return w
}

// next returns the next message on a topic for which ok holds; what came before it on the topic is passed over.
func (w *watcher) next(t *testing.T, topic, what string, ok func(message) bool) message {
	t.Helper()
	line, at := w.wait(t, topic+": "+what, w.at[topic], func(l string) bool {
		m, is := parse(l)
		return is && m.topic == topic && ok(m)
	})
	w.at[topic] = at
	m, _ := parse(line)
	return m
}

// value waits for a payload on a topic.
func (w *watcher) value(t *testing.T, topic, payload string) message {
	t.Helper()
	return w.next(t, topic, "the value "+payload, func(m message) bool { return m.payload == payload })
}

// heard returns all messages so far on a topic.
func (w *watcher) heard(topic string) []message {
	var out []message
	for _, l := range w.printed() {
		if m, ok := parse(l); ok && m.topic == topic {
			out = append(out, m)
		}
	}
	return out
}

// kept returns what the broker keeps, as a new client sees it: everything retained that comes before the next heartbeat.
func (b *broker) kept(t *testing.T) map[string]string {
	t.Helper()
	w := b.watch(t)
	defer w.end(t, syscall.SIGTERM)
	got := map[string]string{}
	w.next(t, "heartbeat", "the first one", func(message) bool { return true })
	for _, l := range w.printed() {
		if m, ok := parse(l); ok && m.retained {
			got[m.topic] = m.payload
		}
	}
	return got
}

// publish sends one message with mosquitto_pub, and returns what went wrong.
func (b *broker) publish(t *testing.T, topic, payload string, args ...string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	all := append([]string{"-h", "127.0.0.1", "-p", b.port, "-q", "1", "-t", base + topic, "-m", payload}, b.access...)
	cmd := exec.CommandContext(ctx, program(t, "mosquitto_pub"), append(all, args...)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("mosquitto_pub: %w: %s", err, out.String())
	}
	if out.Len() > 0 { // a publish that the broker refuses is only a warning
		return errors.New("mosquitto_pub: " + out.String())
	}
	return nil
}

func (b *broker) mustPublish(t *testing.T, topic, payload string, args ...string) {
	t.Helper()
	if err := b.publish(t, topic, payload, args...); err != nil {
		t.Fatal(err)
	}
}

// siteID is the site of all tests, base the beginning of its topics.
const (
	siteID = "yard"
	base   = "voltyard/" + siteID + "/"
)

// siteFile writes a site with two EVSEs at this broker and returns its name.
func siteFile(t *testing.T, mqtt string, sources ...string) string {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "site.yaml")
	lines := []string{
		"site: {id: " + siteID + "}",
		"nodes:",
		"  - {id: root, fuse_a: 63, max_import_w: 40000}",
		"  - {id: row, parent: root, fuse_a: 32}",
		"evses:",
		"  - {id: a1, node: row, type: ac, max_a: 16, hal: sim}",
		"  - {id: d1, node: root, type: dc, max_w: 20000, hal: sim}",
		"mqtt: " + mqtt,
		"limits:",
		"  - {source: bems, priority: 2}",
		"  - {source: dso, priority: 3}",
	}
	lines = append(lines, sources...)
	write(t, file, append(lines, fmt.Sprintf("storage: {dir: %q}", filepath.Join(dir, "data")), `http: {listen: "127.0.0.1:`+freePort(t)+`"}`)...)
	return file
}

// runSite starts voltyard.
func runSite(t *testing.T, file string) *child {
	t.Helper()
	return spawn(t, voltyard(t), "run", "-c", file)
}
