package mosquitto

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// ack is the answer to a limit, as the documentation of the interface has it.
type ack struct {
	ID        string     `json:"id"`
	Accepted  bool       `json:"accepted"`
	Code      string     `json:"code"`
	Text      string     `json:"text"`
	AppliedAt *time.Time `json:"applied_at"`
	ReachedAt *time.Time `json:"reached_at"`
}

// acknowledged waits for an answer to a limit for which ok holds.
func (w *watcher) acknowledged(t *testing.T, source, id string, ok func(ack) bool) ack {
	t.Helper()
	var a ack
	w.next(t, "limit/"+source+"/ack", "answer about "+id, func(m message) bool {
		if m.retained {
			t.Errorf("an answer is retained: %v", m)
		}
		a = ack{}
		if err := json.Unmarshal([]byte(m.payload), &a); err != nil {
			t.Errorf("answer %s: %v", m.payload, err)
		}
		return a.ID == id && ok(a)
	})
	return a
}

// taken waits for both answers to a limit that is accepted.
func (w *watcher) taken(t *testing.T, source, id string) {
	t.Helper()
	first := w.acknowledged(t, source, id, func(ack) bool { return true })
	if !first.Accepted || first.Code != "accepted" || first.AppliedAt == nil || first.ReachedAt != nil {
		t.Fatalf("first answer: %+v", first)
	}
	second := w.acknowledged(t, source, id, func(a ack) bool { return a.ReachedAt != nil })
	if !second.Accepted || second.AppliedAt == nil || second.ReachedAt.Before(*second.AppliedAt) {
		t.Fatalf("second answer: %+v", second)
	}
}

// refused waits for the one answer to a limit that is not accepted.
func (w *watcher) refused(t *testing.T, source, id, code string) {
	t.Helper()
	a := w.acknowledged(t, source, id, func(ack) bool { return true })
	if a.Accepted || a.Code != code || a.Text == "" || a.AppliedAt != nil || a.ReachedAt != nil {
		t.Errorf("answer to %s: %+v, want the code %s", id, a, code)
	}
}

// set is a statement about a limit, made at some time.
func set(id string, at time.Time, rest string) string {
	return fmt.Sprintf(`{"id":%q,"ts":%q,%s}`, id, at.UTC().Format(time.RFC3339Nano), rest)
}

// ready waits until voltyard says that it is there and publishes its picture.
func (w *watcher) ready(t *testing.T) {
	t.Helper()
	w.value(t, "$state", "ready")
	w.next(t, "limit/active", "any value", func(message) bool { return true })
}

// active waits until the list of limits holds a text.
func (w *watcher) active(t *testing.T, text string) {
	t.Helper()
	w.next(t, "limit/active", text, func(m message) bool { return strings.Contains(m.payload, text) })
}

func TestSiteShowsItself(t *testing.T) {
	b := startBroker(t, "allow_anonymous true")
	w := b.watch(t)
	site := runSite(t, siteFile(t, `{url: "tcp://127.0.0.1:`+b.port+`"}`))
	w.ready(t)

	// Once a second, counted, and not retained.
	var last struct {
		TS  time.Time `json:"ts"`
		Seq uint64    `json:"seq"`
	}
	for n := range 5 {
		m := w.next(t, "heartbeat", "another one", func(message) bool { return true })
		before := last
		if err := json.Unmarshal([]byte(m.payload), &last); err != nil || m.retained {
			t.Fatalf("heartbeat %+v: %v", m, err)
		}
		if pause := last.TS.Sub(before.TS); n > 0 && (last.Seq != before.Seq+1 || pause < 500*time.Millisecond || pause > 2*time.Second) {
			t.Errorf("heartbeat %d came %v after heartbeat %d", last.Seq, pause, before.Seq)
		}
	}

	kept := b.kept(t)
	var about struct {
		Site     string   `json:"site"`
		Nodes    []string `json:"nodes"`
		EVSEs    []string `json:"evses"`
		Stations []string `json:"stations"`
	}
	if err := json.Unmarshal([]byte(kept["$description"]), &about); err != nil {
		t.Errorf("$description %q: %v", kept["$description"], err)
	}
	if about.Site != siteID || !slices.Equal(about.Nodes, []string{"root", "row"}) || !slices.Equal(about.EVSEs, []string{"a1", "d1"}) || about.Stations == nil {
		t.Errorf("$description %s", kept["$description"])
	}
	for topic, want := range map[string]string{
		"$state": "ready", "limit/active": "[]",
		"node/root/limit_power": "40000", "node/root/power": "0", "node/root/limit_current/l1": "63", "node/row/limit_current/l3": "32",
		"evse/a1/power": "0", "evse/a1/current/l2": "0", "evse/a1/status": "available", "evse/d1/status": "available", "evse/d1/energy_session": "0",
	} {
		if got, ok := kept[topic]; !ok || got != want {
			t.Errorf("%s is %q (%v), want %q", topic, got, ok, want)
		}
	}

	site.End(t, syscall.SIGTERM)
	w.value(t, "$state", "disconnected")
}

func TestLimits(t *testing.T) {
	b := startBroker(t, "allow_anonymous true")
	w := b.watch(t)
	const topic = "limit/bems/set"
	// One that lies at the broker from long ago is refused when the site comes to it.
	b.mustPublish(t, topic, set("old", time.Now(), `"import_w":1`), "-r")
	runSite(t, siteFile(t, `{url: "tcp://127.0.0.1:`+b.port+`"}`))
	w.refused(t, "bems", "old", "retained")
	b.mustPublish(t, topic, "", "-r")
	w.value(t, "node/root/limit_power", "40000")

	b.mustPublish(t, topic, set("peak", time.Now(), `"import_w":5000,"valid_s":60`))
	w.taken(t, "bems", "peak")
	w.value(t, "node/root/limit_power", "5000")
	w.value(t, "node/root/limited_by", "bems")
	w.active(t, `"peak"`)

	// What is refused changes nothing.
	now := time.Now()
	b.mustPublish(t, topic, set("late", now.Add(-time.Hour), `"import_w":4000,"valid_s":60`))
	w.refused(t, "bems", "late", "expired")
	b.mustPublish(t, topic, set("early", now.Add(time.Hour), `"import_w":4000,"valid_s":60`))
	w.refused(t, "bems", "early", "from_future")
	b.mustPublish(t, topic, set("peak", now.Add(-time.Minute), `"import_w":4000,"valid_s":600`))
	w.refused(t, "bems", "peak", "out_of_order")
	b.mustPublish(t, topic, set("minus", now, `"import_w":-1,"valid_s":60`))
	w.refused(t, "bems", "minus", "negative")
	b.mustPublish(t, topic, set("nothing", now, `"valid_s":60`))
	w.refused(t, "bems", "nothing", "no_value")
	b.mustPublish(t, topic, set("where", now, `"node":"attic","import_w":4000`))
	w.refused(t, "bems", "where", "unknown_node")
	b.mustPublish(t, topic, `{"id":"broken","import_w":`)
	w.refused(t, "bems", "", "malformed")
	b.mustPublish(t, topic, set("typo", now, `"import_kw":4`))
	w.refused(t, "bems", "typo", "malformed")
	b.mustPublish(t, topic, set("absent", now, `"release":true`))
	w.refused(t, "bems", "absent", "not_found")
	b.mustPublish(t, "limit/stranger/set", set("who", now, `"import_w":4000`))
	w.refused(t, "stranger", "who", "unknown_source")
	if got := b.kept(t)["node/root/limit_power"]; got != "5000" {
		t.Errorf("after refusals the limit is %s", got)
	}

	// 0 W is a limit, and the stricter of two sources holds.
	b.mustPublish(t, "limit/dso/set", set("stop", time.Now(), `"import_w":0,"valid_s":60`))
	w.taken(t, "dso", "stop")
	w.value(t, "node/root/limit_power", "0")
	w.value(t, "node/root/limited_by", "dso")
	if got := b.kept(t)["node/root/limit_power"]; got != "0" {
		t.Errorf("a limit of 0 W is kept as %q", got)
	}
	b.mustPublish(t, "limit/dso/set", set("stop", time.Now(), `"release":true`))
	w.taken(t, "dso", "stop")
	w.value(t, "node/root/limit_power", "5000")
	b.mustPublish(t, topic, set("peak", time.Now(), `"release":true`))
	w.taken(t, "bems", "peak")
	w.value(t, "node/root/limit_power", "40000")
	w.value(t, "limit/active", "[]")

	// What has run out is gone without a word.
	b.mustPublish(t, topic, set("short", time.Now(), `"import_w":7000,"valid_s":2`))
	w.taken(t, "bems", "short")
	w.value(t, "node/root/limit_power", "7000")
	w.value(t, "node/root/limit_power", "40000")
}

func TestKilledSiteLeavesItsWill(t *testing.T) {
	b := startBroker(t, "allow_anonymous true")
	w := b.watch(t)
	file := siteFile(t, `{url: "tcp://127.0.0.1:`+b.port+`"}`)
	site := runSite(t, file)
	w.ready(t)
	// Who is already subscribed is not told by MQTT 3.1.1 that a message is to be retained: it is a limit like any other.
	// When the site comes back and finds it at the broker, it may be old, and is refused.
	b.mustPublish(t, "limit/bems/set", set("stays", time.Now(), `"import_w":5000`), "-r")
	w.taken(t, "bems", "stays")

	site.End(t, syscall.SIGKILL)
	w.value(t, "$state", "lost")
	if m := b.watch(t).value(t, "$state", "lost"); !m.retained {
		t.Error("the will is not retained")
	}
	runSite(t, file)
	w.refused(t, "bems", "stays", "retained")
	w.ready(t)
}

func TestSiteComesBackToRestartedBroker(t *testing.T) {
	b := startBroker(t, "allow_anonymous true")
	w := b.watch(t)
	runSite(t, siteFile(t, `{url: "tcp://127.0.0.1:`+b.port+`"}`))
	w.ready(t)
	b.mustPublish(t, "limit/bems/set", set("peak", time.Now(), `"import_w":5000`))
	w.taken(t, "bems", "peak")
	w.active(t, `"peak"`)
	before := b.kept(t)
	if before["node/root/limit_power"] != "5000" {
		t.Errorf("before the restart: %v", before)
	}
	w.End(t, syscall.SIGTERM)

	for range 2 {
		b.End(t, syscall.SIGTERM)
		b.start(t)
		w = b.watch(t)
		w.ready(t)
		after := b.kept(t)
		for _, ahead := range []string{"flexibility", "plan/power"} { // made anew every few seconds
			if after[ahead] == "" && before[ahead] != "" {
				t.Errorf("%s is gone", ahead)
			}
			delete(before, ahead)
			delete(after, ahead)
		}
		if !maps.Equal(before, after) {
			t.Errorf("before the restart %v\nafter the restart %v", before, after)
		}
		// It listens again, too.
		b.mustPublish(t, "limit/dso/set", set("again", time.Now(), `"import_w":6000,"valid_s":60`))
		w.taken(t, "dso", "again")
		b.mustPublish(t, "limit/dso/set", set("again", time.Now(), `"release":true`))
		w.taken(t, "dso", "again")
		w.End(t, syscall.SIGTERM)
	}
}
