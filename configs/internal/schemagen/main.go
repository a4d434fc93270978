// Schemagen writes the JSON schema of site files, from the types of package configs, to the file named by its argument.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/invopop/jsonschema"

	"github.com/voltyard/voltyard/configs"
)

func main() {
	types := map[string]reflect.Type{}
	collect(reflect.TypeFor[configs.Site](), types)
	r := jsonschema.Reflector{
		FieldNameTag: "yaml",
		LookupComment: func(t reflect.Type, field string) string {
			if field == "" {
				return ""
			}
			f, _ := t.FieldByName(field)
			return f.Tag.Get("doc")
		},
		Mapper: func(t reflect.Type) *jsonschema.Schema {
			if t != reflect.TypeFor[configs.PhaseAmps]() {
				return nil
			}
			amps := &jsonschema.Schema{Type: "number", Minimum: "0"}
			three := uint64(3)
			return &jsonschema.Schema{OneOf: []*jsonschema.Schema{amps, {Type: "array", Items: amps, MinItems: &three, MaxItems: &three}}}
		},
	}
	s := r.Reflect(&configs.Site{})
	s.ID, s.Title = "", "Voltyard site file"
	for name, t := range types {
		def := s.Definitions[name]
		if def == nil {
			continue
		}
		for i := range t.NumField() {
			f := t.Field(i)
			key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
			if prop, ok := def.Properties.Get(key); ok && f.Tag.Get("enum") != "" {
				for v := range strings.SplitSeq(f.Tag.Get("enum"), ",") {
					prop.Enum = append(prop.Enum, v)
				}
			}
		}
	}
	out, err := json.MarshalIndent(s, "", "  ")
	if err == nil {
		err = os.WriteFile(os.Args[1], append(out, '\n'), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "schemagen:", err)
		os.Exit(1)
	}
}

func collect(t reflect.Type, into map[string]reflect.Type) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || into[t.Name()] != nil {
		return
	}
	into[t.Name()] = t
	for i := range t.NumField() {
		collect(t.Field(i).Type, into)
	}
}
