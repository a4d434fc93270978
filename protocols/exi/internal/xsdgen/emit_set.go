package xsdgen

import (
	"slices"
	"strings"
)

const (
	xmlSpace = "http://www.w3.org/XML/1998/namespace"
	xsiSpace = "http://www.w3.org/2001/XMLSchema-instance"
)

// emitSchema writes the initial string table.
func (p *Package) emitSchema(w *writer) {
	w.p("// SchemaSet holds the names of the schema set %s.", p.Spec.Set)
	w.p("var SchemaSet = exi.Schema{")
	w.p("\tName: %q,", p.Spec.Set)
	w.p("\tPartitions: []exi.Partition{")
	for _, part := range partitions(p.Set) {
		w.p("\t{Space: %q, Local: []string{", part.space)
		line := ""
		for _, l := range part.local {
			if len(line)+len(l) > 90 {
				w.p("\t%s", line)
				line = ""
			}
			line += "\"" + l + "\", "
		}
		if line != "" {
			w.p("\t%s", line)
		}
		w.p("\t}},")
	}
	w.p("\t},")
	w.p("\tGlobals: map[exi.QName]struct{}{")
	for _, e := range sortedGlobals(p.Set) {
		w.p("\t{Space: %q, Local: %q}: {},", e.Name.Space, e.Name.Local)
	}
	w.p("\t},\n}\n")
	w.p("// Namespaces gives the namespace for each prefix used in struct tags.")
	w.p("var Namespaces = map[string]string{")
	for _, s := range p.Set.Spaces {
		w.p("\t%q: %q,", p.prefixes[s], s)
	}
	w.p("}")
}

type partition struct {
	space string
	local []string
}

// partitions returns the initial URI and local-name partitions: the four fixed
// entries first, then the schemas' namespaces in order.
func partitions(s *Set) []partition {
	xsd := []string{
		"ENTITIES", "ENTITY", "ID", "IDREF", "IDREFS", "NCName", "NMTOKEN", "NMTOKENS", "NOTATION", "Name", "QName",
		"anySimpleType", "anyType", "anyURI", "base64Binary", "boolean", "byte", "date", "dateTime", "decimal", "double",
		"duration", "float", "gDay", "gMonth", "gMonthDay", "gYear", "gYearMonth", "hexBinary", "int", "integer",
		"language", "long", "negativeInteger", "nonNegativeInteger", "nonPositiveInteger", "normalizedString",
		"positiveInteger", "short", "string", "time", "token", "unsignedByte", "unsignedInt", "unsignedLong",
		"unsignedShort",
	}
	out := []partition{
		{"", nil},
		{xmlSpace, []string{"base", "id", "lang", "space"}},
		{xsiSpace, []string{"nil", "type"}},
		{xsdSpace, xsd},
	}
	for _, space := range s.Spaces {
		if space != "" {
			out = append(out, partition{space: space})
		}
	}
	add := func(n Name) {
		for i := range out {
			if out[i].space == n.Space && !slices.Contains(out[i].local, n.Local) {
				out[i].local = append(out[i].local, n.Local)
			}
		}
	}
	for _, e := range s.All {
		add(e.Name)
	}
	for _, a := range s.Attrs {
		add(a)
	}
	for n := range s.Types {
		add(n)
	}
	for i := range out {
		if i == 0 || i > 3 {
			slices.Sort(out[i].local)
		}
	}
	return out
}

// knownPrefixes are the tag prefixes of the namespaces in use. They are unique
// over all schema sets.
var knownPrefixes = map[string]string{
	"http://www.w3.org/2000/09/xmldsig#":       "ds",
	"urn:iso:15118:2:2010:AppProtocol":         "sap",
	"urn:din:70121:2012:MsgDef":                "dd",
	"urn:din:70121:2012:MsgHeader":             "dh",
	"urn:din:70121:2012:MsgBody":               "db",
	"urn:din:70121:2012:MsgDataTypes":          "dt",
	"urn:iso:15118:2:2013:MsgDef":              "v2d",
	"urn:iso:15118:2:2013:MsgHeader":           "v2h",
	"urn:iso:15118:2:2013:MsgBody":             "v2b",
	"urn:iso:15118:2:2013:MsgDataTypes":        "v2t",
	"urn:iso:std:iso:15118:-20:CommonTypes":    "ct",
	"urn:iso:std:iso:15118:-20:CommonMessages": "cm",
	"urn:iso:std:iso:15118:-20:AC":             "ac",
	"urn:iso:std:iso:15118:-20:DC":             "dc",
	"urn:iso:std:iso:15118:-20:WPT":            "wpt",
	"urn:iso:std:iso:15118:-20:ACDP":           "acdp",
	"urn:iso:std:iso:15118:-20:AC-DER-IEC":     "iec",
	"urn:iso:std:iso:15118:-20:AC-DER-SAE":     "sae",
}

func prefixesOf(spaces []string) map[string]string {
	out := map[string]string{}
	for _, s := range spaces {
		p := knownPrefixes[s]
		if p == "" {
			p = "ns" + strings.Map(func(r rune) rune {
				if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
					return r
				}
				return -1
			}, strings.ToLower(s))
		}
		out[s] = p
	}
	return out
}
