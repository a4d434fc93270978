package mosquitto

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/voltyard/voltyard/test/interop/peer"
)

// command waits for the answer to a command.
func (w *watcher) command(t *testing.T, topic, id, code string) {
	t.Helper()
	w.next(t, topic, "answer "+code+" about "+id, func(m message) bool {
		var a ack
		if err := json.Unmarshal([]byte(m.payload), &a); err != nil || m.retained {
			t.Errorf("answer %+v: %v", m, err)
		}
		return a.ID == id && a.Code == code && a.Accepted == (code == "accepted")
	})
}

func TestCommandsAndGuards(t *testing.T) {
	b := startBroker(t, "allow_anonymous true")
	w := b.watch(t)
	file := siteFile(t, `{url: "tcp://127.0.0.1:`+b.port+`", home_assistant: homeassistant}`, "  - {source: smgw, lpc: {failsafe_w: 9000}}")
	runSite(t, file)
	w.ready(t)

	// Retained commands are replays: every set topic refuses them.
	now := time.Now()
	b.mustPublish(t, "evse/a1/pause/set", set("r", now, `"value":true`), "-r")
	w.value(t, "evse/a1/pause", "false")
	b.mustPublish(t, "evse/a1/pause/set", "", "-r")
	b.mustPublish(t, "evse/a1/priority/set", set("p", now, `"value":7`))
	w.command(t, "evse/a1/priority/ack", "p", "accepted")
	w.value(t, "evse/a1/priority", "7")
	b.mustPublish(t, "evse/a1/priority/set", "3") // as a simple client sends it
	w.command(t, "evse/a1/priority/ack", "-", "accepted")
	w.value(t, "evse/a1/priority", "3")
	b.mustPublish(t, "evse/a1/operative/set", set("o", now, `"value":false`))
	w.command(t, "evse/a1/operative/ack", "o", "accepted")
	w.value(t, "evse/a1/status", "unavailable")
	b.mustPublish(t, "evse/a1/pause/set", set("v", now, `"value":true`))
	w.command(t, "evse/a1/pause/ack", "v", "no_vehicle")
	b.mustPublish(t, "evse/zz/pause/set", set("z", now, `"value":true`))
	w.command(t, "evse/zz/pause/ack", "z", "unknown_evse")
	b.mustPublish(t, "evse/a1/pause/set", "maybe")
	w.command(t, "evse/a1/pause/ack", "-", "malformed")
	b.mustPublish(t, "setpoint/set", set("s", now, `"power_w":5000,"valid_s":60`))
	w.command(t, "setpoint/ack", "s", "accepted")
	w.next(t, "event", "the set-point", func(m message) bool { return strings.Contains(m.payload, "setpoint") && !m.retained })

	// The energy guard's failsafe holds until it has spoken.
	w.value(t, "node/root/limit_power", "9000")
	b.mustPublish(t, "limit/smgw/set", set("1", now, `"import_w":7000`))
	w.refused(t, "smgw", "1", "no_heartbeat")
	b.mustPublish(t, "limit/smgw/heartbeat", "1")
	b.mustPublish(t, "limit/smgw/set", set("2", time.Now(), `"import_w":7000`))
	w.taken(t, "smgw", "2")
	w.value(t, "node/root/limit_power", "7000")
	b.mustPublish(t, "limit/smgw/failsafe/set", set("3", time.Now(), `"power_w":8000,"duration_s":60`))
	w.refused(t, "smgw", "3", "negative")
	b.mustPublish(t, "limit/smgw/set", set("4", time.Now(), `"release":true`))
	w.taken(t, "smgw", "4")
	w.value(t, "node/root/limit_power", "40000")

	kept := b.kept(t)
	for _, topic := range []string{"plan/power", "plan/evse/a1", "flexibility"} {
		if !json.Valid([]byte(kept[topic])) {
			t.Errorf("%s is %q", topic, kept[topic])
		}
	}
	out, err := exec.Command(program(t, "mosquitto_sub"), "-h", "127.0.0.1", "-p", b.port, "-t", "homeassistant/#", "-C", "18", "-W", "10", "-F", "%t %p").Output()
	if err != nil || strings.Count(string(out), "/config {") != 18 || !strings.Contains(string(out), "homeassistant/switch/yard_a1_pause/config") {
		t.Errorf("discovery: %v, %s", err, out)
	}
}

// The tools of Mosquitto alone, typed by hand, dim the demo and see the answer.
func TestTheDemoIsDimmedByHand(t *testing.T) {
	pub, sub := program(t, "mosquitto_pub"), program(t, "mosquitto_sub")
	demo := peer.Start(t, product, "demo", "--duration", "2m", "--seed", "1")
	line, _ := demo.Wait(t, "the broker's address", 0, func(l string) bool { return strings.Contains(l, "broker  tcp://127.0.0.1:") })
	_, rest, _ := strings.Cut(line, "tcp://127.0.0.1:")
	port, _, _ := strings.Cut(rest, " ")
	ears := peer.Start(t, sub, "-h", "127.0.0.1", "-p", port, "-t", "voltyard/demo/limit/dso/ack", "-t", "voltyard/demo/node/root/limit_power", "-F", "%t %p")
	ears.Wait(t, "the limit before", 0, func(l string) bool { return strings.HasSuffix(l, "limit_power 100000") })
	ears.Wait(t, "a moment for vehicles to come", 0, func(string) bool { return true })
	text := set("by-hand", time.Now(), `"import_w":30000,"valid_s":60`)
	if out, err := exec.Command(pub, "-h", "127.0.0.1", "-p", port, "-q", "1", "-t", "voltyard/demo/limit/dso/set", "-m", text).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	ears.Wait(t, "the acknowledgement", 0, func(l string) bool { return strings.Contains(l, `"by-hand"`) && strings.Contains(l, `"accepted":true`) })
	ears.Wait(t, "that it is reached", 0, func(l string) bool {
		return strings.Contains(l, `"by-hand"`) && strings.Contains(l, `"reached_at":"2`)
	})
	ears.Wait(t, "the limit in force", 0, func(l string) bool { return strings.HasSuffix(l, "limit_power 30000") })
}
