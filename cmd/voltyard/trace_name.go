package main

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/voltyard/voltyard/protocols/iso15118/din"
	"github.com/voltyard/voltyard/protocols/iso15118/schemasets"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
)

// describe is the name of a message, with the response code and the processing where it has them.
func describe(m schemasets.Message) string {
	body := any(m)
	switch m := m.(type) {
	case *v2.V2GMessage:
		body = m.Body.BodyElement
	case *din.V2GMessage:
		body = m.Body.BodyElement
	}
	name := fmt.Sprintf("%T", body)
	name = name[strings.LastIndex(name, ".")+1:]
	v := reflect.ValueOf(body)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return name
	}
	for _, field := range []string{"ResponseCode", "EVSEProcessing", "ChargeProgress", "ChargingSession"} {
		if f := v.Elem().FieldByName(field); f.IsValid() && f.CanInterface() {
			if s, ok := f.Interface().(fmt.Stringer); ok {
				name += " " + s.String()
			}
		}
	}
	return name
}
