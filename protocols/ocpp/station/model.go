package station

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// access says who may read and write a variable.
type access string

const (
	readOnly  access = "ro"
	readWrite access = "rw"
	writeOnly access = "wo"
)

// variable is one entry of the device model, with the attribute Actual.
type variable struct {
	component, instance string
	evse, connector     int
	name, varInstance   string
	value               string
	access              access
	kind                v201.DataEnum
	unit                string
	list                []string // allowed members of a list
	lo, hi              float64  // of numbers, when hi > lo
	reboot              bool     // a new value counts after a restart
	fixed               bool     // nothing here carries another value out: what is stored does not count
}

// model is the device model of a station (B05 to B08, appendix 3.1 of part 2).
type model struct {
	vars   []*variable
	byName map[string]*variable // of the station's own components, without EVSE
}

func newModel(cfg Config) *model {
	m := &model{byName: map[string]*variable{}}
	for _, line := range strings.Split(strings.TrimSpace(standardVariables+diagnosticVariables), "\n") {
		m.add(parseVariable(line))
	}
	m.describe(cfg)
	for name, value := range cfg.Fixed {
		if v := m.byName[strings.ToLower(name)]; v != nil {
			v.value, v.access, v.fixed = value, readOnly, true
		}
	}
	for name, value := range cfg.Variables {
		if v := m.byName[strings.ToLower(name)]; v != nil && !v.fixed {
			v.value = value
		}
	}
	return m
}

func (m *model) add(v *variable) {
	m.vars = append(m.vars, v)
	if v.evse == 0 {
		if name := fullName(v.component, v.name); m.byName[name] == nil {
			m.byName[name] = v
		}
		if v.varInstance != "" {
			m.byName[fullName(v.component, v.name)+"."+strings.ToLower(v.varInstance)] = v
		}
	}
}

// parseVariable reads a line of the table: component, variable[instance], access, type, value, unit or limits.
func parseVariable(line string) *variable {
	f := strings.Split(line, "|")
	v := &variable{component: f[0], name: f[1], access: access(f[2]), value: f[4]}
	if name, inst, ok := strings.Cut(v.name, "/"); ok {
		v.name, v.varInstance = name, inst
	}
	v.kind = v201.DataEnum(f[3])
	for _, x := range f[5:] {
		switch {
		case x == "reboot":
			v.reboot = true
		case x == "fixed":
			v.fixed = true
		case strings.HasPrefix(x, "{"):
			v.list = strings.Split(strings.Trim(x, "{}"), ",")
		case strings.Contains(x, ".."):
			lo, hi, _ := strings.Cut(x, "..")
			v.lo, _ = strconv.ParseFloat(lo, 64)
			v.hi, _ = strconv.ParseFloat(hi, 64)
		default:
			v.unit = x
		}
	}
	return v
}

// describe adds what depends on the station's build.
func (m *model) describe(cfg Config) {
	ro := func(component string, evse, connector int, name, value string, kind v201.DataEnum, unit string) *variable {
		v := &variable{component: component, evse: evse, connector: connector, name: name, value: value, kind: kind, access: readOnly, unit: unit}
		m.add(v)
		return v
	}
	ro("DisplayMessageCtrlr", 0, 0, "Available", strconv.FormatBool(cfg.Display), v201.DataBoolean, "")
	for _, line := range strings.Split(strings.TrimSpace(tariffVariables), "\n") {
		v := parseVariable(line)
		if !cfg.Display {
			v.access, v.fixed = readOnly, true
		}
		m.add(v)
	}
	for _, what := range []string{"Cost", "Tariff"} {
		ro("TariffCostCtrlr", 0, 0, "Available", strconv.FormatBool(cfg.Display), v201.DataBoolean, "").varInstance = what
	}
	text, num, yes := v201.DataString, v201.DataInteger, v201.DataBoolean
	ro("ChargingStation", 0, 0, "Available", "true", yes, "")
	states := v201.ConnectorStatusEnum("").Values()
	ro("ChargingStation", 0, 0, "AvailabilityState", "Available", v201.DataOptionList, "").list = states
	ro("ChargingStation", 0, 0, "SupplyPhases", itoa(max(cfg.Rating.Phases, 1)), num, "")
	ro("ChargingStation", 0, 0, "Model", cfg.Model, text, "")
	ro("ChargingStation", 0, 0, "VendorName", cfg.Vendor, text, "")
	ro("ChargingStation", 0, 0, "SerialNumber", cfg.Serial, text, "")
	ro("ChargingStation", 0, 0, "FirmwareVersion", cfg.Firmware, text, "")
	ro("SecurityCtrlr", 0, 0, "Identity", cfg.Identity, text, "")
	if cfg.Control {
		ro("LocalController", 0, 0, "Enabled", "true", yes, "")
		ro("LocalController", 0, 0, "Identity", cfg.Identity, text, "")
		ro("LocalController", 0, 0, "Manufacturer", cfg.Vendor, text, "")
		ro("LocalController", 0, 0, "Model", cfg.Model, text, "")
		ro("LocalController", 0, 0, "ChargingStation", strings.Join(cfg.Chain, ","), v201.DataMemberList, "").list = cfg.Chain
	}
	if slices.ContainsFunc(cfg.EVSEs, func(e EVSEConfig) bool { return e.Signs }) { // where no meter signs, these are not there
		for _, line := range strings.Split(strings.TrimSpace(signingVariables), "\n") {
			m.add(parseVariable(line))
		}
	}
	if len(cfg.EVSEs) > 0 && !slices.ContainsFunc(cfg.EVSEs, func(e EVSEConfig) bool { return !e.DC }) {
		v := m.byName["smartchargingctrlr.rateunit"]
		v.value, v.list = "W", []string{"W"}
	}
	for i, e := range cfg.EVSEs {
		n := i + 1
		if e.Signs {
			ro("FiscalMetering", n, 0, "PublicKey", base64.StdEncoding.EncodeToString(e.PublicKey), text, "")
		}
		phases := itoa(max(e.Rating.Phases, 1))
		if e.DC {
			phases = "0"
		}
		ro("EVSE", n, 0, "Available", "true", yes, "")
		ro("EVSE", n, 0, "AvailabilityState", "Available", v201.DataOptionList, "").list = states
		ro("EVSE", n, 0, "SupplyPhases", phases, num, "")
		ro("EVSE", n, 0, "AllowReset", "true", yes, "")
		ro("EVSE", n, 0, "Problem", "false", yes, "")
		p := ro("EVSE", n, 0, "Power", "0", v201.DataDecimal, "W")
		p.hi = float64(e.Rating.Power)
		if p.hi == 0 {
			p.hi = float64(e.Rating.Max) * 230 * float64(max(e.Rating.Phases, 1))
		}
		ro("Connector", n, 1, "Available", "true", yes, "")
		ro("Connector", n, 1, "AvailabilityState", "Available", v201.DataOptionList, "").list = states
		ro("Connector", n, 1, "ConnectorType", e.ConnectorType, text, "")
		ro("Connector", n, 1, "SupplyPhases", phases, num, "")
		if e.Socket {
			ro(retentionLock, n, 1, "Available", "true", yes, "")
			ro(retentionLock, n, 1, "Problem", "false", yes, "")
		}
		sw := ro("SmartChargingCtrlr", n, 0, "ACPhaseSwitchingSupported", strconv.FormatBool(e.PhaseSwitch), yes, "")
		sw.evse = n
	}
	m.add(&variable{component: "EVSE", name: "AllowReset", value: "true", access: readOnly, kind: yes})
}

func (m *model) value(component, name string) string {
	if v := m.byName[fullName(component, name)]; v != nil {
		return v.value
	}
	return ""
}

func (m *model) set(component, name, value string) {
	if v := m.byName[fullName(component, name)]; v != nil {
		v.value = value
	}
}

func (m *model) flag(component, name string) bool { return m.value(component, name) == "true" }

func (m *model) number(component, name string) int {
	n, _ := strconv.Atoi(m.value(component, name))
	return n
}

func (m *model) decimal(component, name string) float64 {
	x, _ := strconv.ParseFloat(m.value(component, name), 64)
	return x
}

func (m *model) seconds(component, name string) time.Duration {
	return time.Duration(m.number(component, name)) * time.Second
}

// key is the name of a variable in the database.
func (v *variable) key() string {
	return strings.Join([]string{v.component, v.instance, itoa(v.evse), itoa(v.connector), v.name, v.varInstance}, ":")
}

func (m *model) restore(key, value string) {
	for _, v := range m.vars {
		if v.key() == key && !v.fixed {
			v.value = value
		}
	}
}

// lookup finds a variable; hasComponent tells an unknown variable from an unknown component.
func (m *model) lookup(c *v201.Component, name *v201.Variable) (v *variable, hasComponent bool) {
	evse, connector := 0, 0
	if c.Evse != nil {
		evse = c.Evse.Id
		if c.Evse.ConnectorId != nil {
			connector = *c.Evse.ConnectorId
		}
	}
	for _, v := range m.vars {
		if !strings.EqualFold(v.component, c.Name) || !strings.EqualFold(v.instance, c.Instance) || v.evse != evse || v.connector != connector {
			continue
		}
		hasComponent = true
		if strings.EqualFold(v.name, name.Name) && strings.EqualFold(v.varInstance, name.Instance) {
			return v, true
		}
	}
	return nil, hasComponent
}

// accepts checks a new value against type, limits and list; the text is a reason code.
func (v *variable) accepts(value string) string {
	switch v.kind {
	case v201.DataBoolean:
		if value != "true" && value != "false" {
			return "InvalidValue"
		}
	case v201.DataInteger, v201.DataDecimal:
		n, err := strconv.ParseFloat(value, 64)
		if err != nil || !plainNumber(value, v.kind == v201.DataInteger) { // B05.FR.07
			return "InvalidValue"
		}
		if v.hi > v.lo && n < v.lo {
			return "ValueTooLow"
		}
		if v.hi > v.lo && n > v.hi {
			return "ValueTooHigh"
		}
		if v.hi <= v.lo && n < 0 {
			return "ValuePositiveOnly"
		}
	case v201.DataOptionList:
		if v.list != nil && !slices.Contains(v.list, value) {
			return "InvalidValue"
		}
	case v201.DataMemberList, v201.DataSequenceList:
		for _, x := range strings.Split(value, ",") {
			if v.list != nil && x != "" && !slices.Contains(v.list, strings.TrimSpace(x)) {
				return "InvalidValue"
			}
		}
	default:
		if v.hi > 0 && (float64(len(value)) < v.lo || float64(len(value)) > v.hi) {
			return "InvalidValue"
		}
	}
	return ""
}

// plainNumber tells whether a number is written as the standard has it (part 2, 2.1.4): no plus sign, no zeros in front, no exponent;
// an integer has 32 bits.
func plainNumber(text string, whole bool) bool {
	digits, fraction, point := strings.Cut(strings.TrimPrefix(text, "-"), ".")
	plain := func(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
	if !plain(digits) || len(digits) > 1 && digits[0] == '0' || point && !plain(fraction) {
		return false
	}
	if whole {
		_, err := strconv.ParseInt(text, 10, 32)
		return err == nil
	}
	return true
}
