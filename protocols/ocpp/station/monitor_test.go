package station

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// told are the events that the CSMS got, by the code of their fault, and how many came with each request.
func (w *world) told() (codes []string, parts []int) {
	for _, q := range w.requests {
		if n, ok := q.(*v201.NotifyEventRequest); ok {
			parts = append(parts, len(n.EventData))
			for _, d := range n.EventData {
				if d.TechCode != "" {
					codes = append(codes, d.TechCode)
				}
			}
		}
	}
	return codes, parts
}

func (w *world) held() (n int) {
	for key := range w.disk {
		if strings.HasPrefix(key, keyEvent) {
			n++
		}
	}
	return n
}

func (w *world) faults(from, to int) (codes []string) {
	for i := from; i <= to; i++ {
		w.now = w.now.Add(time.Second)
		w.do(Fault{EVSE: 1, Code: "F" + itoa(i)})
		codes = append(codes, "F"+itoa(i))
	}
	return codes
}

// What waits offline reaches the CSMS after a restart, in order and once it has answered not again (N07.FR.04).
func TestEventsWaitOverARestart(t *testing.T) {
	w := newWorld(t, nil)
	want := w.faults(1, 25)
	if w.held() != 25 {
		t.Fatalf("%d events are on disk", w.held())
	}
	w.start()
	want = append(want, w.faults(26, 30)...)
	w.do(Connected{})
	want = append(want, w.faults(31, 31)...)
	codes, parts := w.told()
	if !slices.Equal(codes, want) || !slices.Equal(parts, []int{20, 10, 1}) {
		t.Errorf("the CSMS hears of %q in %d", codes, parts)
	}
	if w.held() != 0 {
		t.Errorf("%d events are left on disk", w.held())
	}
	w.start()
	w.requests = nil
	w.do(Connected{})
	if codes, _ := w.told(); len(codes) > 0 {
		t.Errorf("again: %q", codes)
	}
}

// An event that was sent and not answered is sent again, and what comes meanwhile goes behind it.
func TestEventsThatWereNotAnsweredAreSentAgain(t *testing.T) {
	w := newWorld(t, nil)
	want := w.faults(1, 3)
	w.do(Connected{})
	w.do(Disconnected{})
	w.requests = nil
	want = append(want[:0], w.faults(4, 5)...)
	w.mute = true // the connection is there, and nobody answers
	w.do(Connected{})
	want = append(want, w.faults(6, 6)...)
	if codes, _ := w.told(); !slices.Equal(codes, want[:2]) {
		t.Fatalf("before there is an answer: %q", codes)
	}
	w.do(Disconnected{})
	w.requests, w.mute = nil, false
	w.do(Connected{})
	if codes, _ := w.told(); !slices.Equal(codes, want) || w.held() != 0 {
		t.Errorf("the CSMS hears of %q, %d are left", codes, w.held())
	}
}

// Few enough wait, the newest of them, and none that is not grave enough.
func TestFewEventsWait(t *testing.T) {
	w := newWorld(t, nil)
	w.faults(1, mostQueued+7)
	if w.held() != mostQueued {
		t.Errorf("%d events are on disk", w.held())
	}
	w.start()
	w.do(Connected{})
	if codes, _ := w.told(); len(codes) != mostQueued || codes[0] != "F8" {
		t.Errorf("%d events, from %s on", len(codes), codes[0])
	}
	w = newWorld(t, func(c *Config) {
		c.Variables = map[string]string{"MonitoringCtrlr.OfflineQueuingSeverity": itoa(severityFault - 1)}
	})
	w.faults(1, 3)
	if w.held() != 0 {
		t.Errorf("%d events wait that nobody wants", w.held())
	}
}

// When too many wait the least grave goes, of several the oldest, also after a restart.
func TestTheGravestEventsStay(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Variables = map[string]string{"MonitoringCtrlr.OfflineQueuingSeverity": "9"} })
	w.do(Connected{})
	if got := w.ask(&v201.SetVariableMonitoringRequest{SetMonitoringData: []v201.SetMonitoringData{{Type: v201.MonitorPeriodic, Value: 1, Severity: 8,
		Component: v201.Component{Name: "EVSE", Evse: &v201.EVSE{Id: 1}}, Variable: v201.Variable{Name: "AvailabilityState"}}}}); !strings.Contains(got, "Accepted") {
		t.Fatal(got)
	}
	w.do(Disconnected{})
	w.faults(1, 3)
	w.wait(time.Duration(mostQueued+5) * time.Second)
	w.start()
	grave := w.faults(4, 6)
	w.wait(5 * time.Second)
	w.requests = nil
	w.do(Connected{})
	codes, parts := w.told()
	var faults []string
	for _, c := range codes {
		if c != "" {
			faults = append(faults, c)
		}
	}
	n := 0
	for _, p := range parts {
		n += p
	}
	if want := append([]string{"F1", "F2", "F3"}, grave...); !slices.Equal(faults, want) || n != mostQueued {
		t.Errorf("%q of %d", faults, n)
	}
}

// What a change is compared with outlasts a restart (N07.FR.18): nothing is told twice.
func TestDeltasOutlastARestart(t *testing.T) {
	w := newWorld(t, twoAC)
	w.do(Connected{})
	w.ask(&v201.SetVariableMonitoringRequest{SetMonitoringData: []v201.SetMonitoringData{{Type: v201.MonitorDelta, Value: 1, Severity: 3,
		Component: v201.Component{Name: "AuthCtrlr"}, Variable: v201.Variable{Name: "LocalPreAuthorize"}}}})
	told := func() (n int) {
		for _, q := range w.requests {
			if e, ok := q.(*v201.NotifyEventRequest); ok && e.EventData[0].Trigger == v201.EventTriggerDelta {
				n++
			}
		}
		return n
	}
	w.put("AuthCtrlr", "LocalPreAuthorize", "true")
	if told() != 1 {
		t.Fatalf("told %d times", told())
	}
	w.start()
	w.do(Connected{})
	w.wait(time.Minute)
	if told() != 1 {
		t.Errorf("told %d times", told())
	}
}

// threshold sets a monitor on a number that can be set, and returns its id.
func (w *world) threshold(id *int, kind v201.MonitorEnum, value float64, severity int) int {
	w.t.Helper()
	got := w.ask(&v201.SetVariableMonitoringRequest{SetMonitoringData: []v201.SetMonitoringData{{Id: id, Type: kind, Value: value, Severity: severity,
		Component: v201.Component{Name: "OCPPCommCtrlr"}, Variable: v201.Variable{Name: "OfflineThreshold"}}}})
	var r v201.SetVariableMonitoringResponse
	if err := r.UnmarshalJSON([]byte(got)); err != nil || r.SetMonitoringResult[0].Status != v201.SetMonitoringStatusAccepted {
		w.t.Fatal(got, err)
	}
	return *r.SetMonitoringResult[0].Id
}

// noticed are the events of monitors since the last call, as trigger, value and whether it is over.
func (w *world) noticed() string {
	var out []string
	for _, q := range w.requests {
		n, ok := q.(*v201.NotifyEventRequest)
		if !ok {
			continue
		}
		for _, d := range n.EventData {
			line := string(d.Trigger) + " " + d.ActualValue
			if d.Cleared != nil && *d.Cleared {
				line += " cleared"
			}
			out = append(out, line)
		}
	}
	w.requests = nil
	return strings.Join(out, ", ")
}

// A threshold is told when it is passed, not when it is reached, and when the value is back (N07.FR.02, FR.16, FR.17), also after a
// restart (N07.FR.14) and when it is moved (N07.FR.11), but not when it is removed (N07.FR.12).
func TestThresholds(t *testing.T) {
	w := newWorld(t, nil)
	w.do(Connected{})
	expect := func(what, want string) {
		t.Helper()
		if got := w.noticed(); got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	put := func(v string) { w.put("OCPPCommCtrlr", "OfflineThreshold", v) }
	put("100")
	upper := w.threshold(nil, v201.MonitorUpperThreshold, 200, 4)
	lower := w.threshold(nil, v201.MonitorLowerThreshold, 50, 4)
	put("200")
	expect("reached", "")
	put("201")
	expect("passed", "Alerting 201")
	put("300")
	expect("still", "")
	put("200")
	expect("back", "Alerting 200 cleared")
	put("50")
	expect("the lower one reached", "")
	put("49")
	expect("the lower one passed", "Alerting 49")
	put("50")
	expect("the lower one back", "Alerting 50 cleared")
	put("300")
	expect("passed again", "Alerting 300")
	w.start()
	w.do(Connected{})
	expect("after a restart it is known", "")
	put("100")
	expect("back after the restart", "Alerting 100 cleared")
	put("300")
	expect("once more", "Alerting 300")
	w.threshold(&upper, v201.MonitorUpperThreshold, 400, 4)
	w.wait(time.Second)
	w.do(Tick{})
	expect("moved above", "Alerting 300 cleared")
	w.threshold(&upper, v201.MonitorUpperThreshold, 250, 4)
	w.do(Tick{})
	expect("moved below", "Alerting 300")
	w.ask(&v201.ClearVariableMonitoringRequest{Id: []int{upper, lower}})
	put("100")
	w.do(Tick{})
	expect("removed", "")
}

// A periodic event comes when its time has passed since it was set or told last (N08.FR.06), one by the clock at whole intervals of
// the day (N08.FR.07), and both wait for a CSMS that is away only when they are grave enough (N08.FR.03).
func TestPeriodicEvents(t *testing.T) {
	w := newWorld(t, nil)
	w.do(Connected{})
	w.wait(100 * time.Second) // 10:01:40
	w.threshold(nil, v201.MonitorPeriodic, 300, 3)
	w.threshold(nil, v201.MonitorPeriodicClockAligned, 900, 9)
	count := func(want int) {
		t.Helper()
		n := 0
		for _, q := range w.requests {
			if e, ok := q.(*v201.NotifyEventRequest); ok {
				for _, d := range e.EventData {
					if d.Trigger == v201.EventTriggerPeriodic {
						n++
					}
				}
			}
		}
		if w.requests = nil; n != want {
			t.Errorf("%v: %d events, not %d", w.now, n, want)
		}
	}
	w.wait(299 * time.Second)
	count(0)
	w.wait(time.Second) // 10:06:40
	count(1)
	w.wait(500 * time.Second) // 10:15:00
	count(2)                  // 10:11:40, and by the clock
	w.do(Disconnected{})
	w.wait(15 * time.Minute) // 10:30:00
	w.do(Connected{})
	count(3) // 10:16:40, 10:21:40, 10:26:40; by the clock is not grave enough
}
