package outage

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/ws"
	"github.com/voltyard/voltyard/actors/sim/csms"
	"github.com/voltyard/voltyard/storage/bolt"
	"github.com/voltyard/voltyard/test/virtual"
)

const kills = 10

// siteFile describes a controller without EVSEs of its own.
func siteFile(south, web, cloud, dir string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "site: {id: outage}\nnodes:\n  - {id: root, fuse_a: 400}\nstations:\n  listen: %q\n  node: root\n  fallback_a: 6\n  offline: answer\n  list:\n", south)
	for i := range stations {
		fmt.Fprintf(&b, "    - {id: %s, node: root, max_a: 32}\n", id(i))
	}
	fmt.Fprintf(&b, "csms: {url: %q, identity: OUTAGE-LC}\nhttp: {listen: %q}\nstorage: {dir: %q}\nlog: {level: warn, format: text}\n", "ws://"+cloud+"/ocpp", web, dir)
	return b.String()
}

func free(t *testing.T) string {
	t.Helper()
	l := listen(t, "127.0.0.1:0")
	defer l.Close()
	return l.Addr().String()
}

// serve takes the controller's connections for the wire until l is closed.
func (w *wire) serve(l net.Listener, done *sync.WaitGroup) {
	defer done.Done()
	for {
		near, err := l.Accept()
		if err != nil {
			return
		}
		if w.down() || w.join(context.Background(), near) != nil {
			_ = near.Close()
		}
	}
}

// program is a controller as its own process.
type program struct {
	t   *testing.T
	exe string
	cfg string
	web string
	log bytes.Buffer
	cmd *exec.Cmd
}

func (p *program) start() {
	p.t.Helper()
	p.cmd = exec.Command(p.exe, "run", "--config", p.cfg)
	p.cmd.Stderr = &p.log
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
}

func (p *program) stop(sig syscall.Signal) {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Signal(sig)
	_ = p.cmd.Wait()
	p.cmd = nil
}

func (p *program) answers() bool {
	r, err := http.Get("http://" + p.web + "/healthz")
	if err != nil {
		return false
	}
	_ = r.Body.Close()
	return true
}

// The controller's process is killed at random moments while the cloud is cut and vehicles charge: what it had answered for is
// on its disk.
func TestKilledBetweenCuts(t *testing.T) {
	t.Parallel()
	dir, seed := t.TempDir(), rand.Uint64()
	t.Logf("seed %d", seed)
	p := &program{t: t, exe: filepath.Join(dir, "voltyard"), cfg: filepath.Join(dir, "site.yaml"), web: free(t)}
	if out, err := exec.Command("go", "build", "-o", p.exe, "../../cmd/voltyard").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	north, door, south := listen(t, "127.0.0.1:0"), listen(t, "127.0.0.1:0"), free(t)
	if err := os.WriteFile(p.cfg, []byte(siteFile(south, p.web, door.Addr().String(), filepath.Join(dir, "data"))), 0o600); err != nil {
		t.Fatal(err)
	}
	env := kit.NewEnv(zerolog.Nop())
	t.Cleanup(func() { env.System.Shutdown() })
	w := newWire(seed, cut, drop)
	w.pause, w.hard, w.gap = 500*time.Millisecond, true, 30
	w.far = func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", north.Addr().String())
	}
	var serving sync.WaitGroup
	serving.Add(1)
	go w.serve(door, &serving)
	t.Cleanup(func() { _ = door.Close(); serving.Wait() })
	y := &yard{t: t, env: env, disk: &disk{data: map[string][]byte{}}, record: csms.NewRecord(1<<20, nil), wire: w, pace: wallClock}
	y.spawn("csms", csms.New(env, csms.Config{Listener: north, Path: "/ocpp", Record: y.record, Wire: ws.Options{Ping: 5 * time.Second}}))
	p.start()
	t.Cleanup(func() {
		p.stop(syscall.SIGKILL)
		if t.Failed() {
			t.Log(p.log.String()[max(0, p.log.Len()-8000):])
		}
	})
	y.until("the controller", time.Minute, p.answers)
	for i := range stations {
		y.spawn(id(i), y.station(env, i, nil, "ws://"+south+"/ocpp"))
	}
	y.until("all charging at once", time.Minute, y.allCharging)
	w.begin(virtual.Rounds(t, 100))
	rng := rand.New(rand.NewPCG(seed, 11))
	for range virtual.Rounds(t, kills) {
		<-time.After(time.Duration(rng.Int64N(int64(3 * time.Second))))
		p.stop(syscall.SIGKILL)
		p.start()
		y.until("the controller", time.Minute, p.answers)
	}
	y.until("a hundred faults", time.Minute, w.over)
	w.calm()
	y.leave()
	p.stop(syscall.SIGTERM)
	db, err := bolt.Open(filepath.Join(dir, "data", "voltyard.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	pairs, err := db.Scan("ocpp-link", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, kv := range pairs {
		y.disk.data["ocpp-link\x00"+string(kv.Key)] = kv.Value
	}
	if len(pairs) < stations {
		t.Errorf("only %d records are on the disk", len(pairs))
	}
	y.check()
}
