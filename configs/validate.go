package configs

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/topology"
)

var (
	nameRule     = regexp.MustCompile(`^[A-Za-z0-9_-]{1,36}$`)
	identityRule = regexp.MustCompile(`^[A-Za-z0-9*_=+|@.-]{1,48}$`) // identifierString of OCPP 2.0.1 without the colon
)

type checker struct{ problems []*Problem }

func (c *checker) add(path, advice, format string, args ...any) {
	c.problems = append(c.problems, &Problem{Path: path, Text: fmt.Sprintf(format, args...), Advice: advice})
}

// validate finds all mistakes that the types alone do not exclude.
func (s *Site) validate() []*Problem {
	c := &checker{}
	c.enums("$", reflect.ValueOf(s).Elem())
	c.numbers("$", reflect.ValueOf(s).Elem())
	if len(c.problems) > 0 {
		return c.problems // the rest would only repeat them
	}
	c.info(s)
	c.names(s)
	c.files(s)
	c.addresses(s)
	c.ports(s)
	c.meters(s)
	c.energy(s)
	if len(c.problems) == 0 {
		c.tree(s) // it builds on what the others have checked
	}
	return c.problems
}

func (c *checker) info(s *Site) {
	if !nameRule.MatchString(s.Site.ID) {
		c.add("$.site.id", "choose a short name such as depot-north", "site id %q: want 1 to 36 letters, digits, - or _", s.Site.ID)
	}
	if _, err := time.LoadLocation(s.Site.TimeZone); err != nil {
		c.add("$.site.time_zone", "use an IANA name such as Europe/Berlin", "time zone %q is not known", s.Site.TimeZone)
	}
	if s.Site.Phases != 1 && s.Site.Phases != 3 {
		c.add("$.site.phases", "", "a site has 1 or 3 phases, not %d", s.Site.Phases)
	}
	if s.Site.VoltageV < 90 || s.Site.VoltageV > 420 {
		c.add("$.site.voltage_v", "give the voltage from phase to neutral, 230 in most of the world", "%g V is no phase voltage", s.Site.VoltageV)
	}
}

func (c *checker) names(s *Site) {
	seen := map[string]string{}
	unique := func(kind, id, path string, rule *regexp.Regexp) {
		if !rule.MatchString(id) {
			c.add(path, "", "%s id %q: want letters, digits, - or _", kind, id)
		} else if other := seen[kind+id]; other != "" {
			c.add(path, "choose another name", "%s %s stands at %s already", kind, id, other)
		}
		seen[kind+id] = path
	}
	meters := map[string]bool{}
	for i, m := range s.Meters {
		unique("meter", m.ID, fmt.Sprintf("$.meters[%d].id", i), nameRule)
		meters[m.ID] = true
	}
	used := map[string]bool{}
	for i, n := range s.Nodes {
		if n.Meter != "" && !meters[n.Meter] {
			c.add(fmt.Sprintf("$.nodes[%d].meter", i), "list it under meters:", "there is no meter %s", n.Meter)
		}
		if n.Meter != "" && used[n.Meter] {
			c.add(fmt.Sprintf("$.nodes[%d].meter", i), "a meter measures one node", "meter %s is used twice", n.Meter)
		}
		used[n.Meter] = true
	}
	for i, e := range s.EVSEs {
		path := fmt.Sprintf("$.evses[%d]", i)
		unique("evse", e.ID, path+".id", nameRule)
		if !identityRule.MatchString(e.Station) {
			c.add(path+".station", "", "station %q is no OCPP identity: 1 to 48 letters, digits and .*-_=+|@", e.Station)
		}
		switch {
		case e.Type == "ac" && e.MaxA < 6:
			c.add(path+".max_a", "give max_a of at least 6", "an AC EVSE cannot offer less than 6 A, and %g A is its maximum", e.MaxA)
		case e.Type == "ac" && (e.MaxW != 0 || e.FloorW != nil):
			c.add(path+".max_w", "use max_a and floor_a", "an AC EVSE is limited in A, not W")
		case e.Type == "dc" && e.Cable == "socket":
			c.add(path+".cable", "leave it out", "a DC EVSE has an attached cable (IEC 61851-23), no socket")
		case e.Type == "dc" && e.MaxW <= 0:
			c.add(path+".max_w", "give max_w, what it draws from the grid at most", "a DC EVSE needs a maximum power")
		case e.Type == "dc" && (e.MaxA != 0 || e.FloorA != nil):
			c.add(path+".max_a", "use max_w and floor_w", "a DC EVSE is limited in W, not A")
		}
	}
	if st := s.Stations; st != nil {
		for i, x := range st.List {
			unique("station", x.ID, fmt.Sprintf("$.stations.list[%d].id", i), identityRule)
			for _, e := range s.EVSEs {
				if e.Station == x.ID {
					c.add(fmt.Sprintf("$.stations.list[%d].id", i), "choose another", "identity %s is that of the site's own EVSE %s", x.ID, e.ID)
				}
			}
		}
		for _, b := range []struct {
			key  string
			v    int
			most int
		}{{"frame_bytes", st.Bounds.FrameBytes, 16 << 20}, {"frames_per_s", st.Bounds.FramesPerS, 10000}, {"connections", st.Bounds.Connections, 100000},
			{"handshakes_per_s", st.Bounds.HandshakesPer, 10000}, {"queue_bytes", st.Bounds.QueueBytes, 1 << 30}} {
			if b.v < 1 || b.v > b.most {
				c.add("$.stations.bounds."+b.key, "leave it out for the default", "%d is not between 1 and %d", b.v, b.most)
			}
		}
		for i, x := range st.List {
			if x.EVSEs < 1 || x.EVSEs > 60 {
				c.add(fmt.Sprintf("$.stations.list[%d].evses", i), "write how many EVSEs the station has", "%d is not between 1 and 60", x.EVSEs)
			}
		}
		if st.MaxOthers < 0 || st.MaxOthers > 200 {
			c.add("$.stations.max_others", "each has its fallback reserved; most sites need fewer than ten", "%d is not between 0 and 200", st.MaxOthers)
		}
		if st.Accept == "any" && st.Node == "" {
			c.add("$.stations.accept", "give stations.node", "stations that are not listed need a node to hang on")
		}
	}
	for i, l := range s.Limits {
		unique("limit source", l.Source, fmt.Sprintf("$.limits[%d].source", i), nameRule)
		if f := l.Failsafe; f != nil {
			if f.Node != "" && !slices.ContainsFunc(s.Nodes, func(n Node) bool { return n.ID == f.Node }) {
				c.add(fmt.Sprintf("$.limits[%d].failsafe.node", i), "", "there is no node %s", f.Node)
			}
			if f.ImportW == nil && f.ExportW == nil && f.CurrentA == nil {
				c.add(fmt.Sprintf("$.limits[%d].failsafe", i), "give import_w, export_w or current_a", "the failsafe states nothing")
			}
		}
	}
}

func (c *checker) files(s *Site) {
	file := func(path, name string) {
		if name == "" {
			return
		}
		if _, err := os.Stat(name); err != nil {
			c.add(path, "create it, or correct the name", "file %s: %v", name, errors.Unwrap(err))
		}
	}
	pair := func(path, cert, key string) {
		if (cert == "") != (key == "") {
			c.add(path, "give both cert_file and key_file", "a client certificate needs its key")
		}
	}
	if m := s.MQTT; m != nil {
		file("$.mqtt.password_file", m.PasswordFile)
		file("$.mqtt.ca_file", m.CAFile)
		file("$.mqtt.cert_file", m.CertFile)
		file("$.mqtt.key_file", m.KeyFile)
		pair("$.mqtt.cert_file", m.CertFile, m.KeyFile)
	}
	if m := s.CSMS; m != nil {
		file("$.csms.password_file", m.PasswordFile)
		file("$.csms.ca_file", m.CAFile)
		file("$.csms.cert_file", m.CertFile)
		file("$.csms.key_file", m.KeyFile)
		pair("$.csms.cert_file", m.CertFile, m.KeyFile)
	}
	for i := range s.EVSEs {
		if s.EVSEs[i].Port != nil {
			c.vehicles(&s.EVSEs[i], fmt.Sprintf("$.evses[%d].port", i), file)
		}
	}
	if s.Stations != nil {
		c.listeners(s.Stations, file)
		for i, x := range s.Stations.List {
			file(fmt.Sprintf("$.stations.list[%d].password_file", i), x.PasswordFile)
		}
	}
	c.firmware(s, file)
	file("$.http.token_file", s.HTTP.TokenFile)
}

func (c *checker) addresses(s *Site) {
	host, _, err := net.SplitHostPort(s.HTTP.Listen)
	if err != nil {
		c.add("$.http.listen", "write it as 127.0.0.1:8080", "%q is no address", s.HTTP.Listen)
	} else if ip := net.ParseIP(host); s.HTTP.TokenFile == "" && (ip == nil || !ip.IsLoopback()) && host != "localhost" {
		c.add("$.http.listen", "give http.token_file, or listen on 127.0.0.1", "the API on %s would be open to the network", s.HTTP.Listen)
	}
	scheme := func(path, addr string, want ...string) {
		u, err := url.Parse(addr)
		if err != nil || u.Host == "" || !slices.Contains(want, u.Scheme) {
			c.add(path, "write it as "+want[0]+"://host:port", "%q is no address of the kind %s", addr, strings.Join(want, ", "))
		}
	}
	if s.CSMS != nil {
		scheme("$.csms.url", s.CSMS.URL, "wss", "ws")
		if !identityRule.MatchString(s.CSMS.Identity) {
			c.add("$.csms.identity", "", "%q is no OCPP identity: 1 to 48 letters, digits and .*-_=+|@", s.CSMS.Identity)
		}
	}
	if s.MQTT != nil {
		scheme("$.mqtt.url", s.MQTT.URL, "tcp", "ssl", "mqtt", "mqtts")
	}
	if s.Stations != nil {
		if _, _, err := net.SplitHostPort(s.Stations.Listen); err != nil && (s.Stations.Listen != "" || len(s.Stations.Listeners) == 0) {
			c.add("$.stations.listen", "write it as 0.0.0.0:9000", "%q is no address", s.Stations.Listen)
		}
		if s.CSMS == nil {
			c.add("$.stations", "add csms:", "third-party stations need a CSMS to be relayed to")
		}
	}
}

func (c *checker) ports(s *Site) {
	seen := map[string]string{}
	for i, e := range s.EVSEs {
		if e.Port == nil {
			continue
		}
		path := fmt.Sprintf("$.evses[%d].port", i)
		if e.Port.Interface == "" {
			c.add(path, "name the modem's network interface", "a port needs an interface")
		}
		if e.Port.SDPPort < 1 || e.Port.SDPPort > 65535 {
			c.add(path+".sdp_port", "", "%d is no UDP port", e.Port.SDPPort)
		}
		key := fmt.Sprintf("%s:%d", e.Port.Interface, e.Port.SDPPort)
		if other := seen[key]; other != "" {
			c.add(path, "each EVSE has an interface of its own; on lo, an sdp_port of its own", "interface and SDP port are those of EVSE %s", other)
		}
		seen[key] = e.ID
	}
}

// tree checks what package topology demands, and points its errors at lines.
func (c *checker) tree(s *Site) {
	if len(s.Nodes) == 0 {
		c.add("$.nodes", "begin with the grid connection: - id: root", "a site needs at least one node")
		return
	}
	desc, err := s.Topology()
	if err != nil {
		c.add("$.evses", "", "%v", err)
		return
	}
	_, err = topology.New(desc)
	var list topology.Errors
	if err == nil {
		return
	} else if !errors.As(err, &list) {
		c.add("$.nodes", "", "%v", err)
		return
	}
	for _, e := range list {
		c.add(s.where(e), e.Advice, "%s", (&topology.Error{Node: e.Node, EVSE: e.EVSE, Problem: e.Problem}).Error())
	}
}

// fields maps fields of package topology to keys of the file where they are not just in snake case.
var fields = map[string]string{
	"Fuse": "fuse_a", "MaxImport": "max_import_w", "MaxExport": "max_export_w", "Contract": "contract_w", "Imbalance": "imbalance_a",
	"React": "react_s", "Background": "background_a", "Max": "max_a", "Floor": "floor_a", "MaxPower": "max_w", "FloorPower": "floor_w",
	"MaxExportPower":   "export_w",
	"Station.Fallback": "fallback_a", "Fallback": "fallback_a", "Kind": "type", "Levels": "levels", "Station.Levels": "levels",
}

func (s *Site) where(e *topology.Error) string {
	key := fields[e.Field]
	if key == "" {
		key = strings.ToLower(e.Field)
	}
	if e.Node != "" {
		if i := slices.IndexFunc(s.Nodes, func(n Node) bool { return n.ID == e.Node }); i >= 0 {
			return fmt.Sprintf("$.nodes[%d].%s", i, key)
		}
	}
	if i := slices.IndexFunc(s.EVSEs, func(x EVSE) bool { return x.ID == e.EVSE }); i >= 0 {
		return fmt.Sprintf("$.evses[%d].%s", i, key)
	}
	if s.Stations != nil {
		if i := slices.IndexFunc(s.Stations.List, func(x Station) bool { return x.ID == e.EVSE }); i >= 0 {
			return fmt.Sprintf("$.stations.list[%d].%s", i, key)
		}
		if strings.HasPrefix(e.EVSE, OtherPrefix) {
			return "$.stations." + key
		}
	}
	return "$.nodes"
}

// enums checks each field with an enum tag.
func (c *checker) enums(path string, v reflect.Value) {
	walk(path, v, func(path string, f reflect.StructField, v reflect.Value) {
		tag := f.Tag.Get("enum")
		if tag == "" || v.Kind() != reflect.String {
			return
		}
		allowed := strings.Split(tag, ",")
		optional := strings.Contains(f.Tag.Get("yaml"), "omitempty") && v.String() == ""
		if !optional && !slices.Contains(allowed, v.String()) {
			c.add(path, "write one of "+strings.Join(allowed, ", "), "%q is not allowed here", v.String())
		}
	})
}

// numbers refuses values that are negative or no numbers; of a site file's numbers only prices may be negative.
func (c *checker) numbers(path string, v reflect.Value) {
	walk(path, v, func(path string, f reflect.StructField, v reflect.Value) {
		if f.Tag.Get("signed") != "" && v.Kind() == reflect.Float64 && si.Finite(v.Float()) {
			return
		}
		if pa, ok := v.Interface().(PhaseAmps); ok {
			if !si.Finite(pa[0], pa[1], pa[2]) || min(pa[0], pa[1], pa[2]) < 0 {
				c.add(path, "", "%v: currents are 0 or more", [3]float64(pa))
			}
			return
		}
		if v.Kind() == reflect.Float64 && (math.IsNaN(v.Float()) || math.IsInf(v.Float(), 0) || v.Float() < 0) {
			c.add(path, "", "%v: want a number of 0 or more", v.Float())
		}
	})
}

// walk visits every field of a struct and of what it holds.
func walk(path string, v reflect.Value, visit func(string, reflect.StructField, reflect.Value)) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		fv, p := v.Field(i), path+"."+name
		if fv.Kind() == reflect.Pointer {
			if fv.IsNil() {
				continue
			}
			fv = fv.Elem()
		}
		visit(p, f, fv)
		switch fv.Kind() {
		case reflect.Struct:
			walk(p, fv, visit)
		case reflect.Slice:
			for j := range fv.Len() {
				if fv.Index(j).Kind() == reflect.Struct {
					walk(fmt.Sprintf("%s[%d]", p, j), fv.Index(j), visit)
				}
			}
		}
	}
}
