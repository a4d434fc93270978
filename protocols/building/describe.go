package building

import (
	"encoding/json"
	"slices"
)

// Property is one value of the tree, after the manner of Homie 5: what a topic holds, in which unit, and who may set it.
type Property struct {
	DataType string `json:"datatype"`         // float, integer, boolean, string, enum, datetime, json
	Unit     string `json:"unit,omitempty"`   // W, A, Wh, %
	Format   string `json:"format,omitempty"` // of enum: its values; of numbers: a range
	Settable bool   `json:"settable"`         // by <topic>/set, answered on <topic>/ack
	Retained bool   `json:"retained"`
}

// Description is the payload of $description.
type Description struct {
	Site     string              `json:"site"`
	Version  int                 `json:"version"`
	Sign     string              `json:"sign"`
	Nodes    []string            `json:"nodes"`
	EVSEs    []string            `json:"evses"`
	Stations []string            `json:"stations"`
	Sources  []string            `json:"sources"` // of limits, that may be set
	Node     map[string]Property `json:"node"`    // properties of node/<id>
	EVSE     map[string]Property `json:"evse"`
	Station  map[string]Property `json:"station"`
	Others   map[string]Property `json:"site_topics"`
}

// DescriptionVersion changes when a topic changes its meaning or goes.
const DescriptionVersion = 2

func value(datatype, unit string) Property {
	return Property{DataType: datatype, Unit: unit, Retained: true}
}

func command(datatype, unit, format string) Property {
	return Property{DataType: datatype, Unit: unit, Format: format, Settable: true}
}

// States are the values of evse/<id>/status.
const States = "available,plugged,authorizing,charging,paused,done,stopped,faulted,unavailable,unreachable"

// Tree returns the description of a site with these parts.
func Tree(site string, nodes, evses, stations, sources []string) Description {
	list := func(s []string) []string { return append([]string{}, s...) } // none is [], not null
	phases := func(m map[string]Property, name string) {
		for _, l := range []string{"l1", "l2", "l3"} {
			m[name+"/"+l] = value("float", "A")
		}
	}
	d := Description{Site: site, Version: DescriptionVersion, Sign: "import and charging positive", Nodes: list(nodes), EVSEs: list(evses),
		Stations: list(stations), Sources: list(sources)}
	d.Node = map[string]Property{"power": value("float", "W"), "limit_power": value("float", "W"), "limited_by": value("string", ""),
		"stale": value("boolean", ""), "energy_import": value("float", "Wh"), "energy_export": value("float", "Wh")}
	phases(d.Node, "current")
	phases(d.Node, "limit_current")
	phases(d.Node, "headroom")
	d.EVSE = map[string]Property{"$state": {DataType: "enum", Format: "ready,lost,alert", Retained: true},
		"status": {DataType: "enum", Format: States, Retained: true}, "connected": value("boolean", ""), "power": value("float", "W"),
		"limit_current": value("float", "A"), "limit_power": value("float", "W"), "setpoint_power": value("float", "W"),
		"energy_session": value("float", "Wh"), "soc": value("float", "%"), "protocol": value("string", ""), "limited_by": value("string", ""),
		"phases": value("integer", ""), "rotation": value("string", ""), "estimates": value("json", ""), "vehicle": value("string", "")}
	phases(d.EVSE, "current")
	set := func(name string, p Property, retained bool) {
		p.Retained = retained
		d.EVSE[name] = p
	}
	set(Start, command("json", "", ""), false)
	set(Stop, command("json", "", ""), false)
	set(Pause, command("boolean", "", ""), true)
	set(Priority, command("integer", "", "-100:100"), true)
	set(Departure, command("datetime", "", ""), true)
	set(TargetEnergy, command("float", "Wh", "0:"), true)
	set(Operative, command("boolean", "", ""), false)
	set(Setpoint, command("float", "W", ""), false)
	d.Station = map[string]Property{"connected": value("boolean", ""), "power": value("float", "W"), "limit_current": value("float", "A"),
		"limited_by": value("string", ""), "status": value("string", "")}
	phases(d.Station, "current")
	d.Others = map[string]Property{"limit/active": value("json", ""), "limit/<source>": command("json", "", ""),
		"limit/<source>/failsafe": command("json", "", ""), "setpoint": command("json", "W", ""), "frequency": command("float", "Hz", ""),
		"plan/power": value("json", ""), "plan/evse/<id>": value("json", ""), "flexibility": value("json", ""),
		"event": {DataType: "json"}, "heartbeat": {DataType: "json"}}
	slices.Sort(d.Sources)
	return d
}

// JSON returns the payload.
func (d Description) JSON() []byte {
	b, err := json.Marshal(d)
	if err != nil {
		panic(err) // it holds nothing that cannot be marshalled
	}
	return b
}
