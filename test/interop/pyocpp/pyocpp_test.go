package pyocpp

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/voltyard/voltyard/test/interop/peer"
)

var product string

func TestMain(m *testing.M) { peer.Main(m, &product) }

// interpreter is a Python that has the library: the one named, or that of this folder's virtual environment, or the system's.
func interpreter(t *testing.T) string {
	t.Helper()
	local, _ := filepath.Abs(filepath.Join(".venv", "bin", "python"))
	for _, python := range []string{os.Getenv("VOLTYARD_OCPP_PYTHON"), local, "python3"} {
		if python != "" && exec.Command(python, "-c", "import ocpp.v201, ocpp.v16, websockets").Run() == nil {
			return python
		}
	}
	t.Skip("no Python with the packages ocpp and websockets (pip install -r test/interop/pyocpp/requirements.txt); name one in VOLTYARD_OCPP_PYTHON")
	return ""
}

// line is what the scripts print.
type line struct {
	Listening, Connected, Closed, Got, Answer, Refused, Fault, Done, Sent, Cut, Station, Purpose string
	Limit                                                                                        *float64
	Seq, Level, Tx                                                                               int
	Payload                                                                                      json.RawMessage
}

func read(p *peer.Process) (out []line) {
	for _, l := range p.Printed() {
		out = append(out, parse(l))
	}
	return out
}

func parse(s string) (l line) {
	var raw map[string]any
	if json.Unmarshal([]byte(s), &raw) != nil {
		return line{Fault: s}
	}
	if d, ok := raw["done"].(bool); ok && d {
		raw["done"] = "yes"
	}
	again, _ := json.Marshal(raw)
	if err := json.Unmarshal(again, &l); err != nil {
		return line{Fault: s + ": " + err.Error()}
	}
	return l
}

func count(p *peer.Process, is func(line) bool) (n int) {
	for _, l := range read(p) {
		if is(l) {
			n++
		}
	}
	return n
}

func sane(t *testing.T, who string, p *peer.Process) {
	t.Helper()
	for _, l := range read(p) {
		if l.Fault != "" {
			t.Errorf("%s: %s", who, l.Fault)
		}
	}
}

// limit is the last that a station heard, or what it draws without any.
func limit(p *peer.Process) float64 {
	amps := 16.0
	for _, l := range read(p) {
		if l.Limit != nil {
			amps = *l.Limit
		}
	}
	return amps
}

// event is what the CSMS understood of a TransactionEvent.
type event struct {
	EventType string `json:"event_type"`
	SeqNo     int    `json:"seq_no"`
	Offline   bool   `json:"offline"`
}

func events(t *testing.T, csms ...*peer.Process) (out []event) {
	t.Helper()
	for _, p := range csms {
		for _, l := range read(p) {
			if l.Got == "TransactionEvent" && l.Station == "CS-201" {
				var e event
				if err := json.Unmarshal(l.Payload, &e); err != nil {
					t.Fatal(err)
				}
				out = append(out, e)
			}
		}
	}
	return out
}

// Two stations that together want 32 A charge behind a fuse of 20 A, under a CSMS that asks everything and is killed while they do.
func TestCSMSAndStationsOfAnotherHand(t *testing.T) {
	python, dir := interpreter(t), t.TempDir()
	cloud, below, web := peer.FreePort(t), peer.FreePort(t), peer.FreePort(t)
	file := filepath.Join(dir, "site.yaml")
	peer.Write(t, file, "site: {id: yard}",
		"nodes: [{id: root, fuse_a: 63}, {id: row, parent: root, fuse_a: 20}]",
		"evses: [{id: a1, node: root, type: ac, max_a: 32, hal: sim, auth: remote, station: OWN-1}]",
		"stations: {listen: 127.0.0.1:"+below+", list: [{id: CS-201, node: row, max_a: 16}, {id: CS-16, node: row, max_a: 16}]}",
		"csms: {url: ws://127.0.0.1:"+cloud+"/ocpp, identity: LC-1}",
		"storage: {dir: "+dir+"}",
		"http: {listen: 127.0.0.1:"+web+"}",
		"log: {format: text}")
	newCSMS := func() *peer.Process {
		p := peer.Start(t, python, filepath.Join("testdata", "csms.py"), cloud)
		peer.Poll(t, "the CSMS listens", func() bool { return count(p, func(l line) bool { return l.Listening != "" }) > 0 })
		return p
	}
	first := newCSMS()
	peer.Start(t, product, "run", "-c", file)
	newStation := func(id, version string) *peer.Process {
		return peer.Start(t, python, filepath.Join("testdata", "station.py"), "ws://127.0.0.1:"+below+"/ocpp", id, version)
	}
	s201, s16 := newStation("CS-201", "201"), newStation("CS-16", "16")

	for name, s := range map[string]*peer.Process{"2.0.1": s201, "1.6": s16} {
		peer.Poll(t, "the station of "+name+" charges", func() bool { return count(s, func(l line) bool { return l.Sent == "Updated" }) > 2 })
	}
	peer.Poll(t, "the fuse is shared", func() bool { sum := limit(s201) + limit(s16); return sum > 18 && sum <= 20 })

	first.Say(t, "ask")
	peer.Poll(t, "all stations have answered all questions", func() bool { return count(first, func(l line) bool { return l.Done != "" }) == 3 })
	first.Say(t, "limit16")
	peer.Poll(t, "the CSMS's own limit for the station of 1.6 holds, and the other gets what is left", func() bool {
		return limit(s16) == 7 && limit(s201) >= 11 && limit(s201) <= 13
	})

	// The cloud is gone. The station of 2.0.1 is served; that of 1.6 is closed, for only the CSMS can number its transactions.
	first.End(t, syscall.SIGKILL)
	peer.Poll(t, "the station of 1.6 is closed", func() bool { return count(s16, func(l line) bool { return l.Cut != "" }) > 0 })
	served := count(s201, func(l line) bool { return l.Sent != "" })
	peer.Poll(t, "the station of 2.0.1 is served without a cloud", func() bool { return count(s201, func(l line) bool { return l.Sent != "" }) > served+5 })
	second := newCSMS()
	peer.Poll(t, "the station of 1.6 is back", func() bool {
		return count(second, func(l line) bool { return l.Got == "MeterValues" && l.Station == "CS-16" }) > 0
	})
	s201.Say(t, "end")
	s16.Say(t, "end")
	peer.Poll(t, "both transactions have ended", func() bool {
		return count(second, func(l line) bool { return l.Got == "StopTransaction" }) == 1 &&
			slices.ContainsFunc(events(t, second), func(e event) bool { return e.EventType == "Ended" })
	})

	next, offline := 0, 0
	for _, e := range events(t, first, second) {
		if e.SeqNo > next {
			t.Errorf("event %d came after %d", e.SeqNo, next-1)
		}
		next = max(next, e.SeqNo+1)
		if e.Offline {
			offline++
		}
	}
	if sent := count(s201, func(l line) bool { return l.Sent != "" }); next != sent {
		t.Errorf("the CSMS has %d events, the station sent %d", next, sent)
	}
	if offline == 0 {
		t.Error("no event is marked offline")
	}
	for who, p := range map[string]*peer.Process{"CSMS": first, "CSMS again": second, "station of 2.0.1": s201, "station of 1.6": s16} {
		sane(t, who, p)
	}
	t.Logf("%d requests taken, %d answered, %d refused as not supported; %d events, %d of them offline", count(first, func(l line) bool { return l.Got != "" }),
		count(first, func(l line) bool { return l.Answer != "" }), count(first, func(l line) bool { return l.Refused != "" }), next, offline)
}
