package xmlview

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/voltyard/voltyard/protocols/exi"
)

// JSON writes the tree as an indented JSON object with one member, the root
// element. Child elements are members by local name, repeated ones arrays;
// attributes begin with "@", and the value of an element that has attributes
// as well is "#text".
func (n *Node) JSON() []byte {
	var b bytes.Buffer
	b.WriteString("{" + quote(n.Name.Local) + ":")
	n.value(&b)
	b.WriteByte('}')
	var out bytes.Buffer
	if json.Indent(&out, b.Bytes(), "", "  ") != nil {
		return b.Bytes()
	}
	out.WriteByte('\n')
	return out.Bytes()
}

func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func (n *Node) scalarText() string {
	if n.scalar {
		return n.Text
	}
	return quote(n.Text)
}

func (n *Node) value(b *bytes.Buffer) {
	if len(n.Children) == 0 && len(n.Attrs) == 0 && n.leaf {
		b.WriteString(n.scalarText())
		return
	}
	sep := byte('{')
	member := func(name string) {
		b.WriteByte(sep)
		sep = ','
		b.WriteString(quote(name) + ":")
	}
	for _, a := range n.Attrs {
		member("@" + a.Name.Local)
		b.WriteString(quote(a.Value))
	}
	if n.leaf {
		member("#text")
		b.WriteString(n.scalarText())
	}
	for i := 0; i < len(n.Children); {
		j := i + 1
		for j < len(n.Children) && n.Children[j].Name == n.Children[i].Name {
			j++
		}
		member(n.Children[i].Name.Local)
		if j > i+1 {
			for k := i; k < j; k++ {
				b.WriteByte("[,"[min(k-i, 1)])
				n.Children[k].value(b)
			}
			b.WriteByte(']')
		} else {
			n.Children[i].value(b)
		}
		i = j
	}
	if sep == '{' {
		b.WriteByte('{')
	}
	b.WriteByte('}')
}

// ParseJSON reads what JSON writes. Names in the tree have no namespace; Fill
// matches them by local name.
func ParseJSON(r io.Reader) (*Node, error) {
	d := json.NewDecoder(r)
	d.UseNumber()
	root := &Node{}
	if err := parseValue(d, root); err != nil {
		return nil, fmt.Errorf("xmlview: %w", err)
	}
	if len(root.Children) != 1 {
		return nil, fmt.Errorf("xmlview: the JSON object must have one member, the message")
	}
	return root.Children[0], nil
}

// parseValue reads one JSON value into n.
func parseValue(d *json.Decoder, n *Node) error {
	tok, err := d.Token()
	if err != nil {
		return err
	}
	switch t := tok.(type) {
	case json.Delim:
		if t != '{' {
			return fmt.Errorf("%s: nested array", n.Name.Local)
		}
		for d.More() {
			if err := parseMember(d, n); err != nil {
				return err
			}
		}
		_, err = d.Token()
		return err
	case nil:
		return fmt.Errorf("%s: null; leave absent elements out", n.Name.Local)
	default:
		n.Text = fmt.Sprint(t)
		return nil
	}
}

func parseMember(d *json.Decoder, n *Node) error {
	tok, err := d.Token()
	if err != nil {
		return err
	}
	key, _ := tok.(string)
	if key == "#text" || strings.HasPrefix(key, "@") {
		var v Node
		if err := parseValue(d, &v); err != nil {
			return err
		}
		if key == "#text" {
			n.Text = v.Text
		} else {
			n.Attrs = append(n.Attrs, Attr{exi.QName{Local: key[1:]}, v.Text})
		}
		return nil
	}
	child := func() *Node {
		c := &Node{Name: exi.QName{Local: key}}
		n.Children = append(n.Children, c)
		return c
	}
	var raw json.RawMessage
	if err := d.Decode(&raw); err != nil {
		return err
	}
	items := []json.RawMessage{raw}
	if len(raw) > 0 && raw[0] == '[' {
		if err := json.Unmarshal(raw, &items); err != nil {
			return err
		}
	}
	for _, item := range items {
		sub := json.NewDecoder(bytes.NewReader(item))
		sub.UseNumber()
		if err := parseValue(sub, child()); err != nil {
			return err
		}
	}
	return nil
}
