package configs

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
)

// Bus is a Modbus line or connection.
type Bus struct {
	ID       string `yaml:"id" doc:"Name that meters refer to."`
	Serial   string `yaml:"serial,omitempty" doc:"Device of a serial line, such as /dev/ttyUSB0."`
	Baud     int    `yaml:"baud,omitempty" doc:"Speed of the serial line. Default 9600."`
	Parity   string `yaml:"parity,omitempty" doc:"Parity of the serial line. Default even." enum:"even,odd,none"`
	StopBits int    `yaml:"stop_bits,omitempty" doc:"1 or 2. Default 1."`
	TCP      string `yaml:"tcp,omitempty" doc:"host:port of a Modbus TCP device or gateway; the port is 502 as a rule."`
	Framing  string `yaml:"framing,omitempty" doc:"tcp: Modbus TCP. rtu: serial frames through a transparent gateway. Default tcp." enum:"tcp,rtu"`
	AnswerMs int    `yaml:"answer_ms,omitempty" doc:"How long a unit may take to answer, ms. Default 500."`
}

// Meter is a meter of a node.
type Meter struct {
	ID     string      `yaml:"id" doc:"Name that nodes refer to."`
	Driver string      `yaml:"driver" doc:"modbus: by a register map. sunspec: it describes itself. mqtt: values at the building's broker. sim: sum of what is simulated under the node." enum:"modbus,sunspec,mqtt,sim"`
	StaleS float64     `yaml:"stale_s,omitempty" doc:"Older readings count as missing, s. Default 5."`
	Bus    string      `yaml:"bus,omitempty" doc:"modbus, sunspec: the bus it hangs on."`
	Unit   int         `yaml:"unit,omitempty" doc:"modbus, sunspec: its address on the bus, 1 to 247; over TCP 255 too. Default 1."`
	Map    string      `yaml:"map,omitempty" doc:"modbus: name of a built-in register map (voltyard meters lists them), or a file that ends in .yaml."`
	Topic  string      `yaml:"topic,omitempty" doc:"mqtt: topic of the values that name none."`
	Values []MeterItem `yaml:"values,omitempty" doc:"mqtt: what comes from where."`
	Ratio  float64     `yaml:"ratio,omitempty" doc:"Ratio of the current transformers, where the meter does not know it. Default 1."`
	Invert bool        `yaml:"invert,omitempty" doc:"The meter counts import negative."`
	MaxA   float64     `yaml:"max_a,omitempty" doc:"A larger current is not believed, A. Default 10000."`
}

// MeterItem is a value of a meter over MQTT.
type MeterItem struct {
	Value string  `yaml:"value" doc:"What it is; A, V, W or Wh. Currents and a power are needed." enum:"current_l1,current_l2,current_l3,voltage_l1,voltage_l2,voltage_l3,power_l1,power_l2,power_l3,power,import,export"`
	Topic string  `yaml:"topic,omitempty" doc:"Default the meter's."`
	Field string  `yaml:"field,omitempty" doc:"Path in a JSON payload, with dots: em.a_current, phases.0. Absent: the payload is a number."`
	Scale float64 `yaml:"scale,omitempty" doc:"What is received is multiplied by it: 1000 for kW. Default 1."`
}

// Bus returns a bus by its name.
func (s *Site) Bus(id string) (Bus, bool) {
	i := slices.IndexFunc(s.Buses, func(b Bus) bool { return b.ID == id })
	if i < 0 {
		return Bus{}, false
	}
	return s.Buses[i], true
}

// Meter returns a meter by its name.
func (s *Site) Meter(id string) (Meter, bool) {
	i := slices.IndexFunc(s.Meters, func(m Meter) bool { return m.ID == id })
	if i < 0 {
		return Meter{}, false
	}
	return s.Meters[i], true
}

func (s *Site) completeMeters(dir string) {
	for i := range s.Buses {
		b := &s.Buses[i]
		if b.Serial != "" {
			def(&b.Baud, 9600)
			def(&b.Parity, "even")
			def(&b.StopBits, 1)
		} else {
			def(&b.Framing, "tcp")
		}
		def(&b.AnswerMs, 500)
	}
	for i := range s.Meters {
		m := &s.Meters[i]
		def(&m.StaleS, 5)
		def(&m.Ratio, 1)
		if m.Driver == "modbus" || m.Driver == "sunspec" {
			def(&m.Unit, 1)
		}
		if strings.HasSuffix(m.Map, ".yaml") {
			resolve(dir, &m.Map)
		}
		for j := range m.Values {
			def(&m.Values[j].Topic, m.Topic)
			def(&m.Values[j].Scale, 1)
		}
	}
}

func (c *checker) meters(s *Site) {
	seen := map[string]bool{}
	for i, b := range s.Buses {
		path := fmt.Sprintf("$.buses[%d]", i)
		switch {
		case !nameRule.MatchString(b.ID):
			c.add(path+".id", "", "bus id %q: want letters, digits, - or _", b.ID)
		case seen[b.ID]:
			c.add(path+".id", "choose another name", "there are two buses %s", b.ID)
		}
		seen[b.ID] = true
		c.bus(path, b)
	}
	for i, m := range s.Meters {
		c.meter(s, fmt.Sprintf("$.meters[%d]", i), m)
	}
}

func (c *checker) bus(path string, b Bus) {
	switch {
	case (b.Serial == "") == (b.TCP == ""):
		c.add(path, "give one of serial and tcp", "bus %s: is it a serial line or a connection?", b.ID)
	case b.Serial != "" && b.Framing != "":
		c.add(path+".framing", "remove it", "a serial line has RTU frames, always")
	case b.TCP != "" && (b.Baud != 0 || b.Parity != "" || b.StopBits != 0):
		c.add(path, "set speed and parity in the gateway", "bus %s is a connection and has neither speed nor parity", b.ID)
	case b.Serial != "" && (b.Baud < 1200 || b.Baud > 921600):
		c.add(path+".baud", "9600 and 19200 are usual", "%d baud is no speed of a meter's line", b.Baud)
	case b.StopBits > 2:
		c.add(path+".stop_bits", "", "%d stop bits: want 1 or 2", b.StopBits)
	case b.AnswerMs < 20 || b.AnswerMs > 5000:
		c.add(path+".answer_ms", "", "%d ms to answer: want 20 to 5000", b.AnswerMs)
	}
	if b.TCP == "" {
		return
	}
	host, port, err := net.SplitHostPort(b.TCP)
	n, bad := strconv.Atoi(port)
	if err != nil || host == "" || bad != nil || n < 1 || n > 65535 {
		c.add(path+".tcp", "write it as host:port, such as 192.168.1.20:502", "%q is no address", b.TCP)
	}
}

func (c *checker) meter(s *Site, path string, m Meter) {
	modbus := m.Driver == "modbus" || m.Driver == "sunspec"
	bus, found := s.Bus(m.Bus)
	switch {
	case modbus && m.Bus == "":
		c.add(path+".driver", "give bus", "meter %s: on which bus?", m.ID)
	case modbus && !found:
		c.add(path+".bus", "list it under buses:", "there is no bus %s", m.Bus)
	case modbus && (m.Unit > 247 && !(m.Unit == 255 && bus.Framing == "tcp")):
		c.add(path+".unit", "", "unit %d: want 1 to 247", m.Unit)
	case !modbus && (m.Bus != "" || m.Unit != 0 || m.Map != ""):
		c.add(path, "remove bus, unit and map", "meter %s is not on Modbus", m.ID)
	case m.Driver == "modbus" && m.Map == "":
		c.add(path+".driver", "give map", "meter %s: which register holds what?", m.ID)
	case m.Driver == "sunspec" && m.Map != "":
		c.add(path+".map", "remove it", "a SunSpec meter describes itself")
	case m.Driver == "mqtt" && s.MQTT == nil:
		c.add(path+".driver", "add mqtt:", "meter %s speaks at a broker, and the site has none", m.ID)
	case m.Driver == "mqtt" && len(m.Values) == 0:
		c.add(path+".driver", "give values", "meter %s: what comes from which topic?", m.ID)
	case m.Driver != "mqtt" && (len(m.Values) > 0 || m.Topic != ""):
		c.add(path, "remove topic and values", "meter %s does not come over MQTT", m.ID)
	case m.Driver == "sim" && m.Invert:
		c.add(path+".invert", "remove it", "a simulated meter is wired as it should be")
	}
	for j, v := range m.Values {
		at := fmt.Sprintf("%s.values[%d]", path, j)
		if v.Topic == "" || strings.ContainsAny(v.Topic, "+#") {
			c.add(at+".value", "give topic here or at the meter, without + and #", "%s: from which topic?", v.Value)
		}
		if slices.ContainsFunc(m.Values[:j], func(o MeterItem) bool { return o.Value == v.Value }) {
			c.add(at+".value", "remove one of them", "%s comes twice", v.Value)
		}
	}
}
