package modbus

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal/modbus/modbustest"
	"github.com/voltyard/voltyard/test/interop/peer"
)

var voltyard string

func TestMain(m *testing.M) { peer.Main(m, &voltyard) }

// python skips unless the Debian packages are here; another Python that comes first in the path does not see them.
func python(t *testing.T) string {
	t.Helper()
	const path = "/usr/bin/python3"
	if err := exec.Command(path, "-c", "import pymodbus.server").Run(); err != nil {
		t.Skip("pymodbus is not here; on Debian: apt-get install python3-pymodbus")
	}
	return path
}

// serialMeter compiles the meter of libmodbus and joins two pseudo terminals.
func serialMeter(t *testing.T) (program, ours, theirs string) {
	t.Helper()
	dir := t.TempDir()
	cc, socat := peer.Program(t, "cc", "gcc"), peer.Program(t, "socat", "socat")
	flags, err := exec.Command(peer.Program(t, "pkg-config", "pkg-config"), "--cflags", "--libs", "libmodbus").Output()
	if err != nil {
		t.Skip("libmodbus is not here; on Debian: apt-get install libmodbus-dev")
	}
	program, ours, theirs = filepath.Join(dir, "meter"), filepath.Join(dir, "ours"), filepath.Join(dir, "theirs")
	args := append([]string{"-o", program, filepath.Join("testdata", "meter.c"), "-pthread"}, strings.Fields(string(flags))...)
	if out, err := exec.Command(cc, args...).CombinedOutput(); err != nil {
		t.Fatalf("cc: %v\n%s", err, out)
	}
	peer.Start(t, socat, "pty,raw,echo=0,link="+ours, "pty,raw,echo=0,link="+theirs)
	peer.Poll(t, "the pseudo terminals", func() bool {
		_, e1 := os.Stat(ours)
		_, e2 := os.Stat(theirs)
		return e1 == nil && e2 == nil
	})
	for _, name := range []string{ours, theirs} { // socat ends when nobody holds an end
		f, err := os.OpenFile(name, os.O_RDWR|syscall.O_NOCTTY, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
	}
	return program, ours, theirs
}

// site is a running controller with one third-party station behind a fuse of 63 A whose meter is somebody else's.
type site struct {
	api   string
	meter *peer.Process
	load  float64 // of the building, A per phase
}

func newSite(t *testing.T, bus string, unit int, meter func() *peer.Process) *site {
	t.Helper()
	dir, cloud, stations, web := t.TempDir(), peer.FreePort(t), peer.FreePort(t), peer.FreePort(t)
	file := filepath.Join(dir, "site.yaml")
	peer.Write(t, file, "site: {id: shop}",
		"nodes: [{id: root, fuse_a: 63, meter: grid, background_a: 54}]",
		"buses: [{id: line, "+bus+"}]",
		fmt.Sprintf("meters: [{id: grid, driver: modbus, bus: line, unit: %d, map: eastron-sdm630, stale_s: 2}]", unit),
		"stations: {listen: 127.0.0.1:"+stations+", list: [{id: S1, node: root, max_a: 32, fallback_a: 6}]}",
		"csms: {url: ws://127.0.0.1:"+cloud+"/ocpp}",
		"storage: {dir: "+dir+"}",
		"http: {listen: 127.0.0.1:"+web+"}",
		"log: {format: text}")
	s := &site{api: "http://127.0.0.1:" + web + "/api/v1/site", meter: meter()}
	s.meter.Wait(t, "the meter is ready", 0, func(l string) bool { return l == "ready" })
	peer.Start(t, voltyard, "csms", "--listen", "127.0.0.1:"+cloud)
	peer.Start(t, voltyard, "run", "-c", file)
	peer.Start(t, voltyard, "station", "--url", "ws://127.0.0.1:"+stations+"/ocpp", "--id", "S1", "--wh", "50000", "--pause", "1s",
		"--set", "SampledDataCtrlr.TxUpdatedInterval=1")
	return s
}

// view closes the loop: what the station draws flows through the meter.
func (s *site) view(t *testing.T) (station msg.StationView, node msg.NodeView, ok bool) {
	t.Helper()
	resp, err := http.Get(s.api)
	if err != nil {
		return station, node, false
	}
	defer func() { _ = resp.Body.Close() }()
	var v msg.SiteView
	if err := json.NewDecoder(resp.Body).Decode(&v); err != nil || len(v.Stations) == 0 {
		return station, node, false
	}
	station, node = v.Stations[0], v.Nodes[0]
	if s.meter != nil {
		var sum float64
		for i := range 3 {
			a := s.load + float64(station.Current[i])
			s.meter.Say(t, "%d %f", 6+2*i, a)
			s.meter.Say(t, "%d %f", 12+2*i, a*230)
			s.meter.Say(t, "%d 230", 2*i)
			sum += a * 230
		}
		s.meter.Say(t, "52 %f", sum)
	}
	return station, node, true
}

func (s *site) until(t *testing.T, what string, ok func(msg.StationView, msg.NodeView) bool) {
	t.Helper()
	var last string
	defer func() {
		if t.Failed() {
			t.Log("last seen:", last)
		}
	}()
	peer.Poll(t, what, func() bool {
		st, n, is := s.view(t)
		last = fmt.Sprintf("station %+v, node %+v", st, n)
		return is && ok(st, n)
	})
}

// follows checks that the station gets what the building leaves, that a silent meter counts as its worst case, and that it
// is heard again when it is back.
func (s *site) follows(t *testing.T, restart func() *peer.Process) {
	t.Helper()
	s.load = 10
	s.until(t, "all of the station's 32 A beside a small load", func(st msg.StationView, n msg.NodeView) bool {
		return st.Limit == 32 && st.Current[0] > 31 && !n.Stale && n.Current[0] > 41
	})
	s.load = 45
	s.until(t, "what the building leaves", func(st msg.StationView, n msg.NodeView) bool {
		return st.Limit >= 17 && st.Limit <= 18 && n.Current[0] <= 63.3
	})
	s.meter.End(t, syscall.SIGKILL)
	s.meter = nil
	s.until(t, "the worst case while the meter is silent", func(st msg.StationView, n msg.NodeView) bool {
		return n.Stale && st.Limit <= 9
	})
	s.meter = restart()
	s.load = 20
	s.until(t, "the meter is heard again", func(st msg.StationView, n msg.NodeView) bool { return !n.Stale && st.Limit == 32 })
}

func TestMeterOfPymodbus(t *testing.T) {
	py, port := python(t), peer.FreePort(t)
	start := func() *peer.Process { return peer.Start(t, py, filepath.Join("testdata", "meter.py"), "5", port) }
	newSite(t, "tcp: 127.0.0.1:"+port, 5, start).follows(t, start)
}

func TestMeterOfLibmodbusOnASerialLine(t *testing.T) {
	program, ours, theirs := serialMeter(t)
	start := func() *peer.Process { return peer.Start(t, program, theirs, "17") }
	newSite(t, "serial: "+ours+", baud: 19200, parity: none", 17, start).follows(t, start)
}

// The server that our own tests trust is read by a master of somebody else.
func TestMbpollReadsOurServer(t *testing.T) {
	mbpoll := peer.Program(t, "mbpoll", "mbpoll")
	s, u := modbustest.NewServer(), modbustest.NewUnit()
	modbustest.Float(u.Input, 6, 16.25)
	modbustest.Set(u.Holding, 100, 7, 8, 9)
	s.Do(func(units map[byte]*modbustest.Unit) { units[3] = u })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.ServeTCP(c)
		}
	}()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for what, args := range map[string][]string{
		"16.25":                {"-t", "3:float", "-B", "-r", "6", "-c", "1"},
		"7":                    {"-t", "4", "-r", "100", "-c", "3"},
		"Illegal data address": {"-t", "4", "-r", "500", "-c", "1"},
	} {
		all := append([]string{"-m", "tcp", "-p", port, "-a", "3", "-0", "-1"}, append(args, "127.0.0.1")...)
		ctx := t.Context()
		out, _ := exec.CommandContext(ctx, mbpoll, all...).CombinedOutput()
		if !strings.Contains(string(out), what) {
			t.Errorf("mbpoll %v: no %s in\n%s", args, what, out)
		}
	}
	out, err := exec.CommandContext(t.Context(), mbpoll, "-m", "tcp", "-p", port, "-a", "3", "-0", "-t", "4", "-r", "101", "127.0.0.1", "77", "78").CombinedOutput()
	s.Do(func(map[byte]*modbustest.Unit) {
		if err != nil || u.Holding[101] != 77 || u.Holding[102] != 78 {
			t.Errorf("mbpoll writes: %v, %d %d\n%s", err, u.Holding[101], u.Holding[102], out)
		}
	})
}
