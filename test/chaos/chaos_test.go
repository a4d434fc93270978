// Package chaos kills the controller where it hurts, and looks at the raw frames that reach the operator's cloud.
package chaos

import (
	"bytes"
	crand "crypto/rand"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/sim/csms"
	"github.com/voltyard/voltyard/actors/sim/station"
	"github.com/voltyard/voltyard/test/virtual"
)

const kills = 10

// siteFile is a site with two EVSEs of its own, and room for two third-party stations, which this test process plays, so
// that they live through the deaths of the controller.
const siteFile = `
site: {id: chaos}
nodes:
  - {id: root, fuse_a: 125, max_import_w: 80000, meter: grid, background_a: 20}
meters: [{id: grid, driver: sim}]
evses:
  - {id: a1, node: root, type: ac, max_a: 32, floor_a: 6, hal: sim, station: OWN-AC, port: {interface: lo, sdp_port: 15610}}
  - {id: d1, node: root, type: dc, max_w: 53000, hal: sim, station: OWN-DC, port: {interface: lo, sdp_port: 15611}}
stations: {listen: "%s", accept: any, node: root, max_others: 2, max_a: 16, fallback_a: 6, offline: answer}
csms: {url: "ws://127.0.0.1:1/ocpp", identity: CHAOS-LC}
mqtt: {url: "tcp://127.0.0.1:1"}
http: {listen: "%s"}
log: {level: info, format: text}
`

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func build(t *testing.T) string {
	t.Helper()
	exe := filepath.Join(t.TempDir(), "voltyard")
	if out, err := exec.Command("go", "build", "-o", exe, "../../cmd/voltyard").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return exe
}

// waitHealthy waits until the site decides.
func waitHealthy(t *testing.T, addr string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		if r, err := http.Get("http://" + addr + "/healthz"); err == nil {
			_, _ = io.Copy(io.Discard, r.Body)
			_ = r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return
			}
		}
		pause(50 * time.Millisecond)
	}
	t.Fatal("the site did not come up within 30 s")
}

// pause waits on the wall clock: the processes under test live in it.
func pause(d time.Duration) { <-time.After(d) }

func TestKillNineTenTimesLosesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("takes about a minute of wall time")
	}
	if virtual.Race {
		t.Skip("the processes that are killed are built without the race detector: run it without -race")
	}
	t.Parallel()
	exe, dir := build(t), t.TempDir()
	listen, web := free(t), free(t)
	file := filepath.Join(dir, "site.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, siteFile, listen, web), 0o600); err != nil {
		t.Fatal(err)
	}

	env := kit.NewEnv(zerolog.Nop())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	record := csms.NewRecord(1<<20, nil)
	cloud, err := env.System.Root.SpawnNamed(env.Props("csms", csms.New(env, csms.Config{Listener: l, Path: "/ocpp", Record: record})), "csms")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = env.System.Root.StopFuture(cloud).Wait() }()
	others := []string{"OTHER-1", "OTHER-2"}
	for _, id := range others {
		visits := []station.Visit{}
		for i := range 40 {
			visits = append(visits, station.Visit{After: time.Duration(i) * 7 * time.Second, Stay: 5 * time.Second, EVSE: 1, Token: "04D5E6F7", Car: station.Car{MaxAmps: 16, Phases: 3}})
		}
		cfg := station.Config{URL: "ws://" + listen + "/ocpp", Identity: id, MaxAmps: 16, Speed: 60, Visits: visits, NewID: crand.Text}
		pid, err := env.System.Root.SpawnNamed(env.Props("sim-station", station.New(env, cfg)), id)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = env.System.Root.StopFuture(pid).Wait() }()
	}

	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	url := "ws://" + l.Addr().String() + "/ocpp"
	var log bytes.Buffer
	run := func(i int, more ...string) *exec.Cmd {
		args := append([]string{"demo", "--json", "--config", file, "--csms", url, "--data", filepath.Join(dir, "data"), "--seed", fmt.Sprint(i + 1)}, more...)
		cmd := exec.Command(exe, args...)
		cmd.Stderr = &log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	for i := range kills {
		cmd := run(i)
		waitHealthy(t, web)
		pause(time.Duration(2000+rng.IntN(5000)) * time.Millisecond)
		if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
	}
	last := run(kills, "--duration", "25s")
	if err := last.Wait(); err != nil {
		t.Errorf("the last run: %v\n%s", err, tail(log.String(), 30))
	}
	pause(time.Second)

	started := 0
	for _, id := range append(others, "OWN-AC", "OWN-DC") {
		own := strings.HasPrefix(id, "OWN")
		for _, wrong := range record.CheckTransactions(id, own) {
			t.Error(wrong)
		}
		events := len(record.Requests(id, "TransactionEvent"))
		t.Logf("%s: %d transaction events", id, events)
		if events < 10 {
			t.Errorf("%s: only %d transaction events reached the cloud", id, events)
		}
		started += events
	}
	for _, f := range record.Faults() {
		t.Error(f)
	}
	if t.Failed() {
		t.Log(tail(log.String(), 60))
	}
}

func tail(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
