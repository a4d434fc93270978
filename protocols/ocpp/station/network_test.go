package station

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestCSMSAddresses(t *testing.T) {
	for text, want := range map[string][2]bool{
		"ws://csms/ocpp": {false, true}, "wss://csms.example:8443": {true, true}, "WSS://[::1]:8443/a/b": {true, true}, "ws://[::1]": {false, true},
		"": {}, "csms": {}, "http://csms": {}, "wss://": {true, false}, "wss:///ocpp": {true, false}, "ws://:80": {}, "ws://csms:0": {}, "ws://csms:x": {},
		"ws://user@csms": {}, "ws://csms/?a=b": {}, "ws://csms/#a": {}, "ws://a b": {}, "ws://csms:99999": {}, "ws://::1/": {}, "ws://[]": {}, "ws://a\n": {},
	} {
		secure, good := csmsURL(text)
		if secure != want[0] || good != want[1] {
			t.Errorf("%q: secure %v, good %v", text, secure, good)
		}
	}
}

func FuzzCSMSAddress(f *testing.F) {
	f.Add("wss://csms.example:8443/ocpp")
	f.Add("ws://[::1]")
	f.Fuzz(func(t *testing.T, text string) {
		secure, good := csmsURL(text)
		if !good {
			return
		}
		u, err := url.Parse(text)
		if err != nil || u.Hostname() == "" || u.User != nil || (strings.ToLower(u.Scheme) == "wss") != secure {
			t.Errorf("%q is good: %v %v", text, u, err)
		}
	})
}

// How long to wait before an attempt to connect is told at the start and when the CSMS sets it, and outlasts a restart (part 4, 5.3).
func TestTheWaitBetweenAttempts(t *testing.T) {
	const c = "OCPPCommCtrlr"
	w := newWorld(t, nil)
	w.do(Connected{})
	if r, n := last[Retry](w); n != 1 || r != (Retry{5, time.Second, 2 * time.Second}) {
		t.Errorf("%d, %+v", n, r)
	}
	for _, x := range [][3]string{{"RetryBackOffRepeatTimes", "3", "Accepted"}, {"RetryBackOffWaitMinimum", "20", "Accepted"}, {"RetryBackOffRandomRange", "0", "Accepted"},
		{"RetryBackOffWaitMinimum", "0", "Rejected"}, {"RetryBackOffRepeatTimes", "-1", "Rejected"}} {
		if got := w.put(c, x[0], x[1]); !strings.Contains(got, `"attributeStatus":"`+x[2]) {
			t.Errorf("%s %s: %s", x[0], x[1], got)
		}
	}
	want := Retry{3, 20 * time.Second, 0}
	if r, n := last[Retry](w); n != 4 || r != want {
		t.Errorf("%d, %+v", n, r)
	}
	w.start()
	w.do(Tick{})
	if r, n := last[Retry](w); n != 5 || r != want {
		t.Errorf("after a restart %d, %+v", n, r)
	}
	if v, m := w.get(c, "RetryBackOffWaitMinimum"); v != "20" || m != "rw" {
		t.Errorf("%s, %s", v, m)
	}
}
