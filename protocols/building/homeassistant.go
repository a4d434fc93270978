package building

import (
	"encoding/json"
	"strings"
)

// DiscoveryPrefix is where Home Assistant looks for new devices unless it is told otherwise.
const DiscoveryPrefix = "homeassistant"

// BirthTopic is where Home Assistant says "online" when it has started; discovery is published again then.
func BirthTopic(prefix string) string { return prefix + "/status" }

// Discovery is one retained message by which Home Assistant learns of an entity.
type Discovery struct {
	Topic   string
	Payload []byte
}

type device struct {
	Identifiers  []string `json:"identifiers"`
	Name         string   `json:"name"`
	Manufacturer string   `json:"manufacturer"`
	Model        string   `json:"model"`
	Via          string   `json:"via_device,omitempty"`
}

type availability struct {
	Topic        string `json:"topic"`
	Available    string `json:"payload_available"`
	NotAvailable string `json:"payload_not_available"`
}

// entity is a configuration as the MQTT integration documents it for sensor, binary_sensor, switch and number.
type entity struct {
	Name          string         `json:"name"`
	UniqueID      string         `json:"unique_id"`
	StateTopic    string         `json:"state_topic"`
	CommandTopic  string         `json:"command_topic,omitempty"`
	DeviceClass   string         `json:"device_class,omitempty"`
	StateClass    string         `json:"state_class,omitempty"`
	Unit          string         `json:"unit_of_measurement,omitempty"`
	PayloadOn     string         `json:"payload_on,omitempty"`
	PayloadOff    string         `json:"payload_off,omitempty"`
	Min           *float64       `json:"min,omitempty"`
	Max           *float64       `json:"max,omitempty"`
	Step          float64        `json:"step,omitempty"`
	QoS           int            `json:"qos"`
	Availability  []availability `json:"availability"`
	AvailableMode string         `json:"availability_mode"`
	Device        device         `json:"device"`
}

// HomeAssistant returns the discovery messages of a site: the grid connection, and every own EVSE as a device of its own.
func HomeAssistant(prefix, site, root string, evses []string) []Discovery {
	t := For(site)
	var out []Discovery
	up := availability{Topic: t.State(), Available: "ready", NotAvailable: "lost"}
	add := func(component, object string, e entity) {
		e.UniqueID = "voltyard_" + object
		e.QoS, e.AvailableMode = 1, "all"
		e.Availability = append([]availability{up}, e.Availability...)
		b, err := json.Marshal(e)
		if err != nil {
			panic(err) // it holds nothing that cannot be marshalled
		}
		out = append(out, Discovery{Topic: prefix + "/" + component + "/" + object + "/config", Payload: b})
	}
	hub := device{Identifiers: []string{"voltyard_" + site}, Name: "Voltyard " + site, Manufacturer: "Voltyard", Model: "Energy controller"}
	add("sensor", object(site, "grid_power"), entity{Name: "Grid power", StateTopic: t.Node(root, "power"), DeviceClass: "power",
		StateClass: "measurement", Unit: "W", Device: hub})
	add("sensor", object(site, "limit_power"), entity{Name: "Power limit", StateTopic: t.Node(root, "limit_power"), DeviceClass: "power", Unit: "W", Device: hub})
	for _, id := range evses {
		d := device{Identifiers: []string{"voltyard_" + site + "_" + id}, Name: "EVSE " + id, Manufacturer: "Voltyard", Model: "EVSE", Via: "voltyard_" + site}
		here := []availability{{Topic: t.EVSE(id, "$state"), Available: "ready", NotAvailable: "lost"}}
		sensor := func(name, value, class, state, unit string) {
			add("sensor", object(site, id, value), entity{Name: name, StateTopic: t.EVSE(id, value), DeviceClass: class, StateClass: state, Unit: unit,
				Availability: here, Device: d})
		}
		sensor("Power", "power", "power", "measurement", "W")
		sensor("Energy of session", "energy_session", "energy", "total_increasing", "Wh")
		sensor("State of charge", "soc", "battery", "measurement", "%")
		sensor("Status", "status", "", "", "")
		sensor("Limited by", "limited_by", "", "", "")
		add("binary_sensor", object(site, id, "connected"), entity{Name: "Vehicle", StateTopic: t.EVSE(id, "connected"), DeviceClass: "plug",
			PayloadOn: "true", PayloadOff: "false", Availability: here, Device: d})
		add("switch", object(site, id, Pause), entity{Name: "Pause", StateTopic: t.EVSE(id, Pause), CommandTopic: t.EVSESet(id, Pause),
			PayloadOn: "true", PayloadOff: "false", Availability: here, Device: d})
		low, high := -100.0, 100.0
		add("number", object(site, id, Priority), entity{Name: "Priority", StateTopic: t.EVSE(id, Priority), CommandTopic: t.EVSESet(id, Priority),
			Min: &low, Max: &high, Step: 1, Availability: here, Device: d})
	}
	return out
}

// object makes an object id: letters, digits, - and _ only.
func object(parts ...string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return '_'
	}, strings.Join(parts, "_"))
}
