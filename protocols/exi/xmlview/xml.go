package xmlview

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/voltyard/voltyard/protocols/exi"
)

// XML writes the tree as an indented XML document. Prefixes are declared at
// the root.
func (n *Node) XML() []byte { return n.format("  ", "\n") }

// CompactXML is XML without white space between elements.
func (n *Node) CompactXML() []byte { return n.format("", "") }

func (n *Node) format(indent, end string) []byte {
	var spaces []string
	n.collect(&spaces)
	prefixes := map[string]string{}
	var b bytes.Buffer
	for i, s := range spaces {
		prefixes[s] = fmt.Sprintf("n%d:", i)
	}
	w := xmlWriter{&b, prefixes, indent, end}
	w.write(n, spaces, 0)
	return b.Bytes()
}

// collect lists the namespaces in use, in order of first use.
func (n *Node) collect(spaces *[]string) {
	add := func(s string) {
		if s != "" && !slices.Contains(*spaces, s) {
			*spaces = append(*spaces, s)
		}
	}
	add(n.Name.Space)
	for _, a := range n.Attrs {
		add(a.Name.Space)
	}
	for _, c := range n.Children {
		c.collect(spaces)
	}
}

// xmlWriter writes elements with their prefixes.
type xmlWriter struct {
	*bytes.Buffer
	prefixes    map[string]string
	indent, end string
}

// write writes an element; declare lists the namespaces to declare on it.
func (w xmlWriter) write(n *Node, declare []string, depth int) {
	indent := strings.Repeat(w.indent, depth)
	name := w.prefixes[n.Name.Space] + n.Name.Local
	fmt.Fprintf(w, "%s<%s", indent, name)
	for i, s := range declare {
		fmt.Fprintf(w, " xmlns:n%d=%q", i, s)
	}
	for _, a := range n.Attrs {
		fmt.Fprintf(w, " %s%s=\"", w.prefixes[a.Name.Space], a.Name.Local)
		_ = xml.EscapeText(w, []byte(a.Value))
		w.WriteByte('"')
	}
	switch {
	case len(n.Children) > 0:
		w.WriteString(">" + w.end)
		for _, c := range n.Children {
			w.write(c, nil, depth+1)
		}
		fmt.Fprintf(w, "%s</%s>%s", indent, name, w.end)
	case n.Text != "":
		w.WriteByte('>')
		_ = xml.EscapeText(w, []byte(n.Text))
		fmt.Fprintf(w, "</%s>%s", name, w.end)
	default:
		w.WriteString("/>" + w.end)
	}
}

// ParseXML reads an XML document into a tree. White space between elements is
// dropped, as are comments and attributes of the XML Schema instance namespace.
func ParseXML(r io.Reader) (*Node, error) {
	d := xml.NewDecoder(r)
	var stack []*Node
	var root *Node
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			if root == nil || len(stack) > 0 {
				return nil, fmt.Errorf("xmlview: no complete XML document")
			}
			return root, nil
		}
		if err != nil {
			return nil, fmt.Errorf("xmlview: %w", err)
		}
		switch t := tok.(type) {
		case xml.StartElement:
			n := &Node{Name: exi.QName{Space: t.Name.Space, Local: t.Name.Local}}
			for _, a := range t.Attr {
				if a.Name.Space == "xmlns" || a.Name.Local == "xmlns" && a.Name.Space == "" ||
					a.Name.Space == "http://www.w3.org/2001/XMLSchema-instance" {
					continue
				}
				n.Attrs = append(n.Attrs, Attr{exi.QName{Space: a.Name.Space, Local: a.Name.Local}, a.Value})
			}
			if len(stack) > 0 {
				up := stack[len(stack)-1]
				up.Children = append(up.Children, n)
			} else {
				root = n
			}
			stack = append(stack, n)
		case xml.EndElement:
			n := stack[len(stack)-1]
			if len(n.Children) > 0 {
				n.Text = ""
			}
			stack = stack[:len(stack)-1]
		case xml.CharData:
			if len(stack) > 0 {
				stack[len(stack)-1].Text += string(t)
			}
		}
	}
}

// Diff compares two trees by names, attributes and values, and describes the
// first difference; it returns "" when there is none. Prefixes do not matter.
func Diff(a, b *Node) string { return diff(a, b, a.Name.Local) }

func diff(a, b *Node, path string) string {
	if a.Name != b.Name {
		return fmt.Sprintf("%s: element %s against %s", path, a.Name, b.Name)
	}
	attrs := func(n *Node) []Attr {
		out := slices.Clone(n.Attrs)
		slices.SortFunc(out, func(x, y Attr) int { return strings.Compare(x.Name.String(), y.Name.String()) })
		return out
	}
	x, y := attrs(a), attrs(b)
	if !slices.Equal(x, y) {
		return fmt.Sprintf("%s: attributes %v against %v", path, x, y)
	}
	if len(a.Children) != len(b.Children) {
		return fmt.Sprintf("%s: %d child elements against %d", path, len(a.Children), len(b.Children))
	}
	if len(a.Children) == 0 && a.Text != b.Text && strings.TrimSpace(a.Text) != strings.TrimSpace(b.Text) {
		return fmt.Sprintf("%s: %q against %q", path, a.Text, b.Text)
	}
	for i := range a.Children {
		if s := diff(a.Children[i], b.Children[i], path+"/"+b.Children[i].Name.Local); s != "" {
			return s
		}
	}
	return ""
}
