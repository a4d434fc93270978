package registermap

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/voltyard/voltyard/hal/metering"
)

// Map says where a meter keeps its values.
type Map struct {
	Title     string                    `yaml:"title"`
	Function  int                       `yaml:"function"`
	Type      Type                      `yaml:"type"`
	WordOrder string                    `yaml:"word_order"`
	MaxRead   int                       `yaml:"max_read"` // registers in one request; default 60
	Values    map[metering.Value]Source `yaml:"values"`

	fast, slow []block
}

// Source is where a value stands. The value is the register's content times Scale.
type Source struct {
	At    uint16  `yaml:"at"` // address of its first register, counted from 0
	Type  Type    `yaml:"type"`
	Scale float64 `yaml:"scale"` // default 1; a negative one turns the sign
}

// block is registers read with one request.
type block struct {
	at     uint16
	n      int
	values []metering.Value
}

// Parse reads and checks a map.
func Parse(text []byte) (*Map, error) {
	m := &Map{}
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(m); err != nil {
		return nil, fmt.Errorf("register map: %s", yaml.FormatError(err, false, true))
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("register map %q: %w", m.Title, err)
	}
	m.fast, m.slow = m.blocks(false), m.blocks(true)
	return m, nil
}

func (m *Map) check() error {
	if m.Function != 3 && m.Function != 4 {
		return fmt.Errorf("function %d: want 3 (holding registers) or 4 (input registers)", m.Function)
	}
	switch m.WordOrder {
	case "":
		m.WordOrder = "big"
	case "big", "little":
	default:
		return fmt.Errorf("word_order %q: want big or little", m.WordOrder)
	}
	if m.MaxRead == 0 {
		m.MaxRead = 60
	}
	if m.MaxRead < 4 || m.MaxRead > 125 {
		return fmt.Errorf("max_read %d: want 4 to 125", m.MaxRead)
	}
	for v, s := range m.Values {
		if !slices.Contains(metering.Names(), v) {
			return fmt.Errorf("value %q: want one of %v", v, metering.Names())
		}
		if s.Type == "" {
			s.Type = m.Type
		}
		if s.Scale == 0 {
			s.Scale = 1
		}
		if s.Type.words() == 0 {
			return fmt.Errorf("%s: type %q: want one of u16, s16, u32, s32, u64, s64, float32, float64", v, s.Type)
		}
		if int(s.At)+s.Type.words() > 1<<16 {
			return fmt.Errorf("%s: at %d is past the last register", v, s.At)
		}
		m.Values[v] = s
	}
	return metering.Complete(m.has)
}

func (m *Map) has(v metering.Value) bool {
	_, ok := m.Values[v]
	return ok
}

// blocks joins registers that stand side by side. Gaps are not read: many meters refuse a request that touches one.
func (m *Map) blocks(slow bool) []block {
	var vs []metering.Value
	for v := range m.Values {
		if v.Slow() == slow {
			vs = append(vs, v)
		}
	}
	slices.SortFunc(vs, func(a, b metering.Value) int {
		if d := int(m.Values[a].At) - int(m.Values[b].At); d != 0 {
			return d
		}
		return strings.Compare(string(a), string(b))
	})
	var out []block
	for _, v := range vs {
		s := m.Values[v]
		end := int(s.At) + s.Type.words()
		if k := len(out) - 1; k >= 0 {
			if b := &out[k]; int(s.At) <= int(b.at)+b.n && end-int(b.at) <= m.MaxRead {
				b.n = max(b.n, end-int(b.at))
				b.values = append(b.values, v)
				continue
			}
		}
		out = append(out, block{s.At, s.Type.words(), []metering.Value{v}})
	}
	return out
}
