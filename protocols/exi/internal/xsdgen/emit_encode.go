package xsdgen

import "fmt"

// encoder emits the encode method of one type. In every run the variable at
// holds the number of event codes already behind, so that codes and their
// width follow from what has been left out.
type encoder struct {
	*writer
	g     *goType
	ps    []*position
	begun bool
	off   int // codes of the run before the current position
	total int // codes of the run
	moved bool
}

// emitEncode writes the method that writes a type's content.
func (p *Package) emitEncode(w *writer, g *goType) {
	w.p("// EncodeEXI writes the element's content and end.")
	w.p("func (x *%s) EncodeEXI(e *exi.Encoder) {", g.Name)
	defer w.p("}\n")
	if g.Refused {
		w.p("\te.Refuse(%q)", typeLabel(g.Type))
		return
	}
	e := &encoder{writer: w, g: g, ps: positions(g)}
	var value *field
	for _, f := range g.Fields {
		if f.Value {
			value = f
			e.ps = append(e.ps, &position{alts: []Alt{{}}, min: 1, max: 1, field: f})
		}
	}
	for i := 0; i < len(e.ps); {
		i = e.run(i)
	}
	if value != nil {
		w.p("\t%s", p.encodeValue(value.Type, "text()", "x.Value", true))
		w.p("\te.Event(0, 1)")
		return
	}
	if len(e.ps) == 0 || e.ps[len(e.ps)-1].min > 0 && e.ps[len(e.ps)-1].max == 1 {
		w.p("\te.Event(0, %d)", tail(e.ps, len(e.ps), g.Type.Mixed))
	}
}

// event returns the statement that writes a code of the current run.
func (e *encoder) event(code string) string {
	if !e.moved {
		return fmt.Sprintf("e.Event(%s, %d)", code, e.total)
	}
	return fmt.Sprintf("e.Event(%s-at, %d-at)", code, e.total)
}

func (e *encoder) run(i int) int {
	e.off, e.total, e.moved = 0, tail(e.ps, i, e.g.Type.Mixed), false
	return e.chain(i)
}

// move emits that codes up to n are behind.
func (e *encoder) move(n int) { e.p("\tat = %d", n) }

// prepare declares at when the run has more than one position.
func (e *encoder) prepare() {
	if e.moved {
		return
	}
	e.moved = true
	if e.begun {
		e.p("\tat = 0")
	} else {
		e.p("\tat := uint32(0)")
		e.begun = true
	}
}

func (e *encoder) chain(i int) int {
	for ; i < len(e.ps); i++ {
		q := e.ps[i]
		if q.min == 0 {
			e.optional(i)
			e.off += q.codes()
			continue
		}
		if q.max == 1 {
			e.single(q)
			return i + 1
		}
		e.repeated(i)
		if i+1 == len(e.ps) {
			e.end()
			return i + 1
		}
		return e.chain(i + 1)
	}
	e.end()
	return len(e.ps)
}

func (e *encoder) end() { e.p("\t%s", e.event(fmt.Sprint(e.off))) }

// present returns the condition that a field is set.
func present(f *field) string {
	switch f.Kind {
	case fieldOptional:
		return "x." + f.Name + ".Present"
	case fieldSlice:
		return "len(x." + f.Name + ") > 0"
	}
	return "x." + f.Name + " != nil"
}

// optional emits a position that may be absent.
func (e *encoder) optional(i int) {
	q := e.ps[i]
	hi := e.off + q.codes()
	if q.field == nil {
		return // a wildcard or an abstract element: never written
	}
	e.prepare()
	switch {
	case q.max != 1:
		e.loop(q, e.off, hi, 0)
	case len(q.fields) > 1:
		e.p("\tswitch {")
		e.choice(q)
		e.p("\t}")
	case q.field.Union != nil:
		e.p("\tif x.%s != nil {", q.field.Name)
		e.union(q, "x."+q.field.Name, "")
		e.move(hi)
		e.p("\t}")
	default:
		e.p("\tif %s {", present(q.field))
		e.p("\t%s", e.event(fmt.Sprint(e.off+e.openCode(q))))
		e.field(q.field, q)
		e.move(hi)
		if q.bare != nil {
			e.p("\t} else if x.%s {", q.bare.name)
			e.bare(q)
			e.move(hi)
		}
		e.p("\t}")
	}
}

// bare emits an element without content.
func (e *encoder) bare(q *position) {
	for k, a := range q.alts {
		if a.Element == q.bare.Head {
			e.p("\t%s", e.event(fmt.Sprint(e.off+k)))
		}
	}
	e.p("\te.Empty()")
}

// openCode returns the code of a position's only usable alternative.
func (e *encoder) openCode(q *position) int {
	for k, a := range q.alts {
		if !a.closed() {
			return k
		}
	}
	return 0
}

// single emits a required position that occurs once.
func (e *encoder) single(q *position) {
	switch {
	case q.field == nil:
		e.p("\te.Refuse(%q)", "abstract element")
	case len(q.fields) > 1:
		e.p("\tswitch {")
		e.choice(q)
		e.p("\tdefault:\n\t\te.Missing(%q)\n\t}", label(q))
	case q.field.Union != nil:
		e.union(q, "x."+q.field.Name, "")
	default:
		if q.bare != nil {
			e.p("\tif x.%s {", q.bare.name)
			e.bare(q)
			e.p("\t} else {")
			defer e.p("\t}")
		}
		if f := q.field; e.total == 1 && !e.moved && !f.Attr && !f.Value && !f.Type.Complex && f.Kind == fieldPlain {
			if next := e.pkg.encodeNext(f.Type, f.XML.Local, "x."+f.Name); next != "" {
				e.p("\t%s", next)
				return
			}
		}
		e.p("\t%s", e.event(fmt.Sprint(e.off+e.openCode(q))))
		if !q.field.Value {
			e.field(q.field, q)
		}
	}
}

// choice emits the cases of a choice that occurs at most once.
func (e *encoder) choice(q *position) {
	for k, a := range q.alts {
		for _, f := range q.fields {
			if a.Element == nil || f.XML != a.Element.Name {
				continue
			}
			e.p("\tcase %s:", present(f))
			e.p("\t%s", e.event(fmt.Sprint(e.off+k)))
			e.field(f, q)
			if q.min == 0 {
				e.move(e.off + q.codes())
			}
		}
	}
}

// union emits the type switch over the members of a substitution group.
func (e *encoder) union(q *position, v, code string) {
	e.p("\tswitch v := %s.(type) {", v)
	for k, a := range q.alts {
		if a.closed() {
			continue
		}
		e.p("\tcase *%s:", e.pkg.goTypeOf(a.Element.Type))
		if code == "" {
			e.p("\t%s", e.event(fmt.Sprint(e.off+k)))
		} else {
			e.p("\te.Event(%s)", fmt.Sprintf(code, e.off+k))
		}
		e.p("\tif v == nil {\n\t\te.Missing(%q)\n\t\treturn\n\t}", a.Element.Name.Local)
		e.p("\te.In()\n\tv.EncodeEXI(e)\n\tif e.Out(%q) {\n\t\treturn\n\t}", a.Element.Name.Local)
	}
	e.p("\tdefault:\n\t\te.Missing(%q)\n\t}", q.field.XML.Local)
}

// repeated emits a required position that may occur several times; what
// follows it continues in the run that begins after the required occurrences.
func (e *encoder) repeated(i int) {
	q := e.ps[i]
	f := q.field
	if f == nil {
		e.p("\te.Refuse(%q)", "foreign content")
		return
	}
	e.p("\tif len(x.%s) < %d {\n\t\te.Missing(%q)\n\t\treturn\n\t}", f.Name, q.min, f.XML.Local)
	first := e.event("%d")
	for k := range q.min {
		code := first
		if k > 0 {
			code = fmt.Sprintf("e.Event(%%d, %d)", q.codes())
			e.off = 0
		}
		e.occurrence(q, fmt.Sprintf("x.%s[%d]", f.Name, k), code)
	}
	ps := append([]*position(nil), e.ps...)
	again := *q
	again.min = 0
	ps[i] = &again
	e.off, e.total, e.moved = 0, tail(ps, i, e.g.Type.Mixed), false
	e.prepare()
	e.loop(q, 0, q.codes(), q.min)
	e.off = q.codes()
}

// loop emits the occurrences from index from on.
func (e *encoder) loop(q *position, lo, hi, from int) {
	f := q.field
	if q.max != unbounded {
		e.p("\tif len(x.%s) > %d {\n\t\te.TooMany(%q, %d)\n\t\treturn\n\t}", f.Name, q.max, f.XML.Local, q.max)
	}
	slice := "x." + f.Name
	if from > 0 {
		slice += fmt.Sprintf("[%d:]", from)
	}
	e.p("\tfor i := range %s {", slice)
	index := "i"
	if from > 0 {
		index = fmt.Sprintf("i+%d", from)
	}
	e.occurrence(q, fmt.Sprintf("x.%s[%s]", f.Name, index), e.event("%d"))
	if lo > 0 {
		e.move(lo)
	}
	e.p("\t}")
	if q.max != unbounded {
		e.p("\tif len(x.%s) == %d {", f.Name, q.max)
		e.move(hi)
		e.p("\t}")
	}
}

// occurrence emits one item of a repeated position; code is a format for the
// event statement.
func (e *encoder) occurrence(q *position, v, code string) {
	f := q.field
	switch {
	case f.Item != nil:
		e.p("\tswitch v := &%s; {", v)
		for k, a := range q.alts {
			if a.closed() {
				continue
			}
			name := goName(a.Element.Name.Local)
			e.p("\tcase v.%s != nil:", name)
			e.p("\t"+code, e.off+k)
			e.value(a.Element.Type, "v."+name, "*v."+name, a.Element.Name.Local)
		}
		e.p("\tdefault:\n\t\te.Missing(%q)\n\t\treturn\n\t}", label(q))
	case f.Union != nil:
		e.p("\tswitch v := %s.(type) {", v)
		for k, a := range q.alts {
			if a.closed() {
				continue
			}
			e.p("\tcase *%s:", e.pkg.goTypeOf(a.Element.Type))
			e.p("\t"+code, e.off+k)
			e.p("\tif v == nil {\n\t\te.Missing(%q)\n\t\treturn\n\t}", a.Element.Name.Local)
			e.p("\te.In()\n\tv.EncodeEXI(e)\n\tif e.Out(%q) {\n\t\treturn\n\t}", a.Element.Name.Local)
		}
		e.p("\tdefault:\n\t\te.Missing(%q)\n\t\treturn\n\t}", f.XML.Local)
	default:
		e.p("\t"+code, e.off+e.openCode(q))
		e.value(f.Type, v, v, f.XML.Local)
	}
}

// field emits the content of a field's element or attribute.
func (e *encoder) field(f *field, q *position) {
	v := "x." + f.Name
	if f.Kind == fieldOptional {
		v += ".Value"
	}
	if f.Attr {
		e.p("\t%s", e.pkg.encodeValue(f.Type, "@"+f.XML.Local, v, true))
		return
	}
	e.value(f.Type, v, v, f.XML.Local)
}

func (e *encoder) value(t *Type, v, simple, local string) {
	if t.Complex {
		e.p("\te.In()\n\t%s.EncodeEXI(e)\n\tif e.Out(%q) {\n\t\treturn\n\t}", v, local)
	} else {
		e.p("\t%s", e.pkg.encodeValue(t, local, simple, false))
	}
}
