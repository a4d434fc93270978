package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// kinds of a field
const (
	kindString = "string"
	kindInt    = "int"
	kindFloat  = "float64"
	kindBool   = "bool"
	kindTime   = "time.Time"
	kindAny    = "wire.Raw"
	kindCustom = "custom"
	kindEnum   = "enum"
	kindStruct = "struct"
)

type field struct {
	name, goName string
	kind         string
	typ          string // Go type of an enum or struct
	array        bool
	required     bool
	maxLength    int // characters, 0 for any
	minItems     int
	maxItems     int // -1 for any
	lo, hi       *float64
	tenths       bool
}

type structType struct {
	name   string
	fields []field
	action string // of a request or response
	users  []string
	file   string
}

type enumType struct {
	name   string
	prefix string // of its constants
	values []string
	users  []string
	file   string
}

type model struct {
	version string
	structs map[string]*structType
	enums   map[string]*enumType
	actions []string
	sends   map[string]bool // actions without a response (SEND)
	inline  map[string]string
}

func newModel(version string) *model {
	return &model{version: version, structs: map[string]*structType{}, enums: map[string]*enumType{},
		sends: map[string]bool{}, inline: map[string]string{}}
}

// load adds the message of one schema file.
func (m *model) load(path string) error {
	s, err := readSchema(path)
	if err != nil {
		return err
	}
	name := strings.TrimSuffix(filepath.Base(path), ".json")
	action, isResponse := strings.CutSuffix(name, "Response")
	if !isResponse {
		action = strings.TrimSuffix(name, "Request")
		m.actions = append(m.actions, action)
		if m.version != "1.6" && action == name {
			m.sends[action] = true
		}
		name = action + "Request"
	}
	l := loader{model: m, root: s, action: action}
	st, err := l.object(name, s)
	if err == nil && st != nil {
		st.action = action
	}
	return err
}

// loader converts one schema file.
type loader struct {
	*model
	root   *schema
	action string
}

func (l *loader) object(name string, s *schema) (*structType, error) {
	if have := l.structs[name]; have != nil {
		have.users = append(have.users, l.action)
		for _, p := range s.Properties { // marks the types below as used here, too
			if _, err := l.field(name, p, s.requires(p.name)); err != nil {
				return nil, err
			}
		}
		return have, nil
	}
	st := &structType{name: name, users: []string{l.action}}
	l.structs[name] = st
	for _, p := range s.Properties {
		f, err := l.field(name, p, s.requires(p.name))
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", name, p.name, err)
		}
		st.fields = append(st.fields, f)
	}
	return st, nil
}

func (l *loader) field(parent string, p property, required bool) (field, error) {
	f := field{name: p.name, goName: strings.ToUpper(p.name[:1]) + p.name[1:], required: required, maxItems: -1}
	s := p.schema
	if s.Type == "array" {
		f.array = true
		if s.MinItems != nil {
			f.minItems = *s.MinItems
		}
		if s.MaxItems != nil {
			f.maxItems = *s.MaxItems
		}
		s = s.Items
	}
	defName := ""
	if s.Ref != "" {
		defName = strings.TrimPrefix(s.Ref, "#/definitions/")
		if s = l.root.Definitions[defName]; s == nil {
			return f, fmt.Errorf("no definition %s", defName)
		}
	}
	if defName == "CustomDataType" {
		f.kind = kindCustom
		return f, nil
	}
	switch s.Type {
	case "":
		f.kind = kindAny
	case "boolean":
		f.kind = kindBool
	case "integer":
		f.kind, f.lo, f.hi = kindInt, s.Minimum, s.Maximum
	case "number":
		f.kind, f.lo, f.hi, f.tenths = kindFloat, s.Minimum, s.Maximum, s.MultipleOf == 0.1
	case "string":
		switch {
		case len(s.Enum) > 0:
			f.kind = kindEnum
			f.typ = l.enum(parent, p.name, defName, s.Enum)
		case s.Format == "date-time":
			f.kind = kindTime
		default:
			f.kind = kindString
			if s.MaxLength != nil {
				f.maxLength = *s.MaxLength
			}
		}
	case "object":
		f.kind = kindStruct
		f.typ = l.structName(parent, p.name, defName, s)
		_, err := l.object(f.typ, s)
		return f, err
	default:
		return f, fmt.Errorf("type %q", s.Type)
	}
	return f, nil
}

func (l *loader) enum(parent, prop, def string, values []string) string {
	name := strings.TrimSuffix(def, "Type")
	if def == "" {
		name = l.inlineName(parent, prop, strings.Join(values, ",")) + "Enum"
	} else if !strings.HasSuffix(name, "Enum") {
		name += "Enum"
	}
	if e := l.enums[name]; e != nil {
		e.users = append(e.users, l.action)
		for _, v := range values {
			if !slices.Contains(e.values, v) {
				e.values = append(e.values, v)
			}
		}
		return name
	}
	l.enums[name] = &enumType{name: name, prefix: strings.TrimSuffix(name, "Enum"), values: slices.Clone(values), users: []string{l.action}}
	return name
}

func (l *loader) structName(parent, prop, def string, s *schema) string {
	if def != "" {
		return strings.TrimSuffix(def, "Type")
	}
	shape := ""
	for _, p := range s.Properties {
		shape += p.name + "," // in OCPP 1.6 equal names mean equal shapes
	}
	return l.inlineName(parent, prop, shape)
}

// inlineName names a type that the schema (of OCPP 1.6) defines in place, after its property; a second shape under the
// same property gets its message's name in front.
func (l *loader) inlineName(parent, prop, shape string) string {
	switch prop {
	case "csChargingProfiles":
		prop = "chargingProfile"
	case "transactionData":
		prop = "meterValue"
	case "localAuthorizationList":
		prop = "authorizationData"
	case "configurationKey":
		prop = "keyValue"
	}
	name := strings.ToUpper(prop[:1]) + prop[1:]
	if prop == "status" || prop == "type" {
		name = strings.TrimSuffix(strings.TrimSuffix(parent, "Request"), "Response") + name
		if strings.HasSuffix(parent, "Response") {
			name = strings.TrimSuffix(parent, "Response") + "Response" + strings.ToUpper(prop[:1]) + prop[1:]
		}
	}
	if have, ok := l.inline[name]; ok && have != shape {
		name = parent + name
	}
	l.inline[name] = shape
	return name
}
