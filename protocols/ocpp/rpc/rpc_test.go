package rpc

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

var t0 = time.Unix(1700000000, 0)

func text(effects []Effect) string {
	var b strings.Builder
	for _, e := range effects {
		switch e := e.(type) {
		case Write:
			fmt.Fprintf(&b, "write %s\n", e.Raw)
		case Deadline:
			if e.At.IsZero() {
				b.WriteString("no deadline\n")
			} else {
				fmt.Fprintf(&b, "deadline %v\n", e.At.Sub(t0))
			}
		case Incoming:
			fmt.Fprintf(&b, "incoming %s %s %s\n", e.ID, e.Action, e.Payload)
		case Done:
			fmt.Fprintf(&b, "done %d %s\n", e.Key, e.Payload)
		case Refused:
			fmt.Fprintf(&b, "refused %d %s\n", e.Key, e.Code)
		case Lost:
			fmt.Fprintf(&b, "lost %d %s\n", e.Key, e.Why)
		case Fault:
			fmt.Fprintf(&b, "fault %s\n", e.What)
		default:
			fmt.Fprintf(&b, "%T\n", e)
		}
	}
	return b.String()
}

func want(t *testing.T, got []Effect, lines ...string) {
	t.Helper()
	w := strings.Join(lines, "\n")
	if len(lines) > 0 {
		w += "\n"
	}
	if g := text(got); g != w {
		t.Fatalf("got\n%swant\n%s", g, w)
	}
}

func TestOneCallAtATimeAndUrgentFirst(t *testing.T) {
	e := New(Config{Version: V201})
	call := func(key uint64, first bool) []Effect {
		return e.Step(t0, Request{Key: key, ID: fmt.Sprint("m", key), Action: "A", Payload: []byte(`{}`), First: first}, nil)
	}
	want(t, call(1, false), `write [2,"m1","A",{}]`, "deadline 30s")
	want(t, call(2, false))
	want(t, call(3, true))
	want(t, call(4, true))
	want(t, e.Step(t0, Request{Key: 5, ID: "m5", Action: "B", Payload: []byte(`{}`), First: true, Replaces: 4}, nil), "lost 4 superseded")
	want(t, e.Step(t0, Received{[]byte(`[3,"m1",{"a":1}]`)}, nil), `done 1 {"a":1}`, "no deadline", `write [2,"m3","A",{}]`, "deadline 30s")
	want(t, e.Step(t0, Received{[]byte(`[3,"m1",{}]`)}, nil), `fault answer without a call: "m1"`)
	want(t, e.Step(t0, Received{[]byte(`[4,"m3","OccurenceConstraintViolation","",{}]`)}, nil),
		"refused 3 OccurrenceConstraintViolation", "no deadline", `write [2,"m5","B",{}]`, "deadline 30s")
	want(t, e.Step(t0.Add(29*time.Second), Tick{}, nil))
	want(t, e.Step(t0.Add(30*time.Second), Tick{}, nil), "lost 5 timed out", `write [2,"m2","A",{}]`, "deadline 1m0s")
	want(t, call(6, false))
	want(t, e.Step(t0, Closed{}, nil), "lost 2 connection closed", "lost 6 not sent", "no deadline")
}

func TestPeersCallsAreServedAndBounded(t *testing.T) {
	e := New(Config{Version: V16, MaxOpen: 2})
	in := func(raw string) []Effect { return e.Step(t0, Received{[]byte(raw)}, nil) }
	want(t, in(`[2,"a","Heartbeat",{}]`), "incoming a Heartbeat {}")
	want(t, in(`[2,"a","Heartbeat",{}]`), `fault message id used twice: "a"`, `write [4,"a","FormationViolation","this message id is in use",{}]`)
	want(t, in(`[2,"b","X",{}]`), "incoming b X {}")
	want(t, in(`[2,"c","X",{}]`), "fault too many calls at once", `write [4,"c","FormationViolation","wait for the answer to the previous call",{}]`)
	want(t, e.Step(t0, Answer{"a", []byte(`{}`)}, nil), `write [3,"a",{}]`)
	want(t, e.Step(t0, Answer{"a", []byte(`{}`)}, nil))
	want(t, e.Step(t0, Reject{"b", OccurrenceConstraintViolation, "x"}, nil), `write [4,"b","OccurenceConstraintViolation","x",{}]`)
}

func TestWhatIsNoFrame(t *testing.T) {
	long := strings.Repeat("x", 37)
	for raw, want := range map[string]string{
		``:                             `-1`,
		`{}`:                           `-1`,
		`[]`:                           `-1`,
		`[2]`:                          `-1`,
		`["2","a","B",{}]`:             `-1`,
		`[2,5,"B",{}]`:                 `-1`,
		`[2,"` + long + `","B",{}]`:    `-1`,
		`[2,"a","B"]`:                  `a`,
		`[2,"a",7,{}]`:                 `a`,
		`[2,"a","B",{},1]`:             `a`,
		`[2,"a","B",{}] x`:             `-1`,
		`[3,"a"]`:                      ``,
		`[4,"a"]`:                      ``,
		`[9,"a",{}]`:                   ``,
		`[3,"` + long + `",{}]`:        ``,
		strings.Repeat("[", 1<<16):     `-1`,
		`[2,"a","B",{},2,3,4,5,6,7,8]`: `-1`,
	} {
		_, err := Parse([]byte(raw))
		var fe *FrameError
		if !errors.As(err, &fe) {
			t.Errorf("%.40q was accepted", raw)
			continue
		}
		if fe.Reply != (want != "") || fe.ReplyID != want && fe.Reply {
			t.Errorf("%.40q: %+v, want the answer under %q", raw, fe, want)
		}
	}
	f, err := Parse([]byte(` [ 4 , "a" , "FormationViolation" ] `))
	if err != nil || f.Code != FormatViolation {
		t.Errorf("short CALLERROR: %+v, %v", f, err)
	}
	if f, err := Parse([]byte(`[2,"` + strings.Repeat("é", 36) + `","B",{}]`)); err != nil || f.Action != "B" {
		t.Errorf("36 characters are allowed: %v", err)
	}
}

func TestVersion21(t *testing.T) {
	e := New(Config{Version: V21})
	want(t, e.Step(t0, Received{[]byte(`[6,"a","NotifyPeriodicEventStream",{}]`)}, nil), "rpc.IncomingSend")
	want(t, e.Step(t0, Received{[]byte(`[5,"a","FormatViolation","",{}]`)}, nil), "rpc.ResultRefused")
	want(t, e.Step(t0, BadResult{"q", FormatViolation, "no"}, nil), `write [5,"q","FormatViolation","no",{}]`)
	want(t, e.Step(t0, Notify{"n", "X", []byte(`{}`)}, nil), `write [6,"n","X",{}]`)
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`[2,"a","B",{"x":[1,2,{"y":null}]}]`))
	f.Add([]byte(`[4,"a","GenericError","d",{}]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		fr, err := Parse(raw)
		if err != nil {
			return
		}
		var again []byte
		switch fr.Type {
		case Call:
			again = AppendCall(nil, fr.ID, fr.Action, fr.Payload)
		case Send:
			again = AppendSend(nil, fr.ID, fr.Action, fr.Payload)
		case CallResult:
			again = AppendResult(nil, fr.ID, fr.Payload)
		default:
			return
		}
		back, err := Parse(again)
		if err != nil || back.ID != fr.ID || back.Action != fr.Action || !bytes.Equal(back.Payload, fr.Payload) {
			t.Fatalf("%q became %q: %v", raw, again, err)
		}
	})
}
