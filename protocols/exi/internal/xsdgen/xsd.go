package xsdgen

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

const xsdSpace = "http://www.w3.org/2001/XMLSchema"

// node is one element of a schema document.
type node struct {
	name     string // local name, in the XML Schema namespace
	attrs    map[string]string
	spaces   map[string]string // prefixes in scope
	children []*node
	doc      *document
}

// document is one schema document.
type document struct {
	path          string
	target        string
	elementsQual  bool // elementFormDefault="qualified"
	attributeQual bool // attributeFormDefault="qualified"
	root          *node
}

// child returns the first child with one of the given names, or nil.
func (n *node) child(names ...string) *node {
	for _, c := range n.children {
		for _, want := range names {
			if c.name == want {
				return c
			}
		}
	}
	return nil
}

// qname resolves a prefixed name in the scope of n.
func (n *node) qname(s string) (Name, error) {
	prefix, local, found := strings.Cut(s, ":")
	if !found {
		prefix, local = "", s
	}
	space, ok := n.spaces[prefix]
	if !ok && prefix != "" {
		return Name{}, fmt.Errorf("%s: unbound prefix in %q", n.doc.path, s)
	}
	return Name{space, local}, nil
}

// readDocuments reads the schema document at path and all it imports or
// includes. Each file is read once.
func readDocuments(path string) ([]*document, error) {
	var out []*document
	seen := map[string]bool{}
	var visit func(string) error
	visit = func(p string) error {
		if seen[p] {
			return nil
		}
		seen[p] = true
		d, err := readDocument(p)
		if err != nil {
			return err
		}
		out = append(out, d)
		for _, c := range d.root.children {
			if c.name != "import" && c.name != "include" {
				continue
			}
			loc := c.attrs["schemaLocation"]
			if loc == "" {
				continue
			}
			if err := visit(filepath.Join(filepath.Dir(p), filepath.Base(loc))); err != nil {
				return err
			}
		}
		return nil
	}
	return out, visit(path)
}

func readDocument(path string) (*document, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	doc := &document{path: path}
	dec := xml.NewDecoder(f)
	var stack []*node
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		switch t := tok.(type) {
		case xml.StartElement:
			n := newNode(doc, t, stack)
			switch {
			case len(stack) > 0:
				up := stack[len(stack)-1]
				up.children = append(up.children, n)
			default:
				doc.root = n
			}
			stack = append(stack, n)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		}
	}
	if doc.root == nil || doc.root.name != "schema" {
		return nil, fmt.Errorf("%s: not a schema document", path)
	}
	doc.target = doc.root.attrs["targetNamespace"]
	doc.elementsQual = doc.root.attrs["elementFormDefault"] == "qualified"
	doc.attributeQual = doc.root.attrs["attributeFormDefault"] == "qualified"
	return doc, nil
}

func newNode(doc *document, t xml.StartElement, stack []*node) *node {
	n := &node{name: t.Name.Local, attrs: map[string]string{}, spaces: map[string]string{}, doc: doc}
	if t.Name.Space != xsdSpace {
		n.name = "foreign:" + n.name
	}
	if len(stack) > 0 {
		for k, v := range stack[len(stack)-1].spaces {
			n.spaces[k] = v
		}
	}
	for _, a := range t.Attr {
		switch {
		case a.Name.Space == "xmlns":
			n.spaces[a.Name.Local] = a.Value
		case a.Name.Space == "" && a.Name.Local == "xmlns":
			n.spaces[""] = a.Value
		default:
			n.attrs[a.Name.Local] = a.Value
		}
	}
	return n
}
