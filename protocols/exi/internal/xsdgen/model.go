package xsdgen

import (
	"cmp"
	"math/big"
)

// Name is a qualified name.
type Name struct{ Space, Local string }

// compare orders names as EXI does: by local name, then by namespace.
func (n Name) compare(m Name) int {
	if c := cmp.Compare(n.Local, m.Local); c != 0 {
		return c
	}
	return cmp.Compare(n.Space, m.Space)
}

// unbounded is the value of maxOccurs="unbounded".
const unbounded = -1

// Element is an element declaration.
type Element struct {
	Name     Name
	Type     *Type
	Abstract bool
	Global   bool
	Nillable bool
	Head     *Element   // substitution group this element belongs to
	Members  []*Element // elements that may directly stand in for this one
}

// Attribute is an attribute use.
type Attribute struct {
	Name     Name
	Type     *Type
	Required bool
}

// Type is a type definition, simple or complex.
type Type struct {
	Name     Name   // zero for anonymous types
	Owner    string // for anonymous types: the local name of the element
	Space    string // target namespace of the defining document
	Base     *Type
	Abstract bool

	Simple *Simple // the value, for simple types and simple content

	Complex bool
	Mixed   bool
	Attrs   []*Attribute // including inherited ones, in EXI order
	Content *Particle    // including inherited content; nil when empty
}

// Primitive is the EXI representation of a simple type.
type Primitive int

// The representations the generator knows.
const (
	Boolean Primitive = iota
	String
	Binary
	Int
	List
)

// Simple is the value space of a simple type.
type Simple struct {
	Primitive Primitive
	Builtin   string // the XML Schema built-in type it derives from
	Hex       bool   // hexBinary rather than base64Binary
	ID        bool   // ID or IDREF
	Enum      []string
	Min, Max  *big.Int // of integers
	MinLen    int      // of strings, binaries and lists
	MaxLen    int      // unbounded when -1
	Item      *Simple  // of lists
	ItemType  *Type
	Named     *Type // the named type that introduced the enumeration
}

// ParticleKind tells the kinds of particles apart.
type ParticleKind int

// The kinds of particles.
const (
	ElementParticle ParticleKind = iota
	SequenceParticle
	ChoiceParticle
	AnyParticle
)

// Particle is a part of a content model.
type Particle struct {
	Kind     ParticleKind
	Min, Max int
	Element  *Element
	Children []*Particle
}

// Set is all components of one set of schemas.
type Set struct {
	Elements map[Name]*Element // global ones
	Types    map[Name]*Type    // named ones
	All      []*Element        // global and local ones, in document order
	Attrs    []Name            // all attribute names
	Spaces   []string          // target namespaces, sorted
}
