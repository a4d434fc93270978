package xsdgen

import (
	"fmt"
	"strconv"
	"strings"
)

// inlineLimit is the largest size in bytes of an optional structure that is
// stored in place; larger ones are pointers.
const inlineLimit = 128

// fields lays out the struct of a complex type: attributes, then the value of
// simple content or the slots.
func (p *Package) fields(g *goType) error {
	t := g.Type
	for _, a := range t.Attrs {
		f := &field{Name: goName(a.Name.Local), XML: a.Name, Attr: true, Type: a.Type, GoType: p.goTypeOf(a.Type), Attribu: a}
		if !a.Required {
			f.Kind = fieldOptional
		}
		f.Comment = p.comment(a.Type, boolMin(a.Required), 1)
		g.Fields = append(g.Fields, f)
	}
	if t.Simple != nil && t.Content == nil {
		vt := &Type{Simple: t.Simple, Owner: t.Owner, Name: t.Name}
		f := &field{Name: "Value", Value: true, Type: vt, GoType: p.goTypeOf(vt)}
		f.Comment = p.comment(vt, 1, 1)
		g.Fields = append(g.Fields, f)
	}
	for _, s := range g.Slots {
		if err := p.slotFields(g, s); err != nil {
			return err
		}
	}
	seen := map[string]bool{}
	for _, f := range g.Fields {
		if seen[f.Name] {
			return fmt.Errorf("%s.%s: two fields named %s", p.Spec.Package, g.Name, f.Name)
		}
		seen[f.Name] = true
	}
	return nil
}

func boolMin(required bool) int {
	if required {
		return 1
	}
	return 0
}

// slotFields adds the fields of one slot.
func (p *Package) slotFields(g *goType, s *Slot) error {
	open := s.open()
	switch {
	case len(open) == 0:
		return nil
	case s.Kind == ChoiceSlot && s.Max != 1:
		it := &item{Name: g.Name + "Item", Slot: s}
		g.Items = append(g.Items, it)
		g.Fields = append(g.Fields, &field{
			Name: "Items", GoType: it.Name, Kind: fieldSlice, Item: it, Slot: s,
			Comment: "content in order, " + occurs(s.Min, s.Max),
		})
	case s.Kind == ChoiceSlot:
		names := make([]string, len(open))
		for i, a := range open {
			names[i] = goName(a.Element.Name.Local)
		}
		for _, a := range open {
			f := p.elementField(a.Element, 0, 1)
			f.Slot = s
			f.Comment = p.comment(a.Element.Type, 1, 1) + "; one of " + strings.Join(names, ", ")
			if s.Min == 0 {
				f.Comment += " or none"
			}
			g.Fields = append(g.Fields, f)
		}
	case len(open) > 1:
		u, err := p.union(s)
		if err != nil {
			return err
		}
		f := &field{Name: goName(s.Head.Name.Local), XML: s.Head.Name, GoType: u.Name, Union: u, Slot: s}
		if s.Max != 1 {
			f.Kind = fieldSlice
		}
		f.Comment = "substitution group " + s.Head.Name.Local + ", " + occurs(s.Min, s.Max)
		g.Fields = append(g.Fields, f)
	default:
		f := p.elementField(open[0].Element, s.Min, s.Max)
		f.Slot = s
		g.Fields = append(g.Fields, f)
		if e := s.bare(); e != nil {
			g.Fields = append(g.Fields, &field{
				Name: "Bare" + goName(e.Name.Local), XML: e.Name, GoType: "bool", Bare: true,
				Comment: "the element " + e.Name.Local + " without content, which no valid document has and some chargers send",
			})
		}
	}
	return nil
}

// bare returns the head of a substitution group that may appear without content
// on the wire because only its type is abstract, not the element, or nil.
func (s *Slot) bare() *Element {
	if s.Kind != GroupSlot || s.Max != 1 || len(s.open()) != 1 || s.Head.Abstract || !s.Head.Type.Abstract {
		return nil
	}
	if t := s.Head.Type; t.Content != nil || t.Simple != nil || len(t.Attrs) > 0 {
		return nil
	}
	return s.Head
}

// elementField returns the field for an element with lo to hi occurrences.
func (p *Package) elementField(e *Element, lo, hi int) *field {
	f := &field{Name: goName(e.Name.Local), XML: e.Name, Type: e.Type, GoType: p.goTypeOf(e.Type)}
	f.Comment = p.comment(e.Type, lo, hi)
	switch {
	case hi != 1:
		f.Kind = fieldSlice
	case lo == 1:
	case e.Type.Complex && p.size(e.Type) > inlineLimit:
		f.Kind = fieldPointer
	default:
		f.Kind = fieldOptional
	}
	return f
}

// size estimates the memory a value of t takes in place.
func (p *Package) size(t *Type) int {
	depth := 0
	var of func(*Type) int
	of = func(t *Type) int {
		if !t.Complex {
			return simpleSize(p.goSimple(t.Simple))
		}
		if depth++; depth > 12 {
			return 1 << 20
		}
		defer func() { depth-- }()
		sum := 0
		for _, a := range t.Attrs {
			sum += of(a.Type) + 8
		}
		if t.Simple != nil && t.Content == nil {
			sum += simpleSize(p.goSimple(t.Simple))
		}
		ss, _ := slots(t)
		for _, s := range ss {
			open := s.open()
			switch {
			case s.Max != 1:
				sum += 24
			case len(open) > 1 && s.Kind == GroupSlot:
				sum += 16
			default:
				for _, a := range open {
					n := of(a.Element.Type)
					if s.Min == 0 || s.Kind == ChoiceSlot {
						if n > inlineLimit {
							n = 0
						}
						n += min(8, n+1)
					}
					sum += n
				}
			}
		}
		return sum
	}
	return of(t)
}

func simpleSize(goType string) int {
	switch {
	case strings.HasPrefix(goType, "[]"):
		return 24
	case goType == "string", goType == "exi.Integer":
		return 16
	case goType == "exi.ShortBytes":
		return 32
	case strings.HasSuffix(goType, "64"):
		return 8
	case strings.HasSuffix(goType, "32"):
		return 4
	case strings.HasSuffix(goType, "16"):
		return 2
	}
	return 1
}

// union returns the sealed interface for a group slot.
func (p *Package) union(s *Slot) (*goUnion, error) {
	for _, u := range p.unions {
		if u.Head == s.Head {
			return u, nil
		}
	}
	u := &goUnion{Name: goName(s.Head.Name.Local), Head: s.Head}
	types := map[*Type]bool{}
	for _, a := range s.open() {
		e := a.Element
		if types[e.Type] || p.reuse(e.Type) != nil {
			return nil, fmt.Errorf("%s: %s cannot be a member of %s", p.Spec.Package, e.Name.Local, u.Name)
		}
		types[e.Type] = true
		u.Members = append(u.Members, e)
		if goTypeName(typeLabel(e.Type)) == u.Name {
			u.Name += "Variant"
		}
	}
	p.unions = append(p.unions, u)
	return u, nil
}

// comment describes a value: type, range, occurrence.
func (p *Package) comment(t *Type, lo, hi int) string {
	parts := []string{describe(t)}
	if lo != 1 || hi != 1 {
		parts = append(parts, occurs(lo, hi))
	}
	return strings.Join(parts, ", ")
}

func occurs(lo, hi int) string {
	switch {
	case lo == 1 && hi == 1:
		return "required"
	case lo == 0 && hi == 1:
		return "optional"
	case hi == unbounded:
		return "at least " + strconv.Itoa(lo)
	case lo == hi:
		return "exactly " + strconv.Itoa(lo)
	}
	return strconv.Itoa(lo) + " to " + strconv.Itoa(hi)
}

// describe names a type with its facets.
func describe(t *Type) string {
	s := t.Simple
	if t.Complex {
		return typeLabel(t)
	}
	out := s.Builtin
	switch {
	case s.Enum != nil:
		return "enumeration of " + strconv.Itoa(len(s.Enum))
	case s.Primitive == List:
		out = "list of " + s.Item.Builtin
	case s.Primitive == Int && s.Min != nil && s.Max != nil:
		return out + " " + s.Min.String() + " to " + s.Max.String()
	}
	unit := " characters"
	if s.Primitive == Binary {
		unit = " octets"
	}
	switch {
	case s.MaxLen == unbounded && s.MinLen == 0:
	case s.MaxLen == unbounded:
		out += ", at least " + strconv.Itoa(s.MinLen) + unit
	case s.MinLen == s.MaxLen:
		out += ", exactly " + strconv.Itoa(s.MaxLen) + unit
	case s.MinLen > 0:
		out += ", " + strconv.Itoa(s.MinLen) + " to " + strconv.Itoa(s.MaxLen) + unit
	default:
		out += ", at most " + strconv.Itoa(s.MaxLen) + unit
	}
	return out
}
