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

// LimitHeartbeats matches the signs of life of all sources of limits; any payload will do.
func (t Topics) LimitHeartbeats() string { return t.base + "/limit/+/heartbeat" }

// FailsafeSets matches the failsafe values that energy guards state.
func (t Topics) FailsafeSets() string { return t.base + "/limit/+/failsafe/set" }

// FailsafeAck is where a guard hears what became of its failsafe value.
func (t Topics) FailsafeAck(source string) string {
	return t.base + "/limit/" + source + "/failsafe/ack"
}

// EVSESets matches all commands to all EVSEs.
func (t Topics) EVSESets() string { return t.base + "/evse/+/+/set" }

// EVSESet is where a command to an EVSE is given.
func (t Topics) EVSESet(id, command string) string { return t.EVSE(id, command+"/set") }

// EVSEAck is where the answer to a command comes.
func (t Topics) EVSEAck(id, command string) string { return t.EVSE(id, command+"/ack") }

// SetpointSet is where the power of all vehicles together is asked for.
func (t Topics) SetpointSet() string { return t.base + "/setpoint/set" }

// SetpointAck is where the answer to that comes.
func (t Topics) SetpointAck() string { return t.base + "/setpoint/ack" }

// FrequencySet is where the measured frequency of the grid is given, once a second or more often.
func (t Topics) FrequencySet() string { return t.base + "/frequency/set" }

// Plan holds the plan: "power" for all vehicles together, or "evse/<id>"; JSON, retained.
func (t Topics) Plan(of string) string { return t.base + "/plan/" + of }

// Flexibility is what the site offers, JSON, retained.
func (t Topics) Flexibility() string { return t.base + "/flexibility" }

// Sources matches everything that may be written to a site, for the subscription.
func (t Topics) Sources() []string {
	return []string{t.LimitSets(), t.LimitHeartbeats(), t.FailsafeSets(), t.EVSESets(), t.SetpointSet(), t.FrequencySet()}
}

// between is the one level between two parts of a topic; false when the topic is none of the kind.
func (t Topics) between(topic, before, after string) (string, bool) {
	s, ok := strings.CutPrefix(topic, t.base+before)
	if !ok {
		return "", false
	}
	s, ok = strings.CutSuffix(s, after)
	return s, ok && s != "" && !strings.Contains(s, "/")
}

// HeartbeatSource returns the source in the topic of a heartbeat; false when it is no such topic.
func (t Topics) HeartbeatSource(topic string) (string, bool) {
	return t.between(topic, "/limit/", "/heartbeat")
}

// FailsafeSource returns the source in the topic of a failsafe value; false when it is no such topic.
func (t Topics) FailsafeSource(topic string) (string, bool) {
	return t.between(topic, "/limit/", "/failsafe/set")
}

// EVSECommand returns EVSE and command in the topic of a command; false when it is no such topic.
func (t Topics) EVSECommand(topic string) (evse, command string, ok bool) {
	s, ok := strings.CutPrefix(topic, t.base+"/evse/")
	if !ok {
		return "", "", false
	}
	if s, ok = strings.CutSuffix(s, "/set"); !ok {
		return "", "", false
	}
	evse, command, ok = strings.Cut(s, "/")
	return evse, command, ok && evse != "" && command != "" && !strings.Contains(command, "/")
}

// LimitSource returns the source in the topic of a limit; false when it is no such topic.
func (t Topics) LimitSource(topic string) (string, bool) {
	s, ok := strings.CutPrefix(topic, t.base+"/limit/")
	if !ok {
		return "", false
	}
	s, ok = strings.CutSuffix(s, "/set")
	return s, ok && s != "" && !strings.Contains(s, "/")
}
