package xmlview

import (
	"encoding"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/voltyard/voltyard/protocols/exi"
)

// Filler stores trees in messages.
type Filler struct {
	// Namespaces are those of the struct tag prefixes.
	Namespaces map[string]string
	// NewElement makes the members of substitution groups.
	NewElement func(exi.QName) exi.Element
}

// Fill stores the content of n in the message v points to. Elements are
// matched by qualified name, or by local name where the tree has no namespaces.
// What has no place in the message is an error.
func (f Filler) Fill(v any, n *Node) error {
	used := make([]bool, len(n.Children)+len(n.Attrs))
	text := false
	if err := f.fields(reflect.ValueOf(v).Elem(), n, used, &text); err != nil {
		return err
	}
	for i, u := range used {
		if u {
			continue
		}
		if i < len(n.Children) {
			return fmt.Errorf("xmlview: %s has no element %s here", n.Name.Local, n.Children[i].Name)
		}
		return fmt.Errorf("xmlview: %s has no attribute %s", n.Name.Local, n.Attrs[i-len(n.Children)].Name)
	}
	if !text && len(n.Children) == 0 && strings.TrimSpace(n.Text) != "" {
		return fmt.Errorf("xmlview: %s has no value", n.Name.Local)
	}
	return nil
}

// matches reports whether a name in a tree means the tagged name.
func matches(tree, want exi.QName) bool {
	return tree.Local == want.Local && (tree.Space == want.Space || tree.Space == "")
}

func (f Filler) fields(v reflect.Value, n *Node, used []bool, text *bool) error {
	b := builder{f.Namespaces}
	t := v.Type()
	for i := range t.NumField() {
		if t.Field(i).Anonymous {
			if err := f.fields(v.Field(i), n, used, text); err != nil {
				return err
			}
			continue
		}
		tg, err := b.tag(t.Field(i).Tag.Get("exi"))
		if err != nil {
			return err
		}
		switch tg.kind {
		case '@':
			for k, a := range n.Attrs {
				if matches(a.Name, tg.name) {
					used[len(n.Children)+k] = true
					if err := f.set(v.Field(i), tg, &Node{Name: a.Name, Text: a.Value}); err != nil {
						return err
					}
				}
			}
		case '#':
			*text = true
			if err := f.set(v.Field(i), tg, &Node{Name: n.Name, Text: n.Text}); err != nil {
				return err
			}
		default:
			for k, c := range n.Children {
				if used[k] {
					continue
				}
				ok, err := f.try(v.Field(i), tg, c)
				if err != nil {
					return err
				}
				used[k] = ok
			}
		}
	}
	return nil
}

// try stores c in the field if it belongs there.
func (f Filler) try(v reflect.Value, t tag, c *Node) (bool, error) {
	switch t.kind {
	case '*':
		item := reflect.New(v.Type().Elem())
		used := []bool{false}
		text := true
		if err := f.fields(item.Elem(), &Node{Children: []*Node{c}}, used, &text); err != nil || !used[0] {
			return false, err
		}
		v.Set(reflect.Append(v, item.Elem()))
		return true, nil
	case '+':
		return f.union(v, c)
	}
	if !matches(c.Name, t.name) {
		return false, nil
	}
	return true, f.set(v, t, c)
}

// union stores c as a member of a substitution group if it is one.
func (f Filler) union(v reflect.Value, c *Node) (bool, error) {
	names := []exi.QName{c.Name}
	if c.Name.Space == "" {
		for _, s := range f.Namespaces {
			names = append(names, exi.QName{Space: s, Local: c.Name.Local})
		}
	}
	iface := v.Type()
	if iface.Kind() == reflect.Slice {
		iface = iface.Elem()
	}
	for _, name := range names {
		e := f.NewElement(name)
		if e == nil || !reflect.TypeOf(e).Implements(iface) {
			continue
		}
		if err := f.Fill(e, c); err != nil {
			return true, err
		}
		if v.Kind() == reflect.Slice {
			v.Set(reflect.Append(v, reflect.ValueOf(e)))
		} else {
			v.Set(reflect.ValueOf(e))
		}
		return true, nil
	}
	return false, nil
}

// set stores the value of c.
func (f Filler) set(v reflect.Value, t tag, c *Node) error {
	switch {
	case t.bare:
		v.SetBool(true)
		return nil
	case isOptional(v.Type()):
		v.FieldByName("Present").SetBool(true)
		v = v.FieldByName("Value")
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	case v.Kind() == reflect.Slice && v.Type() != reflect.TypeFor[[]byte]():
		v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
		v = v.Index(v.Len() - 1)
	}
	if m, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if err := m.UnmarshalText([]byte(strings.TrimSpace(c.Text))); err != nil {
			return fmt.Errorf("xmlview: %s: %w", c.Name.Local, err)
		}
		return nil
	}
	return f.simple(v, t, c)
}

func (f Filler) simple(v reflect.Value, t tag, c *Node) (err error) {
	text := strings.TrimSpace(c.Text)
	switch v.Kind() {
	case reflect.Struct:
		return f.Fill(v.Addr().Interface(), c)
	case reflect.String:
		v.SetString(c.Text)
		return nil
	case reflect.Bool:
		v.SetBool(text == "true" || text == "1")
		if text != "true" && text != "1" && text != "false" && text != "0" {
			err = fmt.Errorf("%q is no boolean", text)
		}
	case reflect.Slice:
		var b []byte
		if t.hex {
			b, err = hex.DecodeString(text)
		} else {
			b, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
		}
		v.SetBytes(b)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		var u uint64
		u, err = strconv.ParseUint(strings.TrimPrefix(text, "+"), 10, v.Type().Bits())
		v.SetUint(u)
	default:
		var i int64
		i, err = strconv.ParseInt(strings.TrimPrefix(text, "+"), 10, v.Type().Bits())
		v.SetInt(i)
	}
	if err != nil {
		return fmt.Errorf("xmlview: %s: %w", c.Name.Local, err)
	}
	return nil
}

// Absent names the first element or attribute that full has and n lacks, or
// returns "". With the tree of a message that was filled from n it tells what
// the message requires and n does not have.
func (n *Node) Absent(full *Node) string {
	for _, a := range full.Attrs {
		found := false
		for _, b := range n.Attrs {
			found = found || matches(b.Name, a.Name)
		}
		if !found {
			return full.Name.Local + "/@" + a.Name.Local
		}
	}
	used := make([]bool, len(n.Children))
	for _, c := range full.Children {
		i := 0
		for i < len(n.Children) && (used[i] || !matches(n.Children[i].Name, c.Name)) {
			i++
		}
		if i == len(n.Children) {
			return full.Name.Local + "/" + c.Name.Local
		}
		used[i] = true
		if s := n.Children[i].Absent(c); s != "" {
			return full.Name.Local + "/" + s
		}
	}
	return ""
}
