// Package seccbench measures how quickly the site answers vehicles in their charging loops: session actors in a process of their
// own, real TCP connections on loopback, half of them TLS, half of them DC (CurrentDemand) and half AC (ChargingStatus). Only
// test/bench calls it.
package seccbench

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/voltyard/voltyard/test/bench/benchkit"
)

// result is what is printed.
type result struct {
	Sessions  int     `json:"sessions"`
	TLS       int     `json:"tls"`
	CadenceMS float64 `json:"cadence_ms"`
	Responses int     `json:"responses"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	P999      float64 `json:"p999_ms"`
	Max       float64 `json:"max_ms"`
	CPU       float64 `json:"cpu_s"`  // of the server, during the run
	RSS       float64 `json:"rss_mb"` // of the server, with all sessions open
	Lateness  float64 `json:"lateness_p99_ms"`
}

// hello is what the server tells the load.
type hello struct {
	Root      []byte   `json:"root"` // PEM
	Addresses []string `json:"addresses"`
}

const serveFlag = "-serve"

// Run is the bench: it starts the server, connects the vehicles, and prints the best of some runs.
func Run(args []string) (any, error) {
	if len(args) > 0 && args[0] == serveFlag {
		return nil, serve(args[1:])
	}
	fs := flag.NewFlagSet("secc", flag.ContinueOnError)
	sessions := fs.Int("sessions", 200, "vehicles at once")
	cadence := fs.Duration("cadence", 100*time.Millisecond, "time between the requests of a vehicle")
	length := fs.Duration("duration", 8*time.Second, "length of a run")
	runs := fs.Int("runs", 3, "runs; the one with the best p99 counts")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if *sessions < 1 || *cadence <= 0 || *length <= 0 || *runs < 1 {
		return nil, fmt.Errorf("sessions, cadence, duration and runs must be above 0")
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, "secc", serveFlag, strconv.Itoa(*sessions))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	defer func() {
		_ = in.Close() // the server ends with it
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
	}()
	r := bufio.NewReaderSize(out, 1<<20)
	line, err := r.ReadBytes('\n')
	if err != nil {
		return nil, fmt.Errorf("the server did not start: %w", err)
	}
	var h hello
	if err := json.Unmarshal(line, &h); err != nil {
		return nil, fmt.Errorf("the server says %q: %w", line, err)
	}
	vehicles, err := connect(h, *sessions)
	if err != nil {
		return nil, err
	}
	defer func() {
		for _, v := range vehicles {
			_ = v.conn.Close()
		}
	}()
	var best *result
	for range *runs {
		x, err := measure(vehicles, cmd.Process.Pid, *cadence, *length)
		if err != nil {
			return nil, err
		}
		if best == nil || x.P99 < best.P99 {
			best = x
		}
	}
	return best, nil
}

// measure is one run.
func measure(vehicles []*vehicle, pid int, cadence, length time.Duration) (*result, error) {
	before, err := cpuTime(pid)
	if err != nil {
		return nil, err
	}
	late := benchkit.Lateness()
	begun := time.Now().Add(50 * time.Millisecond)
	var all sync.WaitGroup
	for i, v := range vehicles {
		first := begun.Add(cadence * time.Duration(i) / time.Duration(len(vehicles)))
		all.Go(func() { v.loop(first, cadence, length) })
	}
	all.Wait()
	r := &result{Sessions: len(vehicles), CadenceMS: benchkit.Millis(cadence), Lateness: late()}
	after, err := cpuTime(pid)
	if err != nil {
		return nil, err
	}
	r.CPU = (after - before).Seconds()
	if r.RSS, err = memory(pid); err != nil {
		return nil, err
	}
	var took []time.Duration
	for _, v := range vehicles {
		if v.err != nil {
			return nil, v.err
		}
		if v.tls {
			r.TLS++
		}
		took = append(took, v.took...)
	}
	sort.Slice(took, func(i, j int) bool { return took[i] < took[j] })
	r.Responses = len(took)
	r.P50, r.P99, r.P999, r.Max = benchkit.Quantile(took, 0.5), benchkit.Quantile(took, 0.99), benchkit.Quantile(took, 0.999), benchkit.Quantile(took, 1)
	return r, nil
}

// ticks is how many clock ticks a second has in /proc (USER_HZ).
const ticks = 100

// cpuTime is what a process has used so far.
func cpuTime(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat has no times", pid)
	}
	user, _ := strconv.ParseInt(f[11], 10, 64)
	system, _ := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(user+system) * time.Second / ticks, nil
}

// memory is the resident memory of a process, MB.
func memory(pid int) (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for _, line := range strings.Split(string(b), "\n") {
		if kb, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(kb, "kB")), 64)
			return n / 1024, err
		}
	}
	return 0, fmt.Errorf("/proc/%d/status has no VmRSS", pid)
}
