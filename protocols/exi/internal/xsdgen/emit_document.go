package xsdgen

import (
	"math/bits"
	"slices"
	"strings"
)

// emitDocument writes the functions for whole documents.
func (p *Package) emitDocument(w *writer) {
	if len(p.messages) == 0 {
		return
	}
	globals := sortedGlobals(p.Set)
	width := bits.Len(uint(len(globals))) // one more code for undeclared elements
	single := len(p.messages) == 1
	result, zero := "Message", "nil"
	if single {
		result = "*" + p.elementType(p.messages[0])
	}
	if !single {
		names := make([]string, len(p.messages))
		for i, e := range p.messages {
			names[i] = p.elementType(e)
		}
		w.p("// Message is any element that %s has as a document:", p.Spec.Title)
		w.p("// %s.", wrap(names))
		w.p("type Message interface {\n\texi.Element")
		w.p("\t// AppendEXI appends the message as an EXI document to dst.")
		w.p("\tAppendEXI(dst []byte) ([]byte, error)")
		w.p("\t// Validate checks the restrictions of the schema that the wire format does not enforce.")
		w.p("\tValidate() error\n\tisMessage()\n}\n")
		for _, n := range names {
			w.p("func (*%s) isMessage() {}", n)
		}
		w.p("")
		w.p("// NewMessage returns a new message by its element name, or nil.")
		w.p("func NewMessage(local string) Message {\n\tswitch local {")
		for i, e := range p.messages {
			w.p("\tcase %q:\n\t\treturn new(%s)", e.Name.Local, names[i])
		}
		w.p("\t}\n\treturn nil\n}\n")
	}
	w.p("// Decode reads one EXI document of %s. The result shares no memory with b.", p.Spec.Title)
	w.p("func Decode(b []byte) (%s, error) {\n\tm, _, err := DecodeInfo(b)\n\treturn m, err\n}\n", result)
	w.p("// DecodeInfo is Decode that also tells what was unusual about the stream.")
	w.p("func DecodeInfo(b []byte) (%s, exi.Info, error) {", result)
	if single {
		w.p("\tm := new(%s)", p.elementType(p.messages[0]))
		w.p("\tinfo, err := DecodeInto(b, m)\n\tif err != nil {\n\t\treturn nil, info, err\n\t}\n\treturn m, info, nil\n}\n")
		p.emitDecodeInto(w, globals, width)
	} else {
		w.p("\tvar d exi.Decoder\n\td.Reset(b, &SchemaSet)\n\tm := decodeDocument(&d)\n\tif d.Retry() {\n\t\tm = decodeDocument(&d)\n\t}")
		w.p("\tinfo, err := d.Finish()\n\tif err != nil {\n\t\treturn %s, info, err\n\t}\n\treturn m, info, nil\n}\n", zero)
		w.p("func decodeDocument(d *exi.Decoder) Message {")
		w.p("\tswitch ev := d.Bits(%d); ev {", width)
		for code, e := range globals {
			for _, m := range p.messages {
				if m == e {
					w.p("\tcase %d:\n\t\tm := new(%s)\n\t\tm.DecodeEXI(d)\n\t\td.Out(%q)\n\t\treturn m", code, p.elementType(e), e.Name.Local)
				}
			}
		}
		w.p("\tdefault:\n\t\td.BadDocument(ev, &SchemaSet)\n\t}\n\treturn nil\n}\n")
	}
	for code, e := range globals {
		for _, m := range p.messages {
			if m == e {
				p.emitMessage(w, e, code, width)
			}
		}
	}
}

// elementType returns the Go type that stands for a message element. Elements
// that share a schema type have a Go type each.
func (p *Package) elementType(e *Element) string {
	name := p.goTypeOf(e.Type)
	if p.sharesType(e) {
		return goName(e.Name.Local)
	}
	return name
}

// sharesType reports whether e is a message whose type is named after another
// element.
func (p *Package) sharesType(e *Element) bool {
	if g := p.byType[e.Type]; g != nil && slices.Contains(p.messages, e) {
		return g.Element != nil && g.Element != e
	}
	return false
}

// emitSharing writes the type for a message that shares its schema type.
func (p *Package) emitSharing(w *writer, e *Element) {
	name, of := p.elementType(e), p.goTypeOf(e.Type)
	w.p("// %s is the element %s, which has the same type as %s.", name, e.Name.Local, of)
	w.p("type %s struct{ %s }\n", name, of)
	w.p("// ElementName returns the element's name.")
	w.p("func (*%s) ElementName() exi.QName {\n\treturn exi.QName{Space: %q, Local: %q}\n}\n", name, e.Name.Space, e.Name.Local)
}

func (p *Package) emitDecodeInto(w *writer, globals []*Element, width int) {
	e := p.messages[0]
	code := 0
	for i, g := range globals {
		if g == e {
			code = i
		}
	}
	t := p.elementType(e)
	w.p("// DecodeInto is Decode into an existing document, which it overwrites.")
	w.p("func DecodeInto(b []byte, m *%s) (exi.Info, error) {", t)
	w.p("\tvar d exi.Decoder\n\td.Reset(b, &SchemaSet)\n\tdecodeDocument(&d, m)\n\tif d.Retry() {\n\t\tdecodeDocument(&d, m)\n\t}\n\treturn d.Finish()\n}\n")
	w.p("func decodeDocument(d *exi.Decoder, m *%s) {", t)
	w.p("\t*m = %s{}", t)
	w.p("\tif ev := d.Bits(%d); ev != %d {\n\t\td.BadDocument(ev, &SchemaSet)\n\t\treturn\n\t}", width, code)
	w.p("\tm.DecodeEXI(d)\n\td.Out(%q)\n}\n", e.Name.Local)
}

func (p *Package) emitMessage(w *writer, e *Element, code, width int) {
	t := p.elementType(e)
	if p.sharesType(e) {
		p.emitSharing(w, e)
	}
	w.p("// AppendEXI appends m as an EXI document to dst. It allocates only to let dst grow.")
	w.p("func (m *%s) AppendEXI(dst []byte) ([]byte, error) {", t)
	w.p("\tvar e exi.Encoder\n\te.Reset(dst)\n\te.Bits(%d, %d)\n\te.In()\n\tm.EncodeEXI(&e)\n\te.Out(%q)\n\treturn e.Finish()\n}\n", code, width, e.Name.Local)
	w.p("// Validate checks the restrictions of the schema that the wire format does not enforce.")
	w.p("func (m *%s) Validate() error {", t)
	w.p("\tvar v exi.Validator\n\tv.In(%q)\n\tm.ValidateEXI(&v)\n\treturn v.Err()\n}\n", e.Name.Local)
}

// emitFragments writes the functions for fragments.
func (p *Package) emitFragments(w *writer) {
	all := uniqueElements(p.Set)
	width := bits.Len(uint(len(all) + 1)) // two more codes: undeclared elements and the end
	end := len(all) + 1
	code := func(e *Element) int {
		for i, f := range all {
			if f == e {
				return i
			}
		}
		return -1
	}
	w.p("// Fragment is an element in the fragment form, which is what signatures are")
	w.p("// computed over.")
	w.p("type Fragment struct {\n\t// Name is the element.\n\tName exi.QName\n\t// Value is a pointer to the element's type.\n\tValue exi.Value\n}\n")
	w.p("// AppendEXI appends the fragment to dst.")
	w.p("func (f Fragment) AppendEXI(dst []byte) ([]byte, error) {\n\tswitch f.Name {")
	for _, e := range p.frags {
		w.p("\tcase exi.QName{Space: %q, Local: %q}:", e.Name.Space, e.Name.Local)
		w.p("\tif v, ok := f.Value.(*%s); ok {\n\t\treturn Append%sFragment(dst, v)\n\t}", p.elementType(e), goName(e.Name.Local))
	}
	w.p("\t}\n\treturn dst, exi.BadFragment(f.Name)\n}\n")
	w.p("// Validate checks the restrictions of the schema that the wire format does not enforce.")
	w.p("func (f Fragment) Validate() error {\n\tvar v exi.Validator\n\tv.In(f.Name.Local)\n\tf.Value.ValidateEXI(&v)\n\treturn v.Err()\n}\n")
	w.p("// NewFragment returns a fragment with a new value for the element of that local name.")
	w.p("func NewFragment(local string) (Fragment, bool) {\n\tswitch local {")
	for _, e := range p.frags {
		w.p("\tcase %q:\n\t\treturn Fragment{exi.QName{Space: %q, Local: %q}, new(%s)}, true", e.Name.Local, e.Name.Space, e.Name.Local, p.elementType(e))
	}
	w.p("\t}\n\treturn Fragment{}, false\n}\n")
	w.p("// DecodeFragment reads one EXI fragment of %s.", p.Spec.Title)
	w.p("func DecodeFragment(b []byte) (Fragment, error) {")
	w.p("\tvar d exi.Decoder\n\td.Reset(b, &SchemaSet)\n\tf := decodeFragment(&d)\n\tif d.Retry() {\n\t\tf = decodeFragment(&d)\n\t}")
	w.p("\tif _, err := d.Finish(); err != nil {\n\t\treturn Fragment{}, err\n\t}\n\treturn f, nil\n}\n")
	w.p("func decodeFragment(d *exi.Decoder) (f Fragment) {")
	w.p("\tswitch ev := d.Bits(%d); ev {", width)
	for _, e := range p.frags {
		w.p("\tcase %d:\n\t\tv := new(%s)", code(e), p.elementType(e))
		w.p("\t\tf = Fragment{exi.QName{Space: %q, Local: %q}, v}", e.Name.Space, e.Name.Local)
		if ambiguous(p.Set, e.Name) {
			w.p("\t\t%s", p.relaxedDecode(e))
		} else {
			w.p("\t\tv.DecodeEXI(d)")
		}
		w.p("\t\td.Out(%q)", e.Name.Local)
	}
	w.p("\tdefault:\n\t\td.BadFragment(ev)\n\t\treturn f\n\t}")
	w.p("\tif ev := d.Bits(%d); ev != %d {\n\t\td.Expected(\"end of fragment\")\n\t}\n\treturn f\n}\n", width, end)
	for _, e := range p.frags {
		w.p("// Append%sFragment appends the element %s as an EXI fragment to dst.", goName(e.Name.Local), e.Name.Local)
		w.p("func Append%sFragment(dst []byte, v *%s) ([]byte, error) {", goName(e.Name.Local), p.elementType(e))
		w.p("\tvar e exi.Encoder\n\te.Reset(dst)\n\te.Bits(%d, %d)", code(e), width)
		if ambiguous(p.Set, e.Name) {
			w.p("\t%s", p.relaxedEncode(e))
		} else {
			w.p("\te.In()\n\tv.EncodeEXI(&e)\n\te.Out(%q)", e.Name.Local)
		}
		w.p("\te.Bits(%d, %d)\n\treturn e.Finish()\n}\n", end, width)
	}
}

// relaxed describes the element-fragment grammar of the set: its attributes,
// then all element names, the wildcard, the end and the characters.
func (p *Package) relaxed(e *Element) (attr, attrs, elements int) {
	names := append([]Name(nil), p.Set.Attrs...)
	sortNames(names)
	for i, n := range names {
		if n == e.Type.Attrs[0].Name {
			attr = i
		}
	}
	return attr, len(names), len(uniqueElements(p.Set))
}

func (p *Package) relaxedDecode(e *Element) string {
	a, n, m := p.relaxed(e)
	return strings.NewReplacer("A", itoa(a), "N", itoa(n), "M", itoa(m)).Replace("v.ID, v.Value = d.RelaxedText(A, N, M)")
}

func (p *Package) relaxedEncode(e *Element) string {
	a, n, m := p.relaxed(e)
	return "e.RelaxedText(v.ID, v.Value, " + itoa(a) + ", " + itoa(n) + ", " + itoa(m) + ")"
}
