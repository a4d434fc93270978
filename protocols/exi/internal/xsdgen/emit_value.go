package xsdgen

import (
	"fmt"
	"math/big"
	"strings"
)

// method names the runtime's reader or writer for a simple type, with the
// arguments that follow the value.
func method(s *Simple) (name string, args []string) {
	switch {
	case s.Enum != nil:
		return "Enum", []string{fmt.Sprint(len(s.Enum))}
	case s.Primitive == Boolean:
		return "Bool", nil
	case s.Primitive == String:
		return "Text", nil
	case s.Primitive == Binary:
		if s.Hex && s.MaxLen > 0 && s.MaxLen <= 8 {
			return "Short", nil
		}
		return "Binary", nil
	}
	if ranged(s) {
		return "Ranged", []string{s.Min.String(), s.Max.String()}
	}
	switch {
	case s.Min != nil && s.Min.Sign() >= 0:
		return "Unsigned", []string{goLimits[goInt(s)][1]}
	case s.Min == nil || s.Max == nil:
		return "Integer", nil
	}
	l := goLimits[goInt(s)]
	return "Signed", l[:]
}

// ranged reports whether an integer is written as an offset with a fixed
// number of bits: when it has at most 4096 values.
func ranged(s *Simple) bool {
	if s.Primitive != Int || s.Min == nil || s.Max == nil {
		return false
	}
	return new(big.Int).Sub(s.Max, s.Min).Cmp(big.NewInt(4096)) < 0
}

var goLimits = map[string][2]string{
	"int64":  {"-1<<63", "1<<63-1"},
	"int32":  {"-1<<31", "1<<31-1"},
	"int16":  {"-1<<15", "1<<15-1"},
	"int8":   {"-1<<7", "1<<7-1"},
	"uint64": {"0", "1<<64-1"},
	"uint32": {"0", "1<<32-1"},
	"uint16": {"0", "1<<16-1"},
	"uint8":  {"0", "1<<8-1"},
}

func goInt(s *Simple) string {
	return (*Package)(nil).goSimple(&Simple{Primitive: Int, Builtin: s.Builtin})
}

// decodeValue returns the expression that reads the simple value of an element
// or attribute.
func (p *Package) decodeValue(t *Type, element string, attr bool) string {
	if attr {
		return p.decodeCall(t, "", "Attr", element)
	}
	return p.decodeCall(t, "", "", element)
}

// decodeNext returns the expression that reads a required simple element with
// its start event.
func (p *Package) decodeNext(t *Type, element, site string) string {
	return p.decodeCall(t, "Next", "", element, site)
}

func (p *Package) decodeCall(t *Type, prefix, suffix, element string, site ...string) string {
	s := t.Simple
	if s.Primitive == List {
		item := p.decodeCall(&Type{Simple: s.Item}, "", "Attr", element)
		args := append([]string{"d", fmt.Sprintf("%q", element)}, site...)
		return fmt.Sprintf("exi.%sList%s(%s, func(d *exi.Decoder) %s { return %s })",
			prefix, suffix, strings.Join(args, ", "), p.goSimple(s.Item), item)
	}
	name, args := method(s)
	args = append(append([]string{fmt.Sprintf("%q", element)}, args...), site...)
	call := "d." + prefix + name + suffix + "(" + strings.Join(args, ", ") + ")"
	switch {
	case s.Enum != nil:
		return p.goSimple(s) + "(" + call + ")"
	case s.Primitive == Int:
		switch goType := p.goSimple(s); {
		case name == "Ranged":
			return goType + "(" + call + ")"
		case name == "Unsigned" && goType != "uint64", name == "Signed" && goType != "int64":
			return goType + "(" + call + ")"
		}
	}
	return call
}

// encodeValue returns the statement that writes the simple value of an element
// or attribute.
func (p *Package) encodeValue(t *Type, element, v string, attr bool) string {
	if attr {
		return p.encodeCall(t, "", "Attr", element, v)
	}
	return p.encodeCall(t, "", "", element, v)
}

// encodeNext returns the statement that writes a required simple element with
// its start event, where the runtime has a method for it, or "".
func (p *Package) encodeNext(t *Type, element, v string) string {
	if t.Simple.Primitive == List {
		return ""
	}
	switch name, _ := method(t.Simple); name {
	case "Bool", "Enum", "Ranged", "Unsigned", "Signed":
		return p.encodeCall(t, "Next", "", element, v)
	}
	return ""
}

func (p *Package) encodeCall(t *Type, prefix, suffix, element, v string) string {
	s := t.Simple
	if s.Primitive == List {
		item := p.encodeCall(&Type{Simple: s.Item}, "", "Attr", element, "v")
		return fmt.Sprintf("exi.PutList%s(e, %s, func(e *exi.Encoder, v %s) { %s })", suffix, v, p.goSimple(s.Item), item)
	}
	name, args := method(s)
	switch {
	case s.Enum != nil:
		v = "uint8(" + v + ")"
	case name == "Ranged":
		v = "int(" + v + ")"
	case name == "Unsigned":
		args = nil
		if p.goSimple(s) != "uint64" {
			v = "uint64(" + v + ")"
		}
	case name == "Signed":
		args = nil
		if p.goSimple(s) != "int64" {
			v = "int64(" + v + ")"
		}
	}
	args = append([]string{fmt.Sprintf("%q", element), v}, args...)
	return "e." + prefix + name + suffix + "(" + strings.Join(args, ", ") + ")"
}
