package replay

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/voltyard/voltyard/site/plan"
)

// Site is a network file: the legs EVSEs are connected to, and what bounds their currents.
type Site struct {
	Name     string
	Volts    float64 // that an EVSE's current is multiplied with
	MaxPower float64 // kW of an EVSE
	legs     []leg
	groups   []group
	lines    []line
	place    map[string][]int // EVSE -> groups
}

type leg struct {
	name  string
	angle float64 // radians
}

type group struct {
	name  string
	limit expr // of a pod
	pod   bool
}

type line struct {
	name   string
	re, im []float64 // per leg
	limit  expr
}

// expr is a product of numbers and capacity_kw, as the network file writes it.
type expr struct {
	factor   float64
	capacity int // power of capacity_kw
}

func (e expr) at(capacityKW float64) float64 {
	return e.factor * math.Pow(capacityKW, float64(e.capacity))
}

// ParseSite reads a network file (JSON): legs with angle and EVSEs, sum constraints with a fixed limit, and phasor
// magnitude constraints whose lines are combinations of legs or of lines named before.
func ParseSite(data []byte) (*Site, error) {
	var f struct {
		Name  string  `json:"name"`
		Volts float64 `json:"voltage_line_to_line_v"`
		Power float64 `json:"evse_max_power_kw"`
		Legs  map[string]struct {
			Angle float64  `json:"angle_deg"`
			EVSEs []string `json:"evses"`
		} `json:"legs"`
		Constraints []struct {
			Name  string            `json:"name"`
			Kind  string            `json:"kind"`
			Limit json.RawMessage   `json:"limit_a"`
			EVSEs []string          `json:"evses"`
			Lines map[string]string `json:"lines"`
		} `json:"constraints"`
	}
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("network file: %w", err)
	}
	s := &Site{Name: f.Name, Volts: f.Volts, MaxPower: f.Power, place: map[string][]int{}}
	if !(s.Volts > 0) || !(s.MaxPower > 0) || len(f.Legs) == 0 {
		return nil, fmt.Errorf("network file: voltage_line_to_line_v, evse_max_power_kw and legs must be given")
	}
	known := map[string][]complex128{}
	for _, name := range sortedKeys(f.Legs) {
		s.legs = append(s.legs, leg{name, f.Legs[name].Angle * math.Pi / 180})
		s.groups = append(s.groups, group{name: name})
		for _, e := range f.Legs[name].EVSEs {
			if s.place[e] != nil {
				return nil, fmt.Errorf("network file: %s is on two legs", e)
			}
			s.place[e] = []int{len(s.legs) - 1}
		}
	}
	for i, l := range s.legs {
		v := make([]complex128, len(s.legs))
		v[i] = complex(math.Cos(l.angle), math.Sin(l.angle))
		known[l.name] = v
	}
	for _, c := range f.Constraints {
		limit, err := parseLimit(c.Limit)
		if err != nil {
			return nil, fmt.Errorf("network file: constraint %q: %w", c.Name, err)
		}
		if len(c.Lines) == 0 {
			s.groups = append(s.groups, group{name: c.Name, limit: limit, pod: true})
			for _, e := range c.EVSEs {
				if s.place[e] == nil {
					return nil, fmt.Errorf("network file: constraint %q: %s is on no leg", c.Name, e)
				}
				s.place[e] = append(s.place[e], len(s.groups)-1)
			}
			continue
		}
		lines := map[string][]complex128{}
		for _, name := range sortedKeys(c.Lines) {
			v, err := combination(c.Lines[name], known, len(s.legs))
			if err != nil {
				return nil, fmt.Errorf("network file: constraint %q line %s: %w", c.Name, name, err)
			}
			lines[name] = v
			l := line{name: c.Name + " " + name, limit: limit}
			for _, z := range v {
				l.re, l.im = append(l.re, real(z)), append(l.im, imag(z))
			}
			s.lines = append(s.lines, l)
		}
		for name, v := range lines {
			known[name] = v
		}
	}
	return s, nil
}

// At returns the network at a capacity.
func (s *Site) At(capacityKW float64) (*plan.Network, error) {
	n := &plan.Network{Groups: len(s.groups)}
	for _, l := range s.lines {
		c := plan.Cone{Name: l.name, Re: make([]float64, n.Groups), Im: make([]float64, n.Groups), Limit: l.limit.at(capacityKW)}
		copy(c.Re, l.re)
		copy(c.Im, l.im)
		n.Cones = append(n.Cones, c)
		if !(c.Limit > 0) {
			return nil, fmt.Errorf("capacity %v kW gives %s no room", capacityKW, l.name)
		}
	}
	for g, gr := range s.groups {
		if gr.pod {
			r := plan.Row{Name: gr.name, Coef: make([]float64, n.Groups), Limit: gr.limit.at(capacityKW)}
			r.Coef[g] = 1
			n.Rows = append(n.Rows, r)
			if !(r.Limit > 0) {
				return nil, fmt.Errorf("capacity %v kW gives %s no room", capacityKW, gr.name)
			}
		}
	}
	return n, nil
}

// Parts returns the groups of an EVSE; nil if the file does not have it.
func (s *Site) Parts(evse string) []plan.Part {
	var p []plan.Part
	for _, g := range s.place[evse] {
		p = append(p, plan.Part{Group: g, Coef: 1})
	}
	return p
}

// MaxAmps is the largest current of an EVSE.
func (s *Site) MaxAmps() float64 { return s.MaxPower * 1000 / s.Volts }

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func parseLimit(raw json.RawMessage) (expr, error) {
	var n float64
	if json.Unmarshal(raw, &n) == nil {
		return expr{factor: n}, nil
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return expr{}, fmt.Errorf("limit_a is neither a number nor a text")
	}
	e := expr{factor: 1}
	divide := false
	for rest := s; rest != ""; {
		i := strings.IndexAny(rest, "*/")
		word := rest
		if i >= 0 {
			word = rest[:i]
		}
		if word = strings.TrimSpace(word); word == "capacity_kw" {
			e.capacity++
			if divide {
				e.capacity -= 2
			}
		} else if v, err := strconv.ParseFloat(word, 64); err != nil || v == 0 {
			return expr{}, fmt.Errorf("limit_a %q: want numbers and capacity_kw joined by * and /", s)
		} else if divide {
			e.factor /= v
		} else {
			e.factor *= v
		}
		if i < 0 {
			break
		}
		divide, rest = rest[i] == '/', rest[i+1:]
	}
	return e, nil
}

// combination reads sums and differences of known names, in brackets with a divisor if need be: "AB-CA", "(A-C)/4".
func combination(s string, known map[string][]complex128, n int) ([]complex128, error) {
	scale := 1.0
	body := strings.ReplaceAll(s, " ", "")
	if strings.HasPrefix(body, "(") {
		inner, tail, ok := strings.Cut(body[1:], ")")
		if !ok {
			return nil, fmt.Errorf("%q: a bracket is open", s)
		}
		if tail != "" {
			d, err := strconv.ParseFloat(strings.TrimPrefix(tail, "/"), 64)
			if err != nil || d == 0 {
				return nil, fmt.Errorf("%q: want a number after the slash", s)
			}
			scale = 1 / d
		}
		body = inner
	}
	out := make([]complex128, n)
	sign := scale
	for body != "" {
		switch body[0] {
		case '-':
			sign, body = -scale, body[1:]
		case '+':
			sign, body = scale, body[1:]
		}
		i := strings.IndexAny(body, "+-")
		word := body
		if i >= 0 {
			word, body = body[:i], body[i:]
		} else {
			body = ""
		}
		v, ok := known[word]
		if !ok {
			return nil, fmt.Errorf("%q: %q is neither a leg nor a line named before", s, word)
		}
		for k := range out {
			out[k] += complex(sign, 0) * v[k]
		}
	}
	return out, nil
}
