package tlsbench

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/voltyard/voltyard/test/bench/benchkit"
)

// Result is what the bench prints.
type Result struct {
	Bench      string  `json:"bench"`
	Handshakes int     `json:"handshakes"`
	PerSecond  float64 `json:"handshakes_per_s"`
	CPUEach    float64 `json:"cpu_ms_each"` // of the server
	LoopP99    float64 `json:"loop_p99_ms"` // of requests sent during handshakes
	LoopMax    float64 `json:"loop_max_ms"`
	Requests   int     `json:"loop_requests"` // of which loop_p99_ms is made
	QuietP99   float64 `json:"loop_quiet_p99_ms"`
	BurstP99   float64 `json:"burst_p99_ms"` // from the first connection to the end of the last handshake
	Failed     int     `json:"failed"`
	Lateness   float64 `json:"lateness_p99_ms"`
}

type options struct {
	loops, connect int
	cadence        time.Duration
	length         time.Duration
}

// child tells a process of this bench what it is; it is not for people.
const child = "VOLTYARD_TLSBENCH"

// Run is the bench.
func Run(args []string) (any, error) {
	var o options
	fl := flag.NewFlagSet("tls", flag.ContinueOnError)
	fl.IntVar(&o.loops, "loops", 50, "vehicles that charge")
	fl.IntVar(&o.connect, "connect", 50, "vehicles that connect at once")
	fl.DurationVar(&o.cadence, "cadence", 100*time.Millisecond, "time between the requests of a vehicle that charges")
	fl.DurationVar(&o.length, "length", 10*time.Second, "length of a run")
	if err := fl.Parse(args); err != nil {
		return nil, err
	}
	switch os.Getenv(child) {
	case "server":
		return nil, serve(os.Stdin, os.Stdout)
	case "arrivals":
		return nil, arrive(o, os.Stdin, os.Stdout)
	}
	var best Result
	for i := range 3 {
		r, err := once(o)
		if err != nil {
			return nil, err
		}
		if i == 0 || r.LoopP99 < best.LoopP99 {
			best = r
		}
	}
	return best, nil
}

// process is a child that answers one line for every line that it is told.
type process struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func start(kind string, args ...string) (*process, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	command := append([]string{path, "tls"}, args...)
	if kind == "arrivals" { // see the package comment
		command = append([]string{"nice", "-n", "10"}, command...)
	}
	p := &process{cmd: exec.Command(command[0], command[1:]...)}
	p.cmd.Env = append(os.Environ(), child+"="+kind)
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	return p, p.cmd.Start()
}

func (p *process) ask(line string, answer any) error {
	if line != "" {
		if _, err := io.WriteString(p.in, line+"\n"); err != nil {
			return err
		}
	}
	got, err := p.out.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("the bench's process ended: %w", err)
	}
	return json.Unmarshal(got, answer)
}

func (p *process) stop() {
	_ = p.in.Close()
	_, _ = io.Copy(io.Discard, p.out)
	_ = p.cmd.Wait()
}

// cpu is what a process has used so far.
func (p *process) cpu() (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0, errors.New("/proc/PID/stat has no times")
	}
	user, err1 := strconv.ParseInt(f[11], 10, 64)
	system, err2 := strconv.ParseInt(f[12], 10, 64)
	const tick = 10 * time.Millisecond // USER_HZ is 100 on every Linux that Go supports
	return time.Duration(user+system) * tick, errors.Join(err1, err2)
}

// burst is how one arrival of all vehicles went.
type burst struct {
	Took   time.Duration
	Failed int
}

func once(o options) (Result, error) {
	server, err := start("server")
	if err != nil {
		return Result{}, err
	}
	defer server.stop()
	var at place
	if err := server.ask("", &at); err != nil {
		return Result{}, err
	}
	arrivals, err := start("arrivals", "-connect", strconv.Itoa(o.connect))
	if err != nil {
		return Result{}, err
	}
	defer arrivals.stop()
	place, err := json.Marshal(at)
	if err != nil {
		return Result{}, err
	}
	var ready bool
	if err := arrivals.ask(string(place), &ready); err != nil {
		return Result{}, err
	}
	r := Result{Bench: "tls"}
	lateness := benchkit.Lateness()

	// What a handshake costs, with nobody charging.
	var b burst
	if err := arrivals.ask("go", &b); err != nil { // warm
		return Result{}, err
	}
	before, err := server.cpu()
	if err != nil {
		return Result{}, err
	}
	const costed = 20
	for range costed {
		if err := arrivals.ask("go", &b); err != nil {
			return Result{}, err
		}
		r.Failed += b.Failed
	}
	after, err := server.cpu()
	if err != nil {
		return Result{}, err
	}
	r.CPUEach = benchkit.Millis((after - before) / time.Duration(costed*o.connect))

	loops, err := charge(o, at)
	if err != nil {
		return Result{}, err
	}
	var bursts []time.Duration
	var busy time.Duration
	for until := time.Now().Add(o.length); time.Now().Before(until); {
		loops.mark(true)
		err := arrivals.ask("go", &b)
		loops.mark(false)
		if err != nil {
			return Result{}, err
		}
		bursts = append(bursts, b.Took)
		busy += b.Took
		r.Failed += b.Failed
		time.Sleep(200 * time.Millisecond)
	}
	during, quiet, err := loops.stop()
	if err != nil {
		return Result{}, err
	}
	r.Handshakes = len(bursts) * o.connect
	r.PerSecond = float64(int(float64(r.Handshakes)/busy.Seconds()*10)) / 10
	r.LoopP99, r.LoopMax, r.Requests = benchkit.Quantile(during, 0.99), benchkit.Quantile(during, 1), len(during)
	r.QuietP99, r.BurstP99 = benchkit.Quantile(quiet, 0.99), benchkit.Quantile(bursts, 0.99)
	r.Lateness = lateness()
	return r, nil
}

// loops are the vehicles that charge.
type loops struct {
	quit chan struct{}
	all  sync.WaitGroup

	mu            sync.Mutex
	busy          bool
	during, quiet []time.Duration
	err           error
}

func (l *loops) mark(busy bool) {
	l.mu.Lock()
	l.busy = busy
	l.mu.Unlock()
}

func (l *loops) storm() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.busy
}

func (l *loops) took(busy bool, d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if busy {
		l.during = append(l.during, d)
	} else {
		l.quiet = append(l.quiet, d)
	}
}

func (l *loops) fail(err error) {
	l.mu.Lock()
	l.err = errors.Join(l.err, err)
	l.mu.Unlock()
}

func (l *loops) stop() (during, quiet []time.Duration, err error) {
	close(l.quit)
	l.all.Wait()
	return l.during, l.quiet, l.err
}

// charge connects the vehicles that charge, brings them into the loop, and keeps them there.
func charge(o options, at place) (*loops, error) {
	l := &loops{quit: make(chan struct{})}
	for i := range o.loops {
		v, err := connect(at)
		if err != nil {
			return nil, err
		}
		if err := v.begin(); err != nil {
			return nil, err
		}
		l.all.Go(func() {
			defer v.close()
			tick := time.NewTicker(o.cadence)
			defer tick.Stop()
			time.Sleep(o.cadence * time.Duration(i) / time.Duration(o.loops))
			for {
				select {
				case <-l.quit:
					return
				case <-tick.C:
				}
				busy := l.storm()
				d, err := v.loop()
				if err != nil {
					l.fail(err)
					return
				}
				l.took(busy, d)
			}
		})
	}
	runtime.GC()
	return l, nil
}
