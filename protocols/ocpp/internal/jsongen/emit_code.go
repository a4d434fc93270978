package main

import (
	"bytes"
	"fmt"
	"strings"
)

func emitDecode(b *bytes.Buffer, s *structType) {
	fmt.Fprintf(b, "func (v *%s) decode(d *wire.Decoder) {\n", s.name)
	var required []string
	for _, f := range s.fields {
		if f.required {
			required = append(required, f.name)
		}
	}
	if len(required) > 0 {
		b.WriteString("\tvar seen uint64\n")
	}
	b.WriteString("\tfor d.Object(); d.NextKey(); {\n\t\tswitch string(d.Key()) {\n")
	bit := 0
	for _, f := range s.fields {
		fmt.Fprintf(b, "\t\tcase %q:\n", f.name)
		if f.required {
			fmt.Fprintf(b, "\t\t\tseen |= 1 << %d\n", bit)
			bit++
		}
		switch {
		case f.array:
			fmt.Fprintf(b, "\t\t\tv.%s = %s{}\n\t\t\tfor d.Array(); d.Next(); {\n", f.goName, f.goType())
			if f.kind == kindStruct {
				fmt.Fprintf(b, "\t\t\t\tvar e %s\n\t\t\t\te.decode(d)\n\t\t\t\tv.%s = append(v.%s, e)\n", f.typ, f.goName, f.goName)
			} else {
				fmt.Fprintf(b, "\t\t\t\tv.%s = append(v.%s, %s)\n", f.goName, f.goName, f.read())
			}
			b.WriteString("\t\t\t}\n")
		case f.kind == kindStruct && f.pointer():
			fmt.Fprintf(b, "\t\t\tv.%s = new(%s)\n\t\t\tv.%s.decode(d)\n", f.goName, f.typ, f.goName)
		case f.kind == kindStruct:
			fmt.Fprintf(b, "\t\t\tv.%s = %s{}\n\t\t\tv.%s.decode(d)\n", f.goName, f.typ, f.goName)
		case f.pointer():
			fmt.Fprintf(b, "\t\t\tv.%s = new(%s)\n", f.goName, f.read())
		default:
			fmt.Fprintf(b, "\t\t\tv.%s = %s\n", f.goName, f.read())
		}
	}
	b.WriteString("\t\tdefault:\n\t\t\td.Unknown()\n\t\t}\n\t}\n")
	if len(required) > 0 {
		fmt.Fprintf(b, "\tif seen != 1<<%d-1 {\n\t\td.Missing(seen, \"%s\")\n\t}\n", len(required), strings.Join(required, `", "`))
	}
	b.WriteString("}\n\n")
}

func (f field) read() string {
	switch f.kind {
	case kindString:
		return "d.String()"
	case kindInt:
		return "d.Int()"
	case kindFloat:
		return "d.Float()"
	case kindBool:
		return "d.Bool()"
	case kindTime:
		return "d.Time()"
	case kindEnum:
		return f.typ + "(d.Word())"
	case kindCustom:
		return "d.CustomData()"
	}
	return "d.Any()"
}

func (f field) write(value string) string {
	switch f.kind {
	case kindString:
		return "wire.Str(b, " + value + ")"
	case kindEnum:
		return "wire.Str(b, string(" + value + "))"
	case kindInt:
		return "wire.Int(b, " + value + ")"
	case kindFloat:
		return "wire.Float(b, " + value + ")"
	case kindBool:
		return "wire.Bool(b, " + value + ")"
	case kindTime:
		return "wire.Time(b, " + value + ")"
	case kindStruct:
		return value + ".AppendJSON(b)"
	}
	return "wire.Any(b, " + value + ")"
}

// absent is the Go expression that holds when an optional field is left out.
func (f field) present() string {
	v := "v." + f.goName
	switch {
	case f.array, f.pointer(), f.kind == kindAny, f.kind == kindCustom:
		return v + " != nil"
	case f.kind == kindTime:
		return "!" + v + ".IsZero()"
	}
	return v + ` != ""`
}

func emitEncode(b *bytes.Buffer, s *structType) {
	fmt.Fprintf(b, "// AppendJSON appends the value as JSON.\nfunc (v *%s) AppendJSON(b []byte) []byte {\n\tb = append(b, '{')\n", s.name)
	for _, f := range s.fields {
		if !f.required {
			fmt.Fprintf(b, "\tif %s {\n", f.present())
		}
		fmt.Fprintf(b, "\tb = wire.Key(b, %q)\n", f.name)
		value := "v." + f.goName
		switch {
		case f.array:
			fmt.Fprintf(b, "\tb = append(b, '[')\n\tfor i := range %s {\n\t\tb = wire.Comma(b)\n\t\tb = %s\n\t}\n\tb = append(b, ']')\n", value, f.write(value+"[i]"))
		case f.pointer() && f.kind != kindStruct:
			fmt.Fprintf(b, "\tb = %s\n", f.write("*"+value))
		default:
			fmt.Fprintf(b, "\tb = %s\n", f.write(value))
		}
		if !f.required {
			b.WriteString("\t}\n")
		}
	}
	b.WriteString("\treturn append(b, '}')\n}\n\n")
	fmt.Fprintf(b, `// MarshalJSON returns the value as JSON.
func (v %[1]s) MarshalJSON() ([]byte, error) { return v.AppendJSON(nil), nil }

// UnmarshalJSON reads the value strictly and checks it; the error is a *wire.Error.
func (v *%[1]s) UnmarshalJSON(data []byte) error {
	*v = %[1]s{}
	d := wire.NewDecoder(data)
	v.decode(d)
	if err := d.Err(); err != nil {
		return err
	}
	return v.Check()
}

// Check tells whether every value is within the limits of the schema.
func (v *%[1]s) Check() error {
	var c wire.Checker
	v.check(&c)
	return c.Err()
}

`, s.name)
}

func emitCheck(b *bytes.Buffer, s *structType) {
	var body bytes.Buffer
	for _, f := range s.fields {
		emitFieldCheck(&body, f)
	}
	arg := "c"
	if body.Len() == 0 {
		arg = "_"
	}
	fmt.Fprintf(b, "func (v *%s) check(%s *wire.Checker) {\n%s}\n\n", s.name, arg, body.Bytes())
}

func emitFieldCheck(b *bytes.Buffer, f field) {
	value := "v." + f.goName
	if f.array {
		if f.required {
			fmt.Fprintf(b, "\tc.Present(%q, %s != nil)\n", f.name, value)
		}
		if f.minItems > 0 || f.maxItems >= 0 {
			fmt.Fprintf(b, "\tif %s != nil {\n\t\tc.Count(%q, len(%s), %d, %d)\n\t}\n", value, f.name, value, f.minItems, f.maxItems)
		}
		one := f
		one.array, one.required = false, true
		inner := one.limit(value + "[i]")
		if inner != "" {
			fmt.Fprintf(b, "\tfor i := range %s {\n%s\t}\n", value, strings.ReplaceAll(inner, fmt.Sprintf("c.In(%q)", f.name), fmt.Sprintf("c.At(%q, i)", f.name)))
		}
		return
	}
	if f.required && f.kind == kindTime {
		fmt.Fprintf(b, "\tc.Present(%q, !%s.IsZero())\n", f.name, value)
		return
	}
	deref := value
	if f.pointer() && f.kind != kindStruct {
		deref = "*" + value
	}
	text := f.limit(deref)
	if text == "" {
		return
	}
	if !f.required && f.kind != kindString {
		text = "\tif " + f.present() + " {\n" + text + "\t}\n"
	}
	b.WriteString(text)
}

// limit returns the statements that check one value.
func (f field) limit(value string) string {
	switch f.kind {
	case kindString:
		if f.maxLength > 0 {
			return fmt.Sprintf("\tc.Max(%q, %s, %d)\n", f.name, value, f.maxLength)
		}
	case kindEnum:
		return fmt.Sprintf("\tc.Enum(%q, %s.Valid())\n", f.name, value)
	case kindInt, kindFloat:
		text := ""
		if f.lo != nil || f.hi != nil {
			lo, hi := "math.Inf(-1)", "math.Inf(1)"
			if f.lo != nil {
				lo = fmt.Sprintf("%g", *f.lo)
			}
			if f.hi != nil {
				hi = fmt.Sprintf("%g", *f.hi)
			}
			text = fmt.Sprintf("\tc.Range(%q, float64(%s), %s, %s)\n", f.name, value, lo, hi)
		}
		if f.tenths {
			text += fmt.Sprintf("\tc.Tenths(%q, %s)\n", f.name, value)
		}
		return text
	case kindStruct:
		return fmt.Sprintf("\tc.In(%q)\n\t%s.check(c)\n\tc.Out()\n", f.name, value)
	}
	return ""
}
