package exi

import "strconv"

// BadDocument records that the document element is none the caller knows; ev
// is its event code.
func (d *Decoder) BadDocument(ev uint32, s *Schema) {
	d.fail(ErrUnexpected, "", "document element with code "+strconv.Itoa(int(ev)), "a message of "+s.Name)
}

// BadFragment records that the fragment's element is none the caller knows; ev
// is its event code.
func (d *Decoder) BadFragment(ev uint32) {
	d.fail(ErrUnexpected, "", "fragment element with code "+strconv.Itoa(int(ev)), "an element that can be signed")
}

// BadFragment returns the error for an element that has no fragment form here.
func BadFragment(name QName) error {
	return &Error{Err: ErrUnsupported, Path: name.String(), Detail: "no fragment form"}
}

// Refuse records that a construct is known but never written.
func (e *Encoder) Refuse(what string) { e.fail(ErrUnsupported, "", what, "") }

// RelaxedText reads an element with an identifier and a text in the grammar
// that EXI prescribes for fragments whose element name is declared with more
// than one type: any of the schema's attributes, any of its elements, then the
// end or characters. attr is the index of the identifier among attrs attribute
// names; elements is the number of element names.
func (d *Decoder) RelaxedText(attr, attrs, elements uint32) (id, text string) {
	start := attrs + 1 + elements + 1 + 2 // AT, AT(*), SE, SE(*), EE, CH
	content := elements + 1 + 2
	if ev := d.Event(start, AtStart|AtEnd); ev != attr {
		d.Expected("the identifier")
		return "", ""
	}
	id = d.TextAttr("@Id")
	if ev := d.Event(start, AtAttributes|AtEnd); ev != start-1 {
		d.Expected("characters")
		return "", ""
	}
	text = d.TextAttr("text()")
	if ev := d.Event(content, AtEnd); ev != content-2 {
		d.Expected("end of element")
	}
	return id, text
}

// RelaxedText writes what the Decoder's method of this name reads.
func (e *Encoder) RelaxedText(id, text string, attr, attrs, elements uint32) {
	start := attrs + 1 + elements + 1 + 2
	content := elements + 1 + 2
	e.Event(attr, start)
	e.TextAttr("@Id", id)
	e.Event(start-1, start)
	e.TextAttr("text()", text)
	e.Event(content-2, content)
}

// Empty reads the end of an element without content.
func (d *Decoder) Empty() {
	d.info.Deviations++
	d.End(AtStart | AtEnd)
}

// Empty writes the end of an element without content.
func (e *Encoder) Empty() { e.Event(0, 1) }
