package building

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/voltyard/voltyard/hal/si"
)

func TestParseLimit(t *testing.T) {
	s, err := ParseLimit([]byte(`{"id":"a1","node":"root","import_w":0,"current_a":[6,7,8],"valid_s":60,"ts":"2030-01-02T03:04:05Z"}`))
	if err != nil {
		t.Fatal(err)
	}
	if s.ID != "a1" || s.Node != "root" || *s.ImportW != 0 || s.ExportW != nil || *s.CurrentA != (si.Phases{6, 7, 8}) ||
		s.Validity != time.Minute || !s.TS.Equal(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)) {
		t.Errorf("%+v", s)
	}
	if s, err = ParseLimit([]byte(`{"id":"a1","release":true,"ts":1893456000.5}`)); err != nil || !s.Release || s.TS.UnixMilli() != 1893456000500 {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err = ParseLimit([]byte(`{"id":"a","current_a":16,"ts":1}`)); err != nil || *s.CurrentA != si.Same(16) {
		t.Errorf("%+v, %v", s, err)
	}
	for name, bad := range map[string]string{
		"empty": "", "no json": "4200", "array": "[]", "unknown key": `{"id":"a","import":1,"ts":1}`, "no id": `{"import_w":1,"ts":1}`,
		"no ts": `{"id":"a","import_w":1}`, "bad ts": `{"id":"a","import_w":1,"ts":"yesterday"}`, "two phases": `{"id":"a","current_a":[1,2],"ts":1}`,
		"validity zero": `{"id":"a","import_w":1,"valid_s":0,"ts":1}`, "validity negative": `{"id":"a","import_w":1,"valid_s":-1,"ts":1}`,
		"rest": `{"id":"a","import_w":1,"ts":1}{}`, "text": `{"id":"a","import_w":"1","ts":1}`, "long": `{"id":"` + strings.Repeat("a", 5000) + `"}`,
		"long id": `{"id":"` + strings.Repeat("a", 65) + `","ts":1}`,
	} {
		if _, err := ParseLimit([]byte(bad)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if s, _ := ParseLimit([]byte(`{"id":"x","what":1}`)); s.ID != "x" {
		t.Error("the id of a malformed limit is lost")
	}
}

func TestTopics(t *testing.T) {
	top := For("depot")
	if src, ok := top.LimitSource("voltyard/depot/limit/bems/set"); !ok || src != "bems" {
		t.Errorf("%q, %v", src, ok)
	}
	for _, no := range []string{"voltyard/depot/limit/bems/ack", "voltyard/other/limit/bems/set", "voltyard/depot/limit//set", "voltyard/depot/limit/a/b/set"} {
		if _, ok := top.LimitSource(no); ok {
			t.Errorf("%s is no limit", no)
		}
	}
}

func TestAckShowsAbsence(t *testing.T) {
	var m map[string]any
	if err := json.Unmarshal(Ack{ID: "a", Code: "expired"}.JSON(), &m); err != nil || m["applied_at"] != nil || m["accepted"] != false {
		t.Errorf("%v, %v", m, err)
	}
}

func FuzzParseLimit(f *testing.F) {
	f.Add([]byte(`{"id":"a1","node":"root","import_w":0,"current_a":[6,7,8],"valid_s":60,"ts":"2030-01-02T03:04:05Z"}`))
	f.Add([]byte(`{"id":"a1","release":true,"ts":1893456000.5}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := ParseLimit(b); err == nil && (s.ID == "" || s.TS.IsZero() || s.Validity < 0) {
			t.Errorf("%+v", s)
		}
	})
}
