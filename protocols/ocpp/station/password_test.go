package station

import (
	"errors"
	"strings"
	"testing"
	"time"
)

const onePassword, otherPassword = "0123456789abcdefONE", "0123456789abcdefTWO"

// A new password counts when it is stored, not before and not when that fails (A01.FR.03, FR.04); it shows in no log (A01.FR.12).
func TestAPasswordThatCannotBeStored(t *testing.T) {
	w := newWorld(t, nil)
	w.do(Connected{})
	for text, want := range map[string]string{"short": "Rejected", strings.Repeat("x", 41): "Rejected", "0123456789abcdef ": "Rejected", "0123456789abcdefä": "Rejected",
		"0123456789abcdef\n": "Rejected", onePassword: "Accepted"} {
		if got := w.put("SecurityCtrlr", "BasicAuthPassword", text); !strings.Contains(got, `"attributeStatus":"`+want) {
			t.Errorf("%q: %s", text, got)
		}
	}
	w.do(Connected{})
	w.noCommit = true
	if w.put("SecurityCtrlr", "BasicAuthPassword", otherPassword); len(w.saves) != 1 {
		t.Fatal("nothing is stored")
	}
	w.results = map[string]string{}
	w.do(Stored{Token: w.saves[0].Token, Err: errors.New("full")})
	w.noCommit = false
	for _, s := range w.saves[1:] {
		w.commit(s)
	}
	for _, got := range w.results {
		if !strings.Contains(got, `"attributeStatus":"Rejected"`) {
			t.Error(got)
		}
	}
	w.wait(time.Minute)
	if p, n := last[Password](w); n != 1 || p.New != onePassword || w.s.Password() != onePassword || len(w.results) != 1 {
		t.Errorf("%d, %q, %q", n, p.New, w.s.Password())
	}
	w.start()
	w.do(Connected{})
	if w.s.Password() != onePassword {
		t.Errorf("after a restart %q", w.s.Password())
	}
	for _, r := range w.s.SecurityLog(time.Time{}, time.Time{}) {
		if strings.Contains(r.Info, "abcdef") {
			t.Errorf("%+v", r)
		}
	}
	for _, e := range w.effects {
		if n, ok := e.(Note); ok && strings.Contains(n.What, "abcdef") {
			t.Errorf("%+v", n)
		}
	}
}

// A CSMS that has not taken its own new password, because the answer never came, is reached with the one before; one that has, with the
// new one, and the old one is forgotten.
func TestThePasswordBefore(t *testing.T) {
	for _, taken := range []bool{true, false} {
		w := newWorld(t, nil)
		w.do(Connected{})
		w.put("SecurityCtrlr", "BasicAuthPassword", onePassword)
		w.do(Disconnected{})
		w.do(Connected{})
		w.put("SecurityCtrlr", "BasicAuthPassword", otherPassword)
		w.do(Disconnected{})
		w.start()
		w.do(Tick{})
		want := otherPassword
		if got := w.s.Password(); got != want {
			t.Errorf("first %q", got)
		}
		if !taken {
			w.do(DialFailed{Event: ""})
			w.do(DialFailed{Event: "FailedToAuthenticateAtCsms"})
			want = onePassword
			if p, _ := last[Password](w); p.New != want {
				t.Errorf("then %q", p.New)
			}
		}
		w.do(Connected{})
		w.do(Disconnected{})
		w.effects = nil
		w.do(DialFailed{Event: "FailedToAuthenticateAtCsms"})
		if _, n := last[Password](w); n != 0 || w.s.Password() != want {
			t.Errorf("taken %v: %d more attempts with another, %q", taken, n, w.s.Password())
		}
		w.start()
		if w.s.Password() != want || w.disk[keyBefore] != nil {
			t.Errorf("taken %v: after a restart %q", taken, w.s.Password())
		}
	}
}
