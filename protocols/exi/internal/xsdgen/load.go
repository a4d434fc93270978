package xsdgen

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
)

// loader builds components from documents. Types are built on first use.
type loader struct {
	set       *Set
	elemNodes map[Name]*node
	typeNodes map[Name]*node
}

// Load reads a schema document with all it imports and returns its components.
func Load(path string) (*Set, error) {
	docs, err := readDocuments(path)
	if err != nil {
		return nil, err
	}
	l := &loader{
		set:       &Set{Elements: map[Name]*Element{}, Types: map[Name]*Type{}},
		elemNodes: map[Name]*node{},
		typeNodes: map[Name]*node{},
	}
	var elems, types []Name
	for _, d := range docs {
		if !slices.Contains(l.set.Spaces, d.target) {
			l.set.Spaces = append(l.set.Spaces, d.target)
		}
		for _, n := range d.root.children {
			name := Name{d.target, n.attrs["name"]}
			switch n.name {
			case "element":
				l.elemNodes[name] = n
				elems = append(elems, name)
			case "complexType", "simpleType":
				l.typeNodes[name] = n
				types = append(types, name)
			case "import", "include", "annotation":
			default:
				return nil, fmt.Errorf("%s: %s is not supported at top level", d.path, n.name)
			}
		}
	}
	slices.Sort(l.set.Spaces)
	for _, name := range elems {
		if _, err := l.global(name); err != nil {
			return nil, err
		}
	}
	for _, name := range types {
		if _, err := l.typeOf(name); err != nil {
			return nil, err
		}
	}
	return l.set, nil
}

// global returns the globally declared element of that name.
func (l *loader) global(name Name) (*Element, error) {
	if e := l.set.Elements[name]; e != nil {
		return e, nil
	}
	n := l.elemNodes[name]
	if n == nil {
		return nil, fmt.Errorf("no element %v", name)
	}
	e := &Element{Name: name, Global: true, Abstract: n.attrs["abstract"] == "true"}
	l.set.Elements[name] = e
	l.set.All = append(l.set.All, e)
	if s := n.attrs["substitutionGroup"]; s != "" {
		headName, err := n.qname(s)
		if err != nil {
			return nil, err
		}
		head, err := l.global(headName)
		if err != nil {
			return nil, err
		}
		e.Head = head
		head.Members = append(head.Members, e)
	}
	return e, l.elementType(e, n)
}

// elementType resolves the type of an element declaration.
func (l *loader) elementType(e *Element, n *node) (err error) {
	e.Nillable = n.attrs["nillable"] == "true"
	if t := n.child("complexType", "simpleType"); t != nil {
		e.Type = &Type{Owner: e.Name.Local, Space: n.doc.target}
		return l.define(e.Type, t)
	}
	ref := n.attrs["type"]
	if ref == "" {
		return fmt.Errorf("%s: element %s has no type", n.doc.path, e.Name.Local)
	}
	name, err := n.qname(ref)
	if err != nil {
		return err
	}
	e.Type, err = l.typeOf(name)
	return err
}

// typeOf returns the named type.
func (l *loader) typeOf(name Name) (*Type, error) {
	if t := l.set.Types[name]; t != nil {
		return t, nil
	}
	if name.Space == xsdSpace {
		s, err := builtin(name.Local)
		if err != nil {
			return nil, err
		}
		return &Type{Name: name, Space: xsdSpace, Simple: s}, nil
	}
	n := l.typeNodes[name]
	if n == nil {
		return nil, fmt.Errorf("no type %v", name)
	}
	t := &Type{Name: name, Space: name.Space}
	l.set.Types[name] = t
	return t, l.define(t, n)
}

// define fills in a type from its definition.
func (l *loader) define(t *Type, n *node) error {
	if n.name == "simpleType" {
		s, err := l.simple(t, n)
		t.Simple = s
		return err
	}
	t.Complex = true
	t.Abstract = n.attrs["abstract"] == "true"
	t.Mixed = n.attrs["mixed"] == "true"
	body := n
	if c := n.child("complexContent", "simpleContent"); c != nil {
		ext := c.child("extension")
		if ext == nil {
			return fmt.Errorf("%s: %v: only derivation by extension is supported", n.doc.path, t.Name)
		}
		name, err := ext.qname(ext.attrs["base"])
		if err != nil {
			return err
		}
		if t.Base, err = l.typeOf(name); err != nil {
			return err
		}
		t.Simple = t.Base.Simple
		t.Attrs = slices.Clone(t.Base.Attrs)
		t.Content = t.Base.Content
		body = ext
	}
	return l.body(t, body)
}

// body adds the content model and the attributes of a type definition.
func (l *loader) body(t *Type, n *node) error {
	for _, c := range n.children {
		switch c.name {
		case "sequence", "choice":
			p, err := l.particle(c)
			if err != nil {
				return err
			}
			if t.Content != nil {
				p = &Particle{Kind: SequenceParticle, Min: 1, Max: 1, Children: []*Particle{t.Content, p}}
			}
			t.Content = p
		case "attribute":
			a, err := l.attribute(c)
			if err != nil {
				return err
			}
			t.Attrs = append(t.Attrs, a)
		case "annotation", "complexContent", "simpleContent":
		default:
			return fmt.Errorf("%s: %v: %s is not supported in a complex type", c.doc.path, t.Name, c.name)
		}
	}
	slices.SortFunc(t.Attrs, func(a, b *Attribute) int { return a.Name.compare(b.Name) })
	return nil
}

func (l *loader) attribute(n *node) (*Attribute, error) {
	a := &Attribute{Name: Name{Local: n.attrs["name"]}, Required: n.attrs["use"] == "required"}
	if a.Name.Local == "" {
		return nil, fmt.Errorf("%s: attribute references are not supported", n.doc.path)
	}
	if f := n.attrs["form"]; f == "qualified" || f == "" && n.doc.attributeQual {
		a.Name.Space = n.doc.target
	}
	if !slices.Contains(l.set.Attrs, a.Name) {
		l.set.Attrs = append(l.set.Attrs, a.Name)
	}
	if s := n.child("simpleType"); s != nil {
		a.Type = &Type{Owner: a.Name.Local, Space: n.doc.target}
		return a, l.define(a.Type, s)
	}
	name, err := n.qname(n.attrs["type"])
	if err != nil {
		return nil, err
	}
	a.Type, err = l.typeOf(name)
	return a, err
}

// particle reads an element, sequence, choice or wildcard.
func (l *loader) particle(n *node) (*Particle, error) {
	p := &Particle{Min: 1, Max: 1}
	var err error
	if s := n.attrs["minOccurs"]; s != "" {
		if p.Min, err = strconv.Atoi(s); err != nil {
			return nil, fmt.Errorf("%s: minOccurs: %w", n.doc.path, err)
		}
	}
	if s := n.attrs["maxOccurs"]; s == "unbounded" {
		p.Max = unbounded
	} else if s != "" {
		if p.Max, err = strconv.Atoi(s); err != nil {
			return nil, fmt.Errorf("%s: maxOccurs: %w", n.doc.path, err)
		}
	}
	switch n.name {
	case "element":
		p.Kind = ElementParticle
		p.Element, err = l.local(n)
		return p, err
	case "any":
		p.Kind = AnyParticle
		if ns := n.attrs["namespace"]; ns != "" && ns != "##any" && ns != "##other" {
			return nil, fmt.Errorf("%s: wildcard for %q is not supported", n.doc.path, ns)
		}
		return p, nil
	case "sequence":
		p.Kind = SequenceParticle
	case "choice":
		p.Kind = ChoiceParticle
	default:
		return nil, fmt.Errorf("%s: %s is not supported in a content model", n.doc.path, n.name)
	}
	for _, c := range n.children {
		if c.name == "annotation" {
			continue
		}
		q, err := l.particle(c)
		if err != nil {
			return nil, err
		}
		p.Children = append(p.Children, q)
	}
	return p, nil
}

// local returns the element a particle declares or refers to.
func (l *loader) local(n *node) (*Element, error) {
	if ref := n.attrs["ref"]; ref != "" {
		name, err := n.qname(ref)
		if err != nil {
			return nil, err
		}
		return l.global(name)
	}
	e := &Element{Name: Name{Local: n.attrs["name"]}}
	if f := n.attrs["form"]; f == "qualified" || f == "" && n.doc.elementsQual {
		e.Name.Space = n.doc.target
	}
	l.set.All = append(l.set.All, e)
	return e, l.elementType(e, n)
}

// simple reads a simple type definition.
func (l *loader) simple(t *Type, n *node) (*Simple, error) {
	if li := n.child("list"); li != nil {
		name, err := li.qname(li.attrs["itemType"])
		if err != nil {
			return nil, err
		}
		item, err := l.typeOf(name)
		if err != nil {
			return nil, err
		}
		return &Simple{Primitive: List, Item: item.Simple, ItemType: item, MaxLen: unbounded}, nil
	}
	if n.child("union") != nil {
		return &Simple{Primitive: String, Builtin: "union", MaxLen: unbounded}, nil
	}
	r := n.child("restriction")
	if r == nil {
		return nil, fmt.Errorf("%s: %v: unknown kind of simple type", n.doc.path, t.Name)
	}
	var base *Type
	if inner := r.child("simpleType"); inner != nil {
		base = &Type{Owner: t.Owner, Space: t.Space}
		if err := l.define(base, inner); err != nil {
			return nil, err
		}
	} else {
		name, err := r.qname(r.attrs["base"])
		if err != nil {
			return nil, err
		}
		if base, err = l.typeOf(name); err != nil {
			return nil, err
		}
	}
	t.Base = base
	s := *base.Simple
	if err := s.restrict(t, r); err != nil {
		return nil, err
	}
	return &s, nil
}

// restrict applies the facets of a restriction.
func (s *Simple) restrict(t *Type, r *node) error {
	enum := []string(nil)
	for _, f := range r.children {
		v := f.attrs["value"]
		switch f.name {
		case "enumeration":
			enum = append(enum, v)
		case "minInclusive", "maxInclusive", "minExclusive", "maxExclusive":
			n, ok := new(big.Int).SetString(v, 10)
			if !ok || s.Primitive != Int {
				return fmt.Errorf("%v: facet %s=%q", t.Name, f.name, v)
			}
			switch f.name {
			case "minInclusive":
				s.Min = n
			case "maxInclusive":
				s.Max = n
			case "minExclusive":
				s.Min = n.Add(n, big.NewInt(1))
			case "maxExclusive":
				s.Max = n.Sub(n, big.NewInt(1))
			}
		case "length", "minLength", "maxLength":
			n, err := strconv.Atoi(v)
			if err != nil {
				return fmt.Errorf("%v: facet %s=%q", t.Name, f.name, v)
			}
			if f.name != "maxLength" {
				s.MinLen = n
			}
			if f.name != "minLength" {
				s.MaxLen = n
			}
		case "simpleType", "annotation", "whiteSpace":
		default:
			return fmt.Errorf("%v: facet %s is not supported", t.Name, f.name)
		}
	}
	if enum != nil {
		s.Enum, s.Named = enum, t
	}
	return nil
}

// builtin returns the value space of an XML Schema built-in type.
func builtin(name string) (*Simple, error) {
	s := &Simple{Builtin: name, MaxLen: unbounded}
	bounds := func(lo, hi string) {
		s.Primitive = Int
		if lo != "" {
			s.Min, _ = new(big.Int).SetString(lo, 10)
		}
		if hi != "" {
			s.Max, _ = new(big.Int).SetString(hi, 10)
		}
	}
	switch name {
	case "string", "normalizedString", "token", "anyURI", "NCName", "Name", "NMTOKEN", "language":
		s.Primitive = String
	case "ID", "IDREF":
		s.Primitive, s.ID = String, true
	case "boolean":
		s.Primitive = Boolean
	case "hexBinary":
		s.Primitive, s.Hex = Binary, true
	case "base64Binary":
		s.Primitive = Binary
	case "integer":
		bounds("", "")
	case "nonNegativeInteger":
		bounds("0", "")
	case "positiveInteger":
		bounds("1", "")
	case "long":
		bounds("-9223372036854775808", "9223372036854775807")
	case "int":
		bounds("-2147483648", "2147483647")
	case "short":
		bounds("-32768", "32767")
	case "byte":
		bounds("-128", "127")
	case "unsignedLong":
		bounds("0", "18446744073709551615")
	case "unsignedInt":
		bounds("0", "4294967295")
	case "unsignedShort":
		bounds("0", "65535")
	case "unsignedByte":
		bounds("0", "255")
	default:
		return nil, fmt.Errorf("built-in type %s is not supported", name)
	}
	return s, nil
}
