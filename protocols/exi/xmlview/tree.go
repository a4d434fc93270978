// Package xmlview shows messages of the generated packages as XML or JSON and
// reads them back. It is for people and tools: the command line, the vector
// checks and the golden-file generator call it; no state machine does. It works
// by reflection over the struct tags the generator writes.
package xmlview

import (
	"encoding"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"reflect"
	"strings"

	"github.com/voltyard/voltyard/protocols/exi"
)

// Attr is an attribute of a Node.
type Attr struct {
	Name  exi.QName
	Value string
}

// Node is an element with its content.
type Node struct {
	Name     exi.QName
	Attrs    []Attr
	Text     string // of an element without child elements
	Children []*Node

	scalar bool // Text is a number or boolean
	leaf   bool // the element has a simple value, which may be empty
}

// Tree returns the message v, named name, as a tree. The namespaces are those
// of the struct tag prefixes.
func Tree(name exi.QName, v any, namespaces map[string]string) (*Node, error) {
	b := builder{namespaces}
	n := &Node{Name: name}
	return n, b.content(n, reflect.ValueOf(v))
}

type builder struct{ spaces map[string]string }

// tag is a parsed struct tag.
type tag struct {
	kind byte // 'e' element, '@' attribute, '#' value, '+' union, '*' items
	name exi.QName
	hex  bool
	bare bool
}

func (b builder) tag(s string) (tag, error) {
	s, flag, _ := strings.Cut(s, ",")
	t := tag{kind: 'e', hex: flag == "hex", bare: flag == "bare"}
	switch {
	case s == "#" || s == "+" || s == "*":
		t.kind = s[0]
		return t, nil
	case strings.HasPrefix(s, "@"):
		t.kind, s = '@', s[1:]
	}
	prefix, local, found := strings.Cut(s, ":")
	if !found {
		t.name.Local = prefix
		return t, nil
	}
	space, ok := b.spaces[prefix]
	if !ok {
		return t, fmt.Errorf("xmlview: no namespace for prefix %q", prefix)
	}
	t.name = exi.QName{Space: space, Local: local}
	return t, nil
}

// content adds the fields of a struct to n.
func (b builder) content(n *Node, v reflect.Value) error {
	v = reflect.Indirect(v)
	t := v.Type()
	if t.Kind() != reflect.Struct {
		return fmt.Errorf("xmlview: %s is not a message", t)
	}
	for i := range t.NumField() {
		if t.Field(i).Anonymous {
			if err := b.content(n, v.Field(i)); err != nil {
				return err
			}
			continue
		}
		tg, err := b.tag(t.Field(i).Tag.Get("exi"))
		if err != nil {
			return err
		}
		if i+1 < t.NumField() && v.Field(i+1).Kind() == reflect.Bool && v.Field(i+1).Bool() &&
			strings.HasSuffix(t.Field(i+1).Tag.Get("exi"), ",bare") {
			continue // its place is taken by the bare head of its group
		}
		if err := b.field(n, tg, v.Field(i)); err != nil {
			return err
		}
	}
	return nil
}

func (b builder) field(n *Node, t tag, v reflect.Value) error {
	if isOptional(v.Type()) {
		if !v.FieldByName("Present").Bool() {
			return nil
		}
		v = v.FieldByName("Value")
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
	case reflect.Slice:
		if v.Type() != reflect.TypeFor[[]byte]() {
			for i := range v.Len() {
				if err := b.field(n, t, v.Index(i)); err != nil {
					return err
				}
			}
			return nil
		}
	}
	if t.bare {
		if v.Bool() {
			n.Children = append(n.Children, &Node{Name: t.name})
		}
		return nil
	}
	switch t.kind {
	case '*':
		return b.content(n, v)
	case '+':
		e, ok := v.Interface().(exi.Element)
		if !ok {
			return fmt.Errorf("xmlview: %s is not an element", v.Type())
		}
		t.name = e.ElementName()
		v = v.Elem()
	}
	text, scalar, simple, err := leafText(v, t.hex)
	if err != nil {
		return err
	}
	switch t.kind {
	case '@':
		n.Attrs = append(n.Attrs, Attr{t.name, text})
		return nil
	case '#':
		n.Text, n.scalar, n.leaf = text, scalar, true
		return nil
	}
	c := &Node{Name: t.name, Text: text, scalar: scalar, leaf: simple}
	n.Children = append(n.Children, c)
	if simple {
		return nil
	}
	return b.content(c, v)
}

// isOptional reports whether t is an instance of exi.Optional.
func isOptional(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && strings.HasPrefix(t.Name(), "Optional[")
}

// leafText returns the lexical form of a simple value.
func leafText(v reflect.Value, asHex bool) (text string, scalar, simple bool, err error) {
	v = reflect.Indirect(v)
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		b, err := m.MarshalText()
		return string(b), v.Type() == reflect.TypeFor[exi.Integer](), true, err
	}
	switch v.Kind() {
	case reflect.Bool, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return fmt.Sprint(v.Interface()), true, true, nil
	case reflect.String:
		return v.String(), false, true, nil
	case reflect.Slice:
		if asHex {
			return strings.ToUpper(hex.EncodeToString(v.Bytes())), false, true, nil
		}
		return base64.StdEncoding.EncodeToString(v.Bytes()), false, true, nil
	}
	return "", false, false, nil
}
