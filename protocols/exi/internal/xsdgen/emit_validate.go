package xsdgen

import "fmt"

// emitValidate writes the method that checks facets and presence.
func (p *Package) emitValidate(w *writer, g *goType) {
	w.p("// ValidateEXI checks what the schema demands beyond the wire format.")
	w.p("func (x *%s) ValidateEXI(v *exi.Validator) {", g.Name)
	defer w.p("}\n")
	if g.Refused {
		w.p("\tv.Fail(%q, \"nothing\", \"content\")", typeLabel(g.Type))
		return
	}
	done := map[*Slot]bool{}
	for _, f := range g.Fields {
		if f.Slot != nil && f.Slot.Kind == ChoiceSlot && f.Slot.Max == 1 && !done[f.Slot] {
			done[f.Slot] = true
			p.validateChoice(w, g, f.Slot)
		}
		p.validateField(w, f)
	}
}

func (p *Package) validateChoice(w *writer, g *goType, s *Slot) {
	w.p("\t{\n\tn := 0")
	for _, f := range g.Fields {
		if f.Slot == s {
			w.p("\tif %s {\n\t\tn++\n\t}", present(f))
		}
	}
	w.p("\tv.One(%q, n, %v)\n\t}", label(&position{alts: s.Alts}), s.Min == 0)
}

func (p *Package) validateField(w *writer, f *field) {
	name := f.XML.Local
	if f.Bare {
		w.p("\tif x.%s {\n\t\tv.Fail(%q, \"an element of its substitution group\", \"the head itself\")\n\t}", f.Name, name)
		return
	}
	if f.Attr {
		name = "@" + name
	}
	if f.Kind == fieldSlice {
		w.p("\tv.Count(%q, len(x.%s), %d, %d)", name, f.Name, f.Slot.Min, f.Slot.Max)
	}
	switch {
	case f.Item != nil:
		w.p("\tfor i := range x.%s {\n\titem := &x.%s[i]\n\tn := 0", f.Name, f.Name)
		for _, a := range f.Item.Slot.open() {
			field := goName(a.Element.Name.Local)
			w.p("\tif item.%s != nil {\n\tn++", field)
			p.validateValue(w, a.Element.Type, "item."+field, "*item."+field, a.Element.Name.Local)
			w.p("\t}")
		}
		w.p("\tv.One(%q, n, false)\n\t}", label(&position{alts: f.Item.Slot.Alts}))
	case f.Union != nil && f.Kind == fieldSlice:
		w.p("\tfor _, item := range x.%s {", f.Name)
		p.validateUnion(w, "item", name, true)
		w.p("\t}")
	case f.Union != nil:
		p.validateUnion(w, "x."+f.Name, name, f.Slot.Min > 0)
	case f.Kind == fieldSlice:
		if body := p.valueCheck(f.Type, "x."+f.Name+"[i]", "x."+f.Name+"[i]", name); body != "" {
			w.p("\tfor i := range x.%s {\n%s\n\t}", f.Name, body)
		}
	case f.Kind == fieldOptional:
		if body := p.valueCheck(f.Type, "x."+f.Name+".Value", "x."+f.Name+".Value", name); body != "" {
			w.p("\tif x.%s.Present {\n%s\n\t}", f.Name, body)
		}
	case f.Kind == fieldPointer:
		w.p("\tif x.%s != nil {\n%s\n\t}", f.Name, p.valueCheck(f.Type, "x."+f.Name, "", name))
	default:
		p.validateValue(w, f.Type, "x."+f.Name, "x."+f.Name, name)
	}
}

func (p *Package) validateUnion(w *writer, v, name string, required bool) {
	w.p("\tif %s != nil {\n\tv.In(%s.ElementName().Local)\n\t%s.ValidateEXI(v)\n\tv.Out()", v, v, v)
	if required {
		w.p("\t} else {\n\t\tv.Missing(%q)", name)
	}
	w.p("\t}")
}

func (p *Package) validateValue(w *writer, t *Type, v, simple, name string) {
	if body := p.valueCheck(t, v, simple, name); body != "" {
		w.p("%s", body)
	}
}

// valueCheck returns the statements that check a value, or nothing when the Go
// type cannot hold a wrong one.
func (p *Package) valueCheck(t *Type, v, simple, name string) string {
	if t.Complex {
		return fmt.Sprintf("\tv.In(%q)\n\t%s.ValidateEXI(v)\n\tv.Out()", name, v)
	}
	s := t.Simple
	switch {
	case s.Enum != nil:
		return fmt.Sprintf("\tv.Enum(%q, uint8(%s), %d)", name, simple, len(s.Enum))
	case s.Primitive == String && (s.MaxLen != unbounded || s.MinLen > 0):
		return fmt.Sprintf("\tv.Text(%q, %s, %d, %d)", name, simple, s.MinLen, s.MaxLen)
	case s.Primitive == Binary && (s.MaxLen != unbounded || s.MinLen > 0):
		n := "len(" + simple + ")"
		if s.Hex && s.MaxLen <= 8 && s.MaxLen > 0 {
			n = simple + ".Len()"
		}
		return fmt.Sprintf("\tv.Octets(%q, %s, %d, %d)", name, n, s.MinLen, s.MaxLen)
	case s.Primitive == Int && s.Min != nil && s.Max != nil:
		limits := goLimits[goInt(s)]
		b, err := builtin(s.Builtin)
		if err != nil || b.Min != nil && b.Max != nil && b.Min.Cmp(s.Min) == 0 && b.Max.Cmp(s.Max) == 0 || limits[0] == "" {
			return ""
		}
		if s.Min.Sign() >= 0 && b.Min.Sign() >= 0 {
			return fmt.Sprintf("\tv.Uint(%q, uint64(%s), %s, %s)", name, simple, s.Min, s.Max)
		}
		return fmt.Sprintf("\tv.Int(%q, int64(%s), %s, %s)", name, simple, s.Min, s.Max)
	}
	return ""
}
