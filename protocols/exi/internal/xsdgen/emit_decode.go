package xsdgen

import (
	"fmt"
	"strings"
)

// position is a slot of a type's grammar as the emitters see it: an attribute,
// one or several alternatives of an element slot, or the end.
type position struct {
	field    *field   // attribute, plain element, union or items; nil when nothing can be there
	fields   []*field // of an optional choice, one for each open alternative
	alts     []Alt
	min, max int
	attr     bool
	bare     *bareField
}

// bareField is the field for an abstract element without content.
type bareField struct {
	Head *Element
	name string
}

// codes returns the number of productions the position contributes.
func (q *position) codes() int {
	if q.attr {
		return 1
	}
	return len(q.alts)
}

// positions lists attributes and slots in grammar order.
func positions(g *goType) []*position {
	var out []*position
	for _, f := range g.Fields {
		if f.Attr {
			q := &position{field: f, attr: true, max: 1}
			if f.Attribu.Required {
				q.min = 1
			}
			out = append(out, q)
		}
	}
	for _, s := range g.Slots {
		q := &position{alts: s.Alts, min: s.Min, max: s.Max}
		for _, f := range g.Fields {
			if f.Slot == s {
				q.fields = append(q.fields, f)
				q.field = f
			}
			if f.Bare && s.bare() != nil && f.XML == s.Head.Name {
				q.bare = &bareField{s.Head, f.Name}
			}
		}
		out = append(out, q)
	}
	return out
}

// tail returns the number of productions in the state before position i: those
// of all positions up to and including the first required one, or the end.
func tail(ps []*position, i int, mixed bool) int {
	n := 0
	for ; i < len(ps); i++ {
		n += ps[i].codes()
		if ps[i].min > 0 {
			break
		}
	}
	if i >= len(ps) {
		n++
	}
	if mixed && (len(ps) == 0 || !pendingAttr(ps, i)) {
		n++
	}
	return n
}

// pendingAttr reports whether position i is a required attribute, before which
// there can be no characters.
func pendingAttr(ps []*position, i int) bool { return i < len(ps) && ps[i].attr && ps[i].min > 0 }

// endless reports whether the state before position i can end the element.
func endless(ps []*position, i int) bool {
	for ; i < len(ps); i++ {
		if ps[i].min > 0 {
			return false
		}
	}
	return true
}

// site returns the expression that describes the state before position i.
func (g *goType) site(ps []*position, i int, first bool) string {
	var parts []string
	attrs := 0
	for j := i; j < len(ps) && ps[j].attr; j++ {
		attrs++
		if ps[j].min > 0 {
			break
		}
	}
	switch {
	case first:
		parts = append(parts, "exi.AtStart")
	case attrs > 0, i > 0 && ps[i-1].attr:
		parts = append(parts, "exi.AtAttributes")
	}
	if endless(ps, i) {
		parts = append(parts, "exi.AtEnd")
	}
	if g.Type.Mixed && !pendingAttr(ps, i) {
		parts = append(parts, "exi.Mixed")
	}
	if attrs > 0 {
		parts = append(parts, fmt.Sprintf("%d<<8", attrs))
	}
	if parts == nil {
		return "0"
	}
	return strings.Join(parts, "|")
}

// decoder emits the decode method of one type.
type decoder struct {
	*writer
	g     *goType
	ps    []*position
	first bool // no event of the element has been read yet
	begun bool // ev is declared
	off   int  // codes of the current run that lie before the position
}

// event returns the expression that reads the event before position i.
func (d *decoder) event(i, off int, inside bool) string {
	s := d.g.site(d.ps, i, d.first && !inside)
	e := fmt.Sprintf("d.Event(%d, %s)", tail(d.ps, i, d.g.Type.Mixed), s)
	if off > 0 {
		e += fmt.Sprintf(" + %d", off)
	}
	return e
}

// loopEvent is event for a further occurrence of position i.
func (d *decoder) loopEvent(i, off int) string {
	n, s := d.loopState(i)
	e := fmt.Sprintf("d.Event(%d, %s)", n, s)
	if off > 0 {
		e += fmt.Sprintf(" + %d", off)
	}
	return e
}

// loopState describes the state in which position i may occur again or be over.
func (d *decoder) loopState(i int) (int, string) {
	ps := append([]*position(nil), d.ps...)
	again := *ps[i]
	again.min = 0
	ps[i] = &again
	return tail(ps, i, d.g.Type.Mixed), d.g.site(ps, i, false)
}

// emitDecode writes the method that reads a type's content.
func (p *Package) emitDecode(w *writer, g *goType) {
	w.p("// DecodeEXI reads the element's content and end.")
	w.p("func (x *%s) DecodeEXI(d *exi.Decoder) {", g.Name)
	defer w.p("}\n")
	if g.Refused {
		w.p("\td.Refuse(%q)", typeLabel(g.Type))
		return
	}
	for _, f := range g.Fields {
		if f.Value {
			p.emitDecodeSimpleContent(w, g, f)
			return
		}
	}
	d := &decoder{writer: w, g: g, ps: positions(g), first: true}
	for i := 0; i < len(d.ps); {
		i = d.run(i)
	}
	if len(d.ps) == 0 || d.ps[len(d.ps)-1].min > 0 && d.ps[len(d.ps)-1].max == 1 {
		n := len(d.ps)
		if tail(d.ps, n, g.Type.Mixed) == 1 {
			w.p("\td.End(%s)", g.site(d.ps, n, d.first))
		} else {
			w.p("\tif %s != 0 {\n\t\td.Expected(%q)\n\t}", d.event(n, 0, false), "end of element")
		}
	}
}

// run emits the positions from i up to and including the first required one,
// which share one chain of event codes. It returns the position after it; a
// required repeated position begins the next run with its further occurrences.
func (d *decoder) run(i int) int {
	d.off = 0
	if d.plain(i) {
		d.next(i)
		d.first = false
		return i + 1
	}
	d.declare(d.event(i, 0, false))
	return d.chain(i)
}

// plain reports whether position i is one required element that nothing else
// can precede.
func (d *decoder) plain(i int) bool {
	q := d.ps[i]
	return q.min == 1 && q.max == 1 && !q.attr && len(q.alts) == 1 && !q.alts[0].closed() &&
		tail(d.ps, i, d.g.Type.Mixed) == 1 && q.field != nil && q.field.Union == nil && q.field.Item == nil
}

// next emits the reading of a plain position.
func (d *decoder) next(i int) {
	q := d.ps[i]
	f, e := q.field, q.alts[0].Element
	site := d.g.site(d.ps, i, d.first)
	if !e.Type.Complex {
		d.p("\tx.%s = %s", f.Name, d.pkg.decodeNext(e.Type, e.Name.Local, site))
		return
	}
	d.p("\tif !d.Begin(%q, %s) {\n\t\treturn\n\t}", e.Name.Local, site)
	d.into(e, "x."+f.Name, "")
}

func (d *decoder) declare(expr string) {
	if d.begun {
		d.p("\tev = %s", expr)
	} else {
		d.p("\tev := %s", expr)
		d.begun = true
	}
}

func (d *decoder) chain(i int) int {
	for ; i < len(d.ps); i++ {
		q := d.ps[i]
		if q.min == 0 {
			d.optional(i)
			d.off += q.codes()
			continue
		}
		d.required(i)
		d.first = false
		if q.max == 1 {
			return i + 1
		}
		d.repeat(i)
		d.off = q.codes()
		if i+1 == len(d.ps) {
			d.end()
			return i + 1
		}
		return d.chain(i + 1)
	}
	d.end()
	return len(d.ps)
}

// end checks that the last event of a run is the end of the element.
func (d *decoder) end() {
	d.p("\tif ev != %d {\n\t\td.Expected(%q)\n\t}", d.off, "end of element")
}

// optional emits a position that may be absent.
func (d *decoder) optional(i int) {
	q := d.ps[i]
	lo, hi := d.off, d.off+q.codes()
	next := d.event(i+1, hi, true)
	switch {
	case q.max == 1 && q.codes() == 1:
		d.p("\tif ev == %d {", lo)
		d.alternative(q, 0, false)
		d.p("\tev = %s\n\t}", next)
	case q.max == 1:
		d.p("\tif ev < %d {", hi)
		d.alternatives(q)
		d.p("\tev = %s\n\t}", next)
	default:
		if lo == 0 {
			d.p("\tfor ev < %d {", hi)
		} else {
			d.p("\tfor ev >= %d && ev < %d {", lo, hi)
		}
		d.alternatives(q)
		if q.max != unbounded && q.field != nil {
			d.p("\tif len(x.%s) == %d {\n\t\tev = %s\n\t\tbreak\n\t}", q.field.Name, q.max, next)
		}
		d.p("\tev = %s\n\t}", d.loopEvent(i, lo))
	}
}

// required emits a position that must be present, up to its minimum.
func (d *decoder) required(i int) {
	q := d.ps[i]
	lo := d.off
	if q.min == 1 {
		d.one(q, lo)
		return
	}
	d.one(q, lo)
	d.p("\tfor len(x.%s) < %d {", q.field.Name, q.min)
	d.p("\tev = d.Event(%d, 0)", q.codes())
	d.off = 0
	d.one(q, 0)
	d.p("\t}")
}

// one emits a single mandatory occurrence.
func (d *decoder) one(q *position, lo int) {
	if q.codes() == 1 {
		d.p("\tif ev != %d {\n\t\td.Expected(%q)\n\t\treturn\n\t}", lo, label(q))
		d.alternative(q, 0, false)
		return
	}
	d.alternatives(q)
}

// repeat emits the occurrences after the required ones.
func (d *decoder) repeat(i int) {
	q := d.ps[i]
	n, s := d.loopState(i)
	if q.max == unbounded || q.field == nil {
		d.p("\tev = d.Event(%d, %s)", n, s)
		d.p("\tfor ev < %d {", q.codes())
		d.off = 0
		d.alternatives(q)
		d.p("\tev = d.Event(%d, %s)\n\t}", n, s)
		return
	}
	d.p("\tfor {")
	d.p("\tif len(x.%s) == %d {\n\t\tev = %s\n\t\tbreak\n\t}", q.field.Name, q.max, d.event(i+1, q.codes(), true))
	if q.codes() == 1 {
		d.p("\tif ev = d.Event(%d, %s); ev != 0 {\n\t\tbreak\n\t}", n, s)
	} else {
		d.p("\tif ev = d.Event(%d, %s); ev >= %d {\n\t\tbreak\n\t}", n, s, q.codes())
	}
	d.off = 0
	d.alternatives(q)
	d.p("\t}")
}

// alternatives emits the switch over a position's alternatives.
func (d *decoder) alternatives(q *position) {
	if q.codes() == 1 {
		d.alternative(q, 0, false)
		return
	}
	d.p("\tswitch ev {")
	for k := range q.alts {
		d.p("\tcase %d:", d.off+k)
		d.alternative(q, k, true)
	}
	d.p("\tdefault:\n\t\td.Expected(%q)\n\t\treturn\n\t}", label(q))
}

// label names what a position accepts.
func label(q *position) string {
	if q.attr {
		return "attribute " + q.field.XML.Local
	}
	var names []string
	for _, a := range q.alts {
		if !a.closed() {
			names = append(names, a.Element.Name.Local)
		}
	}
	if len(names) > 6 {
		names = append(names[:6], "...")
	}
	return strings.Join(names, " or ")
}

// alternative emits the reading of one alternative.
func (d *decoder) alternative(q *position, k int, inSwitch bool) {
	p := d.pkg
	if q.attr {
		f := q.field
		v := p.decodeValue(f.Type, "@"+p.xmlName(f.XML), true)
		if f.Kind == fieldOptional {
			d.p("\tx.%s.Set(%s)", f.Name, v)
		} else {
			d.p("\tx.%s = %s", f.Name, v)
		}
		return
	}
	a := q.alts[k]
	if q.bare != nil && a.Element == q.bare.Head {
		d.p("\tx.%s = true\n\td.Empty()\n\td.Out(%q)", q.bare.name, a.Element.Name.Local)
		return
	}
	if a.closed() {
		what := "element of a foreign namespace"
		if a.Element != nil {
			what = "abstract element " + a.Element.Name.Local
		}
		d.p("\td.Refuse(%q)", what)
		return
	}
	f := q.field
	if len(q.fields) > 1 {
		for _, c := range q.fields {
			if c.XML == a.Element.Name {
				f = c
			}
		}
	}
	d.element(f, a.Element)
}

// element emits the reading of an element into its field.
func (d *decoder) element(f *field, e *Element) {
	p := d.pkg
	local, goType := e.Name.Local, p.goTypeOf(e.Type)
	switch {
	case f.Item != nil:
		d.p("\tx.%s = append(x.%s, %s{})", f.Name, f.Name, f.GoType)
		d.p("\t{\n\tv := new(%s)", goType)
		d.p("\tx.%s[len(x.%s)-1].%s = v", f.Name, f.Name, goName(local))
		d.into(e, "v", "*v")
		d.p("\t}")
	case f.Union != nil && f.Kind == fieldSlice:
		d.p("\t{\n\tv := new(%s)", goType)
		d.p("\tx.%s = append(x.%s, v)", f.Name, f.Name)
		d.into(e, "v", "")
		d.p("\t}")
	case f.Union != nil:
		d.p("\t{\n\tv := new(%s)", goType)
		d.p("\tx.%s = v", f.Name)
		d.into(e, "v", "")
		d.p("\t}")
	case f.Kind == fieldSlice && e.Type.Complex:
		d.p("\tx.%s = append(x.%s, %s{})", f.Name, f.Name, goType)
		d.into(e, fmt.Sprintf("x.%s[len(x.%s)-1]", f.Name, f.Name), "")
	case f.Kind == fieldSlice:
		d.p("\tx.%s = append(x.%s, %s)", f.Name, f.Name, p.decodeValue(e.Type, local, false))
	case f.Kind == fieldOptional && e.Type.Complex:
		d.p("\tx.%s.Present = true", f.Name)
		d.into(e, fmt.Sprintf("x.%s.Value", f.Name), "")
	case f.Kind == fieldOptional:
		d.p("\tx.%s.Set(%s)", f.Name, p.decodeValue(e.Type, local, false))
	case f.Kind == fieldPointer:
		d.p("\tx.%s = new(%s)", f.Name, goType)
		d.into(e, "x."+f.Name, "")
	case e.Type.Complex:
		d.into(e, "x."+f.Name, "")
	default:
		d.p("\tx.%s = %s", f.Name, p.decodeValue(e.Type, local, false))
	}
}

// into emits the reading of an element's content into an existing value.
func (d *decoder) into(e *Element, v, simple string) {
	if !e.Type.Complex {
		d.p("\t%s = %s", simple, d.pkg.decodeValue(e.Type, e.Name.Local, false))
		return
	}
	d.p("\t%s.DecodeEXI(d)\n\td.Out(%q)", v, e.Name.Local)
}

// emitDecodeSimpleContent writes the method for a type with attributes and a
// value.
func (p *Package) emitDecodeSimpleContent(w *writer, g *goType, f *field) {
	content := &position{alts: []Alt{{}}, min: 1, max: 1}
	d := &decoder{writer: w, g: g, first: true}
	for _, a := range positions(g) {
		if a.attr {
			d.ps = append(d.ps, a)
		}
	}
	d.ps = append(d.ps, content)
	for i := 0; i < len(d.ps)-1; {
		q := d.ps[i]
		if i == 0 || d.ps[i-1].min > 0 {
			d.off = 0
			d.declare(d.event(i, 0, false))
		}
		if q.min > 0 {
			d.one(q, d.off)
			d.first = false
		} else {
			d.optional(i)
			d.off++
		}
		i++
	}
	n := len(d.ps) - 1
	if n == 0 || d.ps[n-1].min > 0 {
		d.off = 0
		d.declare(d.event(n, 0, false))
	}
	w.p("\tif ev != %d {\n\t\td.Expected(\"a value\")\n\t\treturn\n\t}", d.off)
	w.p("\tx.Value = %s", p.decodeValue(f.Type, "text()", true))
	w.p("\td.End(exi.AtEnd)")
}
