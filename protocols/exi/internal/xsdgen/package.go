package xsdgen

import (
	"fmt"
	"slices"
	"strings"
)

// Spec says what to generate for one set of schemas.
type Spec struct {
	Package string   // last element of the import path
	Dir     string   // directory below the output root
	Set     string   // short name of the schema set
	Root    string   // schema document, below the schema root
	Title   string   // what the set is, for comments
	Parents []string // Dirs of packages whose types may be reused, nearest first
	// Message tells the elements that may be the root of a document.
	Message func(*Element) bool
	// Also is a namespace all of whose concrete types are emitted, for other
	// packages to reuse.
	Also string
	// Fragments tells the further elements that have a fragment form.
	Fragments []Name
}

// module is the import path all generated packages live under.
const module = "github.com/voltyard/voltyard/protocols/iso15118/"

const runtimePath = "github.com/voltyard/voltyard/protocols/exi"

// Package is the plan for one generated package.
type Package struct {
	Spec    Spec
	Set     *Set
	parents []*Package

	prefixes map[string]string // namespace to tag prefix
	types    []*goType         // in order of first use
	byType   map[*Type]*goType
	byName   map[string]*goType
	enums    []*goEnum
	unions   []*goUnion
	messages []*Element
	frags    []*Element // unique fragment elements this package supports
}

// goEnum is an enumeration type to emit.
type goEnum struct {
	Name   string
	Type   *Type
	Simple *Simple
}

// goUnion is a sealed interface to emit.
type goUnion struct {
	Name    string
	Head    *Element
	Members []*Element
}

// goType is a struct to emit.
type goType struct {
	Name    string
	Type    *Type
	Slots   []*Slot
	Fields  []*field
	Items   []*item
	Refused bool     // content the generator cannot describe; decoding refuses it
	Element *Element // global element of this type, where there is exactly one
	Group   string   // file
	users   []*goType
}

// item is the struct type of a repeated choice.
type item struct {
	Name string
	Slot *Slot
}

// fieldKind tells how a field holds its value.
type fieldKind int

const (
	fieldPlain    fieldKind = iota // T
	fieldOptional                  // exi.Optional[T]
	fieldPointer                   // *T
	fieldSlice                     // []T
)

// field is one struct field.
type field struct {
	Name    string
	XML     Name
	Attr    bool
	Value   bool // the value of simple content
	Type    *Type
	GoType  string // T
	Kind    fieldKind
	Union   *goUnion
	Item    *item
	Slot    *Slot
	Attribu *Attribute
	Bare    bool // marks an abstract element met without content
	Comment string
}

// Plan decides names, types and fields for a package.
func Plan(spec Spec, set *Set, parents []*Package) (*Package, error) {
	p := &Package{
		Spec: spec, Set: set, parents: parents,
		byType: map[*Type]*goType{}, byName: map[string]*goType{},
		prefixes: prefixesOf(set.Spaces),
	}
	for _, e := range sortedGlobals(set) {
		if spec.Message(e) {
			p.messages = append(p.messages, e)
		}
	}
	for _, e := range p.messages {
		if err := p.use(e.Type, nil); err != nil {
			return nil, err
		}
	}
	for _, e := range uniqueElements(set) {
		if !p.hasFragment(e) {
			continue
		}
		p.frags = append(p.frags, e)
		if err := p.use(e.Type, nil); err != nil {
			return nil, err
		}
	}
	for _, t := range concreteTypes(set, spec.Also) {
		if err := p.use(t, nil); err != nil {
			return nil, err
		}
	}
	p.nameElements()
	return p, p.group()
}

// hasFragment reports whether the fragment form of e is supported: messages,
// members of a message's body, and what the specification lists.
func (p *Package) hasFragment(e *Element) bool {
	if slices.Contains(p.Spec.Fragments, e.Name) {
		return true
	}
	if !e.Global || e.Abstract || e.Type.Abstract || !e.Type.Complex {
		return false
	}
	return slices.Contains(p.messages, e) && e.Name.Local != "V2G_Message" || e.Head != nil && e.Head.Name.Local == "BodyElement"
}

// concreteTypes returns the usable types of a namespace by name.
func concreteTypes(s *Set, space string) []*Type {
	var out []*Type
	for n, t := range s.Types {
		if n.Space == space && space != "" && !t.Abstract {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b *Type) int { return a.Name.compare(b.Name) })
	return out
}

// sortedGlobals returns the global elements in EXI order.
func sortedGlobals(s *Set) []*Element {
	var out []*Element
	for _, e := range s.Elements {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b *Element) int { return a.Name.compare(b.Name) })
	return out
}

// uniqueElements returns one declaration for each element name of the set, in
// EXI order. Of several declarations with one name the one with a complex type
// is taken.
func uniqueElements(s *Set) []*Element {
	byName := map[Name]*Element{}
	for _, e := range s.All {
		if old := byName[e.Name]; old == nil || e.Type.Complex && !old.Type.Complex {
			byName[e.Name] = e
		}
	}
	var out []*Element
	for _, e := range byName {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b *Element) int { return a.Name.compare(b.Name) })
	return out
}

// ambiguous reports whether the name is declared with different types, so
// that its fragment has the relaxed element-fragment grammar.
func ambiguous(s *Set, name Name) bool {
	var t *Type
	for _, e := range s.All {
		if e.Name != name {
			continue
		}
		if t != nil && t != e.Type && !(t.Name == e.Type.Name && t.Name.Local != "") {
			return true
		}
		t = e.Type
	}
	return false
}

// reuse finds the package among the parents that has t with the same grammar.
func (p *Package) reuse(t *Type) *Package {
	if t.Name.Local == "" {
		return nil
	}
	for _, q := range p.parents {
		u := q.Set.Types[t.Name]
		if u == nil {
			continue
		}
		if t.Complex {
			if q.byType[u] == nil {
				continue
			}
		} else if !q.hasEnum(u) {
			continue
		}
		if fingerprint(t) == fingerprint(u) {
			return q
		}
	}
	return nil
}

func (p *Package) hasEnum(t *Type) bool {
	return slices.ContainsFunc(p.enums, func(e *goEnum) bool { return e.Type == t })
}

// use makes sure the Go type for t exists here or in a parent.
func (p *Package) use(t *Type, user *goType) error {
	if !t.Complex {
		p.useSimple(t)
		return nil
	}
	if p.reuse(t) != nil {
		return nil
	}
	if g := p.byType[t]; g != nil {
		g.users = append(g.users, user)
		return nil
	}
	name := goTypeName(typeLabel(t))
	if p.byName[name] != nil {
		return fmt.Errorf("%s: two types named %s", p.Spec.Package, name)
	}
	g := &goType{Name: name, Type: t, users: []*goType{user}}
	p.byType[t], p.byName[name] = g, g
	var err error
	if g.Slots, err = slots(t); err != nil {
		if !strings.Contains(err.Error(), errNested.Error()) {
			return err
		}
		g.Refused = true
	}
	for _, a := range t.Attrs {
		p.useSimple(a.Type)
	}
	if t.Simple != nil && t.Content == nil {
		p.useSimple(&Type{Name: t.Name, Owner: t.Owner, Simple: t.Simple})
	}
	for _, s := range g.Slots {
		for _, a := range s.open() {
			if err := p.use(a.Element.Type, g); err != nil {
				return err
			}
		}
	}
	p.types = append(p.types, g)
	return p.fields(g)
}

// useSimple makes sure the enumeration behind a simple type exists.
func (p *Package) useSimple(t *Type) {
	s := t.Simple
	if s != nil && s.Primitive == List {
		s = s.Item
	}
	if s == nil || s.Enum == nil || p.hasEnum(s.Named) || p.reuse(s.Named) != nil {
		return
	}
	p.enums = append(p.enums, &goEnum{Name: goTypeName(typeLabel(s.Named)), Type: s.Named, Simple: s})
}

// goTypeOf returns the Go type that holds a value of t.
func (p *Package) goTypeOf(t *Type) string {
	if t.Complex {
		return p.qualify(t, goTypeName(typeLabel(t)))
	}
	return p.goSimple(t.Simple)
}

func (p *Package) qualify(t *Type, name string) string {
	if q := p.reuse(t); q != nil {
		return q.Spec.Package + "." + name
	}
	return name
}

func (p *Package) goSimple(s *Simple) string {
	switch {
	case s.Enum != nil:
		return p.qualify(s.Named, goTypeName(typeLabel(s.Named)))
	case s.Primitive == Boolean:
		return "bool"
	case s.Primitive == String:
		return "string"
	case s.Primitive == List:
		return "[]" + p.goSimple(s.Item)
	case s.Primitive == Binary:
		if s.Hex && s.MaxLen > 0 && s.MaxLen <= 8 {
			return "exi.ShortBytes"
		}
		return "[]byte"
	}
	switch s.Builtin {
	case "long":
		return "int64"
	case "int":
		return "int32"
	case "short":
		return "int16"
	case "byte":
		return "int8"
	case "unsignedLong", "nonNegativeInteger", "positiveInteger":
		return "uint64"
	case "unsignedInt":
		return "uint32"
	case "unsignedShort":
		return "uint16"
	case "unsignedByte":
		return "uint8"
	}
	return "exi.Integer"
}

// nameElements finds for each type the element it is named after, or the one
// global element of that type.
func (p *Package) nameElements() {
	count := map[*Type]int{}
	for _, e := range sortedGlobals(p.Set) {
		g := p.byType[e.Type]
		if g == nil || e.Abstract {
			continue
		}
		if count[e.Type]++; count[e.Type] == 1 || goName(e.Name.Local) == g.Name {
			g.Element = e
		}
	}
	for t, n := range count {
		if g := p.byType[t]; n > 1 && goName(g.Element.Name.Local) != g.Name {
			g.Element = nil
		}
	}
}

// fileFields is how many fields the types of one file have together, unless a
// message alone has more: a bound on what there is to review at once.
const fileFields = 30

// group assigns each type to a file: a message and its answer share one, types
// that only one of these files needs go there too as long as it stays small,
// all others have their own.
func (p *Package) group() error {
	for _, g := range p.types {
		base := strings.TrimSuffix(strings.TrimSuffix(g.Name, "Req"), "Res")
		if base != g.Name && g.Element != nil {
			g.Group = snake(base)
		}
	}
	size := map[string]int{}
	for _, g := range p.types {
		size[g.Group] += len(g.Fields) + 1
	}
	for changed := true; changed; {
		changed = false
		for _, g := range p.types {
			if g.Group != "" {
				continue
			}
			group := ""
			for i, u := range g.users {
				switch {
				case u == nil || u.Group == "" || i > 0 && u.Group != group:
					group = "-"
				case i == 0:
					group = u.Group
				}
			}
			if n := len(g.Fields) + 1; group != "-" && group != "" && size[group]+n <= fileFields {
				size[group] += n
				g.Group, changed = group, true
			}
		}
	}
	for _, g := range p.types {
		if g.Group == "" {
			g.Group = snake(g.Name)
		}
	}
	return nil
}
