package building

import "strings"

// Root begins every topic.
const Root = "voltyard"

// Topics are the topics of one site.
type Topics struct{ base string }

// For returns the topics of the site with this id.
func For(site string) Topics { return Topics{Root + "/" + site} }

// State is "ready" while the site is there and "lost" by last will.
func (t Topics) State() string { return t.base + "/$state" }

// Description holds the typed tree: what there is, in which unit.
func (t Topics) Description() string { return t.base + "/$description" }

// Heartbeat comes once a second and is not retained.
func (t Topics) Heartbeat() string { return t.base + "/heartbeat" }

// Event is the stream of what happens, JSON.
func (t Topics) Event() string { return t.base + "/event" }

// ActiveLimit is what limits the site now, JSON, retained.
func (t Topics) ActiveLimit() string { return t.base + "/limit/active" }

// LimitSets matches the limits of all sources.
func (t Topics) LimitSets() string { return t.base + "/limit/+/set" }

// LimitSet is where a source sets its limits.
func (t Topics) LimitSet(source string) string { return t.base + "/limit/" + source + "/set" }

// LimitAck is where a source hears what became of its limits.
func (t Topics) LimitAck(source string) string { return t.base + "/limit/" + source + "/ack" }

// Node is a value of a node, such as "power" or "current/l1".
func (t Topics) Node(id, value string) string { return t.base + "/node/" + id + "/" + value }

// EVSE is a value of an own EVSE.
func (t Topics) EVSE(id, value string) string { return t.base + "/evse/" + id + "/" + value }

// Station is a value of a third-party station.
func (t Topics) Station(id, value string) string { return t.base + "/station/" + id + "/" + value }

// LimitSource returns the source in the topic of a limit; false when it is no such topic.
func (t Topics) LimitSource(topic string) (string, bool) {
	s, ok := strings.CutPrefix(topic, t.base+"/limit/")
	if !ok {
		return "", false
	}
	s, ok = strings.CutSuffix(s, "/set")
	return s, ok && s != "" && !strings.Contains(s, "/")
}
