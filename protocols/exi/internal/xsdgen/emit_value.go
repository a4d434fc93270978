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

// decodeValue returns the expression that reads a simple value.
func (p *Package) decodeValue(t *Type, attr bool) string {
	s := t.Simple
	name, args := method(s)
	if attr {
		name += "Attr"
	}
	call := "d." + name + "(" + strings.Join(args, ", ") + ")"
	switch {
	case s.Enum != nil:
		return p.goSimple(s) + "(" + call + ")"
	case s.Primitive == Int:
		switch goType := p.goSimple(s); {
		case name == "Ranged" || name == "RangedAttr":
			return goType + "(" + call + ")"
		case strings.HasPrefix(name, "Unsigned") && goType != "uint64", strings.HasPrefix(name, "Signed") && goType != "int64":
			return goType + "(" + call + ")"
		}
	}
	return call
}

// encodeValue returns the statement that writes a simple value.
func (p *Package) encodeValue(t *Type, v string, attr bool) string {
	s := t.Simple
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
	if attr {
		name += "Attr"
	}
	return "e." + name + "(" + strings.Join(append([]string{v}, args...), ", ") + ")"
}
