package building

import (
	"encoding/json"
	"testing"
	"time"
)

func TestParseCommand(t *testing.T) {
	for _, c := range []struct {
		command, payload string
		want             Command
		bad              bool
	}{
		{Pause, `{"id":"a","ts":1893456000,"value":true}`, Command{ID: "a", On: true}, false},
		{Pause, `false`, Command{ID: Bare}, false},
		{Pause, `ON`, Command{ID: Bare, On: true}, false},
		{Pause, `maybe`, Command{}, true},
		{Priority, ` 7 `, Command{ID: Bare, Number: 7}, false},
		{Priority, `NaN`, Command{}, true},
		{Setpoint, `5000`, Command{}, true}, // it needs an end
		{Setpoint, `{"id":"a","ts":1893456000,"value":-5000,"valid_s":60}`, Command{ID: "a", Number: -5000, Validity: time.Minute}, false},
		{Setpoint, `{"id":"a","ts":1893456000,"value":1,"valid_s":-1}`, Command{}, true},
		{Departure, `{"id":"a","ts":1893456000,"value":"2030-01-01T07:00:00Z"}`, Command{ID: "a", At: time.Date(2030, 1, 1, 7, 0, 0, 0, time.UTC)}, false},
		{Departure, `{"id":"a","ts":1893456000,"value":"soon"}`, Command{}, true},
		{TargetEnergy, `{"id":"a","ts":1893456000,"value":12000}`, Command{ID: "a", Number: 12000}, false},
		{Start, `{"id":"a","ts":1893456000,"token":"04AABB"}`, Command{ID: "a", Text: "04AABB"}, false},
		{Stop, `{"id":"a","ts":1893456000,"why":"fire drill"}`, Command{ID: "a", Text: "fire drill"}, false},
		{Stop, `{"id":"a"}`, Command{}, true},
		{Stop, `stop`, Command{}, true},
		{Stop, `{"id":"a","ts":1893456000}{}`, Command{}, true},
		{"jump", `{"id":"a","ts":1893456000}`, Command{}, true},
		{Pause, `{"id":"a","ts":1893456000,"valeu":true}`, Command{}, true},
		{Pause, ``, Command{}, true},
	} {
		got, err := ParseCommand(c.command, []byte(c.payload))
		if (err != nil) != c.bad {
			t.Errorf("%s %s: %v", c.command, c.payload, err)
		}
		if got.TS = (time.Time{}); err == nil && got != c.want {
			t.Errorf("%s %s: %+v, want %+v", c.command, c.payload, got, c.want)
		}
	}
	if p, err := ParsePower([]byte(`{"id":"a","ts":1893456000,"power_w":-20000,"valid_s":900}`)); err != nil || p.PowerW != -20000 || p.Validity != 15*time.Minute {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err := ParsePower([]byte(`{"id":"a","ts":1893456000,"release":true}`)); err != nil || !p.Release {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := ParsePower([]byte(`{"id":"a","ts":1893456000,"power_w":1}`)); err == nil {
		t.Error("a set-point without end")
	}
	if f, err := ParseFailsafe([]byte(`{"id":"a","ts":1893456000,"power_w":4200,"duration_s":7200}`)); err != nil || f.PowerW != 4200 || f.Duration != 2*time.Hour {
		t.Errorf("%+v, %v", f, err)
	}
	for text, ok := range map[string]bool{"49.98": true, " 50 ": true, "": false, "0": false, "-50": false, "NaN": false, "1e9": false, "fifty": false} {
		if _, err := ParseFrequency([]byte(text)); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestCommandTopics(t *testing.T) {
	top := For("depot")
	if e, c, ok := top.EVSECommand("voltyard/depot/evse/a1/pause/set"); !ok || e != "a1" || c != Pause {
		t.Errorf("%q %q %v", e, c, ok)
	}
	if s, ok := top.HeartbeatSource("voltyard/depot/limit/dso/heartbeat"); !ok || s != "dso" {
		t.Errorf("%q %v", s, ok)
	}
	if s, ok := top.FailsafeSource("voltyard/depot/limit/dso/failsafe/set"); !ok || s != "dso" {
		t.Errorf("%q %v", s, ok)
	}
	for _, no := range []string{"voltyard/depot/evse/a1/set", "voltyard/depot/evse/a1/b/c/set", "voltyard/depot/evse//pause/set", "voltyard/x/evse/a1/pause/set"} {
		if _, _, ok := top.EVSECommand(no); ok {
			t.Errorf("%s is no command", no)
		}
	}
	if _, ok := top.LimitSource("voltyard/depot/limit/dso/failsafe/set"); ok {
		t.Error("a failsafe value is taken for a limit")
	}
}

// documented is what the MQTT integration's pages say of each component: keys, those that are required, and units by class.
var documented = map[string]struct{ required, optional []string }{
	"sensor": {[]string{"state_topic"}, []string{"availability", "availability_mode", "availability_topic", "device", "device_class", "enabled_by_default",
		"entity_category", "expire_after", "force_update", "icon", "json_attributes_topic", "name", "qos", "state_class", "unique_id", "unit_of_measurement", "value_template"}},
	"binary_sensor": {[]string{"state_topic"}, []string{"availability", "availability_mode", "device", "device_class", "expire_after", "icon", "name", "off_delay",
		"payload_off", "payload_on", "qos", "unique_id", "value_template"}},
	"switch": {[]string{"command_topic"}, []string{"availability", "availability_mode", "device", "device_class", "icon", "name", "optimistic", "payload_off",
		"payload_on", "qos", "retain", "state_off", "state_on", "state_topic", "unique_id", "value_template"}},
	"number": {[]string{"command_topic"}, []string{"availability", "availability_mode", "command_template", "device", "device_class", "icon", "max", "min", "mode",
		"name", "optimistic", "qos", "retain", "state_topic", "step", "unique_id", "unit_of_measurement", "value_template"}},
}

var classes = map[string]string{"power": "W", "energy": "Wh", "battery": "%", "plug": ""}

func TestHomeAssistantDiscovery(t *testing.T) {
	seen, tree := map[string]bool{}, Tree("my depot", nil, nil, nil, nil)
	list := HomeAssistant(DiscoveryPrefix, "my depot", "root", []string{"a1", "a2"})
	if len(list) != 2+2*8 {
		t.Errorf("%d entities", len(list))
	}
	for _, d := range list {
		var m map[string]any
		if err := json.Unmarshal(d.Payload, &m); err != nil {
			t.Fatal(err)
		}
		component := ""
		for c := range documented {
			if len(d.Topic) > len(c)+15 && d.Topic[:len(DiscoveryPrefix)+len(c)+2] == DiscoveryPrefix+"/"+c+"/" {
				component = c
			}
		}
		doc, ok := documented[component]
		if !ok || d.Topic[len(d.Topic)-7:] != "/config" {
			t.Fatalf("topic %s", d.Topic)
		}
		allowed := map[string]bool{}
		for _, k := range doc.required {
			allowed[k] = true
			if m[k] == nil || m[k] == "" {
				t.Errorf("%s: %s is missing", d.Topic, k)
			}
		}
		for _, k := range doc.optional {
			allowed[k] = true
		}
		for k := range m {
			if !allowed[k] {
				t.Errorf("%s: %s is not documented", d.Topic, k)
			}
		}
		if class, _ := m["device_class"].(string); class != "" {
			unit, known := classes[class]
			if have, _ := m["unit_of_measurement"].(string); !known || have != unit {
				t.Errorf("%s: class %s in %s", d.Topic, class, have)
			}
		}
		if s := m["state_class"]; s != nil && s != "measurement" && s != "total_increasing" {
			t.Errorf("%s: state_class %v", d.Topic, s)
		}
		id, _ := m["unique_id"].(string)
		if id == "" || seen[id] {
			t.Errorf("%s: unique_id %q", d.Topic, id)
		}
		seen[id] = true
		dev, _ := m["device"].(map[string]any)
		if ids, _ := dev["identifiers"].([]any); len(ids) != 1 {
			t.Errorf("%s: device %v", d.Topic, dev)
		}
		for _, a := range m["availability"].([]any) {
			if a.(map[string]any)["topic"] == nil {
				t.Errorf("%s: availability %v", d.Topic, a)
			}
		}
		// Every state topic of an EVSE is one that the site describes.
		if s, _ := m["state_topic"].(string); component != "" && len(s) > 26 && s[:26] == "voltyard/my depot/evse/a1/" {
			if _, ok := tree.EVSE[s[26:]]; !ok {
				t.Errorf("%s is not described", s)
			}
		}
	}
}

func TestDescriptionIsJSONWithoutNull(t *testing.T) {
	text := string(Tree("x", nil, nil, nil, nil).JSON())
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil || m["nodes"] == nil || m["evse"] == nil {
		t.Errorf("%v: %s", err, text)
	}
}

func FuzzParseCommand(f *testing.F) {
	for _, c := range Commands {
		f.Add(c, []byte(`{"id":"a","ts":1893456000,"value":true,"valid_s":5}`))
		f.Add(c, []byte(`7`))
	}
	f.Fuzz(func(t *testing.T, command string, b []byte) {
		if c, err := ParseCommand(command, b); err == nil && (c.ID == "" || c.Validity < 0 || c.Number != c.Number) {
			t.Errorf("%+v", c)
		}
		_, _ = ParsePower(b)
		_, _ = ParseFailsafe(b)
		_, _ = ParseFrequency(b)
	})
}
