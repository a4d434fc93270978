package mosquitto

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/voltyard/voltyard/test/interop/peer"
)

// product is the program under test, built once.
var product string

func TestMain(m *testing.M) { peer.Main(m, &product) }

// program finds a program of Mosquitto or skips.
func program(t *testing.T, name string) string {
	t.Helper()
	return peer.Program(t, name, "mosquitto mosquitto-clients")
}

// broker is a Mosquitto of the test's own.
type broker struct {
	*peer.Process
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
	b := &broker{port: peer.FreePort(t), config: filepath.Join(t.TempDir(), "mosquitto.conf")}
	me, err := user.Current() // started by root, it would become a user who may not read the test's files
	if err != nil {
		t.Fatal(err)
	}
	head := []string{"listener " + b.port + " 127.0.0.1", "persistence false", "user " + me.Username, "log_dest stderr", "log_type all"}
	peer.Write(t, b.config, append(head, lines...)...)
	b.start(t)
	return b
}

// start runs it, also once more after it was ended.
func (b *broker) start(t *testing.T) {
	t.Helper()
	b.Process = peer.Start(t, program(t, "mosquitto"), "-c", b.config)
	b.Wait(t, "the broker runs", 0, func(l string) bool { return strings.HasSuffix(l, " running") })
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
	*peer.Process
	at map[string]int // where to go on reading, per topic: the order of messages counts only within a topic
}

// watch subscribes to the whole site and waits until the broker has the subscription.
func (b *broker) watch(t *testing.T) *watcher {
	t.Helper()
	b.watchers++
	id := fmt.Sprintf("watcher-%d", b.watchers)
	args := append([]string{"-h", "127.0.0.1", "-p", b.port, "-i", id, "-q", "1", "-t", base + "#", "-F", "%r %t %p"}, b.access...)
	w := &watcher{Process: peer.Start(t, program(t, "mosquitto_sub"), args...), at: map[string]int{}}
	b.Wait(t, "subscription of "+id, 0, func(l string) bool { return strings.HasSuffix(l, " Sending SUBACK to "+id) })
	return w
}

// next returns the next message on a topic for which ok holds; what came before it on the topic is passed over.
func (w *watcher) next(t *testing.T, topic, what string, ok func(message) bool) message {
	t.Helper()
	line, at := w.Wait(t, topic+": "+what, w.at[topic], func(l string) bool {
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
	for _, l := range w.Printed() {
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
	defer w.End(t, syscall.SIGTERM)
	got := map[string]string{}
	w.next(t, "heartbeat", "the first one", func(message) bool { return true })
	for _, l := range w.Printed() {
		if m, ok := parse(l); ok && m.retained {
			got[m.topic] = m.payload
		}
	}
	return got
}

// publish sends one message with mosquitto_pub, and returns what went wrong.
func (b *broker) publish(t *testing.T, topic, payload string, args ...string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), peer.Patience)
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
	peer.Write(t, file, append(lines, fmt.Sprintf("storage: {dir: %q}", filepath.Join(dir, "data")), `http: {listen: "127.0.0.1:`+peer.FreePort(t)+`"}`)...)
	return file
}

// runSite starts voltyard.
func runSite(t *testing.T, file string) *peer.Process {
	t.Helper()
	return peer.Start(t, product, "run", "-c", file)
}
