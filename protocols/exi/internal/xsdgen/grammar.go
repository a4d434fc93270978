package xsdgen

import (
	"fmt"
	"slices"
	"strings"
)

// Alt is one production of a slot: an element that may appear there, or a
// wildcard.
type Alt struct {
	Element *Element // nil for a wildcard
}

// closed reports whether no content is possible: the element or its type is
// abstract, so that its event code exists but cannot be used.
func (a Alt) closed() bool {
	return a.Element == nil || a.Element.Abstract || a.Element.Type.Abstract
}

// SlotKind tells how a slot's alternatives came about.
type SlotKind int

// The kinds of slots.
const (
	SingleSlot SlotKind = iota // one element
	GroupSlot                  // an element with its substitution group
	ChoiceSlot                 // a choice of elements
	AnySlot                    // a wildcard only
)

// Slot is one position of a content model: any of its alternatives, Min to Max
// times. Alternatives are in the order of their event codes.
type Slot struct {
	Kind     SlotKind
	Head     *Element // of a single or group slot
	Alts     []Alt
	Min, Max int
}

// open returns the alternatives that can have content.
func (s *Slot) open() []Alt {
	var out []Alt
	for _, a := range s.Alts {
		if !a.closed() {
			out = append(out, a)
		}
	}
	return out
}

// slots derives the slots of a complex type's content model.
func slots(t *Type) ([]*Slot, error) {
	if t.Content == nil {
		return nil, nil
	}
	out, err := particleSlots(t.Content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", typeLabel(t), err)
	}
	for i, s := range out[:max(0, len(out)-1)] {
		if s.Alts[len(s.Alts)-1].Element == nil && s.Min == 0 && out[i+1].Kind != AnySlot {
			return nil, fmt.Errorf("%s: wildcard before an element", typeLabel(t))
		}
	}
	return out, nil
}

func typeLabel(t *Type) string {
	if t.Name.Local != "" {
		return t.Name.Local
	}
	return t.Owner
}

func particleSlots(p *Particle) ([]*Slot, error) {
	switch p.Kind {
	case ElementParticle:
		return []*Slot{elementSlot(p)}, nil
	case AnyParticle:
		return []*Slot{{Kind: AnySlot, Alts: []Alt{{}}, Min: p.Min, Max: p.Max}}, nil
	case ChoiceParticle:
		return choiceSlot(p)
	}
	var out []*Slot
	for _, c := range p.Children {
		s, err := particleSlots(c)
		if err != nil {
			return nil, err
		}
		out = append(out, s...)
	}
	switch {
	case p.Min == 1 && p.Max == 1:
	case len(out) == 1 && out[0].Min == 1 && out[0].Max == 1:
		out[0].Min, out[0].Max = p.Min, p.Max
	case len(out) == 1 && out[0].Min == 0 && out[0].Max == 1:
		out[0].Min, out[0].Max = 0, p.Max
	default:
		return nil, errNested
	}
	return out, nil
}

var errNested = fmt.Errorf("sequence with occurrences inside a content model")

func elementSlot(p *Particle) *Slot {
	s := &Slot{Kind: SingleSlot, Head: p.Element, Min: p.Min, Max: p.Max}
	if !p.Element.Global || len(p.Element.Members) == 0 {
		s.Alts = []Alt{{p.Element}}
		return s
	}
	s.Kind = GroupSlot
	for _, e := range substitutes(p.Element) {
		s.Alts = append(s.Alts, Alt{e})
	}
	return s
}

// substitutes returns e and all elements that may stand in for it, directly or
// through one another, in EXI order.
func substitutes(e *Element) []*Element {
	out := []*Element{e}
	for i := 0; i < len(out); i++ {
		out = append(out, out[i].Members...)
	}
	slices.SortFunc(out, func(a, b *Element) int { return a.Name.compare(b.Name) })
	return out
}

func choiceSlot(p *Particle) ([]*Slot, error) {
	s := &Slot{Kind: ChoiceSlot, Min: p.Min, Max: p.Max}
	wild := false
	for _, c := range p.Children {
		if c.Min != 1 || c.Max != 1 {
			return nil, errNested
		}
		switch c.Kind {
		case ElementParticle:
			s.Alts = append(s.Alts, elementSlot(c).Alts...)
		case AnyParticle:
			wild = true
		default:
			return nil, errNested
		}
	}
	if wild {
		s.Alts = append(s.Alts, Alt{})
	}
	return []*Slot{s}, nil
}

// fingerprint describes the grammar of a type and of all it contains. Two
// types with equal fingerprints have the same encoding and the same Go type.
func fingerprint(t *Type) string {
	var b strings.Builder
	seen := map[*Type]bool{}
	var walk func(*Type)
	walk = func(t *Type) {
		fmt.Fprintf(&b, "%v/%s ", t.Name, t.Owner)
		if seen[t] {
			return
		}
		seen[t] = true
		if s := t.Simple; s != nil {
			fmt.Fprintf(&b, "%d %s %v %v %v %d %d ", s.Primitive, s.Builtin, s.Enum, s.Min, s.Max, s.MinLen, s.MaxLen)
		}
		for _, a := range t.Attrs {
			fmt.Fprintf(&b, "@%v %v ", a.Name, a.Required)
			walk(a.Type)
		}
		ss, err := slots(t)
		fmt.Fprint(&b, err)
		for _, s := range ss {
			fmt.Fprintf(&b, "(%d %d %d ", s.Kind, s.Min, s.Max)
			for _, a := range s.Alts {
				if a.Element != nil {
					fmt.Fprintf(&b, "%v %v ", a.Element.Name, a.closed())
					walk(a.Element.Type)
				}
			}
			b.WriteString(")")
		}
	}
	walk(t)
	return b.String()
}
