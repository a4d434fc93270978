package main

import (
	"bytes"
	"fmt"
)

// emitActions writes the table from the name of an action to its direction and constructors.
func (m *model) emitActions(b *bytes.Buffer) {
	fmt.Fprintf(b, "// The actions of OCPP %s.\nconst (\n", m.version)
	for _, a := range m.actions {
		fmt.Fprintf(b, "\tAction%s = %q\n", a, a)
	}
	b.WriteString(")\n\n// Actions has an entry for each action.\nvar Actions = map[string]wire.ActionInfo{\n")
	for _, a := range m.actions {
		res := fmt.Sprintf("func() wire.Message { return new(%sResponse) }", a)
		if m.sends[a] {
			res = "nil"
		}
		fmt.Fprintf(b, "\tAction%s: {Name: %q, Direction: wire.%s, Request: func() wire.Message { return new(%sRequest) }, Response: %s},\n",
			a, a, direction(a), a, res)
	}
	b.WriteString("}\n\n")
}
