package exi

import (
	"math/bits"
	"strconv"
)

// nameTable holds the names added to the initial string table while reading.
type nameTable struct {
	parts    []Partition
	grammars map[QName]*builtin
}

// builtin is the grammar of an undeclared element. It learns: each new event
// becomes the first production of its state. The slices hold the productions
// in reverse, so that learning is an append.
type builtin struct{ start, content []production }

type production struct {
	kind kind
	name QName
}

func (d *Decoder) nameTable() *nameTable {
	if d.names == nil {
		d.names = &nameTable{grammars: map[QName]*builtin{}}
		if d.schema != nil {
			for _, p := range d.schema.Partitions {
				p.Local = p.Local[:len(p.Local):len(p.Local)]
				d.names.parts = append(d.names.parts, p)
			}
		}
	}
	return d.names
}

// qname reads a qualified name.
func (d *Decoder) qname() QName {
	t := d.nameTable()
	i := int(d.Bits(uint(bits.Len(uint(len(t.parts)))))) - 1
	if i < 0 {
		t.parts = append(t.parts, Partition{Space: d.literal()})
		i = len(t.parts) - 1
	}
	if d.err != nil || i >= len(t.parts) {
		d.fail(ErrValue, "", "namespace index", "")
		return QName{}
	}
	p := &t.parts[i]
	n, ok := d.varint()
	if !ok {
		d.fail(ErrValue, "", "local name", "")
		return QName{}
	}
	if n > 0 {
		local := d.chars("", n-1)
		p.Local = append(p.Local, local)
		return QName{p.Space, local}
	}
	var j uint32
	if len(p.Local) > 0 {
		j = d.Bits(uint(bits.Len(uint(len(p.Local) - 1))))
	}
	if int(j) >= len(p.Local) {
		d.fail(ErrValue, "", "local name index", "")
		return QName{}
	}
	return QName{p.Space, p.Local[j]}
}

// literal reads a string that is not a value: its length, then characters.
func (d *Decoder) literal() string {
	n, ok := d.varint()
	if !ok {
		d.fail(ErrValue, "", "string too long", "")
		return ""
	}
	return d.chars("", n)
}

// skipText reads a value of an undeclared or untyped item.
func (d *Decoder) skipText() { d.TextAttr("") }

// skipElement reads an element the schema does not declare at this place,
// with all it contains.
func (d *Decoder) skipElement() {
	if name := d.qname(); d.err == nil {
		d.skipNamed(name)
	}
}

// builtinElement reads the content of an undeclared element.
func (d *Decoder) builtinElement(name QName) {
	t := d.nameTable()
	g := t.grammars[name]
	if g == nil {
		g = &builtin{content: []production{{kind: kindEnd}}}
		t.grammars[name] = g
	}
	inContent := false
	for d.err == nil {
		state := &g.start
		if inContent {
			state = &g.content
		}
		p, known := d.builtinEvent(*state, inContent)
		if d.err != nil {
			return
		}
		if !known && !(inContent && p.kind == kindEnd) {
			*state = append(*state, p)
		}
		switch p.kind {
		case kindEnd:
			return
		case kindAttr:
			d.skipText()
		case kindChars:
			d.skipText()
			inContent = true
		case kindElement:
			d.skipNamed(p.name)
			inContent = true
		}
	}
}

// skipNamed is skipElement for a name that has been read.
func (d *Decoder) skipNamed(name QName) {
	d.info.Deviations++
	if d.schema != nil {
		if _, ok := d.schema.Globals[name]; ok {
			d.fail(ErrUnsupported, name.Local, "declared element out of place", "")
			return
		}
	}
	if d.depth++; d.depth > maxDepth {
		d.fail(ErrUnsupported, name.Local, "elements nested too deeply", "")
		return
	}
	d.builtinElement(name)
	d.depth--
	d.Out(name.Local)
}

// builtinEvent reads an event of an undeclared element and tells whether the
// state had learned it before.
func (d *Decoder) builtinEvent(state []production, inContent bool) (production, bool) {
	v := int(d.Bits(width(uint32(len(state)))))
	if v < len(state) {
		return state[len(state)-1-v], true
	}
	if v > len(state) {
		d.fail(ErrEvent, "", "code "+strconv.Itoa(v), "")
		return production{}, false
	}
	kinds := []kind{kindEnd, kindAttr, kindElement, kindChars}
	if inContent {
		kinds = kinds[2:]
	}
	w := int(d.Bits(uint(bits.Len(uint(len(kinds) - 1)))))
	p := production{kind: kinds[w]}
	if p.kind == kindAttr || p.kind == kindElement {
		p.name = d.qname()
	}
	return p, false
}
